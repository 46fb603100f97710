//! A phone number in the registry: codes are sent to it.

use std::fmt;

use countersign_primitives::{IdentifierId, Label, Throttle, Timestamp};
use countersign_sms_codes::{Challenge, PhoneNumber, SendRules, SendRun};

use crate::{
    Factor, Kind, Limits, Purpose, PurposeSet, Registry, RegistryError, SecurityIdentifier, State,
};

/// A phone number that codes are sent to. Its word is hidden from `Debug`.
#[derive(Clone)]
pub struct Phone {
    /// The number. It never changes: another one is another identifier.
    pub number: PhoneNumber,
    /// The language of its messages.
    pub locale: String,
    /// The word that its owner chose, by which messages of ours are known.
    pub word: Option<String>,
    /// The code that its enrolment awaits.
    pub enrolment: Option<Challenge>,
    /// Messages that its enrolment took so far.
    pub enrolment_sends: u32,
    /// The messages that were sent of late, whatever for.
    pub run: SendRun,
}

/// A number that is to be enrolled. Its word is hidden from `Debug`.
#[derive(Clone)]
pub struct NewPhone {
    /// What its owner calls it; a name of the kind where it is `None`.
    pub label: Option<Label>,
    /// The number.
    pub number: PhoneNumber,
    /// The language of its messages.
    pub locale: String,
    /// The word by which messages of ours are known.
    pub word: Option<String>,
}

impl Registry {
    /// Begins to enrol a number, and returns the identifier. Where that was begun before and has not
    /// lapsed, it goes on: with what was sent for it, and until the instant that was set then.
    ///
    /// # Errors
    /// [`RegistryError::NumberEnrolled`], [`RegistryError::TooManyIdentifiers`],
    /// [`RegistryError::TooManyEnrolments`].
    pub fn begin_sms(
        &mut self,
        id: IdentifierId,
        new: NewPhone,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<IdentifierId, RegistryError> {
        self.prune(now);
        let has_number =
            |other: &SecurityIdentifier| other.phone().is_some_and(|it| it.number == new.number);
        if self.counting().any(has_number) {
            return Err(RegistryError::NumberEnrolled);
        }
        self.require_room(Kind::Sms, limits)?;
        if let Some(begun) = self.identifiers.iter_mut().find(|other| has_number(other)) {
            if let Some(label) = new.label {
                begun.label = label;
            }
            if let Factor::Sms(phone) = &mut begun.factor {
                (phone.locale, phone.word) = (new.locale, new.word);
            }
            return Ok(begun.id);
        }
        self.require_room_to_enrol(Kind::Sms, limits, now)?;
        let label = new.label.unwrap_or_else(|| self.free_label(Kind::Sms));
        self.identifiers.push(SecurityIdentifier {
            id,
            label,
            created_at: now,
            state: State::Pending {
                expires_at: now.plus(limits.enrolment_life),
            },
            purposes: PurposeSet::default(),
            factor: Factor::Sms(Phone {
                number: new.number,
                locale: new.locale,
                word: new.word,
                enrolment: None,
                enrolment_sends: 0,
                run: SendRun::default(),
            }),
            throttles: [Throttle::default(); 3],
        });
        Ok(id)
    }

    /// Notes a message to a number.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchIdentifier`].
    pub fn note_message(
        &mut self,
        id: IdentifierId,
        rules: &SendRules,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        self.phone_mut(id)?.run.note(rules, now);
        Ok(())
    }

    /// Notes a message to a number that is being enrolled, and the code in it.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchIdentifier`].
    pub fn note_enrolment_message(
        &mut self,
        id: IdentifierId,
        challenge: Challenge,
        rules: &SendRules,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        let phone = self.phone_mut(id)?;
        phone.enrolment = Some(challenge);
        phone.enrolment_sends += 1;
        phone.run.note(rules, now);
        Ok(())
    }

    /// Ends an enrolment well: the code that was sent has come back. Lists of backup codes that wait
    /// to be finished lapse: they were made when less had to be proved.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchEnrolment`], [`RegistryError::TooManyIdentifiers`].
    pub fn enable_sms(
        &mut self,
        id: IdentifierId,
        purposes: PurposeSet,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        self.require_room(Kind::Sms, limits)?;
        let identifier = self.pending_mut(id, now)?;
        let Factor::Sms(phone) = &mut identifier.factor else {
            return Err(RegistryError::NoSuchEnrolment);
        };
        phone.enrolment = None;
        phone.enrolment_sends = 0;
        phone.run.end();
        self.enable(id, purposes, now)
    }

    /// Counts a code that came back: the run of failures of its purpose ends, and that of messages.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchIdentifier`].
    pub fn count_sms_success(
        &mut self,
        id: IdentifierId,
        purpose: Purpose,
    ) -> Result<(), RegistryError> {
        self.phone_mut(id)?.run.end();
        self.end_run(id, purpose)
    }

    /// The numbers that the subject uses: those of identifiers that count.
    pub fn numbers(&self) -> impl Iterator<Item = &PhoneNumber> {
        self.counting()
            .filter_map(|identifier| Some(&identifier.phone()?.number))
    }

    fn phone_mut(&mut self, id: IdentifierId) -> Result<&mut Phone, RegistryError> {
        let identifier = self.identifiers.iter_mut().find(|other| other.id == id);
        match identifier.map(|identifier| &mut identifier.factor) {
            Some(Factor::Sms(phone)) => Ok(phone),
            Some(Factor::Totp { .. } | Factor::BackupCodes(_)) | None => {
                Err(RegistryError::NoSuchIdentifier)
            }
        }
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phone")
            .field("locale", &self.locale)
            .field("enrolment_sends", &self.enrolment_sends)
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NewPhone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewPhone")
            .field("locale", &self.locale)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
