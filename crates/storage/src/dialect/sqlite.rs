//! SQLite: several statements per change, guard first, and the settings that make commits last.

mod sms;

#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt;
use std::{fs::OpenOptions, io, path::Path};

use countersign_mfa::ports::{self, Applied, Change};
use countersign_primitives::ExposeSecret;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, SqlxError, SqlxSqliteConnector, Value,
    sqlx::{
        self, ConnectOptions, Connection, Row, SqliteConnection,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    },
};

use super::{Connections, OpenFor, SWEEP_BATCH, Sweep, load, statement};
use crate::{ConnectError, SchemaState, Settings, error::Fault, rows::state_name};

pub(super) const LOAD: &str = load!("NULL");

const GUARD_OF_ROW: &str = "UPDATE subject SET version = version + 1, \
     updated_at = max(updated_at, $2), secrets = coalesce($3, secrets), counters = $4 \
     WHERE subject_id = $1 AND version = $5 RETURNING version";

const GUARD_OF_FIRST: &str = "INSERT INTO subject \
     (subject_id, version, updated_at, secrets, counters) VALUES ($1, 1, $2, $3, $4) \
     ON CONFLICT (subject_id) DO NOTHING RETURNING version";

const CONFIRMATION: &str = "INSERT INTO confirmation \
     (subject_id, confirmation_id, created_at, state, body) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (subject_id, confirmation_id) \
     DO UPDATE SET state = excluded.state, body = excluded.body";

/// There is one writer, so the next place in the feed is the next number.
const EVENT: &str = "INSERT INTO event (subject_id, version, at, caller, method, facts, place) \
     VALUES ($1, $2, $3, $4, $5, $6, (SELECT coalesce(max(place), 0) + 1 FROM event))";

/// A record that has lapsed is replaced.
const REQUEST: &str = "INSERT INTO request \
     (subject_id, caller, method, request_id, mac, answer, expires_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) \
     ON CONFLICT (subject_id, caller, method, request_id) DO UPDATE \
     SET mac = excluded.mac, answer = excluded.answer, expires_at = excluded.expires_at";

const IDENTIFIER: &str = "INSERT INTO identifier \
     (subject_id, identifier_id, kind, label, state, created_at, enabled_at, disabled_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
     ON CONFLICT (subject_id, identifier_id) DO UPDATE \
     SET label = excluded.label, state = excluded.state, enabled_at = excluded.enabled_at, \
     disabled_at = excluded.disabled_at";

const SWEEP_REQUESTS: &str = "DELETE FROM request \
     WHERE (subject_id, caller, method, request_id) IN \
     (SELECT subject_id, caller, method, request_id FROM request WHERE expires_at <= $1 LIMIT $2)";

const SWEEP_CONFIRMATIONS: &str = "DELETE FROM confirmation \
     WHERE (subject_id, confirmation_id) IN \
     (SELECT subject_id, confirmation_id FROM confirmation WHERE created_at <= $1 LIMIT $2)";

const SWEEP_MESSAGES: &str = "DELETE FROM message WHERE (subject_id, message_id) IN \
     (SELECT subject_id, message_id FROM message WHERE created_at <= $1 LIMIT $2)";

const SWEEP_SPEND: &str = "DELETE FROM spend WHERE (scope, slot) IN (SELECT scope, slot FROM spend \
     WHERE max(updated_at, coalesce(closed_until, updated_at)) <= $1 LIMIT $2)";

pub(super) async fn write(
    connection: &impl ConnectionTrait,
    change: &Change,
) -> Result<Applied, DbErr> {
    let subject = || Value::from(change.subject.as_str());
    let mut values: Vec<Value> = vec![
        subject(),
        change.now.as_millis().into(),
        change.secrets.clone().into(),
        change.counters.clone().into(),
    ];
    let guard = match change.from_version {
        Some(version) => {
            values.push(version.into());
            GUARD_OF_ROW
        }
        None => GUARD_OF_FIRST,
    };
    let guard = statement(DbBackend::Sqlite, guard, values);
    let Some(row) = connection.query_one_raw(guard).await? else {
        return Ok(Applied::GuardMissed);
    };
    let version: i64 = row.try_get("", "version")?;

    if let Some(confirmation) = &change.confirmation {
        let values = [
            subject(),
            confirmation.id.as_bytes().to_vec().into(),
            confirmation.created_at.as_millis().into(),
            confirmation.state.into(),
            confirmation.body.clone().into(),
        ];
        connection
            .execute_raw(statement(DbBackend::Sqlite, CONFIRMATION, values))
            .await?;
    }
    let event = [
        subject(),
        version.into(),
        change.now.as_millis().into(),
        change.event.caller.as_str().into(),
        change.event.method.name().into(),
        change.event.facts.as_str().into(),
    ];
    connection
        .execute_raw(statement(DbBackend::Sqlite, EVENT, event))
        .await?;
    if let Some(request) = &change.request {
        let values = [
            subject(),
            request.key.caller.as_str().into(),
            request.key.method.name().into(),
            request.key.id.as_bytes().to_vec().into(),
            request.record.mac.clone().into(),
            request.record.answer.clone().into(),
            request.expires_at.as_millis().into(),
        ];
        connection
            .execute_raw(statement(DbBackend::Sqlite, REQUEST, values))
            .await?;
    }
    for binding in &change.bindings {
        let values = [
            subject(),
            binding.id.as_bytes().to_vec().into(),
            binding.kind.name().into(),
            binding.label.as_str().into(),
            state_name(binding.state).into(),
            binding.created_at.as_millis().into(),
            binding.enabled_at.as_millis().into(),
            binding.disabled_at.map(|at| at.as_millis()).into(),
        ];
        connection
            .execute_raw(statement(DbBackend::Sqlite, IDENTIFIER, values))
            .await?;
    }
    if let Some(sms) = &change.sms {
        sms::write(connection, change, sms).await?;
    }
    Ok(Applied::Written)
}

