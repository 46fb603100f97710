//! Rows that subjects share, as they are read.

use std::time::Duration;

use countersign_mfa::ports::{
    Applied, Store, StoreError,
    sms::{
        Conversion, ConversionKey, MessageMark, MessageState, MessageWrite, NumberUse, RowKey,
        SharedKey, SharedRows, SmsChange, SpendRow, Window,
    },
};
use countersign_primitives::{SubjectId, Timestamp};
use countersign_spend_guard::{Rates, Ruling, Send, SpendRules};
use sea_orm::ConnectionTrait;

use super::{
    on_both,
    support::{START, TestDb, message, message_id, subject_id},
};

on_both! {
    nothing_is_found_where_nothing_was_spent,
    budgets_are_read_as_they_were_written,
    what_is_no_window_is_inconsistent,
    a_row_that_was_only_taken_is_empty,
    a_prefix_converts_by_its_latest_messages,
    other_users_of_a_number_are_counted_once,
}

pub(super) fn key(scope: &str, slot: u32) -> RowKey {
    RowKey {
        scope: scope.to_owned(),
        slot,
    }
}

pub(super) fn of_budgets(spend: &[RowKey]) -> SharedKey {
    SharedKey {
        spend: spend.to_vec(),
        ..SharedKey::default()
    }
}

async fn shared(db: &TestDb, key: &SharedKey) -> SharedRows {
    let id = subject_id("anna");
    let read = db.storage.shared(&id, key).await.unwrap();
    let (_, mut lock) = db.storage.lock(&db.key("anna")).await.unwrap();
    let taken = lock.shared(&id, key).await.unwrap();
    lock.release().await.unwrap();
    assert_eq!(
        (read.conversion, read.other_users),
        (taken.conversion, taken.other_users)
    );
    for row in &read.spend {
        assert!(taken.spend.contains(row), "{row:?}");
    }
    read
}

pub(super) fn rules() -> SpendRules {
    let rates = |at_most| Rates {
        hour: at_most,
        day: at_most,
    };
    SpendRules {
        total: rates(20),
        enrolments: rates(20),
        ..SpendRules::default()
    }
}

pub(super) const NUMBER: [u8; 32] = [7; 32];

pub(super) fn send(subject: &SubjectId) -> Send<'_> {
    Send {
        subject,
        number: &NUMBER,
        prefix: "+79120",
        country: "RU",
        caller: "shop",
        cost: 0,
        is_enrolment: false,
    }
}

/// What becomes of the budgets with one more message.
pub(super) fn spent(
    subject: &SubjectId,
    shared: &SharedRows,
    now: Timestamp,
) -> Option<Vec<SpendRow>> {
    let (rules, send) = (rules(), send(subject));
    let keys = rules.keys(&send);
    match rules.decide(&send, &keys, &shared.spend, shared.conversion, now, 1) {
        Ruling::Reserved(rows) => Some(rows),
        Ruling::Refused(_) => None,
        ruling => panic!("{ruling:?}"),
    }
}

async fn nothing_is_found_where_nothing_was_spent(db: &TestDb) {
    let all = SharedKey {
        spend: vec![key("total", 0)],
        conversion: Some(since(0, 100, 10)),
        number: vec![NUMBER],
    };
    for key in [SharedKey::default(), all] {
        let found = db.storage.shared(&subject_id("anna"), &key).await.unwrap();
        assert!(found.spend.is_empty());
        assert_eq!(found.conversion, Conversion::default());
        assert_eq!(found.other_users, 0);
        let (_, mut lock) = db.storage.lock(&db.key("anna")).await.unwrap();
        let taken = lock.shared(&subject_id("anna"), &key).await.unwrap();
        assert!(
            taken
                .spend
                .iter()
                .all(|row| row.window == Window::default())
        );
        lock.release().await.unwrap();
    }
    assert_eq!(db.sms_counts().await, [0; 3]);
}

