//! PDUs byte for byte, and bytes that are none.

use proptest::prelude::*;
use rusmpp::{pdus::DeliverSm, tlvs::MessageDeliveryRequestTlvValue, values::MessageState};
use serde_json::json;

use super::*;
use crate::smpp::{
    settings::{DefaultAlphabet, Long, NumberType},
    text::bodies,
};

fn address(ton: u8, npi: u8, text: &str) -> Address {
    Address {
        kind: NumberType { ton, npi },
        text: text.to_owned(),
    }
}

/// The PDUs of a text, as hexadecimal digits.
fn submits(text: &str, long: Long) -> Vec<String> {
    let bodies = bodies(text, 0xAB, long, DefaultAlphabet::Gsm7).unwrap();
    let (source, destination) = (address(5, 0, "Shop"), address(1, 1, "79123456789"));
    let submit = |body| submit(7, &source, &destination, body, "000000000500000R").unwrap();
    bodies.iter().map(|body| hex(&submit(body))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What stands before the text in each PDU: header, service type, source and destination.
const BEFORE: &str = "00000004\
    00000000\
    00000007\
    00\
    050053686f7000\
    0101373931323334353637383900";
/// The validity: 5 minutes.
const VALIDITY: &str = "3030303030303030303530303030305200";

#[test]
fn a_bind_says_version_3_4() {
    let settings = json!({
        "host": "localhost", "system_id": "id", "system_type": "t",
        "source": "Shop",
    });
    let settings: SmppSettings = serde_json::from_value(settings).unwrap();
    assert_eq!(
        hex(&bind(1, &settings, &SecretString::from("pw")).unwrap()),
        "00000009\
         00000000\
         00000001\
         696400707700740034000000"
    );
}

#[test]
fn a_short_text_is_one_pdu() {
    let esm_class = "000000";
    let pdu = format!("{BEFORE}{esm_class}00{VALIDITY}0100000003480069");
    assert_eq!(submits("H@i", Long::Udh), [pdu]);
}

#[test]
fn what_gsm_cannot_write_is_big_endian_ucs_2() {
    let pdu = format!("{BEFORE}00000000{VALIDITY}0100080004041a043e");
    assert_eq!(submits("Ко", Long::Udh), [pdu]);
}

#[test]
fn a_long_text_is_parts_with_headers() {
    let pdus = submits(&"a".repeat(154), Long::Udh);
    assert_eq!(
        pdus,
        [format!(
            "{BEFORE}00000000{VALIDITY}010000009a{}",
            "61".repeat(154)
        )]
    );
    let pdus = submits(&"a".repeat(161), Long::Udh);
    let part = |header: &str, length: &str, count| {
        format!(
            "{BEFORE}40000000{VALIDITY}010000{length}{header}{}",
            "61".repeat(count)
        )
    };
    let expected = [
        part("050003ab0201", "009f", 153),
        part("050003ab0202", "000e", 8),
    ];
    assert_eq!(pdus, expected);
}

#[test]
fn a_long_text_is_one_payload_where_the_carrier_cuts() {
    let pdus = submits(&"a".repeat(161), Long::Payload);
    let payload = format!("042400a1{}", "61".repeat(161));
    assert_eq!(
        pdus,
        [format!("{BEFORE}00000000{VALIDITY}0100000000{payload}")]
    );
    let short = submits("H@i", Long::Payload);
    assert_eq!(short, submits("H@i", Long::Udh));
}

#[test]
fn answers_are_as_short_as_they_can_be() {
    assert_eq!(hex(&delivery_answer(5, 0x64)), "80000005000000640000000500");
    assert_eq!(hex(&enquiry_answer(6)), "800000150000000000000006");
    assert_eq!(hex(&not_understood(7)), "800000000000000300000007");
}

#[test]
fn a_value_that_has_no_place_is_refused() {
    let source = address(5, 0, &"9".repeat(21));
    let bodies = bodies("a", 0, Long::Udh, DefaultAlphabet::Gsm7).unwrap();
    let pdu = submit(1, &source, &source, &bodies[0], "");
    assert_eq!(pdu, Err(Unfit));
}

#[test]
fn answers_of_a_carrier_are_read() {
    let read = |command: u32, status: u32, body: &[u8]| {
        let head = [command, status, 9].map(u32::to_be_bytes).concat();
        let incoming = read(&[&head[..], body].concat()).unwrap();
        assert_eq!(incoming.sequence, 9);
        incoming.what
    };
    let id = Some("4f2A".to_owned());
    for body in [&b"4f2A\0"[..], b"4f2A", b" 4f2A\0\x04\x1e\0\0"] {
        assert_eq!(
            read(0x8000_0004, 0, body),
            What::SubmitAnswer(Ok(id.clone()))
        );
    }
    assert_eq!(read(0x8000_0004, 0, b""), What::SubmitAnswer(Ok(None)));
    assert_eq!(
        read(0x8000_0004, 0, b"\xFF\0"),
        What::SubmitAnswer(Ok(None))
    );
    assert_eq!(read(0x8000_0004, 0x58, b""), What::SubmitAnswer(Err(0x58)));
    assert_eq!(read(0x8000_0000, 3, b""), What::SubmitAnswer(Err(3)));
    assert_eq!(read(0x8000_0009, 0x0E, b"id\0"), What::BindAnswer(0x0E));
    assert_eq!(read(0x0000_0015, 0, b""), What::Enquiry);
    assert_eq!(read(0x0000_0006, 0, b""), What::Unbind);
    assert_eq!(read(0x0000_0005, 0, b"junk"), What::Delivery(None));
    assert_eq!(read(0x0000_0102, 0, b""), What::Unknown);
    assert_eq!(read(0x8000_0102, 0, b""), What::UnknownAnswer);
}

#[test]
fn a_parameter_that_is_cut_off_does_not_hide_those_before_it() {
    let body = b"\0\x01\x01a\0\x05\0b\0\x04\0\0\0\0\0\0\0\0\0\
        \x00\x1e\0\x02id\x04\x27\0\x01\x02\x14\x03\0\x09x";
    let delivery = delivery(body).unwrap();
    assert_eq!(delivery.esm_class, 4);
    assert_eq!(delivery.receipted_message_id.as_deref(), Some("id"));
    assert_eq!(delivery.message_state, Some(2));
}

#[test]
fn a_receipt_does_not_show_what_was_sent() {
    let shown = Delivery {
        text: b"text:Your code: 123456".to_vec(),
        ..Delivery::default()
    };
    let shown = format!("{shown:?}");
    assert!(
        !shown.contains("123") && !shown.contains("49, 50"),
        "{shown}"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        command in prop::sample::select(vec![5, 0x8000_0004_u32, 0x8000_0009]),
    ) {
        read(&bytes);
        let head = [command, 0, 1].map(u32::to_be_bytes).concat();
        prop_assert!(read(&[&head[..], &bytes].concat()).is_some());
    }

    #[test]
    fn a_receipt_is_read_as_it_was_written(
        esm_class: u8,
        message in prop::collection::vec(any::<u8>(), 0..255),
        id in "[0-9a-zA-Z-]{1,64}",
        state in 0..9_u8,
    ) {
        let mut written = DeliverSm::builder()
            .source_addr(text("79123456789").unwrap())
            .destination_addr(text("Shop").unwrap())
            .esm_class(EsmClass::from(esm_class))
            .short_message(OctetString::from_slice(&message).unwrap())
            .build();
        let name = text(&id).unwrap();
        written.push_tlv(MessageDeliveryRequestTlvValue::MessageState(MessageState::from(state)));
        written.push_tlv(MessageDeliveryRequestTlvValue::ReceiptedMessageId(name));
        let incoming = read(&write(0, 3, written)).unwrap();
        let expected = Delivery {
            esm_class,
            text: message,
            receipted_message_id: Some(id),
            message_state: Some(state),
        };
        prop_assert_eq!(incoming.what, What::Delivery(Some(expected)));
    }
}
