//! Messages that arrive, and what is reported about them.

use std::{collections::BTreeSet, fs};

use countersign_mfa::ports::sms::{MessageState, Report, ReportedMessage, Submission};
use serde_json::{Value, json};

use crate::carrier::{Carrier, is_set_up, message, next, open, provider};

const ENGLISH: &str =
    "Example: withdrawal of [1 500] € to ~4276. Your code: 123456\n@example.com #123456";
const RUSSIAN: &str = "Вывод 1500,00 USD на карту •4276.\nКод: 123456";
const LONG_ENGLISH: &str = "Example: withdrawal of 1 500.00 USD to the card that ends in 4276. \
    Do not tell the code to anybody, whoever asks for it, not even to our support. \
    Your code: 123456\n@example.com #123456 {not}";
const LONG_RUSSIAN: &str = "Вывод 1500,00 USD на карту, которая кончается на 4276. \
    Никому не сообщайте код, даже сотрудникам поддержки, как бы ни просили 🙅. \
    Код: 123456\n@example.com #123456";

fn accepted(id: &Value) -> Submission {
    let id = id.as_str().unwrap().to_owned();
    Submission::Accepted {
        carrier_id: Some(id),
    }
}

fn report(id: &Value, state: MessageState) -> Report {
    Report {
        provider: provider(),
        about: ReportedMessage::ByCarrier(id.as_str().unwrap().to_owned()),
        state,
    }
}

#[tokio::test]
async fn a_session_is_a_transceiver_of_version_3_4_and_is_unbound_at_its_end() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let (smpp, _reports) = carrier.open(json!({ "system_type": "VMA" })).await;
    let bind = carrier.wait("bind", 1).await.remove(0);
    assert_eq!(bind["interface_version"], 0x34);
    assert_eq!(bind["system_type"], "VMA");
    drop(smpp);
    carrier.wait("unbind", 1).await;
    carrier.wait("closed", 1).await;
    assert!(carrier.all("error").is_empty());
}

#[tokio::test]
async fn a_message_carries_what_a_carrier_needs_to_know() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let (smpp, _reports) = carrier.open(json!({})).await;
    let submission = smpp.submit(&message(1, ENGLISH)).await;
    let submit = carrier.wait("submit", 1).await.remove(0);
    assert_eq!(submission, accepted(&submit["id"]));
    assert_eq!(submit["to"], "79123456789");
    assert_eq!(submit["to_type"], json!([1, 1]));
    assert_eq!(submit["from"], "Example");
    assert_eq!(submit["from_type"], json!([5, 0]));
    assert_eq!(submit["esm_class"], 0);
    assert_eq!(submit["registered_delivery"], 1);
    // The carrier's clock may have gone on by a second.
    let validity = submit["validity_seconds"].as_u64().unwrap();
    assert!((297..=300).contains(&validity), "{validity}");
}

#[tokio::test]
async fn texts_arrive_readable_and_whole() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let mut ends = 0;
    for long in ["udh", "payload"] {
        let (smpp, _reports) = carrier.open(json!({ "long": long })).await;
        for (text, data_coding, parts) in [
            (ENGLISH, 0, 1),
            (RUSSIAN, 8, 1),
            (LONG_ENGLISH, 0, 2),
            (LONG_RUSSIAN, 8, 3),
        ] {
            let before = carrier.all("submit").len();
            let submission = smpp.submit(&message(ends, text)).await;
            ends += 1;
            let arrived = carrier.wait("message", ends as usize).await;
            assert_eq!(arrived[ends as usize - 1]["text"], text);
            let submits = carrier.wait("submit", before + 1).await;
            let submits = &submits[before..];
            assert_eq!(submission, accepted(&submits[0]["id"]));
            let is_cut = parts > 1 && long == "udh";
            assert_eq!(submits.len(), if is_cut { parts } else { 1 });
            for submit in submits {
                assert_eq!(submit["data_coding"], data_coding);
                assert_eq!(submit["esm_class"], if is_cut { 0x40 } else { 0 });
                assert_eq!(submit["is_payload"], parts > 1 && long == "payload");
            }
            println!("{long}, data_coding {data_coding}: {} PDUs", submits.len());
        }
    }
}

