//! Load and apply.

use std::time::Duration;

use countersign_mfa::ports::{Applied, Change, LoadKey, RequestWrite, Store, StoreError};
use countersign_primitives::{ConfirmationId, RequestId, Timestamp};
use countersign_security_identifiers::BindingState;
use futures::future::join_all;

use super::{
    on_both,
    support::{START, TestDb, binding, confirmation_id, subject_id},
};

on_both! {
    nothing_is_found_of_an_unknown_subject,
    a_change_is_written_whole,
    a_missed_guard_writes_nothing,
    one_of_many_first_writes_wins,
    one_of_many_changes_from_one_version_wins,
    a_sealed_part_stays_where_none_is_given,
    a_request_record_is_found_until_it_lapses_and_then_replaced,
    a_request_record_has_one_caller_method_and_id,
    a_confirmation_is_found_only_with_its_subject,
    a_confirmation_keeps_its_date,
    the_history_keeps_dates_and_changes_states,
    events_are_numbered_without_gaps,
    the_latest_events_come_first,
    time_never_goes_behind_what_a_subject_has_seen,
    many_subjects_are_written_at_once,
    a_change_that_is_refused_takes_nothing_with_it,
    an_error_shows_no_value,
    subjects_differ_by_every_byte,
    a_closed_store_is_unavailable,
}

async fn nothing_is_found_of_an_unknown_subject(db: &TestDb) {
    let rows = db.load("anna").await;
    assert_eq!(rows.now, START);
    assert!(rows.subject.is_none() && rows.confirmation.is_none() && rows.request.is_none());
    let id = subject_id("anna");
    assert!(db.storage.bindings(&id).await.unwrap().is_empty());
    assert!(db.storage.events(&id, None, 10).await.unwrap().is_empty());
}

async fn a_change_is_written_whole(db: &TestDb) {
    let first = db.storage.apply(db.change("anna", None)).await.unwrap();
    assert_eq!(first, Applied::Written);
    assert_eq!(db.counts().await, [1, 1, 1, 1, 1]);

    let rows = db.load("anna").await;
    let subject = rows.subject.unwrap();
    assert_eq!(subject.version, 1);
    assert_eq!(subject.secrets, b"sealed");
    assert_eq!(subject.counters, b"counters");
    assert_eq!(rows.confirmation.unwrap(), b"body");
    let request = rows.request.unwrap();
    assert_eq!(
        (request.mac, request.answer),
        (b"mac".to_vec(), b"answer".to_vec())
    );
    let bindings = db.storage.bindings(&subject_id("anna")).await.unwrap();
    assert_eq!(bindings, [binding(1, BindingState::Enabled)]);
    let events = db
        .storage
        .events(&subject_id("anna"), None, 10)
        .await
        .unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].version, events[0].at), (1, START));
    assert_eq!(events[0].caller, "local");
    assert_eq!(events[0].facts, "[{\"kind\":\"TESTED\"}]");

    let mut second = db.change("anna", Some(1));
    second.secrets = Some(b"sealed again".to_vec());
    second.counters = b"counted".to_vec();
    assert_eq!(db.storage.apply(second).await.unwrap(), Applied::Written);
    let subject = db.load("anna").await.subject.unwrap();
    assert_eq!(subject.version, 2);
    assert_eq!(subject.secrets, b"sealed again");
    assert_eq!(subject.counters, b"counted");
    assert_eq!(db.counts().await, [1, 1, 2, 1, 1]);
}

