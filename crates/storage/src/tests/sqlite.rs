//! What SQLite has of its own.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use countersign_mfa::ports::{Applied, Store};
use sea_orm::ConnectionTrait;
use tempfile::TempDir;

use super::support::TestDb;
use crate::{ConnectError, SchemaState, Settings, Storage, dialect::Dialect};

#[tokio::test]
async fn the_database_is_for_its_owner_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.db");
    let settings = Settings::sqlite_file(&path);
    assert_eq!(
        Storage::migrate(&settings).await.unwrap(),
        SchemaState::Absent
    );
    let storage = Storage::connect(&settings).await.unwrap();
    storage
        .write
        .execute_unprepared("DELETE FROM subject")
        .await
        .unwrap();
    let mut files: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            (entry.file_name().into_string().unwrap(), mode)
        })
        .collect();
    files.sort();
    let all = ["a.db", "a.db-shm", "a.db-wal"].map(|name| (name.to_owned(), 0o600));
    assert_eq!(files, all);
}

#[tokio::test]
async fn a_missing_file_is_not_made_by_connecting() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.db");
    let settings = Settings::sqlite_file(&path);
    let state = Storage::schema_state(&settings).await.unwrap();
    assert_eq!(state, SchemaState::Absent);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_database_in_memory_is_refused() {
    for url in ["sqlite::memory:", "sqlite://x?mode=memory", "sqlite:"] {
        let refused = Storage::migrate(&Settings::new(url)).await;
        assert!(
            matches!(refused, Err(ConnectError::InMemory)),
            "{url}: {refused:?}"
        );
    }
    let refused = Storage::migrate(&Settings::new("mysql://root@localhost/x")).await;
    assert!(matches!(refused, Err(ConnectError::UnknownDatabase)));
}

#[tokio::test]
async fn every_connection_keeps_what_it_acknowledges() {
    let db = TestDb::sqlite().await;
    for connection in [&db.storage.read, &db.storage.write] {
        for (pragma, expected) in [("journal_mode", "wal"), ("synchronous", "2")] {
            let sql = format!("SELECT CAST({pragma} AS TEXT) AS v FROM pragma_{pragma}");
            let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, sql);
            let row = connection.query_one_raw(statement).await.unwrap().unwrap();
            assert_eq!(row.try_get::<String>("", "v").unwrap(), expected);
        }
    }
    let write = db
        .storage
        .read
        .execute_unprepared("DELETE FROM subject")
        .await;
    assert!(write.is_err(), "readers cannot write");
}

/// A full disk, for one, makes SQLite end the transaction by itself.
#[tokio::test]
async fn after_a_transaction_that_ended_by_itself_changes_still_last() {
    let db = TestDb::sqlite().await;
    let transaction = Dialect::Sqlite.begin(&db.storage.write).await.unwrap();
    transaction.execute_unprepared("ROLLBACK").await.unwrap();
    assert!(transaction.commit().await.is_err());

    // Rolled back and written in turn: a savepoint inside nothing would do neither.
    let mut refused = db.change("anna", None);
    refused.secrets = None;
    assert!(db.storage.apply(refused).await.is_err());
    let applied = db.storage.apply(db.change("anna", None)).await.unwrap();
    assert_eq!(applied, Applied::Written);
    let other = db.another().await;
    let rows = other.load(&db.key("anna")).await.unwrap();
    assert_eq!(rows.subject.unwrap().version, 1);
}

/// Such as `countersign admin`.
#[tokio::test]
async fn another_process_that_writes_is_waited_for() {
    let db = TestDb::sqlite().await;
    let other = db.another().await;
    let elsewhere = Dialect::Sqlite.begin(&other.write).await.unwrap();
    let mut apply = Box::pin(db.storage.apply(db.change("anna", None)));
    let early = tokio::time::timeout(Duration::from_millis(200), &mut apply).await;
    assert!(early.is_err());
    elsewhere.commit().await.unwrap();
    assert_eq!(apply.await.unwrap(), Applied::Written);
}

#[tokio::test]
async fn a_writer_that_is_held_off_for_too_long_says_so() {
    let mut db = TestDb::sqlite().await;
    let other = db.another().await;
    db.settings.statement_timeout = Duration::from_millis(50);
    let impatient = db.another().await;
    let elsewhere = Dialect::Sqlite.begin(&other.write).await.unwrap();
    let applied = impatient.apply(db.change("anna", None)).await;
    let unavailable = matches!(
        applied,
        Err(countersign_mfa::ports::StoreError::Unavailable(_))
    );
    assert!(unavailable, "{applied:?}");
    elsewhere.rollback().await.unwrap();
    assert_eq!(db.counts().await, [0; 5]);
    assert_eq!(
        impatient.apply(db.change("anna", None)).await.unwrap(),
        Applied::Written
    );
}
