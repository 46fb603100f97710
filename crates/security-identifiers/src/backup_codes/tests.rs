//! The rules of a set of backup codes: what waits, what is held, what is reserved.

use std::time::Duration;

use countersign_backup_codes::{NewCode, Typed, Verdict, new_codes, verify};
use countersign_primitives::{
    ExposeSecret, Hash, HashCost, HashMemory, Salt, SecretBytes, SecretString,
};
use rand::{SeedableRng, rngs::StdRng};

use super::*;
use crate::{AuthenticatorRef, Ending, Standing, Use};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const CALLER: &str = "portal";

fn set() -> IdentifierId {
    IdentifierId::from_bytes([3; 16])
}

fn list_id(number: u8) -> CodeListId {
    CodeListId::from_bytes([number; 16])
}

fn hash(plain: &SecretString) -> Hash {
    let cost = HashCost {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };
    let secret = plain.expose_secret().as_bytes();
    let run = HashMemory::default().run(secret, &Salt::DUMMY, cost);
    run.unwrap()
}

/// A list of three, made at an instant, that holds a code.
fn list(number: u8, at: Timestamp, held: Option<Position>) -> (PendingList, Vec<NewCode>) {
    let codes = new_codes(3, &mut StdRng::seed_from_u64(number.into()));
    let pending = PendingList {
        id: list_id(number),
        list: CodeList {
            salt: Salt::DUMMY,
            cost: HashCost {
                memory_kib: 8,
                passes: 1,
                lanes: 1,
            },
            hashes: codes.iter().map(|code| hash(code.plain())).collect(),
        },
        expires_at: at.plus(Limits::default().code_list_life),
        caller: CALLER.to_owned(),
        held,
    };
    (pending, codes)
}

fn enabled() -> (Registry, Vec<NewCode>) {
    let mut registry = Registry::default();
    let (first, codes) = list(1, NOW, None);
    let begun = registry.begin_codes(set(), None, first, &Limits::default(), NOW);
    assert_eq!(begun, Ok(set()));
    assert_eq!(registry.finish_codes(list_id(1), CALLER, NOW), Ok(set()));
    (registry, codes)
}

fn codes_of(registry: &Registry) -> &BackupCodes {
    registry.identifier(set()).unwrap().backup_codes().unwrap()
}

/// The place of a code in the list in force.
fn place(registry: &Registry, code: &NewCode) -> Position {
    let codes = codes_of(registry);
    let typed = Typed::new(code.plain().expose_secret());
    match verify(&codes.list, codes.used, &typed, &hash(code.plain())) {
        Verdict::Accepted(position) => position,
        rejected @ Verdict::Rejected(_) => panic!("{rejected:?}"),
    }
}

fn spend(registry: &mut Registry, code: &NewCode) -> usize {
    let position = place(registry, code);
    let left = registry.spend_code(set(), Purpose::Login, position, NOW);
    left.unwrap()
}

fn standing(registry: &Registry, ending: Option<Ending>, at: Timestamp) -> Standing {
    let aim = Use {
        purpose: Purpose::Login,
        ending,
    };
    registry.standing(AuthenticatorRef::Identifier(set()), aim, at)
}

#[test]
fn the_last_code_serves_the_end_of_its_own_set_only() {
    let (mut registry, codes) = enabled();
    assert_eq!(spend(&mut registry, &codes[0]), 2);
    assert_eq!(standing(&registry, None, NOW), Standing::Usable);
    assert_eq!(spend(&mut registry, &codes[1]), 1);
    let reserved = Standing::Reserved { left: 1 };
    assert_eq!(standing(&registry, None, NOW), reserved);
    for ending in [Ending::Disable(set()), Ending::Renew(set())] {
        assert_eq!(standing(&registry, Some(ending), NOW), Standing::Usable);
    }
    let other = IdentifierId::from_bytes([9; 16]);
    for ending in [Ending::Disable(other), Ending::Renew(other)] {
        assert_eq!(standing(&registry, Some(ending), NOW), reserved);
    }
}

#[test]
fn a_waiting_list_holds_its_code_until_it_lapses() {
    let (mut registry, codes) = enabled();
    let held = place(&registry, &codes[0]);
    let (next, _) = list(2, NOW, Some(held));
    let lapses = next.expires_at;
    registry.renew_codes(set(), next).unwrap();
    assert_eq!(codes_of(&registry).left(NOW), 2);
    assert_eq!(codes_of(&registry).held(NOW), Some(held));
    assert_eq!(codes_of(&registry).left(lapses), 3);
    let late = registry.clone().finish_codes(list_id(2), CALLER, lapses);
    assert_eq!(late, Err(RegistryError::NoSuchCodeList));
    registry.prune(lapses);
    assert!(codes_of(&registry).pending.is_none());
}

#[test]
fn finish_takes_the_list_of_its_caller_once_and_keeps_the_set() {
    let (mut registry, codes) = enabled();
    let on: PurposeSet = [Purpose::Login].into_iter().collect();
    registry.switch(set(), on, PurposeSet::NONE).unwrap();
    spend(&mut registry, &codes[0]);
    let (next, fresh) = list(2, NOW, None);
    registry.renew_codes(set(), next).unwrap();
    let none = Err(RegistryError::NoSuchCodeList);
    assert_eq!(registry.finish_codes(list_id(2), "other", NOW), none);
    assert_eq!(registry.finish_codes(list_id(1), CALLER, NOW), none);
    assert_eq!(registry.finish_codes(list_id(2), CALLER, NOW), Ok(set()));
    assert_eq!(registry.finish_codes(list_id(2), CALLER, NOW), none);
    assert_eq!(codes_of(&registry).left(NOW), 3);
    assert_eq!(registry.identifier(set()).unwrap().purposes, on);
    assert_eq!(spend(&mut registry, &fresh[0]), 2);
}

