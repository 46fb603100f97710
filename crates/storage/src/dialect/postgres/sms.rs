//! A change that queues a message, marks one, or spends: the same one statement with more on its
//! guard, and with SQL of its own, so that the statement of all other changes stays what it is.

use countersign_mfa::ports::sms::{MessageMark, SmsChange, SpendRow};
use sea_orm::Value;

use crate::dialect::{hex, hex_list, net};

/// Whether a row of `message` is withdrawn: not wanted any more, and no carrier was given it yet.
macro_rules! withdrawn {
    () => {
        "(x.state = 'QUEUED' AND ($26 IN (x.target, x.identifier_id) OR x.message_id = $27))"
    };
}

/// Whether it is not wanted any more, and a carrier is being given it: its time is over then, so that
/// no carrier is given it again.
macro_rules! ended {
    () => {
        "(x.state = 'SENDING' AND ($26 IN (x.target, x.identifier_id) OR x.message_id = $27))"
    };
}

/// Whether it is marked.
macro_rules! marked {
    () => {
        "(x.message_id = $28 AND x.state = ANY (string_to_array($32, ',')))"
    };
}

/// One update for all that becomes of earlier messages, since a statement cannot update a row twice:
/// withdrawing comes before marking. The rows of one statement do not see each other, so a message
/// that is queued here is not withdrawn here.
macro_rules! sms {
    () => {
        concat!(
            ", m AS (INSERT INTO message (subject_id, message_id, identifier_id, target, ",
            "created_at, expires_at, state, due_at, prefix, updated_at, progress, body) ",
            "SELECT $1, $19, $20, $21, $22, $23, 'QUEUED', $22, $24, $2, '', $25 ",
            "FROM g WHERE $19 IS NOT NULL), ",
            "u AS (UPDATE message AS x SET state = CASE WHEN ",
            withdrawn!(),
            " THEN 'WITHDRAWN' WHEN ",
            marked!(),
            " THEN $29 ELSE x.state END, provider = CASE WHEN ",
            marked!(),
            " THEN COALESCE($30, x.provider) ELSE x.provider END, carrier_id = CASE WHEN ",
            marked!(),
            " THEN COALESCE($31, x.carrier_id) ELSE x.carrier_id END, due_at = CASE WHEN ",
            withdrawn!(),
            " OR ",
            marked!(),
            " THEN NULL ELSE x.due_at END, body = CASE WHEN ",
            withdrawn!(),
            " OR ",
            marked!(),
            " THEN NULL ELSE x.body END, confirmed_at = CASE WHEN x.message_id = $27 ",
            "THEN COALESCE(x.confirmed_at, $2) ELSE x.confirmed_at END, ",
            "expires_at = CASE WHEN ",
            ended!(),
            " THEN LEAST(x.expires_at, $2) ELSE x.expires_at END, ",
            "updated_at = GREATEST(x.updated_at, $2) FROM g WHERE x.subject_id = $1 AND (",
            withdrawn!(),
            " OR ",
            ended!(),
            " OR ",
            marked!(),
            " OR x.message_id = $27)), ",
            "nb AS (INSERT INTO number_user (number, subject_id) ",
            "SELECT decode(b.number, 'hex'), $1 ",
            "FROM g, json_array_elements_text($33::json) AS b (number) ON CONFLICT DO NOTHING), ",
            "ne AS (DELETE FROM number_user AS x ",
            "USING g, json_array_elements_text($34::json) AS b (number) ",
            "WHERE x.number = decode(b.number, 'hex') AND x.subject_id = $1), ",
            "s AS (INSERT INTO spend (scope, slot, updated_at, closed_until, body) ",
            "SELECT i.scope, i.slot, $2, i.closed_until, decode(i.body, 'hex') ",
            "FROM g, json_to_recordset($35::json) AS i ",
            "(scope text, slot bigint, closed_until bigint, body text) ",
            "ON CONFLICT (scope, slot) DO UPDATE SET updated_at = EXCLUDED.updated_at, ",
            "closed_until = EXCLUDED.closed_until, body = EXCLUDED.body) "
        )
    };
}

pub(super) const APPLY_TO_ROW: &str = apply!(guard_of_row!("$36"), sms!());
pub(super) const APPLY_FIRST: &str = apply!(guard_of_first!(), sms!());

/// The parameters from `$19` on.
pub(super) fn values(sms: &SmsChange) -> Vec<Value> {
    let message = sms.message.as_ref();
    let mark = sms.mark.as_ref();
    let (begun, ended) = net(&sms.numbers);
    vec![
        message.map(|it| it.id.as_bytes().to_vec()).into(),
        message.map(|it| it.identifier.as_bytes().to_vec()).into(),
        message.map(|it| it.target.to_vec()).into(),
        message.map(|it| it.created_at.as_millis()).into(),
        message.map(|it| it.expires_at.as_millis()).into(),
        message.map(|it| it.prefix.clone()).into(),
        message.map(|it| it.body.clone()).into(),
        sms.withdrawn.map(|target| target.to_vec()).into(),
        sms.confirmed.map(|id| id.as_bytes().to_vec()).into(),
        mark.map(|it| it.id.as_bytes().to_vec()).into(),
        mark.map(|it| it.state.name().to_owned()).into(),
        mark.and_then(|it| it.provider.clone()).into(),
        mark.and_then(|it| it.carrier_id.clone()).into(),
        mark.map(from_states).into(),
        hex_list(&begun).into(),
        hex_list(&ended).into(),
        spend(&sms.spend).into(),
    ]
}

/// The states that a mark applies to.
fn from_states(mark: &MessageMark) -> String {
    let names: Vec<&str> = crate::dialect::may_become(mark.state).collect();
    names.join(",")
}

/// The rows as one value, so that any number of them is the same statement.
fn spend(rows: &[SpendRow]) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    let rows = rows.iter().map(|row| {
        serde_json::json!({
            "scope": row.key.scope,
            "slot": row.key.slot,
            "closed_until": row.closed_until.map(|at| at.as_millis()),
            "body": hex(&countersign_primitives::encode(&row.window)),
        })
    });
    Some(serde_json::Value::Array(rows.collect()).to_string())
}
