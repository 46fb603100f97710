//! The bounded way out of races.

use std::time::Duration;

use countersign_mfa::ports::{Applied, Store};
use tokio::time::timeout;

use super::{on_both, support::TestDb};

/// Long enough that what can go on would have.
const A_WHILE: Duration = Duration::from_millis(200);

on_both! {
    a_lock_holds_off_other_locks_and_changes,
    a_lock_that_is_dropped_lets_go_with_nothing_written,
    a_lock_that_is_released_lets_go,
    a_caller_that_goes_away_holds_no_lock,
    the_rows_are_those_after_the_wait,
    the_guard_decides_under_a_lock_too,
    locks_of_many_are_all_had_in_the_end,
}

async fn a_lock_holds_off_other_locks_and_changes(db: &TestDb) {
    let _ = db.storage.apply(db.change("anna", None)).await.unwrap();
    let other = db.another().await;
    let key = db.key("anna");
    let (rows, lock) = db.storage.lock(&key).await.unwrap();
    assert_eq!(rows.subject.unwrap().version, 1);

    let mut second = Box::pin(other.lock(&key));
    assert!(timeout(A_WHILE, &mut second).await.is_err());
    let mut change = Box::pin(other.apply(db.change("anna", Some(1))));
    assert!(timeout(A_WHILE, &mut change).await.is_err());
    // Readers are not held off.
    assert_eq!(db.version("anna").await, Some(1));

    assert_eq!(
        lock.apply(db.change("anna", Some(1))).await.unwrap(),
        Applied::Written
    );
    // Whichever of the two comes next, the change was decided on before the lock's.
    let (second, change) = tokio::join!(
        async {
            let (rows, lock) = second.await.unwrap();
            lock.release().await.unwrap();
            rows
        },
        change
    );
    assert_eq!(second.subject.unwrap().version, 2);
    assert_eq!(change.unwrap(), Applied::GuardMissed);
}

async fn a_lock_that_is_dropped_lets_go_with_nothing_written(db: &TestDb) {
    let _ = db.storage.apply(db.change("anna", None)).await.unwrap();
    let before = db.everything().await;
    let (_, lock) = db.storage.lock(&db.key("anna")).await.unwrap();
    drop(lock);
    assert_eq!(db.everything().await, before);
    let next = timeout(
        Duration::from_secs(2),
        db.storage.apply(db.change("anna", Some(1))),
    )
    .await;
    assert_eq!(next.unwrap().unwrap(), Applied::Written);
}

async fn a_lock_that_is_released_lets_go(db: &TestDb) {
    let _ = db.storage.apply(db.change("anna", None)).await.unwrap();
    for _ in 0..3 {
        let lock = timeout(Duration::from_secs(2), db.storage.lock(&db.key("anna"))).await;
        lock.unwrap().unwrap().1.release().await.unwrap();
    }
    assert_eq!(db.version("anna").await, Some(1));
}

async fn a_caller_that_goes_away_holds_no_lock(db: &TestDb) {
    let _ = db.storage.apply(db.change("anna", None)).await.unwrap();
    for pause in 0..40 {
        let key = db.key("anna");
        let taken = timeout(Duration::from_micros(pause * 50), db.storage.lock(&key)).await;
        drop(taken);
        // Were a connection left inside a transaction, this change would not last. A lock that is
        // being let go may make it miss its guard for a moment.
        let version = db.version("anna").await.unwrap();
        let applied = timeout(Duration::from_secs(2), async {
            let change = || db.small_change("anna", Some(version));
            while db.storage.apply(change()).await.unwrap() == Applied::GuardMissed {}
        });
        applied.await.unwrap();
        let other = db.another().await;
        let rows = other.load(&key).await.unwrap();
        assert_eq!(rows.subject.unwrap().version, version + 1);
        other.close().await;
    }
}

async fn the_rows_are_those_after_the_wait(db: &TestDb) {
    let _ = db
        .storage
        .apply(db.small_change("anna", None))
        .await
        .unwrap();
    let (_, lock) = db.storage.lock(&db.key("anna")).await.unwrap();
    let other = db.another().await;
    let key = db.key("anna");
    let mut second = Box::pin(other.lock(&key));
    assert!(timeout(A_WHILE, &mut second).await.is_err());
    let late = super::support::START.plus(Duration::from_secs(7));
    db.clock.set(late);
    assert_eq!(
        lock.apply(db.change("anna", Some(1))).await.unwrap(),
        Applied::Written
    );
    let (rows, _lock) = second.await.unwrap();
    assert_eq!(rows.now, late);
    assert_eq!(rows.subject.unwrap().version, 2);
    assert!(rows.confirmation.is_some() && rows.request.is_some());
}

async fn the_guard_decides_under_a_lock_too(db: &TestDb) {
    // No row to take: two may be at it.
    let (rows, lock) = db.storage.lock(&db.key("anna")).await.unwrap();
    assert!(rows.subject.is_none());
    assert_eq!(
        lock.apply(db.change("anna", None)).await.unwrap(),
        Applied::Written
    );
    let (_, lock) = db.storage.lock(&db.key("anna")).await.unwrap();
    let before = db.everything().await;
    assert_eq!(
        lock.apply(db.change("anna", None)).await.unwrap(),
        Applied::GuardMissed
    );
    let (_, lock) = db.storage.lock(&db.key("anna")).await.unwrap();
    assert_eq!(
        lock.apply(db.change("anna", Some(7))).await.unwrap(),
        Applied::GuardMissed
    );
    assert_eq!(db.everything().await, before);
    let (_, lock) = db.storage.lock(&db.key("anna")).await.unwrap();
    assert_eq!(
        lock.apply(db.change("anna", Some(1))).await.unwrap(),
        Applied::Written
    );
}

async fn locks_of_many_are_all_had_in_the_end(db: &TestDb) {
    let _ = db
        .storage
        .apply(db.small_change("anna", None))
        .await
        .unwrap();
    let one = || async {
        let (rows, lock) = db.storage.lock(&db.key("anna")).await.unwrap();
        let from = rows.subject.map(|row| row.version);
        lock.apply(db.small_change("anna", from)).await.unwrap()
    };
    let applied = futures::future::join_all((0..64).map(|_| one())).await;
    assert!(applied.iter().all(|applied| *applied == Applied::Written));
    assert_eq!(db.version("anna").await, Some(65));
}
