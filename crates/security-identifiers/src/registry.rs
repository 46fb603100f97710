//! The aggregate, and the changes that can be made to it.

use std::time::Duration;

use countersign_pin::Pin;
use countersign_primitives::{ConfirmationId, IdentifierId, Label, Throttle, Timestamp};
use countersign_totp::{Authenticator, Step};
use thiserror::Error;

use crate::{
    Factor, Kind, Purpose, PurposeSet, SecurityIdentifier, State, counting::EnrolmentThrottle,
};

/// The whole security state of one subject.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    pub(crate) pin: Option<PinEntry>,
    pub(crate) identifiers: Vec<SecurityIdentifier>,
    pub(crate) enrolments: EnrolmentThrottle,
    pub(crate) open: Vec<OpenConfirmation>,
    pub(crate) restored_at: Option<Timestamp>,
}

/// The PIN of a subject: a field beside the identifiers, never one of them.
#[derive(Clone, Debug)]
pub struct PinEntry {
    /// Its hash.
    pub pin: Pin,
    /// When it was set or changed: an approval that used an older one is void after a reset.
    pub set_at: Timestamp,
    /// Whether the hard failure cap was reached. It still exists then, and only an operator's
    /// reset makes room for a new one.
    pub capped: bool,
    pub(crate) throttle: Throttle,
}

impl PinEntry {
    /// The end of the lock in force.
    pub fn locked_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.throttle.locked_until(now)
    }

    /// Failures since the last success.
    pub const fn failures(&self) -> u32 {
        self.throttle.failures()
    }
}

/// A confirmation that has not ended, kept here so that the number of them is bounded under the
/// same guard as everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenConfirmation {
    /// Its id.
    pub id: ConfirmationId,
    /// When it ceases to be pending by itself.
    pub expires_at: Timestamp,
}

/// How much one subject may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Identifiers of all kinds.
    pub identifiers: usize,
    /// Authenticator apps. Of backup codes there is one set.
    pub authenticators: usize,
    /// Phone numbers.
    pub numbers: usize,
    /// Enrolments that have begun and are not finished.
    pub pending_enrolments: usize,
    /// Confirmations that are pending.
    pub pending_confirmations: usize,
    /// How long an enrolment may take.
    pub enrolment_life: Duration,
    /// How long a list of backup codes may wait to be finished.
    pub code_list_life: Duration,
    /// Wrong codes in enrolments of one kind within an hour.
    pub enrolment_failures: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            identifiers: 10,
            authenticators: 5,
            numbers: 2,
            pending_enrolments: 3,
            pending_confirmations: 10,
            enrolment_life: Duration::from_secs(10 * 60),
            code_list_life: Duration::from_secs(15 * 60),
            enrolment_failures: 10,
        }
    }
}

/// Why the registry does not take a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RegistryError {
    /// The subject has no identifier with this id.
    #[error("there is no such identifier")]
    NoSuchIdentifier,
    /// The identifier is not enabled.
    #[error("the identifier is not enabled")]
    NotEnabled,
    /// The enrolment lapsed, was finished, or was begun anew.
    #[error("there is no such enrolment, or it has lapsed")]
    NoSuchEnrolment,
    /// The list of backup codes lapsed, was finished, or was made anew.
    #[error("there is no such list of backup codes, or it has lapsed")]
    NoSuchCodeList,
    /// The subject has an identifier with this number.
    #[error("the number is enrolled already")]
    NumberEnrolled,
    /// The subject has as many identifiers as are allowed.
    #[error("the subject has as many identifiers as are allowed")]
    TooManyIdentifiers,
    /// As many enrolments have begun as are allowed at once.
    #[error("too many enrolments are unfinished")]
    TooManyEnrolments {
        /// When the first of them lapses.
        retry_at: Timestamp,
    },
    /// As many confirmations are pending as are allowed at once.
    #[error("too many confirmations are pending")]
    TooManyConfirmations {
        /// When the first of them expires.
        retry_at: Timestamp,
    },
}

impl Registry {
    /// The PIN, if one is set.
    pub const fn pin(&self) -> Option<&PinEntry> {
        self.pin.as_ref()
    }

    /// Every identifier, pending ones that have lapsed included.
    pub fn identifiers(&self) -> &[SecurityIdentifier] {
        &self.identifiers
    }

    /// The identifier with this id.
    pub fn identifier(&self, id: IdentifierId) -> Option<&SecurityIdentifier> {
        self.identifiers
            .iter()
            .find(|identifier| identifier.id == id)
    }

