//! Subjects for the tests of this crate.

use std::{sync::LazyLock, time::Duration};

use countersign_backup_codes::CodeList;
use countersign_pin::Pin;
use countersign_primitives::{
    CodeListId, Hash, HashCost, HashMemory, IdentifierId, Salt, SecretBytes, ThrottleRules,
    Timestamp,
};
use countersign_security_identifiers::{
    AuthenticatorRef, Limits, NewPhone, PendingList, Purpose, PurposeSet, Registry,
};
use countersign_sms_codes::{Countries, PhoneNumber};
use countersign_totp::{Algorithm, Authenticator, Digits, Step};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

const COST: HashCost = HashCost {
    memory_kib: 8,
    passes: 1,
    lanes: 1,
};

static HASH: LazyLock<Hash> = LazyLock::new(|| {
    let hash = HashMemory::default().run(b"850374", &Salt::DUMMY, COST);
    hash.unwrap()
});

/// What failures have done to an authenticator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Sound,
    /// For every purpose.
    Locked,
    Capped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Model {
    App,
    Number,
    /// A set of backup codes with so many left.
    Codes(usize),
}

/// An identifier that is enrolled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Enrolled {
    pub(crate) model: Model,
    pub(crate) condition: Condition,
    pub(crate) on: PurposeSet,
}

/// A sound app that is on for these purposes.
pub(crate) fn app(on: &[Purpose]) -> Enrolled {
    enrolled(Model::App, on)
}

/// A sound set of ten codes that is on for these purposes.
pub(crate) fn codes(on: &[Purpose]) -> Enrolled {
    enrolled(Model::Codes(10), on)
}

fn enrolled(model: Model, on: &[Purpose]) -> Enrolled {
    Enrolled {
        model,
        condition: Condition::Sound,
        on: on.iter().copied().collect(),
    }
}

pub(crate) fn id(number: u8) -> IdentifierId {
    IdentifierId::from_bytes([number; 16])
}

/// The identifier of this number.
pub(crate) fn of(number: u8) -> AuthenticatorRef {
    AuthenticatorRef::Identifier(id(number))
}

/// A registry with these identifiers, numbered from 1, and with a PIN where one is said.
pub(crate) fn registry(pin: Option<Condition>, identifiers: &[Enrolled]) -> Registry {
    let mut registry = Registry::default();
    if let Some(condition) = pin {
        let pin = Pin {
            salt: Salt::DUMMY,
            cost: COST,
            hash: HASH.clone(),
        };
        registry.set_pin(pin, NOW);
        fail(&mut registry, AuthenticatorRef::Pin, condition);
    }
    for (number, enrolled) in (1..).zip(identifiers) {
        match enrolled.model {
            Model::App => enrol_app(&mut registry, number),
            Model::Number => enrol_number(&mut registry, number),
            Model::Codes(left) => enrol_codes(&mut registry, number, left),
        }
        registry
            .switch(id(number), enrolled.on, PurposeSet::NONE)
            .unwrap();
        fail(&mut registry, of(number), enrolled.condition);
    }
    registry
}

fn enrol_app(registry: &mut Registry, number: u8) {
    let limits = Limits::default();
    let seed = SecretBytes::new(vec![number; 20]);
    let app = Authenticator::new(Algorithm::Sha1, Digits::Six, seed);
    registry
        .begin_totp(id(number), None, app, &limits, NOW)
        .unwrap();
    registry
        .enable_totp(id(number), Step::at(NOW), PurposeSet::NONE, &limits, NOW)
        .unwrap();
}

fn enrol_number(registry: &mut Registry, number: u8) {
    let limits = Limits::default();
    let typed = format!("+79123456{number:03}");
    let new = NewPhone {
        label: None,
        number: PhoneNumber::parse(&typed, &Countries::All).unwrap(),
        locale: "en".to_owned(),
        word: None,
    };
    registry.begin_sms(id(number), new, &limits, NOW).unwrap();
    registry
        .enable_sms(id(number), PurposeSet::NONE, &limits, NOW)
        .unwrap();
}

fn enrol_codes(registry: &mut Registry, number: u8, left: usize) {
    let list = PendingList {
        id: CodeListId::from_bytes([number; 16]),
        list: CodeList {
            salt: Salt::DUMMY,
            cost: COST,
            hashes: vec![HASH.clone(); left],
        },
        expires_at: NOW.plus(Duration::from_secs(60)),
        caller: "portal".to_owned(),
        held: None,
    };
    let list_id = list.id;
    registry
        .begin_codes(id(number), None, list, &Limits::default(), NOW)
        .unwrap();
    registry.finish_codes(list_id, "portal", NOW).unwrap();
}

fn fail(registry: &mut Registry, authenticator: AuthenticatorRef, condition: Condition) {
    let (purposes, times): (&[Purpose], _) = match condition {
        Condition::Sound => return,
        Condition::Locked => (&Purpose::ALL, 5),
        Condition::Capped => (&[Purpose::Login], 100),
    };
    for purpose in purposes {
        for _ in 0..times {
            registry
                .count_failure(authenticator, *purpose, &ThrottleRules::default(), NOW)
                .unwrap();
        }
    }
}
