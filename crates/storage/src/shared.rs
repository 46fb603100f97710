//! Rows that subjects share: budgets, how a prefix converts, and who uses a number.
//!
//! # Why two never wait for each other
//! Whoever decides about them holds his subject first, then the budgets in the order of their keys,
//! then the numbers in that of their locks; and takes each sort at once. So of any two one is ahead.
//! SQLite has one writer.

use std::collections::BTreeSet;

use countersign_mfa::ports::{
    StoreError,
    sms::{SharedKey, SharedRows, SpendRow},
};
use countersign_primitives::{SubjectId, Timestamp};
use countersign_spend_guard::{Conversion, RowKey, Window};
use sea_orm::{QueryResult, TryGetable, Value};

use crate::{
    dialect::{Dialect, hex_list},
    rows,
};

const TABLE: &str = "spend";

/// Takes the budgets, of which those that have no row get one: an update of nothing takes a row and
/// writes none. Then the numbers, which have no row of their own, by locks of the transaction's that
/// are called `csgn`. `$1` are the budgets, `$2` the instant where it is not the database's, `$3` the
/// numbers' locks.
pub(crate) const TAKE_POSTGRES: &str = "WITH s AS (INSERT INTO spend AS s \
     (scope, slot, updated_at, body) SELECT k.scope, k.slot, \
     COALESCE($2, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint), '' \
     FROM json_to_recordset($1::json) AS k (scope text, slot bigint) \
     ORDER BY k.scope COLLATE \"C\", k.slot \
     ON CONFLICT (scope, slot) DO UPDATE SET updated_at = s.updated_at WHERE false RETURNING 1) \
     SELECT pg_advisory_xact_lock(1668507502, n.number) \
     FROM (SELECT count(*) FROM s) AS taken, \
     (SELECT value::int AS number FROM json_array_elements_text($3::json) ORDER BY 1) AS n";

/// Reads all of them as one moment has them; there is a row in any case. `$1` is the subject, `$2`
/// the numbers, `$3` the budgets, `$4` the prefix, `$5` and `$6` after and until when, `$7` and `$8`
/// which row closes it, `$9` how many messages. Pairs are compared so that the index of prefixes is
/// the only one that serves, even where the plan is made while the table is empty.
macro_rules! read {
    ($later:literal, $numbers:literal, $keys:literal) => {
        concat!(
            "SELECT c.sent, c.confirmed, u.others, s.scope, s.slot, s.closed_until, s.body FROM ",
            "(SELECT count(*) AS sent, count(l.confirmed_at) AS confirmed FROM ",
            "(SELECT m.confirmed_at FROM message AS m WHERE m.state <> 'WITHDRAWN' ",
            // What no carrier is known to have says nothing about those who should have typed it.
            "AND NOT (m.state IN ('FAILED', 'UNKNOWN') AND m.carrier_id IS NULL) ",
            "AND (m.prefix, m.created_at) <= ($4, $6) AND (m.prefix, m.created_at) > ($4, ",
            $later,
            "($5, COALESCE((SELECT closed_until FROM spend WHERE scope = $7 AND slot = $8), $5))) ",
            "ORDER BY m.prefix DESC, m.created_at DESC LIMIT $9) AS l) AS c CROSS JOIN ",
            "(SELECT count(DISTINCT n.subject_id) AS others FROM number_user AS n ",
            "WHERE n.subject_id <> $1 AND n.number IN (",
            $numbers,
            ")) AS u LEFT JOIN (SELECT b.* FROM (",
            $keys,
            ") AS k JOIN spend AS b ON b.scope = k.scope AND b.slot = k.slot) AS s ON true ",
            "ORDER BY s.scope, s.slot"
        )
    };
}

const READ_POSTGRES: &str = read!(
    "GREATEST",
    "SELECT decode(value, 'hex') FROM json_array_elements_text($2::json)",
    "SELECT * FROM json_to_recordset($3::json) AS k (scope text, slot bigint)"
);

