//! Many subjects in one statement or commit.

use std::time::Duration;

use countersign_mfa::ports::{Applied, Change, RequestWrite, Store, StoreError};
use countersign_primitives::RequestId;
use futures::future::join_all;
use tokio::time::timeout;

use super::{
    on_both,
    support::{START, TestDb, confirmation_id, subject_id},
};

on_both! {
    in_a_batch_each_change_has_its_own_guard,
    a_batch_keeps_what_belongs_to_each_subject,
    each_load_of_a_batch_finds_its_own_rows,
    a_lapsed_request_record_is_replaced_in_a_batch,
}

const MANY: i64 = 40;

fn name(number: i64) -> String {
    format!("subject-{number}")
}

/// A change that touches only what every check touches, with bytes of its own subject.
fn check(db: &TestDb, number: i64, from_version: i64) -> Change {
    let mut change = db.change(&name(number), Some(from_version));
    change.bindings.clear();
    change.secrets = None;
    change.counters = format!("counters of {number}").into_bytes();
    change.event.facts = format!("[{number}]");
    if let Some(confirmation) = &mut change.confirmation {
        confirmation.body = format!("body of {number}").into_bytes();
        confirmation.state = "APPROVED";
    }
    if let Some(request) = &mut change.request {
        request.record.answer = format!("answer of {number}").into_bytes();
    }
    change
}

async fn known(db: &TestDb) {
    let first = (0..MANY).map(|n| db.storage.apply(db.small_change(&name(n), None)));
    for applied in join_all(first).await {
        assert_eq!(applied.unwrap(), Applied::Written);
    }
}

async fn in_a_batch_each_change_has_its_own_guard(db: &TestDb) {
    known(db).await;
    let version = |n: i64| if n % 3 == 0 { 7 } else { 1 };
    let changes = (0..MANY).map(|n| db.storage.apply(check(db, n, version(n))));
    for (n, applied) in (0..).zip(join_all(changes).await) {
        let due = if n % 3 == 0 {
            Applied::GuardMissed
        } else {
            Applied::Written
        };
        assert_eq!(applied.unwrap(), due, "{n}");
    }
    for n in 0..MANY {
        let is_written = n % 3 != 0;
        let rows = db.load(&name(n)).await;
        assert_eq!(rows.subject.unwrap().version, 1 + i64::from(is_written));
        assert_eq!(rows.confirmation.is_some(), is_written);
        assert_eq!(rows.request.is_some(), is_written);
        let events = db
            .storage
            .events(&subject_id(&name(n)), None, 9)
            .await
            .unwrap();
        assert_eq!(events.len(), 1 + usize::from(is_written));
    }
}

async fn a_batch_keeps_what_belongs_to_each_subject(db: &TestDb) {
    known(db).await;
    let mut changes: Vec<Change> = (0..MANY).map(|n| check(db, n, 1)).collect();
    // Parts that only some have.
    changes[3].confirmation = None;
    changes[4].request = None;
    changes[5].secrets = Some(b"other secrets".to_vec());
    for applied in join_all(changes.into_iter().map(|it| db.storage.apply(it))).await {
        assert_eq!(applied.unwrap(), Applied::Written);
    }
    for n in 0..MANY {
        let rows = db.load(&name(n)).await;
        let subject = rows.subject.unwrap();
        let secrets: &[u8] = if n == 5 { b"other secrets" } else { b"sealed" };
        assert_eq!(subject.secrets, secrets);
        assert_eq!(subject.counters, format!("counters of {n}").into_bytes());
        let body = (n != 3).then(|| format!("body of {n}").into_bytes());
        assert_eq!(rows.confirmation, body);
        let answer = (n != 4).then(|| format!("answer of {n}").into_bytes());
        assert_eq!(rows.request.map(|request| request.answer), answer);
        let events = db
            .storage
            .events(&subject_id(&name(n)), None, 1)
            .await
            .unwrap();
        assert_eq!(events[0].facts, format!("[{n}]"));
        assert_eq!((events[0].version, events[0].at), (2, START));
    }
}

