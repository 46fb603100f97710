//! Who shares a batch with whom, and what becomes of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// An item of a subject, with a number. One that is `None` can never be done, and one that is
/// [`PANIC`] takes its batch with it.
type Item = (SubjectId, Option<usize>);

const PANIC: usize = 1000;

/// Answers with the size of the batch, once it is let.
#[derive(Default)]
struct Counter {
    held: Arc<Mutex<()>>,
    batches: AtomicUsize,
}

impl Desk for Counter {
    const WORK: &'static str = "change";

    type Item = Item;
    type Answer = usize;

    fn changed((subject, _): &Item) -> Option<&SubjectId> {
        Some(subject)
    }

    async fn serve(&self, batch: &[Item]) -> Result<Vec<usize>, StoreError> {
        let _held = self.held.lock().await;
        self.batches.fetch_add(1, Ordering::SeqCst);
        assert!(batch.iter().all(|(_, number)| *number != Some(PANIC)));
        if batch.iter().any(|(_, number)| number.is_none()) {
            return Err(StoreError::Refused(Fault::new("never").into()));
        }
        Ok(vec![batch.len(); batch.len()])
    }
}

fn item(subject: &str, number: usize) -> Item {
    (SubjectId::parse(subject).unwrap(), Some(number))
}

type Outcome = oneshot::Receiver<Result<usize, StoreError>>;

fn waiting(subjects: &[&str]) -> (VecDeque<Waiting<Counter>>, Vec<Outcome>) {
    subjects
        .iter()
        .enumerate()
        .map(|(number, subject)| {
            let (answer, outcome) = oneshot::channel();
            let item = item(subject, number);
            let since = Instant::now();
            (
                Waiting {
                    item,
                    since,
                    answer,
                },
                outcome,
            )
        })
        .unzip()
}

fn batch(kept: &mut VecDeque<Waiting<Counter>>) -> Vec<usize> {
    let (items, answers) = take_batch(kept, &Histogram::noop());
    assert_eq!(items.len(), answers.len());
    items.into_iter().filter_map(|(_, number)| number).collect()
}

#[test]
fn a_second_item_of_a_subject_waits_for_the_next_batch() {
    let (mut kept, _outcomes) = waiting(&["a", "b", "a", "a", "c", "b"]);
    assert_eq!(batch(&mut kept), [0, 1, 4]);
    assert_eq!(batch(&mut kept), [2, 5]);
    assert_eq!(batch(&mut kept), [3]);
    assert!(kept.is_empty());
}

#[test]
fn a_batch_has_at_most_64_items_in_the_order_they_came() {
    let subjects: Vec<String> = (0..100).map(|n| format!("s{n}")).collect();
    let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
    let (mut kept, _outcomes) = waiting(&subjects);
    assert_eq!(batch(&mut kept), (0..64).collect::<Vec<_>>());
    assert_eq!(batch(&mut kept), (64..100).collect::<Vec<_>>());
}

#[test]
fn an_item_whose_caller_has_gone_is_not_done() {
    let (mut kept, mut outcomes) = waiting(&["a", "a", "b"]);
    outcomes.remove(0);
    assert_eq!(batch(&mut kept), [1, 2]);
}

#[tokio::test]
async fn a_full_line_refuses() {
    let (queue, _waiting) = mpsc::channel(1);
    let line = Line::<Counter> { queue };
    let mut first = Box::pin(line.ask(item("a", 0)));
    assert!(futures::poll!(&mut first).is_pending());
    let second = line.ask(item("b", 1)).await;
    assert!(matches!(second, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn what_queues_while_a_batch_is_under_way_shares_the_next() {
    let counter = Counter::default();
    let held = Arc::clone(&counter.held);
    let guard = held.lock().await;
    let line = Line::open(counter, 1);
    let ask = |subject: &str, number| {
        let (line, item) = (line.clone(), item(subject, number));
        tokio::spawn(async move { line.ask(item).await.unwrap() })
    };
    let first = ask("a", 0);
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    let others: Vec<_> = (1..=10).map(|n| ask(&format!("s{n}"), n)).collect();
    tokio::task::yield_now().await;
    drop(guard);
    assert_eq!(first.await.unwrap(), 1);
    for other in others {
        assert_eq!(other.await.unwrap(), 10);
    }
}

#[tokio::test]
async fn a_second_item_of_a_subject_is_done_although_nothing_comes_after_it() {
    let counter = Counter::default();
    let held = Arc::clone(&counter.held);
    let guard = held.lock().await;
    let line = Line::open(counter, 2);
    let asked: Vec<_> = (0..6)
        .map(|number| {
            let (line, item) = (line.clone(), item("a", number));
            tokio::spawn(async move { line.ask(item).await.unwrap() })
        })
        .collect();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    drop(guard);
    for asked in asked {
        assert_eq!(asked.await.unwrap(), 1);
    }
}

#[tokio::test]
async fn one_that_can_never_be_done_does_not_take_the_others_with_it() {
    let counter = Counter::default();
    let (mut kept, mut outcomes) = waiting(&["a", "b", "c"]);
    kept[1].item.1 = None;
    let (items, answers) = take_batch(&mut kept, &Histogram::noop());
    serve(&counter, items, answers).await;
    let answers: Vec<_> = outcomes
        .iter_mut()
        .map(|it| it.try_recv().unwrap())
        .collect();
    assert!(matches!(answers[0], Ok(1)));
    assert!(matches!(answers[1], Err(StoreError::Refused(_))));
    assert!(matches!(answers[2], Ok(1)));
    assert_eq!(counter.batches.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_panic_costs_a_batch_and_not_the_desk() {
    let line = Line::open(Counter::default(), 1);
    let lost = line.ask(item("a", PANIC)).await;
    assert!(matches!(lost, Err(StoreError::OutcomeUnknown(_))));
    assert!(matches!(line.ask(item("a", 1)).await, Ok(1)));
}
