//! What happened, in facts. One event holds all facts of one change.
//!
//! A fact names ids, kinds and reasons; never a code, a secret or a contact.

mod scrub;

use std::borrow::Cow;

use countersign_backup_codes as backup_codes;
use countersign_pin as pin;
use countersign_primitives::{ConfirmationId, IdentifierId, MessageId, Timestamp};
use countersign_security_identifiers::{AuthenticatorRef, Kind, Obstacle, Purpose};
use countersign_sms_codes as sms_codes;
use countersign_totp as totp;
use serde::{Deserialize, Serialize};

pub(crate) use self::scrub::scrub;

/// One thing that happened to a subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Fact {
    /// A confirmation is pending from now on.
    ConfirmationCreated {
        /// Which.
        #[serde(with = "text")]
        confirmation: ConfirmationId,
        /// Of what kind of operation.
        operation: Cow<'static, str>,
        /// The operation's digest, in hexadecimal; left out of an erased subject's events.
        #[serde(default)]
        digest: String,
    },
    /// Where an operation was asked for, as the caller gave it.
    AskedFrom {
        /// The person's IP address.
        ip_address: String,
        /// The person's user agent.
        user_agent: String,
    },
    /// An operation went on without a proof: the subject chose so.
    NotRequired {
        /// The kind of operation.
        operation: Cow<'static, str>,
    },
    /// An operation was refused until the subject enrols.
    EnrolmentRequired {
        /// The kind of operation.
        operation: Cow<'static, str>,
    },
    /// An operation was refused.
    Denied {
        /// The kind of operation.
        operation: Cow<'static, str>,
        /// Why.
        reason: Cow<'static, str>,
    },
    /// A proof was right and is used up.
    ProofAccepted {
        /// Whose proof.
        #[serde(with = "authenticator")]
        authenticator: AuthenticatorRef,
        /// For what.
        #[serde(with = "purpose")]
        purpose: Purpose,
    },
    /// A proof was right, but another one of the same call was not, so nothing was used up.
    ProofUnused {
        /// Whose proof.
        #[serde(with = "authenticator")]
        authenticator: AuthenticatorRef,
    },
    /// A proof was not accepted.
    ProofRejected {
        /// Whose proof.
        #[serde(with = "authenticator")]
        authenticator: AuthenticatorRef,
        /// For what.
        #[serde(with = "purpose")]
        purpose: Purpose,
        /// The true reason, which no caller is told.
        reason: RejectionReason,
    },
    /// A code typed in an enrolment was not accepted.
    EnrolmentCodeRejected {
        /// Of which identifier.
        #[serde(with = "text")]
        identifier: IdentifierId,
        /// The true reason.
        reason: RejectionReason,
    },
    /// Failures in a row locked an authenticator for a purpose.
    Locked {
        /// Which.
        #[serde(with = "authenticator")]
        authenticator: AuthenticatorRef,
        /// For what.
        #[serde(with = "purpose")]
        purpose: Purpose,
        /// Until when, in epoch milliseconds.
        #[serde(with = "millis")]
        until: Timestamp,
    },
    /// Failures in a row near the cap: the subject should be told.
    CapNear {
        /// Of which authenticator.
        #[serde(with = "authenticator")]
        authenticator: AuthenticatorRef,
        /// How many.
        failures: u32,
    },
    /// Failures in a row disabled an authenticator.
    DisabledByCap {
        /// Which.
        #[serde(with = "authenticator")]
        authenticator: AuthenticatorRef,
    },
    /// Backup codes run out: the subject should be told to make more.
    CodesLow {
        /// Of which set.
        #[serde(with = "text")]
        identifier: IdentifierId,
        /// How many are left.
        left: usize,
    },
    /// Every stage was passed.
    Approved {
        /// Which confirmation.
        #[serde(with = "text")]
        confirmation: ConfirmationId,
    },
    /// The attempts of a confirmation are used up.
    Failed {
        /// Which confirmation.
        #[serde(with = "text")]
        confirmation: ConfirmationId,
    },
    /// The caller withdrew a confirmation.
    Cancelled {
        /// Which confirmation.
        #[serde(with = "text")]
        confirmation: ConfirmationId,
    },
    /// An approved operation may go on: once.
    Redeemed {
        /// Which confirmation.
        #[serde(with = "text")]
        confirmation: ConfirmationId,
    },
    /// A caller tried to redeem a confirmation for another operation.
    OperationMismatch {
        /// Which confirmation.
        #[serde(with = "text")]
        confirmation: ConfirmationId,
    },
    /// A caller tried to redeem a confirmation whose authenticators have changed since.
    RedeemRefused {
        /// Which confirmation.
        #[serde(with = "text")]
        confirmation: ConfirmationId,
    },
    /// A first PIN was set.
    PinSet,
    /// The PIN was changed.
    PinChanged,
    /// An operator removed the PIN.
    PinReset,
    /// An enrolment has begun.
    EnrolmentBegun {
        /// Of which identifier.
        #[serde(with = "text")]
        identifier: IdentifierId,
        /// Of what kind.
        #[serde(with = "kind")]
        kind: Kind,
    },
    /// An identifier was enabled.
    Enabled {
        /// Which.
        #[serde(with = "text")]
        identifier: IdentifierId,
        /// Of what kind.
        #[serde(with = "kind")]
        kind: Kind,
    },
    /// More codes were made for a set of backup codes; they wait to be finished.
    CodesMade {
        /// Of which set.
        #[serde(with = "text")]
        identifier: IdentifierId,
    },
    /// A message with a code was queued.
    CodeQueued {
        /// To which identifier.
        #[serde(with = "text")]
        identifier: IdentifierId,
        /// For which confirmation; none for an enrolment.
        #[serde(with = "optional_text", default)]
        confirmation: Option<ConfirmationId>,
        /// Which message.
        #[serde(with = "text")]
        message: MessageId,
    },
    /// What became of a message.
    Message {
        /// To which identifier.
        #[serde(with = "text")]
        identifier: IdentifierId,
        /// Which message.
        #[serde(with = "text")]
        message: MessageId,
        /// Where it is: `SENT`, `DELIVERED`, `FAILED` or `UNKNOWN`.
        state: Cow<'static, str>,
        /// The provider, where one has it.
        #[serde(default)]
        provider: Option<String>,
        /// Why, in the carrier's terms, where it failed.
        #[serde(default)]
        reason: Option<String>,
    },
    /// Too few codes that were sent to numbers which begin like the subject's were typed: none is sent to
    /// them for a while.
    PrefixClosed {
        /// Until when, in epoch milliseconds.
        #[serde(with = "millis")]
        until: Timestamp,
    },
    /// New backup codes are in force, and the earlier ones void.
    CodesReplaced {
        /// Of which set.
        #[serde(with = "text")]
        identifier: IdentifierId,
    },
    /// An identifier was switched on.
    SwitchedOn {
        /// Which.
        #[serde(with = "text")]
        identifier: IdentifierId,
        /// For what.
        #[serde(with = "purpose")]
        purpose: Purpose,
    },
    /// An identifier was switched off: a weakening change.
    SwitchedOff {
        /// Which.
        #[serde(with = "text")]
        identifier: IdentifierId,
        /// For what.
        #[serde(with = "purpose")]
        purpose: Purpose,
    },
    /// An identifier was given another name.
    Renamed {
        /// Which.
        #[serde(with = "text")]
        identifier: IdentifierId,
    },
    /// An identifier was disabled: a weakening change.
    Disabled {
        /// Which.
        #[serde(with = "text")]
        identifier: IdentifierId,
    },
    /// An identifier was disabled without a code of its own: its owner has lost access to it.
    LostAccess {
        /// Which.
        #[serde(with = "text")]
        identifier: IdentifierId,
    },
    /// An operator ended the locks.
    Unlocked,
    /// An app was taken over from another system, and is enabled.
    Imported {
        /// Which.
        #[serde(with = "text")]
        identifier: IdentifierId,
    },
    /// The database was restored from a backup: codes used before are not accepted, and lists of
    /// backup codes and open confirmations are void.
    Restored,
    /// The subject's secrets and personal data were erased.
    Erased,
    /// An operator did this, for this reason.
    ByOperator {
        /// The reason given.
        reason: String,
    },
}

