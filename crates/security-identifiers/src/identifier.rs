//! One registered way to receive or produce a security code.

use countersign_primitives::{IdentifierId, Label, Throttle, Timestamp};
use countersign_totp::{Authenticator, Step};

use crate::{BackupCodes, Kind, Phone, PurposeSet, kind::Purpose};

/// One identifier of a subject, from enrolment until it is disabled.
#[derive(Clone, Debug)]
pub struct SecurityIdentifier {
    /// Its id, which never changes.
    pub id: IdentifierId,
    /// What its owner calls it.
    pub label: Label,
    /// When its enrolment began.
    pub created_at: Timestamp,
    /// Where it is in its life.
    pub state: State,
    /// What it is switched on for.
    pub purposes: PurposeSet,
    /// Its secret, and what is remembered of its use.
    pub factor: Factor,
    pub(crate) throttles: [Throttle; 3],
}

/// Where an identifier is in its life. One that was disabled by its owner or an operator is gone
/// from the registry; its dates stay in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Enrolment has begun.
    Pending {
        /// When it lapses.
        expires_at: Timestamp,
    },
    /// In use.
    Enabled {
        /// Since when.
        since: Timestamp,
    },
    /// Disabled by the hard failure cap. It goes on counting as an existing factor until an
    /// operator, or a code of another identifier, closes it: failing on purpose must not switch
    /// MFA off.
    Capped {
        /// Since when it had been enabled.
        since: Timestamp,
        /// When the cap was reached.
        at: Timestamp,
    },
}

/// The secret of an identifier, and what is remembered of its use, by kind.
#[derive(Clone, Debug)]
pub enum Factor {
    /// An authenticator app.
    Totp {
        /// Its seed and parameters.
        authenticator: Authenticator,
        /// The last step whose code was accepted.
        last_used: Option<Step>,
    },
    /// A phone number that codes are sent to.
    Sms(Phone),
    /// A printed list of single-use codes.
    BackupCodes(BackupCodes),
}

impl SecurityIdentifier {
    /// What kind of identifier this is.
    pub const fn kind(&self) -> Kind {
        match self.factor {
            Factor::Totp { .. } => Kind::Totp,
            Factor::Sms(_) => Kind::Sms,
            Factor::BackupCodes(_) => Kind::BackupCodes,
        }
    }

    /// Whether it counts as an existing factor: enabled, or disabled by the cap alone.
    pub const fn counts(&self) -> bool {
        matches!(self.state, State::Enabled { .. } | State::Capped { .. })
    }

    /// Whether it is enabled.
    pub const fn is_enabled(&self) -> bool {
        matches!(self.state, State::Enabled { .. })
    }

    /// Whether its enrolment has begun, is not finished and has not lapsed.
    pub fn is_pending(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Pending { expires_at } if now < expires_at)
    }

    /// The end of the lock in force for a purpose.
    pub fn locked_until(&self, purpose: Purpose, now: Timestamp) -> Option<Timestamp> {
        self.throttles[purpose.index()].locked_until(now)
    }

    /// Failures since the last success for a purpose.
    pub const fn failures(&self, purpose: Purpose) -> u32 {
        self.throttles[purpose.index()].failures()
    }

    /// Failures in a row, over all purposes: what the cap looks at.
    pub fn total_failures(&self) -> u32 {
        self.throttles.iter().map(Throttle::failures).sum()
    }

    /// From when the next code can be accepted; `None` when the present one can.
    pub fn usable_from(&self, now: Timestamp) -> Option<Timestamp> {
        match self.factor {
            Factor::Totp { last_used, .. } => last_used
                .map(|step| step.next().begins())
                .filter(|begins| now < *begins),
            Factor::Sms(_) | Factor::BackupCodes(_) => None,
        }
    }

    /// Its lists, if it is a set of backup codes.
    pub const fn backup_codes(&self) -> Option<&BackupCodes> {
        match &self.factor {
            Factor::BackupCodes(codes) => Some(codes),
            Factor::Totp { .. } | Factor::Sms(_) => None,
        }
    }

    /// Its number, if it is one.
    pub const fn phone(&self) -> Option<&Phone> {
        match &self.factor {
            Factor::Sms(phone) => Some(phone),
            Factor::Totp { .. } | Factor::BackupCodes(_) => None,
        }
    }
}
