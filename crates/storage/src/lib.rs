//! Load and apply on SQLite and PostgreSQL: the only crate that knows sea-orm.
//!
//! [`Storage`] implements the ports of `countersign_mfa`. It sees bytes and decides nothing; it
//! keeps one promise: a change is written whole, or not at all, and only where the subject is
//! still at the version that the decision was made from.
//!
//! | where | what |
//! |---|---|
//! | `dialect` | everything in which the two databases differ, and all SQL on the hot path, as constant text |
//! | `storage`, `lock`, `upkeep`, `feed`, `outbox` | the ports, for both databases |
//! | `shared` | rows that subjects share, and the order in which they are taken |
//! | `line`, `desks` | the hot path in batches: what waits for the database shares a round trip and a commit |
//! | `examine` | what a database is like, for operators: looks and changes nothing |
//! | `error` | what is certain after a failure |
//! | `schema`, `migrations`, `entities` | the tables |
//!
//! # Adding a table
//! 1. A migration of its own in `migrations`, which must do no harm when it runs twice, and which
//!    the program before it must be able to live with.
//! 2. An entity in `entities`.
//! 3. If a check reads or writes it: its primary key begins with `subject_id`, and its write hangs
//!    on the guard, in both files under `dialect`.
//! 4. If what is in it tells of a person: `lock` removes it with the subject. If it grows: `upkeep`
//!    ends it.

mod desks;
mod dialect;
mod entities;
mod error;
mod examine;
mod feed;
mod line;
mod lock;
mod migrations;
mod outbox;
mod rows;
mod schema;
mod settings;
mod shared;
mod storage;
mod upkeep;

#[cfg(test)]
mod tests;

pub use dialect::hot;
pub use error::{ConnectError, Fault};
pub use examine::{
    Engine, Examination, KeysFound, PostgresFound, RoundTrips, SmsFound, SqliteFound,
};
pub use schema::SchemaState;
pub use settings::{Settings, TimeSource};
pub use storage::Storage;