#[tokio::test]
async fn the_default_alphabet_may_be_latin_1() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let latin1 = json!({ "default_alphabet": "latin1" });
    let (smpp, _reports) = carrier.open(latin1).await;
    smpp.submit(&message(1, "a_b")).await;
    smpp.submit(&message(2, "€")).await;
    let submits = carrier.wait("submit", 2).await;
    // The carrier of the tests reads the alphabet of GSM, where this byte is another character.
    assert_eq!(submits[0]["text"], "a§b");
    assert_eq!(submits[0]["data_coding"], 0);
    assert_eq!(submits[1]["text"], "€");
    assert_eq!(submits[1]["data_coding"], 8);
}

#[tokio::test]
async fn receipts_are_reported_and_answered() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let (smpp, mut reports) = carrier.open(json!({})).await;
    let mut sent = 0;
    for (stat, state) in [
        ("DELIVRD", Some(MessageState::Delivered)),
        ("UNDELIV", Some(MessageState::Failed)),
        ("EXPIRED", Some(MessageState::Failed)),
        ("ENROUTE", None),
    ] {
        for form in ["text", "tlv"] {
            let receipts = json!({ "receipts": { "stat": stat, "form": form, "delay_ms": 20 } });
            carrier.tell(receipts).await;
            let Submission::Accepted { carrier_id } = smpp.submit(&message(sent, RUSSIAN)).await
            else {
                panic!("not accepted");
            };
            sent += 1;
            let answers = carrier.wait("deliver_answer", sent as usize).await;
            assert_eq!(answers[sent as usize - 1]["status"], 0);
            if let Some(state) = state {
                let expected = report(&json!(carrier_id.unwrap()), state);
                assert_eq!(next(&mut reports).await, expected, "{stat} as {form}");
            }
        }
    }
    assert!(reports.try_recv().is_err());
}

#[tokio::test]
async fn a_message_of_several_parts_is_delivered_when_all_of_them_are() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let (smpp, mut reports) = carrier.open(json!({})).await;
    let receipt = |id: &Value, stat: &str| {
        let text = format!("id:{} stat:{stat}", id.as_str().unwrap());
        json!({ "deliver": { "esm_class": 4, "short_message": text } })
    };
    smpp.submit(&message(1, LONG_RUSSIAN)).await;
    let parts = carrier.wait("submit", 3).await;
    for (answered, part) in [2, 0, 0].into_iter().enumerate() {
        carrier.tell(receipt(&parts[part]["id"], "DELIVRD")).await;
        carrier.wait("deliver_answer", answered + 1).await;
        assert!(reports.try_recv().is_err(), "part {part}");
    }
    carrier.tell(receipt(&parts[1]["id"], "DELIVRD")).await;
    let delivered = report(&parts[0]["id"], MessageState::Delivered);
    assert_eq!(next(&mut reports).await, delivered);

    smpp.submit(&message(2, LONG_RUSSIAN)).await;
    let parts = carrier.wait("submit", 6).await;
    carrier.tell(receipt(&parts[3]["id"], "DELIVRD")).await;
    carrier.tell(receipt(&parts[4]["id"], "EXPIRED")).await;
    let failed = report(&parts[3]["id"], MessageState::Failed);
    assert_eq!(next(&mut reports).await, failed);
}

