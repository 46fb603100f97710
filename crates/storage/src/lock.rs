//! A subject that no one else can change: a transaction that holds its row.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use countersign_mfa::ports::{
    Applied, Change, ERASED_LABEL, Lock, Scrub, StoreError,
    sms::{SharedKey, SharedRows},
};
use countersign_primitives::{Clock, SubjectId};
use countersign_spend_guard::RowKey;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr,
    EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};

use crate::{
    dialect::{Dialect, statement},
    entities::{confirmation, event, identifier, message, number_user, request, spend},
    error::{committed_or_not, nothing_written},
    shared,
    storage::within,
};

/// How many events of an erased subject are in memory at once.
const EVENTS_AT_ONCE: u64 = 500;

/// Dropped, it rolls back.
pub(crate) struct Held {
    pub(crate) dialect: Dialect,
    pub(crate) patience: Duration,
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) transaction: DatabaseTransaction,
}

#[async_trait]
impl Lock for Held {
    async fn shared(
        &mut self,
        subject: &SubjectId,
        key: &SharedKey,
    ) -> Result<SharedRows, StoreError> {
        let backend = self.transaction.get_database_backend();
        let read = async {
            // A statement of its own: what is read is what those who were waited for have left.
            if self.dialect == Dialect::Postgres {
                let now = self.clock.as_ref().map(|clock| clock.now().as_millis());
                let values = shared::take(key, now);
                let take = statement(backend, shared::TAKE_POSTGRES, values);
                self.transaction.query_all_raw(take).await?;
            }
            let (sql, values) = shared::read(self.dialect, subject, key);
            let read = statement(backend, sql, values);
            self.transaction.query_all_raw(read).await
        };
        let found = within(self.patience, read)
            .await
            .map_err(|error| nothing_written(&error))?;
        shared::rows(&found)
    }

    async fn apply(self: Box<Self>, change: Change) -> Result<Applied, StoreError> {
        let Self {
            dialect,
            patience,
            transaction,
            ..
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
        self.remove(&change.subject, scrub)
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
    /// Removes what tells of a person, within the transaction. Each statement has its own time: the
    /// events of years are many.
    async fn remove(&self, subject: &SubjectId, scrub: Scrub) -> Result<(), DbErr> {
        let (patience, transaction) = (self.patience, &self.transaction);
        let confirmations = confirmation::Entity::delete_many()
            .filter(confirmation::Column::SubjectId.eq(subject.as_str()))
            .exec(transaction);
        within(patience, confirmations).await?;
        let requests = request::Entity::delete_many()
            .filter(request::Column::SubjectId.eq(subject.as_str()))
            .exec(transaction);
        within(patience, requests).await?;
        let names = identifier::Entity::update_many()
            .col_expr(identifier::Column::Label, Expr::value(ERASED_LABEL))
            .filter(identifier::Column::SubjectId.eq(subject.as_str()))
            .exec(transaction);
        within(patience, names).await?;
        let messages = message::Entity::delete_many()
            .filter(message::Column::SubjectId.eq(subject.as_str()))
            .exec(transaction);
        within(patience, messages).await?;
        let numbers = number_user::Entity::delete_many()
            .filter(number_user::Column::SubjectId.eq(subject.as_str()))
            .exec(transaction);
        within(patience, numbers).await?;
        let budget = spend::Entity::delete_many()
            .filter(spend::Column::Scope.eq(RowKey::subject(subject).scope))
            .exec(transaction);
        within(patience, budget).await?;

        let mut last = 0;
        loop {
            let page = event::Entity::find()
                .filter(event::Column::SubjectId.eq(subject.as_str()))
                .filter(event::Column::Version.gt(last))
                .order_by_asc(event::Column::Version)
                .limit(EVENTS_AT_ONCE)
                .all(transaction);
            let page = within(patience, page).await?;
            let Some(end) = page.last() else {
                return Ok(());
            };
            last = end.version;
            for event in page {
                let facts = scrub(&event.facts);
                if facts != event.facts {
                    let mut row = event.into_active_model();
                    row.facts = Set(facts);
                    within(patience, row.update(transaction)).await?;
                }
            }
        }
    }
}
