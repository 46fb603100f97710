//! A place in the feed for each event, and which life of the database such places belong to.
//!
//! On PostgreSQL the place is the number of the transaction, which is what tells a reader that none
//! before it is still under way. Its default fills it in, so that a program of before writes it too.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbErr},
};

use crate::dialect::Dialect;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261125_000002_feed"
    }
}

/// Events of before are at place 0, before all others.
const POSTGRES: [&str; 5] = [
    "ALTER TABLE event ADD COLUMN IF NOT EXISTS place BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE event ALTER COLUMN place SET DEFAULT (pg_current_xact_id()::text::bigint)",
    "CREATE INDEX IF NOT EXISTS event_place ON event (place)",
    "CREATE TABLE IF NOT EXISTS incarnation (id bytea NOT NULL PRIMARY KEY)",
    "INSERT INTO incarnation (id) SELECT uuid_send(gen_random_uuid()) \
     WHERE NOT EXISTS (SELECT 1 FROM incarnation)",
];

const SQLITE: [&str; 4] = [
    "ALTER TABLE event ADD COLUMN place INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX IF NOT EXISTS event_place ON event (place)",
    "CREATE TABLE IF NOT EXISTS incarnation (id BLOB NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID",
    "INSERT INTO incarnation (id) SELECT randomblob(16) \
     WHERE NOT EXISTS (SELECT 1 FROM incarnation)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let steps = match Dialect::of(manager.get_database_backend()) {
            Dialect::Postgres => POSTGRES.as_slice(),
            // It knows no IF NOT EXISTS for columns.
            Dialect::Sqlite if manager.has_column("event", "place").await? => &SQLITE[1..],
            Dialect::Sqlite => SQLITE.as_slice(),
        };
        for step in steps {
            manager.get_connection().execute_unprepared(step).await?;
        }
        Ok(())
    }
}
