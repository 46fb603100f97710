//! Keys and retention.

use std::time::Duration;

use countersign_mfa::ports::KeyCheck;
use countersign_mfa::ports::{KeyVerdict, Store, Upkeep};

use super::{
    on_both,
    support::{START, TestDb, confirmation_id},
};

on_both! {
    a_database_that_answers_is_pinged,
    a_key_file_must_have_every_noted_key,
    one_of_two_first_key_files_belongs,
    what_has_lapsed_is_swept_in_batches,
    a_sweep_and_changes_go_on_side_by_side,
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
