//! The outbox: messages that are to be sent, and who has them.
//!
//! A message is due from `due_at` on. Whoever claims it moves that to the end of a lease, and counts
//! `claim` up: what an earlier claim still does finds another number there, and nothing to change.
//! Nothing here touches a subject's row, so none of it is under a guard.

use std::time::Duration;

use async_trait::async_trait;
use countersign_mfa::ports::{
    StoreError,
    sms::{Claimed, MessageState, Outbox, Requeue, StoredMessage, Waiting},
};
use countersign_primitives::{IdentifierId, MessageId, SubjectId, Timestamp};
use sea_orm::{DbErr, QueryResult, TryGetable, Value};

use crate::{
    Storage,
    dialect::Dialect,
    error::{nothing_written, written_or_not},
    rows,
    storage::within,
};

const TABLE: &str = "message";

/// `$1` is the instant where it is not the database's, `$2` the lease, `$3` how many. Those that
/// someone is at are left to him.
const CLAIM_POSTGRES: &str = "WITH t AS MATERIALIZED (SELECT \
     COALESCE($1, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) AS now), \
     due AS MATERIALIZED (SELECT m.subject_id, m.message_id FROM message AS m \
     WHERE m.due_at <= (SELECT now FROM t) AND m.body IS NOT NULL \
     ORDER BY m.due_at LIMIT $3 FOR UPDATE OF m SKIP LOCKED) \
     UPDATE message AS m SET due_at = t.now + $2, claim = m.claim + 1, updated_at = t.now \
     FROM due, t WHERE m.subject_id = due.subject_id AND m.message_id = due.message_id \
     RETURNING t.now, m.subject_id, m.message_id, m.identifier_id, m.created_at, m.expires_at, \
     m.state, m.claim, m.provider, m.progress, m.body";

const CLAIM_SQLITE: &str = "UPDATE message SET due_at = $1 + $2, claim = claim + 1, \
     updated_at = $1 WHERE (subject_id, message_id) IN (SELECT subject_id, message_id \
     FROM message WHERE due_at <= $1 AND body IS NOT NULL ORDER BY due_at LIMIT $3) \
     RETURNING $1 AS now, subject_id, message_id, identifier_id, created_at, expires_at, state, \
     claim, provider, progress, body";

/// For SQLite: whether a claim would find anything.
const IS_DUE: &str =
    "SELECT 1 AS is_due FROM message WHERE due_at <= $1 AND body IS NOT NULL LIMIT 1";

/// The present instant: `$4`, or the database's.
macro_rules! on_postgres {
    ($statement:ident) => {
        $statement!("COALESCE($4, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)")
    };
}

/// What a claim may change: a message that is still its own, and still to be sent.
macro_rules! claimed {
    () => {
        " WHERE subject_id = $1 AND message_id = $2 AND claim = $3 \
         AND state IN ('QUEUED', 'SENDING')"
    };
}

macro_rules! begin_attempt {
    ($now:literal) => {
        concat!(
            "UPDATE message SET state = 'SENDING', provider = $5, due_at = ",
            $now,
            " + $6, updated_at = ",
            $now,
            claimed!(),
            " AND expires_at > ",
            $now,
            " RETURNING claim"
        )
    };
}

macro_rules! requeue {
    ($now:literal) => {
        concat!(
            "UPDATE message SET state = 'QUEUED', due_at = $5, progress = $6, updated_at = ",
            $now,
            claimed!(),
            " RETURNING claim"
        )
    };
}

const BEGIN_ATTEMPT_POSTGRES: &str = on_postgres!(begin_attempt);
const BEGIN_ATTEMPT_SQLITE: &str = begin_attempt!("$4");
const REQUEUE_POSTGRES: &str = on_postgres!(requeue);
const REQUEUE_SQLITE: &str = requeue!("$4");

const MESSAGE: &str = "SELECT subject_id, message_id, identifier_id, state, provider FROM message \
     WHERE subject_id = $1 AND message_id = $2";

