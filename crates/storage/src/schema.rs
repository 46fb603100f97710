//! Whether a database has our schema, and giving it one.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QuerySelect};
use sea_orm_migration::{MigratorTrait, SchemaManager, SchemaManagerConnection, seaql_migrations};

use crate::{
    entities::{
        confirmation, event, identifier, incarnation, key_check, message, number_user, request,
        spend, subject,
    },
    migrations::Migrator,
};

/// What a database's schema is, seen from this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// There is none yet.
    Absent,
    /// That of an earlier version.
    Older,
    /// Ours.
    Current,
    /// That of a later version: it has all our steps, and more.
    Newer,
    /// That of another program.
    Foreign,
}

/// Looks, and changes nothing.
pub(crate) async fn state<'c, C>(connection: &'c C) -> Result<SchemaState, DbErr>
where
    C: ConnectionTrait,
    SchemaManagerConnection<'c>: From<&'c C>,
{
    let manager = SchemaManager::new(SchemaManagerConnection::from(connection));
    if !manager.has_table("seaql_migrations").await? {
        // A step and the note of it are one commit, so without notes this table is not ours.
        let is_taken = manager.has_table("subject").await?;
        return Ok(if is_taken {
            SchemaState::Foreign
        } else {
            SchemaState::Absent
        });
    }
    let applied = seaql_migrations::Entity::find().all(connection).await?;
    let ours = Migrator::migrations();
    let is_ours = |name: &str| ours.iter().any(|step| step.name() == name);
    let is_applied = |name: &str| applied.iter().any(|step| step.version == name);

    let has_others = applied.iter().any(|step| !is_ours(&step.version));
    let has_all_of_ours = ours.iter().all(|step| is_applied(step.name()));
    Ok(match (has_others, has_all_of_ours) {
        (true, true) => SchemaState::Newer,
        (true, false) => SchemaState::Foreign,
        (false, true) => SchemaState::Current,
        (false, false) if applied.is_empty() => SchemaState::Absent,
        (false, false) => SchemaState::Older,
    })
}

/// Asks each table for all its columns and no row: steps may be noted and tables missing, as after
/// half a restore, or where PostgreSQL looks for them in another schema.
pub(crate) async fn probe(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    subject::Entity::find().limit(0).all(connection).await?;
    confirmation::Entity::find()
        .limit(0)
        .all(connection)
        .await?;
    event::Entity::find().limit(0).all(connection).await?;
    request::Entity::find().limit(0).all(connection).await?;
    identifier::Entity::find().limit(0).all(connection).await?;
    key_check::Entity::find().limit(0).all(connection).await?;
    incarnation::Entity::find().limit(0).all(connection).await?;
    message::Entity::find().limit(0).all(connection).await?;
    number_user::Entity::find().limit(0).all(connection).await?;
    spend::Entity::find().limit(0).all(connection).await?;
    Ok(())
}

/// Applies the steps that are missing, in the transaction that it is given.
pub(crate) async fn migrate(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    Migrator::up(transaction, None).await
}
