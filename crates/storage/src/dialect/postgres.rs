//! PostgreSQL: one statement per change, and what a connection must be before it is used.

use std::time::Duration;

use countersign_mfa::ports::{self, Applied, Change, LoadKey};
use countersign_primitives::{ExposeSecret, SubjectId};
use countersign_security_identifiers::Binding;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, QueryResult,
    SqlxError, SqlxPostgresConnector, Statement, Value,
    sqlx::{
        self, ConnectOptions, Connection, Executor, PgConnection, Postgres, Row,
        postgres::{PgArguments, PgConnectOptions, PgPoolOptions},
        query::Query,
    },
};

pub(super) use self::sweep::sweep;
use super::{Chore, Connections, OpenFor, load, statement, warm::Warm};
use crate::{ConnectError, Settings, error::Fault, rows::state_name};

/// The oldest version that is tested.
pub(crate) const LEAST_VERSION: u32 = 15;
/// A connection that was idle for so long is tried before it is used: a firewall or a restart
/// may have ended it. Trying each time would cost every request a round trip.
pub(super) const TRY_IF_IDLE_FOR: Duration = Duration::from_secs(10);
/// Connections are renewed now and then, so that those of a failover find their way back.
pub(super) const LONGEST_LIFE: Duration = Duration::from_secs(30 * 60);

pub(super) const LOAD: &str = load!("floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint");

/// The guard is `g`, and all else hangs on it: where it finds no row, nothing is written. A
/// request record that has lapsed is replaced. The event has no place before that of the one that it
/// follows: `feed` says when it would have.
/// `$more` is what hangs on the guard besides.
macro_rules! apply {
    ($guard:expr, $more:expr) => {
        concat!(
            "WITH g AS (", $guard, " RETURNING version), ",
            "c AS (INSERT INTO confirmation (subject_id, confirmation_id, created_at, state, body) ",
            "SELECT $1, $8, $9, $10, $11 FROM g WHERE $8 IS NOT NULL ",
            "ON CONFLICT (subject_id, confirmation_id) ",
            "DO UPDATE SET state = EXCLUDED.state, body = EXCLUDED.body), ",
            "e AS (INSERT INTO event (subject_id, version, at, caller, method, facts, place) ",
            "SELECT $1, g.version, $2, $5, $6, $7, GREATEST(pg_current_xact_id()::text::bigint, ",
            "(SELECT last.place FROM event AS last ",
            "WHERE last.subject_id = $1 AND last.version = g.version - 1)) FROM g), ",
            "r AS (INSERT INTO request ",
            "(subject_id, caller, method, request_id, mac, answer, expires_at) ",
            "SELECT $1, $12, $13, $14, $15, $16, $17 FROM g WHERE $14 IS NOT NULL ",
            "ON CONFLICT (subject_id, caller, method, request_id) DO UPDATE ",
            "SET mac = EXCLUDED.mac, answer = EXCLUDED.answer, expires_at = EXCLUDED.expires_at), ",
            "b AS (INSERT INTO identifier ",
            "(subject_id, identifier_id, kind, label, state, created_at, enabled_at, disabled_at) ",
            "SELECT $1, uuid_send(i.id), i.kind, i.label, i.state, i.created_at, i.enabled_at, ",
            "i.disabled_at FROM g, json_to_recordset($18::json) AS i (id uuid, kind text, ",
            "label text, state text, created_at bigint, enabled_at bigint, disabled_at bigint) ",
            "ON CONFLICT (subject_id, identifier_id) DO UPDATE ",
            "SET label = EXCLUDED.label, state = EXCLUDED.state, ",
            "enabled_at = EXCLUDED.enabled_at, disabled_at = EXCLUDED.disabled_at) ",
            $more,
            "SELECT version FROM g"
        )
    };
}

/// The guard of a subject that has a row, whose version is the last parameter.
macro_rules! guard_of_row {
    ($version:literal) => {
        concat!(
            "UPDATE subject SET version = version + 1, updated_at = GREATEST(updated_at, $2), ",
            "secrets = COALESCE($3, secrets), counters = $4 WHERE subject_id = $1 AND version = ",
            $version
        )
    };
}