#[tokio::test]
async fn receipts_that_write_ids_in_another_way_are_understood() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let ids = json!({ "message_ids": "decimal-then-hex" });
    let (smpp, mut reports) = carrier.open(ids).await;
    carrier
        .tell(json!({ "receipts": { "stat": "DELIVRD", "form": "tlv", "ids": "hex" } }))
        .await;
    let submission = smpp.submit(&message(1, ENGLISH)).await;
    let submit = carrier.wait("submit", 1).await.remove(0);
    assert_eq!(submission, accepted(&submit["id"]));
    let delivered = report(&submit["id"], MessageState::Delivered);
    assert_eq!(next(&mut reports).await, delivered);
}

#[tokio::test]
async fn a_receipt_that_cannot_be_handed_over_is_asked_for_again() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let (sender, mut reports) = tokio::sync::mpsc::channel(1);
    let smpp = open(carrier.port, json!({}), sender);
    carrier.bound(&smpp, 1).await;
    let deliver = |id: u32| {
        let text = format!("id:{id} stat:DELIVRD");
        json!({ "deliver": { "esm_class": 4, "short_message": text } })
    };
    for id in [1, 2] {
        carrier.tell(deliver(id)).await;
    }
    let answers = carrier.wait("deliver_answer", 2).await;
    assert_eq!(answers[0]["status"], 0);
    assert_eq!(answers[1]["status"], 0x64);
    next(&mut reports).await;
    carrier.tell(deliver(2)).await;
    assert_eq!(carrier.wait("deliver_answer", 3).await[2]["status"], 0);
    let expected = report(&json!("2"), MessageState::Delivered);
    assert_eq!(next(&mut reports).await, expected);
}

#[tokio::test]
async fn what_is_no_receipt_is_answered_and_not_reported() {
    if !is_set_up() {
        return;
    }
    let carrier = Carrier::start().await;
    let (_smpp, mut reports) = carrier.open(json!({})).await;
    for fields in [
        json!({ "esm_class": 0, "short_message": "id:1 stat:DELIVRD" }),
        json!({ "esm_class": 4, "short_message": "nothing of use" }),
        json!({ "esm_class": 0x20, "short_message": "id:1 stat:DELIVRD" }),
    ] {
        carrier.tell(json!({ "deliver": fields })).await;
    }
    let answers = carrier.wait("deliver_answer", 3).await;
    let statuses: BTreeSet<_> = answers
        .iter()
        .map(|answer| answer["status"].as_u64())
        .collect();
    assert_eq!(statuses, BTreeSet::from([Some(0)]));
    assert!(reports.try_recv().is_err());
}

#[tokio::test]
async fn tls_is_spoken_with_a_carrier_that_the_authority_vouches_for() {
    if !is_set_up() {
        return;
    }
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let names = ["smsc.example.com".to_owned()];
    let made = rcgen::generate_simple_self_signed(names.clone()).unwrap();
    let other = rcgen::generate_simple_self_signed(names).unwrap();
    fs::write(path("cert.pem"), made.cert.pem()).unwrap();
    fs::write(path("other.pem"), other.cert.pem()).unwrap();
    fs::write(path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let options = json!({ "key": path("key.pem"), "cert": path("cert.pem") });
    let carrier = Carrier::start_with(options).await;

    let tls = |ca: &str, name: &str| json!({ "tls": { "ca": path(ca), "server_name": name } });
    let (smpp, _reports) = carrier.open(tls("cert.pem", "smsc.example.com")).await;
    smpp.submit(&message(1, RUSSIAN)).await;
    assert_eq!(carrier.wait("message", 1).await[0]["text"], RUSSIAN);
    drop(smpp);

    for (ca, name) in [
        ("other.pem", "smsc.example.com"),
        ("cert.pem", "elsewhere.example.com"),
    ] {
        let errors = carrier.all("error").len();
        let (smpp, _reports) = carrier.open_unbound(tls(ca, name));
        carrier.wait("error", errors + 1).await;
        assert!(!smpp.is_bound());
        let submission = smpp.submit(&message(2, RUSSIAN)).await;
        assert_eq!(submission, Submission::Unreachable("not bound".to_owned()));
    }
    assert_eq!(carrier.accepted_binds(), 1);
}
