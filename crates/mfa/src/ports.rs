//! What the use cases need from outside: a store that loads and applies.
//!
//! The store sees bytes and decides nothing. It keeps one promise: a change is written whole or
//! not at all, and only where the subject is still at the version that the decision was made from.

pub mod sms;

use std::{error::Error as StdError, time::Duration};

use async_trait::async_trait;
pub use countersign_keyring::KeyCheck;
use countersign_primitives::{ConfirmationId, MessageId, RequestId, SubjectId, Timestamp};
use countersign_security_identifiers::Binding;
use thiserror::Error;

use self::sms::{SharedKey, SharedRows, SmsChange, StoredMessage};
use crate::{Caller, Method};

/// Which rows a decision needs.
#[derive(Clone, Debug)]
pub struct LoadKey {
    /// The subject.
    pub subject: SubjectId,
    /// The confirmation, where the decision is about one.
    pub confirmation: Option<ConfirmationId>,
    /// The request, where an earlier answer may exist.
    pub request: Option<RequestKey>,
}

/// Names one request of one caller; with the subject it is the key of the request's record.
#[derive(Clone, Debug)]
pub struct RequestKey {
    /// Who sent it.
    pub caller: Caller,
    /// What it asked for.
    pub method: Method,
    /// The id that the caller gave it.
    pub id: RequestId,
}

/// The rows of one moment.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The present instant: the database's own where gateways share it, and never before a time
    /// that the subject's row has seen.
    pub now: Timestamp,
    /// The subject's row.
    pub subject: Option<SubjectRow>,
    /// The confirmation's body, if the subject has that confirmation.
    pub confirmation: Option<Vec<u8>>,
    /// The request's record, if it was answered before and the record has not lapsed.
    pub request: Option<RequestRecord>,
}

/// The subject's row: the one guard of everything about the subject.
#[derive(Clone, Debug)]
pub struct SubjectRow {
    /// How many changes were applied: 1 for the first. Also the number of the last event.
    pub version: i64,
    /// The sealed part.
    pub secrets: Vec<u8>,
    /// The part that changes with every check.
    pub counters: Vec<u8>,
}

/// What was answered to a request.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// The MAC of the request's body.
    pub mac: Vec<u8>,
    /// The answer, without secrets.
    pub answer: Vec<u8>,
}

/// A change to one subject, written in one commit.
#[derive(Clone, Debug)]
pub struct Change {
    /// The subject.
    pub subject: SubjectId,
    /// The version that the decision was made from; `None` where the subject had no row.
    pub from_version: Option<i64>,
    /// The instant of the decision.
    pub now: Timestamp,
    /// The new sealed part; `None` where it stays. Always there for a new row.
    pub secrets: Option<Vec<u8>>,
    /// The new small part.
    pub counters: Vec<u8>,
    /// The event, numbered by the new version.
    pub event: Event,
    /// The confirmation that is new or has changed.
    pub confirmation: Option<ConfirmationWrite>,
    /// The record of the request.
    pub request: Option<RequestWrite>,
    /// Identifiers whose history changes.
    pub bindings: Vec<Binding>,
    /// What it does about messages, numbers and budgets.
    pub sms: Option<Box<SmsChange>>,
}

/// What happened, as a list of facts.
#[derive(Clone, Debug)]
pub struct Event {
    /// Who asked.
    pub caller: Caller,
    /// What was asked for.
    pub method: Method,
    /// The facts: a JSON array.
    pub facts: String,
}

/// A confirmation as it is from now on.
#[derive(Clone, Debug)]
pub struct ConfirmationWrite {
    /// Its id.
    pub id: ConfirmationId,
    /// When it was created: never changes, and decides when the row is deleted.
    pub created_at: Timestamp,
    /// Its state, for operators' queries.
    pub state: &'static str,
    /// All of it.
    pub body: Vec<u8>,
}

/// A request that was answered.
#[derive(Clone, Debug)]
pub struct RequestWrite {
    /// Which request.
    pub key: RequestKey,
    /// What was answered.
    pub record: RequestRecord,
    /// When the record lapses.
    pub expires_at: Timestamp,
}

/// Whether a change was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Applied {
    /// All of it is durable.
    Written,
    /// The subject has moved on since the decision was made: nothing was written.
    GuardMissed,
}

/// One event of a subject, as it is stored.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// The version that it made.
    pub version: i64,
    /// When.
    pub at: Timestamp,
    /// Who asked.
    pub caller: String,
    /// What was asked for.
    pub method: String,
    /// The facts: a JSON array.
    pub facts: String,
}

/// A place in the feed: that of an event, or where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedPlace {
    /// A number that grows with the commits of the database.
    pub place: i64,
    /// Which of the events with this number, from 0.
    pub within: i64,
}

impl FeedPlace {
    /// The place behind this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self {
            place: self.place,
            within: self.within + 1,
        }
    }
}

/// An event, whose it is, and its place in the feed.
#[derive(Clone, Debug)]
pub struct FeedItem {
    /// Its place.
    pub at: FeedPlace,
    /// Whose it is.
    pub subject: SubjectId,
    /// The event.
    pub event: StoredEvent,
}

/// A part of the feed.
#[derive(Clone, Debug)]
pub struct FeedPage {
    /// The life of the database that all places belong to.
    pub incarnation: [u8; 16],
    /// Events, in their order.
    pub items: Vec<FeedItem>,
    /// Where to go on.
    pub next: FeedPlace,
    /// Events at this number and beyond cannot be read yet.
    pub head: i64,
    /// Whether there are no more for now.
    pub is_last: bool,
}

