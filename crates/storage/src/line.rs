//! Work for a database that is done together: what queues while a statement is under way shares
//! the next one, without a timer.
//!
//! A round trip, a statement and a commit cost much the same for one item as for many. While one
//! batch is under way, items queue; when a desk is free, up to 64 of them share the next. Answers
//! go out after the commit only. At rest an item finds a free desk, and waits for nobody.

use std::{
    collections::{HashSet, VecDeque},
    future::Future,
    sync::Arc,
    time::Instant,
};

use countersign_mfa::ports::StoreError;
use countersign_primitives::SubjectId;
use metrics::{Histogram, Unit, describe_histogram, histogram};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::error::Fault;

/// The most items that share a batch: enough to make its cost small beside theirs.
const BATCH: usize = 64;
/// The most items that wait. More would not be done before their callers give up.
const QUEUE: usize = 1024;

/// What is done with a batch.
pub(crate) trait Desk: Send + Sync + 'static {
    type Item: Send + Sync + 'static;
    type Answer: Send + 'static;

    /// What its items are called in metrics.
    const WORK: &'static str;

    /// The subject that an item changes: two of one subject do not share a batch.
    fn changed(item: &Self::Item) -> Option<&SubjectId>;

    /// Does all of a batch, or none of it: an answer for each item, in their order.
    fn serve(
        &self,
        batch: &[Self::Item],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, StoreError>> + Send;
}

/// The way to the desks, which close when the last of them is dropped.
pub(crate) struct Line<D: Desk> {
    queue: mpsc::Sender<Waiting<D>>,
}

struct Waiting<D: Desk> {
    item: D::Item,
    since: Instant,
    answer: oneshot::Sender<Result<D::Answer, StoreError>>,
}

impl<D: Desk> Clone for Line<D> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
        }
    }
}

impl<D: Desk> Line<D> {
    /// Opens so many desks, each of which does one batch at a time.
    pub(crate) fn open(desk: D, desks: usize) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let waiting = Arc::new(Mutex::new(waiting));
        let desk = Arc::new(desk);
        describe_histogram!(
            "countersign_database_wait_seconds",
            Unit::Seconds,
            "How long work for the database waited for its turn: changes, and on PostgreSQL loads."
        );
        let wait = histogram!("countersign_database_wait_seconds", "work" => D::WORK);
        for _ in 0..desks {
            tokio::spawn(work(Arc::clone(&desk), Arc::clone(&waiting), wait.clone()));
        }
        Self { queue }
    }

    /// Queues an item, and waits for the batch that has it.
    pub(crate) async fn ask(&self, item: D::Item) -> Result<D::Answer, StoreError> {
        let (answer, outcome) = oneshot::channel();
        let waiting = Waiting {
            item,
            since: Instant::now(),
            answer,
        };
        self.queue.try_send(waiting).map_err(|_| {
            StoreError::Unavailable(Fault::new("too much waits for the database").into())
        })?;
        outcome.await.unwrap_or_else(|_| {
            Err(StoreError::OutcomeUnknown(
                Fault::new("the work for the database has stopped").into(),
            ))
        })
    }
}

async fn work<D: Desk>(
    desk: Arc<D>,
    queue: Arc<Mutex<mpsc::Receiver<Waiting<D>>>>,
    wait: Histogram,
) {
    let mut kept = VecDeque::new();
    loop {
        if kept.is_empty() {
            // One desk at a time stands at the head of the line.
            let mut queue = queue.lock().await;
            match queue.recv().await {
                Some(waiting) => kept.push_back(waiting),
                None => return,
            }
            top_up(&mut kept, &mut queue);
        } else if let Ok(mut queue) = queue.try_lock() {
            top_up(&mut kept, &mut queue);
        }
        let (items, answers) = take_batch::<D>(&mut kept, &wait);
        if !items.is_empty() {
            // In a task of its own: a panic costs the batch, whose outcome is then unknown, and not
            // the desk. The panic hook has logged it.
            let desk = Arc::clone(&desk);
            let _ = tokio::spawn(async move { serve(&*desk, items, answers).await }).await;
        }
    }
}

/// Takes what waits, without waiting for it.
fn top_up<D: Desk>(kept: &mut VecDeque<Waiting<D>>, queue: &mut mpsc::Receiver<Waiting<D>>) {
    while kept.len() < BATCH
        && let Ok(waiting) = queue.try_recv()
    {
        kept.push_back(waiting);
    }
}

/// The next items, at most one for each subject: a second change was decided on before the first,
/// and is left for the next batch with its place in the line.
fn take_batch<D: Desk>(
    kept: &mut VecDeque<Waiting<D>>,
    wait: &Histogram,
) -> (Vec<D::Item>, Vec<Answer<D>>) {
    let (mut items, mut answers) = (Vec::new(), Vec::new());
    let mut subjects = HashSet::new();
    for waiting in std::mem::take(kept) {
        // Its caller has gone, and nothing was done yet.
        if waiting.answer.is_closed() {
            continue;
        }
        let is_first = D::changed(&waiting.item).is_none_or(|subject| !subjects.contains(subject));
        if items.len() < BATCH && is_first {
            subjects.extend(D::changed(&waiting.item).cloned());
            wait.record(waiting.since.elapsed());
            items.push(waiting.item);
            answers.push(waiting.answer);
        } else {
            kept.push_back(waiting);
        }
    }
    (items, answers)
}

type Answer<D> = oneshot::Sender<Result<<D as Desk>::Answer, StoreError>>;

async fn serve<D: Desk>(desk: &D, items: Vec<D::Item>, answers: Vec<Answer<D>>) {
    match desk.serve(&items).await {
        // Whose answers they are cannot be told: the senders are dropped, which says so.
        Ok(done) if done.len() != items.len() => {}
        Ok(done) => {
            for (to, done) in answers.into_iter().zip(done) {
                answer::<D>(to, Ok(done));
            }
        }
        // One of them can never be done, and it took the others with it: each by itself.
        Err(StoreError::Refused(_)) if items.len() > 1 => {
            let mut is_away = false;
            for (item, to) in items.iter().zip(answers) {
                // Once the database is away, the rest is not sent to it one after the other.
                let alone = if is_away {
                    let text = "the database went away before it was asked";
                    Err(StoreError::Unavailable(Fault::new(text).into()))
                } else {
                    let alone = desk.serve(std::slice::from_ref(item)).await;
                    alone.and_then(only)
                };
                is_away |= matches!(
                    alone,
                    Err(StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_))
                );
                answer::<D>(to, alone);
            }
        }
        Err(error) => {
            for to in answers {
                answer::<D>(to, Err(again(&error)));
            }
        }
    }
}

fn only<A>(mut answers: Vec<A>) -> Result<A, StoreError> {
    let none = || StoreError::Refused(Fault::new("there was no answer").into());
    answers.pop().ok_or_else(none)
}

fn answer<D: Desk>(to: Answer<D>, outcome: Result<D::Answer, StoreError>) {
    // A caller that has gone does not mind.
    let _ = to.send(outcome);
}

/// The same error for each item of a batch.
fn again(error: &StoreError) -> StoreError {
    let text = |source: &dyn std::error::Error| Fault::new(source.to_string()).into();
    match error {
        StoreError::Unavailable(source) => StoreError::Unavailable(text(source.as_ref())),
        StoreError::OutcomeUnknown(source) => StoreError::OutcomeUnknown(text(source.as_ref())),
        StoreError::Refused(source) => StoreError::Refused(text(source.as_ref())),
        StoreError::Inconsistent { table, column } => StoreError::Inconsistent { table, column },
    }
}

#[cfg(test)]
mod tests;