#[test]
fn what_is_stored_is_read_again() {
    let (mut registry, codes) = enabled();
    spend(&mut registry, &codes[2]);
    let held = place(&registry, &codes[0]);
    registry
        .renew_codes(set(), list(2, NOW, Some(held)).0)
        .unwrap();
    registry.distrust(NOW.plus(Duration::from_secs(1)));
    let (mut again, codes) = enabled();
    spend(&mut again, &codes[2]);
    let held = place(&again, &codes[0]);
    again
        .renew_codes(set(), list(2, NOW, Some(held)).0)
        .unwrap();
    for registry in [registry, again] {
        let encoded = registry.encode();
        let read = Registry::decode(&encoded.secrets, &encoded.counters).unwrap();
        assert_eq!(read.restored_at(), registry.restored_at());
        let (one, other) = (codes_of(&registry), codes_of(&read));
        assert_eq!(one.used, other.used);
        assert_eq!(one.held(NOW), other.held(NOW));
        assert_eq!(one.left(NOW), other.left(NOW));
        assert_eq!(
            one.pending(NOW).map(|list| list.id),
            other.pending(NOW).map(|list| list.id)
        );
    }
}

/// The fields that were added have numbers of their own, after the others.
#[test]
fn what_a_version_without_backup_codes_stored_is_read() {
    #[derive(Encode)]
    struct Sealed(#[n(0)] u32, #[n(1)] Option<u8>, #[n(2)] [u8; 0]);
    #[derive(Encode)]
    struct Counters(
        #[n(0)] u32,
        #[n(1)] Throttle,
        #[n(2)] [u8; 0],
        #[n(3)] [u8; 0],
        #[n(4)] [u8; 0],
    );
    let sealed = minicbor::to_vec(Sealed(1, None, [])).unwrap();
    let counters = minicbor::to_vec(Counters(1, Throttle::default(), [], [], [])).unwrap();
    let read = Registry::decode(&SecretBytes::new(sealed), &counters).unwrap();
    assert!(read.pin().is_none() && read.identifiers().is_empty());
    assert_eq!(read.restored_at(), None);
}

#[test]
fn disabling_or_another_pin_ends_a_waiting_list() {
    let (mut registry, _) = enabled();
    registry.renew_codes(set(), list(2, NOW, None).0).unwrap();
    let limits = Limits::default();
    let other = IdentifierId::from_bytes([9; 16]);
    let seed = SecretBytes::new(vec![7; 20]);
    let app = countersign_totp::Authenticator::new(
        countersign_totp::Algorithm::Sha1,
        countersign_totp::Digits::Six,
        seed,
    );
    registry.begin_totp(other, None, app, &limits, NOW).unwrap();
    registry.disable(other, NOW).unwrap();
    assert!(codes_of(&registry).pending(NOW).is_none());
    assert_eq!(codes_of(&registry).left(NOW), 3);
}

/// PostgreSQL moves parts of a row elsewhere from about 2 kB on, which costs every check.
#[test]
fn a_subject_with_everything_fits_a_row_of_2_kb() {
    let ten = |number: u8| {
        let (mut pending, codes) = list(number, NOW, None);
        let one = hash(codes[0].plain());
        pending.list.hashes = vec![one; 10];
        pending
    };
    let mut registry = Registry::default();
    let limits = Limits::default();
    registry
        .begin_codes(set(), None, ten(1), &limits, NOW)
        .unwrap();
    registry.finish_codes(list_id(1), CALLER, NOW).unwrap();
    for number in 10..15 {
        let id = IdentifierId::from_bytes([number; 16]);
        let seed = SecretBytes::new(vec![number; 20]);
        let app = countersign_totp::Authenticator::new(
            countersign_totp::Algorithm::Sha1,
            countersign_totp::Digits::Six,
            seed,
        );
        let label = Label::parse("the phone of this year").ok();
        let all = Purpose::ALL.into_iter().collect();
        registry
            .import_totp(id, label, app, all, &limits, NOW)
            .unwrap();
    }
    registry.renew_codes(set(), ten(2)).unwrap();
    let encoded = registry.encode();
    let size = encoded.secrets.expose().len() + encoded.counters.len();
    assert!(size < 1900, "{size} bytes");
}

#[test]
fn after_a_restore_no_code_of_before_counts() {
    let (mut registry, _) = enabled();
    let (next, _) = list(2, NOW, None);
    registry.renew_codes(set(), next).unwrap();
    registry.distrust(NOW);
    assert_eq!(codes_of(&registry).left(NOW), 0);
    assert!(codes_of(&registry).pending(NOW).is_none());
    assert_eq!(
        standing(&registry, None, NOW),
        Standing::Reserved { left: 0 }
    );
    assert_eq!(registry.restored_at(), Some(NOW));
    assert!(registry.identifier(set()).unwrap().counts());
}
