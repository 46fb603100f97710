//! Everything in which the two databases differ, and all SQL on the hot path.
//!
//! `postgres` and `sqlite` have the same functions; `postgres` has those for batches besides, which
//! `desks` serves. Statements are constant text, so that each connection prepares them once and
//! finds them again. SQLite reads `$1` as PostgreSQL does, but changes nothing inside a query: what
//! is one statement there is several here.

pub(crate) mod postgres;
pub(crate) mod sqlite;
mod warm;

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use countersign_mfa::ports::{
    Applied, Change, LoadKey,
    sms::{MessageState, NumberUse},
};
use countersign_primitives::{ExposeSecret, SubjectId, Timestamp};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, Value,
    sea_query::ColumnDef,
};

pub(crate) use self::warm::Warm;
use crate::{ConnectError, Settings};

/// The statements of a check on PostgreSQL, for a benchmark that runs them without the product.
pub mod hot {
    /// Reads the rows of several moments. Its parameters are arrays: `load_all` has them.
    pub const LOAD_ALL: &str = super::postgres::LOAD_ALL;
    /// Writes several changes. Its parameters are arrays: `apply_all` has them.
    pub const APPLY_ALL: &str = super::postgres::APPLY_ALL;
}

/// How many rows a sweep deletes in one commit: few enough that nobody waits for it.
pub(crate) const SWEEP_BATCH: u64 = 500;

/// Which of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// How a table is used, for what the databases can do about it.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// Rows that are updated again and again.
    OftenUpdated,
    /// Short rows with a long key.
    ShortRows,
}

/// What retention ends.
#[derive(Clone, Copy)]
pub(crate) enum Sweep {
    /// Records of requests, when they lapse.
    Requests,
    /// Confirmations, from when they were created.
    Confirmations,
    /// Messages, from when they were queued.
    Messages,
    /// Budgets, from when they were last spent of, or closed.
    Spend,
}

/// What only one may do at a time, over all gateways of a database.
#[derive(Clone, Copy)]
pub(crate) enum Chore {
    Migrate,
    CheckKeys,
}

/// Connections to one database.
pub(crate) struct Connections {
    /// For reading; with PostgreSQL for everything but the hot path.
    pub(crate) read: DatabaseConnection,
    /// For writing: SQLite's one, or the same as `read`.
    pub(crate) write: DatabaseConnection,
    /// For the hot path, with PostgreSQL.
    pub(crate) warm: Option<Warm>,
}

/// What connections are opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenFor {
    /// Requests.
    Service,
    /// Changing the schema, which may take its time and may make the database.
    Migration,
}

/// Placeholders of a load, in both dialects: subject, confirmation, caller, method, request.
macro_rules! load {
    ($now:literal) => {
        concat!(
            "SELECT ",
            $now,
            " AS now, s.version, s.updated_at, s.secrets, s.counters, c.body, ",
            "r.mac, r.answer, r.expires_at ",
            "FROM (SELECT 1) AS one ",
            "LEFT JOIN subject AS s ON s.subject_id = $1 ",
            "LEFT JOIN confirmation AS c ON c.subject_id = $1 AND c.confirmation_id = $2 ",
            "LEFT JOIN request AS r ON r.subject_id = $1 AND r.caller = $3 AND r.method = $4 ",
            "AND r.request_id = $5"
        )
    };
}
use load;

impl Dialect {
    pub(crate) fn of(backend: DbBackend) -> Self {
        match backend {
            DbBackend::Sqlite => Self::Sqlite,
            _ => Self::Postgres,
        }
    }

    pub(crate) fn of_url(settings: &Settings) -> Result<Self, ConnectError> {
        let url = settings.url.expose_secret();
        if url.starts_with("sqlite:") {
            Ok(Self::Sqlite)
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Ok(Self::Postgres)
        } else {
            Err(ConnectError::UnknownDatabase)
        }
    }

    /// Whether the load brings the database's own time.
    pub(crate) const fn has_clock(self) -> bool {
        matches!(self, Self::Postgres)
    }

    /// Connects, and checks that acknowledged changes will be kept.
    pub(crate) async fn open(
        self,
        settings: &Settings,
        purpose: OpenFor,
    ) -> Result<Connections, ConnectError> {
        match self {
            Self::Sqlite => sqlite::open(settings, purpose).await,
            Self::Postgres => postgres::open(settings, purpose).await,
        }
    }

    /// The one statement that reads the rows of a moment.
    pub(crate) fn load(self, key: &LoadKey) -> Statement {
        let request = key.request.as_ref();
        let values: [Value; 5] = [
            key.subject.as_str().into(),
            key.confirmation.map(|id| id.as_bytes().to_vec()).into(),
            request
                .map(|request| request.caller.as_str().to_owned())
                .into(),
            request
                .map(|request| request.method.name().to_owned())
                .into(),
            request.map(|request| request.id.as_bytes().to_vec()).into(),
        ];
        match self {
            Self::Sqlite => statement(DbBackend::Sqlite, sqlite::LOAD, values),
            Self::Postgres => statement(DbBackend::Postgres, postgres::LOAD, values),
        }
    }

