//! The store: load, apply and lock, on either database.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use countersign_mfa::ports::{
    Applied, Change, LoadKey, Lock, Rows, Store, StoreError, StoredEvent,
    sms::{SharedKey, SharedRows, StoredMessage},
};
use countersign_primitives::{Clock, MessageId, SubjectId};
use countersign_security_identifiers::Binding;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QueryResult, QuerySelect, Value,
};

use crate::{
    ConnectError, SchemaState, Settings,
    desks::{Changes, Commits, Loads},
    dialect::{Chore, Dialect, OpenFor, Warm, postgres, statement},
    entities::{event, identifier, subject},
    error::{Fault, committed_or_not, nothing_written, too_slow, written_or_not},
    line::Line,
    lock::Held,
    rows, schema, shared,
};

/// A database that has our schema and keeps what it acknowledges.
#[derive(Clone)]
pub struct Storage {
    pub(crate) dialect: Dialect,
    pub(crate) read: DatabaseConnection,
    pub(crate) write: DatabaseConnection,
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) patience: Duration,
    pub(crate) hot: Hot,
}

/// The hot path.
#[derive(Clone)]
pub(crate) enum Hot {
    /// SQLite: loads by any reader, changes by the one writer.
    Sqlite { changes: Line<Commits> },
    /// PostgreSQL: either is one statement, for as many as wait for it.
    Postgres {
        loads: Line<Loads>,
        changes: Line<Changes>,
        warm: Warm,
    },
}

impl Hot {
    fn sqlite(connection: DatabaseConnection, patience: Duration) -> Self {
        let desk = Commits {
            connection,
            patience,
        };
        Self::Sqlite {
            changes: Line::open(desk, 1),
        }
    }

    fn postgres(
        warm: Warm,
        desks: usize,
        patience: Duration,
        clock: Option<Arc<dyn Clock>>,
    ) -> Self {
        let loads = Loads {
            warm: warm.clone(),
            patience,
            clock,
        };
        let changes = Changes {
            warm: warm.clone(),
            patience,
        };
        Self::Postgres {
            loads: Line::open(loads, desks),
            changes: Line::open(changes, desks),
            warm,
        }
    }
}

impl Storage {
    /// Connects. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`ConnectError`] says why there is no storage: above all [`ConnectError::Schema`], whose
    /// text says what to run, where the schema is not that of this program.
    pub async fn connect(settings: &Settings) -> Result<Self, ConnectError> {
        let dialect = Dialect::of_url(settings)?;
        let connections = dialect.open(settings, OpenFor::Service).await?;
        let state = within(settings.patience(), schema::state(&connections.read))
            .await
            .map_err(|error| nothing_written(&error))?;
        if state != SchemaState::Current {
            return Err(ConnectError::Schema(state));
        }
        within(settings.patience(), schema::probe(&connections.read))
            .await
            .map_err(|error| nothing_written(&error))?;
        let clock = settings.time.clock(dialect.has_clock());
        let patience = settings.patience();
        let hot = match connections.warm {
            Some(warm) => Hot::postgres(warm, settings.desks(), patience, clock.clone()),
            None => Hot::sqlite(connections.write.clone(), patience),
        };
        Ok(Self {
            dialect,
            read: connections.read,
            write: connections.write,
            clock,
            patience,
            hot,
        })
    }

    /// Gives a database the schema of this program, and says what it had before. Two that start
    /// at once wait for each other. An SQLite file that is not there is made, for its owner alone.
    ///
    /// # Errors
    /// [`ConnectError::Schema`] where the schema is that of a later version or of another
    /// program, which is left alone; other variants as for [`Storage::connect`].
    pub async fn migrate(settings: &Settings) -> Result<SchemaState, ConnectError> {
        let dialect = Dialect::of_url(settings)?;
        let connections = dialect.open(settings, OpenFor::Migration).await?;
        let before = async {
            let transaction = dialect
                .begin(&connections.write)
                .await
                .map_err(|error| nothing_written(&error))?;
            let state = async {
                dialect.take_chore(&transaction, Chore::Migrate).await?;
                let state = schema::state(&transaction).await?;
                if matches!(state, SchemaState::Absent | SchemaState::Older) {
                    schema::migrate(&transaction).await?;
                }
                Ok(state)
            };
            let state = state.await.map_err(|error| nothing_written(&error))?;
            if matches!(state, SchemaState::Newer | SchemaState::Foreign) {
                return Err(ConnectError::Schema(state));
            }
            transaction
                .commit()
                .await
                .map_err(|error| committed_or_not(&error))?;
            Ok(state)
        }
        .await;
        // Whatever came out of it, the connections have served their purpose.
        let _ = connections.read.close().await;
        let _ = connections.write.close().await;
        before
    }

    /// Looks at a database's schema, and changes nothing.
    ///
    /// # Errors
    /// As for [`Storage::connect`], but never [`ConnectError::Schema`].
    pub async fn schema_state(settings: &Settings) -> Result<SchemaState, ConnectError> {
        match Self::connect(settings).await {
            Ok(storage) => {
                storage.close().await;
                Ok(SchemaState::Current)
            }
            Err(ConnectError::Schema(state)) => Ok(state),
            Err(error) => Err(error),
        }
    }

    /// Closes all connections. What is under way may still end.
    pub async fn close(&self) {
        if let Hot::Postgres { warm, .. } = &self.hot {
            warm.close().await;
        }
        let _ = self.read.close_by_ref().await;
        let _ = self.write.close_by_ref().await;
    }

