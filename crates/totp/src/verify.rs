//! Checking a code.

use countersign_primitives::{ExposeSecret, Timestamp};
use subtle::ConstantTimeEq;

use crate::state::{Authenticator, Step};

/// What checking a code led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The code is that of `step`, which must be remembered as the last one used.
    Accepted {
        /// The step of the code, greater than every step accepted before.
        step: Step,
    },
    /// The code is not accepted.
    Rejected(Rejection),
}

/// Why a code was not accepted. For the event log only: callers see one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Not the right number of digits.
    Malformed,
    /// No code of this step or of its neighbours.
    Wrong,
    /// A code of the window whose step, or a later one, was used before.
    Replayed,
}

/// Checks a code against the step of `now` and its two neighbours (RFC 6238 §5.2: one step for
/// the way and for clocks that differ). A step counts once: only one later than `last_used` is
/// accepted. Spaces and dashes, which apps show between groups of digits, are ignored.
pub fn verify(
    authenticator: &Authenticator,
    last_used: Option<Step>,
    typed: &str,
    now: Timestamp,
) -> Verdict {
    let mut code = [0_u8; 8];
    let length = usize::from(authenticator.digits.count());
    let mut digits = typed
        .bytes()
        .filter(|byte| !matches!(byte, b' ' | b'-'))
        .fuse();
    let filled = code
        .iter_mut()
        .take(length)
        .zip(digits.by_ref())
        .map(|(slot, digit)| *slot = digit)
        .count();
    let malformed = filled != length
        || digits.next().is_some()
        || !code[..length].iter().all(u8::is_ascii_digit);

    // All three codes are computed and compared, whatever the first ones show.
    let matched = Step::at(now)
        .window()
        .map(|step| {
            let right = authenticator.code(step);
            let equal = code[..length].ct_eq(right.expose_secret().as_bytes());
            (step, bool::from(equal))
        })
        .fold(None, |found, (step, equal)| found.or(equal.then_some(step)));
    match matched {
        _ if malformed => Verdict::Rejected(Rejection::Malformed),
        None => Verdict::Rejected(Rejection::Wrong),
        Some(step) if last_used.is_some_and(|last| step <= last) => {
            Verdict::Rejected(Rejection::Replayed)
        }
        Some(step) => Verdict::Accepted { step },
    }
}

#[cfg(test)]
mod tests;
