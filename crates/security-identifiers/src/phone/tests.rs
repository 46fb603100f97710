//! Numbers in the registry: begun, enabled, stored, counted.

use std::time::Duration;

use countersign_primitives::MessageId;
use countersign_sms_codes::Countries;
use rand::{SeedableRng, rngs::StdRng};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn id(number: u8) -> IdentifierId {
    IdentifierId::from_bytes([number; 16])
}

fn number(last: u8) -> PhoneNumber {
    PhoneNumber::parse(&format!("+791234567{last:02}"), &Countries::All).unwrap()
}

fn new(last: u8) -> NewPhone {
    NewPhone {
        label: None,
        number: number(last),
        locale: "ru".to_owned(),
        word: None,
    }
}

fn challenge(identifier: IdentifierId) -> Challenge {
    let mut rng = StdRng::seed_from_u64(7);
    let message = MessageId::random(&mut rng);
    let life = Duration::from_secs(300);
    Challenge::generate(identifier, message, life, NOW.plus(life), NOW, &mut rng)
}

fn begun(registry: &mut Registry, n: u8) -> Result<IdentifierId, RegistryError> {
    registry.begin_sms(id(n), new(n), &Limits::default(), NOW)
}

fn enrolled(registry: &mut Registry, n: u8) {
    let limits = Limits::default();
    let id = begun(registry, n).unwrap();
    registry
        .enable_sms(id, PurposeSet::NONE, &limits, NOW)
        .unwrap();
}

#[test]
fn a_number_that_is_begun_again_goes_on_with_what_was_sent() {
    let mut registry = Registry::default();
    let rules = SendRules::default();
    begun(&mut registry, 1).unwrap();
    registry
        .note_enrolment_message(id(1), challenge(id(1)), &rules, NOW)
        .unwrap();
    let again = registry
        .begin_sms(id(9), new(1), &Limits::default(), NOW)
        .unwrap();
    assert_eq!(again, id(1));
    let phone = registry.identifier(id(1)).unwrap().phone().unwrap();
    assert_eq!(phone.enrolment_sends, 1);
    assert!(phone.enrolment.is_some() && NOW < phone.run.next_at(&rules, NOW));
}

#[test]
fn another_number_is_another_identifier_beside_the_old_one() {
    let mut registry = Registry::default();
    enrolled(&mut registry, 1);
    enrolled(&mut registry, 2);
    let numbers: Vec<_> = registry.numbers().cloned().collect();
    assert_eq!(numbers, [number(1), number(2)]);
    assert_eq!(
        begun(&mut registry, 3),
        Err(RegistryError::TooManyIdentifiers)
    );
}

#[test]
fn a_number_is_enrolled_once() {
    let mut registry = Registry::default();
    enrolled(&mut registry, 1);
    assert_eq!(begun(&mut registry, 1), Err(RegistryError::NumberEnrolled));
}

#[test]
fn a_number_that_is_being_enrolled_is_not_used_yet() {
    let mut registry = Registry::default();
    begun(&mut registry, 1).unwrap();
    assert_eq!(registry.numbers().count(), 0);
}

#[test]
fn a_phone_is_the_same_after_it_was_stored() {
    let mut registry = Registry::default();
    let rules = SendRules::default();
    enrolled(&mut registry, 1);
    registry.note_message(id(1), &rules, NOW).unwrap();
    begun(&mut registry, 2).unwrap();
    registry
        .note_enrolment_message(id(2), challenge(id(2)), &rules, NOW)
        .unwrap();
    let encoded = registry.encode();
    let stored = Registry::decode(&encoded.secrets, &encoded.counters).unwrap();
    assert_eq!(format!("{stored:?}"), format!("{registry:?}"));
    // The number, and what a code is made from, are in the sealed part alone.
    let counters = String::from_utf8_lossy(&encoded.counters).into_owned();
    assert!(!counters.contains("7912"));
}

#[test]
fn an_accepted_code_ends_the_run_of_its_own_purpose_only() {
    let mut registry = Registry::default();
    enrolled(&mut registry, 1);
    let throttle = countersign_primitives::ThrottleRules::default();
    let whose = crate::AuthenticatorRef::Identifier(id(1));
    for purpose in [Purpose::Login, Purpose::Withdrawal] {
        registry
            .count_failure(whose, purpose, &throttle, NOW)
            .unwrap();
    }
    registry.count_sms_success(id(1), Purpose::Login).unwrap();
    let identifier = registry.identifier(id(1)).unwrap();
    assert_eq!(identifier.failures(Purpose::Login), 0);
    assert_eq!(identifier.failures(Purpose::Withdrawal), 1);
}

#[test]
fn the_word_of_a_phone_is_not_shown() {
    let new = NewPhone {
        word: Some("heron".to_owned()),
        ..new(1)
    };
    let mut registry = Registry::default();
    assert!(!format!("{new:?}").contains("heron"));
    registry
        .begin_sms(id(1), new, &Limits::default(), NOW)
        .unwrap();
    assert!(!format!("{registry:?}").contains("heron"));
}