/// A change of another kind each, so that each has been seen to hang on the guard.
fn kinds(db: &TestDb, from_version: Option<i64>) -> Vec<Change> {
    let other = |change: Change| {
        let mut change = change;
        change.secrets = Some(b"not to be seen".to_vec());
        change.counters = b"not to be seen".to_vec();
        change.event.facts = "[\"not to be seen\"]".to_owned();
        change
    };
    let small = || other(db.small_change("anna", from_version));
    let full = || other(db.change("anna", from_version));

    let mut confirmation_over = small();
    confirmation_over.confirmation = full().confirmation.map(|mut confirmation| {
        confirmation.body = b"not to be seen".to_vec();
        confirmation
    });
    let mut confirmation_new = confirmation_over.clone();
    if let Some(confirmation) = &mut confirmation_new.confirmation {
        confirmation.id = confirmation_id(9);
    }
    let mut request_over = small();
    request_over.request = full().request.map(|mut request| {
        request.record.answer = b"not to be seen".to_vec();
        request
    });
    let mut request_new = request_over.clone();
    if let Some(request) = &mut request_new.request {
        request.key.id = RequestId::from_bytes([9; 16]);
    }
    let mut binding_over = small();
    binding_over.bindings = vec![binding(1, BindingState::Disabled)];
    let mut binding_new = small();
    binding_new.bindings = vec![binding(9, BindingState::Enabled)];
    vec![
        small(),
        full(),
        confirmation_over,
        confirmation_new,
        request_over,
        request_new,
        binding_over,
        binding_new,
    ]
}

async fn a_missed_guard_writes_nothing(db: &TestDb) {
    for change in kinds(db, Some(1)) {
        assert_eq!(
            db.storage.apply(change).await.unwrap(),
            Applied::GuardMissed
        );
        assert_eq!(db.counts().await, [0; 5], "no row to change");
    }
    assert_eq!(
        db.storage.apply(db.change("anna", None)).await.unwrap(),
        Applied::Written
    );
    assert_eq!(
        db.storage.apply(db.change("anna", Some(1))).await.unwrap(),
        Applied::Written
    );
    let before = db.everything().await;
    for from in [None, Some(0), Some(1), Some(3)] {
        for change in kinds(db, from) {
            let applied = db.storage.apply(change).await.unwrap();
            assert_eq!(applied, Applied::GuardMissed, "from {from:?}");
            assert_eq!(db.everything().await, before, "from {from:?}");
        }
    }
}

async fn written(db: &TestDb, changes: Vec<Change>) -> usize {
    let applied = join_all(changes.into_iter().map(|change| db.storage.apply(change))).await;
    applied
        .into_iter()
        .filter(|applied| *applied.as_ref().unwrap() == Applied::Written)
        .count()
}

async fn one_of_many_first_writes_wins(db: &TestDb) {
    let changes = (0..16).map(|_| db.change("anna", None)).collect();
    assert_eq!(written(db, changes).await, 1);
    assert_eq!(db.counts().await, [1, 1, 1, 1, 1]);
}

async fn one_of_many_changes_from_one_version_wins(db: &TestDb) {
    let _ = db.storage.apply(db.change("anna", None)).await.unwrap();
    for version in 1..20 {
        let changes = (0..16).map(|_| db.change("anna", Some(version))).collect();
        assert_eq!(written(db, changes).await, 1);
        assert_eq!(db.version("anna").await, Some(version + 1));
    }
    assert_eq!(db.counts().await, [1, 1, 20, 1, 1]);
}

async fn a_sealed_part_stays_where_none_is_given(db: &TestDb) {
    let _ = db.storage.apply(db.change("anna", None)).await.unwrap();
    let mut change = db.change("anna", Some(1));
    change.secrets = None;
    assert_eq!(db.storage.apply(change).await.unwrap(), Applied::Written);
    assert_eq!(db.load("anna").await.subject.unwrap().secrets, b"sealed");
}

async fn a_request_record_is_found_until_it_lapses_and_then_replaced(db: &TestDb) {
    let _ = db.storage.apply(db.change("anna", None)).await.unwrap();
    let end = START.plus(Duration::from_secs(60));
    db.clock.set(Timestamp::from_millis(end.as_millis() - 1));
    assert!(db.load("anna").await.request.is_some());
    db.clock.set(end);
    assert!(db.load("anna").await.request.is_none());

    let mut change = db.change("anna", Some(1));
    change.request = change.request.map(|request| RequestWrite {
        expires_at: end.plus(Duration::from_secs(60)),
        ..request
    });
    assert_eq!(db.storage.apply(change).await.unwrap(), Applied::Written);
    assert!(db.load("anna").await.request.is_some());
    assert_eq!(db.counts().await[3], 1);
}