    /// Writes a change under its guard, inside a transaction. With SQLite that is several
    /// statements.
    pub(crate) async fn write(
        self,
        connection: &impl ConnectionTrait,
        change: &Change,
    ) -> Result<Applied, DbErr> {
        match self {
            Self::Sqlite => sqlite::write(connection, change).await,
            Self::Postgres => {
                let row = connection.query_one_raw(postgres::apply(change)).await?;
                Ok(postgres::outcome(row.as_ref()))
            }
        }
    }

    /// Begins a transaction that can write. With SQLite it has the write lock from the start, so
    /// that what it reads is what it will write on.
    pub(crate) async fn begin(
        self,
        connection: &DatabaseConnection,
    ) -> Result<DatabaseTransaction, DbErr> {
        let mode = match self {
            Self::Sqlite => Some(SqliteTransactionMode::Immediate),
            Self::Postgres => None,
        };
        connection
            .begin_with_options(TransactionOptions {
                sqlite_transaction_mode: mode,
                ..Default::default()
            })
            .await
    }

    /// Takes the subject's row until the transaction ends.
    pub(crate) async fn take_subject(
        self,
        transaction: &DatabaseTransaction,
        subject: &SubjectId,
    ) -> Result<(), DbErr> {
        match self {
            // The transaction has the whole database.
            Self::Sqlite => Ok(()),
            Self::Postgres => postgres::take_subject(transaction, subject).await,
        }
    }

    /// Waits until no one else is at the same chore, until the transaction ends.
    pub(crate) async fn take_chore(
        self,
        transaction: &DatabaseTransaction,
        chore: Chore,
    ) -> Result<(), DbErr> {
        match self {
            Self::Sqlite => Ok(()),
            Self::Postgres => postgres::take_chore(transaction, chore).await,
        }
    }

    /// Deletes a batch of what was over `kept` ago, by the given clock or the database's. Fewer
    /// than [`SWEEP_BATCH`] when no more are left, or when another worker is at it.
    pub(crate) async fn sweep(
        self,
        connection: &DatabaseConnection,
        what: Sweep,
        now: Option<Timestamp>,
        kept: Duration,
    ) -> Result<u64, DbErr> {
        let now = now.map(Timestamp::as_millis);
        let kept = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
        match self {
            Self::Sqlite => {
                let before = now.map(|now| now.saturating_sub(kept));
                sqlite::sweep(connection, what, before).await
            }
            Self::Postgres => postgres::sweep(connection, what, now, kept).await,
        }
    }

    /// Makes a column of text compare byte by byte, as ids must, whatever the database's locale
    /// is. SQLite's text does so by itself.
    pub(crate) fn exact_text(self, column: &mut ColumnDef) -> &mut ColumnDef {
        match self {
            Self::Sqlite => column,
            Self::Postgres => column.extra("COLLATE \"C\""),
        }
    }

    /// What is said about a table when it is made.
    pub(crate) const fn table_options(self, shape: Shape) -> Option<&'static str> {
        match (self, shape) {
            // Room on each page for the next version of a row, so that an update stays on its page
            // and touches no index (HOT).
            (Self::Postgres, Shape::OftenUpdated) => Some("WITH (fillfactor = 60)"),
            // The key is not stored a second time in an index. For longer rows that would cost
            // more than it saves, since SQLite moves them to overflow pages earlier.
            (Self::Sqlite, Shape::ShortRows) => Some("WITHOUT ROWID"),
            (Self::Postgres, Shape::ShortRows) | (Self::Sqlite, Shape::OftenUpdated) => None,
        }
    }
}

pub(crate) fn statement(
    backend: DbBackend,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(backend, sql, values)
}

/// The names of the states from which a message may become this.
fn may_become(next: MessageState) -> impl Iterator<Item = &'static str> {
    let states = MessageState::ALL.into_iter();
    states
        .filter(move |state| state.may_become(next))
        .map(MessageState::name)
}

/// The numbers that a subject uses and does not use after these changes, each in one of the two.
fn net(changes: &[NumberUse]) -> (Vec<[u8; 32]>, Vec<[u8; 32]>) {
    let mut is_used = BTreeMap::new();
    for change in changes {
        match change {
            NumberUse::Begin(number) => {
                is_used.insert(*number, true);
            }
            NumberUse::End(numbers) => is_used.extend(numbers.iter().map(|n| (*n, false))),
        }
    }
    let all = is_used.into_iter();
    let (begun, ended): (Vec<_>, Vec<_>) = all.partition(|(_, is_used)| *is_used);
    let numbers = |of: Vec<([u8; 32], bool)>| of.into_iter().map(|(number, _)| number).collect();
    (numbers(begun), numbers(ended))
}

/// Bytes in a text, since JSON has none.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Any number of numbers as one value; `None` for none.
pub(crate) fn hex_list(numbers: &[[u8; 32]]) -> Option<String> {
    if numbers.is_empty() {
        return None;
    }
    let numbers = numbers.iter().map(|number| hex(number).into());
    Some(serde_json::Value::Array(numbers.collect()).to_string())
}
