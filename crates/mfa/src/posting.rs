//! Queues a message, if it may be sent: the one way in which a code comes to a phone.

use countersign_keyring::{KeyUse, Keyring};
use countersign_primitives::{IdentifierId, Timestamp};
use countersign_sms_codes::PhoneNumber;
use countersign_spend_guard::{Limit, Refusal, Ruling, Send};
use minicbor::{CborLen, Decode, Encode};
use rand::{RngExt, rngs::StdRng};

use crate::{
    Error, SmsSettings,
    error::RetryAt,
    letter::Letter,
    platform::Context,
    ports::sms::{ConversionKey, MessageState, SharedKey, SpendRow},
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

/// What becomes of a message that is asked for.
pub(crate) enum Posted {
    /// It is queued.
    Queued(SmsPlan),
    /// It is not sent.
    Refused(Refusal),
    /// It is not sent, and its prefix is closed from now on.
    PrefixCloses(SpendRow, Refusal),
    /// What was chosen of the budgets is used up: look again.
    LookAgain,
}

/// What messages to numbers of one prefix have in common in their rows: a MAC of it, in hexadecimal
/// digits. With the last four digits, which are shown, the prefix itself would leave little of a number
/// to guess.
pub(crate) fn prefix_index(keyring: &Keyring, prefix: &str) -> String {
    let mac = keyring.mac(KeyUse::NumberIndex, format!("prefix/{prefix}").as_bytes());
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
    pub(crate) fn rows_to_post(
        &self,
        number: &PhoneNumber,
        is_enrolment: bool,
        now: Timestamp,
    ) -> Result<SharedKey, Error> {
        let sms = self.sms()?;
        let indexes = self.number_indexes(number);
        let (prefix, country) = (number.prefix(), number.country());
        let send = self.send(&indexes, &prefix, &country, 0, is_enrolment);
        let life = sms.rules.code_life;
        Ok(SharedKey {
            spend: sms.spend.keys(&send),
            conversion: Some(ConversionKey {
                prefix: prefix_index(self.keyring, &prefix),
                ..sms.spend.conversion_key(&prefix, life, now)
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

    /// Queues a message, where the budgets allow it. An earlier one for the same target that no
    /// carrier was given yet is not wanted any more.
    pub(crate) fn post(
        &self,
        letter: Letter,
        now: Timestamp,
        rng: &mut StdRng,
    ) -> Result<Posted, Error> {
        let sms = self.sms()?;
        let Some(shared) = self.shared else {
            return Ok(Posted::LookAgain);
        };
        let text = letter.render(&sms.texts, &self.call.subject);
        let cost = sms.prices.cost(&letter.number, text.parts);
        let indexes = self.number_indexes(&letter.number);
        let (prefix, country) = (letter.number.prefix(), letter.number.country());
        let is_enrolment = letter.purpose.is_none();
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
            Ruling::Refused(refusal) => Posted::Refused(refusal),
            Ruling::PrefixCloses { row, refusal } => Posted::PrefixCloses(row, refusal),
            Ruling::LookAgain => Posted::LookAgain,
            Ruling::Reserved(spend) => Posted::Queued(SmsPlan {
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
