//! What became of the parts of long messages.

use super::*;

const VALIDITY: Duration = Duration::from_secs(300);

fn id(number: u32) -> MessageId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    MessageId::from_bytes(bytes)
}

fn named(name: &str) -> Option<String> {
    Some(name.to_owned())
}

/// A message of two parts that the carrier took, and calls `a` and `b`.
fn two_parts() -> Parts {
    let mut parts = Parts::default();
    parts.begin(id(1), 2, Instant::now(), VALIDITY);
    assert_eq!(parts.taken(id(1), 0, named("a")), Answered::Partly);
    assert_eq!(
        parts.taken(id(1), 1, named("b")),
        Answered::Taken(named("a"))
    );
    parts
}

#[test]
fn all_parts_must_arrive() {
    let mut parts = two_parts();
    assert_eq!(
        parts.receipt("b", Fate::Delivered),
        Some((named("a"), Fate::Open))
    );
    assert_eq!(
        parts.receipt("b", Fate::Delivered),
        Some((named("a"), Fate::Open))
    );
    assert_eq!(
        parts.receipt("a", Fate::Open),
        Some((named("a"), Fate::Open))
    );
    let delivered = Some((named("a"), Fate::Delivered));
    assert_eq!(parts.receipt("a", Fate::Delivered), delivered);
    // The carrier may say it again, where we could not take it.
    assert_eq!(parts.receipt("a", Fate::Delivered), delivered);
}

#[test]
fn one_part_that_fails_is_enough() {
    let mut parts = two_parts();
    assert_eq!(
        parts.receipt("b", Fate::Failed),
        Some((named("a"), Fate::Failed))
    );
    assert_eq!(
        parts.receipt("a", Fate::Delivered),
        Some((named("a"), Fate::Failed))
    );
}

#[test]
fn a_message_of_one_part_is_not_known_here() {
    assert_eq!(two_parts().receipt("c", Fate::Delivered), None);
    assert_eq!(two_parts().taken(id(2), 0, named("c")), Answered::Partly);
}

#[test]
fn a_message_that_is_given_again_begins_anew() {
    let mut parts = two_parts();
    parts.receipt("b", Fate::Failed);
    parts.begin(id(1), 2, Instant::now(), VALIDITY);
    assert_eq!(parts.receipt("a", Fate::Delivered), None);
    parts.taken(id(1), 1, named("d"));
    assert_eq!(
        parts.receipt("d", Fate::Delivered),
        Some((None, Fate::Open))
    );
    assert_eq!(
        parts.taken(id(1), 0, named("c")),
        Answered::Taken(named("c"))
    );
    assert_eq!(
        parts.receipt("c", Fate::Delivered),
        Some((named("c"), Fate::Delivered))
    );
}

#[test]
fn messages_are_forgotten_when_no_receipt_can_come() {
    let mut parts = two_parts();
    let later = Instant::now() + VALIDITY + GRACE + Duration::from_secs(1);
    parts.begin(id(2), 2, later, VALIDITY);
    assert_eq!(parts.receipt("a", Fate::Delivered), None);
    assert_eq!(
        (parts.messages.len(), parts.line.len(), parts.by_id.len()),
        (1, 1, 0)
    );
}

#[test]
fn no_more_than_so_many_are_remembered() {
    let mut parts = two_parts();
    let now = Instant::now();
    for number in 2..=u32::try_from(MOST).unwrap() + 1 {
        parts.begin(id(number), 2, now, VALIDITY);
    }
    assert_eq!(parts.receipt("a", Fate::Delivered), None);
    assert_eq!((parts.messages.len(), parts.line.len()), (MOST, MOST));
}