macro_rules! guard_of_first {
    () => {
        "INSERT INTO subject (subject_id, version, updated_at, secrets, counters) \
         VALUES ($1, 1, $2, $3, $4) ON CONFLICT (subject_id) DO NOTHING"
    };
}

mod sms;
mod sweep;

const APPLY_TO_ROW: &str = apply!(guard_of_row!("$19"), "");
const APPLY_FIRST: &str = apply!(guard_of_first!(), "");

/// As [`LOAD`], for several keys at once. `n` is the place of the key, from 1.
pub(super) const LOAD_ALL: &str = concat!(
    "SELECT k.n, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now, ",
    "s.version, s.updated_at, s.secrets, s.counters, c.body, r.mac, r.answer, r.expires_at ",
    "FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::bytea[]) WITH ORDINALITY ",
    "AS k (subject_id, confirmation_id, caller, method, request_id, n) ",
    "LEFT JOIN subject AS s ON s.subject_id = k.subject_id ",
    "LEFT JOIN confirmation AS c ON c.subject_id = k.subject_id ",
    "AND c.confirmation_id = k.confirmation_id ",
    "LEFT JOIN request AS r ON r.subject_id = k.subject_id AND r.caller = k.caller ",
    "AND r.method = k.method AND r.request_id = k.request_id"
);

/// As [`APPLY_TO_ROW`], for several subjects at once, each under its own guard: what hangs on a
/// guard comes from its `RETURNING`. Whoever waits for a row that another gateway is writing would
/// hold up all others, and two gateways could wait for each other: such a row counts as a guard
/// that was missed, which is what the other's commit makes of it. `n` is the place of a change that
/// was written, from 1.
pub(super) const APPLY_ALL: &str = concat!(
    "WITH k AS MATERIALIZED (SELECT s.subject_id AS found, k.* FROM unnest(",
    "$1::text[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[], $6::text[], $7::text[], ",
    "$8::text[], $9::bytea[], $10::bigint[], $11::text[], $12::bytea[], $13::bytea[], ",
    "$14::bytea[], $15::bytea[], $16::bigint[]) WITH ORDINALITY AS k (subject_id, from_version, ",
    "at, secrets, counters, caller, method, facts, confirmation_id, created_at, state, body, ",
    "request_id, mac, answer, expires_at, n) ",
    "JOIN subject AS s ON s.subject_id = k.subject_id AND s.version = k.from_version ",
    "FOR NO KEY UPDATE OF s SKIP LOCKED), ",
    "g AS (UPDATE subject AS s SET version = s.version + 1, ",
    "updated_at = GREATEST(s.updated_at, k.at), secrets = COALESCE(k.secrets, s.secrets), ",
    "counters = k.counters FROM k WHERE s.subject_id = k.found AND s.version = k.from_version ",
    "RETURNING k.*, s.version), ",
    "c AS (INSERT INTO confirmation (subject_id, confirmation_id, created_at, state, body) ",
    "SELECT subject_id, confirmation_id, created_at, state, body FROM g ",
    "WHERE confirmation_id IS NOT NULL ON CONFLICT (subject_id, confirmation_id) ",
    "DO UPDATE SET state = EXCLUDED.state, body = EXCLUDED.body), ",
    "e AS (INSERT INTO event (subject_id, version, at, caller, method, facts) ",
    "SELECT subject_id, version, at, caller, method, facts FROM g), ",
    "r AS (INSERT INTO request ",
    "(subject_id, caller, method, request_id, mac, answer, expires_at) ",
    "SELECT subject_id, caller, method, request_id, mac, answer, expires_at FROM g ",
    "WHERE request_id IS NOT NULL ON CONFLICT (subject_id, caller, method, request_id) ",
    "DO UPDATE SET mac = EXCLUDED.mac, answer = EXCLUDED.answer, ",
    "expires_at = EXCLUDED.expires_at) ",
    "SELECT n FROM g"
);

const TAKE_SUBJECT: &str = "SELECT version FROM subject WHERE subject_id = $1 FOR UPDATE";

/// Waits for it.
const TAKE_CHORE: &str = "SELECT pg_advisory_xact_lock($1)";