async fn budgets_are_read_as_they_were_written(db: &TestDb) {
    let id = subject_id("anna");
    let mut rows = spent(&id, &SharedRows::default(), START).unwrap();
    assert!(rows.iter().all(|row| row.window != Window::default()));
    rows[0].closed_until = Some(START.plus(Duration::from_secs(60)));
    rows.sort_by(|one, other| one.key.cmp(&other.key));
    let sms = SmsChange {
        spend: rows.clone(),
        ..SmsChange::default()
    };
    assert_eq!(db.sms("anna", sms).await, Applied::Written);

    // In any order, some twice, and some that are not there.
    let mut keys: Vec<RowKey> = rows.iter().rev().map(|row| row.key.clone()).collect();
    keys.push(keys[0].clone());
    let read = db.storage.shared(&id, &of_budgets(&keys)).await.unwrap();
    assert_eq!(read.spend, rows);
    let (_, mut lock) = db.storage.lock(&db.key("anna")).await.unwrap();
    let taken = lock.shared(&id, &of_budgets(&keys)).await.unwrap();
    assert_eq!(taken.spend, rows);
    lock.release().await.unwrap();

    keys.push(key("nobody/spent", 0));
    assert_eq!(shared(db, &of_budgets(&keys)).await.spend, rows);
    let one = shared(db, &of_budgets(&keys[..1])).await.spend;
    assert_eq!(
        one.iter().map(|row| &row.key).collect::<Vec<_>>(),
        [&keys[0]]
    );
}

async fn what_is_no_window_is_inconsistent(db: &TestDb) {
    let sms = SmsChange {
        spend: vec![empty("total", 0)],
        ..SmsChange::default()
    };
    let _ = db.sms("anna", sms).await;
    let key = of_budgets(&[key("total", 0)]);
    let read = async || db.storage.shared(&subject_id("anna"), &key).await;
    assert_eq!(read().await.unwrap().spend, [empty("total", 0)]);
    let sql = "UPDATE spend SET body = (SELECT secrets FROM subject)";
    db.storage.write.execute_unprepared(sql).await.unwrap();
    let found = read().await;
    let Err(StoreError::Inconsistent { table, column }) = found else {
        panic!("{found:?}");
    };
    assert_eq!((table, column), ("spend", "body"));
}

async fn a_row_that_was_only_taken_is_empty(db: &TestDb) {
    let id = subject_id("anna");
    let keys = of_budgets(&[key("total", 0), key("total", 1)]);
    let (_, mut lock) = db.storage.lock(&db.key("anna")).await.unwrap();
    let _ = lock.shared(&id, &keys).await.unwrap();
    let sms = SmsChange {
        spend: vec![empty("total", 1)],
        ..SmsChange::default()
    };
    let change = db.sms_change("anna", None, sms);
    assert_eq!(lock.apply(change).await.unwrap(), Applied::Written);
    let read = db.storage.shared(&id, &keys).await.unwrap();
    for row in &read.spend {
        assert_eq!(row, &empty(&row.key.scope, row.key.slot));
    }
    assert!(read.spend.contains(&empty("total", 1)));
}

pub(super) fn empty(scope: &str, slot: u32) -> SpendRow {
    SpendRow {
        key: key(scope, slot),
        window: Window::default(),
        closed_until: None,
    }
}

