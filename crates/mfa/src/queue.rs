//! Requests of one subject, one at a time within a gateway.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use countersign_primitives::SubjectId;
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
    time::timeout,
};

use crate::Error;

/// How many requests of one subject may wait in a gateway. More are no person's doing.
const MOST_WAITING: usize = 128;
/// How long one may wait, for callers that set no deadline of their own: while the database is away,
/// those ahead are slow to be told so. A line that moves is through much sooner.
const PATIENCE: Duration = Duration::from_secs(20);

/// Lets the requests of one subject in one after the other, in the order they came. It saves
/// rounds and hashes that would lose their race; what makes them right is the guard of the row.
#[derive(Debug, Default)]
pub(crate) struct SubjectQueue {
    lines: Arc<Mutex<HashMap<SubjectId, Line>>>,
}

#[derive(Debug, Default)]
struct Line {
    door: Arc<AsyncMutex<()>>,
    length: usize,
}

/// A request's place in the line, and its turn once it has come.
pub(crate) struct Turn {
    lines: Arc<Mutex<HashMap<SubjectId, Line>>>,
    subject: SubjectId,
    door: Option<OwnedMutexGuard<()>>,
}

impl SubjectQueue {
    /// Waits for the turn of a request.
    pub(crate) async fn turn(&self, subject: &SubjectId) -> Result<Turn, Error> {
        self.turn_behind(subject, MOST_WAITING).await
    }

    /// Waits for the turn of what has happened already, and has to be noted however many wait.
    pub(crate) async fn turn_of_note(&self, subject: &SubjectId) -> Result<Turn, Error> {
        self.turn_behind(subject, usize::MAX).await
    }

    async fn turn_behind(&self, subject: &SubjectId, most: usize) -> Result<Turn, Error> {
        let door = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            let line = lines.entry(subject.clone()).or_default();
            if line.length >= most {
                return Err(Error::SubjectBusy);
            }
            line.length += 1;
            Arc::clone(&line.door)
        };
        // The place exists before the wait, so a request that is given up leaves the line too.
        let mut turn = Turn {
            lines: Arc::clone(&self.lines),
            subject: subject.clone(),
            door: None,
        };
        let opened = timeout(PATIENCE, door.lock_owned()).await;
        turn.door = Some(opened.map_err(|_| Error::SubjectBusy)?);
        Ok(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.door = None;
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get_mut(&self.subject) {
            line.length -= 1;
            if line.length == 0 {
                lines.remove(&self.subject);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_line_refuses_and_an_empty_one_is_forgotten() {
        let queue = SubjectQueue::default();
        let subject = SubjectId::parse("anna").unwrap();
        let first = queue.turn(&subject).await.unwrap();
        let mut waiting: Vec<_> = (1..MOST_WAITING)
            .map(|_| Box::pin(queue.turn(&subject)))
            .collect();
        for turn in &mut waiting {
            assert!(futures::poll!(turn).is_pending());
        }
        let refused = queue.turn(&subject).await;
        assert!(matches!(refused, Err(Error::SubjectBusy)));
        let mut note = Box::pin(queue.turn_of_note(&subject));
        assert!(futures::poll!(&mut note).is_pending());

        drop(note);
        drop(waiting);
        drop(first);
        assert!(queue.lines.lock().unwrap().is_empty());
    }
}
