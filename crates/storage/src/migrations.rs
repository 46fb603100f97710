//! The steps that make the schema, in order. A step that was released is never changed.

mod m20261124_000001_tables;
mod m20261125_000002_feed;
mod m20261126_000003_sms;

use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// All steps.
pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261124_000001_tables::Migration),
            Box::new(m20261125_000002_feed::Migration),
            Box::new(m20261126_000003_sms::Migration),
        ]
    }
}
