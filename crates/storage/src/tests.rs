//! The same rules on both databases, and what each of them has of its own.
//!
//! PostgreSQL is tested where `COUNTERSIGN_TEST_POSTGRES` names a server, such as
//! `postgres://postgres@127.0.0.1:5432`: each test makes a database of its own there and drops it.

mod apply;
mod batches;
mod crowds;
mod examine;
mod feed;
mod lock;
mod network;
mod operators;
mod outbox;
mod postgres;
mod schema;
mod shared;
mod sms;
mod sqlite;
pub(crate) mod support;
mod upkeep;

/// Makes a test of each function on each database.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let db = crate::tests::support::TestDb::sqlite().await;
                super::$name(&db).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(db) = crate::tests::support::TestDb::postgres().await else { return };
                super::$name(&db).await;
                db.drop_database().await;
            })*
        }
    };
}
use on_both;
