//! Which providers are put last, because they fail again and again.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use countersign_mfa::ports::sms::Submission;
use countersign_primitives::Timestamp;

/// How many failures in a row put a provider last.
const FAILURES: u32 = 5;

/// For how long. After that it is tried again, and one more failure puts it last again.
const REST: Duration = Duration::from_secs(30);

/// How a provider has done of late.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    failures: u32,
    rests_until: Option<Timestamp>,
}

/// What a submission has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It does again what it should.
    Up,
    /// It is put last from now on.
    Down,
}

impl Breaker {
    /// Whether the provider is put last.
    pub(crate) fn rests(&self, now: Timestamp) -> bool {
        let state = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.rests_until.is_some_and(|until| now < until)
    }

    /// Notes what came of a submission.
    pub(crate) fn note(&self, outcome: &Submission, now: Timestamp) -> Option<Turn> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was_down = state.failures >= FAILURES;
        if !is_failure(outcome) {
            *state = State::default();
            return was_down.then_some(Turn::Up);
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures < FAILURES {
            return None;
        }
        state.rests_until = Some(now.plus(REST));
        (!was_down).then_some(Turn::Down)
    }
}

/// Whether this is the provider's failure, and not the message's.
fn is_failure(outcome: &Submission) -> bool {
    match outcome {
        Submission::Unreachable(_)
        | Submission::Throttled(_)
        | Submission::Cut(_)
        | Submission::TimedOut => true,
        Submission::Accepted { .. } | Submission::Refused(_) | Submission::BadNumber(_) => false,
    }
}

#[cfg(test)]
mod tests;
