//! Messages that are to be sent, and who has them.

use std::{collections::HashMap, time::Duration};

use countersign_mfa::ports::{
    Store as _, StoreError,
    sms::{
        Claimed, MessageMark, MessageState, MessageWrite, Outbox, Requeue, SmsChange,
        StoredMessage, Waiting,
    },
};
use countersign_primitives::{MessageId, Timestamp};
use futures::future::join_all;
use sea_orm::{ConnectionTrait, TransactionTrait};

use super::{
    on_both,
    support::{START, TestDb, message, message_id, subject_id},
};
use crate::{Storage, TimeSource, dialect::Dialect};

on_both! {
    what_is_due_is_claimed_the_longest_due_first,
    nobody_else_is_given_a_message_before_its_lease_ends,
    a_lease_that_ends_gives_the_message_to_another,
    an_attempt_is_noted_and_renews_the_lease,
    a_message_goes_back_with_how_far_it_has_come,
    a_message_that_is_not_wanted_any_more_is_not_given,
    a_message_under_way_is_not_given_again_once_it_is_not_wanted,
    a_message_whose_code_has_died_is_claimed_too,
    eight_workers_are_given_each_message_once,
    a_message_is_found_by_its_id_and_by_its_carriers_name,
    what_waits_is_counted,
    whatever_waits_is_withdrawn_at_once,
    what_nobody_writes_is_inconsistent,
}

const LEASE: Duration = Duration::from_secs(30);

