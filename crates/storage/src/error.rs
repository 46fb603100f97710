//! What is certain after a failure, and what may be said about it.
//!
//! No text here holds a value of a statement: PostgreSQL's own messages and details may, so of its
//! answers to statements only the code and the names of tables and constraints are kept.

use std::io;

use countersign_mfa::ports::StoreError;
use sea_orm::{
    DbErr, RuntimeErr, SqlxError, SqlxPostgresError, SqlxSqliteError, sqlx::postgres::PgSeverity,
};
use thiserror::Error;

use crate::SchemaState;

/// Why no storage could be had.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The URL names neither PostgreSQL nor SQLite.
    #[error("the database URL must begin with `postgres://` or `sqlite:`")]
    UnknownDatabase,
    /// The URL cannot be read. It is not repeated, since it may hold a password.
    #[error("the database URL cannot be read")]
    Url(#[source] Fault),
    /// An SQLite database in memory, which would be lost, and which several connections cannot
    /// share.
    #[error("an SQLite database must be a file")]
    InMemory,
    /// The file of an SQLite database cannot be created.
    #[error("the database file cannot be created")]
    File(#[source] io::Error),
    /// No connection.
    #[error("the database cannot be reached")]
    Unreachable(#[source] Fault),
    /// PostgreSQL would lose acknowledged changes.
    #[error(
        "PostgreSQL runs with `fsync = off` and would lose acknowledged changes in a crash: switch it on"
    )]
    FsyncOff,
    /// A standby, which cannot be written to and may lag behind.
    #[error("PostgreSQL is in recovery: connect to the primary")]
    InRecovery,
    /// An old PostgreSQL.
    #[error("PostgreSQL {version} is too old: version {least} or later is needed")]
    TooOld {
        /// The server's version.
        version: String,
        /// The oldest that will do.
        least: u32,
    },
    /// A setting that durability rests on did not take.
    #[error("the database does not keep the setting `{name}`: it is `{value}`")]
    SettingRefused {
        /// The setting.
        name: &'static str,
        /// What it is.
        value: String,
    },
    /// The schema is not that of this program.
    #[error("{}", schema_advice(*.0))]
    Schema(SchemaState),
    /// The database failed later on.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const fn schema_advice(state: SchemaState) -> &'static str {
    match state {
        SchemaState::Absent => "the database has no schema yet: run `countersign migrate`",
        SchemaState::Older => {
            "the database has the schema of an earlier version: run `countersign migrate`"
        }
        SchemaState::Current => "the database has the schema of this version",
        SchemaState::Newer => {
            "the database has the schema of a later version: run that version of `countersign`"
        }
        SchemaState::Foreign => {
            "the database holds the schema of another program: name a database of its own, \
             then run `countersign migrate`"
        }
    }
}

/// What went wrong, in words that hold no value of a statement.
#[derive(Clone, Debug, Error)]
#[error("{0}")]
pub struct Fault(String);

impl Fault {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    fn of(error: &DbErr) -> Self {
        match error {
            DbErr::ConnectionAcquire(error) => Self(error.to_string()),
            DbErr::Conn(RuntimeErr::SqlxError(error)) => Self::while_connecting(error),
            DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => Self::of_statement(error),
            // These texts are sea-orm's own, and may hold what it tried to convert.
            _ => Self::new("the answer could not be understood"),
        }
    }

    /// No statement is in play yet, so whatever the server says may be said.
    pub(crate) fn while_connecting(error: &SqlxError) -> Self {
        Self(error.to_string())
    }

    fn of_statement(error: &SqlxError) -> Self {
        match error {
            SqlxError::Database(answer) => {
                if let Some(answer) = answer.try_downcast_ref::<SqlxPostgresError>() {
                    let about = |kind, name: Option<&str>| {
                        name.map_or(String::new(), |name| format!(", {kind} {name}"))
                    };
                    let table = about("table", answer.table());
                    let constraint = about("constraint", answer.constraint());
                    return Self(format!("SQLSTATE {}{table}{constraint}", answer.code()));
                }
                // SQLite's messages name tables, columns and conditions, never values.
                Self(answer.to_string())
            }
            SqlxError::Io(error) => Self(format!("the connection failed: {}", error.kind())),
            SqlxError::Protocol(_) => Self::new("the connection is out of step"),
            SqlxError::WorkerCrashed => Self::new("the database's thread has stopped"),
            SqlxError::PoolTimedOut => Self::new("no connection became free in time"),
            _ => Self::new("the answer could not be understood"),
        }
    }
}

