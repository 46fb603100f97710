//! The rules of the registry: what counts, what would do, what stands in the way.

use std::time::Duration;

use countersign_backup_codes::CodeList;
use countersign_pin::Pin;
use countersign_primitives::{
    CodeListId, ConfirmationId, HashCost, HashMemory, IdentifierId, Label, Salt, SecretBytes,
    ThrottleRules, Timestamp,
};
use countersign_totp::{Algorithm, Authenticator, Digits, Step};

use crate::{
    AuthenticatorRef, Limits, Obstacle, OpenConfirmation, Path, PendingList, Purpose, PurposeSet,
    Registry, RegistryError, Stage, Standing, State,
};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const NONE: PurposeSet = PurposeSet::NONE;

fn id(number: u8) -> IdentifierId {
    IdentifierId::from_bytes([number; 16])
}

fn of(number: u8) -> AuthenticatorRef {
    AuthenticatorRef::Identifier(id(number))
}

fn set(purposes: impl IntoIterator<Item = Purpose>) -> PurposeSet {
    purposes.into_iter().collect()
}

fn authenticator() -> Authenticator {
    let seed = SecretBytes::new(vec![7; 20]);
    Authenticator::new(Algorithm::Sha1, Digits::Six, seed)
}

fn pin() -> Pin {
    let cost = HashCost {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };
    let hash = HashMemory::default().run(b"850374", &Salt::DUMMY, cost);
    Pin {
        salt: Salt::DUMMY,
        cost,
        hash: hash.unwrap(),
    }
}

fn begin(registry: &mut Registry, number: u8, label: &str) -> Result<(), RegistryError> {
    let label = Label::parse(label).ok();
    registry.begin_totp(id(number), label, authenticator(), &Limits::default(), NOW)
}

/// A registry with a PIN and one enabled identifier for each set of purposes, numbered from 1.
fn registry(identifiers: impl IntoIterator<Item = PurposeSet>) -> Registry {
    let mut registry = Registry::default();
    registry.set_pin(pin(), NOW);
    for (number, purposes) in (1..).zip(identifiers) {
        begin(&mut registry, number, &number.to_string()).unwrap();
        registry
            .enable_totp(id(number), Step::at(NOW), purposes, &Limits::default(), NOW)
            .unwrap();
    }
    registry
}

fn fail(registry: &mut Registry, authenticator: AuthenticatorRef, purpose: Purpose, times: u32) {
    for _ in 0..times {
        registry
            .count_failure(authenticator, purpose, &ThrottleRules::default(), NOW)
            .unwrap();
    }
}

fn path(stages: &[&[AuthenticatorRef]]) -> Path {
    let stages = stages.iter().map(|options| Stage {
        options: options.to_vec(),
    });
    Path {
        stages: stages.collect(),
    }
}

const PIN: AuthenticatorRef = AuthenticatorRef::Pin;

#[test]
fn what_is_stored_is_what_was_kept() {
    let mut before = registry([set([Purpose::Login]), NONE]);
    begin(&mut before, 9, "new phone").unwrap();
    fail(&mut before, of(1), Purpose::Login, 7);
    fail(&mut before, PIN, Purpose::Other, 5);
    let stored = before.encode();
    let after = Registry::decode(&stored.secrets, &stored.counters).unwrap();
    let again = after.encode();
    assert_eq!(stored.secrets.expose(), again.secrets.expose());
    assert_eq!(stored.counters, again.counters);
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
}

#[test]
fn the_row_of_a_full_registry_stays_well_under_two_kilobytes() {
    let every = set(Purpose::ALL);
    let mut full = registry([every; 5]);
    for number in 1..=5 {
        let label = Label::parse(&"x".repeat(64)).unwrap();
        full.rename(id(number), label).unwrap();
        for purpose in Purpose::ALL {
            fail(&mut full, of(number), purpose, 5);
        }
    }
    for _ in 0..10 {
        full.count_enrolment_failure(crate::Kind::Totp, NOW);
    }
    let stored = full.encode();
    let size = stored.secrets.expose().len() + stored.counters.len();
    assert!(size < 1500, "{size} bytes");
}

#[test]
fn beginning_again_replaces_the_enrolment_of_the_same_name() {
    let mut registry = registry([]);
    begin(&mut registry, 1, "phone").unwrap();
    begin(&mut registry, 2, "phone").unwrap();
    assert!(registry.identifier(id(1)).is_none());
    begin(&mut registry, 3, "tablet").unwrap();
    begin(&mut registry, 4, "laptop").unwrap();
    let refused = begin(&mut registry, 5, "watch");
    let retry_at = NOW.plus(Limits::default().enrolment_life);
    assert_eq!(refused, Err(RegistryError::TooManyEnrolments { retry_at }));
}

#[test]
fn a_sixth_authenticator_is_refused() {
    let mut full = registry([NONE; 5]);
    let refused = begin(&mut full, 6, "sixth");
    assert_eq!(refused, Err(RegistryError::TooManyIdentifiers));
}

