//! What happened, in facts. One event holds all facts of one change.
//!
//! A fact names ids, kinds and reasons; never a code, a secret or a contact.

use countersign_pin as pin;
use countersign_primitives::{ConfirmationId, IdentifierId, Timestamp};
use countersign_security_identifiers::{AuthenticatorRef, Kind, Obstacle, Purpose};
use countersign_totp as totp;
use serde::{Serialize, Serializer};

/// One thing that happened to a subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fact", rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Fact {
    /// A confirmation is pending from now on.
    ConfirmationCreated {
        /// Which.
        #[serde(serialize_with = "show_id")]
        confirmation: ConfirmationId,
        /// Of what kind of operation.
        operation: &'static str,
        /// The operation's digest, in hexadecimal.
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
        operation: &'static str,
    },
    /// An operation was refused until the subject enrols.
    EnrolmentRequired {
        /// The kind of operation.
        operation: &'static str,
    },
    /// An operation was refused.
    Denied {
        /// The kind of operation.
        operation: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// A proof was right and is used up.
    ProofAccepted {
        /// Whose proof.
        #[serde(serialize_with = "show_authenticator")]
        authenticator: AuthenticatorRef,
        /// For what.
        #[serde(serialize_with = "show_purpose")]
        purpose: Purpose,
    },
    /// A proof was right, but another one of the same call was not, so nothing was used up.
    ProofUnused {
        /// Whose proof.
        #[serde(serialize_with = "show_authenticator")]
        authenticator: AuthenticatorRef,
    },
    /// A proof was not accepted.
    ProofRejected {
        /// Whose proof.
        #[serde(serialize_with = "show_authenticator")]
        authenticator: AuthenticatorRef,
        /// For what.
        #[serde(serialize_with = "show_purpose")]
        purpose: Purpose,
        /// The true reason, which no caller is told.
        reason: RejectionReason,
    },
    /// A code typed in an enrolment was not accepted.
    EnrolmentCodeRejected {
        /// Of which identifier.
        #[serde(serialize_with = "show_id")]
        identifier: IdentifierId,
        /// The true reason.
        reason: RejectionReason,
    },
    /// Failures in a row locked an authenticator for a purpose.
    Locked {
        /// Which.
        #[serde(serialize_with = "show_authenticator")]
        authenticator: AuthenticatorRef,
        /// For what.
        #[serde(serialize_with = "show_purpose")]
        purpose: Purpose,
        /// Until when, in epoch milliseconds.
        #[serde(serialize_with = "show_millis")]
        until: Timestamp,
    },
    /// Failures in a row near the cap: the subject should be told.
    CapNear {
        /// Of which authenticator.
        #[serde(serialize_with = "show_authenticator")]
        authenticator: AuthenticatorRef,
        /// How many.
        failures: u32,
    },
    /// Failures in a row disabled an authenticator.
    DisabledByCap {
        /// Which.
        #[serde(serialize_with = "show_authenticator")]
        authenticator: AuthenticatorRef,
    },
    /// Every stage was passed.
    Approved {
        /// Which confirmation.
        #[serde(serialize_with = "show_id")]
        confirmation: ConfirmationId,
    },
    /// The attempts of a confirmation are used up.
    Failed {
        /// Which confirmation.
        #[serde(serialize_with = "show_id")]
        confirmation: ConfirmationId,
    },
    /// The caller withdrew a confirmation.
    Cancelled {
        /// Which confirmation.
        #[serde(serialize_with = "show_id")]
        confirmation: ConfirmationId,
    },
    /// An approved operation may go on: once.
    Redeemed {
        /// Which confirmation.
        #[serde(serialize_with = "show_id")]
        confirmation: ConfirmationId,
    },
    /// A caller tried to redeem a confirmation for another operation.
    OperationMismatch {
        /// Which confirmation.
        #[serde(serialize_with = "show_id")]
        confirmation: ConfirmationId,
    },
    /// A caller tried to redeem a confirmation whose authenticators have changed since.
    RedeemRefused {
        /// Which confirmation.
        #[serde(serialize_with = "show_id")]
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
        #[serde(serialize_with = "show_id")]
        identifier: IdentifierId,
        /// Of what kind.
        #[serde(serialize_with = "show_kind")]
        kind: Kind,
    },
    /// An identifier was enabled.
    Enabled {
        /// Which.
        #[serde(serialize_with = "show_id")]
        identifier: IdentifierId,
        /// Of what kind.
        #[serde(serialize_with = "show_kind")]
        kind: Kind,
    },
    /// An identifier was switched on.
    SwitchedOn {
        /// Which.
        #[serde(serialize_with = "show_id")]
        identifier: IdentifierId,
        /// For what.
        #[serde(serialize_with = "show_purpose")]
        purpose: Purpose,
    },
    /// An identifier was switched off: a weakening change.
    SwitchedOff {
        /// Which.
        #[serde(serialize_with = "show_id")]
        identifier: IdentifierId,
        /// For what.
        #[serde(serialize_with = "show_purpose")]
        purpose: Purpose,
    },
    /// An identifier was given another name.
    Renamed {
        /// Which.
        #[serde(serialize_with = "show_id")]
        identifier: IdentifierId,
    },
    /// An identifier was disabled: a weakening change.
    Disabled {
        /// Which.
        #[serde(serialize_with = "show_id")]
        identifier: IdentifierId,
    },
    /// An identifier was disabled without a code of its own: its owner has lost access to it.
    LostAccess {
        /// Which.
        #[serde(serialize_with = "show_id")]
        identifier: IdentifierId,
    },
    /// An operator ended the locks.
    Unlocked,
    /// An operator did this, for this reason.
    ByOperator {
        /// The reason given.
        reason: String,
    },
}

/// Why a proof was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum RejectionReason {
    /// Wrong.
    Wrong,
    /// Not of the form that such a proof has.
    Malformed,
    /// Right, but used before.
    Replayed,
    /// The authenticator is not enrolled.
    NotEnrolled,
    /// Not checked: the authenticator is locked.
    Locked,
    /// Not checked: the authenticator reached the failure cap.
    Capped,
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

fn show_id<T: ToString, S: Serializer>(id: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&id.to_string())
}

fn show_authenticator<S: Serializer>(
    authenticator: &AuthenticatorRef,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match authenticator {
        AuthenticatorRef::Pin => serializer.serialize_str("PIN"),
        AuthenticatorRef::Identifier(id) => show_id(id, serializer),
    }
}

fn show_purpose<S: Serializer>(purpose: &Purpose, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(purpose.name())
}

fn show_kind<S: Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

fn show_millis<S: Serializer>(instant: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(instant.as_millis())
}
