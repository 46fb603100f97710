//! The registry as two byte strings: a part that is sealed, and a small one that is not.

use countersign_backup_codes::{CodeList, UsedCodes};
use countersign_pin::Pin;
use countersign_primitives::{
    ConfirmationId, IdentifierId, Label, SecretBytes, Throttle, Timestamp,
};
use countersign_sms_codes::{Challenge, PhoneNumber, SendRun};
use countersign_totp::{Authenticator, Step};
use minicbor::{CborLen, Decode, Encode};
use thiserror::Error;

use crate::{
    BackupCodes, Factor, OpenConfirmation, PendingList, Phone, PinEntry, PurposeSet, Registry,
    SecurityIdentifier, State, counting::EnrolmentThrottle,
};

/// A registry as it is stored.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// What seldom changes, secrets included: to be sealed.
    pub secrets: SecretBytes,
    /// What changes with every check: counters, lock times, last steps.
    pub counters: Vec<u8>,
}

/// Stored bytes that are no registry.
#[derive(Debug, Error)]
pub enum CodecError {
    /// Not what this program writes.
    #[error("the stored security state of a subject cannot be read")]
    Unreadable(#[from] minicbor::decode::Error),
    /// What a later version of this program writes.
    #[error("the stored security state of a subject has form {0}: a later version wrote it")]
    Later(u32),
}

/// The number of this form. A program that knows only an earlier one must not read a later one, and
/// write it back without what it does not know.
const FORM: u32 = 3;

#[derive(Encode, Decode, CborLen)]
struct Sealed {
    #[n(0)]
    form: u32,
    #[n(1)]
    pin: Option<SealedPin>,
    #[n(2)]
    identifiers: Vec<SealedIdentifier>,
    #[n(3)]
    restored_at: Option<Timestamp>,
}

#[derive(Encode, Decode, CborLen)]
struct SealedPin {
    #[n(0)]
    pin: Pin,
    #[n(1)]
    set_at: Timestamp,
    #[n(2)]
    capped: bool,
}

#[derive(Encode, Decode, CborLen)]
struct SealedIdentifier {
    #[n(0)]
    id: IdentifierId,
    #[n(1)]
    label: Label,
    #[n(2)]
    created_at: Timestamp,
    #[n(3)]
    state: SealedState,
    #[n(4)]
    purposes: PurposeSet,
    #[n(5)]
    factor: SealedFactor,
}

#[derive(Encode, Decode, CborLen)]
enum SealedState {
    #[n(0)]
    Pending(#[n(0)] Timestamp),
    #[n(1)]
    Enabled(#[n(0)] Timestamp),
    #[n(2)]
    Capped(#[n(0)] Timestamp, #[n(1)] Timestamp),
}

#[derive(Encode, Decode, CborLen)]
enum SealedFactor {
    #[n(1)]
    Sms(#[n(0)] SealedPhone),
    #[n(2)]
    Totp(#[n(0)] Authenticator),
    #[n(3)]
    BackupCodes(#[n(0)] CodeList, #[n(1)] Option<PendingList>),
}

#[derive(Encode, Decode, CborLen)]
struct SealedPhone {
    #[n(0)]
    number: PhoneNumber,
    #[n(1)]
    locale: String,
    #[n(2)]
    word: Option<String>,
    #[n(3)]
    enrolment: Option<Challenge>,
}

#[derive(Encode, Decode, CborLen)]
struct Counters {
    #[n(0)]
    form: u32,
    #[n(1)]
    pin: Throttle,
    #[n(2)]
    identifiers: Vec<CountersOfIdentifier>,
    #[n(3)]
    enrolments: EnrolmentThrottle,
    #[n(4)]
    open: Vec<Open>,
}

#[derive(Encode, Decode, CborLen)]
struct CountersOfIdentifier {
    #[n(0)]
    id: IdentifierId,
    #[n(1)]
    throttles: [Throttle; 3],
    #[n(2)]
    last_step: Option<Step>,
    #[n(3)]
    used_codes: Option<UsedCodes>,
    #[n(4)]
    sends: Option<Sends>,
}

#[derive(Clone, Copy, Encode, Decode, CborLen)]
struct Sends(#[n(0)] SendRun, #[n(1)] u32);

#[derive(Encode, Decode, CborLen)]
struct Open(#[n(0)] ConfirmationId, #[n(1)] Timestamp);

impl Registry {
    /// The registry as it is stored.
    pub fn encode(&self) -> Encoded {
        let sealed = Sealed {
            form: FORM,
            pin: self.pin.as_ref().map(|entry| SealedPin {
                pin: entry.pin.clone(),
                set_at: entry.set_at,
                capped: entry.capped,
            }),
            identifiers: self.identifiers.iter().map(seal_identifier).collect(),
            restored_at: self.restored_at,
        };
        let counters = Counters {
            form: FORM,
            pin: self
                .pin
                .as_ref()
                .map_or_else(Throttle::default, |entry| entry.throttle),
            identifiers: self.identifiers.iter().map(counters_of).collect(),
            enrolments: self.enrolments.clone(),
            open: self
                .open
                .iter()
                .map(|open| Open(open.id, open.expires_at))
                .collect(),
        };
        Encoded {
            secrets: SecretBytes::new(countersign_primitives::encode(&sealed)),
            counters: countersign_primitives::encode(&counters),
        }
    }

    /// The registry that was stored.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are no registry.
    pub fn decode(secrets: &SecretBytes, counters: &[u8]) -> Result<Self, CodecError> {
        let sealed: Sealed = minicbor::decode(secrets.expose())?;
        let counters: Counters = minicbor::decode(counters)?;
        let form = sealed.form.max(counters.form);
        if form > FORM {
            return Err(CodecError::Later(form));
        }
        let pin = sealed.pin.map(|pin| PinEntry {
            pin: pin.pin,
            set_at: pin.set_at,
            capped: pin.capped,
            throttle: counters.pin,
        });
        let identifiers = sealed
            .identifiers
            .into_iter()
            .map(|identifier| {
                let own = counters
                    .identifiers
                    .iter()
                    .find(|own| own.id == identifier.id);
                open_identifier(identifier, own)
            })
            .collect();
        let open = counters
            .open
            .into_iter()
            .map(|Open(id, expires_at)| OpenConfirmation { id, expires_at })
            .collect();
        Ok(Self {
            pin,
            identifiers,
            enrolments: counters.enrolments,
            open,
            restored_at: sealed.restored_at,
        })
    }
}

fn seal_identifier(identifier: &SecurityIdentifier) -> SealedIdentifier {
    SealedIdentifier {
        id: identifier.id,
        label: identifier.label.clone(),
        created_at: identifier.created_at,
        state: match identifier.state {
            State::Pending { expires_at } => SealedState::Pending(expires_at),
            State::Enabled { since } => SealedState::Enabled(since),
            State::Capped { since, at } => SealedState::Capped(since, at),
        },
        purposes: identifier.purposes,
        factor: match &identifier.factor {
            Factor::Totp { authenticator, .. } => SealedFactor::Totp(authenticator.clone()),
            Factor::Sms(phone) => SealedFactor::Sms(SealedPhone {
                number: phone.number.clone(),
                locale: phone.locale.clone(),
                word: phone.word.clone(),
                enrolment: phone.enrolment.clone(),
            }),
            Factor::BackupCodes(BackupCodes { list, pending, .. }) => {
                SealedFactor::BackupCodes(list.clone(), pending.clone())
            }
        },
    }
}

fn counters_of(identifier: &SecurityIdentifier) -> CountersOfIdentifier {
    let mut counters = CountersOfIdentifier {
        id: identifier.id,
        throttles: identifier.throttles,
        last_step: None,
        used_codes: None,
        sends: None,
    };
    match &identifier.factor {
        Factor::Totp { last_used, .. } => counters.last_step = *last_used,
        Factor::Sms(phone) => counters.sends = Some(Sends(phone.run, phone.enrolment_sends)),
        Factor::BackupCodes(codes) => counters.used_codes = Some(codes.used),
    }
    counters
}

fn open_identifier(
    sealed: SealedIdentifier,
    counters: Option<&CountersOfIdentifier>,
) -> SecurityIdentifier {
    SecurityIdentifier {
        id: sealed.id,
        label: sealed.label,
        created_at: sealed.created_at,
        state: match sealed.state {
            SealedState::Pending(expires_at) => State::Pending { expires_at },
            SealedState::Enabled(since) => State::Enabled { since },
            SealedState::Capped(since, at) => State::Capped { since, at },
        },
        purposes: sealed.purposes,
        factor: match sealed.factor {
            SealedFactor::Totp(authenticator) => Factor::Totp {
                authenticator,
                last_used: counters.and_then(|own| own.last_step),
            },
            SealedFactor::Sms(sealed) => {
                let sends = counters.and_then(|own| own.sends);
                let Sends(run, enrolment_sends) = sends.unwrap_or(Sends(SendRun::default(), 0));
                Factor::Sms(Phone {
                    number: sealed.number,
                    locale: sealed.locale,
                    word: sealed.word,
                    enrolment: sealed.enrolment,
                    enrolment_sends,
                    run,
                })
            }
            SealedFactor::BackupCodes(list, pending) => Factor::BackupCodes(BackupCodes {
                list,
                used: counters.and_then(|own| own.used_codes).unwrap_or_default(),
                pending,
            }),
        },
        throttles: counters.map_or([Throttle::default(); 3], |own| own.throttles),
    }
}