    /// The identifiers that count as existing factors.
    pub fn counting(&self) -> impl Iterator<Item = &SecurityIdentifier> {
        self.identifiers
            .iter()
            .filter(|identifier| identifier.counts())
    }

    /// The identifiers that count and are switched on for a purpose.
    pub fn on_for(&self, purpose: Purpose) -> impl Iterator<Item = &SecurityIdentifier> {
        self.counting()
            .filter(move |identifier| identifier.purposes.contains(purpose))
    }

    /// The wrong codes of enrolments.
    pub const fn enrolments(&self) -> &EnrolmentThrottle {
        &self.enrolments
    }

    /// Drops what time has ended: lapsed enrolments and expired confirmations.
    pub fn prune(&mut self, now: Timestamp) {
        self.identifiers
            .retain(|identifier| identifier.counts() || identifier.is_pending(now));
        self.drop_lists(|list| list.expires_at <= now);
        self.open.retain(|open| now < open.expires_at);
        self.enrolments.prune(now);
    }

    /// Sets or replaces the PIN; its counter starts anew. Lists of backup codes that wait to be
    /// finished lapse: the PIN that they were made with may have been a thief's to know.
    pub fn set_pin(&mut self, pin: Pin, now: Timestamp) {
        self.drop_lists(|_| true);
        self.pin = Some(PinEntry {
            pin,
            set_at: now,
            capped: false,
            throttle: Throttle::default(),
        });
    }

    /// Stores the same PIN at another cost: nothing else about it changes.
    pub fn rehash_pin(&mut self, pin: Pin) {
        if let Some(entry) = &mut self.pin {
            entry.pin = pin;
        }
    }

    /// Removes the PIN: an operator's reset. Lists of backup codes that wait to be finished lapse.
    /// Tells whether there was one.
    pub fn reset_pin(&mut self) -> bool {
        self.drop_lists(|_| true);
        self.pin.take().is_some()
    }

    /// Begins an enrolment. One that was begun for the same kind under the same label is void
    /// from now on, so that beginning again always gives a new secret.
    ///
    /// # Errors
    /// [`RegistryError::TooManyIdentifiers`], [`RegistryError::TooManyEnrolments`].
    pub fn begin_totp(
        &mut self,
        id: IdentifierId,
        label: Option<Label>,
        authenticator: Authenticator,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        self.prune(now);
        let label = label.unwrap_or_else(|| self.free_label(Kind::Totp));
        self.identifiers
            .retain(|other| other.counts() || other.kind() != Kind::Totp || other.label != label);
        self.require_room(Kind::Totp, limits)?;
        self.require_room_to_enrol(Kind::Totp, limits, now)?;
        self.identifiers.push(SecurityIdentifier {
            id,
            label,
            created_at: now,
            state: State::Pending {
                expires_at: now.plus(limits.enrolment_life),
            },
            purposes: PurposeSet::default(),
            factor: Factor::Totp {
                authenticator,
                last_used: None,
            },
            throttles: [Throttle::default(); 3],
        });
        Ok(())
    }

    /// Ends an enrolment well: the code of `used`, typed at enrolment, is burned. Lists of backup
    /// codes that wait to be finished lapse: they were made when less had to be proved.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchEnrolment`], [`RegistryError::TooManyIdentifiers`].
    pub fn enable_totp(
        &mut self,
        id: IdentifierId,
        used: Step,
        purposes: PurposeSet,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        self.require_room(Kind::Totp, limits)?;
        let identifier = self.pending_mut(id, now)?;
        let Factor::Totp { last_used, .. } = &mut identifier.factor else {
            return Err(RegistryError::NoSuchEnrolment);
        };
        *last_used = Some(used);
        self.enable(id, purposes, now)
    }

    /// Ends the enrolment of an identifier whose own code was right.
    pub(crate) fn enable(
        &mut self,
        id: IdentifierId,
        purposes: PurposeSet,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        let identifier = self.pending_mut(id, now)?;
        identifier.state = State::Enabled { since: now };
        identifier.purposes = purposes;
        self.drop_lists(|_| true);
        Ok(())
    }

    /// Switches an identifier on and off for purposes. Returns what it was on for before.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchIdentifier`], [`RegistryError::NotEnabled`] for one to switch on.
    pub fn switch(
        &mut self,
        id: IdentifierId,
        on: PurposeSet,
        off: PurposeSet,
    ) -> Result<PurposeSet, RegistryError> {
        let identifier = self.counting_mut(id)?;
        if !identifier.is_enabled() && !on.is_empty() {
            return Err(RegistryError::NotEnabled);
        }
        let before = identifier.purposes;
        identifier.purposes = before.with(on).without(off);
        Ok(before)
    }

