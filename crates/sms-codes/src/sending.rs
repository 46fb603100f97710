//! How often messages follow each other.

use std::time::Duration;

use countersign_primitives::Timestamp;
use minicbor::{CborLen, Decode, Encode};

/// The longest that a code may live (NIST SP 800-63B-4 §3.1.3.2).
pub const LONGEST_CODE_LIFE: Duration = Duration::from_secs(10 * 60);

/// How long codes live, and how often they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendRules {
    /// How long a code lives; it dies with its confirmation too.
    pub code_life: Duration,
    /// How long after the first message the next may follow; each further one of a run has to wait
    /// twice as long as the one before.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
    /// After how long without a message a run is over. One that was accepted ends it too.
    pub run_ends_after: Duration,
    /// Messages for one confirmation or enrolment.
    pub sends: u32,
}

impl Default for SendRules {
    fn default() -> Self {
        Self {
            code_life: Duration::from_secs(5 * 60),
            first_wait: Duration::from_secs(30),
            longest_wait: Duration::from_secs(60 * 60),
            run_ends_after: Duration::from_secs(2 * 60 * 60),
            sends: 4,
        }
    }
}

/// The messages that followed each other to one number of a subject, whatever they were for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct SendRun {
    #[n(0)]
    sent: u32,
    #[n(1)]
    last_at: Option<Timestamp>,
}

impl SendRun {
    /// From when the next message may be sent: `now` where it may be already.
    pub fn next_at(&self, rules: &SendRules, now: Timestamp) -> Timestamp {
        let Some(last) = self.last_at else {
            return now;
        };
        let doublings = self.sent.saturating_sub(1).min(16);
        let wait = (rules.first_wait * (1 << doublings)).min(rules.longest_wait);
        last.plus(wait).max(now)
    }

    /// Notes a message.
    pub fn note(&mut self, rules: &SendRules, now: Timestamp) {
        if self.is_over(rules, now) {
            self.sent = 0;
        }
        self.sent = self.sent.saturating_add(1);
        self.last_at = Some(now);
    }

    /// Ends the run: a code arrived, and was accepted. The next message is the first of another one,
    /// but the one that was sent last still has the first wait behind it.
    pub const fn end(&mut self) {
        self.sent = 0;
    }

    fn is_over(&self, rules: &SendRules, now: Timestamp) -> bool {
        self.last_at
            .is_none_or(|last| last.plus(rules.run_ends_after) <= now)
    }
}

#[cfg(test)]
mod tests;
