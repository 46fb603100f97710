//! Queues a message, if it may be sent: the one way in which a code comes to a phone.

use std::ops::ControlFlow;

use countersign_keyring::{KeyUse, Keyring};
use countersign_primitives::{IdentifierId, MessageId, Timestamp};
use countersign_security_identifiers::{Phone, Registry, SecurityIdentifier};
use countersign_sms_codes::{Challenge, PhoneNumber, SendRules};
use countersign_spend_guard::{Limit, Refusal, Ruling, Send};
use minicbor::{CborLen, Decode, Encode};
use rand::{RngExt, rngs::StdRng};

use crate::{
    Error, SmsSettings,
    confirmation::Confirmation,
    error::RetryAt,
    event::Fact,
    letter::Letter,
    platform::{ChangeSet, Context, Decision, Snapshot},
    ports::sms::{ConversionKey, MessageState, SharedKey},
    sms_plan::{NewMessage, SmsPlan},
    view::OptionView,
};

/// A message that was queued, as callers see it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct SentCode {
    /// Whose number it goes to.
    #[n(0)]
    pub identifier: IdentifierId,
    /// The number, all but its country code and its last four digits hidden.
    #[n(1)]
    pub masked_number: String,
    /// When its code dies.
    #[n(2)]
    pub expires_at: Timestamp,
    /// From when the next message to this number may be asked for.
    #[n(3)]
    pub next_send_at: Timestamp,
    /// How many more messages this confirmation or enrolment may take.
    #[n(4)]
    pub sends_left: u32,
    /// Where the message is.
    #[n(5)]
    pub delivery: Delivery,
}

/// Where a message is, as callers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(index_only)]
pub enum Delivery {
    /// It waits to be sent.
    #[n(1)]
    Queued,
    /// A carrier has it.
    #[n(2)]
    Sent,
    /// It arrived.
    #[n(3)]
    Delivered,
    /// It will not arrive.
    #[n(4)]
    Failed,
    /// Whether a carrier has it is not known.
    #[n(5)]
    Unknown,
}

impl From<MessageState> for Delivery {
    fn from(state: MessageState) -> Self {
        match state {
            MessageState::Queued | MessageState::Sending => Self::Queued,
            MessageState::Sent => Self::Sent,
            MessageState::Delivered => Self::Delivered,
            MessageState::Failed | MessageState::Withdrawn => Self::Failed,
            MessageState::Unknown => Self::Unknown,
        }
    }
}

/// Why a message is not sent now, and what would do in place of its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendRefusal {
    /// The limit.
    pub limit: Limit,
    /// When the same message may pass, and the instant that this was said at.
    pub retry: RetryAt,
    /// Other identifiers that would do, where not the subject's own share is used up.
    pub others: Vec<OptionView>,
}

