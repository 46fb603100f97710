//! Rows that subjects share, where many want them at once.

use std::time::Duration;

use countersign_mfa::ports::{
    Applied, Store,
    sms::{NumberUse, RowKey, SharedKey, SmsChange, SpendRow},
};
use futures::future::join_all;
use tokio::time::timeout;

use super::{
    on_both,
    shared::{NUMBER, after, empty, key, of_budgets, rules, send, spent},
    support::{TestDb, message, subject_id},
};
use crate::{Settings, Storage};

on_both! {
    rows_that_one_has_taken_another_waits_for,
    rows_that_are_taken_can_still_be_read,
    a_budget_is_spent_to_the_last_message_and_no_further,
    a_number_has_no_more_users_than_it_may,
    two_that_name_their_rows_in_opposite_orders_both_go_on,
}

/// Long enough that what can go on would have.
const A_WHILE: Duration = Duration::from_millis(200);

/// Gateways that wait as long as it takes on a busy machine.
async fn patient(db: &TestDb) -> Storage {
    let settings = Settings {
        connect_timeout: Duration::from_secs(60),
        statement_timeout: Duration::from_secs(60),
        ..db.settings.clone()
    };
    Storage::connect(&settings).await.unwrap()
}

/// Sends a message, if there is room for it. A number of the subject's own stands for the message.
async fn send_one(storage: &Storage, db: &TestDb, subject: &str) -> bool {
    let id = subject_id(subject);
    let (rows, mut lock) = storage.lock(&db.key(subject)).await.unwrap();
    let key = of_budgets(&rules().keys(&send(&id)));
    let shared = lock.shared(&id, &key).await.unwrap();
    let Some(spend) = spent(&id, &shared, rows.now) else {
        lock.release().await.unwrap();
        return false;
    };
    let sms = SmsChange {
        spend,
        message: Some(message(1)),
        ..SmsChange::default()
    };
    let from_version = rows.subject.map(|row| row.version);
    let change = db.sms_change(subject, from_version, sms);
    assert_eq!(lock.apply(change).await.unwrap(), Applied::Written);
    true
}

/// Takes rows as one subject, and then looks for how long another waits for them.
async fn rows_that_one_has_taken_another_waits_for(db: &TestDb) {
    let (one, two) = (patient(db).await, patient(db).await);
    for key in [
        of_budgets(&[key("total", 0)]),
        SharedKey {
            number: vec![NUMBER],
            ..SharedKey::default()
        },
    ] {
        // First of all with no row there, then with one.
        for _ in 0..2 {
            let (rows, mut lock) = one.lock(&db.key("anna")).await.unwrap();
            let _ = lock.shared(&subject_id("anna"), &key).await.unwrap();
            let berta = subject_id("berta");
            let load = db.key("berta");
            let mut second = Box::pin(async {
                let (_, mut lock) = two.lock(&load).await.unwrap();
                let shared = lock.shared(&berta, &key).await.unwrap();
                lock.release().await.unwrap();
                shared
            });
            assert!(timeout(A_WHILE, &mut second).await.is_err(), "{key:?}");
            let closed_until = Some(after(rows.subject.as_ref().map_or(1, |_| 2)));
            let sms = SmsChange {
                numbers: vec![NumberUse::Begin(NUMBER)],
                spend: vec![SpendRow {
                    closed_until,
                    ..empty("total", 0)
                }],
                ..SmsChange::default()
            };
            let from_version = rows.subject.map(|row| row.version);
            let change = db.sms_change("anna", from_version, sms);
            assert_eq!(lock.apply(change).await.unwrap(), Applied::Written);
            // What it reads is what it has waited for.
            let found = second.await;
            match found.spend.first() {
                Some(row) => assert_eq!(row.closed_until, closed_until),
                None => assert_eq!(found.other_users, 1),
            }
        }
    }
}

