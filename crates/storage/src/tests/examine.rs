//! What is said of a database, and that nothing is left behind.

use std::{path::Path, slice::from_ref, time::Duration};

use countersign_mfa::ports::{
    Applied, KeyCheck, Upkeep,
    sms::{RowKey, SmsChange, SpendRow, Waiting, Window},
};
use countersign_primitives::Timestamp;
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait};
use tempfile::TempDir;

use super::{
    on_both,
    support::{Database, START, TestDb, connect, message, subject_id},
};
use crate::{
    ConnectError, Engine, Examination, KeysFound, SchemaState, Settings, Storage,
    entities::key_check,
};

on_both! {
    keys_are_compared_and_never_noted,
    a_schema_of_another_version_is_told,
    a_table_that_is_missing_is_a_fault,
    what_waits_and_which_prefixes_are_closed_is_told,
}

fn check(key_id: &str, value: u8) -> KeyCheck {
    KeyCheck {
        key_id: key_id.to_owned(),
        usage: "seal",
        value: vec![value; 16],
    }
}

async fn examined(settings: &Settings, keys: &[KeyCheck]) -> Examination {
    Storage::examine(settings, Some(keys)).await.unwrap()
}

async fn keys_are_compared_and_never_noted(db: &TestDb) {
    let (a, b) = (check("aa", 1), check("bb", 2));
    let keys = async |keys: &[KeyCheck]| examined(&db.settings, keys).await.keys.unwrap().unwrap();
    let belongs = |noted, new| KeysFound::Belongs { noted, new };
    assert_eq!(keys(&[a.clone(), b.clone()]).await, belongs(0, 2));
    let noted = key_check::Entity::find().count(&db.storage.read).await;
    assert_eq!(noted.unwrap(), 0);

    let _ = db.storage.check_keys(from_ref(&a)).await.unwrap();
    assert_eq!(keys(from_ref(&a)).await, belongs(1, 0));
    assert_eq!(keys(&[a.clone(), b.clone()]).await, belongs(1, 1));
    let foreign = KeysFound::Foreign {
        key_id: "aa".to_owned(),
    };
    assert_eq!(keys(&[check("aa", 9), b.clone()]).await, foreign);
    assert_eq!(keys(&[b]).await, foreign);
    let noted = key_check::Entity::find().count(&db.storage.read).await;
    assert_eq!(noted.unwrap(), 1);
    let without = Storage::examine(&db.settings, None).await.unwrap();
    assert!(without.keys.is_none());
}

async fn a_schema_of_another_version_is_told(db: &TestDb) {
    let current = examined(&db.settings, &[]).await;
    assert_eq!(current.schema.unwrap(), SchemaState::Current);
    let run = async |sql| db.storage.write.execute_unprepared(sql).await.unwrap();
    run("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m_later', 1)").await;
    let newer = examined(&db.settings, &[]).await;
    assert_eq!(newer.schema.unwrap(), SchemaState::Newer);
    assert!(newer.keys.is_some());
    run("DELETE FROM seaql_migrations WHERE version <> 'm_later'").await;
    let foreign = examined(&db.settings, &[]).await;
    assert_eq!(foreign.schema.unwrap(), SchemaState::Foreign);
    assert!(foreign.keys.is_none());
}

async fn a_table_that_is_missing_is_a_fault(db: &TestDb) {
    let run = async |sql| db.storage.write.execute_unprepared(sql).await.unwrap();
    run("DROP TABLE request").await;
    let found = examined(&db.settings, &[]).await;
    assert!(found.schema.is_err(), "{:?}", found.schema);
    assert!(found.keys.is_none());
}

