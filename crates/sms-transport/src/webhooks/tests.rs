//! Reports as they come over HTTP.

use axum::{
    http::{Request, header::CONTENT_LENGTH},
    response::Response,
};
use countersign_mfa::ports::sms::Carriers as _;
use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;

use super::*;
use crate::{ProvidersSettings, testing::MovedClock};

const NOW: i64 = 1_800_000_000;
const TOKEN: &str = "tok-canary";
const URL: &str = "https://mfa.example.com/sms/twilio?v=1";

struct Served {
    providers: Providers,
    clock: std::sync::Arc<MovedClock>,
    _folder: tempfile::TempDir,
}

fn served() -> Served {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), TOKEN).unwrap();
    let text = format!(
        "
        [twilio]
        kind = 'twilio'
        account_sid = 'AC0123456789abcdef0123456789abcdef'
        auth_token = {{ file = 'token' }}
        from = '+15005550006'
        public_url = '{URL}'
        [smsc]
        kind = 'smsc'
        url = 'https://smsc.example.com/sys/send.php'
        login = 'countersign'
        password = {{ file = 'token' }}
        callback_secret = {{ file = 'token' }}
        [signed]
        kind = 'http'
        url = 'https://sms.example.com/send'
        query = {{ to = '{{number}}', text = '{{text}}' }}
        message_id = '/id'
        [signed.webhook]
        secret = {{ file = 'token' }}
        message_id = '/message/id'
        state = '/message/status'
        sent = ['ACCEPTD']
        delivered = ['DELIVRD']
        failed = ['UNDELIV']
        [silent]
        kind = 'file'
        directory = 'sms'
        "
    );
    let settings: ProvidersSettings = toml::from_str(&text).unwrap();
    let clock = MovedClock::new();
    let providers = Providers::open(&settings, folder.path(), clock.clone()).unwrap();
    assert!(providers.take_webhooks());
    Served {
        providers,
        clock,
        _folder: folder,
    }
}

impl Served {
    async fn post(&self, path: &str, headers: &[(&str, String)], body: impl Into<Body>) -> u16 {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(body.into()).unwrap();
        let response: Response = router(&self.providers).oneshot(request).await.unwrap();
        response.status().as_u16()
    }

    async fn signed(&self, at: i64, body: &str) -> u16 {
        let at = at.to_string();
        let signature = hmac_sha256(&[&at, ".", body]);
        let headers = [("x-timestamp", at), ("x-signature", signature)];
        self.post("/sms/signed", &headers, body.to_owned()).await
    }

    async fn twilio(&self, fields: &[(&str, &str)], url: &str) -> u16 {
        let mut sorted = fields.to_vec();
        sorted.sort_unstable();
        let mut mac = Hmac::<Sha1>::new_from_slice(TOKEN.as_bytes()).unwrap();
        mac.update(url.as_bytes());
        for (name, value) in sorted {
            mac.update(name.as_bytes());
            mac.update(value.as_bytes());
        }
        let signature = BASE64.encode(&mac.finalize().into_bytes());
        let body: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let headers = [("x-twilio-signature", signature)];
        self.post("/sms/twilio?v=1", &headers, body).await
    }

    async fn reported(&self, provider: &str, name: &str, state: MessageState) {
        let report = timeout(Duration::from_secs(5), self.providers.report()).await;
        let expected = Report {
            provider: provider.parse().unwrap(),
            about: ReportedMessage::ByCarrier(name.to_owned()),
            state,
        };
        assert_eq!(report.unwrap(), expected);
    }

    async fn nothing_reported(&self) {
        let report = timeout(Duration::from_millis(1), self.providers.report()).await;
        assert!(report.is_err(), "{report:?}");
    }
}

fn hmac_sha256(parts: &[&str]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(TOKEN.as_bytes()).unwrap();
    for part in parts {
        mac.update(part.as_bytes());
    }
    HEXLOWER.encode(&mac.finalize().into_bytes())
}

fn status(id: &str, status: &str) -> String {
    format!("{{\"message\":{{\"id\":\"{id}\",\"status\":\"{status}\"}}}}")
}

