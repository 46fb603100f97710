//! Enrols a phone number.

use std::ops::ControlFlow;

use countersign_primitives::{ExposeSecret, IdentifierId, Label, SecretString, Timestamp};
use countersign_security_identifiers::{Kind, NewPhone, Obstacle, PurposeSet, State};
use countersign_sms_codes::{self as sms_codes, Challenge, PhoneNumber};
use countersign_sms_text::{Locale, Template, Word};
use minicbor::{CborLen, Decode, Encode};
use rand::rngs::StdRng;

use crate::{
    Authorization, Error, IdentifierView, Method, Outcome, Platform, SentCode, SettingsChange,
    event::{Fact, RejectionReason},
    hashing::Hashes,
    letter::{Letter, binding},
    platform::{Call, ChangeSet, Context, Decision, Snapshot, UseCase},
    ports::sms::SharedKey,
    posting::{Sending, next_challenge, require_wait},
    settings_change::{ChangeMethod, Draft, OwnCode},
    sms_plan::SmsPlan,
    totp_methods::require_enrolments_allowed,
};

/// The beginning of an enrolment.
#[derive(Clone, Debug)]
pub struct BeginSms {
    /// What the person calls the phone; a name of the kind where it is `None`.
    pub label: Option<Label>,
    /// The number.
    pub number: PhoneNumber,
    /// The language of its messages.
    pub locale: Locale,
    /// The word that stands first in its messages.
    pub word: Option<Word>,
}

/// An enrolment that has begun, or whose code was sent again.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct BegunSms {
    /// When the enrolment lapses.
    #[n(0)]
    pub lapses_at: Timestamp,
    /// The code that is sent.
    #[n(1)]
    pub sent: SentCode,
}

/// The end of an enrolment.
#[derive(Clone, Debug)]
pub struct ConfirmSms {
    /// The identifier.
    pub identifier: IdentifierId,
    /// The code that was sent.
    pub code: SecretString,
    /// What it is switched on for in the same commit.
    pub purposes: PurposeSet,
    /// The PIN and, where an identifier exists, a code of it.
    pub authorization: Authorization,
}

impl Platform {
    /// Begins to enrol a number and sends a code to it. Begun again for the same number, the code is
    /// sent again.
    ///
    /// # Errors
    /// [`Error::SmsUnavailable`], [`Error::PinNotSet`], [`Error::Denied`] where the PIN is locked,
    /// [`Error::EnrolmentThrottled`], [`Error::NumberEnrolled`], [`Error::NumberInUse`],
    /// [`Error::TooManyIdentifiers`], [`Error::TooManyEnrolments`], [`Error::SendTooSoon`],
    /// [`Error::TooManySends`], [`Error::SendRefused`].
    pub async fn begin_sms(&self, call: &Call, request: &BeginSms) -> Result<BegunSms, Error> {
        self.run(call, request).await?.outcome()
    }

    /// Ends an enrolment: the code that was sent, the PIN and, where an identifier exists, a code of
    /// it, in one commit.
    ///
    /// # Errors
    /// [`Error::PinNotSet`], [`Error::EnrolmentThrottled`], [`Error::TooManyIdentifiers`],
    /// [`Error::NumberInUse`]; those of its [`Authorization`].
    pub async fn confirm_sms(
        &self,
        call: &Call,
        request: &ConfirmSms,
    ) -> Result<Outcome<IdentifierView>, Error> {
        self.run(call, request).await?.outcome()
    }
}

impl BeginSms {
    /// Everything that is looked at before a message is thought of.
    fn require_allowed(&self, snapshot: &Snapshot, context: &Context<'_>) -> Result<(), Error> {
        let Snapshot { registry, now, .. } = snapshot;
        let entry = registry.pin().ok_or(Error::PinNotSet)?;
        if entry.capped {
            return Err(Error::Denied(Obstacle::RecoveryRequired, *now));
        }
        if let Some(retry_at) = entry.locked_until(*now) {
            return Err(Error::Denied(
                Obstacle::TemporarilyLocked { retry_at },
                *now,
            ));
        }
        require_enrolments_allowed(Kind::Sms, snapshot, context)
    }

    fn letter(&self, challenge: Challenge) -> Letter {
        Letter {
            number: self.number.clone(),
            locale: self.locale.clone(),
            word: self.word.as_ref().map(|word| word.as_str().to_owned()),
            template: Template::Enrolment,
            target: *challenge.identifier.as_bytes(),
            challenge,
            purpose: None,
            operation: None,
        }
    }

    fn phone(&self) -> NewPhone {
        NewPhone {
            label: self.label.clone(),
            number: self.number.clone(),
            locale: self.locale.as_str().to_owned(),
            word: self.word.as_ref().map(|word| word.as_str().to_owned()),
        }
    }
}

impl UseCase for BeginSms {
    type Answer = Sending<BegunSms>;
    fn method(&self) -> Method {
        Method::named("SmsService.BeginEnable")
    }

