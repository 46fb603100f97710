//! What a PostgreSQL server is like.

use std::time::{Duration, Instant};

use countersign_primitives::{Clock, SystemClock};
use sea_orm::{
    DatabaseConnection, SqlxError, SqlxPostgresConnector,
    sqlx::{
        self, ConnectOptions, Connection, Executor, PgConnection, Row, postgres::PgPoolOptions,
    },
};

use super::{PostgresFound, RoundTrips};
use crate::{ConnectError, Settings, dialect::postgres, error::Fault};

/// How often the server is asked for the time.
const QUESTIONS: usize = 20;

/// Of our own sessions only. What they must not do they cannot.
const READ_ONLY: &str = "SET default_transaction_read_only = on";

const TIME: &str = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now";

/// -1 is no limit of its own. Version 16 has `reserved_connections`.
const FACTS: &str = "SELECT current_setting('server_version') AS version, \
     current_setting('server_version_num')::int / 10000 AS major, \
     current_setting('fsync') AS fsync, \
     current_setting('synchronous_commit') AS synchronous_commit, \
     current_setting('full_page_writes') AS full_page_writes, \
     pg_is_in_recovery() AS is_in_recovery, \
     least(current_setting('max_connections')::int \
         - current_setting('superuser_reserved_connections')::int \
         - coalesce(current_setting('reserved_connections', true), '0')::int, \
         (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user), \
         (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())) \
         AS most_connections";

/// What the server is like, and a connection to look further.
pub(super) async fn examine(
    settings: &Settings,
) -> Result<(PostgresFound, DatabaseConnection), ConnectError> {
    let options = postgres::options(settings)?;
    let session = format!(
        "SET synchronous_commit = on; {READ_ONLY}; SET statement_timeout = {}",
        settings.statement_timeout.as_millis()
    );
    let connected = tokio::time::timeout(settings.connect_timeout, options.connect()).await;
    let mut connection = connected
        .unwrap_or(Err(SqlxError::PoolTimedOut))
        .map_err(|error| unreachable(&error))?;
    let looked = tokio::time::timeout(settings.patience(), look(&mut connection, &session)).await;
    let found = looked
        .unwrap_or(Err(SqlxError::PoolTimedOut))
        .map_err(|error| unreachable(&error))?;
    // Terminated politely so that the server's log shows no lost connection.
    let _ = connection.close().await;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(settings.connect_timeout)
        .after_connect(move |connection, _| {
            let session = session.clone();
            Box::pin(async move {
                connection.execute(sqlx::AssertSqlSafe(session)).await?;
                Ok(())
            })
        })
        .connect_lazy_with(options);
    Ok((found, SqlxPostgresConnector::from_sqlx_postgres_pool(pool)))
}

fn unreachable(error: &SqlxError) -> ConnectError {
    ConnectError::Unreachable(Fault::while_connecting(error))
}

async fn look(connection: &mut PgConnection, session: &str) -> Result<PostgresFound, SqlxError> {
    connection
        .execute(sqlx::AssertSqlSafe(session.to_owned()))
        .await?;
    let row = sqlx::query(FACTS)
        .persistent(false)
        .fetch_one(&mut *connection)
        .await?;
    let is_on = |name: &str| Ok::<_, SqlxError>(row.try_get::<&str, _>(name)? == "on");
    let number = |name: &str| {
        let number: i32 = row.try_get(name)?;
        Ok::<_, SqlxError>(u32::try_from(number).unwrap_or(0))
    };
    let (clock_ahead_millis, round_trips) = ask_the_time(&mut *connection).await?;
    Ok(PostgresFound {
        version: row.try_get("version")?,
        major: number("major")?,
        fsync: is_on("fsync")?,
        synchronous_commit: row.try_get("synchronous_commit")?,
        full_page_writes: is_on("full_page_writes")?,
        is_in_recovery: row.try_get("is_in_recovery")?,
        most_connections: number("most_connections")?,
        clock_ahead_millis,
        round_trips,
    })
}

/// How far its clock is ahead, by the question that was answered the soonest, and how long all took.
async fn ask_the_time(connection: &mut PgConnection) -> Result<(i64, RoundTrips), SqlxError> {
    // The first is prepared on the way, which the hot path does once in a connection's life.
    sqlx::query(TIME).fetch_one(&mut *connection).await?;
    let mut answers: Vec<(Duration, i64)> = Vec::with_capacity(QUESTIONS);
    for _ in 0..QUESTIONS {
        let before = SystemClock.now().as_millis();
        let asked = Instant::now();
        let row = sqlx::query(TIME).fetch_one(&mut *connection).await?;
        let took = asked.elapsed();
        let middle = before + i64::try_from(took.as_millis() / 2).unwrap_or(0);
        answers.push((took, row.try_get::<i64, _>("now")? - middle));
    }
    answers.sort_unstable();
    let ahead = answers[0].1;
    let round_trips = RoundTrips {
        count: answers.len(),
        median: answers[answers.len() / 2].0,
        worst: answers[answers.len() - 1].0,
    };
    Ok((ahead, round_trips))
}