async fn what_waits_and_which_prefixes_are_closed_is_told(db: &TestDb) {
    let told = async || examined(&db.settings, &[]).await.sms.unwrap().unwrap();
    let found = told().await;
    assert_eq!((found.waiting, found.closed), (Waiting::default(), vec![]));

    db.queue("anna", &[message(1), message(2)]).await;
    let row = |key, closed_until| SpendRow {
        key,
        window: Window::default(),
        closed_until,
    };
    // By the database's own clock, not by the test's.
    let (over, until) = (
        Timestamp::from_millis(1),
        START.plus(Duration::from_secs(60)),
    );
    let spend = vec![
        row(RowKey::prefix("+79120"), Some(until)),
        row(RowKey::prefix_enrolments("+79121"), Some(until)),
        row(RowKey::prefix("+79121"), Some(over)),
        row(RowKey::prefix("+79122"), None),
        row(RowKey::subject(&subject_id("prefix/")), None),
    ];
    let sms = SmsChange {
        spend,
        ..SmsChange::default()
    };
    assert_eq!(db.sms("boris", sms).await, Applied::Written);
    let found = told().await;
    let oldest = Some(message(1).created_at);
    assert_eq!(
        found.waiting,
        Waiting {
            messages: 2,
            oldest
        }
    );
    let closed = ["+79120", "+79121/enrolments"].map(|prefix| (prefix.to_owned(), until));
    assert_eq!(found.closed, closed);
    assert!(over < found.now && found.now < START, "{:?}", found.now);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn an_sqlite_file_at_rest_is_read_and_left_as_it_was() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.db");
    let settings = Settings::sqlite_file(&path);
    let absent = Storage::examine(&settings, None).await;
    assert!(
        matches!(absent, Err(ConnectError::Schema(SchemaState::Absent))),
        "{absent:?}"
    );
    assert!(names(folder.path()).is_empty());

    let _ = Storage::migrate(&settings).await.unwrap();
    let before = std::fs::read(&path).unwrap();
    let found = examined(&settings, &[]).await;
    assert_eq!(found.schema.unwrap(), SchemaState::Current);
    let Engine::Sqlite(sqlite) = found.engine else {
        panic!("{:?}", found.engine);
    };
    assert!(sqlite.is_wal);
    assert_eq!((sqlite.file, sqlite.synchronous), (path.clone(), 2));
    assert_eq!(names(folder.path()), ["a.db"]);
    assert!(std::fs::read(&path).unwrap() == before);

    std::fs::write(&path, "no database").unwrap();
    let refused = Storage::examine(&settings, None).await;
    assert!(
        matches!(refused, Err(ConnectError::Unreachable(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_sqlite_file_with_a_log_is_read_through_it() {
    let folder = TempDir::new().unwrap();
    let settings = Settings::sqlite_file(&folder.path().join("a.db"));
    let _ = Storage::migrate(&settings).await.unwrap();
    let gateway = Storage::connect(&settings).await.unwrap();
    let _ = gateway.check_keys(&[check("aa", 1)]).await.unwrap();
    let found = examined(&settings, &[check("aa", 1)]).await;
    let belongs = KeysFound::Belongs { noted: 1, new: 0 };
    assert_eq!(found.keys.unwrap().unwrap(), belongs);
    gateway.close().await;
}

/// The server's answers are put in its mouth, as where a server is refused.
#[tokio::test]
async fn a_server_that_would_lose_changes_is_examined_all_the_same() {
    let Some(database) = Database::create().await else {
        return;
    };
    let settings = Settings::new(database.url());
    let _ = Storage::migrate(&settings).await.unwrap();
    let found = examined(&settings, &[]).await;
    let Engine::Postgres(sound) = found.engine else {
        panic!("{:?}", found.engine);
    };
    assert_eq!(sound.synchronous_commit, "on");
    assert!(sound.full_page_writes && !sound.is_in_recovery);
    assert!(sound.most_connections > 0);
    assert!(sound.clock_ahead_millis.abs() < 1000, "{sound:?}");
    assert_eq!(sound.round_trips.count, 20);
    assert!(sound.round_trips.median <= sound.round_trips.worst);

    let owner = connect(&database.url());
    let run = async |sql: &str| owner.execute_unprepared(sql).await.unwrap();
    run("CREATE SCHEMA fake").await;
    run(
        "CREATE FUNCTION fake.current_setting(name text) RETURNS text LANGUAGE sql AS $$ SELECT \
         CASE WHEN name IN ('fsync', 'full_page_writes') THEN 'off' \
         ELSE pg_catalog.current_setting(name) END $$",
    )
    .await;
    run(
        "CREATE FUNCTION fake.pg_is_in_recovery() RETURNS bool LANGUAGE sql \
         AS $$ SELECT true $$",
    )
    .await;
    run(
        "CREATE FUNCTION fake.clock_timestamp() RETURNS timestamptz LANGUAGE sql \
         AS $$ SELECT pg_catalog.clock_timestamp() + interval '40 s' $$",
    )
    .await;
    let name = &database.name;
    run(&format!(
        "ALTER DATABASE {name} SET search_path = fake, pg_catalog, public"
    ))
    .await;
    run(&format!("ALTER DATABASE {name} CONNECTION LIMIT 7")).await;
    let found = examined(&settings, &[]).await;
    let Engine::Postgres(unsound) = found.engine else {
        panic!("{:?}", found.engine);
    };
    assert!(!unsound.fsync && !unsound.full_page_writes && unsound.is_in_recovery);
    assert_eq!(unsound.most_connections, 7);
    let ahead = unsound.clock_ahead_millis;
    assert!((39_000..41_000).contains(&ahead), "{ahead}");
    database.drop_database().await;
}