async fn a_request_record_has_one_caller_method_and_id(db: &TestDb) {
    let _ = db.storage.apply(db.change("anna", None)).await.unwrap();
    let mut other_id = db.key("anna");
    other_id.request = Some(db.request(2));
    let mut other_caller = db.key("anna");
    if let Some(request) = &mut other_caller.request {
        request.caller = countersign_mfa::Caller::operator();
    }
    let mut none = db.key("anna");
    none.request = None;
    for key in [other_id, other_caller, none, db.key("berta")] {
        assert!(db.storage.load(&key).await.unwrap().request.is_none());
    }
}

async fn a_confirmation_is_found_only_with_its_subject(db: &TestDb) {
    let _ = db.storage.apply(db.change("anna", None)).await.unwrap();
    let _ = db
        .storage
        .apply(db.small_change("berta", None))
        .await
        .unwrap();
    assert!(db.load("anna").await.confirmation.is_some());
    assert!(db.load("berta").await.confirmation.is_none());
    let other = LoadKey {
        confirmation: Some(ConfirmationId::from_bytes([2; 16])),
        ..db.key("anna")
    };
    assert!(
        db.storage
            .load(&other)
            .await
            .unwrap()
            .confirmation
            .is_none()
    );
}

async fn a_confirmation_keeps_its_date(db: &TestDb) {
    let _ = db.storage.apply(db.change("anna", None)).await.unwrap();
    let mut change = db.change("anna", Some(1));
    if let Some(confirmation) = &mut change.confirmation {
        confirmation.state = "APPROVED";
        confirmation.body = b"another body".to_vec();
        confirmation.created_at = START.plus(Duration::from_secs(5));
    }
    let _ = db.storage.apply(change).await.unwrap();
    assert_eq!(db.load("anna").await.confirmation.unwrap(), b"another body");
    let all = db.everything().await;
    assert!(all.contains("APPROVED") && !all.contains("PENDING"));
    assert!(all.contains(&format!(
        "created_at: {}, state: \"APPROVED\"",
        START.as_millis()
    )));
}

async fn the_history_keeps_dates_and_changes_states(db: &TestDb) {
    let mut first = db.change("anna", None);
    let mut later = binding(0, BindingState::Enabled);
    later.created_at = START.plus(Duration::from_secs(9));
    first.bindings = vec![later.clone(), binding(2, BindingState::Enabled)];
    let _ = db.storage.apply(first).await.unwrap();

    let mut second = db.change("anna", Some(1));
    let mut closed = binding(2, BindingState::Disabled);
    closed.disabled_at = Some(START.plus(Duration::from_secs(20)));
    second.bindings = vec![closed.clone()];
    let _ = db.storage.apply(second).await.unwrap();

    let bindings = db.storage.bindings(&subject_id("anna")).await.unwrap();
    assert_eq!(bindings, [closed, later], "the oldest first");
}

async fn events_are_numbered_without_gaps(db: &TestDb) {
    let other = db.another().await;
    let one_gateway = |storage: crate::Storage| async move {
        for _ in 0..10 {
            loop {
                let rows = storage.load(&db.key("anna")).await.unwrap();
                let change = db.small_change("anna", rows.subject.map(|row| row.version));
                if storage.apply(change).await.unwrap() == Applied::Written {
                    break;
                }
            }
        }
    };
    join_all((0..4).flat_map(|_| [one_gateway(db.storage.clone()), one_gateway(other.clone())]))
        .await;
    let events = db
        .storage
        .events(&subject_id("anna"), None, 1000)
        .await
        .unwrap();
    let numbers: Vec<i64> = events.iter().rev().map(|event| event.version).collect();
    assert_eq!(numbers, (1..=80).collect::<Vec<i64>>());
    assert_eq!(db.version("anna").await, Some(80));
}

