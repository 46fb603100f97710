//! SQLite's one writer: what is queued is written in one commit, without a timer.
//!
//! A commit costs a flush of the disk, whatever it holds. While one is under way, changes queue;
//! when it is done, up to 64 of them share the next. Answers go out after the commit only.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use countersign_mfa::ports::{Applied, Change, StoreError};
use sea_orm::DatabaseConnection;
use tokio::sync::{mpsc, oneshot};

use crate::{
    dialect::Dialect,
    error::{Fault, committed_or_not, nothing_written},
    storage::within,
};

/// The most changes that share a commit: enough to make its cost small beside theirs.
const BATCH: usize = 64;
/// The most changes that wait. More would not be written before their callers give up.
const QUEUE: usize = 1024;

/// The way to the writer, which ends when the last of them is dropped.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Item>,
}

struct Item {
    change: Change,
    answer: oneshot::Sender<Result<Applied, StoreError>>,
}

impl Writer {
    /// Starts the writer on SQLite's one writing connection.
    pub(crate) fn start(connection: DatabaseConnection, patience: Duration) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(run(
            Desk {
                connection,
                patience,
            },
            waiting,
        ));
        Self { queue }
    }

    /// Queues a change, and waits for the commit that has it.
    pub(crate) async fn apply(&self, change: Change) -> Result<Applied, StoreError> {
        let (answer, outcome) = oneshot::channel();
        self.queue.try_send(Item { change, answer }).map_err(|_| {
            StoreError::Unavailable(Fault::new("too many changes wait to be written").into())
        })?;
        outcome.await.unwrap_or_else(|_| {
            Err(StoreError::OutcomeUnknown(
                Fault::new("the writer has stopped").into(),
            ))
        })
    }
}

async fn run(desk: Desk, mut queue: mpsc::Receiver<Item>) {
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            match queue.recv().await {
                Some(item) => waiting.push_back(item),
                None => return,
            }
        }
        while waiting.len() < QUEUE
            && let Ok(item) = queue.try_recv()
        {
            waiting.push_back(item);
        }
        desk.write(take_batch(&mut waiting)).await;
    }
}

/// The next changes to write, at most one for each subject: a second one was decided on before
/// the first, and is left for the next batch with its place in the line.
fn take_batch(waiting: &mut VecDeque<Item>) -> Vec<Item> {
    let mut batch: Vec<Item> = Vec::new();
    let mut subjects = HashSet::new();
    for item in std::mem::take(waiting) {
        // Its caller has gone, and nothing was written yet.
        if item.answer.is_closed() {
            continue;
        }
        if batch.len() < BATCH && subjects.insert(item.change.subject.clone()) {
            batch.push(item);
        } else {
            waiting.push_back(item);
        }
    }
    batch
}

struct Desk {
    connection: DatabaseConnection,
    patience: Duration,
}

impl Desk {
    async fn write(&self, batch: Vec<Item>) {
        match self.commit(&batch).await {
            Ok(applied) => {
                for (item, applied) in batch.into_iter().zip(applied) {
                    answer(item, Ok(applied));
                }
            }
            // One of them can never be written, and it took the others with it: each by itself.
            Err(StoreError::Refused(_)) if batch.len() > 1 => {
                for item in batch {
                    let alone = self.commit(std::slice::from_ref(&item)).await;
                    answer(item, alone.map(|applied| only(&applied)));
                }
            }
            Err(error) => {
                for item in batch {
                    answer(item, Err(again(&error)));
                }
            }
        }
    }

    /// One transaction: items in turn, guard first. An item whose guard misses writes nothing,
    /// and the others go on. On an error before the commit, none of them is written.
    async fn commit(&self, batch: &[Item]) -> Result<Vec<Applied>, StoreError> {
        let before_commit = async {
            let transaction = Dialect::Sqlite.begin(&self.connection).await?;
            let mut applied = Vec::with_capacity(batch.len());
            for item in batch {
                applied.push(Dialect::Sqlite.write(&transaction, &item.change).await?);
            }
            Ok((transaction, applied))
        };
        // Dropped after an error, the transaction rolls back before its connection is used again.
        let (transaction, applied) = within(self.patience, before_commit)
            .await
            .map_err(|error| nothing_written(&error))?;
        // Not given up: a commit that takes long is still a commit.
        transaction
            .commit()
            .await
            .map_err(|error| committed_or_not(&error))?;
        Ok(applied)
    }
}

fn only(applied: &[Applied]) -> Applied {
    applied.first().copied().unwrap_or(Applied::GuardMissed)
}

fn answer(item: Item, outcome: Result<Applied, StoreError>) {
    // A caller that has gone does not mind.
    let _ = item.answer.send(outcome);
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