/// Numbers of advisory locks, which share one space with whatever else uses the database: the
/// upper half spells `csgn`.
const LOCKS: i64 = 0x6373_676e_0000_0000;

const fn lock_of(chore: Chore) -> i64 {
    match chore {
        Chore::Migrate => LOCKS + 1,
        Chore::CheckKeys => LOCKS + 2,
    }
}

/// The one statement that writes a change.
pub(crate) fn apply(change: &Change) -> Statement {
    let confirmation = change.confirmation.as_ref();
    let request = change.request.as_ref();
    let mut values: Vec<Value> = vec![
        change.subject.as_str().into(),
        change.now.as_millis().into(),
        change.secrets.clone().into(),
        change.counters.clone().into(),
        change.event.caller.as_str().into(),
        change.event.method.name().into(),
        change.event.facts.as_str().into(),
        confirmation.map(|c| c.id.as_bytes().to_vec()).into(),
        confirmation.map(|c| c.created_at.as_millis()).into(),
        confirmation.map(|c| c.state.to_owned()).into(),
        confirmation.map(|c| c.body.clone()).into(),
        request.map(|r| r.key.caller.as_str().to_owned()).into(),
        request.map(|r| r.key.method.name().to_owned()).into(),
        request.map(|r| r.key.id.as_bytes().to_vec()).into(),
        request.map(|r| r.record.mac.clone()).into(),
        request.map(|r| r.record.answer.clone()).into(),
        request.map(|r| r.expires_at.as_millis()).into(),
        as_json(&change.bindings).into(),
    ];
    let (to_row, first) = match &change.sms {
        Some(sms) => {
            values.extend(sms::values(sms));
            (sms::APPLY_TO_ROW, sms::APPLY_FIRST)
        }
        None => (APPLY_TO_ROW, APPLY_FIRST),
    };
    let sql = match change.from_version {
        Some(version) => {
            values.push(version.into());
            to_row
        }
        None => first,
    };
    statement(DbBackend::Postgres, sql, values)
}

/// Reads the rows of several keys.
pub(crate) fn load_all(keys: &[LoadKey]) -> PgQuery<'_> {
    let requests = || keys.iter().map(|key| key.request.as_ref());
    sqlx::query(LOAD_ALL)
        .bind(each(keys, |key| key.subject.as_str()))
        .bind(each(keys, |key| {
            key.confirmation.as_ref().map(|id| id.as_bytes().as_slice())
        }))
        .bind(some(requests(), |request| request.caller.as_str()))
        .bind(some(requests(), |request| request.method.name()))
        .bind(some(requests(), |request| request.id.as_bytes().as_slice()))
}

/// Whether a change can be written together with others: it has a row to guard, and touches only
/// the tables that every check touches.
pub(crate) fn is_common(change: &Change) -> bool {
    let is_by_its_caller = change.request.as_ref().is_none_or(|request| {
        request.key.caller == change.event.caller && request.key.method == change.event.method
    });
    change.from_version.is_some()
        && change.bindings.is_empty()
        && change.sms.is_none()
        && is_by_its_caller
}

/// Writes several changes that are [common](is_common).
pub(crate) fn apply_all(changes: &[Change]) -> PgQuery<'_> {
    let confirmations = || changes.iter().map(|change| change.confirmation.as_ref());
    let requests = || changes.iter().map(|change| change.request.as_ref());
    sqlx::query(APPLY_ALL)
        .bind(each(changes, |change| change.subject.as_str()))
        .bind(each(changes, |change| change.from_version))
        .bind(each(changes, |change| change.now.as_millis()))
        .bind(each(changes, |change| change.secrets.as_deref()))
        .bind(each(changes, |change| change.counters.as_slice()))
        .bind(each(changes, |change| change.event.caller.as_str()))
        .bind(each(changes, |change| change.event.method.name()))
        .bind(each(changes, |change| change.event.facts.as_str()))
        .bind(some(confirmations(), |it| it.id.as_bytes().as_slice()))
        .bind(some(confirmations(), |it| it.created_at.as_millis()))
        .bind(some(confirmations(), |it| it.state))
        .bind(some(confirmations(), |it| it.body.as_slice()))
        .bind(some(requests(), |it| it.key.id.as_bytes().as_slice()))
        .bind(some(requests(), |it| it.record.mac.as_slice()))
        .bind(some(requests(), |it| it.record.answer.as_slice()))
        .bind(some(requests(), |it| it.expires_at.as_millis()))
}

