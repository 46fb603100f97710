//! Checking a code.

use countersign_primitives::{ExposeSecret, MessageId, Timestamp};
use subtle::ConstantTimeEq;

use crate::{Binding, Challenge, generate::DIGITS};

/// What checking a code led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the code of the challenge, which must be dropped.
    Accepted {
        /// The message that the challenge was last sent with.
        message: MessageId,
    },
    /// The code is not accepted.
    Rejected(Rejection),
}

/// Why a code was not accepted. For the event log only: callers see one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Not six digits.
    Malformed,
    /// No code was sent for this, or the last one was used.
    NotSent,
    /// The code that was sent is too old.
    Expired,
    /// Not the code that was sent for this.
    Wrong,
}

/// Checks what was typed against the newest challenge of its target. Spaces and dashes are ignored.
pub fn verify(
    challenge: Option<&Challenge>,
    binding: &Binding<'_>,
    typed: &str,
    now: Timestamp,
) -> Verdict {
    let mut digits = [0_u8; DIGITS];
    let mut given = typed
        .bytes()
        .filter(|byte| !matches!(byte, b' ' | b'-'))
        .fuse();
    let filled = digits
        .iter_mut()
        .zip(given.by_ref())
        .map(|(slot, digit)| *slot = digit)
        .count();
    let is_malformed =
        filled != DIGITS || given.next().is_some() || !digits.iter().all(u8::is_ascii_digit);
    let Some(challenge) = challenge else {
        return Verdict::Rejected(Rejection::NotSent);
    };
    let right = challenge.code(binding);
    let is_right = bool::from(digits.ct_eq(right.expose_secret().as_bytes()));
    if is_malformed {
        Verdict::Rejected(Rejection::Malformed)
    } else if !challenge.is_alive(now) {
        Verdict::Rejected(Rejection::Expired)
    } else if is_right {
        Verdict::Accepted {
            message: challenge.message,
        }
    } else {
        Verdict::Rejected(Rejection::Wrong)
    }
}

#[cfg(test)]
mod tests;
