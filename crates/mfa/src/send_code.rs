//! Sends a code for the stage of a confirmation that is at hand.

use countersign_primitives::{ConfirmationId, IdentifierId, MessageId, Timestamp};
use countersign_security_identifiers::{
    AuthenticatorRef, Obstacle, SecurityIdentifier, Standing, Use,
};
use countersign_sms_codes::Challenge;
use countersign_sms_text::Texts;
use countersign_spend_guard::{Limit, Refusal};
use minicbor::{CborLen, Decode, Encode};
use rand::rngs::StdRng;

use crate::{
    Error, Method, Platform, SendRefusal, SentCode,
    confirmation::Confirmation,
    error::RetryAt,
    event::Fact,
    hashing::Hashes,
    letter::Letter,
    platform::{Call, ChangeSet, Context, Decision, Snapshot, UseCase},
    ports::sms::SharedKey,
    posting::{Delivery, Posted},
    view::OptionView,
};

/// A request to send a code.
#[derive(Clone, Debug)]
pub struct SendCode {
    /// The confirmation.
    pub confirmation: ConfirmationId,
    /// Whose number it is to go to; may be left out where only one would do.
    pub identifier: Option<IdentifierId>,
}

/// The answers that leave an event.
#[derive(Encode, Decode, CborLen)]
pub(crate) enum Sending {
    #[n(0)]
    Sent(#[n(0)] SentCode),
    #[n(1)]
    PrefixClosed {
        #[n(0)]
        now: Timestamp,
        #[n(1)]
        retry_at: Timestamp,
        #[n(2)]
        others: Vec<OptionView>,
    },
}

impl Sending {
    pub(crate) fn outcome(self) -> Result<SentCode, Error> {
        match self {
            Self::Sent(sent) => Ok(sent),
            Self::PrefixClosed {
                now,
                retry_at: at,
                others,
            } => Err(Error::SendRefused(Box::new(SendRefusal {
                limit: Limit::PrefixClosed,
                retry: RetryAt { now, at },
                others,
            }))),
        }
    }
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
    type Answer = Sending;
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
    ) -> Result<Decision<Sending>, Error> {
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
        let plan = match context.post(letter, now, rng)? {
            Posted::Queued(plan) => plan,
            Posted::LookAgain => return Ok(Decision::LookAgain),
            Posted::Refused(refusal) => return Err(refused(refusal, now, others())),
            Posted::PrefixCloses(row, refusal) => {
                let fact = Fact::PrefixClosed {
                    prefix: phone.number.prefix(),
                    until: refusal.retry_at,
                };
                let answer = Sending::PrefixClosed {
                    now,
                    retry_at: refusal.retry_at,
                    others: others(),
                };
                let set = ChangeSet::new(snapshot.registry.clone(), vec![fact], answer);
                return Ok(Decision::from(set.closing(row)));
            }
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

/// That the wait after the message before is over.
pub(crate) fn require_wait(
    identifier: &SecurityIdentifier,
    context: &Context<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let rules = &context.sms()?.rules;
    let next = identifier
        .phone()
        .map(|phone| phone.run.next_at(rules, now));
    match next.filter(|next| now < *next) {
        Some(at) => Err(Error::SendTooSoon(RetryAt { now, at })),
        None => Ok(()),
    }
}

/// The challenge that is sent: the newest one where it is alive, in another message, or a new one.
pub(crate) fn next_challenge(
    newest: Option<&Challenge>,
    identifier: IdentifierId,
    target_ends: Timestamp,
    context: &Context<'_>,
    now: Timestamp,
    rng: &mut StdRng,
) -> Result<Challenge, Error> {
    let message = MessageId::random(rng);
    let alive = newest.filter(|sent| sent.identifier == identifier && sent.is_alive(now));
    let life = context.sms()?.rules.code_life;
    Ok(match alive {
        Some(challenge) => challenge.sent_again(message),
        None => Challenge::generate(identifier, message, life, target_ends, now, rng),
    })
}

/// The error for a message that the budgets refuse.
pub(crate) fn refused(refusal: Refusal, now: Timestamp, others: Vec<OptionView>) -> Error {
    Error::SendRefused(Box::new(SendRefusal {
        limit: refusal.limit,
        retry: RetryAt {
            now,
            at: refusal.retry_at,
        },
        others: if refusal.limit.is_own() {
            Vec::new()
        } else {
            others
        },
    }))
}

impl Confirmation {
    /// The newest code that was sent for it, as far as it is known without the outbox.
    pub(crate) fn sent_code(
        &self,
        registry: &countersign_security_identifiers::Registry,
        rules: &countersign_sms_codes::SendRules,
        now: Timestamp,
    ) -> Option<SentCode> {
        let challenge = self.private.as_ref()?.challenge.as_ref()?;
        let phone = registry.identifier(challenge.identifier)?.phone()?;
        Some(SentCode {
            identifier: challenge.identifier,
            masked_number: phone.number.masked(),
            expires_at: challenge.expires_at,
            next_send_at: phone.run.next_at(rules, now),
            sends_left: rules.sends.saturating_sub(self.sends),
            delivery: Delivery::Queued,
        })
    }
}
