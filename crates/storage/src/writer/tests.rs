//! Who shares a commit with whom.

use countersign_mfa::{
    Caller,
    ports::{Change, Event},
};
use countersign_primitives::{SubjectId, Timestamp};

use super::*;
use crate::tests::support::METHOD;

type Answer = oneshot::Receiver<Result<Applied, StoreError>>;

async fn items(subjects: &[&str]) -> (VecDeque<Item>, Vec<Answer>) {
    let method = METHOD;
    subjects
        .iter()
        .enumerate()
        .map(|(number, subject)| {
            let change = Change {
                subject: SubjectId::parse(*subject).unwrap(),
                from_version: i64::try_from(number).ok(),
                now: Timestamp::from_millis(0),
                secrets: None,
                counters: Vec::new(),
                event: Event {
                    caller: Caller::local(),
                    method,
                    facts: String::new(),
                },
                confirmation: None,
                request: None,
                bindings: Vec::new(),
            };
            let (answer, outcome) = oneshot::channel();
            (Item { change, answer }, outcome)
        })
        .unzip()
}

fn numbers(batch: &[Item]) -> Vec<i64> {
    batch
        .iter()
        .filter_map(|item| item.change.from_version)
        .collect()
}

#[tokio::test]
async fn a_second_change_of_a_subject_waits_for_the_next_batch() {
    let (mut waiting, _outcomes) = items(&["a", "b", "a", "a", "c", "b"]).await;
    assert_eq!(numbers(&take_batch(&mut waiting)), [0, 1, 4]);
    assert_eq!(numbers(&take_batch(&mut waiting)), [2, 5]);
    assert_eq!(numbers(&take_batch(&mut waiting)), [3]);
    assert!(waiting.is_empty());
}

#[tokio::test]
async fn a_batch_has_at_most_64_changes_in_the_order_they_came() {
    let subjects: Vec<String> = (0..100).map(|n| format!("s{n}")).collect();
    let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
    let (mut waiting, _outcomes) = items(&subjects).await;
    assert_eq!(
        numbers(&take_batch(&mut waiting)),
        (0..64).collect::<Vec<_>>()
    );
    assert_eq!(
        numbers(&take_batch(&mut waiting)),
        (64..100).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_change_whose_caller_has_gone_is_not_written() {
    let (mut waiting, mut outcomes) = items(&["a", "a", "b"]).await;
    outcomes.remove(0);
    assert_eq!(numbers(&take_batch(&mut waiting)), [1, 2]);
}

#[tokio::test]
async fn a_full_queue_refuses() {
    let (queue, _waiting) = mpsc::channel(1);
    let writer = Writer { queue };
    let (mut waiting, _outcomes) = items(&["a", "b"]).await;
    let mut first = Box::pin(writer.apply(waiting.pop_front().unwrap().change));
    assert!(futures::poll!(&mut first).is_pending());
    let second = writer.apply(waiting.pop_front().unwrap().change).await;
    assert!(matches!(second, Err(StoreError::Unavailable(_))));
}