/// Why a proof was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum RejectionReason {
    /// Wrong.
    Wrong,
    /// Not of the form that such a proof has.
    Malformed,
    /// Right, but used before.
    Replayed,
    /// A code that was sent is typed too late.
    Expired,
    /// No code was sent for this.
    NotSent,
    /// A right backup code, which a list that waits to be finished was made for.
    Held,
    /// The authenticator is not enrolled.
    NotEnrolled,
    /// Not checked: the authenticator is locked.
    Locked,
    /// Not checked: the authenticator reached the failure cap.
    Capped,
    /// Not checked: the last backup code is reserved.
    Reserved,
}

impl From<totp::Rejection> for RejectionReason {
    fn from(rejection: totp::Rejection) -> Self {
        match rejection {
            totp::Rejection::Malformed => Self::Malformed,
            totp::Rejection::Wrong => Self::Wrong,
            totp::Rejection::Replayed => Self::Replayed,
        }
    }
}

impl From<sms_codes::Rejection> for RejectionReason {
    fn from(rejection: sms_codes::Rejection) -> Self {
        match rejection {
            sms_codes::Rejection::Malformed => Self::Malformed,
            sms_codes::Rejection::NotSent => Self::NotSent,
            sms_codes::Rejection::Expired => Self::Expired,
            sms_codes::Rejection::Wrong => Self::Wrong,
        }
    }
}

