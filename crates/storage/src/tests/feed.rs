//! The feed misses nothing that commits late, and keeps each subject's order.

use countersign_mfa::ports::{Applied, FeedPlace, FeedSource as _, Store as _};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, Statement, TransactionTrait as _};

use super::support::{TestDb, subject_id};
use crate::dialect::Dialect;

const BEGINNING: FeedPlace = FeedPlace {
    place: 1,
    within: 0,
};

async fn write(db: &TestDb, subject: &str, from_version: Option<i64>) {
    let change = db.small_change(subject, from_version);
    assert_eq!(db.storage.apply(change).await.unwrap(), Applied::Written);
}

/// A transaction that has drawn its number.
async fn with_a_number(db: &TestDb) -> DatabaseTransaction {
    let transaction = db.storage.write.begin().await.unwrap();
    let backend = db.storage.write.get_database_backend();
    let draw = Statement::from_string(backend, "SELECT pg_current_xact_id()::text");
    transaction.query_one_raw(draw).await.unwrap();
    transaction
}

/// The events from a place on that can be read now, as `anna 1`, and where they end. Other tests have
/// transactions under way on the same server: so many are waited for.
async fn read(db: &TestDb, from: FeedPlace, count: usize) -> (Vec<String>, FeedPlace) {
    for _ in 0..6000 {
        let page = db.storage.read_feed(Some(from), 100).await.unwrap();
        if page.items.len() >= count {
            let told = page.items.iter();
            let told = told.map(|item| format!("{} {}", item.subject, item.event.version));
            return (told.collect(), page.next);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{count} events cannot be read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_commits_late_is_not_missed() {
    let Some(db) = TestDb::postgres().await else {
        return;
    };
    write(&db, "anna", None).await;
    let (told, place) = read(&db, BEGINNING, 1).await;
    assert_eq!(told, ["anna 1"]);
    let late = with_a_number(&db).await;
    write(&db, "anna", Some(1)).await;
    // Nothing behind one that is under way.
    let page = db.storage.read_feed(Some(place), 100).await.unwrap();
    assert!(page.items.is_empty() && page.next == place);
    let insert = "INSERT INTO event (subject_id, version, at, caller, method, facts) \
                  VALUES ('late', 1, 0, 'x', 'y', '[]')";
    late.execute_unprepared(insert).await.unwrap();
    late.commit().await.unwrap();
    let (told, end) = read(&db, place, 2).await;
    assert_eq!(told, ["late 1", "anna 2"]);
    assert_eq!(db.storage.read_feed(None, 1).await.unwrap().next, end);
    db.drop_database().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_waited_for_a_row_follows_those_that_overtook_it() {
    let Some(db) = TestDb::postgres().await else {
        return;
    };
    write(&db, "anna", None).await;
    // A wait for the row may have given it this number; what overtakes it gets a higher one.
    let waited = with_a_number(&db).await;
    write(&db, "anna", Some(1)).await;
    let anna = subject_id("anna");
    Dialect::Postgres
        .take_subject(&waited, &anna)
        .await
        .unwrap();
    let change = db.small_change("anna", Some(2));
    let written = Dialect::Postgres.write(&waited, &change).await.unwrap();
    assert_eq!(written, Applied::Written);
    waited.commit().await.unwrap();
    write(&db, "anna", Some(3)).await;
    let (told, _) = read(&db, BEGINNING, 4).await;
    assert_eq!(told, ["anna 1", "anna 2", "anna 3", "anna 4"]);
    db.drop_database().await;
}
