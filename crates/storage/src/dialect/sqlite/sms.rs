//! A change that queues a message, marks one, or spends: what follows the guard.

use countersign_mfa::ports::{Change, sms::SmsChange};
use countersign_primitives::encode;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Value};

use crate::dialect::{hex_list, may_become, net, statement};

const WITHDRAW: &str = "UPDATE message SET state = 'WITHDRAWN', due_at = NULL, body = NULL, \
     updated_at = max(updated_at, $2) \
     WHERE subject_id = $1 AND state = 'QUEUED' \
     AND ($3 IN (target, identifier_id) OR message_id = $4)";

/// What a carrier is being given cannot be withdrawn: its time is over, so that no carrier is given
/// it again.
const END_LIFE: &str = "UPDATE message SET expires_at = min(expires_at, $2), \
     updated_at = max(updated_at, $2) \
     WHERE subject_id = $1 AND state = 'SENDING' \
     AND ($3 IN (target, identifier_id) OR message_id = $4)";

const CONFIRM: &str = "UPDATE message SET confirmed_at = coalesce(confirmed_at, $2), \
     updated_at = max(updated_at, $2) WHERE subject_id = $1 AND message_id = $3";

/// `$7` are the states that it applies to.
const MARK: &str = "UPDATE message SET state = $4, provider = coalesce($5, provider), \
     carrier_id = coalesce($6, carrier_id), due_at = NULL, body = NULL, \
     updated_at = max(updated_at, $2) WHERE subject_id = $1 AND message_id = $3 \
     AND state IN (SELECT value FROM json_each($7))";

const MESSAGE: &str = "INSERT INTO message (subject_id, message_id, identifier_id, target, \
     created_at, expires_at, state, due_at, prefix, updated_at, progress, body) \
     VALUES ($1, $3, $4, $5, $6, $7, 'QUEUED', $6, $8, $2, x'', $9)";

const BEGIN: &str = "INSERT INTO number_user (number, subject_id) \
     SELECT unhex(value), $1 FROM json_each($2) WHERE true ON CONFLICT DO NOTHING";

const END: &str = "DELETE FROM number_user \
     WHERE subject_id = $1 AND number IN (SELECT unhex(value) FROM json_each($2))";

const SPEND: &str = "INSERT INTO spend (scope, slot, updated_at, closed_until, body) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (scope, slot) DO UPDATE \
     SET updated_at = excluded.updated_at, closed_until = excluded.closed_until, \
     body = excluded.body";

/// Withdrawing comes before marking, and before the message that replaces those.
pub(super) async fn write(
    connection: &impl ConnectionTrait,
    change: &Change,
    sms: &SmsChange,
) -> Result<(), DbErr> {
    let run = async |sql: &str, values: Vec<Value>| {
        let statement = statement(DbBackend::Sqlite, sql, values);
        connection.execute_raw(statement).await.map(drop)
    };
    let subject = || Value::from(change.subject.as_str());
    let now = || Value::from(change.now.as_millis());

    let target: Option<Vec<u8>> = sms.withdrawn.map(|target| target.to_vec());
    let confirmed: Option<Vec<u8>> = sms.confirmed.map(|id| id.as_bytes().to_vec());
    if target.is_some() || confirmed.is_some() {
        let values = vec![subject(), now(), target.into(), confirmed.clone().into()];
        run(WITHDRAW, values.clone()).await?;
        run(END_LIFE, values).await?;
    }
    if let Some(id) = confirmed {
        run(CONFIRM, vec![subject(), now(), id.into()]).await?;
    }
    if let Some(mark) = &sms.mark {
        let from: Vec<&str> = may_become(mark.state).collect();
        let values = vec![
            subject(),
            now(),
            mark.id.as_bytes().to_vec().into(),
            mark.state.name().into(),
            mark.provider.clone().into(),
            mark.carrier_id.clone().into(),
            serde_json::json!(from).to_string().into(),
        ];
        run(MARK, values).await?;
    }
    if let Some(message) = &sms.message {
        let values = vec![
            subject(),
            now(),
            message.id.as_bytes().to_vec().into(),
            message.identifier.as_bytes().to_vec().into(),
            message.target.to_vec().into(),
            message.created_at.as_millis().into(),
            message.expires_at.as_millis().into(),
            message.prefix.as_str().into(),
            message.body.clone().into(),
        ];
        run(MESSAGE, values).await?;
    }
    let (begun, ended) = net(&sms.numbers);
    for (sql, numbers) in [(BEGIN, begun), (END, ended)] {
        if let Some(numbers) = hex_list(&numbers) {
            run(sql, vec![subject(), numbers.into()]).await?;
        }
    }
    for row in &sms.spend {
        let values = vec![
            row.key.scope.as_str().into(),
            i64::from(row.key.slot).into(),
            now(),
            row.closed_until.map(|at| at.as_millis()).into(),
            encode(&row.window).into(),
        ];
        run(SPEND, values).await?;
    }
    Ok(())
}
