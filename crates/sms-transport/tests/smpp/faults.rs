//! What a submission is told when the carrier fails.

use countersign_mfa::ports::sms::{MessageState, Report, ReportedMessage, Submission};
use serde_json::json;

use crate::carrier::{Carrier, is_set_up, message, next, provider};

const SHORT: &str = "Your code: 123456";
/// Of two parts.
fn long() -> String {
    "Code: 123456. ".repeat(16)
}

fn cut() -> Submission {
    Submission::Cut("the connection was cut".to_owned())
}

#[tokio::test]
async fn nothing_is_accepted_before_the_bind() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    carrier.tell(json!({ "binds": false })).await;
    let (smpp, _reports) = carrier.open_unbound(json!({}));
    let unreachable = Submission::Unreachable("not bound".to_owned());
    assert_eq!(smpp.submit(&message(1, SHORT)).await, unreachable);
    carrier.tell(json!({ "binds": true })).await;
    carrier.bound(&smpp, 1).await;
    let submission = smpp.submit(&message(1, SHORT)).await;
    assert!(matches!(submission, Submission::Accepted { .. }));
}

#[tokio::test]
async fn a_wrong_password_binds_nothing_and_is_not_tried_in_a_tight_loop() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let (smpp, _reports) = carrier.open_unbound(json!({ "password": "wrong" }));
    let binds = carrier.wait("bind", 1).await;
    assert_eq!(binds[0]["accepted"], false);
    // By then a pause as after a lost connection would have ended.
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    assert_eq!(carrier.all("bind").len(), 1);
    let submission = smpp.submit(&message(1, SHORT)).await;
    assert_eq!(submission, Submission::Unreachable("not bound".to_owned()));
}

#[tokio::test]
async fn each_status_is_what_the_table_says() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let (smpp, _reports) = carrier.open(json!({})).await;
    let reason = |status: u32| format!("0x{status:08X}");
    for (status, expected) in [
        (0x0B, Submission::BadNumber(reason(0x0B))),
        (0x0A, Submission::Refused(reason(0x0A))),
        (0x45, Submission::Refused(reason(0x45))),
        (0x61, Submission::Refused(reason(0x61))),
        (0x0401, Submission::Refused(reason(0x0401))),
        (0x58, Submission::Throttled(reason(0x58))),
        (0x14, Submission::Throttled(reason(0x14))),
    ] {
        let answer = json!({ "answer": "status", "status": status, "times": 1 });
        carrier.tell(answer).await;
        assert_eq!(smpp.submit(&message(1, SHORT)).await, expected);
    }
}

#[tokio::test]
async fn a_session_that_the_carrier_takes_for_unbound_is_made_anew() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let (smpp, _reports) = carrier.open(json!({})).await;
    carrier
        .tell(json!({ "answer": "status", "status": 4, "times": 1 }))
        .await;
    let submission = smpp.submit(&message(1, SHORT)).await;
    assert_eq!(submission, Submission::Unreachable("0x00000004".to_owned()));
    carrier.bound(&smpp, 2).await;
}

#[tokio::test]
async fn an_answer_that_is_late_is_reported() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let (smpp, mut reports) = carrier.open(json!({ "response_timeout_seconds": 1 })).await;
    for (text, status, state) in [
        (SHORT.to_owned(), 0, MessageState::Sent),
        (SHORT.to_owned(), 0x45, MessageState::Failed),
        (long(), 0, MessageState::Sent),
    ] {
        let submits = carrier.all("submit").len();
        let late = json!({ "answer": "late", "delay_ms": 2000, "status": status });
        carrier.tell(late).await;
        let sent = message(status, &text);
        assert_eq!(smpp.submit(&sent).await, Submission::TimedOut);
        let first = carrier.wait("submit", submits + 1).await[submits]["id"].clone();
        let id = first.as_str().map(ToOwned::to_owned);
        let expected = Report {
            provider: provider(),
            about: ReportedMessage::Ours(sent.id, id),
            state,
        };
        assert_eq!(next(&mut reports).await, expected);
        assert!(reports.try_recv().is_err());
    }
    assert_eq!(carrier.wait("submit", 4).await.len(), 4);
    assert_eq!(carrier.accepted_binds(), 1);
}