type Source = Box<dyn StdError + Send + Sync>;

/// Why the store did not do what was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Nothing was written, and trying again later may work.
    #[error("the database is not available")]
    Unavailable(#[source] Source),
    /// The connection was lost after a change had been sent: it may or may not be written. Only
    /// loading again can tell; it must not be sent again.
    #[error("the connection was lost while a change was being written")]
    OutcomeUnknown(#[source] Source),
    /// A stored value is not what this program writes.
    #[error("a stored value cannot be read: column {column} of table {table}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// A statement failed in a way that trying again does not mend.
    #[error("the database refused a statement")]
    Refused(#[source] Source),
}

/// Loads and applies.
#[async_trait]
pub trait Store: Send + Sync {
    /// Reads the rows of one moment, in one round trip, on the primary.
    async fn load(&self, key: &LoadKey) -> Result<Rows, StoreError>;

    /// Writes a change whole, in one round trip and one commit, or nothing of it.
    async fn apply(&self, change: Change) -> Result<Applied, StoreError>;

    /// Takes the subject for itself until the returned lock is used or dropped, and reads its
    /// rows: the bounded way out of races. A subject without a row cannot be taken; then the
    /// guard decides as it does without a lock.
    async fn lock(&self, key: &LoadKey) -> Result<(Rows, Box<dyn Lock>), StoreError>;

    /// Reads rows that subjects share, as they are now: for a refusal that writes nothing. What is
    /// spent of them is decided under a [`Lock`].
    async fn shared(&self, subject: &SubjectId, key: &SharedKey) -> Result<SharedRows, StoreError>;

    /// A message of a subject.
    async fn message(
        &self,
        subject: &SubjectId,
        id: MessageId,
    ) -> Result<Option<StoredMessage>, StoreError>;

    /// The identifiers ever bound, oldest first.
    async fn bindings(&self, subject: &SubjectId) -> Result<Vec<Binding>, StoreError>;

    /// Events of a subject, latest first: the latest, or those before one.
    async fn events(
        &self,
        subject: &SubjectId,
        before: Option<i64>,
        most: u64,
    ) -> Result<Vec<StoredEvent>, StoreError>;

    /// Subjects in the order of their ids: the first ones, or those after one.
    async fn subjects(
        &self,
        after: Option<&SubjectId>,
        most: u64,
    ) -> Result<Vec<SubjectId>, StoreError>;
}

/// Reads the events of all subjects, in an order in which none comes late: whoever has read up to a
/// place never misses one before it.
#[async_trait]
pub trait FeedSource: Send + Sync {
    /// Reads at most so many events from a place on; without one, from behind the last event there is.
    async fn read_feed(&self, from: Option<FeedPlace>, most: u64) -> Result<FeedPage, StoreError>;

    /// Begins another life of the database, after it was restored: all events so far are at the very
    /// beginning of it, and places of before mean nothing.
    async fn begin_feed_anew(&self) -> Result<(), StoreError>;
}

/// The facts of an event without what tells of a person.
pub type Scrub = fn(&str) -> String;

/// What every identifier of an erased subject is called in the history.
pub const ERASED_LABEL: &str = "erased";

/// A subject that no one else can change.
#[async_trait]
pub trait Lock: Send {
    /// Takes rows that subjects share, too, and reads them: in the order of their keys, and the
    /// number's users last, so that two never wait for each other.
    async fn shared(
        &mut self,
        subject: &SubjectId,
        key: &SharedKey,
    ) -> Result<SharedRows, StoreError>;

    /// Writes a change and lets the subject go.
    async fn apply(self: Box<Self>, change: Change) -> Result<Applied, StoreError>;

    /// Writes a change, and in the same commit removes everything else about the subject that tells
    /// of a person: confirmations, request records, the names of identifiers, and from the facts of
    /// each event what `scrub` leaves out of them.
    async fn erase(self: Box<Self>, change: Change, scrub: Scrub) -> Result<Applied, StoreError>;

    /// Lets the subject go, with nothing written.
    async fn release(self: Box<Self>) -> Result<(), StoreError>;
}

/// What keeps a store in order, outside any request.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Whether the database answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// The connections to the database, as of now.
    fn connections(&self) -> Connections;

    /// Compares the keys' check values with those that the database has seen, and notes new keys
    /// of a known installation. The first keys ever are noted as they come.
    async fn check_keys(&self, checks: &[KeyCheck]) -> Result<KeyVerdict, StoreError>;

    /// Deletes what retention ends, in small batches: request records that have lapsed;
    /// confirmations and messages that were created longer than `confirmations_kept` ago, by the
    /// clock that decisions are made with; and budgets that nobody has spent of for two days. One
    /// worker at a time. Returns the number of rows deleted.
    async fn sweep(&self, confirmations_kept: Duration) -> Result<u64, StoreError>;
}

/// How many connections there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Open, in use or not.
    pub open: usize,
    /// In use.
    pub busy: usize,
}

/// Whether a key file belongs to a database.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum KeyVerdict {
    /// It does.
    Belongs,
    /// It is that of another installation: it lacks a key, or one of its keys has another value.
    Foreign {
        /// The key that shows it.
        key_id: String,
    },
}