    /// Gives an identifier another name.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchIdentifier`].
    pub fn rename(&mut self, id: IdentifierId, label: Label) -> Result<(), RegistryError> {
        self.counting_mut(id)?.label = label;
        Ok(())
    }

    /// Removes an identifier, whatever its state; it comes back only by enrolling anew. Lists of
    /// backup codes that wait to be finished lapse: a code of this identifier may have made them.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchIdentifier`].
    pub fn disable(
        &mut self,
        id: IdentifierId,
        now: Timestamp,
    ) -> Result<SecurityIdentifier, RegistryError> {
        self.prune(now);
        let position = self
            .identifiers
            .iter()
            .position(|identifier| identifier.id == id)
            .ok_or(RegistryError::NoSuchIdentifier)?;
        let removed = self.identifiers.remove(position);
        self.drop_lists(|_| true);
        Ok(removed)
    }

    /// Whether no other identifier would be left enabled.
    pub fn is_last(&self, id: IdentifierId) -> bool {
        !self
            .identifiers
            .iter()
            .any(|other| other.id != id && other.is_enabled())
    }

    /// Notes a confirmation that is pending from now on.
    ///
    /// # Errors
    /// [`RegistryError::TooManyConfirmations`].
    pub fn open_confirmation(
        &mut self,
        open: OpenConfirmation,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        self.prune(now);
        if self.open.len() >= limits.pending_confirmations {
            let expiries = self.open.iter().map(|open| open.expires_at);
            return Err(RegistryError::TooManyConfirmations {
                retry_at: expiries.min().unwrap_or(now),
            });
        }
        self.open.push(open);
        Ok(())
    }

    /// Notes that a confirmation is no longer pending.
    pub fn close_confirmation(&mut self, id: ConfirmationId) {
        self.open.retain(|open| open.id != id);
    }

    /// That another identifier of this kind would be within the limits.
    ///
    /// # Errors
    /// [`RegistryError::TooManyIdentifiers`].
    pub fn require_room(&self, kind: Kind, limits: &Limits) -> Result<(), RegistryError> {
        let of_kind = self.counting().filter(|other| other.kind() == kind).count();
        let most = match kind {
            Kind::Totp => limits.authenticators,
            Kind::Sms => limits.numbers,
            Kind::BackupCodes => 1,
        };
        if self.counting().count() >= limits.identifiers || of_kind >= most {
            return Err(RegistryError::TooManyIdentifiers);
        }
        Ok(())
    }

    /// That another enrolment of this kind may begin. A set of backup codes that was begun is begun
    /// anew, and takes no more room.
    pub(crate) fn require_room_to_enrol(
        &self,
        kind: Kind,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        let takes_room = |other: &&SecurityIdentifier| {
            kind != Kind::BackupCodes || other.kind() != Kind::BackupCodes
        };
        let others = self.identifiers.iter().filter(takes_room);
        let lapses = others.filter_map(|other| match other.state {
            State::Pending { expires_at } if now < expires_at => Some(expires_at),
            State::Pending { .. } | State::Enabled { .. } | State::Capped { .. } => None,
        });
        if lapses.clone().count() >= limits.pending_enrolments {
            return Err(RegistryError::TooManyEnrolments {
                retry_at: lapses.min().unwrap_or(now),
            });
        }
        Ok(())
    }

    /// The kind's default label, with a number where it is taken.
    pub(crate) fn free_label(&self, kind: Kind) -> Label {
        let taken = |label: &Label| self.counting().any(|other| other.label == *label);
        let mut number = 1;
        loop {
            let label = Label::numbered(kind.default_label(), number);
            if !taken(&label) {
                return label;
            }
            number += 1;
        }
    }

    pub(crate) fn pending_mut(
        &mut self,
        id: IdentifierId,
        now: Timestamp,
    ) -> Result<&mut SecurityIdentifier, RegistryError> {
        self.identifiers
            .iter_mut()
            .find(|identifier| identifier.id == id && identifier.is_pending(now))
            .ok_or(RegistryError::NoSuchEnrolment)
    }

    pub(crate) fn counting_mut(
        &mut self,
        id: IdentifierId,
    ) -> Result<&mut SecurityIdentifier, RegistryError> {
        self.identifiers
            .iter_mut()
            .find(|identifier| identifier.id == id && identifier.counts())
            .ok_or(RegistryError::NoSuchIdentifier)
    }
}

#[cfg(test)]
mod tests;
