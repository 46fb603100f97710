//! Messages that are to be sent, who uses which number, and what sending may cost.
//!
//! A check touches none of them. The rows of `spend` are shared by subjects; they are updated with
//! every message, and no index but their key has them, so that PostgreSQL's updates stay on their
//! page.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbErr},
};

use crate::dialect::Dialect;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261126_000003_sms"
    }
}

const POSTGRES: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS message (\
     subject_id text COLLATE \"C\" NOT NULL, message_id bytea NOT NULL, \
     identifier_id bytea NOT NULL, target bytea NOT NULL, created_at bigint NOT NULL, \
     expires_at bigint NOT NULL, state text NOT NULL, due_at bigint, \
     claim bigint NOT NULL DEFAULT 0, provider text COLLATE \"C\", carrier_id text COLLATE \"C\", \
     prefix text COLLATE \"C\" NOT NULL, confirmed_at bigint, updated_at bigint NOT NULL, \
     progress bytea NOT NULL, body bytea, PRIMARY KEY (subject_id, message_id))",
    "CREATE TABLE IF NOT EXISTS number_user (\
     number bytea NOT NULL, subject_id text COLLATE \"C\" NOT NULL, \
     PRIMARY KEY (number, subject_id))",
    "CREATE TABLE IF NOT EXISTS spend (\
     scope text COLLATE \"C\" NOT NULL, slot bigint NOT NULL, updated_at bigint NOT NULL, \
     closed_until bigint, body bytea NOT NULL, PRIMARY KEY (scope, slot)) WITH (fillfactor = 60)",
];

const SQLITE: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS message (\
     subject_id TEXT NOT NULL, message_id BLOB NOT NULL, \
     identifier_id BLOB NOT NULL, target BLOB NOT NULL, created_at INTEGER NOT NULL, \
     expires_at INTEGER NOT NULL, state TEXT NOT NULL, due_at INTEGER, \
     claim INTEGER NOT NULL DEFAULT 0, provider TEXT, carrier_id TEXT, \
     prefix TEXT NOT NULL, confirmed_at INTEGER, updated_at INTEGER NOT NULL, \
     progress BLOB NOT NULL, body BLOB, PRIMARY KEY (subject_id, message_id)) STRICT",
    "CREATE TABLE IF NOT EXISTS number_user (\
     number BLOB NOT NULL, subject_id TEXT NOT NULL, \
     PRIMARY KEY (number, subject_id)) STRICT, WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS spend (\
     scope TEXT NOT NULL, slot INTEGER NOT NULL, updated_at INTEGER NOT NULL, \
     closed_until INTEGER, body BLOB NOT NULL, PRIMARY KEY (scope, slot)) STRICT, WITHOUT ROWID",
];

/// What is due, how a prefix converts, what a carrier reports about, what retention ends, and what
/// a subject's erasure removes.
const INDEXES: [&str; 5] = [
    "CREATE INDEX IF NOT EXISTS message_due_at ON message (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS message_prefix ON message (prefix, created_at)",
    "CREATE INDEX IF NOT EXISTS message_carrier_id ON message (provider, carrier_id) \
     WHERE carrier_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS message_created_at ON message (created_at)",
    "CREATE INDEX IF NOT EXISTS number_user_subject_id ON number_user (subject_id)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = match Dialect::of(manager.get_database_backend()) {
            Dialect::Postgres => POSTGRES,
            Dialect::Sqlite => SQLITE,
        };
        for step in tables.iter().chain(&INDEXES) {
            manager.get_connection().execute_unprepared(step).await?;
        }
        Ok(())
    }
}
