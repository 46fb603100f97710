//! The numbers of design.md §5, and a run of failures under them.

use super::request::Millis;

pub(crate) const SECOND: Millis = 1000;
pub(crate) const MINUTE: Millis = 60 * SECOND;
pub(crate) const HOUR: Millis = 60 * MINUTE;
pub(crate) const DAY: Millis = 24 * HOUR;

/// How long one code of an app is shown.
pub(crate) const STEP: Millis = 30 * SECOND;
/// How long a confirmation may wait to be approved, and then to be redeemed.
pub(crate) const CONFIRMATION_LIFE: Millis = 5 * MINUTE;
/// Rejected calls that end a confirmation.
pub(crate) const ATTEMPTS: i32 = 5;
/// Confirmations of one subject that may be pending.
pub(crate) const PENDING_CONFIRMATIONS: usize = 10;
/// How long an enrolment may take.
pub(crate) const ENROLMENT_LIFE: Millis = 10 * MINUTE;
/// Codes on a list.
pub(crate) const CODES: usize = 10;
/// How long a list of backup codes may wait to be finished.
pub(crate) const LIST_LIFE: Millis = 15 * MINUTE;
/// Enrolments that may be unfinished, of whatever kind.
pub(crate) const PENDING_ENROLMENTS: usize = 3;
/// Authenticator apps that one subject may have.
pub(crate) const APPS: usize = 5;
/// Wrong codes of enrolments in an hour.
pub(crate) const ENROLMENT_FAILURES: usize = 10;
/// How long a request id is remembered.
pub(crate) const REQUEST_LIFE: Millis = DAY;
/// Failures in a row that lock, again and again.
const FAILURES_PER_LOCK: u32 = 5;
/// Failures in a row that disable.
pub(crate) const CAP: u32 = 100;

/// Failures since the last success, and the end of the last lock that they led to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Throttle {
    pub(crate) failures: u32,
    locked_until: Millis,
}

impl Throttle {
    /// The end of the lock in force.
    pub(crate) fn lock(&self, now: Millis) -> Option<Millis> {
        (now < self.locked_until).then_some(self.locked_until)
    }

    /// Counts a failure.
    pub(crate) fn fail(&mut self, now: Millis) {
        self.failures += 1;
        if let Some(length) = lock_after(self.failures) {
            self.locked_until = now + length;
        }
    }
}

/// How long the lock is that this failure of a run starts: every fifth does, for 5, 10, 20, 40
/// and from then on 60 minutes.
pub(crate) const fn lock_after(failures: u32) -> Option<Millis> {
    if !failures.is_multiple_of(FAILURES_PER_LOCK) {
        return None;
    }
    Some(match failures / FAILURES_PER_LOCK {
        1 => 5 * MINUTE,
        2 => 10 * MINUTE,
        3 => 20 * MINUTE,
        4 => 40 * MINUTE,
        _ => HOUR,
    })
}
