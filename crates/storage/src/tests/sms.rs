//! What a change does about messages, numbers and budgets.

use std::time::Duration;

use countersign_mfa::ports::{
    Applied, Change, Store,
    sms::{
        MessageMark, MessageState, MessageWrite, NumberUse, RowKey, SmsChange, SpendRow, Window,
    },
};
use countersign_primitives::{Clock, encode};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement};

use super::{
    on_both,
    support::{START, TestDb, message, message_id, subject_id},
};
use crate::{
    dialect::postgres,
    entities::{message, number_user, spend},
};

on_both! {
    a_message_is_queued_in_the_change_that_asks_for_it,
    a_message_that_waits_is_withdrawn_with_its_target,
    an_accepted_code_is_noted_once_and_stops_what_waits,
    a_mark_is_written_where_the_state_allows_it,
    a_mark_keeps_the_carrier_that_it_does_not_name,
    a_message_is_withdrawn_before_it_is_marked,
    the_last_word_about_a_number_counts,
    budgets_are_written_whole,
    a_missed_guard_writes_no_message_number_or_budget,
    an_erased_subject_leaves_no_message_number_or_budget,
    a_message_that_is_refused_takes_its_change_with_it,
}

const QUEUED: &str = "QUEUED";

fn budget(scope: &str, slot: u32) -> SpendRow {
    SpendRow {
        key: RowKey {
            scope: scope.to_owned(),
            slot,
        },
        window: Window::default(),
        closed_until: None,
    }
}

fn mark(number: u8, state: MessageState) -> MessageMark {
    MessageMark {
        id: message_id(number),
        state,
        provider: None,
        carrier_id: None,
    }
}

/// Everything at once, about messages 1 to 3.
fn all_at_once() -> SmsChange {
    SmsChange {
        message: Some(message(9)),
        withdrawn: Some(message(1).target),
        confirmed: Some(message_id(2)),
        mark: Some(mark(3, MessageState::Sent)),
        numbers: vec![NumberUse::Begin([9; 32]), NumberUse::End(vec![[1; 32]])],
        spend: vec![budget("total", 0), budget("total", 9)],
    }
}

/// A subject with messages 1 to 3, a number and a budget.
async fn fill(db: &TestDb, subject: &str) {
    db.queue(subject, &[message(1), message(2), message(3)])
        .await;
    let sms = SmsChange {
        numbers: vec![NumberUse::Begin([1; 32])],
        spend: vec![budget(&format!("subject/{subject}"), 0), budget("total", 0)],
        ..SmsChange::default()
    };
    assert_eq!(db.sms(subject, sms).await, Applied::Written);
}

async fn set_state(db: &TestDb, state: MessageState) {
    let sql = format!("UPDATE message SET state = '{}'", state.name());
    db.storage.write.execute_unprepared(&sql).await.unwrap();
}

async fn a_message_is_queued_in_the_change_that_asks_for_it(db: &TestDb) {
    let mut first = message(1);
    first.created_at = START.plus(Duration::from_secs(1));
    let mut second = message(2);
    second.prefix = "+1".to_owned();
    for (n, write) in [first, second].into_iter().enumerate() {
        let number = n as u8 + 1;
        db.queue("anna", std::slice::from_ref(&write)).await;
        let expected = message::Model {
            subject_id: "anna".to_owned(),
            message_id: vec![number; 16],
            identifier_id: write.identifier.as_bytes().to_vec(),
            target: vec![number; 16],
            created_at: write.created_at.as_millis(),
            expires_at: write.expires_at.as_millis(),
            state: QUEUED.to_owned(),
            due_at: Some(write.created_at.as_millis()),
            claim: 0,
            provider: None,
            carrier_id: None,
            prefix: write.prefix,
            confirmed_at: None,
            updated_at: START.as_millis(),
            progress: Vec::new(),
            body: Some(vec![number; 40]),
        };
        assert_eq!(db.message("anna", number).await, expected);
    }
    assert_eq!(db.version("anna").await, Some(2));
    assert_eq!(db.counts().await, [1, 0, 2, 0, 0]);
}

