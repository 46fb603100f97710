//! A subject that no one else can change: a transaction that holds its row.

use std::time::Duration;

use async_trait::async_trait;
use countersign_mfa::ports::{Applied, Change, Lock, Scrub, StoreError};
use countersign_primitives::SubjectId;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait,
    IntoActiveModel, QueryFilter, sea_query::Expr,
};

use crate::{
    dialect::Dialect,
    entities::{confirmation, event, identifier, request},
    error::{committed_or_not, nothing_written},
    storage::within,
};

/// What identifiers of an erased subject are called in the history.
const ERASED_LABEL: &str = "erased";

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

    async fn erase(self: Box<Self>, change: Change, scrub: Scrub) -> Result<Applied, StoreError> {
        within(self.patience, self.remove(&change.subject, scrub))
            .await
            .map_err(|error| nothing_written(&error))?;
        self.apply(change).await
    }

    async fn release(self: Box<Self>) -> Result<(), StoreError> {
        within(self.patience, self.transaction.rollback())
            .await
            .map_err(|error| nothing_written(&error))
    }
}

impl Held {
    /// Removes what tells of a person, within the transaction.
    async fn remove(&self, subject: &SubjectId, scrub: Scrub) -> Result<(), DbErr> {
        let (subject, transaction) = (subject.as_str(), &self.transaction);
        confirmation::Entity::delete_many()
            .filter(confirmation::Column::SubjectId.eq(subject))
            .exec(transaction)
            .await?;
        request::Entity::delete_many()
            .filter(request::Column::SubjectId.eq(subject))
            .exec(transaction)
            .await?;
        identifier::Entity::update_many()
            .col_expr(identifier::Column::Label, Expr::value(ERASED_LABEL))
            .filter(identifier::Column::SubjectId.eq(subject))
            .exec(transaction)
            .await?;
        let events = event::Entity::find()
            .filter(event::Column::SubjectId.eq(subject))
            .all(transaction)
            .await?;
        for event in events {
            let facts = scrub(&event.facts);
            if facts != event.facts {
                let mut row = event.into_active_model();
                row.facts = Set(facts);
                row.update(transaction).await?;
            }
        }
        Ok(())
    }
}