    async fn rows(
        &self,
        load: impl Future<Output = Result<Option<QueryResult>, DbErr>>,
    ) -> Result<Rows, StoreError> {
        let row = within(self.patience, load)
            .await
            .map_err(|error| nothing_written(&error))?
            .ok_or_else(|| StoreError::Refused(Fault::new("a load gave no row").into()))?;
        rows::rows(&row, self.clock.as_deref())
    }

    async fn take(&self, key: &LoadKey) -> Result<(Rows, Box<dyn Lock>), StoreError> {
        let taken = async {
            let transaction = self.dialect.begin(&self.write).await?;
            self.dialect
                .take_subject(&transaction, &key.subject)
                .await?;
            Ok(transaction)
        };
        let transaction = within(self.patience, taken)
            .await
            .map_err(|error| nothing_written(&error))?;
        let rows = self
            .rows(transaction.query_one_raw(self.dialect.load(key)))
            .await?;
        let held = Held {
            dialect: self.dialect,
            patience: self.patience,
            clock: self.clock.clone(),
            transaction,
        };
        Ok((rows, Box::new(held)))
    }

    /// Runs a statement that reads.
    pub(crate) async fn ask(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<QueryResult>, DbErr> {
        self.run(&self.read, sql, values).await
    }

    /// Runs a statement that writes, as a transaction of its own.
    pub(crate) async fn change(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<QueryResult>, DbErr> {
        self.run(&self.write, sql, values).await
    }

    /// On PostgreSQL a connection of the hot path serves for both.
    async fn run(
        &self,
        connection: &DatabaseConnection,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let statement = statement(connection.get_database_backend(), sql, values);
        match &self.hot {
            Hot::Sqlite { .. } => connection.query_all_raw(statement).await,
            Hot::Postgres { warm, .. } => warm.fetch(postgres::query(statement)?).await,
        }
    }
}

#[async_trait]
impl Store for Storage {
    async fn load(&self, key: &LoadKey) -> Result<Rows, StoreError> {
        match &self.hot {
            Hot::Sqlite { .. } => {
                let statement = self.dialect.load(key);
                self.rows(self.read.query_one_raw(statement)).await
            }
            Hot::Postgres { loads, .. } => loads.ask(key.clone()).await?,
        }
    }

    async fn apply(&self, change: Change) -> Result<Applied, StoreError> {
        match &self.hot {
            Hot::Sqlite { changes } => changes.ask(change).await,
            Hot::Postgres { changes, .. } if postgres::is_common(&change) => {
                changes.ask(change).await
            }
            Hot::Postgres { warm, .. } => {
                let written = async {
                    let rows = warm.fetch(postgres::apply_one(&change)?).await?;
                    Ok(postgres::outcome(rows.first()))
                };
                within(self.patience, written)
                    .await
                    .map_err(|error| written_or_not(&error))
            }
        }
    }

    async fn lock(&self, key: &LoadKey) -> Result<(Rows, Box<dyn Lock>), StoreError> {
        // In a task of its own: a caller that goes away while the transaction begins would leave
        // the driver a connection inside one that it does not know of.
        let (storage, key) = (self.clone(), key.clone());
        tokio::spawn(async move { storage.take(&key).await })
            .await
            .unwrap_or_else(|_| {
                Err(StoreError::Unavailable(
                    Fault::new("the lock was given up").into(),
                ))
            })
    }

    async fn shared(&self, subject: &SubjectId, key: &SharedKey) -> Result<SharedRows, StoreError> {
        let (sql, values) = shared::read(self.dialect, subject, key);
        let found = within(self.patience, self.ask(sql, values))
            .await
            .map_err(|error| nothing_written(&error))?;
        shared::rows(&found)
    }

    async fn message(
        &self,
        subject: &SubjectId,
        id: MessageId,
    ) -> Result<Option<StoredMessage>, StoreError> {
        self.find_message(subject, id).await
    }

    async fn bindings(&self, subject: &SubjectId) -> Result<Vec<Binding>, StoreError> {
        let query = identifier::Entity::find()
            .filter(identifier::Column::SubjectId.eq(subject.as_str()))
            .order_by_asc(identifier::Column::CreatedAt)
            .order_by_asc(identifier::Column::IdentifierId)
            .all(&self.read);
        within(self.patience, query)
            .await
            .map_err(|error| nothing_written(&error))?
            .iter()
            .map(rows::binding)
            .collect()
    }

    async fn events(
        &self,
        subject: &SubjectId,
        before: Option<i64>,
        most: u64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let query = event::Entity::find()
            .filter(event::Column::SubjectId.eq(subject.as_str()))
            .filter(event::Column::Version.lt(before.unwrap_or(i64::MAX)))
            .order_by_desc(event::Column::Version)
            .limit(most)
            .all(&self.read);
        let events = within(self.patience, query)
            .await
            .map_err(|error| nothing_written(&error))?;
        Ok(events.into_iter().map(rows::event).collect())
    }

    async fn subjects(
        &self,
        after: Option<&SubjectId>,
        most: u64,
    ) -> Result<Vec<SubjectId>, StoreError> {
        let query = subject::Entity::find()
            .select_only()
            .column(subject::Column::SubjectId)
            .filter(subject::Column::SubjectId.gt(after.map_or("", SubjectId::as_str)))
            .order_by_asc(subject::Column::SubjectId)
            .limit(most)
            .into_tuple::<String>()
            .all(&self.read);
        within(self.patience, query)
            .await
            .map_err(|error| nothing_written(&error))?
            .into_iter()
            .map(rows::subject)
            .collect()
    }
}

/// Gives a call up after a while, as if its connection had broken.
pub(crate) async fn within<T>(
    patience: Duration,
    call: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    tokio::time::timeout(patience, call)
        .await
        .unwrap_or_else(|_| Err(too_slow()))
}