#[tokio::test]
async fn a_genuine_report_is_handed_on_once() {
    let served = served();
    assert_eq!(served.signed(NOW, &status("m-1", "ACCEPTD")).await, 204);
    served.reported("signed", "m-1", MessageState::Sent).await;
    assert_eq!(served.signed(NOW, &status("m-1", "DELIVRD")).await, 204);
    served
        .reported("signed", "m-1", MessageState::Delivered)
        .await;
    assert_eq!(served.signed(NOW, &status("m-2", "UNDELIV")).await, 204);
    served.reported("signed", "m-2", MessageState::Failed).await;
    // A state that says nothing here is no reason to have it sent again.
    assert_eq!(served.signed(NOW, &status("m-3", "BUFFERD")).await, 204);
    served.nothing_reported().await;

    assert_eq!(served.signed(NOW, &status("m-1", "DELIVRD")).await, 409);
    served.clock.advance(300);
    assert_eq!(served.signed(NOW, &status("m-1", "DELIVRD")).await, 409);
    served.nothing_reported().await;
}

#[tokio::test]
async fn a_late_report_is_refused_however_right_its_signature() {
    let served = served();
    for at in [NOW - 301, NOW + 301, 0] {
        assert_eq!(served.signed(at, &status("m-1", "DELIVRD")).await, 403);
    }
    served.nothing_reported().await;
    assert_eq!(
        served.signed(NOW - 300, &status("m-1", "DELIVRD")).await,
        204
    );
}

#[tokio::test]
async fn a_forged_report_is_refused() {
    let served = served();
    let body = status("m-1", "DELIVRD");
    let at = NOW.to_string();
    let right = hmac_sha256(&[&at, ".", &body]);
    let of_another = hmac_sha256(&[&at, ".", &status("m-2", "DELIVRD")]);
    let of_another_time = hmac_sha256(&["1799999999", ".", &body]);
    for signature in [
        of_another,
        of_another_time,
        right[1..].to_owned(),
        String::new(),
    ] {
        let headers = [("x-timestamp", at.clone()), ("x-signature", signature)];
        assert_eq!(
            served.post("/sms/signed", &headers, body.clone()).await,
            403
        );
    }
    let headers = [("x-timestamp", at.clone())];
    assert_eq!(
        served.post("/sms/signed", &headers, body.clone()).await,
        403
    );
    let headers = [("x-signature", right)];
    assert_eq!(
        served.post("/sms/signed", &headers, body.clone()).await,
        403
    );
    assert_eq!(served.post("/sms/signed", &[], body).await, 403);
    served.nothing_reported().await;
}

#[tokio::test]
async fn what_does_not_say_what_it_should_is_malformed() {
    let served = served();
    for body in [
        "",
        "[]",
        "no json",
        "{\"message\":{\"id\":\"m-1\"}}",
        "{\"message\":{\"status\":\"DELIVRD\"}}",
        "{\"message\":{\"id\":\"\",\"status\":\"DELIVRD\"}}",
        "{\"message\":{\"id\":{},\"status\":\"DELIVRD\"}}",
        "{\"message\":{\"id\":\"m\\u0000\",\"status\":\"DELIVRD\"}}",
    ] {
        assert_eq!(served.signed(NOW, body).await, 400, "{body}");
    }
    served.nothing_reported().await;
}

#[tokio::test]
async fn requests_are_counted_and_no_name_is_a_label_that_is_none_of_ours() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    // Of this thread, which all of this runs on.
    let _counting = metrics::set_default_local_recorder(&recorder);
    let served = served();
    served.signed(NOW, &status("m-1", "DELIVRD")).await;
    served.signed(NOW, &status("m-1", "DELIVRD")).await;
    served.signed(0, &status("m-1", "DELIVRD")).await;
    served.post("/sms/signed", &[], "").await;
    served.post("/sms/nobody", &[], "").await;
    let page = recorder.handle().render();
    for (provider, outcome) in [
        ("signed", "reported"),
        ("signed", "replayed"),
        ("signed", "late"),
        ("signed", "forged"),
        ("", "unknown"),
    ] {
        let labels = format!("provider=\"{provider}\",outcome=\"{outcome}\"");
        let line = format!("countersign_sms_webhooks_total{{{labels}}} 1");
        assert!(page.lines().any(|found| found == line), "{line}:\n{page}");
    }
    assert!(!page.contains("nobody"), "{page}");
}

#[tokio::test]
async fn only_providers_with_a_webhook_have_one() {
    let served = served();
    for path in [
        "/sms/nobody",
        "/sms/silent",
        "/sms/",
        "/sms",
        "/sms/signed/more",
    ] {
        assert_eq!(served.post(path, &[], "").await, 404, "{path}");
    }
    let request = Request::get("/sms/signed").body(Body::empty()).unwrap();
    let response: Response = router(&served.providers).oneshot(request).await.unwrap();
    assert_eq!(response.status().as_u16(), 405);
}