/// One parameter: an array of what each item has.
fn each<'a, I, T>(items: &'a [I], part: impl FnMut(&'a I) -> T) -> Vec<T> {
    items.iter().map(part).collect()
}

/// One parameter: an array of what those items have that have it.
fn some<'a, P: 'a, T>(
    parts: impl Iterator<Item = Option<&'a P>>,
    value: impl Fn(&'a P) -> T,
) -> Vec<Option<T>> {
    parts.map(|part| part.map(&value)).collect()
}

/// The statement that writes one change of any sort.
pub(crate) fn apply_one(change: &Change) -> Result<PgQuery<'static>, DbErr> {
    query(apply(change))
}

/// A statement, for the connections of the hot path.
pub(crate) fn query(statement: Statement) -> Result<PgQuery<'static>, DbErr> {
    let Statement { sql, values, .. } = statement;
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
    for value in values.map(|values| values.0).unwrap_or_default() {
        query = match value {
            Value::BigInt(value) => query.bind(value),
            Value::String(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
            _ => return Err(DbErr::Type("no statement binds such a value".to_owned())),
        };
    }
    Ok(query)
}

/// A statement for the connections of the hot path.
type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

/// What its answer says: the guard's row, or none.
pub(crate) const fn outcome(row: Option<&QueryResult>) -> Applied {
    match row {
        Some(_) => Applied::Written,
        None => Applied::GuardMissed,
    }
}

/// The bindings as one value, so that any number of them is the same statement.
fn as_json(bindings: &[Binding]) -> Option<String> {
    if bindings.is_empty() {
        return None;
    }
    let rows = bindings.iter().map(|binding| {
        serde_json::json!({
            "id": binding.id.to_string(),
            "kind": binding.kind.name(),
            "label": binding.label.as_str(),
            "state": state_name(binding.state),
            "created_at": binding.created_at.as_millis(),
            "enabled_at": binding.enabled_at.as_millis(),
            "disabled_at": binding.disabled_at.map(|at| at.as_millis()),
        })
    });
    Some(serde_json::Value::Array(rows.collect()).to_string())
}

/// A statement of its own: were the rows read in the same one, a wait for the lock would leave
/// the confirmation and the request's record as they were before the wait.
pub(super) async fn take_subject(
    transaction: &DatabaseTransaction,
    subject: &SubjectId,
) -> Result<(), DbErr> {
    let subject = subject.as_str().into();
    transaction
        .query_one_raw(statement(DbBackend::Postgres, TAKE_SUBJECT, [subject]))
        .await?;
    Ok(())
}

pub(super) async fn take_chore(
    transaction: &DatabaseTransaction,
    chore: Chore,
) -> Result<(), DbErr> {
    let lock = lock_of(chore).into();
    transaction
        .query_one_raw(statement(DbBackend::Postgres, TAKE_CHORE, [lock]))
        .await?;
    Ok(())
}

/// The connections of a pool.
pub(crate) fn pooled(pool: &DatabaseConnection) -> ports::Connections {
    let pool = pool.get_postgres_connection_pool();
    // A connection may come and go between the two looks.
    let open = usize::try_from(pool.size()).unwrap_or(0);
    let busy = open.saturating_sub(pool.num_idle());
    ports::Connections { open, busy }
}

/// How the server is reached.
pub(crate) fn options(settings: &Settings) -> Result<PgConnectOptions, ConnectError> {
    let options = settings
        .url
        .expose_secret()
        .parse::<PgConnectOptions>()
        .map_err(|error| ConnectError::Url(Fault::while_connecting(&error)))?;
    Ok(options.disable_statement_logging())
}