/// The answer to what sends a code: the answers that leave an event.
#[derive(Encode, Decode, CborLen)]
pub(crate) enum Sending<T> {
    /// It is on its way.
    #[n(0)]
    Sent(#[n(0)] T),
    /// It is not sent, and its prefix is closed from now on.
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

impl<T> Sending<T> {
    /// What was sent, or why nothing was.
    pub(crate) fn outcome(self) -> Result<T, Error> {
        match self {
            Self::Sent(sent) => Ok(sent),
            Self::PrefixClosed {
                now,
                retry_at,
                others,
            } => Err(refused(Limit::PrefixClosed, now, retry_at, others)),
        }
    }
}

/// What stands for a prefix in the rows of messages, one thing for confirmations and another for
/// enrolments: a MAC of the scope that judges them, in hexadecimal digits. With the last four digits,
/// which are shown, the prefix itself would leave little of a number to guess.
pub(crate) fn prefix_index(keyring: &Keyring, scope: &str) -> String {
    let mac = keyring.mac(KeyUse::NumberIndex, scope.as_bytes());
    mac[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Context<'_> {
    /// The settings of SMS.
    ///
    /// # Errors
    /// [`Error::SmsUnavailable`] where none is sent.
    pub(crate) fn sms(&self) -> Result<&SmsSettings, Error> {
        self.settings.sms.as_deref().ok_or(Error::SmsUnavailable)
    }

    /// The blind indexes of a number under every key, that of the present one first.
    pub(crate) fn number_indexes(&self, number: &PhoneNumber) -> Vec<[u8; 32]> {
        let number = number.e164().as_bytes();
        self.keyring.macs(KeyUse::NumberIndex, number).collect()
    }

    /// The rows that queueing a message to a number takes.
    ///
    /// # Errors
    /// [`Error::SmsUnavailable`] where none is sent to its country any more.
    pub(crate) fn rows_to_post(
        &self,
        number: &PhoneNumber,
        is_enrolment: bool,
        now: Timestamp,
    ) -> Result<SharedKey, Error> {
        let sms = self.sms()?;
        let (prefix, country) = (number.prefix(), number.country());
        if !sms.countries.allow(&country) {
            return Err(Error::SmsUnavailable);
        }
        let indexes = self.number_indexes(number);
        let send = self.send(&indexes, &prefix, &country, 0, is_enrolment);
        let life = sms.rules.code_life;
        let conversion = sms.spend.conversion_key(&prefix, is_enrolment, life, now);
        Ok(SharedKey {
            spend: sms.spend.keys(&send),
            conversion: Some(ConversionKey {
                prefix: prefix_index(self.keyring, &conversion.prefix),
                ..conversion
            }),
            number: if is_enrolment { indexes } else { Vec::new() },
        })
    }

    fn send<'a>(
        &'a self,
        indexes: &'a [[u8; 32]],
        prefix: &'a str,
        country: &'a str,
        cost: u64,
        is_enrolment: bool,
    ) -> Send<'a> {
        Send {
            subject: &self.call.subject,
            number: indexes.first().unwrap_or(&[0; 32]),
            prefix,
            country,
            caller: self.call.caller.as_str(),
            cost,
            is_enrolment,
        }
    }

    /// Queues a message, where the budgets allow it; else it ends there, with the decision to make. An
    /// earlier message for the same target that no carrier was given yet is not wanted any more.
    ///
    /// # Errors
    /// [`Error::SendRefused`], with what would do in place of the code.
    pub(crate) fn post<T>(
        &self,
        letter: Letter,
        snapshot: &Snapshot,
        others: impl Fn() -> Vec<OptionView>,
        rng: &mut StdRng,
    ) -> Result<ControlFlow<Decision<Sending<T>>, SmsPlan>, Error> {
        let (now, sms) = (snapshot.now, self.sms()?);
        let Some(shared) = self.shared else {
            return Ok(ControlFlow::Break(Decision::LookAgain));
        };
        let text = letter.render(&sms.texts, &self.call.subject);
        let cost = sms.prices.cost(&letter.number, text.parts);
        let indexes = self.number_indexes(&letter.number);
        let (prefix, country) = (letter.number.prefix(), letter.number.country());
        let is_enrolment = letter.is_enrolment();
        let send = self.send(&indexes, &prefix, &country, cost, is_enrolment);
        let rows = shared.rows();
        let ruling = sms.spend.decide(
            &send,
            &shared.key().spend,
            &rows.spend,
            rows.conversion,
            now,
            rng.random(),
        );
        Ok(match ruling {
            Ruling::LookAgain => ControlFlow::Break(Decision::LookAgain),
            Ruling::Refused(Refusal { limit, retry_at }) => {
                let others = if limit.is_own() { Vec::new() } else { others() };
                return Err(refused(limit, now, retry_at, others));
            }
            Ruling::PrefixCloses { row, refusal } => {
                let until = refusal.retry_at;
                let answer = Sending::PrefixClosed {
                    now,
                    retry_at: until,
                    others: others(),
                };
                let registry = snapshot.registry.clone();
                let set = ChangeSet::new(registry, vec![Fact::PrefixClosed { until }], answer);
                ControlFlow::Break(Decision::from(set.closing(row)))
            }
            Ruling::Reserved(spend) => ControlFlow::Continue(SmsPlan {
                withdrawn: Some(letter.target),
                spend,
                message: Some(Box::new(NewMessage {
                    expires_at: letter.challenge.expires_at,
                    letter,
                })),
                ..SmsPlan::NONE
            }),
        })
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

fn refused(limit: Limit, now: Timestamp, at: Timestamp, others: Vec<OptionView>) -> Error {
    Error::SendRefused(Box::new(SendRefusal {
        limit,
        retry: RetryAt { now, at },
        others,
    }))
}

impl SentCode {
    /// A code that was queued, after so many messages for its target.
    pub(crate) fn queued(
        challenge: &Challenge,
        phone: &Phone,
        sends: u32,
        rules: &SendRules,
        now: Timestamp,
    ) -> Self {
        Self {
            identifier: challenge.identifier,
            masked_number: phone.number.masked(),
            expires_at: challenge.expires_at,
            next_send_at: phone.run.next_at(rules, now),
            sends_left: rules.sends.saturating_sub(sends),
            delivery: Delivery::Queued,
        }
    }
}

impl Confirmation {
    /// The newest code that was sent for it, as far as it is known without the outbox.
    pub(crate) fn sent_code(
        &self,
        registry: &Registry,
        rules: &SendRules,
        now: Timestamp,
    ) -> Option<SentCode> {
        let challenge = self.private.as_ref()?.challenge.as_ref()?;
        let phone = registry.identifier(challenge.identifier)?.phone()?;
        Some(SentCode::queued(challenge, phone, self.sends, rules, now))
    }
}
