//! Whose schema a database has.

use countersign_mfa::ports::StoreError;
use sea_orm::{ConnectionTrait, EntityTrait};
use sea_orm_migration::{MigratorTrait, SchemaManager, seaql_migrations};

use super::{on_both, support::TestDb};
use crate::{ConnectError, SchemaState, Storage, migrations::Migrator};

on_both! {
    a_current_schema_is_left_alone,
    each_step_may_be_applied_twice,
    two_may_migrate_at_once,
    a_database_without_schema_is_refused_and_then_given_one,
    an_earlier_schema_is_refused,
    a_later_schema_is_refused_by_both,
    the_schema_of_another_program_is_refused_by_both,
    tables_of_another_program_are_left_alone,
    a_schema_with_a_table_missing_is_refused,
}

async fn note(db: &TestDb, step: &str) {
    let sql = format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{step}', 0)");
    db.storage.write.execute_unprepared(&sql).await.unwrap();
}

async fn forget_steps(db: &TestDb) {
    seaql_migrations::Entity::delete_many()
        .exec(&db.storage.write)
        .await
        .unwrap();
}

async fn refusal(db: &TestDb) -> (SchemaState, String) {
    match Storage::connect(&db.settings).await {
        Err(error @ ConnectError::Schema(state)) => (state, error.to_string()),
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("connected"),
    }
}

async fn a_current_schema_is_left_alone(db: &TestDb) {
    for _ in 0..2 {
        let before = Storage::migrate(&db.settings).await.unwrap();
        assert_eq!(before, SchemaState::Current);
    }
    assert_eq!(
        Storage::schema_state(&db.settings).await.unwrap(),
        SchemaState::Current
    );
}

async fn each_step_may_be_applied_twice(db: &TestDb) {
    let manager = SchemaManager::new(&db.storage.write);
    for step in Migrator::migrations() {
        step.up(&manager).await.unwrap();
        step.up(&manager).await.unwrap();
    }
}

async fn drop_schema(db: &TestDb) {
    for table in [
        "subject",
        "confirmation",
        "event",
        "request",
        "identifier",
        "key_check",
        "message",
        "number_user",
        "spend",
        "seaql_migrations",
    ] {
        let sql = format!("DROP TABLE {table}");
        db.storage.write.execute_unprepared(&sql).await.unwrap();
    }
}

async fn two_may_migrate_at_once(db: &TestDb) {
    drop_schema(db).await;
    let migrate = || Storage::migrate(&db.settings);
    let (a, b, c) = tokio::join!(migrate(), migrate(), migrate());
    let mut before = [a.unwrap(), b.unwrap(), c.unwrap()];
    before.sort_by_key(|state| *state == SchemaState::Current);
    assert_eq!(
        before,
        [
            SchemaState::Absent,
            SchemaState::Current,
            SchemaState::Current
        ]
    );
}

async fn a_database_without_schema_is_refused_and_then_given_one(db: &TestDb) {
    drop_schema(db).await;
    let (state, text) = refusal(db).await;
    assert_eq!(state, SchemaState::Absent);
    assert!(text.contains("`countersign migrate`"), "{text}");
    assert_eq!(
        Storage::migrate(&db.settings).await.unwrap(),
        SchemaState::Absent
    );
    assert!(Storage::connect(&db.settings).await.is_ok());
}

async fn an_earlier_schema_is_refused(db: &TestDb) {
    // As long as there is but one step, a schema without it is none.
    forget_steps(db).await;
    let (state, text) = refusal(db).await;
    assert_eq!(state, SchemaState::Absent);
    assert!(text.contains("`countersign migrate`"), "{text}");
    let older = ConnectError::Schema(SchemaState::Older).to_string();
    assert!(older.contains("`countersign migrate`"), "{older}");
}

async fn a_later_schema_is_refused_by_both(db: &TestDb) {
    note(db, "m29990101_000001_later").await;
    let (state, text) = refusal(db).await;
    assert_eq!(state, SchemaState::Newer);
    assert!(text.contains("later version"), "{text}");
    let migrate = Storage::migrate(&db.settings).await;
    assert!(matches!(
        migrate,
        Err(ConnectError::Schema(SchemaState::Newer))
    ));
}

async fn the_schema_of_another_program_is_refused_by_both(db: &TestDb) {
    forget_steps(db).await;
    note(db, "m20220101_000001_create_shop").await;
    assert_eq!(refusal(db).await.0, SchemaState::Foreign);
    let migrate = Storage::migrate(&db.settings).await;
    assert!(matches!(
        migrate,
        Err(ConnectError::Schema(SchemaState::Foreign))
    ));
}

async fn tables_of_another_program_are_left_alone(db: &TestDb) {
    drop_schema(db).await;
    db.storage
        .write
        .execute_unprepared("CREATE TABLE subject (name TEXT)")
        .await
        .unwrap();
    let migrate = Storage::migrate(&db.settings).await;
    assert!(matches!(
        migrate,
        Err(ConnectError::Schema(SchemaState::Foreign))
    ));
    assert_eq!(refusal(db).await.0, SchemaState::Foreign);
}

async fn a_schema_with_a_table_missing_is_refused(db: &TestDb) {
    db.storage
        .write
        .execute_unprepared("DROP TABLE event")
        .await
        .unwrap();
    let refused = Storage::connect(&db.settings).await.err();
    assert!(
        matches!(refused, Some(ConnectError::Store(StoreError::Refused(_)))),
        "{refused:?}"
    );
}