pub(super) fn after(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn since(since: u64, until: u64, most: u32) -> ConversionKey {
    ConversionKey {
        prefix: "+79120".to_owned(),
        row: RowKey::prefix("+79120"),
        since: after(since),
        until: after(until),
        most,
    }
}

async fn a_prefix_converts_by_its_latest_messages(db: &TestDb) {
    // One every ten seconds; another prefix; another subject.
    let at = |number: u8| MessageWrite {
        created_at: after(u64::from(number) * 10),
        ..message(number)
    };
    let elsewhere = MessageWrite {
        prefix: "+7912".to_owned(),
        ..at(3)
    };
    db.queue("anna", &[at(1), at(2), elsewhere, at(4)]).await;
    db.queue("berta", &[at(5), at(6), at(7)]).await;
    for (subject, number) in [("anna", 2), ("berta", 6)] {
        let sent = MessageMark {
            id: message_id(number),
            state: MessageState::Sent,
            provider: None,
            carrier_id: None,
        };
        let sms = |mark, confirmed| SmsChange {
            mark,
            confirmed,
            ..SmsChange::default()
        };
        let _ = db.sms(subject, sms(Some(sent), None)).await;
        let _ = db.sms(subject, sms(None, Some(message_id(number)))).await;
    }
    let withdrawn = SmsChange {
        withdrawn: Some(message(7).target),
        ..SmsChange::default()
    };
    let _ = db.sms("berta", withdrawn).await;

    let conversion = async |conversion| {
        let key = SharedKey {
            conversion: Some(conversion),
            ..SharedKey::default()
        };
        let Conversion { sent, confirmed } = shared(db, &key).await.conversion;
        (sent, confirmed)
    };
    // Those of 10, 20, 40, 50 and 60 seconds count.
    assert_eq!(conversion(since(0, 100, 100)).await, (5, 2));
    assert_eq!(
        conversion(since(10, 100, 100)).await,
        (4, 2),
        "after, not at"
    );
    assert_eq!(
        conversion(since(9, 60, 100)).await,
        (5, 2),
        "at, not only before"
    );
    assert_eq!(conversion(since(0, 59, 100)).await, (4, 1));
    assert_eq!(conversion(since(0, 100, 1)).await, (1, 1), "the latest");
    assert_eq!(conversion(since(0, 100, 3)).await, (3, 1));
    let unknown = ConversionKey {
        prefix: "+".to_owned(),
        ..since(0, 100, 100)
    };
    assert_eq!(conversion(unknown).await, (0, 0));

    let closed = |closed_until| SmsChange {
        spend: vec![SpendRow {
            key: RowKey::prefix("+79120"),
            window: Window::default(),
            closed_until,
        }],
        ..SmsChange::default()
    };
    let _ = db.sms("anna", closed(Some(after(40)))).await;
    assert_eq!(
        conversion(since(0, 100, 100)).await,
        (2, 1),
        "after it was closed"
    );
    assert_eq!(conversion(since(50, 100, 100)).await, (1, 1));
    let _ = db.sms("anna", closed(None)).await;
    assert_eq!(conversion(since(0, 100, 100)).await, (5, 2));

    // What no carrier is known to have is nobody's fault.
    for (subject, number, state, left) in [
        ("anna", 4, MessageState::Unknown, 4),
        ("berta", 5, MessageState::Failed, 3),
    ] {
        let mark = MessageMark {
            id: message_id(number),
            state,
            provider: None,
            carrier_id: None,
        };
        let sms = SmsChange {
            mark: Some(mark),
            ..SmsChange::default()
        };
        let _ = db.sms(subject, sms).await;
        assert_eq!(conversion(since(0, 100, 100)).await, (left, 2), "{state:?}");
    }
}

async fn other_users_of_a_number_are_counted_once(db: &TestDb) {
    let (old, new, other) = ([1; 32], [2; 32], [3; 32]);
    for (subject, numbers) in [
        ("anna", vec![old, new]),
        ("berta", vec![old, new]),
        ("carla", vec![new]),
        ("dora", vec![other]),
    ] {
        let sms = SmsChange {
            numbers: numbers.into_iter().map(NumberUse::Begin).collect(),
            ..SmsChange::default()
        };
        let _ = db.sms(subject, sms).await;
    }
    for (number, others) in [
        (vec![], 0),
        (vec![old], 1),
        (vec![new], 2),
        (vec![new, old], 2),
        (vec![other], 1),
        (vec![[4; 32]], 0),
    ] {
        let key = SharedKey {
            number,
            ..SharedKey::default()
        };
        assert_eq!(shared(db, &key).await.other_users, others, "{key:?}");
    }
}
