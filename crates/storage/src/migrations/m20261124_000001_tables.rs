//! The first tables. Times are epoch milliseconds; ids are 16 bytes.
//!
//! Every table that a check touches has a primary key that begins with `subject_id`, and no
//! constraint crosses subjects. The indexes beside the primary keys are on values that never
//! change, so that PostgreSQL's updates can stay on their page (HOT).

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::DbErr,
    sea_query::{Alias, ColumnDef, Index, Table, TableCreateStatement},
};

use crate::dialect::{Dialect, Shape};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261124_000001_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager.get_database_backend());
        for table in tables(dialect) {
            manager.create_table(table).await?;
        }
        for (name, table, column) in [
            ("confirmation_created_at", "confirmation", "created_at"),
            ("request_expires_at", "request", "expires_at"),
        ] {
            let mut index = Index::create();
            index
                .name(name)
                .table(Alias::new(table))
                .col(Alias::new(column))
                .if_not_exists();
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn tables(dialect: Dialect) -> [TableCreateStatement; 6] {
    let id = |name| column(name).blob().to_owned();
    let bytes = |name| column(name).blob().to_owned();
    let text = |name| column(name).text().to_owned();
    let number = |name| column(name).big_integer().to_owned();
    let subject = || dialect.exact_text(column("subject_id").text()).to_owned();

    [
        table(
            dialect,
            "subject",
            Shape::OftenUpdated,
            &["subject_id"],
            [
                subject(),
                number("version"),
                number("updated_at"),
                bytes("secrets"),
                bytes("counters"),
            ],
        ),
        table(
            dialect,
            "confirmation",
            Shape::OftenUpdated,
            &["subject_id", "confirmation_id"],
            [
                subject(),
                id("confirmation_id"),
                number("created_at"),
                text("state"),
                bytes("body"),
            ],
        ),
        table(
            dialect,
            "event",
            Shape::ShortRows,
            &["subject_id", "version"],
            [
                subject(),
                number("version"),
                number("at"),
                text("caller"),
                text("method"),
                text("facts"),
            ],
        ),
        table(
            dialect,
            "request",
            Shape::ShortRows,
            &["subject_id", "caller", "method", "request_id"],
            [
                subject(),
                text("caller"),
                text("method"),
                id("request_id"),
                bytes("mac"),
                bytes("answer"),
                number("expires_at"),
            ],
        ),
        table(
            dialect,
            "identifier",
            Shape::ShortRows,
            &["subject_id", "identifier_id"],
            [
                subject(),
                id("identifier_id"),
                text("kind"),
                text("label"),
                text("state"),
                number("created_at"),
                number("enabled_at"),
                number("disabled_at").null().to_owned(),
            ],
        ),
        table(
            dialect,
            "key_check",
            Shape::ShortRows,
            &["key_id"],
            [text("key_id"), text("usage"), bytes("value")],
        ),
    ]
}

fn column(name: &str) -> ColumnDef {
    ColumnDef::new(Alias::new(name)).not_null().to_owned()
}

fn table<const N: usize>(
    dialect: Dialect,
    name: &str,
    shape: Shape,
    key: &[&str],
    columns: [ColumnDef; N],
) -> TableCreateStatement {
    let mut primary_key = Index::create();
    for column in key {
        primary_key.col(Alias::new(*column));
    }
    let mut table = Table::create();
    table
        .table(Alias::new(name))
        .if_not_exists()
        .primary_key(&mut primary_key);
    for mut column in columns {
        table.col(&mut column);
    }
    if let Some(options) = dialect.table_options(shape) {
        table.extra(options);
    }
    table
}