#[tokio::test]
async fn a_carrier_that_never_answers_is_bound_anew() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let settings = json!({ "response_timeout_seconds": 1, "window": 2 });
    let (smpp, mut reports) = carrier.open(settings).await;
    carrier.tell(json!({ "answer": "never", "times": 2 })).await;
    for id in 1..=2 {
        let submission = smpp.submit(&message(id, SHORT)).await;
        assert_eq!(submission, Submission::TimedOut);
    }
    let submission = smpp.submit(&message(3, SHORT)).await;
    let no_room = Submission::Throttled("no room in the window".to_owned());
    assert_eq!(submission, no_room);
    carrier.bound(&smpp, 2).await;
    let submission = smpp.submit(&message(3, SHORT)).await;
    assert!(matches!(submission, Submission::Accepted { .. }));
    assert_eq!(carrier.wait("submit", 3).await.len(), 3);
    assert!(reports.try_recv().is_err());
}

#[tokio::test]
async fn a_cut_connection_is_told_as_such_and_made_anew() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let (smpp, _reports) = carrier.open(json!({})).await;
    carrier.tell(json!({ "answer": "cut", "times": 1 })).await;
    assert_eq!(smpp.submit(&message(1, SHORT)).await, cut());
    carrier.bound(&smpp, 2).await;
    let submission = smpp.submit(&message(1, SHORT)).await;
    assert!(matches!(submission, Submission::Accepted { .. }));
    carrier.tell(json!({ "drop": true })).await;
    carrier.bound(&smpp, 3).await;
    carrier.tell(json!({ "unbind": true })).await;
    carrier.bound(&smpp, 4).await;
    assert_eq!(carrier.all("submit").len(), 2);
}

#[tokio::test]
async fn a_message_of_which_the_carrier_has_a_part_is_cut_where_the_rest_is_refused() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let (smpp, _reports) = carrier.open(json!({})).await;
    let mut submits = 0;
    for (answer, taken, expected) in [
        ("status", 0, Submission::BadNumber("0x0000000B".to_owned())),
        ("status", 1, Submission::Cut("0x0000000B".to_owned())),
        ("cut", 0, cut()),
        ("cut", 1, cut()),
    ] {
        let then = json!({ "answer": answer, "status": 0x0B, "after": taken, "times": 1 });
        carrier.tell(then).await;
        assert_eq!(smpp.submit(&message(1, &long())).await, expected);
        submits += taken + 1;
        let told = carrier.wait("submit", submits).await;
        assert_eq!(told.len(), submits);
        if answer == "cut" {
            carrier.bound(&smpp, taken + 2).await;
        }
    }
}

#[tokio::test]
async fn a_later_part_that_is_throttled_is_given_again_and_the_first_is_not() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let (smpp, _reports) = carrier.open(json!({})).await;
    let then = json!({ "answer": "status", "status": 0x58, "after": 1, "times": 1 });
    carrier.tell(then).await;
    let submission = smpp.submit(&message(1, &long())).await;
    assert!(matches!(submission, Submission::Accepted { .. }));
    assert_eq!(carrier.wait("message", 1).await[0]["text"], long());
    let places: Vec<_> = carrier
        .all("submit")
        .iter()
        .map(|told| told["header"][4].clone())
        .collect();
    assert_eq!(places, [1, 2, 2]);
}

#[tokio::test]
async fn a_carrier_that_does_not_answer_enquire_link_is_left() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let often = json!({ "enquire_link_seconds": 1, "response_timeout_seconds": 1 });
    let (smpp, _reports) = carrier.open(often).await;
    carrier.wait("enquire_link", 2).await;
    assert_eq!(carrier.accepted_binds(), 1);
    carrier.tell(json!({ "enquiries": false })).await;
    carrier.bound(&smpp, 2).await;
}