async fn a_message_that_waits_is_withdrawn_with_its_target(db: &TestDb) {
    let same = |number| MessageWrite {
        target: [7; 16],
        ..message(number)
    };
    let late = START.plus(Duration::from_secs(9));
    db.queue("berta", &[same(1)]).await;
    db.queue("anna", &[same(1), same(2), message(3)]).await;
    let sql = "UPDATE message SET state = 'SENDING' WHERE subject_id = 'anna' AND message_id = ";
    let bytes = match db.storage.write.get_database_backend() {
        DbBackend::Postgres => format!("decode('{}', 'hex')", "02".repeat(16)),
        _ => format!("x'{}'", "02".repeat(16)),
    };
    let sql = format!("{sql}{bytes}");
    db.storage.write.execute_unprepared(&sql).await.unwrap();
    db.clock.set(late);

    let before = db.everything().await;
    let sms = SmsChange {
        withdrawn: Some([7; 16]),
        message: Some(same(4)),
        ..SmsChange::default()
    };
    assert_eq!(db.sms("anna", sms).await, Applied::Written);
    assert_ne!(db.everything().await, before);
    let gone = db.message("anna", 1).await;
    assert_eq!(gone.state, "WITHDRAWN");
    assert_eq!((gone.due_at, gone.body), (None, None));
    assert_eq!(gone.updated_at, late.as_millis());
    for (subject, number, state) in [
        ("anna", 2, "SENDING"),
        ("anna", 3, QUEUED),
        ("anna", 4, QUEUED),
        ("berta", 1, QUEUED),
    ] {
        let stays = db.message(subject, number).await;
        assert_eq!(stays.state, state, "{subject} {number}");
        assert!(stays.due_at.is_some() && stays.body.is_some());
    }
    // All to the number of one identifier, whatever they are for.
    let sms = SmsChange {
        withdrawn: Some(*message(3).identifier.as_bytes()),
        ..SmsChange::default()
    };
    assert_eq!(db.sms("anna", sms).await, Applied::Written);
    for number in [3, 4] {
        assert_eq!(db.message("anna", number).await.state, "WITHDRAWN");
    }
    assert_eq!(db.message("berta", 1).await.state, QUEUED);
}

async fn an_accepted_code_is_noted_once_and_stops_what_waits(db: &TestDb) {
    db.queue("anna", &[message(1)]).await;
    db.queue("berta", &[message(1)]).await;
    let confirmed = || SmsChange {
        confirmed: Some(message_id(1)),
        ..SmsChange::default()
    };
    let late = START.plus(Duration::from_secs(5));
    db.clock.set(late);
    let _ = db.sms("anna", confirmed()).await;
    let stopped = db.message("anna", 1).await;
    assert_eq!(stopped.state, "WITHDRAWN");
    assert_eq!((stopped.due_at, stopped.body), (None, None));
    assert_eq!(stopped.confirmed_at, Some(late.as_millis()));
    assert_eq!(db.message("berta", 1).await.confirmed_at, None);

    for (number, state) in [(2, MessageState::Sending), (3, MessageState::Sent)] {
        db.queue("anna", &[message(number)]).await;
        set_state(db, state).await;
        let confirmed = || SmsChange {
            confirmed: Some(message_id(number)),
            ..SmsChange::default()
        };
        let at = db.clock.now().as_millis();
        let _ = db.sms("anna", confirmed()).await;
        db.clock.set(late.plus(Duration::from_secs(number.into())));
        let _ = db.sms("anna", confirmed()).await;
        let sent = db.message("anna", number).await;
        assert_eq!(sent.state, state.name());
        assert!(sent.body.is_some(), "only what waits is withdrawn");
        assert_eq!(sent.confirmed_at, Some(at), "the first time");
    }
}

async fn a_mark_is_written_where_the_state_allows_it(db: &TestDb) {
    db.queue("anna", &[message(1)]).await;
    let reset = "UPDATE message SET due_at = 1, carrier_id = NULL, provider = 'old'";
    for from in MessageState::ALL {
        for to in MessageState::ALL {
            db.storage.write.execute_unprepared(reset).await.unwrap();
            let body = "UPDATE message SET body = message_id";
            db.storage.write.execute_unprepared(body).await.unwrap();
            set_state(db, from).await;
            let sms = SmsChange {
                mark: Some(MessageMark {
                    provider: Some("new".to_owned()),
                    carrier_id: Some("c1".to_owned()),
                    ..mark(1, to)
                }),
                ..SmsChange::default()
            };
            // A mark that does not apply does not fail the change.
            assert_eq!(db.sms("anna", sms).await, Applied::Written);
            let row = db.message("anna", 1).await;
            let is_marked = from.may_become(to);
            let (state, provider) = if is_marked {
                (to, "new")
            } else {
                (from, "old")
            };
            assert_eq!(row.state, state.name(), "{from:?} {to:?}");
            assert_eq!(row.provider.as_deref(), Some(provider), "{from:?} {to:?}");
            assert_eq!(row.carrier_id.is_some(), is_marked);
            assert_eq!(row.due_at.is_none(), is_marked, "{from:?} {to:?}");
            assert_eq!(row.body.is_none(), is_marked, "{from:?} {to:?}");
        }
    }
}