pub(super) async fn sweep(
    connection: &DatabaseConnection,
    what: Sweep,
    before: Option<i64>,
) -> Result<u64, DbErr> {
    let sql = match what {
        Sweep::Requests => SWEEP_REQUESTS,
        Sweep::Confirmations => SWEEP_CONFIRMATIONS,
        Sweep::Messages => SWEEP_MESSAGES,
        Sweep::Spend => SWEEP_SPEND,
    };
    let values = [before.into(), SWEEP_BATCH.into()];
    let result = connection
        .execute_raw(statement(DbBackend::Sqlite, sql, values))
        .await?;
    Ok(result.rows_affected())
}

/// The connections of a pool.
pub(crate) fn pooled(pool: &DatabaseConnection) -> ports::Connections {
    let pool = pool.get_sqlite_connection_pool();
    // A connection may come and go between the two looks.
    let open = usize::try_from(pool.size()).unwrap_or(0);
    let busy = open.saturating_sub(pool.num_idle());
    ports::Connections { open, busy }
}

/// Where the file is.
pub(crate) fn options(settings: &Settings) -> Result<SqliteConnectOptions, ConnectError> {
    let url = settings.url.expose_secret();
    let options = url
        .parse::<SqliteConnectOptions>()
        .map_err(|error| ConnectError::Url(Fault::while_connecting(&error)))?;
    let name = options.get_filename();
    // An empty name is a temporary database of SQLite's.
    if url.contains(":memory:") || url.contains("mode=memory") || name.as_os_str().is_empty() {
        return Err(ConnectError::InMemory);
    }
    Ok(options)
}

pub(super) async fn open(
    settings: &Settings,
    purpose: OpenFor,
) -> Result<Connections, ConnectError> {
    let options = options(settings)?;
    let name = options.get_filename();
    match purpose {
        OpenFor::Migration => create_private(name).map_err(ConnectError::File)?,
        OpenFor::Service if !name.exists() => {
            return Err(ConnectError::Schema(SchemaState::Absent));
        }
        OpenFor::Service => {}
    }
    let options = options
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // For other processes, such as `countersign admin`; in this one there is one writer.
        .busy_timeout(settings.statement_timeout)
        .disable_statement_logging();

    // Only the first connection finds the journal in another mode than it sets.
    let mut first = options.connect().await.map_err(unreachable)?;
    let fitness = check(&mut first).await.map_err(unreachable)?;
    // Closing the last connection folds the log into the database, so it is closed in full.
    first.close().await.map_err(unreachable)?;
    fitness?;

    let pool = |connections: u32, options: SqliteConnectOptions| {
        let pool = SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(settings.connect_timeout)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .after_release(|connection, _| {
                Box::pin(async move {
                    // After a failure SQLite may have ended the transaction by itself, and the
                    // driver still counts it as open. The next one would then be a savepoint
                    // inside nothing, and its commit no commit.
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
            .connect_lazy_with(options);
        SqlxSqliteConnector::from_sqlx_sqlite_pool(pool)
    };
    Ok(Connections {
        read: pool(
            settings.max_connections,
            options.clone().pragma("query_only", "on"),
        ),
        write: pool(1, options),
        warm: None,
    })
}

fn unreachable(error: SqlxError) -> ConnectError {
    ConnectError::Unreachable(Fault::while_connecting(&error))
}

/// Makes the file, for its owner alone, if there is none. SQLite gives the log and the index
/// beside it the same mode.
fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// A file system without shared memory, for one, cannot have WAL.
async fn check(connection: &mut SqliteConnection) -> Result<Result<(), ConnectError>, SqlxError> {
    let journal: String = sqlx::query("PRAGMA journal_mode")
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    if journal != "wal" {
        return Ok(Err(ConnectError::SettingRefused {
            name: "journal_mode",
            value: journal,
        }));
    }
    let synchronous: i64 = sqlx::query("PRAGMA synchronous")
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    if synchronous != 2 {
        let value = synchronous.to_string();
        return Ok(Err(ConnectError::SettingRefused {
            name: "synchronous",
            value,
        }));
    }
    Ok(Ok(()))
}
