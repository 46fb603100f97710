//! Work on many subjects.

use anyhow::Result;
use countersign_mfa::Error;
use futures::stream::{FuturesUnordered, StreamExt};

use crate::output::note;

/// How many subjects are worked on at once: enough to keep a database busy, and a quarter of what a
/// gateway lets in beside it.
const AT_ONCE: usize = 32;
/// After how many there is a word about it.
const WORD_EVERY: u64 = 5000;

/// Does `work` with each item, several at once, and `done` with what came of it. After a failure
/// nothing more is begun, and what was begun is brought to its end.
pub(super) async fn for_each<I, F, D>(
    items: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> F,
    mut done: impl FnMut(D),
) -> Result<()>
where
    F: Future<Output = Result<D>>,
{
    let mut waiting = items.into_iter();
    let mut under_way = FuturesUnordered::new();
    let mut outcome = Ok(());
    loop {
        while outcome.is_ok() && under_way.len() < AT_ONCE {
            let Some(next) = waiting.next() else { break };
            under_way.push(work(next));
        }
        match under_way.next().await {
            Some(Ok(came)) => done(came),
            Some(Err(error)) => outcome = outcome.and(Err(error)),
            None => return outcome,
        }
    }
}

/// Whether an error is about the database or the server, and not about one subject.
pub(super) const fn ends_everything(error: &Error) -> bool {
    matches!(
        error,
        Error::Unavailable(_) | Error::OutcomeUnknown | Error::ServerBusy | Error::SubjectBusy
    )
}

/// Counts what is done, and says so on standard error from time to time.
pub(super) struct Progress {
    done: u64,
    what: &'static str,
}

impl Progress {
    pub(super) const fn of(what: &'static str) -> Self {
        Self { done: 0, what }
    }

    pub(super) fn add(&mut self, count: usize) {
        let words = self.done / WORD_EVERY;
        self.done += count as u64;
        if self.done / WORD_EVERY > words {
            note(format!("{} {} so far", self.done, self.what));
        }
    }

    pub(super) const fn done(&self) -> u64 {
        self.done
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use anyhow::bail;

    use super::*;

    #[tokio::test]
    async fn everything_is_done_a_few_at_a_time() {
        let (now, most) = (&Cell::new(0), &Cell::new(0));
        let mut sum = 0;
        let work = |number: u32| async move {
            now.set(now.get() + 1);
            most.set(most.get().max(now.get()));
            tokio::task::yield_now().await;
            now.set(now.get() - 1);
            anyhow::Ok(number)
        };
        for_each(0..1000, work, |number| sum += number)
            .await
            .unwrap();
        assert_eq!((sum, most.get()), (499_500, AT_ONCE));
    }

    #[tokio::test]
    async fn after_a_failure_what_has_begun_is_brought_to_its_end() {
        let (begun, mut ended) = (&Cell::new(0), 0);
        let work = |number: u32| async move {
            begun.set(begun.get() + 1);
            tokio::task::yield_now().await;
            if number == 100 {
                bail!("the first")
            }
            Ok(())
        };
        let failed = for_each(0..1000, work, |()| ended += 1).await;
        assert_eq!(failed.unwrap_err().to_string(), "the first");
        assert!(begun.get() < 200);
        assert_eq!(ended + 1, begun.get());
    }
}
