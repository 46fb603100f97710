//! What a database is like, for an operator who asks before something goes wrong. Nothing is
//! written, and nothing is set for anybody else.

mod postgres;
mod sms;
mod sqlite;

use std::{path::PathBuf, time::Duration};

use countersign_mfa::ports::{KeyCheck, StoreError};
use sea_orm::{DatabaseConnection, EntityTrait};

use crate::{
    ConnectError, SchemaState, Settings, Storage, dialect::Dialect, entities::key_check,
    error::nothing_written, schema, storage::within, upkeep,
};

pub use self::sms::SmsFound;

/// What a database is like.
#[derive(Debug)]
pub struct Examination {
    /// The program that keeps the data, and how it is set.
    pub engine: Engine,
    /// Its schema; an error too where steps are noted and tables are missing.
    pub schema: Result<SchemaState, StoreError>,
    /// Whether the keys belong to it; `None` where it has no schema that could say so, or where no
    /// keys were given.
    pub keys: Option<Result<KeysFound, StoreError>>,
    /// Messages that wait, and prefixes that are closed; `None` where the schema is another one.
    pub sms: Option<Result<SmsFound, StoreError>>,
}

/// The program that keeps the data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Engine {
    Postgres(PostgresFound),
    Sqlite(SqliteFound),
}

/// How a PostgreSQL server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresFound {
    /// Its version, as it says it.
    pub version: String,
    /// The first number of it.
    pub major: u32,
    /// Whether commits reach the disk at all.
    pub fsync: bool,
    /// What the setting is after our sessions have set it to `on`.
    pub synchronous_commit: String,
    /// Whether a page that was half written in a crash can be mended.
    pub full_page_writes: bool,
    /// Whether it is a standby.
    pub is_in_recovery: bool,
    /// How many connections there are for our role and database.
    pub most_connections: u32,
    /// How far its clock is ahead of this machine's, in milliseconds.
    pub clock_ahead_millis: i64,
    /// How long it takes to ask it something.
    pub round_trips: RoundTrips,
}

/// How an SQLite file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteFound {
    /// The version of SQLite.
    pub version: String,
    /// Where it is.
    pub file: PathBuf,
    /// Whether changes go to a log beside it.
    pub is_wal: bool,
    /// What the setting is after our connections have set it to 2, `FULL`.
    pub synchronous: i64,
}

/// How long a few questions took, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTrips {
    /// How many there were.
    pub count: usize,
    /// Half of them took no longer.
    pub median: Duration,
    /// None of them took longer.
    pub worst: Duration,
}

/// What a database says to a key file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysFound {
    /// It is the right one.
    Belongs {
        /// How many keys the database has noted; none before the first start.
        noted: usize,
        /// How many of the file it would note at the next start.
        new: usize,
    },
    /// It is that of another installation.
    Foreign {
        /// The key that shows it.
        key_id: String,
    },
}

impl Storage {
    /// The oldest version of PostgreSQL that will do.
    pub const LEAST_POSTGRES: u32 = crate::dialect::postgres::LEAST_VERSION;

    /// Looks at a database, whatever state it is in, and changes nothing.
    ///
    /// # Errors
    /// [`ConnectError`] where there is nothing to look at: no server, no file, no way in.
    pub async fn examine(
        settings: &Settings,
        keys: Option<&[KeyCheck]>,
    ) -> Result<Examination, ConnectError> {
        let (engine, connection) = match Dialect::of_url(settings)? {
            Dialect::Sqlite => {
                let (found, connection) = sqlite::examine(settings).await?;
                (Engine::Sqlite(found), connection)
            }
            Dialect::Postgres => {
                let (found, connection) = postgres::examine(settings).await?;
                (Engine::Postgres(found), connection)
            }
        };
        let patience = settings.patience();
        let schema = schema_of(&connection, patience).await;
        let keys = match (&schema, keys) {
            (Ok(SchemaState::Current | SchemaState::Newer), Some(keys)) => {
                Some(compare(&connection, patience, keys).await)
            }
            _ => None,
        };
        let sms = match schema {
            Ok(SchemaState::Current) => Some(sms::examine(&connection, patience).await),
            _ => None,
        };
        // Whatever was found, the connection has served its purpose.
        let _ = connection.close().await;
        Ok(Examination {
            engine,
            schema,
            keys,
            sms,
        })
    }
}

async fn schema_of(
    connection: &DatabaseConnection,
    patience: Duration,
) -> Result<SchemaState, StoreError> {
    let state = within(patience, schema::state(connection)).await;
    let state = state.map_err(|error| nothing_written(&error))?;
    if state == SchemaState::Current {
        within(patience, schema::probe(connection))
            .await
            .map_err(|error| nothing_written(&error))?;
    }
    Ok(state)
}

async fn compare(
    connection: &DatabaseConnection,
    patience: Duration,
    keys: &[KeyCheck],
) -> Result<KeysFound, StoreError> {
    let noted = within(patience, key_check::Entity::find().all(connection))
        .await
        .map_err(|error| nothing_written(&error))?;
    if let Some(unlike) = upkeep::unlike(&noted, keys) {
        let key_id = unlike.key_id.clone();
        return Ok(KeysFound::Foreign { key_id });
    }
    Ok(KeysFound::Belongs {
        noted: noted.len(),
        new: upkeep::unknown(&noted, keys).count(),
    })
}