impl From<backup_codes::Rejection> for RejectionReason {
    fn from(rejection: backup_codes::Rejection) -> Self {
        match rejection {
            backup_codes::Rejection::Malformed => Self::Malformed,
            backup_codes::Rejection::Wrong => Self::Wrong,
            backup_codes::Rejection::Used => Self::Replayed,
        }
    }
}

impl From<pin::Rejection> for RejectionReason {
    fn from(rejection: pin::Rejection) -> Self {
        match rejection {
            pin::Rejection::NotSet => Self::NotEnrolled,
            pin::Rejection::Wrong => Self::Wrong,
        }
    }
}

/// The name of an obstacle.
pub(crate) const fn obstacle_name(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::TemporarilyLocked { .. } => "TEMPORARILY_LOCKED",
        Obstacle::RecoveryRequired => "RECOVERY_REQUIRED",
    }
}

/// An id as its text.
mod text {
    use std::{fmt::Display, str::FromStr};

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<T: Display, S: Serializer>(id: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub(super) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// An id as its text, or nothing.
mod optional_text {
    use std::{fmt::Display, str::FromStr};

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<T: Display, S: Serializer>(
        id: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => to.collect_str(id),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(D::Error::custom))
            .transpose()
    }
}

/// An authenticator as `PIN` or the id of the identifier.
mod authenticator {
    use countersign_security_identifiers::AuthenticatorRef;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        whose: &AuthenticatorRef,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match whose {
            AuthenticatorRef::Pin => to.serialize_str("PIN"),
            AuthenticatorRef::Identifier(id) => to.collect_str(id),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<AuthenticatorRef, D::Error> {
        match String::deserialize(from)?.as_str() {
            "PIN" => Ok(AuthenticatorRef::Pin),
            id => {
                let id = id.parse().map_err(D::Error::custom)?;
                Ok(AuthenticatorRef::Identifier(id))
            }
        }
    }
}

/// A purpose by its name.
mod purpose {
    use countersign_security_identifiers::Purpose;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(purpose: &Purpose, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(purpose.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Purpose, D::Error> {
        let name = String::deserialize(from)?;
        Purpose::ALL
            .into_iter()
            .find(|purpose| purpose.name() == name)
            .ok_or_else(|| D::Error::custom("no purpose"))
    }
}

/// A kind by its name.
mod kind {
    use countersign_security_identifiers::Kind;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(kind: &Kind, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(kind.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Kind, D::Error> {
        let name = String::deserialize(from)?;
        Kind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| D::Error::custom("no kind"))
    }
}

/// An instant in epoch milliseconds.
mod millis {
    use countersign_primitives::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(at.as_millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(from).map(Timestamp::from_millis)
    }
}
