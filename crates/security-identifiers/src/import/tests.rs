//! What an app that is taken over is from its first moment on.

use std::time::Duration;

use countersign_backup_codes::CodeList;
use countersign_primitives::{
    CodeListId, ExposeSecret, HashCost, Salt, SecretBytes, ThrottleRules,
};
use countersign_totp::{Algorithm, Digits, Rejection, Verdict, verify};

use super::*;
use crate::{AuthenticatorRef, PendingList, Purpose};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn id(number: u8) -> IdentifierId {
    IdentifierId::from_bytes([number; 16])
}

fn app(seed: u8) -> Authenticator {
    let seed = SecretBytes::new(vec![seed; 20]);
    Authenticator::new(Algorithm::Sha1, Digits::Six, seed)
}

fn import(registry: &mut Registry, number: u8, seed: u8) -> Result<bool, RegistryError> {
    let purposes = [Purpose::Login].into_iter().collect();
    let limits = Limits::default();
    registry.import_totp(id(number), None, app(seed), purposes, &limits, NOW)
}

#[test]
fn an_imported_app_is_enabled_at_once_and_on_for_its_purposes() {
    let mut registry = Registry::default();
    assert_eq!(import(&mut registry, 1, 1), Ok(true));
    let imported = registry.identifier(id(1)).unwrap();
    assert_eq!(imported.state, State::Enabled { since: NOW });
    assert_eq!(imported.label.as_str(), "Authenticator");
    assert_eq!(registry.on_for(Purpose::Login).count(), 1);
    assert_eq!(registry.on_for(Purpose::Withdrawal).count(), 0);
    let history = registry.bindings_changed_since(&Registry::default(), NOW);
    assert_eq!(history.len(), 1);
}

#[test]
fn a_code_that_the_other_system_may_have_accepted_is_refused() {
    let mut registry = Registry::default();
    import(&mut registry, 1, 1).unwrap();
    let imported = registry.identifier(id(1)).unwrap();
    let Factor::Totp { last_used, .. } = imported.factor else {
        unreachable!("it is an app");
    };
    let present = Step::at(NOW);
    for (step, is_accepted) in [
        (present, false),
        (present.next(), false),
        (present.next().next(), true),
    ] {
        let code = app(1).code(step);
        let verdict = verify(&app(1), last_used, code.expose_secret(), step.begins());
        let expected = if is_accepted {
            Verdict::Accepted { step }
        } else {
            Verdict::Rejected(Rejection::Replayed)
        };
        assert_eq!(verdict, expected);
    }
    let usable_from = present.next().next().begins();
    assert_eq!(imported.usable_from(NOW), Some(usable_from));
}

#[test]
fn a_seed_that_is_there_is_left_as_it_is() {
    let mut registry = Registry::default();
    import(&mut registry, 1, 1).unwrap();
    let before = registry.encode();
    assert_eq!(import(&mut registry, 2, 1), Ok(false));
    let after = registry.encode();
    assert_eq!(before.secrets.expose(), after.secrets.expose());
    assert_eq!(before.counters, after.counters);
}

#[test]
fn what_the_cap_disabled_does_not_come_back_by_an_import() {
    let mut registry = Registry::default();
    import(&mut registry, 1, 1).unwrap();
    let whose = AuthenticatorRef::Identifier(id(1));
    for _ in 0..100 {
        registry
            .count_failure(whose, Purpose::Login, &ThrottleRules::default(), NOW)
            .unwrap();
    }
    assert_eq!(import(&mut registry, 2, 1), Ok(false));
    let capped = registry.identifier(id(1)).unwrap();
    assert!(matches!(capped.state, State::Capped { .. }));
}

#[test]
fn an_import_keeps_within_the_limits() {
    let mut registry = Registry::default();
    for number in 1..=5 {
        assert_eq!(import(&mut registry, number, number), Ok(true));
    }
    let refused = import(&mut registry, 6, 6);
    assert_eq!(refused, Err(RegistryError::TooManyIdentifiers));
    // One that is there needs no room.
    assert_eq!(import(&mut registry, 6, 5), Ok(false));
}

#[test]
fn an_import_ends_lists_of_backup_codes_that_wait() {
    let mut registry = Registry::default();
    let cost = HashCost {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };
    let list = PendingList {
        id: CodeListId::from_bytes([1; 16]),
        list: CodeList {
            salt: Salt::DUMMY,
            cost,
            hashes: Vec::new(),
        },
        expires_at: NOW.plus(Duration::from_secs(60)),
        caller: "local".to_owned(),
        held: None,
    };
    registry
        .begin_codes(id(9), None, list, &Limits::default(), NOW)
        .unwrap();
    import(&mut registry, 1, 1).unwrap();
    assert!(registry.identifier(id(9)).is_none());
}