const READ_SQLITE: &str = read!(
    "max",
    "SELECT unhex(value) FROM json_each($2)",
    "SELECT value ->> 'scope' AS scope, value ->> 'slot' AS slot FROM json_each($3)"
);

/// The parameters of [`TAKE_POSTGRES`].
pub(crate) fn take(key: &SharedKey, now: Option<i64>) -> [Value; 3] {
    // So that each is taken once, and in one order whatever the index of a number is keyed with.
    let locks: BTreeSet<i32> = key.number.iter().map(lock_of).collect();
    let locks = (!locks.is_empty()).then(|| serde_json::json!(locks).to_string());
    [budgets(&key.spend).into(), now.into(), locks.into()]
}

/// The lock of a number. Two numbers that share one wait for each other for nothing.
fn lock_of(number: &[u8; 32]) -> i32 {
    let [a, b, c, d, ..] = *number;
    i32::from_be_bytes([a, b, c, d])
}

/// The statement that reads, and its parameters.
pub(crate) fn read(
    dialect: Dialect,
    subject: &SubjectId,
    key: &SharedKey,
) -> (&'static str, [Value; 9]) {
    let sql = match dialect {
        Dialect::Postgres => READ_POSTGRES,
        Dialect::Sqlite => READ_SQLITE,
    };
    let conversion = key.conversion.as_ref();
    let values = [
        subject.as_str().into(),
        hex_list(&key.number).into(),
        budgets(&key.spend).into(),
        conversion.map(|it| it.prefix.clone()).into(),
        conversion.map(|it| it.since.as_millis()).into(),
        conversion.map(|it| it.until.as_millis()).into(),
        conversion.map(|it| it.row.scope.clone()).into(),
        conversion.map(|it| i64::from(it.row.slot)).into(),
        i64::from(conversion.map_or(0, |it| it.most)).into(),
    ];
    (sql, values)
}

/// Each budget once.
fn budgets(keys: &[RowKey]) -> Option<String> {
    if keys.is_empty() {
        return None;
    }
    let keys: BTreeSet<&RowKey> = keys.iter().collect();
    let keys = keys
        .into_iter()
        .map(|key| serde_json::json!({ "scope": key.scope, "slot": key.slot }));
    Some(serde_json::Value::Array(keys.collect()).to_string())
}

/// What was read.
pub(crate) fn rows(found: &[QueryResult]) -> Result<SharedRows, StoreError> {
    let mut shared = SharedRows::default();
    for row in found {
        shared.conversion = Conversion {
            sent: count(row, "message", "sent")?,
            confirmed: count(row, "message", "confirmed")?,
        };
        shared.other_users = count(row, "number_user", "others")?;
        if let Some(scope) = column(row, "scope")? {
            shared.spend.push(spend(row, scope)?);
        }
    }
    Ok(shared)
}

fn spend(row: &QueryResult, scope: String) -> Result<SpendRow, StoreError> {
    let wrong = |column| StoreError::Inconsistent {
        table: TABLE,
        column,
    };
    let slot: i64 = column(row, "slot")?;
    let body: Vec<u8> = column(row, "body")?;
    let closed_until: Option<i64> = column(row, "closed_until")?;
    Ok(SpendRow {
        key: RowKey {
            scope,
            slot: u32::try_from(slot).map_err(|_| wrong("slot"))?,
        },
        window: if body.is_empty() {
            // It was taken, and not spent of yet.
            Window::default()
        } else {
            minicbor::decode(&body).map_err(|_| wrong("body"))?
        },
        closed_until: closed_until.map(Timestamp::from_millis),
    })
}

fn column<T: TryGetable>(row: &QueryResult, name: &'static str) -> Result<T, StoreError> {
    rows::column(row, TABLE, name)
}

fn count(row: &QueryResult, table: &'static str, name: &'static str) -> Result<u64, StoreError> {
    let count: i64 = rows::column(row, table, name)?;
    Ok(u64::try_from(count).unwrap_or(0))
}