async fn rows_that_are_taken_can_still_be_read(db: &TestDb) {
    let _ = send_one(&db.storage, db, "anna").await;
    let id = subject_id("anna");
    let key = of_budgets(&rules().keys(&send(&id)));
    let other = db.another().await;
    let (_, mut lock) = other.lock(&db.key("anna")).await.unwrap();
    let taken = lock.shared(&id, &key).await.unwrap();
    let read = db.storage.shared(&subject_id("berta"), &key).await.unwrap();
    for row in &read.spend {
        assert!(taken.spend.contains(row));
    }
    assert!(!read.spend.is_empty());
    lock.release().await.unwrap();
}

async fn a_budget_is_spent_to_the_last_message_and_no_further(db: &TestDb) {
    let gateways = [patient(db).await, patient(db).await];
    let subjects: Vec<String> = (0..50).map(|n| format!("subject-{n}")).collect();
    // Of one number no more than eight are sent in an hour: it is the number's budget that ends.
    let sends = subjects
        .iter()
        .enumerate()
        .map(|(n, subject)| send_one(&gateways[n % 2], db, subject));
    let sent = join_all(sends).await;
    assert_eq!(sent.iter().filter(|sent| **sent).count(), 8);
    assert_eq!(db.sms_counts().await[0], 8);
    assert_eq!(db.counts().await[0], 8, "the others have written nothing");
}

async fn a_number_has_no_more_users_than_it_may(db: &TestDb) {
    const MOST: u64 = 3;
    let gateways = [patient(db).await, patient(db).await];
    let begin = |n: usize| {
        let storage = &gateways[n % 2];
        async move {
            let subject = format!("subject-{n}");
            let id = subject_id(&subject);
            let (_, mut lock) = storage.lock(&db.key(&subject)).await.unwrap();
            // Under an older key of the index too; some gateways name it first.
            let mut number = vec![NUMBER, [8; 32]];
            number.rotate_left(n / 2 % 2);
            let key = SharedKey {
                number,
                ..SharedKey::default()
            };
            let shared = lock.shared(&id, &key).await.unwrap();
            if shared.other_users >= MOST {
                lock.release().await.unwrap();
                return;
            }
            let sms = SmsChange {
                numbers: vec![NumberUse::Begin(NUMBER)],
                ..SmsChange::default()
            };
            let change = db.sms_change(&subject, None, sms);
            assert_eq!(lock.apply(change).await.unwrap(), Applied::Written);
        }
    };
    join_all((0..50).map(begin)).await;
    assert_eq!(db.sms_counts().await, [0, MOST, 0]);
}

async fn two_that_name_their_rows_in_opposite_orders_both_go_on(db: &TestDb) {
    let gateways = [patient(db).await, patient(db).await];
    let rounds = |n: usize| {
        let storage = &gateways[n % 2];
        async move {
            let subject = format!("subject-{n}");
            let id = subject_id(&subject);
            for round in 0..20_u32 {
                // Some are there, and some are made on the way.
                let mut spend: Vec<RowKey> = (0..4)
                    .flat_map(|slot| [key("a", slot), key("b", slot + round), key("B", slot)])
                    .collect();
                let mut number = vec![[1; 32], [2; 32], [3; 32]];
                if n.is_multiple_of(2) {
                    spend.reverse();
                    number.reverse();
                }
                let (rows, mut lock) = storage.lock(&db.key(&subject)).await.unwrap();
                let key = SharedKey {
                    spend: spend.clone(),
                    conversion: None,
                    number,
                };
                let _ = lock.shared(&id, &key).await.unwrap();
                let sms = SmsChange {
                    spend: spend
                        .iter()
                        .map(|key| empty(&key.scope, key.slot))
                        .collect(),
                    ..SmsChange::default()
                };
                let from_version = rows.subject.map(|row| row.version);
                let change = db.sms_change(&subject, from_version, sms);
                assert_eq!(lock.apply(change).await.unwrap(), Applied::Written);
            }
        }
    };
    join_all((0..4).map(rounds)).await;
    assert_eq!(db.counts().await, [4, 0, 80, 0, 0]);
}