#[test]
fn a_lapsed_enrolment_cannot_be_finished() {
    let mut registry = registry([]);
    begin(&mut registry, 1, "phone").unwrap();
    let limits = Limits::default();
    let late = NOW.plus(limits.enrolment_life);
    let finished = registry.enable_totp(id(1), Step::at(late), NONE, &limits, late);
    assert_eq!(finished, Err(RegistryError::NoSuchEnrolment));
}

#[test]
fn enabling_takes_the_pin_and_a_code_of_an_existing_identifier() {
    let login = set([Purpose::Login]);
    assert_eq!(registry([]).paths_to_enable(login), [path(&[&[PIN]])]);
    let two = registry([login, NONE]);
    let any = path(&[&[PIN], &[of(1), of(2)]]);
    assert_eq!(two.paths_to_enable(login), [path(&[&[PIN], &[of(1)]])]);
    let by_default = two.paths_to_enable(NONE);
    assert_eq!(two.paths_to_enable(set([Purpose::Withdrawal])), by_default);
    assert_eq!(by_default, [any]);
}

#[test]
fn switching_on_takes_its_own_code_and_one_that_is_on_for_the_purpose() {
    let login = set([Purpose::Login]);
    let alone = registry([NONE]);
    let own = path(&[&[of(1)]]);
    assert_eq!(alone.paths_to_switch(id(1), login, NONE), [own]);
    let three = registry([NONE, login, NONE]);
    let on_too = path(&[&[of(1)], &[of(2)]]);
    assert_eq!(three.paths_to_switch(id(1), login, NONE), [on_too]);
    let withdrawal = set([Purpose::Withdrawal]);
    let any_other = path(&[&[of(1)], &[of(2), of(3)]]);
    assert_eq!(three.paths_to_switch(id(1), withdrawal, NONE), [any_other]);
}

#[test]
fn switching_off_takes_its_own_code_or_one_that_is_on_for_the_purpose() {
    let login = set([Purpose::Login]);
    let three = registry([login, login, NONE]);
    let either = path(&[&[of(1), of(2)]]);
    assert_eq!(three.paths_to_switch(id(1), NONE, login), [either]);
}

#[test]
fn disabling_takes_its_own_code_or_the_pin_and_one_of_another() {
    let alone = registry([NONE]);
    let target = alone.identifier(id(1)).unwrap();
    assert_eq!(alone.paths_to_disable(target), [path(&[&[of(1)]])]);
    let two = registry([NONE, NONE]);
    let target = two.identifier(id(1)).unwrap();
    let both = [path(&[&[of(1)]]), path(&[&[PIN], &[of(2)]])];
    assert_eq!(two.paths_to_disable(target), both);
}

#[test]
fn the_cap_disables_and_what_it_disabled_still_counts() {
    let mut registry = registry([set([Purpose::Login]), NONE]);
    fail(&mut registry, of(1), Purpose::Login, 60);
    fail(&mut registry, of(1), Purpose::Other, 40);
    let capped = registry.identifier(id(1)).unwrap();
    assert!(matches!(capped.state, State::Capped { .. }));
    assert_eq!(registry.on_for(Purpose::Login).count(), 1);
    let closing = path(&[&[of(2)]]);
    assert_eq!(registry.paths_to_disable(capped), [closing]);

    let login = [path(&[&[of(1)]])];
    let obstacle = registry.obstacle(&login, Purpose::Login.into(), NOW);
    assert_eq!(obstacle, Some(Obstacle::RecoveryRequired));
}

#[test]
fn a_warning_comes_at_fifty_and_eighty_failures() {
    let mut registry = registry([NONE]);
    let warned: Vec<u32> = (1..=100)
        .filter(|_| {
            let rules = ThrottleRules::default();
            let counted = registry.count_failure(of(1), Purpose::Login, &rules, NOW);
            counted.unwrap().warning
        })
        .collect();
    assert_eq!(warned, [50, 80]);
}

#[test]
fn success_clears_the_counter_of_its_own_purpose_only() {
    let mut registry = registry([set(Purpose::ALL)]);
    fail(&mut registry, of(1), Purpose::Login, 4);
    fail(&mut registry, of(1), Purpose::Withdrawal, 4);
    let step = Step::at(NOW).next();
    registry
        .count_totp_success(id(1), Purpose::Login, step)
        .unwrap();
    let identifier = registry.identifier(id(1)).unwrap();
    assert_eq!(identifier.failures(Purpose::Login), 0);
    assert_eq!(identifier.failures(Purpose::Withdrawal), 4);
}

