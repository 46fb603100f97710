//! How failures slow a guesser down, and stop it for good.

use std::time::Duration;

use minicbor::{CborLen, Decode, Encode};

use crate::Timestamp;

/// When failures lock, for how long, and when they disable.
///
/// The defaults answer PSD2 (at most five failures in a row, then a block) and NIST SP 800-63B-4
/// §3.2.2 (at most one hundred in a row, then disabled until enrolled anew) together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleRules {
    /// Failures in a row that start a lock, and each further such number starts the next.
    pub failures_per_lock: u32,
    /// How long the first lock lasts; each later one of the same run lasts twice as long.
    pub first_lock: Duration,
    /// The longest lock.
    pub longest_lock: Duration,
    /// Failures in a row, over all purposes together, that disable an authenticator.
    pub cap: u32,
    /// Failures in a row at which the subject should be warned before the cap.
    pub warnings: [u32; 2],
}

impl Default for ThrottleRules {
    fn default() -> Self {
        Self {
            failures_per_lock: 5,
            first_lock: Duration::from_secs(5 * 60),
            longest_lock: Duration::from_secs(60 * 60),
            cap: 100,
            warnings: [50, 80],
        }
    }
}

impl ThrottleRules {
    /// How long the lock lasts that the `failures`th failure in a row starts, if it starts one.
    fn lock_after(&self, failures: u32) -> Option<Duration> {
        if failures == 0 || !failures.is_multiple_of(self.failures_per_lock) {
            return None;
        }
        let doublings = (failures / self.failures_per_lock - 1).min(16);
        Some((self.first_lock * (1 << doublings)).min(self.longest_lock))
    }
}

/// The failures in a row of one authenticator for one purpose, and the lock they led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct Throttle {
    #[n(0)]
    failures: u32,
    #[n(1)]
    locked_until: Option<Timestamp>,
}

/// What one more failure led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Failures in a row, this one included.
    pub failures: u32,
    /// The end of the lock that this failure started.
    pub locked_until: Option<Timestamp>,
}

impl Throttle {
    /// Failures since the last success.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// The end of the lock in force at `now`, if one is.
    pub fn locked_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.locked_until.filter(|until| now < *until)
    }

    /// Counts a failure that was checked. An attempt during a lock is not checked and must not
    /// be counted here.
    pub fn fail(&mut self, now: Timestamp, rules: &ThrottleRules) -> Failure {
        self.failures = self.failures.saturating_add(1);
        let locked_until = rules.lock_after(self.failures).map(|lock| now.plus(lock));
        if locked_until.is_some() {
            self.locked_until = locked_until;
        }
        Failure {
            failures: self.failures,
            locked_until,
        }
    }

    /// Forgets the run of failures: a success, or an operator's unlock.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn the_fifth_failure_in_a_row_locks_for_five_minutes() {
        let rules = ThrottleRules::default();
        let mut throttle = Throttle::default();
        for _ in 0..4 {
            assert_eq!(throttle.fail(START, &rules).locked_until, None);
        }
        let end = START.plus(Duration::from_secs(300));
        assert_eq!(throttle.fail(START, &rules).locked_until, Some(end));
        assert_eq!(throttle.locked_until(START), Some(end));
        assert_eq!(throttle.locked_until(end), None);
    }

    #[test]
    fn each_lock_of_a_run_is_twice_as_long_up_to_an_hour() {
        let rules = ThrottleRules::default();
        let mut throttle = Throttle::default();
        let locks: Vec<u64> = (0..40)
            .filter_map(|_| throttle.fail(START, &rules).locked_until)
            .map(|end| START.until(end).as_secs() / 60)
            .collect();
        assert_eq!(locks, [5, 10, 20, 40, 60, 60, 60, 60]);
    }

    #[test]
    fn a_success_starts_the_doubling_anew() {
        let rules = ThrottleRules::default();
        let mut throttle = Throttle::default();
        for _ in 0..10 {
            throttle.fail(START, &rules);
        }
        throttle.clear();
        let fifth = (0..5).map(|_| throttle.fail(START, &rules)).last();
        let end = fifth.and_then(|failure| failure.locked_until);
        assert_eq!(end, Some(START.plus(rules.first_lock)));
    }
}