/// A carrier may give a name a second time, after long enough.
const SENT_AS: &str = "SELECT subject_id, message_id, identifier_id, state, provider FROM message \
     WHERE provider = $1 AND carrier_id = $2 ORDER BY created_at DESC LIMIT 1";

pub(crate) const WAITING: &str = "SELECT count(*) AS messages, min(created_at) AS oldest FROM message \
     WHERE due_at IS NOT NULL";

/// What nobody may send any more. Of what was being given to a carrier it is not known whether it has
/// it. `$1` is the instant where it is not the database's.
macro_rules! withdraw_all {
    ($now:literal) => {
        concat!(
            "UPDATE message SET due_at = NULL, body = NULL, claim = claim + 1, updated_at = ",
            $now,
            ", state = CASE state WHEN 'SENDING' THEN 'UNKNOWN' ELSE 'WITHDRAWN' END \
             WHERE state IN ('QUEUED', 'SENDING') AND due_at IS NOT NULL RETURNING claim"
        )
    };
}

const WITHDRAW_ALL_POSTGRES: &str =
    withdraw_all!("COALESCE($1, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)");
const WITHDRAW_ALL_SQLITE: &str = withdraw_all!("$1");

#[async_trait]
impl Outbox for Storage {
    async fn claim(&self, most: u32, lease: Duration) -> Result<Vec<Claimed>, StoreError> {
        let now = self.now();
        let sql = match self.dialect {
            Dialect::Postgres => CLAIM_POSTGRES,
            Dialect::Sqlite => {
                // The one writer is not troubled for nothing.
                let due = self.ask(IS_DUE, [now.into()]);
                let due = within(self.patience, due).await;
                if due.map_err(|error| nothing_written(&error))?.is_empty() {
                    return Ok(Vec::new());
                }
                CLAIM_SQLITE
            }
        };
        let values = [now.into(), millis(lease).into(), i64::from(most).into()];
        let rows = within(self.patience, self.change(sql, values))
            .await
            .map_err(|error| written_or_not(&error))?;
        let mut claimed: Vec<Claimed> = rows.iter().map(claimed).collect::<Result<_, _>>()?;
        claimed.sort_by_key(|it| it.created_at);
        Ok(claimed)
    }

    async fn begin_attempt(
        &self,
        claimed: &Claimed,
        provider: &str,
        lease: Duration,
    ) -> Result<bool, StoreError> {
        let sql = match self.dialect {
            Dialect::Postgres => BEGIN_ATTEMPT_POSTGRES,
            Dialect::Sqlite => BEGIN_ATTEMPT_SQLITE,
        };
        let what = [provider.into(), millis(lease).into()];
        self.change_claimed(sql, claimed, what).await
    }

    async fn requeue(&self, claimed: &Claimed, requeue: &Requeue) -> Result<bool, StoreError> {
        let sql = match self.dialect {
            Dialect::Postgres => REQUEUE_POSTGRES,
            Dialect::Sqlite => REQUEUE_SQLITE,
        };
        let due_at = requeue.due_at.as_millis().into();
        let what = [due_at, requeue.progress.clone().into()];
        self.change_claimed(sql, claimed, what).await
    }

    async fn sent_as(
        &self,
        provider: &str,
        carrier_id: &str,
    ) -> Result<Option<StoredMessage>, StoreError> {
        let found = self
            .first(SENT_AS, [provider.into(), carrier_id.into()])
            .await?;
        found.as_ref().map(stored).transpose()
    }

    async fn waiting(&self) -> Result<Waiting, StoreError> {
        let found = self.first(WAITING, []).await?;
        let found = found.as_ref().map(waiting).transpose();
        Ok(found
            .map_err(|error| nothing_written(&error))?
            .unwrap_or_default())
    }

    async fn withdraw_all(&self) -> Result<u64, StoreError> {
        let sql = match self.dialect {
            Dialect::Postgres => WITHDRAW_ALL_POSTGRES,
            Dialect::Sqlite => WITHDRAW_ALL_SQLITE,
        };
        let withdrawn = within(self.patience, self.change(sql, [self.now().into()]))
            .await
            .map_err(|error| written_or_not(&error))?;
        Ok(withdrawn.len() as u64)
    }
}