    fn shared(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Option<SharedKey>, Error> {
        context.sms()?;
        self.require_allowed(snapshot, context)?;
        let rows = context.rows_to_post(&self.number, true, snapshot.now)?;
        Ok(Some(rows))
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        _: &Hashes,
        rng: &mut StdRng,
    ) -> Result<Decision<Sending<BegunSms>>, Error> {
        let (now, sms) = (snapshot.now, context.sms()?);
        self.require_allowed(snapshot, context)?;
        require_room_for_user(context)?;
        let mut registry = snapshot.registry.clone();
        let limits = &context.settings.limits;
        let no = |error| Error::of_registry(error, now);
        let id = registry
            .begin_sms(IdentifierId::random(rng), self.phone(), limits, now)
            .map_err(no)?;
        let identifier = registry.identifier(id).ok_or(Error::IdentifierNotFound)?;
        let phone = identifier.phone().ok_or(Error::IdentifierNotFound)?;
        let State::Pending { expires_at } = identifier.state else {
            return Err(Error::NumberEnrolled);
        };
        if phone.enrolment_sends >= sms.rules.sends {
            return Err(Error::TooManySends);
        }
        require_wait(identifier, context, now)?;
        let newest = phone.enrolment.as_ref();
        let challenge = next_challenge(newest, id, expires_at, context, now, rng)?;
        let message = challenge.message;
        let letter = self.letter(challenge.clone());
        let plan = match context.post(letter, snapshot, Vec::new, rng)? {
            ControlFlow::Continue(plan) => plan,
            ControlFlow::Break(decision) => return Ok(decision),
        };
        registry
            .note_enrolment_message(id, challenge, &sms.rules, now)
            .map_err(no)?;
        let mut facts = Vec::new();
        if snapshot.registry.identifier(id).is_none() {
            facts.push(Fact::EnrolmentBegun {
                identifier: id,
                kind: Kind::Sms,
            });
        }
        facts.push(Fact::CodeQueued {
            identifier: id,
            confirmation: None,
            message,
        });
        let phone = registry.identifier(id).and_then(|begun| begun.phone());
        let phone = phone.ok_or(Error::IdentifierNotFound)?;
        let sends = phone.enrolment_sends;
        let sent = phone.enrolment.as_ref();
        let sent = sent.map(|sent| SentCode::queued(sent, phone, sends, &sms.rules, now));
        let answer = Sending::Sent(BegunSms {
            lapses_at: expires_at,
            sent: sent.ok_or(Error::IdentifierNotFound)?,
        });
        let set = ChangeSet::new(registry, facts, answer);
        Ok(Decision::from(ChangeSet { sms: plan, ..set }))
    }
}

impl ChangeMethod for ConfirmSms {
    type Done = IdentifierView;

    fn name(&self) -> Method {
        Method::named("SmsService.ConfirmEnable")
    }

    fn change(&self) -> SettingsChange {
        SettingsChange::EnableSms {
            identifier: self.identifier,
            purposes: self.purposes,
        }
    }

    fn authorization(&self) -> &Authorization {
        &self.authorization
    }

    fn require_allowed(&self, snapshot: &Snapshot, context: &Context<'_>) -> Result<(), Error> {
        require_enrolments_allowed(Kind::Sms, snapshot, context)
    }

    fn shared(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Option<SharedKey>, Error> {
        let pending = snapshot.registry.identifier(self.identifier);
        let phone = pending.and_then(|pending| pending.phone());
        Ok(phone.map(|phone| SharedKey {
            number: context.number_indexes(&phone.number),
            ..SharedKey::default()
        }))
    }

    fn check_own_code(&self, snapshot: &Snapshot, context: &Context<'_>) -> OwnCode {
        let wrong = |reason| OwnCode::Wrong(self.identifier, Kind::Sms, reason);
        let pending = snapshot.registry.identifier(self.identifier);
        let pending = pending.filter(|found| found.is_pending(snapshot.now));
        let Some(phone) = pending.and_then(|pending| pending.phone()) else {
            return wrong(RejectionReason::NotSent);
        };
        let sent = phone.enrolment.as_ref();
        let target = *self.identifier.as_bytes();
        let binding = binding(&context.call.subject, target, &phone.number, None, None);
        let typed = self.code.expose_secret();
        match sms_codes::verify(sent, &binding, typed, snapshot.now) {
            sms_codes::Verdict::Accepted { message } => OwnCode::Sent(message),
            sms_codes::Verdict::Rejected(reason) => wrong(reason.into()),
        }
    }

    fn make(
        &self,
        draft: &mut Draft<'_>,
        context: &Context<'_>,
        _: &mut StdRng,
    ) -> Result<IdentifierView, Error> {
        let OwnCode::Sent(message) = draft.own_code else {
            return Err(Error::IdentifierNotFound);
        };
        if context.settings.sms.is_some() {
            require_room_for_user(context)?;
        }
        let (identifier, limits) = (self.identifier, &context.settings.limits);
        draft
            .registry
            .enable_sms(identifier, self.purposes, limits, draft.now)
            .map_err(|error| Error::of_registry(error, draft.now))?;
        draft.note_enabled(identifier, Kind::Sms, self.purposes);
        draft.sms = SmsPlan {
            confirmed: Some(message),
            withdrawn: Some(*identifier.as_bytes()),
            ..SmsPlan::NONE
        };
        IdentifierView::find(&draft.registry, identifier, draft.now)
    }
}

/// That one more subject may use the number.
fn require_room_for_user(context: &Context<'_>) -> Result<(), Error> {
    let most = context.sms()?.subjects_per_number;
    match context.shared {
        Some(shared) if shared.rows().other_users >= most => Err(Error::NumberInUse),
        _ => Ok(()),
    }
}
