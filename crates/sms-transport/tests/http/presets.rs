//! What is asked of each kind of provider, to the letter.

use std::collections::BTreeMap;

use super::{
    NUMBER, Opened, Submission, TEXT, accepted, fields, message,
    server::{Manner, Server, answer},
};

const SID: &str = "AC0123456789abcdef0123456789abcdef";

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}

async fn twilio(answer: String, more: &str) -> (Submission, Server) {
    let server = Server::start(Manner::Answers(answer)).await;
    let opened = Opened::with(&format!(
        "
        kind = 'twilio'
        account_sid = '{SID}'
        auth_token = {{ file = 'token' }}
        base_url = '{}'
        {more}
        ",
        server.url()
    ));
    (opened.submit().await, server)
}

/// As the documentation shows it, shortened to what is of other messages.
const CREATED: &str = r#"{
    "account_sid": "AC0123456789abcdef0123456789abcdef",
    "api_version": "2010-04-01",
    "body": "Hi there",
    "date_created": "Thu, 24 Aug 2023 05:01:45 +0000",
    "date_sent": null,
    "direction": "outbound-api",
    "error_code": null,
    "error_message": null,
    "from": "+15005550006",
    "num_media": "0",
    "num_segments": "1",
    "price": null,
    "sid": "SM00112233445566778899aabbccddeeff",
    "status": "queued",
    "to": "+79123456789",
    "uri": "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages/SM00112233445566778899aabbccddeeff.json"
}"#;

