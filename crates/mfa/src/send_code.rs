//! Sends a code for the stage of a confirmation that is at hand.

use std::ops::ControlFlow;

use countersign_primitives::{ConfirmationId, IdentifierId};
use countersign_security_identifiers::{
    AuthenticatorRef, Obstacle, SecurityIdentifier, Standing, Use,
};
use countersign_sms_text::Texts;
use rand::rngs::StdRng;

use crate::{
    Error, Method, Platform, SentCode,
    confirmation::Confirmation,
    event::Fact,
    hashing::Hashes,
    letter::Letter,
    platform::{Call, ChangeSet, Context, Decision, Snapshot, UseCase},
    ports::sms::SharedKey,
    posting::{Sending, next_challenge, require_wait},
};

/// A request to send a code.
#[derive(Clone, Debug)]
pub struct SendCode {
    /// The confirmation.
    pub confirmation: ConfirmationId,
    /// Whose number it is to go to; may be left out where only one would do.
    pub identifier: Option<IdentifierId>,
}

impl Platform {
    /// Sends a code for the stage at hand. Within the life of a code it is the same each time.
    ///
    /// # Errors
    /// [`Error::ConfirmationNotFound`], [`Error::ConfirmationNotPending`],
    /// [`Error::ConfirmationExpired`], [`Error::SmsUnavailable`], [`Error::NothingToSend`],
    /// [`Error::WhichNumber`], [`Error::Denied`], [`Error::SendTooSoon`], [`Error::TooManySends`],
    /// [`Error::SendRefused`].
    pub async fn send_code(&self, call: &Call, request: &SendCode) -> Result<SentCode, Error> {
        self.run(call, request).await?.outcome()
    }
}

impl UseCase for SendCode {
    type Answer = Sending<SentCode>;
    fn method(&self) -> Method {
        Method::named("ConfirmationService.SendCode")
    }

    fn confirmation(&self) -> Option<ConfirmationId> {
        Some(self.confirmation)
    }

    fn shared(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Option<SharedKey>, Error> {
        let (_, identifier) = self.allowed(snapshot, context)?;
        let phone = identifier.phone().ok_or(Error::NothingToSend)?;
        let rows = context.rows_to_post(&phone.number, false, snapshot.now)?;
        Ok(Some(rows))
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        _: &Hashes,
        rng: &mut StdRng,
    ) -> Result<Decision<Sending<SentCode>>, Error> {
        let now = snapshot.now;
        let (found, identifier) = self.allowed(snapshot, context)?;
        let phone = identifier.phone().ok_or(Error::NothingToSend)?;
        let private = found.private.as_ref().ok_or(Error::NothingToSend)?;
        let rules = &context.sms()?.rules;
        let (newest, ends) = (private.challenge.as_ref(), found.expires_at());
        let challenge = next_challenge(newest, identifier.id, ends, context, now, rng)?;
        let letter = Letter {
            number: phone.number.clone(),
            locale: Texts::parse_locale(&phone.locale)
                .map_err(|error| Error::Internal(Box::new(error)))?,
            word: phone.word.clone(),
            template: private.template.clone(),
            challenge: challenge.clone(),
            target: *found.id.as_bytes(),
            purpose: Some(found.purpose),
            operation: Some(found.digest),
        };
        let id = identifier.id;
        let others = || found.other_options(id, &snapshot.registry, now);
        let plan = match context.post(letter, snapshot, others, rng)? {
            ControlFlow::Continue(plan) => plan,
            ControlFlow::Break(decision) => return Ok(decision),
        };

        let mut registry = snapshot.registry.clone();
        registry
            .note_message(id, rules, now)
            .map_err(|error| Error::of_registry(error, now))?;
        let mut confirmation = found.clone();
        confirmation.sends += 1;
        let fact = Fact::CodeQueued {
            identifier: id,
            confirmation: Some(confirmation.id),
            message: challenge.message,
        };
        if let Some(private) = &mut confirmation.private {
            private.challenge = Some(challenge);
        }
        let sent = confirmation.sent_code(&registry, rules, now);
        let sent = sent.ok_or(Error::NothingToSend)?;
        let set = ChangeSet::new(registry, vec![fact], Sending::Sent(sent));
        let set = set.with(confirmation);
        Ok(Decision::from(ChangeSet { sms: plan, ..set }))
    }
}

impl SendCode {
    /// The confirmation and the number, where a message may be sent as far as the subject alone is
    /// concerned.
    fn allowed<'a>(
        &self,
        snapshot: &'a Snapshot,
        context: &Context<'_>,
    ) -> Result<(&'a Confirmation, &'a SecurityIdentifier), Error> {
        let Snapshot { registry, now, .. } = snapshot;
        let now = *now;
        let confirmation = Confirmation::of(
            snapshot.confirmation.as_ref(),
            &context.call.caller,
            &context.settings.grants,
        )?;
        confirmation.require_pending(now)?;
        let rules = &context.sms()?.rules;
        let is_phone = |option: &AuthenticatorRef| match option {
            AuthenticatorRef::Pin => None,
            AuthenticatorRef::Identifier(id) => {
                registry.identifier(*id).filter(|it| it.phone().is_some())
            }
        };
        let mut phones: Vec<&SecurityIdentifier> = confirmation
            .options_at_hand()
            .iter()
            .filter_map(is_phone)
            .collect();
        if let Some(id) = self.identifier {
            phones.retain(|phone| phone.id == id);
        }
        let identifier = match phones[..] {
            [] => return Err(Error::NothingToSend),
            [identifier] => identifier,
            _ => return Err(Error::WhichNumber),
        };
        let aim = Use::from(confirmation.purpose);
        let whose = AuthenticatorRef::Identifier(identifier.id);
        match registry.standing(whose, aim, now) {
            Standing::Usable => {}
            Standing::Locked { until: retry_at } => {
                return Err(Error::Denied(Obstacle::TemporarilyLocked { retry_at }, now));
            }
            Standing::Capped | Standing::Reserved { .. } | Standing::Absent => {
                return Err(Error::NothingToSend);
            }
        }
        if confirmation.sends >= rules.sends {
            return Err(Error::TooManySends);
        }
        require_wait(identifier, context, now)?;
        Ok((confirmation, identifier))
    }
}
