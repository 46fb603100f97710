//! What keeps a store in order: the key check and retention.

use std::time::Duration;

use async_trait::async_trait;
use countersign_mfa::ports::{Connections, KeyCheck, KeyVerdict, StoreError, Upkeep};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, Statement};

use crate::{
    Storage,
    dialect::{Chore, SWEEP_BATCH, Sweep, postgres, sqlite},
    entities::key_check,
    error::{Fault, committed_or_not, nothing_written},
    storage::{Hot, within},
};

/// How long a budget is kept that nobody spends of: the longest window is a day.
const SPEND_KEPT: Duration = Duration::from_secs(2 * 24 * 60 * 60);

#[async_trait]
impl Upkeep for Storage {
    async fn ping(&self) -> Result<(), StoreError> {
        let statement = Statement::from_string(self.read.get_database_backend(), "SELECT 1");
        within(self.patience, self.read.query_one_raw(statement))
            .await
            .map_err(|error| nothing_written(&error))?;
        Ok(())
    }

    fn connections(&self) -> Connections {
        match &self.hot {
            // Both names are of one pool.
            Hot::Postgres { warm, .. } => both(warm.connections(), postgres::pooled(&self.read)),
            Hot::Sqlite { .. } => both(sqlite::pooled(&self.read), sqlite::pooled(&self.write)),
        }
    }

    async fn check_keys(&self, checks: &[KeyCheck]) -> Result<KeyVerdict, StoreError> {
        // In a task of its own, for the reason that `lock` has.
        let (storage, checks) = (self.clone(), checks.to_vec());
        tokio::spawn(async move { storage.compare_and_note(&checks).await })
            .await
            .unwrap_or_else(|_| {
                Err(StoreError::Unavailable(
                    Fault::new("the check was given up").into(),
                ))
            })
    }

    async fn sweep(&self, confirmations_kept: Duration) -> Result<u64, StoreError> {
        let requests = self.sweep_all(Sweep::Requests, Duration::ZERO).await?;
        let confirmations = self
            .sweep_all(Sweep::Confirmations, confirmations_kept)
            .await?;
        let messages = self.sweep_all(Sweep::Messages, confirmations_kept).await?;
        let budgets = self.sweep_all(Sweep::Spend, SPEND_KEPT).await?;
        Ok(requests + confirmations + messages + budgets)
    }
}

const fn both(some: Connections, others: Connections) -> Connections {
    Connections {
        open: some.open + others.open,
        busy: some.busy + others.busy,
    }
}

impl Storage {
    /// Batch by batch. One that may or may not be deleted is deleted the next time.
    async fn sweep_all(&self, what: Sweep, kept: Duration) -> Result<u64, StoreError> {
        let mut deleted = 0;
        loop {
            let now = self.clock.as_ref().map(|clock| clock.now());
            let batch = self.dialect.sweep(&self.write, what, now, kept);
            let gone = within(self.patience, batch)
                .await
                .map_err(|error| nothing_written(&error))?;
            deleted += gone;
            if gone < SWEEP_BATCH {
                return Ok(deleted);
            }
        }
    }

    /// Rows may be sealed with any key that was ever noted, so a key file must have them all.
    async fn compare_and_note(&self, checks: &[KeyCheck]) -> Result<KeyVerdict, StoreError> {
        let compared = async {
            let transaction = self.dialect.begin(&self.write).await?;
            self.dialect
                .take_chore(&transaction, Chore::CheckKeys)
                .await?;
            let noted = key_check::Entity::find().all(&transaction).await?;
            if let Some(unlike) = unlike(&noted, checks) {
                let key_id = unlike.key_id.clone();
                transaction.rollback().await?;
                return Ok(Err(KeyVerdict::Foreign { key_id }));
            }
            for check in unknown(&noted, checks) {
                let row = key_check::ActiveModel {
                    key_id: Set(check.key_id.clone()),
                    usage: Set(check.usage.to_owned()),
                    value: Set(check.value.clone()),
                };
                key_check::Entity::insert(row)
                    .exec_without_returning(&transaction)
                    .await?;
            }
            Ok(Ok(transaction))
        };
        let transaction = match within(self.patience, compared).await {
            Ok(Ok(transaction)) => transaction,
            Ok(Err(verdict)) => return Ok(verdict),
            Err(error) => return Err(nothing_written(&error)),
        };
        within(self.patience, transaction.commit())
            .await
            .map_err(|error| committed_or_not(&error))?;
        Ok(KeyVerdict::Belongs)
    }
}

/// A key that was noted and that is not among these: then they are another installation's.
pub(crate) fn unlike<'n>(
    noted: &'n [key_check::Model],
    checks: &[KeyCheck],
) -> Option<&'n key_check::Model> {
    noted.iter().find(|noted| {
        !checks.iter().any(|check| {
            check.key_id == noted.key_id && check.usage == noted.usage && check.value == noted.value
        })
    })
}

/// The keys that were not noted yet.
pub(crate) fn unknown<'c>(
    noted: &[key_check::Model],
    checks: &'c [KeyCheck],
) -> impl Iterator<Item = &'c KeyCheck> {
    let is_noted = |check: &&KeyCheck| noted.iter().any(|n| n.key_id == check.key_id);
    checks.iter().filter(move |check| !is_noted(check))
}
