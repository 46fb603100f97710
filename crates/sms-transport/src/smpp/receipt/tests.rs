//! Receipts in their text form and in parameters.

use proptest::prelude::*;

use super::*;

fn receipt(text: &[u8]) -> Option<(String, Fate)> {
    let delivery = Delivery {
        esm_class: RECEIPT,
        text: text.to_vec(),
        ..Delivery::default()
    };
    let receipt = Receipt::read(&delivery, MessageIds::Same)?;
    Some((receipt.id, receipt.fate))
}

#[test]
fn receipts_of_many_carriers_are_read() {
    for (text, id, fate) in [
        (
            "id:0123456789 sub:001 dlvrd:001 submit date:2601011200 done date:2601011201 \
             stat:DELIVRD err:000 text:Your code",
            "0123456789",
            Fate::Delivered,
        ),
        ("id:a-1 stat:UNDELIV err:1b", "a-1", Fate::Failed),
        ("ID:77 STAT:expired", "77", Fate::Failed),
        ("stat:REJECTD id:77", "77", Fate::Failed),
        ("id: 77 stat: DELETED", "77", Fate::Failed),
        ("id:77 stat:DELIVERED", "77", Fate::Delivered),
        ("id:77 stat:ENROUTE", "77", Fate::Open),
        ("id:77 stat:ACCEPTD", "77", Fate::Open),
        ("id:77 stat:UNKNOWN", "77", Fate::Open),
        ("sub:001 id:77\tstat:DELIVRD\r\n", "77", Fate::Delivered),
    ] {
        assert_eq!(
            receipt(text.as_bytes()),
            Some((id.to_owned(), fate)),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_receipt_is_none() {
    for text in [
        "",
        "id:",
        "id:77",
        "stat:DELIVRD",
        "stat:DELIVRD text:my id:77",
        "id:77 text:my stat:DELIVRD",
        "hello",
    ] {
        assert_eq!(receipt(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn parameters_go_before_the_text() {
    let mut delivery = Delivery {
        esm_class: 0,
        text: b"id:1 stat:UNDELIV".to_vec(),
        receipted_message_id: Some("2".to_owned()),
        message_state: Some(2),
    };
    let read = |delivery: &Delivery| {
        let receipt = Receipt::read(delivery, MessageIds::Same);
        receipt.map(|receipt| (receipt.id, receipt.fate))
    };
    assert_eq!(read(&delivery), Some(("2".to_owned(), Fate::Delivered)));
    delivery.message_state = None;
    assert_eq!(read(&delivery), Some(("2".to_owned(), Fate::Failed)));
    delivery.receipted_message_id = None;
    assert_eq!(read(&delivery), None);
}

#[test]
fn each_state_has_its_meaning() {
    let fates = (0..=9).map(fate_of_state);
    let (open, failed) = (Fate::Open, Fate::Failed);
    let expected = [
        open,
        open,
        Fate::Delivered,
        failed,
        failed,
        failed,
        open,
        open,
        failed,
        open,
    ];
    assert!(fates.eq(expected));
}

#[test]
fn ids_meet_however_they_are_written() {
    for (ids, answer, receipt) in [
        (MessageIds::Same, "00aB-9", "00aB-9"),
        (MessageIds::HexThenDecimal, "4D2", "1234"),
        (MessageIds::HexThenDecimal, "000004d2", "0000001234"),
        (MessageIds::DecimalThenHex, "1234", "4D2"),
        (MessageIds::DecimalThenHex, "001234", "04d2"),
        (MessageIds::DecimalThenHex, "no-number", "no-number"),
    ] {
        assert_eq!(ids.of_answer(answer), ids.of_receipt(receipt), "{answer}");
    }
    assert_ne!(
        MessageIds::Same.of_answer("4d2"),
        MessageIds::Same.of_receipt("1234")
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in "(id:|stat:|text:|ID|[ a-zA-Zé\u{0}-\u{ff}:]){0,20}",
    ) {
        receipt(&bytes);
        receipt(text.as_bytes());
    }
}
