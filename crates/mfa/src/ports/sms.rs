//! What SMS codes need from outside: rows that many subjects share, an outbox, and carriers.

use std::{fmt, str::FromStr, time::Duration};

use async_trait::async_trait;
use countersign_primitives::{IdentifierId, MessageId, SecretString, SubjectId, Timestamp};
use countersign_sms_codes::PhoneNumber;
pub use countersign_spend_guard::{Conversion, ConversionKey, RowKey, SpendRow, Window};
use thiserror::Error;

use super::StoreError;

/// What a change does beyond its subject's row. It is written in the same commit, after the guard.
#[derive(Clone, Debug, Default)]
pub struct SmsChange {
    /// A message that is to be sent.
    pub message: Option<MessageWrite>,
    /// Messages for this confirmation or enrolment, or to the number of this identifier, are no longer
    /// wanted, where no carrier was given them yet.
    pub withdrawn: Option<[u8; 16]>,
    /// The message whose code was accepted.
    pub confirmed: Option<MessageId>,
    /// What became of a message.
    pub mark: Option<MessageMark>,
    /// Numbers that the subject begins or ceases to use.
    pub numbers: Vec<NumberUse>,
    /// Budgets and closed prefixes, as they are from now on. Only in a change that is made under a
    /// [`Lock`](super::Lock) which has read them.
    pub spend: Vec<SpendRow>,
}

/// A message that waits to be sent.
#[derive(Clone, Debug)]
pub struct MessageWrite {
    /// Its id.
    pub id: MessageId,
    /// The identifier whose number it goes to.
    pub identifier: IdentifierId,
    /// The confirmation, or the identifier that is being enrolled.
    pub target: [u8; 16],
    /// When it was queued.
    pub created_at: Timestamp,
    /// When its code dies: it is not sent after that.
    pub expires_at: Timestamp,
    /// Stands for the first digits of its number and whether that is being enrolled, by which
    /// conversion is watched: a MAC of both.
    pub prefix: String,
    /// Number, template and what the code is made from: sealed.
    pub body: Vec<u8>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageMark {
    /// Which.
    pub id: MessageId,
    /// Its state from now on; written only where the present state [allows](MessageState::may_become) it.
    pub state: MessageState,
    /// The carrier, where one is known.
    pub provider: Option<String>,
    /// What the carrier calls the message.
    pub carrier_id: Option<String>,
}

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageState {
    /// It waits to be sent, for the first time or again.
    Queued,
    /// It is being given to a carrier: whoever finds it so after its lease does not know whether
    /// the carrier has it.
    Sending,
    /// A carrier has it.
    Sent,
    /// It arrived.
    Delivered,
    /// It will not arrive.
    Failed,
    /// Whether a carrier has it is not known, and it is not sent again.
    Unknown,
    /// It was not wanted any more before a carrier had it.
    Withdrawn,
}

impl MessageState {
    /// Every state there is.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Sending,
        Self::Sent,
        Self::Delivered,
        Self::Failed,
        Self::Unknown,
        Self::Withdrawn,
    ];

    /// The state's name in stored rows and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Sending => "SENDING",
            Self::Sent => "SENT",
            Self::Delivered => "DELIVERED",
            Self::Failed => "FAILED",
            Self::Unknown => "UNKNOWN",
            Self::Withdrawn => "WITHDRAWN",
        }
    }

    /// Whether a message in this state may come to be in that one by a [`MessageMark`]. What was
    /// delivered stays delivered; a receipt may come before the answer that it follows.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Queued | Self::Sending => !matches!(next, Self::Queued | Self::Sending),
            Self::Sent => matches!(next, Self::Delivered | Self::Failed),
            Self::Unknown => matches!(next, Self::Sent | Self::Delivered | Self::Failed),
            Self::Delivered | Self::Failed | Self::Withdrawn => false,
        }
    }
}

/// A number that a subject begins or ceases to use, by its blind index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberUse {
    /// It begins to.
    Begin([u8; 32]),
    /// It ceases to, under whichever of the keys of the index it is noted.
    End(Vec<[u8; 32]>),
}

/// Which rows that subjects share a decision needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedKey {
    /// Budgets.
    pub spend: Vec<RowKey>,
    /// How the messages to this prefix were confirmed of late.
    pub conversion: Option<ConversionKey>,
    /// How many other subjects use the number with one of these blind indexes.
    pub number: Vec<[u8; 32]>,
}

/// Rows that subjects share, as one moment found them.
#[derive(Clone, Debug, Default)]
pub struct SharedRows {
    /// Budgets that have a row; one that has none was never spent of.
    pub spend: Vec<SpendRow>,
    /// How the prefix converts.
    pub conversion: Conversion,
    /// How many other subjects use the number.
    pub other_users: u64,
}