fn after(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn queued_at(number: u8, seconds: u64) -> MessageWrite {
    MessageWrite {
        created_at: after(seconds),
        ..message(number)
    }
}

async fn claim(storage: &Storage, most: u32) -> Vec<Claimed> {
    storage.claim(most, LEASE).await.unwrap()
}

async fn claim_one(storage: &Storage) -> Claimed {
    let mut claimed = claim(storage, 10).await;
    assert_eq!(claimed.len(), 1);
    claimed.remove(0)
}

fn ids(claimed: &[Claimed]) -> Vec<MessageId> {
    claimed.iter().map(|it| it.id).collect()
}

async fn mark(db: &TestDb, subject: &str, mark: MessageMark) {
    let sms = SmsChange {
        mark: Some(mark),
        ..SmsChange::default()
    };
    let _ = db.sms(subject, sms).await;
}

fn sent(number: u8, provider: &str, carrier_id: &str) -> MessageMark {
    MessageMark {
        id: message_id(number),
        state: MessageState::Sent,
        provider: Some(provider.to_owned()),
        carrier_id: Some(carrier_id.to_owned()),
    }
}

async fn what_is_due_is_claimed_the_longest_due_first(db: &TestDb) {
    assert!(claim(&db.storage, 10).await.is_empty());
    let messages = [
        queued_at(1, 30),
        queued_at(2, 10),
        queued_at(3, 20),
        queued_at(4, 41),
    ];
    db.queue("anna", &messages).await;
    db.clock.set(after(5));
    assert!(claim(&db.storage, 10).await.is_empty(), "none is due yet");
    db.clock.set(after(40));
    let first = claim(&db.storage, 2).await;
    assert_eq!(ids(&first), [2, 3].map(message_id));
    assert_eq!(ids(&claim(&db.storage, 10).await), [message_id(1)]);
    assert!(claim(&db.storage, 10).await.is_empty());

    let claimed = &first[0];
    assert_eq!(claimed.subject, subject_id("anna"));
    assert_eq!(claimed.now, after(40));
    assert_eq!(claimed.created_at, after(10));
    assert_eq!(claimed.expires_at, message(2).expires_at);
    assert_eq!(claimed.state, MessageState::Queued);
    assert_eq!((claimed.claim, claimed.provider.as_deref()), (1, None));
    assert_eq!(claimed.progress, b"");
    assert_eq!(claimed.body, message(2).body);
    let row = db.message("anna", 2).await;
    assert_eq!(row.due_at, Some(after(70).as_millis()));
    assert_eq!(row.state, "QUEUED");
}

async fn nobody_else_is_given_a_message_before_its_lease_ends(db: &TestDb) {
    let other = db.another().await;
    db.queue("anna", &[message(1)]).await;
    let _ = claim_one(&db.storage).await;
    for seconds in [0, 29] {
        db.clock.set(after(seconds));
        assert!(claim(&other, 10).await.is_empty());
        assert!(claim(&db.storage, 10).await.is_empty());
    }
    db.clock.set(after(30));
    let again = claim_one(&other).await;
    assert_eq!(again.claim, 2);
}

async fn a_lease_that_ends_gives_the_message_to_another(db: &TestDb) {
    let other = db.another().await;
    db.queue("anna", &[message(1)]).await;
    let old = claim_one(&db.storage).await;
    assert!(db.storage.begin_attempt(&old, "one", LEASE).await.unwrap());
    db.clock.set(after(30));
    let new = claim_one(&other).await;
    assert_eq!((old.claim, new.claim), (1, 2));
    // Whoever had it died at it, or is slow: what it did last is known.
    assert_eq!(new.state, MessageState::Sending);
    assert_eq!(new.provider.as_deref(), Some("one"));

    let before = db.everything().await;
    let back = Requeue {
        due_at: after(99),
        progress: b"old".to_vec(),
    };
    assert!(!db.storage.begin_attempt(&old, "two", LEASE).await.unwrap());
    assert!(!db.storage.requeue(&old, &back).await.unwrap());
    assert_eq!(db.everything().await, before);
    assert!(other.begin_attempt(&new, "two", LEASE).await.unwrap());
    assert!(other.requeue(&new, &back).await.unwrap());
}

async fn an_attempt_is_noted_and_renews_the_lease(db: &TestDb) {
    db.queue("anna", &[message(1), message(2)]).await;
    let claimed = claim(&db.storage, 10).await;
    db.clock.set(after(20));
    for provider in ["one", "two"] {
        let mut begun = claimed.iter().filter(|it| it.id == message_id(1));
        let begun = begun.next().unwrap();
        let lease = Duration::from_secs(40);
        assert!(
            db.storage
                .begin_attempt(begun, provider, lease)
                .await
                .unwrap()
        );
        let row = db.message("anna", 1).await;
        assert_eq!(row.state, "SENDING");
        assert_eq!(row.provider.as_deref(), Some(provider));
        assert_eq!(row.due_at, Some(after(60).as_millis()));
        assert_eq!(row.claim, 1);
    }
    let other = db.message("anna", 2).await;
    assert_eq!((other.state.as_str(), other.provider), ("QUEUED", None));
}

async fn a_message_goes_back_with_how_far_it_has_come(db: &TestDb) {
    db.queue("anna", &[message(1)]).await;
    let claimed = claim_one(&db.storage).await;
    assert!(
        db.storage
            .begin_attempt(&claimed, "one", LEASE)
            .await
            .unwrap()
    );
    let back = Requeue {
        due_at: after(7),
        progress: b"one failed".to_vec(),
    };
    assert!(db.storage.requeue(&claimed, &back).await.unwrap());
    db.clock.set(after(6));
    assert!(claim(&db.storage, 10).await.is_empty());
    db.clock.set(after(7));
    let again = claim_one(&db.storage).await;
    assert_eq!(again.state, MessageState::Queued);
    assert_eq!(again.provider.as_deref(), Some("one"));
    assert_eq!(again.progress, b"one failed");
    assert_eq!((again.claim, again.body), (2, claimed.body));
}

async fn a_message_that_is_not_wanted_any_more_is_not_given(db: &TestDb) {
    let messages = [message(1), message(2), message(3)];
    db.queue("anna", &messages).await;
    let claimed = claim(&db.storage, 10).await;
    assert_eq!(claimed.len(), 3);
    let withdrawn = SmsChange {
        withdrawn: Some(message(1).target),
        ..SmsChange::default()
    };
    let _ = db.sms("anna", withdrawn).await;
    let confirmed = SmsChange {
        confirmed: Some(message_id(2)),
        ..SmsChange::default()
    };
    let _ = db.sms("anna", confirmed).await;
    // A receipt that came before the answer.
    mark(db, "anna", sent(3, "one", "c1")).await;

    let before = db.everything().await;
    for claimed in &claimed {
        assert!(
            !db.storage
                .begin_attempt(claimed, "one", LEASE)
                .await
                .unwrap()
        );
        let back = Requeue {
            due_at: START,
            progress: Vec::new(),
        };
        assert!(!db.storage.requeue(claimed, &back).await.unwrap());
    }
    assert_eq!(db.everything().await, before);
    db.clock.set(after(1000));
    assert!(claim(&db.storage, 10).await.is_empty());
}

async fn a_message_under_way_is_not_given_again_once_it_is_not_wanted(db: &TestDb) {
    let messages = [message(1), message(2), message(3)];
    db.queue("anna", &messages).await;
    let claimed = claim(&db.storage, 10).await;
    let begin = async |claimed: &Claimed| {
        let begun = db.storage.begin_attempt(claimed, "one", LEASE).await;
        begun.unwrap()
    };
    for claimed in &claimed {
        assert!(begin(claimed).await);
    }
    let withdrawn = SmsChange {
        withdrawn: Some(message(1).target),
        ..SmsChange::default()
    };
    let _ = db.sms("anna", withdrawn).await;
    let confirmed = SmsChange {
        confirmed: Some(message_id(2)),
        ..SmsChange::default()
    };
    let _ = db.sms("anna", confirmed).await;

    let back = Requeue {
        due_at: START,
        progress: Vec::new(),
    };
    for claimed in &claimed {
        let is_wanted = claimed.id == message_id(3);
        // Not even to the next carrier, while the first one's lease runs.
        assert_eq!(begin(claimed).await, is_wanted);
        assert!(db.storage.requeue(claimed, &back).await.unwrap());
    }
    for again in claim(&db.storage, 10).await {
        let is_wanted = again.id == message_id(3);
        assert_eq!(again.now < again.expires_at, is_wanted);
        assert_eq!(begin(&again).await, is_wanted);
    }
}

async fn a_message_whose_code_has_died_is_claimed_too(db: &TestDb) {
    db.queue("anna", &[message(1)]).await;
    db.clock.set(after(301));
    let claimed = claim_one(&db.storage).await;
    assert!(claimed.expires_at < claimed.now);
}

async fn eight_workers_are_given_each_message_once(db: &TestDb) {
    for subject in 0..5 {
        let messages: Vec<_> = (1..=20).map(message).collect();
        db.queue(&format!("subject-{subject}"), &messages).await;
    }
    let other = db.another().await;
    let worker = |storage: Storage| async move {
        let mut given = Vec::new();
        for _ in 0..25 {
            given.extend(claim(&storage, 3).await);
        }
        given
    };
    let workers = (0..8).map(|n| worker(if n % 2 == 0 { &db.storage } else { &other }.clone()));
    let given: Vec<Claimed> = join_all(workers).await.into_iter().flatten().collect();
    let mut times: HashMap<(String, MessageId), u32> = HashMap::new();
    for claimed in &given {
        assert_eq!(claimed.claim, 1);
        let key = (claimed.subject.as_str().to_owned(), claimed.id);
        *times.entry(key).or_default() += 1;
    }
    assert_eq!((times.len(), given.len()), (100, 100));
}

async fn a_message_is_found_by_its_id_and_by_its_carriers_name(db: &TestDb) {
    db.queue("anna", &[message(1), queued_at(2, 60)]).await;
    db.queue("berta", &[message(3)]).await;
    let find = async |subject, number| {
        let subject = subject_id(subject);
        db.storage
            .message(&subject, message_id(number))
            .await
            .unwrap()
    };
    let by_carrier = async |provider, id| db.storage.sent_as(provider, id).await.unwrap();
    assert_eq!(find("berta", 1).await, None);
    assert_eq!(by_carrier("one", "c1").await, None);
    let stored = |subject, number, state, provider: Option<&str>| {
        Some(StoredMessage {
            subject: subject_id(subject),
            id: message_id(number),
            identifier: message(1).identifier,
            state,
            provider: provider.map(str::to_owned),
        })
    };
    let queued = stored("anna", 1, MessageState::Queued, None);
    assert_eq!(find("anna", 1).await, queued);

    mark(db, "anna", sent(1, "one", "c1")).await;
    mark(db, "berta", sent(3, "two", "c1")).await;
    let first = stored("anna", 1, MessageState::Sent, Some("one"));
    assert_eq!(find("anna", 1).await, first);
    assert_eq!(by_carrier("one", "c1").await, first);
    assert_eq!(by_carrier("one", "c2").await, None);
    let other = stored("berta", 3, MessageState::Sent, Some("two"));
    assert_eq!(by_carrier("two", "c1").await, other);
    // A name that a carrier gives again is that of the latest.
    mark(db, "anna", sent(2, "one", "c1")).await;
    let latest = stored("anna", 2, MessageState::Sent, Some("one"));
    assert_eq!(by_carrier("one", "c1").await, latest);
}

async fn what_waits_is_counted(db: &TestDb) {
    let waiting = async || db.storage.waiting().await.unwrap();
    assert_eq!(waiting().await, Waiting::default());
    db.queue("anna", &[queued_at(1, 9), queued_at(2, 8)]).await;
    db.queue("berta", &[queued_at(3, 7)]).await;
    let count = |messages, seconds| Waiting {
        messages,
        oldest: Some(after(seconds)),
    };
    assert_eq!(waiting().await, count(3, 7));
    mark(db, "berta", sent(3, "one", "c1")).await;
    assert_eq!(waiting().await, count(2, 8));
    db.clock.set(after(10));
    for claimed in claim(&db.storage, 10).await {
        assert!(
            db.storage
                .begin_attempt(&claimed, "one", LEASE)
                .await
                .unwrap()
        );
    }
    assert_eq!(waiting().await, count(2, 8), "no carrier has them for sure");
    mark(db, "anna", sent(1, "one", "c2")).await;
    mark(db, "anna", sent(2, "one", "c3")).await;
    assert_eq!(waiting().await, Waiting::default());
}

async fn what_nobody_writes_is_inconsistent(db: &TestDb) {
    db.queue("anna", &[message(1)]).await;
    let sql = "UPDATE message SET state = 'LOST'";
    db.storage.write.execute_unprepared(sql).await.unwrap();
    let found = db.storage.message(&subject_id("anna"), message_id(1)).await;
    let Err(StoreError::Inconsistent { table, column }) = found else {
        panic!("{found:?}");
    };
    assert_eq!((table, column), ("message", "state"));
}

/// A gateway that has nothing to send writes nothing, and waits for no writer.
#[tokio::test]
async fn an_idle_outbox_leaves_sqlites_writer_alone() {
    let db = TestDb::sqlite().await;
    db.queue("anna", &[queued_at(1, 60)]).await;
    let other = db.another().await;
    let elsewhere = Dialect::Sqlite.begin(&other.write).await.unwrap();
    assert!(claim(&db.storage, 10).await.is_empty());
    elsewhere.rollback().await.unwrap();
    db.clock.set(after(60));
    let _ = claim_one(&db.storage).await;
}

/// What somebody else writes is left for the next time.
#[tokio::test]
async fn a_claim_on_postgres_waits_for_nobody() {
    let Some(db) = TestDb::postgres().await else {
        return;
    };
    db.queue("anna", &[message(1)]).await;
    db.queue("berta", &[message(2)]).await;
    let elsewhere = db.storage.write.begin().await.unwrap();
    let sql = "UPDATE message SET updated_at = 1 WHERE subject_id = 'anna'";
    elsewhere.execute_unprepared(sql).await.unwrap();
    assert_eq!(claim_one(&db.storage).await.id, message_id(2));
    elsewhere.rollback().await.unwrap();
    assert_eq!(claim_one(&db.storage).await.id, message_id(1));
    db.drop_database().await;
}

#[tokio::test]
async fn the_outboxs_time_is_the_databases_own() {
    let Some(mut db) = TestDb::postgres().await else {
        return;
    };
    db.settings.time = TimeSource::Database;
    let storage = db.another().await;
    // Of 1970, and of the next century.
    let old = Timestamp::from_millis(1);
    let new = Timestamp::from_millis(4_500_000_000_000);
    for (number, created_at) in [(1, old), (2, new)] {
        let message = MessageWrite {
            created_at,
            ..message(number)
        };
        db.queue("anna", &[message]).await;
    }
    let claimed = claim_one(&storage).await;
    assert_eq!(claimed.id, message_id(1));
    assert!(old < claimed.now && claimed.now < new);
    let due_at = || async { Timestamp::from_millis(db.message("anna", 1).await.due_at.unwrap()) };
    assert_eq!(due_at().await, claimed.now.plus(LEASE));
    assert!(storage.begin_attempt(&claimed, "one", LEASE).await.unwrap());
    assert!(due_at().await >= claimed.now.plus(LEASE));
    storage.close().await;
    db.drop_database().await;
}

async fn whatever_waits_is_withdrawn_at_once(db: &TestDb) {
    db.queue("anna", &[message(1), message(2), message(3)])
        .await;
    db.queue("boris", &[message(4)]).await;
    let first = claim(&db.storage, 2).await;
    assert!(
        db.storage
            .begin_attempt(&first[0], "one", LEASE)
            .await
            .unwrap()
    );
    mark(db, "anna", sent(3, "one", "c-3")).await;
    let under_way = first[0].id;

    assert_eq!(db.storage.withdraw_all().await.unwrap(), 3);
    assert_eq!(db.storage.waiting().await.unwrap(), Waiting::default());
    for (subject, number) in [("anna", 1), ("anna", 2), ("anna", 3), ("boris", 4)] {
        let row = db.message(subject, number).await;
        let state = match number {
            3 => "SENT",
            _ if message_id(number) == under_way => "UNKNOWN",
            _ => "WITHDRAWN",
        };
        assert_eq!(row.state, state, "{number}");
        assert_eq!((row.due_at, row.body), (None, None), "{number}");
    }
    // Whoever had one may do nothing with it any more, and nobody is given one.
    for claimed in &first {
        let begun = db.storage.begin_attempt(claimed, "two", LEASE).await;
        assert!(!begun.unwrap());
    }
    db.clock.set(after(120));
    assert!(claim(&db.storage, 10).await.is_empty());
    assert_eq!(db.storage.withdraw_all().await.unwrap(), 0);
}