#[tokio::test]
async fn twilio_is_asked_as_its_api_wants_it() {
    let more = "from = '+15005550006'\npublic_url = 'https://mfa.example.com/sms/alpha'";
    let (outcome, server) = twilio(answer("201 CREATED", CREATED), more).await;
    assert_eq!(outcome, accepted("SM00112233445566778899aabbccddeeff"));
    let asked = &server.asked()[0];
    assert_eq!(
        asked.line,
        format!("POST /2010-04-01/Accounts/{SID}/Messages.json HTTP/1.1")
    );
    assert_eq!(
        asked.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    // base64 of `<SID>:tok-canary&1`
    assert_eq!(
        asked.headers["authorization"],
        "Basic QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjp0b2stY2FuYXJ5JjE="
    );
    assert_eq!(
        fields(&asked.body),
        owned(&[
            ("Body", TEXT),
            ("From", "+15005550006"),
            ("StatusCallback", "https://mfa.example.com/sms/alpha"),
            ("To", NUMBER),
            ("ValidityPeriod", "290"),
        ])
    );
}

#[tokio::test]
async fn twilio_is_told_no_address_for_reports_where_none_is_configured() {
    let more = "messaging_service_sid = 'MG00112233445566778899aabbccddeeff'";
    let (outcome, server) = twilio(answer("201 CREATED", CREATED), more).await;
    assert_eq!(outcome, accepted("SM00112233445566778899aabbccddeeff"));
    assert_eq!(
        fields(&server.asked()[0].body),
        owned(&[
            ("Body", TEXT),
            ("MessagingServiceSid", "MG00112233445566778899aabbccddeeff"),
            ("To", NUMBER),
            ("ValidityPeriod", "290"),
        ])
    );
}

#[tokio::test]
async fn twilios_errors_mean_what_its_list_of_them_says() {
    type Made = fn(String) -> Submission;
    for (status, code, made) in [
        ("400 BAD REQUEST", 21211, Submission::BadNumber as Made),
        ("400 BAD REQUEST", 21614, Submission::BadNumber),
        ("429 TOO MANY REQUESTS", 20429, Submission::Throttled),
        ("429 TOO MANY REQUESTS", 21611, Submission::Throttled),
        ("400 BAD REQUEST", 21408, Submission::Refused),
        // Who has unsubscribed has done so from one sender.
        ("400 BAD REQUEST", 21610, Submission::Refused),
        ("401 UNAUTHORIZED", 20003, Submission::Refused),
        ("500 INTERNAL SERVER ERROR", 20500, Submission::Cut),
    ] {
        let body = format!(
            "{{\"code\": {code}, \"message\": \"The 'To' number {NUMBER} is not a valid phone \
             number.\", \"more_info\": \"https://www.twilio.com/docs/errors/{code}\", \
             \"status\": {}}}",
            &status[..3]
        );
        let (outcome, _) = twilio(answer(status, &body), "from = 'BANK'").await;
        let expected = made(format!("http {}, code {code}", &status[..3]));
        assert_eq!(outcome, expected);
    }
}

async fn smsc(body: &str) -> (Submission, Server) {
    let server = Server::start(Manner::Answers(answer("200 OK", body))).await;
    let opened = Opened::with(&format!(
        "
        kind = 'smsc'
        url = '{}/sys/send.php'
        login = 'bank'
        password = {{ file = 'token' }}
        sender = 'BANK'
        ",
        server.url()
    ));
    (opened.submit().await, server)
}

#[tokio::test]
async fn smsc_is_asked_as_its_api_wants_it() {
    let id = message().id.to_string();
    let (outcome, server) = smsc(&format!("{{\"id\": \"{id}\", \"cnt\": 2}}")).await;
    assert_eq!(outcome, accepted(&id));
    let asked = &server.asked()[0];
    assert_eq!(asked.line, "POST /sys/send.php HTTP/1.1");
    assert_eq!(
        fields(&asked.body),
        owned(&[
            ("charset", "utf-8"),
            ("fmt", "3"),
            ("id", &id),
            ("login", "bank"),
            ("mes", TEXT),
            ("phones", NUMBER),
            ("psw", super::SECRET),
            ("sender", "BANK"),
            ("valid", "00:04"),
        ])
    );
}

#[tokio::test]
async fn smscs_errors_come_with_a_success_and_are_none() {
    type Made = fn(String) -> Submission;
    for (code, made) in [
        (1, Submission::Refused as Made),
        (2, Submission::Refused),
        (3, Submission::Refused),
        (4, Submission::Throttled),
        (5, Submission::Refused),
        (6, Submission::Refused),
        (7, Submission::BadNumber),
        (8, Submission::Refused),
        (9, Submission::Cut),
    ] {
        let body = format!("{{\"error\": \"invalid number {NUMBER}\", \"error_code\": {code}}}");
        let (outcome, _) = smsc(&body).await;
        assert_eq!(outcome, made(format!("http 200, code {code}")));
    }
}

#[tokio::test]
async fn an_aggregator_is_asked_as_it_is_configured() {
    let server = Server::start(Manner::Answers(answer(
        "202 Accepted",
        "{\"messages\": [{\"id\": 17}]}",
    )))
    .await;
    let opened = Opened::with(&format!(
        r#"
        kind = "http"
        method = "PUT"
        url = "{}/v1/{{secret:token}}/{{number}}?a=1"
        headers = {{ Authorization = "Bearer {{secret:token}}", "X-Ref" = "{{id}}" }}
        query = {{ to = "{{number_digits}}", key = "{{secret:token}}" }}
        json = '''{{"to": "{{number}}", "text": "{{text}}", "ttl": {{validity_seconds}}, "ref": "{{id}}"}}'''
        secrets = {{ token = {{ file = "token" }} }}
        message_id = "/messages/0/id"
        "#,
        server.url()
    ));
    assert_eq!(opened.submit().await, accepted("17"));
    let asked = &server.asked()[0];
    assert_eq!(
        asked.line,
        "PUT /v1/tok-canary%261/%2B79123456789?a=1&key=tok-canary%261&to=79123456789 HTTP/1.1"
    );
    let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
    let id = message().id.to_string();
    assert_eq!(
        body,
        serde_json::json!({ "to": NUMBER, "text": TEXT, "ttl": 290, "ref": id })
    );
    let header = |name: &str| asked.headers[name].as_str();
    assert_eq!(header("authorization"), "Bearer tok-canary&1");
    assert_eq!(header("x-ref"), id);
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(
        header("user-agent"),
        concat!("countersign/", env!("CARGO_PKG_VERSION"))
    );
    let names: Vec<_> = asked.headers.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "accept",
            "authorization",
            "content-length",
            "content-type",
            "host",
            "user-agent",
            "x-ref"
        ]
    );
}

#[tokio::test]
async fn an_aggregator_may_be_asked_by_get() {
    let server = Server::start(Manner::Answers(answer("200 OK", ""))).await;
    let opened = Opened::with(&format!(
        r#"
        kind = "http"
        method = "GET"
        url = "{}/send"
        query = {{ to = "{{number_digits}}", text = "{{text}}" }}
        basic_auth = {{ user = "bank", password = {{ file = "token" }} }}
        "#,
        server.url()
    ));
    assert_eq!(
        opened.submit().await,
        Submission::Accepted { carrier_id: None }
    );
    let asked = &server.asked()[0];
    let (path, query) = asked.line.split_once('?').unwrap();
    assert_eq!(path, "GET /send");
    let query = query.strip_suffix(" HTTP/1.1").unwrap();
    let query: BTreeMap<_, _> = fields(query).into_iter().collect();
    assert_eq!(query["text"], TEXT);
    assert_eq!(query["to"], NUMBER[1..]);
    // base64 of `bank:tok-canary&1`
    assert_eq!(
        asked.headers["authorization"],
        "Basic YmFuazp0b2stY2FuYXJ5JjE="
    );
    assert_eq!(asked.body, "");
}