impl Storage {
    /// A message of a subject.
    pub(crate) async fn find_message(
        &self,
        subject: &SubjectId,
        id: MessageId,
    ) -> Result<Option<StoredMessage>, StoreError> {
        let values = [subject.as_str().into(), id.as_bytes().to_vec().into()];
        let found = self.first(MESSAGE, values).await?;
        found.as_ref().map(stored).transpose()
    }

    /// The present instant, where it is not the database's.
    fn now(&self) -> Option<i64> {
        self.clock.as_ref().map(|clock| clock.now().as_millis())
    }

    async fn change_claimed(
        &self,
        sql: &str,
        claimed: &Claimed,
        [what, more]: [Value; 2],
    ) -> Result<bool, StoreError> {
        let values = [
            claimed.subject.as_str().into(),
            claimed.id.as_bytes().to_vec().into(),
            claimed.claim.into(),
            self.now().into(),
            what,
            more,
        ];
        let changed = within(self.patience, self.change(sql, values))
            .await
            .map_err(|error| written_or_not(&error))?;
        Ok(!changed.is_empty())
    }

    async fn first<const N: usize>(
        &self,
        sql: &str,
        values: [Value; N],
    ) -> Result<Option<QueryResult>, StoreError> {
        let rows = within(self.patience, self.ask(sql, values))
            .await
            .map_err(|error| nothing_written(&error))?;
        Ok(rows.into_iter().next())
    }
}

/// What waits, of a row of [`WAITING`].
pub(crate) fn waiting(row: &QueryResult) -> Result<Waiting, DbErr> {
    let messages: i64 = row.try_get("", "messages")?;
    let oldest: Option<i64> = row.try_get("", "oldest")?;
    Ok(Waiting {
        messages: u64::try_from(messages).unwrap_or(0),
        oldest: oldest.map(Timestamp::from_millis),
    })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn column<T: TryGetable>(row: &QueryResult, name: &'static str) -> Result<T, StoreError> {
    rows::column(row, TABLE, name)
}

fn instant(row: &QueryResult, name: &'static str) -> Result<Timestamp, StoreError> {
    Ok(Timestamp::from_millis(column(row, name)?))
}

fn claimed(row: &QueryResult) -> Result<Claimed, StoreError> {
    let StoredMessage {
        subject,
        id,
        identifier,
        state,
        provider,
    } = stored(row)?;
    Ok(Claimed {
        subject,
        id,
        identifier,
        now: instant(row, "now")?,
        created_at: instant(row, "created_at")?,
        expires_at: instant(row, "expires_at")?,
        state,
        claim: column(row, "claim")?,
        provider,
        progress: column(row, "progress")?,
        body: column(row, "body")?,
    })
}

fn stored(row: &QueryResult) -> Result<StoredMessage, StoreError> {
    let wrong = |column| StoreError::Inconsistent {
        table: TABLE,
        column,
    };
    let subject: String = column(row, "subject_id")?;
    let id: Vec<u8> = column(row, "message_id")?;
    let identifier: Vec<u8> = column(row, "identifier_id")?;
    let state: String = column(row, "state")?;
    let mut known = MessageState::ALL.into_iter();
    Ok(StoredMessage {
        subject: SubjectId::parse(subject).map_err(|_| wrong("subject_id"))?,
        id: <[u8; 16]>::try_from(id)
            .map(MessageId::from_bytes)
            .map_err(|_| wrong("message_id"))?,
        identifier: <[u8; 16]>::try_from(identifier)
            .map(IdentifierId::from_bytes)
            .map_err(|_| wrong("identifier_id"))?,
        state: known
            .find(|known| known.name() == state)
            .ok_or_else(|| wrong("state"))?,
        provider: column(row, "provider")?,
    })
}