async fn a_mark_keeps_the_carrier_that_it_does_not_name(db: &TestDb) {
    db.queue("anna", &[message(1), message(2)]).await;
    let marked = |mark| SmsChange {
        mark: Some(mark),
        ..SmsChange::default()
    };
    let sent = MessageMark {
        provider: Some("one".to_owned()),
        carrier_id: Some("c1".to_owned()),
        ..mark(1, MessageState::Sent)
    };
    let _ = db.sms("anna", marked(sent)).await;
    let _ = db
        .sms("anna", marked(mark(1, MessageState::Delivered)))
        .await;
    let row = db.message("anna", 1).await;
    assert_eq!(row.state, "DELIVERED");
    assert_eq!(row.provider.as_deref(), Some("one"));
    assert_eq!(row.carrier_id.as_deref(), Some("c1"));
    assert_eq!(db.message("anna", 2).await.state, QUEUED, "only that one");
}

async fn a_message_is_withdrawn_before_it_is_marked(db: &TestDb) {
    db.queue("anna", &[message(1), message(2)]).await;
    for (number, sms) in [
        (
            1,
            SmsChange {
                withdrawn: Some(message(1).target),
                mark: Some(mark(1, MessageState::Sent)),
                ..SmsChange::default()
            },
        ),
        (
            2,
            SmsChange {
                confirmed: Some(message_id(2)),
                mark: Some(mark(2, MessageState::Sent)),
                ..SmsChange::default()
            },
        ),
    ] {
        assert_eq!(db.sms("anna", sms).await, Applied::Written);
        assert_eq!(db.message("anna", number).await.state, "WITHDRAWN");
    }
}

async fn the_last_word_about_a_number_counts(db: &TestDb) {
    let (one, two, three) = ([1; 32], [2; 32], [3; 32]);
    let begin = NumberUse::Begin;
    let end = |numbers: &[[u8; 32]]| NumberUse::End(numbers.to_vec());
    let _ = db
        .sms(
            "berta",
            SmsChange {
                numbers: vec![begin(one)],
                ..SmsChange::default()
            },
        )
        .await;
    for (numbers, expected) in [
        (vec![begin(one), begin(two)], vec![one, two]),
        (vec![begin(one)], vec![one, two]),
        (vec![end(&[two, three])], vec![one]),
        (vec![end(&[one]), begin(one)], vec![one]),
        (vec![begin(three), end(&[one, three])], vec![]),
        (vec![end(&[one])], vec![]),
    ] {
        let what = format!("{numbers:?}");
        let sms = SmsChange {
            numbers,
            ..SmsChange::default()
        };
        assert_eq!(db.sms("anna", sms).await, Applied::Written);
        let users = number_user::Entity::find().all(&db.storage.read).await;
        let (annas, others): (Vec<_>, Vec<_>) = users
            .unwrap()
            .into_iter()
            .partition(|user| user.subject_id == "anna");
        let mut numbers: Vec<_> = annas.into_iter().map(|user| user.number).collect();
        numbers.sort();
        assert_eq!(numbers, expected, "{what}");
        assert_eq!(others.len(), 1);
    }
}

async fn budgets_are_written_whole(db: &TestDb) {
    let closed = |row: SpendRow, seconds| SpendRow {
        closed_until: Some(START.plus(Duration::from_secs(seconds))),
        ..row
    };
    let rows = vec![
        closed(budget("prefix/\"+7\"", 0), 60),
        budget("total", 1),
        budget("total", 0),
    ];
    let spend = |spend| SmsChange {
        spend,
        ..SmsChange::default()
    };
    let _ = db.sms("anna", spend(rows)).await;
    let late = START.plus(Duration::from_secs(3));
    db.clock.set(late);
    let rows = vec![budget("prefix/\"+7\"", 0), closed(budget("total", 1), 9)];
    let _ = db.sms("anna", spend(rows)).await;

    let found = spend::Entity::find().all(&db.storage.read).await.unwrap();
    let mut found: Vec<_> = found
        .into_iter()
        .map(|row| {
            assert_eq!(row.body, encode(&Window::default()));
            (row.scope, row.slot, row.updated_at, row.closed_until)
        })
        .collect();
    found.sort();
    let (early, late) = (START.as_millis(), late.as_millis());
    let total = || "total".to_owned();
    let expected = [
        ("prefix/\"+7\"".to_owned(), 0, late, None),
        (total(), 0, early, None),
        (total(), 1, late, Some(early + 9000)),
    ];
    assert_eq!(found, expected);
}

