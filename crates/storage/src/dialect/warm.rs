//! Connections to PostgreSQL for the hot path, kept in hand from one statement to the next.
//!
//! The driver's pool pings each connection that comes back to it: a round trip on the wire for
//! every statement, during which nobody else can have the connection. Here one that answered is
//! simply the next to be used. One that broke, or whose caller went away before the answer, is
//! closed, so none is ever used again in an unknown state.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use countersign_mfa::ports::Connections;
use sea_orm::{
    ConnAcquireErr, DbErr, QueryResult, RuntimeErr, SqlxError, SqlxPostgresError,
    sqlx::{
        ConnectOptions, Connection, PgConnection, Postgres,
        postgres::{PgArguments, PgConnectOptions, PgSeverity},
        query::Query,
    },
};
use tokio::{sync::Semaphore, time::timeout};

use super::postgres::{LONGEST_LIFE, TRY_IF_IDLE_FOR, prepare_and_check};

/// The connections, and how to open one more.
#[derive(Clone)]
pub(crate) struct Warm(Arc<Inner>);

struct Inner {
    options: PgConnectOptions,
    session: String,
    /// How long to wait for a turn, and then again for a connection.
    patience: Duration,
    most: usize,
    /// One for each connection that may be in use.
    turns: Semaphore,
    idle: Mutex<Vec<Kept>>,
}

struct Kept {
    connection: PgConnection,
    opened: Instant,
    used: Instant,
}

impl Warm {
    pub(super) fn new(
        options: PgConnectOptions,
        session: String,
        most: usize,
        patience: Duration,
    ) -> Self {
        Self(Arc::new(Inner {
            options,
            session,
            patience,
            most,
            turns: Semaphore::new(most),
            idle: Mutex::default(),
        }))
    }

    /// Runs a statement as a transaction of its own. It has ended when this returns: the driver
    /// reads on until the server is ready for the next.
    pub(crate) async fn fetch(
        &self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let inner = &self.0;
        let not_had = DbErr::ConnectionAcquire;
        let _turn = timeout(inner.patience, inner.turns.acquire())
            .await
            .map_err(|_| not_had(ConnAcquireErr::Timeout))?
            .map_err(|_| not_had(ConnAcquireErr::ConnectionClosed))?;
        let mut kept = timeout(inner.patience, inner.connection())
            .await
            .unwrap_or(Err(SqlxError::PoolTimedOut))
            .map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?;
        match query.fetch_all(&mut kept.connection).await {
            Ok(rows) => {
                inner.keep(kept);
                Ok(rows.into_iter().map(QueryResult::from).collect())
            }
            Err(error) => {
                if is_answer(&error) {
                    inner.keep(kept);
                } else {
                    // What ended this one, such as a failover, has most likely ended the others.
                    drop(inner.take_all());
                }
                Err(DbErr::Query(RuntimeErr::SqlxError(error.into())))
            }
        }
    }

    /// How many there are. A turn counts as a connection in use from its beginning on, while the
    /// connection is still being opened.
    pub(crate) fn connections(&self) -> Connections {
        let inner = &self.0;
        let busy = inner.most.saturating_sub(inner.turns.available_permits());
        let idle = inner.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let open = busy + idle.len();
        Connections { open, busy }
    }

    /// Lets no one in any more, and closes what is not in use.
    pub(crate) async fn close(&self) {
        self.0.turns.close();
        for kept in self.0.take_all() {
            let _ = kept.connection.close().await;
        }
    }
}

impl Inner {
    /// The one used last, if it still answers, or a new one.
    async fn connection(&self) -> Result<Kept, SqlxError> {
        while let Some(mut kept) = self.take() {
            if kept.opened.elapsed() >= LONGEST_LIFE {
                let _ = kept.connection.close().await;
            } else if kept.used.elapsed() < TRY_IF_IDLE_FOR || kept.connection.ping().await.is_ok()
            {
                return Ok(kept);
            }
        }
        let mut connection = self.options.connect().await?;
        // The server may be another than at the start: a failover goes to a standby.
        prepare_and_check(&mut connection, &self.session)
            .await?
            .map_err(|unfit| SqlxError::Configuration(unfit.into()))?;
        Ok(Kept {
            connection,
            opened: Instant::now(),
            used: Instant::now(),
        })
    }

    fn take(&self) -> Option<Kept> {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    fn keep(&self, kept: Kept) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.turns.is_closed() {
            idle.push(Kept {
                used: Instant::now(),
                ..kept
            });
        }
    }

    fn take_all(&self) -> Vec<Kept> {
        std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether the server answered with an error that leaves the connection as good as it was. A
/// server that refuses to write (class 25) or is being stopped (class 57, where it is no timeout of
/// ours) is not the one to stay with.
fn is_answer(error: &SqlxError) -> bool {
    let SqlxError::Database(answer) = error else {
        return false;
    };
    answer
        .try_downcast_ref::<SqlxPostgresError>()
        .is_some_and(|answer| {
            let is_error = answer.severity() == PgSeverity::Error;
            let code = answer.code();
            is_error && (code == "57014" || !(code.starts_with("25") || code.starts_with("57")))
        })
}