/// A message that is this dispatcher's to send until its lease ends.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Whose it is.
    pub subject: SubjectId,
    /// Its id.
    pub id: MessageId,
    /// The identifier whose number it goes to.
    pub identifier: IdentifierId,
    /// The present instant, by the clock that decisions are made with.
    pub now: Timestamp,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When its code dies.
    pub expires_at: Timestamp,
    /// [`MessageState::Queued`]; or [`MessageState::Sending`] where whoever had it died at it.
    pub state: MessageState,
    /// How often it was claimed, this time included: a fence against whoever had it before.
    pub claim: i64,
    /// The provider that it was given to last, or is to be given to again.
    pub provider: Option<String>,
    /// How far sending has come, as [`Requeue::progress`] said.
    pub progress: Vec<u8>,
    /// Sealed.
    pub body: Vec<u8>,
}

/// A message that goes back to those that wait.
#[derive(Clone, Debug)]
pub struct Requeue {
    /// When it is due again.
    pub due_at: Timestamp,
    /// How far sending has come: bytes of the dispatcher's.
    pub progress: Vec<u8>,
}

/// A message as it is stored, without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// Whose it is.
    pub subject: SubjectId,
    /// Its id.
    pub id: MessageId,
    /// The identifier whose number it goes to.
    pub identifier: IdentifierId,
    /// Where it is.
    pub state: MessageState,
    /// The carrier that it was given to last.
    pub provider: Option<String>,
}

/// What waits to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many messages.
    pub messages: u64,
    /// When the first of them was queued.
    pub oldest: Option<Timestamp>,
}

/// The messages that are to be sent. None of this touches a subject's row.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Takes messages that are due, at most so many, for so long. Nobody else is given them before
    /// the lease ends.
    async fn claim(&self, most: u32, lease: Duration) -> Result<Vec<Claimed>, StoreError>;

    /// Notes that a message is about to be given to a provider, and renews the lease. False where it
    /// is not this claim's any more, or not wanted: then it must not be given.
    async fn begin_attempt(
        &self,
        claimed: &Claimed,
        provider: &str,
        lease: Duration,
    ) -> Result<bool, StoreError>;

    /// Gives a message back, to be sent later. False where it is not this claim's any more.
    async fn requeue(&self, claimed: &Claimed, requeue: &Requeue) -> Result<bool, StoreError>;

    /// The message that a provider calls so.
    async fn sent_as(
        &self,
        provider: &str,
        carrier_id: &str,
    ) -> Result<Option<StoredMessage>, StoreError>;

    /// What waits.
    async fn waiting(&self) -> Result<Waiting, StoreError>;

    /// Withdraws everything that waits, whoever's it is, and says how many messages that were: for a
    /// database that was restored, where what waits may have been sent long ago. What was being given
    /// to a carrier is [`MessageState::Unknown`] then.
    async fn withdraw_all(&self) -> Result<u64, StoreError>;
}

/// The name of a provider in the configuration.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderName(String);

/// A name that no provider can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a provider's name is 1 to 32 of a-z, 0-9 and -")]
pub struct ProviderNameError;

impl ProviderName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProviderName {
    type Err = ProviderNameError;

    fn from_str(text: &str) -> Result<Self, ProviderNameError> {
        let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.is_empty() || text.len() > 32 || !text.bytes().all(is_fit) {
            return Err(ProviderNameError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text on its way to a phone.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The message's id: an idempotency key for providers that know such.
    pub id: MessageId,
    /// Where it goes.
    pub number: PhoneNumber,
    /// The text, code included.
    pub text: SecretString,
    /// For how long it is worth delivering.
    pub validity: Duration,
}

/// What giving a message to a provider led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submission {
    /// The provider has it, and calls it so.
    Accepted {
        /// What it calls it; receipts name it.
        carrier_id: Option<String>,
    },
    /// The provider was not reached, and has nothing: another one may be tried at once.
    Unreachable(Reason),
    /// The provider asks to be given less at a time; it has nothing.
    Throttled(Reason),
    /// The provider will not take this message, and has nothing; another one may.
    Refused(Reason),
    /// There is no such number, whoever is asked.
    BadNumber(Reason),
    /// Whether the provider has it is not known: the connection was cut while it was being given.
    Cut(Reason),
    /// Whether the provider has it is not known: it did not answer in time. What it answers later
    /// comes as a [`Report`].
    TimedOut,
}

/// Why, in the carrier's terms: a code or a few fixed words, such as `0x00000058`. Never anything
/// of the message.
pub type Reason = String;

/// What a carrier reports about a message that it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The provider.
    pub provider: ProviderName,
    /// Which message.
    pub about: ReportedMessage,
    /// What became of it: [`MessageState::Sent`], [`MessageState::Delivered`] or
    /// [`MessageState::Failed`].
    pub state: MessageState,
}

/// How a report names its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportedMessage {
    /// By what the carrier calls it.
    ByCarrier(String),
    /// By our own ids, where the answer to a submission came late; with the carrier's name for it.
    Ours(MessageId, Option<String>),
}

/// Carriers: any number of named providers.
#[async_trait]
pub trait Carriers: Send + Sync {
    /// The providers for a number, in the order in which they are to be tried. The message's id
    /// decides among those of one order, by their weights, so that it is the same each time.
    fn route(&self, number: &PhoneNumber, message: MessageId) -> Vec<ProviderName>;

    /// Gives a message to a provider, once.
    async fn submit(&self, provider: &ProviderName, message: &Outgoing) -> Submission;

    /// The next report; waits for one.
    async fn report(&self) -> Report;
}