async fn a_missed_guard_writes_no_message_number_or_budget(db: &TestDb) {
    let change = |from| db.sms_change("anna", from, all_at_once());
    let missed = db.storage.apply(change(Some(1))).await.unwrap();
    assert_eq!(missed, Applied::GuardMissed);
    assert_eq!(db.sms_counts().await, [0; 3]);

    fill(db, "anna").await;
    let before = db.everything().await;
    for from in [None, Some(0), Some(3), Some(5)] {
        let missed = db.storage.apply(change(from)).await.unwrap();
        assert_eq!(missed, Applied::GuardMissed, "from {from:?}");
        let (_, lock) = db.storage.lock(&db.key("anna")).await.unwrap();
        let missed = lock.apply(change(from)).await.unwrap();
        assert_eq!(missed, Applied::GuardMissed, "from {from:?}");
        assert_eq!(db.everything().await, before, "from {from:?}");
    }
    // The same, where it is not missed.
    let written = db.storage.apply(change(Some(4))).await.unwrap();
    assert_eq!(written, Applied::Written);
    assert_eq!(db.sms_counts().await, [4, 1, 3]);
    for (number, state) in [(1, "WITHDRAWN"), (2, "WITHDRAWN"), (3, "SENT"), (9, QUEUED)] {
        assert_eq!(db.message("anna", number).await.state, state, "{number}");
    }
}

async fn an_erased_subject_leaves_no_message_number_or_budget(db: &TestDb) {
    fill(db, "anna").await;
    fill(db, "anna-2").await;
    assert_eq!(db.sms_counts().await, [6, 2, 3]);
    let (_, lock) = db.storage.lock(&db.key("anna")).await.unwrap();
    let change = db.small_change("anna", Some(4));
    let erased = lock.erase(change, |facts| facts.to_owned()).await.unwrap();
    assert_eq!(erased, Applied::Written);
    assert_eq!(db.sms_counts().await, [3, 1, 2]);
    let scopes: Vec<String> = spend::Entity::find()
        .all(&db.storage.read)
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.scope)
        .collect();
    assert!(scopes.contains(&"total".to_owned()), "{scopes:?}");
    assert!(!scopes.contains(&RowKey::subject(&subject_id("anna")).scope));
    let _ = db.message("anna-2", 1).await;
}

async fn a_message_that_is_refused_takes_its_change_with_it(db: &TestDb) {
    db.queue("anna", &[message(1)]).await;
    let before = db.everything().await;
    let again = SmsChange {
        message: Some(message(1)),
        spend: vec![budget("total", 0)],
        ..SmsChange::default()
    };
    let refused = db
        .storage
        .apply(db.sms_change("anna", Some(1), again))
        .await;
    let error = refused.err().unwrap();
    assert!(
        !format!("{error:?} {error}").contains("+79120"),
        "{error:?}"
    );
    assert_eq!(db.everything().await, before);
}

/// What a check costs does not grow with what it has nothing to do with.
#[tokio::test]
async fn a_change_without_a_message_keeps_its_statement() {
    let db = TestDb::sqlite().await;
    let sql = |change: &Change| {
        let Statement { sql, values, .. } = postgres::apply(change);
        (sql, values.unwrap().0.len())
    };
    for (from_version, parameters) in [(None, 18), (Some(1), 19)] {
        let change = db.small_change("anna", from_version);
        assert_eq!(postgres::is_common(&change), from_version.is_some());
        let (plain, count) = sql(&change);
        assert_eq!(count, parameters);
        for table in ["message", "number_user", "spend"] {
            assert!(!plain.contains(table), "{table}");
        }
        let with = Change {
            sms: Some(Box::default()),
            ..change
        };
        assert!(!postgres::is_common(&with));
        assert_eq!(sql(&with).1, parameters + 17);
    }
}