async fn each_load_of_a_batch_finds_its_own_rows(db: &TestDb) {
    known(db).await;
    let changes = (0..MANY).map(|n| db.storage.apply(check(db, n, 1)));
    for applied in join_all(changes).await {
        assert_eq!(applied.unwrap(), Applied::Written);
    }
    // Those with odd numbers are unknown, ask for another confirmation, or for no request.
    let keys: Vec<_> = (0..MANY)
        .map(|n| match n % 4 {
            0 => db.key(&format!("stranger-{n}")),
            1 => {
                let mut key = db.key(&name(n));
                key.confirmation = Some(confirmation_id(9));
                key
            }
            2 => {
                let mut key = db.key(&name(n));
                key.request = None;
                key
            }
            _ => db.key(&name(n)),
        })
        .collect();
    let loaded = join_all(keys.iter().map(|key| db.storage.load(key))).await;
    for (n, rows) in (0..).zip(loaded) {
        let rows = rows.unwrap();
        let counters = rows.subject.map(|subject| subject.counters);
        let own = format!("counters of {n}").into_bytes();
        assert_eq!(counters, (n % 4 != 0).then_some(own), "{n}");
        let body = format!("body of {n}").into_bytes();
        assert_eq!(rows.confirmation, (n % 4 > 1).then_some(body), "{n}");
        assert_eq!(rows.request.is_some(), n % 4 == 1 || n % 4 == 3, "{n}");
    }
}

async fn a_lapsed_request_record_is_replaced_in_a_batch(db: &TestDb) {
    known(db).await;
    let _ = db.storage.apply(check(db, 1, 1)).await.unwrap();
    db.clock.set(START.plus(Duration::from_secs(61)));
    let mut again = check(db, 1, 2);
    if let Some(RequestWrite {
        record, expires_at, ..
    }) = &mut again.request
    {
        record.answer = b"new".to_vec();
        *expires_at = START.plus(Duration::from_secs(200));
    }
    assert_eq!(db.storage.apply(again).await.unwrap(), Applied::Written);
    assert_eq!(db.load(&name(1)).await.request.unwrap().answer, b"new");
}

/// PostgreSQL takes no text with a zero byte.
#[tokio::test]
async fn one_that_is_refused_takes_no_other_of_its_batch_with_it() {
    let Some(db) = TestDb::postgres().await else {
        return;
    };
    known(&db).await;
    let changes = (0..MANY).map(|n| {
        let mut change = check(&db, n, 1);
        if n == 17 {
            change.event.facts = "\0".to_owned();
        }
        db.storage.apply(change)
    });
    for (n, applied) in (0..).zip(join_all(changes).await) {
        match applied {
            Err(StoreError::Refused(_)) => assert_eq!(n, 17),
            applied => assert_eq!(applied.unwrap(), Applied::Written),
        }
    }
    assert_eq!(db.version(&name(17)).await, Some(1));
    db.drop_database().await;
}

#[tokio::test]
async fn a_row_that_another_gateway_is_writing_holds_nobody_up() {
    let Some(db) = TestDb::postgres().await else {
        return;
    };
    known(&db).await;
    let other = db.another().await;
    let (_, lock) = other.lock(&db.key(&name(7))).await.unwrap();
    let changes = (0..MANY).map(|n| db.storage.apply(check(&db, n, 1)));
    let applied = timeout(Duration::from_secs(2), join_all(changes)).await;
    for (n, applied) in (0..).zip(applied.expect("nobody waits for the lock")) {
        let due = if n == 7 {
            Applied::GuardMissed
        } else {
            Applied::Written
        };
        assert_eq!(applied.unwrap(), due, "{n}");
    }
    lock.release().await.unwrap();
    let after = db.storage.apply(check(&db, 7, 1)).await.unwrap();
    assert_eq!(after, Applied::Written);
    other.close().await;
    db.drop_database().await;
}

/// Two batches with the same subjects in opposite orders.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_write_the_same_subjects_do_not_wait_for_each_other() {
    let Some(db) = TestDb::postgres().await else {
        return;
    };
    known(&db).await;
    let other = db.another().await;
    for round in 0..20_u8 {
        let version = |n: i64| {
            let (db, number) = (&db, n);
            async move { db.version(&name(number)).await.unwrap() }
        };
        let versions = join_all((0..MANY).map(version)).await;
        let change = |n: i64, gateway: u8| {
            let mut change = check(&db, n, versions[usize::try_from(n).unwrap()]);
            if let Some(request) = &mut change.request {
                request.key.id = RequestId::from_bytes([1 + 2 * round + gateway; 16]);
            }
            change
        };
        let ones = join_all((0..MANY).map(|n| db.storage.apply(change(n, 0))));
        let others = join_all((0..MANY).rev().map(|n| other.apply(change(n, 1))));
        let (ones, others) = tokio::join!(ones, others);
        for (one, another) in ones.into_iter().zip(others.into_iter().rev()) {
            let both = [one.unwrap(), another.unwrap()];
            assert!(both != [Applied::Written; 2], "one guard let two through");
        }
    }
    other.close().await;
    db.drop_database().await;
}
