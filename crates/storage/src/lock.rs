//! A subject that no one else can change: a transaction that holds its row.

use std::time::Duration;

use async_trait::async_trait;
use countersign_mfa::ports::{Applied, Change, Lock, StoreError};
use sea_orm::DatabaseTransaction;

use crate::{
    dialect::Dialect,
    error::{committed_or_not, nothing_written},
    storage::within,
};

/// Dropped, it rolls back.
pub(crate) struct Held {
    pub(crate) dialect: Dialect,
    pub(crate) patience: Duration,
    pub(crate) transaction: DatabaseTransaction,
}

#[async_trait]
impl Lock for Held {
    async fn apply(self: Box<Self>, change: Change) -> Result<Applied, StoreError> {
        let Self {
            dialect,
            patience,
            transaction,
        } = *self;
        let applied = within(patience, dialect.write(&transaction, &change))
            .await
            .map_err(|error| nothing_written(&error))?;
        match applied {
            Applied::Written => within(patience, transaction.commit())
                .await
                .map_err(|error| committed_or_not(&error))?,
            // Nothing was written, so nothing hangs on whether this arrives.
            Applied::GuardMissed => drop(within(patience, transaction.rollback()).await),
        }
        Ok(applied)
    }

    async fn release(self: Box<Self>) -> Result<(), StoreError> {
        within(self.patience, self.transaction.rollback())
            .await
            .map_err(|error| nothing_written(&error))
    }
}
