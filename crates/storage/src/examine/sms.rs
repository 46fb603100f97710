//! What waits to be sent by SMS, and where nothing is sent for now.

use std::time::Duration;

use countersign_mfa::ports::{
    StoreError,
    sms::{RowKey, Waiting},
};
use countersign_primitives::{Clock, SystemClock, Timestamp};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};

use crate::{error::nothing_written, outbox, storage::within};

/// The messages of a database, as far as an operator has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsFound {
    /// What waits.
    pub waiting: Waiting,
    /// Prefixes that are closed, each with when it opens again.
    pub closed: Vec<(String, Timestamp)>,
    /// The present instant, by the clock that decisions are made with.
    pub now: Timestamp,
}

const NOW: &str = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now";

/// By the key's order: `$1` and `$2` are before and after the scopes of prefixes.
const CLOSED: &str = "SELECT scope, closed_until FROM spend WHERE scope >= $1 AND scope < $2 \
     AND closed_until > $3 ORDER BY scope";

pub(super) async fn examine(
    connection: &DatabaseConnection,
    patience: Duration,
) -> Result<SmsFound, StoreError> {
    within(patience, look(connection))
        .await
        .map_err(|error| nothing_written(&error))
}

async fn look(connection: &DatabaseConnection) -> Result<SmsFound, DbErr> {
    let backend = connection.get_database_backend();
    let now = match backend {
        DbBackend::Postgres => {
            let now = Statement::from_string(backend, NOW);
            let row = connection.query_one_raw(now).await?;
            row.map(|row| row.try_get("", "now")).transpose()?
        }
        _ => None,
    };
    let now = now.map_or_else(|| SystemClock.now(), Timestamp::from_millis);
    let waiting = Statement::from_string(backend, outbox::WAITING);
    let waiting = connection.query_one_raw(waiting).await?;
    let waiting = waiting.as_ref().map(outbox::waiting).transpose()?;
    let first = RowKey::prefix("").scope;
    let after = format!("{}0", first.trim_end_matches('/'));
    let values = [first.clone().into(), after.into(), now.as_millis().into()];
    let closed = Statement::from_sql_and_values(backend, CLOSED, values);
    let closed = connection.query_all_raw(closed).await?;
    let closed = closed.iter().map(|row| {
        let scope: String = row.try_get("", "scope")?;
        let until = row.try_get("", "closed_until")?;
        let prefix = scope.strip_prefix(&first).unwrap_or(&scope);
        Ok((prefix.to_owned(), Timestamp::from_millis(until)))
    });
    Ok(SmsFound {
        waiting: waiting.unwrap_or_default(),
        closed: closed.collect::<Result<_, DbErr>>()?,
        now,
    })
}
