//! What is logged about connections that do not come about: each for its reason, and a flood of them
//! as a count.

use std::{
    io,
    net::SocketAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::trust::DistrustError;

/// Lines a second; a scanner makes thousands of attempts.
const LINES_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// Logs refusals.
#[derive(Debug)]
pub(crate) struct HandshakeRefusals {
    lines: DefaultDirectRateLimiter,
    left_out: AtomicU64,
}

impl Default for HandshakeRefusals {
    fn default() -> Self {
        Self {
            lines: RateLimiter::direct(Quota::per_second(LINES_PER_SECOND)),
            left_out: AtomicU64::new(0),
        }
    }
}

impl HandshakeRefusals {
    /// A caller's certificate was refused.
    pub(crate) fn log_certificate(&self, why: &DistrustError) {
        if let Some(left_out) = self.line() {
            tracing::warn!(
                error = why as &dyn std::error::Error,
                refusals.left_out = left_out,
                "a caller's certificate was refused"
            );
        }
    }

    /// A handshake failed, perhaps for that reason.
    pub(crate) fn log_handshake(&self, peer: SocketAddr, why: &io::Error) {
        if let Some(left_out) = self.line() {
            tracing::warn!(
                peer.address = %peer,
                error = why as &dyn std::error::Error,
                refusals.left_out = left_out,
                "a connection was refused"
            );
        }
    }

    /// Whether there is a line to spare, and how many went without one since the last.
    fn line(&self) -> Option<u64> {
        if self.lines.check().is_ok() {
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}
