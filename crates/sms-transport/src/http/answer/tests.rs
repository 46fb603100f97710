//! What an answer of a provider says about a message.

use serde_json::json;

use super::*;

fn meaning(toml: &str) -> Checked<Meaning> {
    let table = format!("kind = 'http'\nurl = 'https://sms.example.com/'\n{toml}");
    let settings: crate::settings::ProviderSettings = toml::from_str(&table).unwrap();
    let crate::settings::KindSettings::Http(http) = settings.kind else {
        unreachable!("the table says so")
    };
    Meaning::new(&http, &Place::provider("alpha"))
}

fn answer(status: u16, body: Value) -> Answer {
    Answer {
        status,
        says_when: false,
        body: Some(body),
    }
}

fn nothing(status: u16) -> Answer {
    Answer {
        status,
        says_when: false,
        body: None,
    }
}

fn accepted(name: &str) -> Submission {
    Submission::Accepted {
        carrier_id: Some(name.to_owned()),
    }
}

fn told(reason: &str) -> String {
    reason.to_owned()
}

#[test]
fn a_status_alone_means_no_more_than_it_proves() {
    let plain = meaning("").unwrap();
    let of = |status| plain.of(&nothing(status));
    for status in [200, 201, 202, 204] {
        assert_eq!(of(status), Submission::Accepted { carrier_id: None });
    }
    for status in [301, 302, 307, 400, 401, 403, 404, 409, 422] {
        assert_eq!(of(status), Submission::Refused(format!("http {status}")));
    }
    assert_eq!(of(429), Submission::Throttled(told("http 429")));
    // A server that fails may have passed the message on.
    for status in [500, 502, 503, 504, 599] {
        assert_eq!(of(status), Submission::Cut(format!("http {status}")));
    }
    let away = Answer {
        says_when: true,
        ..nothing(503)
    };
    assert_eq!(plain.of(&away), Submission::Throttled(told("http 503")));
}

#[test]
fn a_conflict_with_a_repetition_tells_nothing() {
    let knows = meaning("idempotency_header = 'Idempotency-Key'").unwrap();
    assert_eq!(knows.of(&nothing(409)), Submission::Cut(told("http 409")));
}

#[test]
fn the_name_of_a_message_is_where_the_settings_say() {
    let nested = meaning("message_id = '/messages/0/id'").unwrap();
    let body = json!({ "messages": [{ "id": "abc-1" }] });
    assert_eq!(nested.of(&answer(200, body)), accepted("abc-1"));
    let body = json!({ "messages": [{ "id": 90_071_992_547_409_931_u64 }] });
    assert_eq!(nested.of(&answer(200, body)), accepted("90071992547409931"));
}

#[test]
fn a_success_without_the_name_proves_nothing() {
    let named = meaning("message_id = '/id'").unwrap();
    let unclear = Submission::Cut(told("http 200 without the message's id"));
    assert_eq!(named.of(&nothing(200)), unclear);
    for id in [json!(null), json!(""), json!({}), json!("x".repeat(256))] {
        assert_eq!(named.of(&answer(200, json!({ "id": id }))), unclear);
    }
}

#[test]
fn the_settings_say_what_answers_mean_and_the_worst_counts() {
    let all = "
        error_code = '/code'
        bad_number = [{ at = '/code', is = [7, 'BAD'] }]
        throttled = [{ status = 200, at = '/code', is = [8] }, { status = 599 }]
        unclear = [{ at = '/code', is = [9] }]
        refused = [{ at = '/code' }]
    ";
    let all = meaning(all).unwrap();
    let of = |status, code: Value| all.of(&answer(status, json!({ "code": code })));
    let code = |status, code| format!("http {status}, code {code}");
    assert_eq!(of(200, json!(7)), Submission::BadNumber(code(200, "7")));
    assert_eq!(of(500, json!("7")), Submission::BadNumber(code(500, "7")));
    assert_eq!(
        of(400, json!("BAD")),
        Submission::BadNumber(code(400, "BAD"))
    );
    assert_eq!(of(200, json!(8)), Submission::Throttled(code(200, "8")));
    assert_eq!(of(400, json!(8)), Submission::Refused(code(400, "8")));
    assert_eq!(of(599, json!(1)), Submission::Throttled(code(599, "1")));
    assert_eq!(of(200, json!(9)), Submission::Cut(code(200, "9")));
    assert_eq!(of(200, json!(1)), Submission::Refused(code(200, "1")));
    let fine = Submission::Accepted { carrier_id: None };
    assert_eq!(of(200, json!(null)), fine);
    assert_eq!(all.of(&answer(200, json!({ "id": 1 }))), fine);
}

#[test]
fn what_an_answer_echoes_of_a_message_is_not_told() {
    let coded = meaning("error_code = '/code'").unwrap();
    for code in [
        json!("+79123456789"),
        json!(79_123_456_789_u64),
        json!(123_456),
        json!("123456"),
        json!("Ваш код: 123456"),
        json!("bad number +79123456789"),
        json!(-5),
        json!(1.5),
        json!("x".repeat(41)),
        json!(["79123456789"]),
    ] {
        let outcome = coded.of(&answer(400, json!({ "code": code })));
        assert_eq!(outcome, Submission::Refused(told("http 400")), "{code}");
    }
    let outcome = coded.of(&answer(400, json!({ "code": "INVALID_SENDER" })));
    assert_eq!(
        outcome,
        Submission::Refused(told("http 400, code INVALID_SENDER"))
    );
}

#[test]
fn conditions_that_can_never_be_met_are_refused() {
    let wrong = |toml: &str| meaning(toml).unwrap_err();
    for (toml, expected) in [
        (
            "refused = [{}]",
            "refused must be a list of { status = 429 }",
        ),
        (
            "throttled = [{ status = 99 }]",
            "throttled has a status that is none",
        ),
        (
            "bad_number = [{ is = [7] }]",
            "bad_number says `is`, and not `at` which pointer",
        ),
        (
            "unclear = [{ at = 'code' }]",
            "unclear must be a JSON pointer",
        ),
        (
            "unclear = [{ at = '/code', is = [[1]] }]",
            "unclear may compare with texts",
        ),
        ("message_id = 'id'", "message_id must be a JSON pointer"),
        ("error_code = ''", "error_code must be a JSON pointer"),
    ] {
        let found = wrong(toml);
        let expected = format!("sms.providers.alpha.{expected}");
        assert!(found.starts_with(&expected), "{toml}: {found}");
    }
}