#[tokio::test]
async fn a_report_that_is_too_long_is_not_read() {
    let served = served();
    let mut long = status("7", "DELIVRD");
    long.push_str(&" ".repeat(MAX_BODY - long.len()));
    assert_eq!(served.signed(NOW, &long).await, 204);
    let longer = format!("{long} ");
    assert_eq!(served.signed(NOW, &longer).await, 413);
    // The length that is announced is not what is gone by.
    let headers = [(CONTENT_LENGTH.as_str(), "5".to_owned())];
    assert_eq!(served.post("/sms/signed", &headers, longer).await, 413);
}

#[tokio::test]
async fn a_report_that_finds_no_room_may_come_again() {
    let served = served();
    let mut taken = 0;
    let full = loop {
        let body = status(&format!("m-{taken}"), "DELIVRD");
        match served.signed(NOW, &body).await {
            204 => taken += 1,
            503 => break body,
            other => panic!("{other}"),
        }
    };
    assert_eq!(served.signed(NOW, &full).await, 503);
    served
        .reported("signed", "m-0", MessageState::Delivered)
        .await;
    assert_eq!(served.signed(NOW, &full).await, 204);
}

#[tokio::test]
async fn twilios_status_callbacks_are_taken() {
    let served = served();
    for (told, state) in [
        ("queued", MessageState::Sent),
        ("sending", MessageState::Sent),
        ("sent", MessageState::Sent),
        ("delivered", MessageState::Delivered),
        ("undelivered", MessageState::Failed),
        ("failed", MessageState::Failed),
    ] {
        let sid = "SM00112233445566778899aabbccddeeff";
        let fields = [
            ("SmsSid", sid),
            ("SmsStatus", told),
            ("MessageStatus", told),
            ("To", "+79123456789"),
            ("MessageSid", sid),
            ("AccountSid", "AC0123456789abcdef0123456789abcdef"),
            ("From", "+15005550006"),
            ("ApiVersion", "2010-04-01"),
        ];
        assert_eq!(served.twilio(&fields, URL).await, 204);
        served.reported("twilio", sid, state).await;
        assert_eq!(served.twilio(&fields, URL).await, 409);
        // Signed for another address, such as the one behind the proxy.
        let inner = "http://10.0.0.1/sms/twilio?v=1";
        assert_eq!(served.twilio(&fields, inner).await, 403);
    }
    assert_eq!(served.twilio(&[("MessageSid", "SM1")], URL).await, 400);
    let accepted = [("MessageSid", "SM1"), ("MessageStatus", "accepted")];
    assert_eq!(served.twilio(&accepted, URL).await, 204);
    served.nothing_reported().await;
}

#[tokio::test]
async fn smscs_reports_are_taken() {
    let served = served();
    let post = async |id: &str, status: &str, secret: &str| {
        let signed = format!("{id}:79123456789:{status}:{secret}");
        let sha1 = HEXLOWER.encode(&Sha1::digest(signed));
        let body = format!("id={id}&phone=79123456789&status={status}&time=1&sha1={sha1}");
        served.post("/sms/smsc", &[], body).await
    };
    for (status, state) in [
        ("-1", MessageState::Sent),
        ("0", MessageState::Sent),
        ("1", MessageState::Delivered),
        ("2", MessageState::Delivered),
        ("3", MessageState::Failed),
        ("20", MessageState::Failed),
        ("25", MessageState::Failed),
    ] {
        let id = "01010101-0101-0101-0101-010101010101";
        assert_eq!(post(id, status, TOKEN).await, 204);
        served.reported("smsc", id, state).await;
        assert_eq!(post(id, status, TOKEN).await, 409);
        assert_eq!(post(id, status, "guess").await, 403);
    }
    // Of a field that comes twice, the signed one is not the one that is read.
    let sha1 = HEXLOWER.encode(&Sha1::digest(format!("7:79123456789:1:{TOKEN}")));
    let signed = format!("id=7&phone=79123456789&status=1&sha1={sha1}");
    for other in ["id=8", "status=20"] {
        for body in [format!("{signed}&{other}"), format!("{other}&{signed}")] {
            let answer = served.post("/sms/smsc", &[], body).await;
            assert!(matches!(answer, 400 | 403), "{answer}");
        }
    }
    served.nothing_reported().await;
}