/// What a failure says about the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// It was never sent.
    NotSent,
    /// It was rolled back, for a reason that passes.
    Passing,
    /// It was rolled back, for a reason that stays.
    Refused,
    /// The connection broke: it may have been carried out.
    Broken,
    /// The answer made no sense to the driver.
    Strange,
}

impl Trouble {
    fn of(error: &DbErr) -> Self {
        match error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Self::NotSent,
            DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => Self::of_statement(error),
            _ => Self::Strange,
        }
    }

    fn of_statement(error: &SqlxError) -> Self {
        match error {
            SqlxError::Database(answer) => {
                if let Some(answer) = answer.try_downcast_ref::<SqlxPostgresError>() {
                    return Self::of_postgres(answer);
                }
                match answer.try_downcast_ref::<SqlxSqliteError>() {
                    Some(_) => Self::of_sqlite(answer.code().as_deref()),
                    None => Self::Strange,
                }
            }
            SqlxError::PoolTimedOut | SqlxError::PoolClosed | SqlxError::BeginFailed => {
                Self::NotSent
            }
            SqlxError::Io(_)
            | SqlxError::Tls(_)
            | SqlxError::Protocol(_)
            | SqlxError::WorkerCrashed => Self::Broken,
            _ => Self::Strange,
        }
    }

    fn of_postgres(answer: &SqlxPostgresError) -> Self {
        // An ERROR ends a transaction that was rolled back. FATAL and PANIC end the connection:
        // they may come after the commit, or instead of an answer about it.
        if answer.severity() != PgSeverity::Error {
            return Self::Broken;
        }
        match answer.code().get(..2) {
            // Connection, rollback, resources, state of an object (locks), operator, system; and
            // a transaction that is read only, as on a primary that has become a standby.
            Some("08" | "40" | "53" | "55" | "57" | "58" | "25") => Self::Passing,
            _ => Self::Refused,
        }
    }

    fn of_sqlite(extended_code: Option<&str>) -> Self {
        // The low byte of an extended result code is the primary one.
        match extended_code
            .and_then(|code| code.parse::<i32>().ok())
            .map(|code| code & 0xff)
        {
            // BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL
            Some(5..=10 | 13..=15) => Self::Passing,
            _ => Self::Refused,
        }
    }
}

/// A statement outside any transaction that writes nothing, or one in a transaction that has not
/// been told to commit: whatever failed, nothing is written.
pub(crate) fn nothing_written(error: &DbErr) -> StoreError {
    let source = Fault::of(error).into();
    match Trouble::of(error) {
        Trouble::NotSent | Trouble::Passing | Trouble::Broken => StoreError::Unavailable(source),
        Trouble::Refused | Trouble::Strange => StoreError::Refused(source),
    }
}

/// A statement that is its own transaction.
pub(crate) fn written_or_not(error: &DbErr) -> StoreError {
    match Trouble::of(error) {
        Trouble::NotSent | Trouble::Passing | Trouble::Refused => nothing_written(error),
        Trouble::Broken | Trouble::Strange => StoreError::OutcomeUnknown(Fault::of(error).into()),
    }
}

/// A commit. SQLite's BUSY comes before anything is written; of any other failure the log's last
/// words may have reached the disk.
pub(crate) fn committed_or_not(error: &DbErr) -> StoreError {
    let source = Fault::of(error).into();
    if is_sqlite_busy(error) || Trouble::of(error) == Trouble::NotSent {
        return StoreError::Unavailable(source);
    }
    StoreError::OutcomeUnknown(source)
}

fn is_sqlite_busy(error: &DbErr) -> bool {
    let DbErr::Query(RuntimeErr::SqlxError(error)) = error else {
        return false;
    };
    let SqlxError::Database(answer) = error.as_ref() else {
        return false;
    };
    answer.try_downcast_ref::<SqlxSqliteError>().is_some()
        && answer
            .code()
            .and_then(|code| code.parse::<i32>().ok())
            .is_some_and(|code| code & 0xff == 5)
}

/// The failure of a call that took longer than we wait.
pub(crate) fn too_slow() -> DbErr {
    let error = io::Error::from(io::ErrorKind::TimedOut);
    DbErr::Query(RuntimeErr::SqlxError(SqlxError::Io(error).into()))
}
