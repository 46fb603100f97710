//! The built-in table.

use countersign_pin::Pin;
use countersign_primitives::{
    HashCost, HashMemory, IdentifierId, Salt, SecretBytes, ThrottleRules,
};
use countersign_security_identifiers::{AuthenticatorRef, Limits, PurposeSet};
use countersign_totp::{Algorithm, Authenticator, Digits, Step};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const WITHDRAWAL: Case<'_> = Case::Withdrawal { payment_method: "" };

fn id(number: u8) -> IdentifierId {
    IdentifierId::from_bytes([number; 16])
}

fn registry(has_pin: bool, identifiers: &[&[Purpose]]) -> Registry {
    let mut registry = Registry::default();
    if has_pin {
        let cost = HashCost {
            memory_kib: 8,
            passes: 1,
            lanes: 1,
        };
        let hash = HashMemory::default().run(b"850374", &Salt::DUMMY, cost);
        let pin = Pin {
            salt: Salt::DUMMY,
            cost,
            hash: hash.unwrap(),
        };
        registry.set_pin(pin, NOW);
    }
    let limits = Limits::default();
    for (number, purposes) in (1..).zip(identifiers) {
        let seed = SecretBytes::new(vec![number; 20]);
        let app = Authenticator::new(Algorithm::Sha1, Digits::Six, seed);
        registry
            .begin_totp(id(number), None, app, &limits, NOW)
            .unwrap();
        let purposes: PurposeSet = purposes.iter().copied().collect();
        registry
            .enable_totp(id(number), Step::at(NOW), purposes, &limits, NOW)
            .unwrap();
    }
    registry
}

fn cap(registry: &mut Registry, number: u8) {
    let authenticator = AuthenticatorRef::Identifier(id(number));
    for _ in 0..100 {
        registry
            .count_failure(
                authenticator,
                Purpose::Login,
                &ThrottleRules::default(),
                NOW,
            )
            .unwrap();
    }
}

fn options(ruling: Ruling) -> Vec<Vec<AuthenticatorRef>> {
    let Ruling::Required(mut paths) = ruling else {
        panic!("{ruling:?}");
    };
    assert_eq!(paths.len(), 1);
    let stages = paths.remove(0).stages.into_iter();
    stages.map(|stage| stage.options).collect()
}

#[test]
fn a_login_asks_for_one_of_the_identifiers_that_are_on() {
    let none = registry(true, &[&[], &[Purpose::Withdrawal]]);
    assert_eq!(rule(Case::Login, &none, NOW), Ruling::NotRequired);
    let two = registry(true, &[&[Purpose::Login], &[], &[Purpose::Login]]);
    let on = [1, 3].map(|number| AuthenticatorRef::Identifier(id(number)));
    assert_eq!(options(rule(Case::Login, &two, NOW)), [on]);
}

#[test]
fn a_withdrawal_asks_for_the_pin_and_then_always_for_a_code() {
    let app = |number| AuthenticatorRef::Identifier(id(number));
    let pin = AuthenticatorRef::Pin;
    let off = registry(true, &[&[Purpose::Login], &[]]);
    let expected = [vec![pin], vec![app(1), app(2)]];
    assert_eq!(options(rule(WITHDRAWAL, &off, NOW)), expected);
    let on = registry(true, &[&[], &[Purpose::Withdrawal]]);
    let expected = [vec![pin], vec![app(2)]];
    assert_eq!(options(rule(WITHDRAWAL, &on, NOW)), expected);
}

#[test]
fn a_withdrawal_without_a_pin_or_an_identifier_asks_to_enrol() {
    let missing = |has_pin, identifiers: &[&[Purpose]]| match rule(
        WITHDRAWAL,
        &registry(has_pin, identifiers),
        NOW,
    ) {
        Ruling::EnrolmentRequired(missing) => (missing.pin, missing.kinds.len()),
        other => panic!("{other:?}"),
    };
    assert_eq!(missing(false, &[]), (true, 1));
    assert_eq!(missing(true, &[]), (false, 1));
    assert_eq!(missing(false, &[&[]]), (true, 0));
}

#[test]
fn failing_on_purpose_never_makes_a_proof_unnecessary() {
    let mut capped = registry(true, &[&[Purpose::Login], &[Purpose::Login]]);
    cap(&mut capped, 1);
    let left = options(rule(Case::Login, &capped, NOW));
    assert_eq!(left[0].len(), 2);
    cap(&mut capped, 2);
    let denied = Ruling::Denied(Obstacle::RecoveryRequired);
    assert_eq!(rule(Case::Login, &capped, NOW), denied);
    assert_eq!(rule(WITHDRAWAL, &capped, NOW), denied);
}

#[test]
fn a_capped_identifier_that_is_on_is_not_replaced_by_one_that_is_off() {
    let mut registry = registry(true, &[&[Purpose::Withdrawal], &[]]);
    cap(&mut registry, 1);
    let denied = Ruling::Denied(Obstacle::RecoveryRequired);
    assert_eq!(rule(WITHDRAWAL, &registry, NOW), denied);
}
