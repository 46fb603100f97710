//! The inbox of development: the latest, each once.

use countersign_primitives::ExposeSecret as _;

use super::*;
use crate::testing::{MovedClock, message, to};

#[test]
fn the_latest_come_first_and_only_so_many_are_kept() {
    let clock = MovedClock::new();
    let inbox = Inbox::new(clock.clone());
    for number in 0..=KEPT {
        clock.advance(1);
        inbox.put(&message(u8::try_from(number).unwrap()));
    }
    let found = inbox.list(None);
    assert_eq!(found.len(), KEPT);
    assert_eq!(found[0].id, message(u8::try_from(KEPT).unwrap()).id);
    assert_eq!(found[KEPT - 1].id, message(1).id);
    assert!(found.windows(2).all(|pair| pair[0].at > pair[1].at));
}

#[test]
fn the_messages_of_a_number_are_found_by_it() {
    let inbox = Inbox::new(MovedClock::new());
    inbox.put(&message(1));
    inbox.put(&to("+77771234567", 2));
    let found = inbox.list(Some("+77771234567"));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].number.expose_secret(), "+77771234567");
    assert_eq!(found[0].text.expose_secret(), "Ваш код: 123456");
    assert!(inbox.list(Some("+7777123456")).is_empty());
}

#[test]
fn a_message_that_comes_twice_is_there_once() {
    let inbox = Inbox::new(MovedClock::new());
    inbox.put(&message(1));
    inbox.put(&message(2));
    inbox.put(&message(1));
    let ids: Vec<_> = inbox.list(None).iter().map(|found| found.id).collect();
    assert_eq!(ids, [message(1).id, message(2).id]);
}

#[test]
fn nothing_of_a_message_shows_in_debug() {
    let inbox = Inbox::new(MovedClock::new());
    inbox.put(&message(1));
    let shown = format!("{inbox:?} {:?}", inbox.list(None));
    assert!(
        !shown.contains("123456") && !shown.contains("7912"),
        "{shown}"
    );
}