pub(super) async fn open(
    settings: &Settings,
    purpose: OpenFor,
) -> Result<Connections, ConnectError> {
    let options = options(settings)?;
    let session = session(settings, purpose);

    // The pool would keep trying until its timeout, and only log why a server will not do.
    let first = async {
        let mut connection = options.connect().await?;
        let fitness = prepare_and_check(&mut connection, &session).await;
        // Terminated politely so that the server's log shows no lost connection.
        let _ = connection.close().await;
        fitness
    };
    tokio::time::timeout(settings.connect_timeout, first)
        .await
        .unwrap_or(Err(SqlxError::PoolTimedOut))
        .map_err(|error| ConnectError::Unreachable(Fault::while_connecting(&error)))??;

    // Locks and rare errands have a quarter to themselves, so that neither they nor the hot path
    // can take all.
    let rare = (settings.max_connections / 4).max(1);
    let hot = settings.max_connections.saturating_sub(rare).max(1);
    let hot = usize::try_from(hot).unwrap_or(1);
    let warm = Warm::new(
        options.clone(),
        format!("{session}; {HOT_PLANS}"),
        hot,
        settings.connect_timeout,
    );
    let pool = PgPoolOptions::new()
        .max_connections(rare)
        .acquire_timeout(settings.connect_timeout)
        .max_lifetime(LONGEST_LIFE)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for >= TRY_IF_IDLE_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            let session = session.clone();
            Box::pin(async move {
                prepare_and_check(connection, &session)
                    .await?
                    .map_err(|unfit| SqlxError::Configuration(unfit.into()))
            })
        })
        .connect_lazy_with(options);
    let pool = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
    Ok(Connections {
        read: pool.clone(),
        write: pool,
        warm: Some(warm),
    })
}

/// How the hot path's statements are planned: once, and by the primary keys whatever is known of the
/// tables, since a plan that was made for an empty table would read the whole of a full one.
const HOT_PLANS: &str = "SET plan_cache_mode = force_generic_plan; SET jit = off; \
     SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";

/// What a session is set to, over what role, database and URL say.
///
/// At READ COMMITTED a guard that loses a race finds no row; at the higher levels it would be an
/// error. A transaction left open, by a gateway that was stopped in it, must not hold a subject.
fn session(settings: &Settings, purpose: OpenFor) -> String {
    let timeout = match purpose {
        OpenFor::Service => settings.statement_timeout.as_millis(),
        OpenFor::Migration => 0,
    };
    format!(
        "SET synchronous_commit = on; \
         SET default_transaction_isolation = 'read committed'; \
         SET default_transaction_read_only = off; \
         SET statement_timeout = {timeout}; \
         SET idle_in_transaction_session_timeout = {timeout}"
    )
}

pub(super) async fn prepare_and_check(
    connection: &mut PgConnection,
    session: &str,
) -> Result<Result<(), ConnectError>, SqlxError> {
    // Asked before anything is set, which an old server might refuse for reasons of its own.
    let row = sqlx::query(
        "SELECT current_setting('fsync') AS fsync, pg_is_in_recovery() AS is_in_recovery, \
         current_setting('server_version') AS version, \
         current_setting('server_version_num')::int / 10000 AS major",
    )
    .persistent(false)
    .fetch_one(&mut *connection)
    .await?;
    let major: i32 = row.try_get("major")?;
    if u32::try_from(major).is_ok_and(|major| major < LEAST_VERSION) {
        return Ok(Err(ConnectError::TooOld {
            version: row.try_get("version")?,
            least: LEAST_VERSION,
        }));
    }
    if row.try_get::<bool, _>("is_in_recovery")? {
        return Ok(Err(ConnectError::InRecovery));
    }
    if row.try_get::<&str, _>("fsync")? != "on" {
        return Ok(Err(ConnectError::FsyncOff));
    }
    connection
        .execute(sqlx::AssertSqlSafe(session.to_owned()))
        .await?;
    let row = sqlx::query("SELECT current_setting('synchronous_commit') AS value")
        .persistent(false)
        .fetch_one(&mut *connection)
        .await?;
    let value: String = row.try_get("value")?;
    Ok(if value == "on" {
        Ok(())
    } else {
        Err(ConnectError::SettingRefused {
            name: "synchronous_commit",
            value,
        })
    })
}