#[test]
fn a_path_is_free_when_the_last_lock_on_its_best_options_ends() {
    let mut registry = registry([NONE, NONE]);
    let paths = [path(&[&[PIN], &[of(1), of(2)]])];
    assert_eq!(registry.obstacle(&paths, Purpose::Other.into(), NOW), None);
    fail(&mut registry, of(1), Purpose::Other, 5);
    assert_eq!(registry.obstacle(&paths, Purpose::Other.into(), NOW), None);
    fail(&mut registry, of(2), Purpose::Other, 10);
    let retry_at = NOW.plus(Duration::from_secs(5 * 60));
    let locked = Some(Obstacle::TemporarilyLocked { retry_at });
    assert_eq!(
        registry.obstacle(&paths, Purpose::Other.into(), NOW),
        locked
    );
    fail(&mut registry, PIN, Purpose::Other, 10);
    let retry_at = NOW.plus(Duration::from_secs(10 * 60));
    let locked = Some(Obstacle::TemporarilyLocked { retry_at });
    assert_eq!(
        registry.obstacle(&paths, Purpose::Other.into(), NOW),
        locked
    );
    assert_eq!(
        registry.obstacle(&[], Purpose::Other.into(), NOW),
        Some(Obstacle::RecoveryRequired)
    );
}

#[test]
fn a_capped_pin_stays_until_it_is_reset() {
    let mut registry = registry([]);
    fail(&mut registry, PIN, Purpose::Other, 100);
    registry.unlock();
    assert!(registry.pin().is_some_and(|entry| entry.capped));
    let paths = [path(&[&[PIN]])];
    let obstacle = registry.obstacle(&paths, Purpose::Other.into(), NOW);
    assert_eq!(obstacle, Some(Obstacle::RecoveryRequired));
    assert!(registry.reset_pin());
    assert!(registry.pin().is_none());
}

#[test]
fn the_history_gets_every_change_of_a_bound_identifier_and_no_enrolment() {
    let mut now = registry([NONE]);
    let before = now.clone();
    begin(&mut now, 2, "new").unwrap();
    assert!(now.bindings_changed_since(&before, NOW).is_empty());
    now.rename(id(1), Label::parse("old").unwrap()).unwrap();
    let renamed = now.bindings_changed_since(&before, NOW);
    assert_eq!(renamed.len(), 1);
    now.disable(id(1), NOW).unwrap();
    let disabled = now.bindings_changed_since(&before, NOW);
    assert_eq!(disabled[0].disabled_at, Some(NOW));
}

#[test]
fn ten_wrong_codes_in_an_hour_stop_enrolments_until_the_oldest_is_an_hour_old() {
    let mut registry = registry([]);
    let limits = Limits::default();
    let kind = crate::Kind::Totp;
    for minute in 0..10 {
        let at = NOW.plus(Duration::from_secs(60 * minute));
        let refused = registry.enrolments().refused_until(kind, &limits, at);
        assert_eq!(refused, None);
        registry.count_enrolment_failure(kind, at);
    }
    let later = NOW.plus(Duration::from_secs(600));
    let first_is_old = NOW.plus(Duration::from_secs(3600));
    let refused = |at| registry.enrolments().refused_until(kind, &limits, at);
    assert_eq!(refused(later), Some(first_is_old));
    assert_eq!(refused(first_is_old), None);
}

#[test]
fn after_a_restore_nothing_that_was_used_since_the_backup_is_of_use() {
    let mut registry = registry([NONE]);
    let limits = Limits::default();
    let expires_at = NOW.plus(Duration::from_secs(60));
    let pin = pin();
    let list = |number| PendingList {
        id: CodeListId::from_bytes([number; 16]),
        list: CodeList {
            salt: pin.salt,
            cost: pin.cost,
            hashes: vec![pin.hash.clone(); 10],
        },
        expires_at,
        caller: "local".to_owned(),
        held: None,
    };
    registry
        .begin_codes(id(2), None, list(1), &limits, NOW)
        .unwrap();
    registry
        .finish_codes(CodeListId::from_bytes([1; 16]), "local", NOW)
        .unwrap();
    registry.renew_codes(id(2), list(2)).unwrap();
    let open = OpenConfirmation {
        id: ConfirmationId::from_bytes([1; 16]),
        expires_at,
    };
    registry.open_confirmation(open, &limits, NOW).unwrap();
    begin(&mut registry, 9, "unfinished").unwrap();

    registry.distrust(NOW);
    let usable_from = Step::at(NOW).next().next().begins();
    let app = registry.identifier(id(1)).unwrap();
    assert_eq!(app.usable_from(NOW), Some(usable_from));
    let codes = registry.identifier(id(2)).unwrap();
    let lists = codes.backup_codes().unwrap();
    assert!(codes.is_enabled() && lists.left(NOW) == 0 && lists.pending(NOW).is_none());
    let standing = registry.standing(of(2), Purpose::Login.into(), NOW);
    assert_eq!(standing, Standing::Reserved { left: 0 });
    assert!(registry.identifier(id(9)).is_none());
    assert!(registry.open.is_empty());
    assert_eq!(registry.restored_at(), Some(NOW));
    assert!(registry.pin().is_some());

    // It is stored, and a step that lies further ahead stays the floor.
    let stored = registry.encode();
    let mut again = Registry::decode(&stored.secrets, &stored.counters).unwrap();
    let ahead = Step::at(NOW).next().next();
    again
        .count_totp_success(id(1), Purpose::Login, ahead)
        .unwrap();
    again.distrust(NOW);
    let app = again.identifier(id(1)).unwrap();
    assert_eq!(app.usable_from(NOW), Some(ahead.next().begins()));
}
