//! Keys and retention.

use std::time::Duration;

use countersign_mfa::ports::{
    KeyCheck, KeyVerdict, Store, Upkeep,
    sms::{MessageWrite, NumberUse, RowKey, SmsChange, SpendRow, Window},
};
use countersign_primitives::Timestamp;

use super::{
    on_both,
    support::{START, TestDb, confirmation_id, message},
};

on_both! {
    a_database_that_answers_is_pinged,
    a_key_file_must_have_every_noted_key,
    one_of_two_first_key_files_belongs,
    what_has_lapsed_is_swept_in_batches,
    a_sweep_and_changes_go_on_side_by_side,
    messages_are_swept_as_confirmations_are,
    budgets_are_swept_when_nobody_has_spent_of_them_for_two_days,
}

fn check(key_id: &str, usage: &'static str, value: u8) -> KeyCheck {
    KeyCheck {
        key_id: key_id.to_owned(),
        usage,
        value: vec![value; 16],
    }
}

fn foreign(key_id: &str) -> KeyVerdict {
    KeyVerdict::Foreign {
        key_id: key_id.to_owned(),
    }
}

async fn a_database_that_answers_is_pinged(db: &TestDb) {
    db.storage.ping().await.unwrap();
}

async fn a_key_file_must_have_every_noted_key(db: &TestDb) {
    let a = check("aa", "seal", 1);
    let b = check("bb", "request-mac", 2);
    let c = check("cc", "seal", 3);
    let verdict = async |checks: &[KeyCheck]| db.storage.check_keys(checks).await.unwrap();

    assert_eq!(verdict(&[a.clone(), b.clone()]).await, KeyVerdict::Belongs);
    assert_eq!(verdict(&[b.clone(), a.clone()]).await, KeyVerdict::Belongs);
    assert_eq!(
        verdict(std::slice::from_ref(&a)).await,
        foreign("bb"),
        "lacks a key"
    );
    assert_eq!(verdict(&[]).await, foreign("aa"));
    let other_value = check("aa", "seal", 9);
    assert_eq!(verdict(&[other_value, b.clone()]).await, foreign("aa"));
    let other_usage = check("bb", "seal", 2);
    assert_eq!(verdict(&[a.clone(), other_usage]).await, foreign("bb"));
    let other_file = [check("dd", "seal", 4), check("ee", "request-mac", 5)];
    assert_ne!(verdict(&other_file).await, KeyVerdict::Belongs);

    // A refused file leaves no trace, and a new key is noted from now on.
    assert_eq!(verdict(&[a.clone(), b.clone()]).await, KeyVerdict::Belongs);
    assert_eq!(
        verdict(&[a.clone(), b.clone(), c]).await,
        KeyVerdict::Belongs
    );
    assert_eq!(verdict(&[a, b]).await, foreign("cc"));
}

async fn one_of_two_first_key_files_belongs(db: &TestDb) {
    let other = db.another().await;
    let one = [check("aa", "seal", 1)];
    let two = [check("bb", "seal", 2)];
    let (first, second) = tokio::join!(db.storage.check_keys(&one), other.check_keys(&two));
    let belong = [first.unwrap(), second.unwrap()];
    assert_eq!(
        belong.iter().filter(|v| **v == KeyVerdict::Belongs).count(),
        1
    );
}

async fn what_has_lapsed_is_swept_in_batches(db: &TestDb) {
    let hour = Duration::from_secs(3600);
    let fill = |prefix: &'static str, expires, created| {
        let changes = (0..600).map(move |n| {
            let mut change = db.change(&format!("{prefix}-{n}"), None);
            if let Some(request) = &mut change.request {
                request.expires_at = expires;
            }
            if let Some(confirmation) = &mut change.confirmation {
                confirmation.created_at = created;
            }
            db.storage.apply(change)
        });
        futures::future::join_all(changes)
    };
    for applied in fill("old", START, START).await {
        let _ = applied.unwrap();
    }
    for applied in fill("new", START.plus(hour), START.plus(hour)).await {
        let _ = applied.unwrap();
    }
    assert_eq!(db.counts().await, [1200; 5]);
    db.clock.set(START.plus(Duration::from_secs(60)));
    let kept = Duration::from_secs(30);
    let deleted = db.storage.sweep(kept).await.unwrap();
    assert_eq!(deleted, 1200);
    assert_eq!(db.counts().await, [1200, 600, 1200, 600, 1200]);
    assert_eq!(db.storage.sweep(kept).await.unwrap(), 0);
    assert!(db.load("new-0").await.request.is_some());
    assert!(db.load("new-0").await.confirmation.is_some());
}

async fn a_sweep_and_changes_go_on_side_by_side(db: &TestDb) {
    let other = db.another().await;
    let _ = db
        .storage
        .apply(db.small_change("anna", None))
        .await
        .unwrap();
    db.clock.set(START.plus(Duration::from_secs(120)));
    let sweeps = async {
        for _ in 0..60 {
            other.sweep(Duration::from_secs(3600)).await.unwrap();
        }
    };
    let changes = async {
        for version in 1..60 {
            let mut change = db.change("anna", Some(version));
            if let Some(confirmation) = &mut change.confirmation {
                confirmation.id = confirmation_id(1);
            }
            assert_eq!(
                db.storage.apply(change).await.unwrap(),
                countersign_mfa::ports::Applied::Written
            );
        }
    };
    tokio::join!(sweeps, changes);
    assert_eq!(db.version("anna").await, Some(60));
}

async fn messages_are_swept_as_confirmations_are(db: &TestDb) {
    let late = MessageWrite {
        created_at: START.plus(Duration::from_millis(1)),
        ..message(2)
    };
    db.queue("anna", &[message(1), late]).await;
    let kept = Duration::from_secs(60);
    db.clock.set(START.plus(kept));
    assert_eq!(db.storage.sweep(kept).await.unwrap(), 1);
    assert_eq!(db.sms_counts().await, [1, 0, 0]);
    let _ = db.message("anna", 2).await;
}

async fn budgets_are_swept_when_nobody_has_spent_of_them_for_two_days(db: &TestDb) {
    let two_days = Duration::from_secs(2 * 24 * 3600);
    let hour = Duration::from_secs(3600);
    let budget = |slot, closed_until| SpendRow {
        key: RowKey {
            scope: "total".to_owned(),
            slot,
        },
        window: Window::default(),
        closed_until,
    };
    let spend = |spend| SmsChange {
        spend,
        numbers: vec![NumberUse::Begin([1; 32])],
        ..SmsChange::default()
    };
    let old = vec![
        budget(0, None),
        budget(1, Some(START.plus(hour))),
        budget(2, None),
        budget(3, Some(START)),
    ];
    let _ = db.sms("anna", spend(old)).await;
    db.clock.set(START.plus(hour));
    let _ = db.sms("anna", spend(vec![budget(2, None)])).await;

    let left = async || {
        let swept = db.storage.sweep(two_days * 10).await.unwrap();
        (swept, db.sms_counts().await)
    };
    let just_before = START.plus(two_days).as_millis() - 1;
    db.clock.set(Timestamp::from_millis(just_before));
    assert_eq!(left().await, (0, [0, 1, 4]));
    db.clock.set(START.plus(two_days));
    assert_eq!(left().await, (2, [0, 1, 2]), "not what was closed later");
    db.clock.set(START.plus(two_days + hour));
    assert_eq!(left().await, (2, [0, 1, 0]), "who uses a number is kept");
}
