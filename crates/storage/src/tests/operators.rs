//! What only operators do: going through all subjects, and removing one.

use countersign_mfa::ports::{Applied, ERASED_LABEL, Store};
use countersign_primitives::Label;
use countersign_security_identifiers::{Binding, BindingState};
use sea_orm::{ActiveValue::Set, EntityTrait};

use super::{
    on_both,
    support::{TestDb, binding, subject_id},
};
use crate::entities::event;

on_both! {
    subjects_come_in_pages_by_the_bytes_of_their_ids,
    an_erasure_leaves_the_history_without_the_person,
    an_erasure_goes_through_every_event,
    an_erasure_whose_guard_misses_removes_nothing,
    an_erasure_that_the_database_refuses_removes_nothing,
}

async fn subjects_come_in_pages_by_the_bytes_of_their_ids(db: &TestDb) {
    assert!(db.storage.subjects(None, 10).await.unwrap().is_empty());
    for subject in ["b", "a b", "B", "ä", "a", "a-b"] {
        let change = db.small_change(subject, None);
        assert_eq!(db.storage.apply(change).await.unwrap(), Applied::Written);
    }
    let mut seen = Vec::new();
    let mut last = None;
    loop {
        let page = db.storage.subjects(last.as_ref(), 4).await.unwrap();
        let Some(end) = page.last() else { break };
        assert!(page.len() <= 4);
        last = Some(end.clone());
        seen.extend(page.iter().map(|subject| subject.as_str().to_owned()));
    }
    assert_eq!(seen, ["B", "a", "a b", "a-b", "b", "ä"]);
}

fn scrub(facts: &str) -> String {
    facts.replace("canary", "nothing")
}

/// A subject with everything that tells of a person, twice changed.
async fn fill(db: &TestDb, subject: &str) {
    let mut first = db.change(subject, None);
    first.event.facts = "[\"canary\"]".to_owned();
    assert_eq!(db.storage.apply(first).await.unwrap(), Applied::Written);
    let mut second = db.small_change(subject, Some(1));
    second.bindings = vec![binding(2, BindingState::Disabled)];
    assert_eq!(db.storage.apply(second).await.unwrap(), Applied::Written);
}

async fn an_erasure_leaves_the_history_without_the_person(db: &TestDb) {
    fill(db, "anna").await;
    fill(db, "boris").await;
    let (_, lock) = db.storage.lock(&db.key("anna")).await.unwrap();
    let mut change = db.small_change("anna", Some(2));
    change.secrets = Some(b"none".to_vec());
    change.bindings = vec![Binding {
        label: Label::parse(ERASED_LABEL).unwrap(),
        ..binding(1, BindingState::Disabled)
    }];
    assert_eq!(lock.erase(change, scrub).await.unwrap(), Applied::Written);

    let rows = db.load("anna").await;
    assert_eq!(rows.subject.unwrap().secrets, b"none");
    assert!(rows.confirmation.is_none() && rows.request.is_none());
    assert_eq!(db.counts().await, [2, 1, 5, 1, 4]);
    let events = db.storage.events(&subject_id("anna"), None, 10).await;
    let events: Vec<_> = events
        .unwrap()
        .into_iter()
        .map(|event| (event.version, event.facts))
        .collect();
    let tested = "[{\"kind\":\"TESTED\"}]";
    let expected = [(3, tested), (2, tested), (1, "[\"nothing\"]")];
    assert_eq!(
        events,
        expected.map(|(version, facts)| (version, facts.to_owned()))
    );

    let history = db.storage.bindings(&subject_id("anna")).await.unwrap();
    assert_eq!(history.len(), 2);
    for bound in history {
        assert_eq!(bound.label.as_str(), ERASED_LABEL);
        assert_eq!(bound.state, BindingState::Disabled);
    }

    // Nobody else is touched.
    let other = db.load("boris").await;
    assert_eq!(other.subject.unwrap().version, 2);
    assert!(other.confirmation.is_some() && other.request.is_some());
    let other = db.storage.events(&subject_id("boris"), None, 10).await;
    assert_eq!(other.unwrap()[1].facts, "[\"canary\"]");
    let other = db.storage.bindings(&subject_id("boris")).await.unwrap();
    assert!(other.iter().all(|one| one.label.as_str() != ERASED_LABEL));
}

async fn an_erasure_goes_through_every_event(db: &TestDb) {
    fill(db, "anna").await;
    let old = (1000..2300).map(|version| event::ActiveModel {
        place: Set(version),
        subject_id: Set("anna".to_owned()),
        version: Set(version),
        at: Set(0),
        caller: Set("local".to_owned()),
        method: Set("test".to_owned()),
        facts: Set(format!("[\"canary {version}\"]")),
    });
    let insert = event::Entity::insert_many(old);
    insert.exec(&db.storage.write).await.unwrap();
    let (_, lock) = db.storage.lock(&db.key("anna")).await.unwrap();
    let change = db.small_change("anna", Some(2));
    assert_eq!(lock.erase(change, scrub).await.unwrap(), Applied::Written);
    let everything = db.everything().await;
    assert!(!everything.contains("canary"));
    assert_eq!(everything.matches("nothing ").count(), 1300);
}

async fn an_erasure_whose_guard_misses_removes_nothing(db: &TestDb) {
    fill(db, "anna").await;
    let before = db.everything().await;
    let (_, lock) = db.storage.lock(&db.key("anna")).await.unwrap();
    let late = db.small_change("anna", Some(1));
    assert_eq!(lock.erase(late, scrub).await.unwrap(), Applied::GuardMissed);
    assert_eq!(db.everything().await, before);
}

async fn an_erasure_that_the_database_refuses_removes_nothing(db: &TestDb) {
    fill(db, "anna").await;
    let before = db.everything().await;
    let (_, lock) = db.storage.lock(&db.key("anna")).await.unwrap();
    // A first write must have a sealed part.
    let mut first = db.small_change("anna", None);
    first.secrets = None;
    assert!(lock.erase(first, scrub).await.is_err());
    assert_eq!(db.everything().await, before);
}