async fn the_latest_events_come_first(db: &TestDb) {
    let _ = db
        .storage
        .apply(db.small_change("anna", None))
        .await
        .unwrap();
    for version in 1..5 {
        let _ = db
            .storage
            .apply(db.small_change("anna", Some(version)))
            .await
            .unwrap();
    }
    let events = db
        .storage
        .events(&subject_id("anna"), None, 2)
        .await
        .unwrap();
    assert_eq!(
        events.iter().map(|event| event.version).collect::<Vec<_>>(),
        [5, 4]
    );
}

async fn time_never_goes_behind_what_a_subject_has_seen(db: &TestDb) {
    let late = START.plus(Duration::from_secs(100));
    db.clock.set(late);
    let _ = db
        .storage
        .apply(db.small_change("anna", None))
        .await
        .unwrap();
    db.clock.set(START);
    assert_eq!(db.load("anna").await.now, late);
    assert_eq!(db.load("berta").await.now, START);
    // A change that was decided on by a clock behind does not turn it back.
    let _ = db
        .storage
        .apply(db.small_change("anna", Some(1)))
        .await
        .unwrap();
    assert_eq!(db.load("anna").await.now, late);
}

async fn many_subjects_are_written_at_once(db: &TestDb) {
    let changes = (0..64)
        .map(|n| db.change(&format!("subject-{n}"), None))
        .collect();
    assert_eq!(written(db, changes).await, 64);
    assert_eq!(db.counts().await, [64; 5]);
    let changes = (0..64)
        .map(|n| db.change(&format!("subject-{n}"), Some(1 + n % 2)))
        .collect();
    assert_eq!(
        written(db, changes).await,
        32,
        "those whose guard misses take none with them"
    );
    assert_eq!(db.counts().await, [64, 64, 96, 64, 64]);
}

async fn a_change_that_is_refused_takes_nothing_with_it(db: &TestDb) {
    let changes = (0..8).map(|n| {
        let mut change = db.change(&format!("subject-{n}"), None);
        if n == 3 {
            change.secrets = None;
        }
        change
    });
    let applied = join_all(changes.map(|change| db.storage.apply(change))).await;
    for (n, applied) in applied.into_iter().enumerate() {
        match applied {
            Err(StoreError::Refused(_)) => assert_eq!(n, 3),
            applied => assert_eq!(applied.unwrap(), Applied::Written),
        }
    }
    assert_eq!(db.counts().await, [7; 5]);
}

async fn an_error_shows_no_value(db: &TestDb) {
    let mut change = db.change("canary-subject", None);
    change.secrets = None;
    change.counters = b"canary-counters".to_vec();
    let error = db.storage.apply(change).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert!(!source.to_string().is_empty());
    // The secrets, counters and ids are shown as bytes by some.
    for text in [
        format!("{error}"),
        format!("{error:?}"),
        format!("{source}"),
        format!("{source:?}"),
    ] {
        assert!(
            !text.contains("canary") && !text.contains("63616e617279"),
            "{text}"
        );
    }
}

async fn subjects_differ_by_every_byte(db: &TestDb) {
    for subject in ["anna", "Anna", "anna ", "änna", "a\u{308}nna"] {
        assert_eq!(
            db.storage.apply(db.change(subject, None)).await.unwrap(),
            Applied::Written,
            "{subject}"
        );
    }
    assert_eq!(db.counts().await, [5; 5]);
}

async fn a_closed_store_is_unavailable(db: &TestDb) {
    let storage = db.another().await;
    storage.close().await;
    let load = storage.load(&db.key("anna")).await;
    assert!(matches!(load, Err(StoreError::Unavailable(_))));
    let apply = storage.apply(db.change("anna", None)).await;
    assert!(matches!(apply, Err(StoreError::Unavailable(_))));
    assert!(matches!(
        storage.lock(&db.key("anna")).await,
        Err(StoreError::Unavailable(_))
    ));
}
