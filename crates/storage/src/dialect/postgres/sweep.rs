//! What retention ends, batch by batch.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr};

use super::LOCKS;
use crate::dialect::{SWEEP_BATCH, Sweep, statement};

const SWEEP_LOCK: i64 = LOCKS + 3;

/// Rows that someone is writing are left for the next time. `$1` is the number of the chore, `$2`
/// the instant where it is not the database's, `$3` how many, `$4` how long they are kept.
macro_rules! sweep {
    ($table:literal, $ends:literal) => {
        concat!(
            "WITH turn AS MATERIALIZED (SELECT pg_try_advisory_xact_lock($1) AS is_ours), ",
            "gone AS (DELETE FROM ",
            $table,
            " WHERE ctid = ANY (ARRAY(",
            "SELECT old.ctid FROM ",
            $table,
            " AS old, turn WHERE turn.is_ours AND ",
            $ends,
            " <= COALESCE($2, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) - $4",
            " LIMIT $3 FOR UPDATE OF old SKIP LOCKED)) RETURNING 1) ",
            "SELECT count(*) AS gone FROM gone"
        )
    };
}

const SWEEP_REQUESTS: &str = sweep!("request", "old.expires_at");
const SWEEP_CONFIRMATIONS: &str = sweep!("confirmation", "old.created_at");
const SWEEP_MESSAGES: &str = sweep!("message", "old.created_at");
const SWEEP_SPEND: &str = sweep!("spend", "GREATEST(old.updated_at, old.closed_until)");

pub(in crate::dialect) async fn sweep(
    connection: &DatabaseConnection,
    what: Sweep,
    now: Option<i64>,
    kept: i64,
) -> Result<u64, DbErr> {
    let sql = match what {
        Sweep::Requests => SWEEP_REQUESTS,
        Sweep::Confirmations => SWEEP_CONFIRMATIONS,
        Sweep::Messages => SWEEP_MESSAGES,
        Sweep::Spend => SWEEP_SPEND,
    };
    let most = i64::try_from(SWEEP_BATCH).unwrap_or(i64::MAX);
    let values = [SWEEP_LOCK.into(), now.into(), most.into(), kept.into()];
    let row = connection
        .query_one_raw(statement(DbBackend::Postgres, sql, values))
        .await?;
    let gone = row.map(|row| row.try_get::<i64>("", "gone")).transpose()?;
    Ok(gone.and_then(|gone| u64::try_from(gone).ok()).unwrap_or(0))
}
