//! What is logged about connections that do not come about: each for its reason, and a flood of them
//! as a count.

use std::{
    cell::RefCell,
    error::Error,
    io,
    net::SocketAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::trust::DistrustError;

/// Lines a second once there were many; a scanner makes thousands of attempts.
const LINES_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// Lines before that.
const MANY_LINES: NonZeroU32 = NonZeroU32::new(500).unwrap();

tokio::task_local! {
    /// Why the certificate of the handshake under way was refused: the transport tells only that it
    /// was.
    static WHY: RefCell<Option<DistrustError>>;
}

/// Logs refusals.
#[derive(Debug)]
pub(crate) struct HandshakeRefusals {
    lines: DefaultDirectRateLimiter,
    left_out: AtomicU64,
}

/// Why a connection did not come about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the handshake failed")]
    Transport(#[source] io::Error),
    #[error("the handshake took too long")]
    TooSlow,
    #[error("too many handshakes are under way, and this one is the oldest")]
    TooMany,
    #[error("{0} has as many connections as it may have")]
    TooManyOfCaller(String),
    #[error(transparent)]
    Certificate(#[from] DistrustError),
}

/// Notes, for the handshake under way, why a certificate is refused.
pub(super) fn note(why: DistrustError) {
    // Without a handshake there is nobody to tell.
    let _ = WHY.try_with(|slot| slot.replace(Some(why)));
}

/// Shakes hands; an error says why the certificate was refused, where that is the reason.
pub(super) async fn explained<T>(
    handshake: impl Future<Output = io::Result<T>>,
) -> Result<T, HandshakeError> {
    let shaken = async {
        handshake.await.map_err(|error| {
            let why = WHY.with(RefCell::take);
            why.map_or(
                HandshakeError::Transport(error),
                HandshakeError::Certificate,
            )
        })
    };
    WHY.scope(RefCell::new(None), shaken).await
}

impl Default for HandshakeRefusals {
    fn default() -> Self {
        let quota = Quota::per_second(LINES_PER_SECOND).allow_burst(MANY_LINES);
        Self {
            lines: RateLimiter::direct(quota),
            left_out: AtomicU64::new(0),
        }
    }
}

impl HandshakeRefusals {
    /// Logs that a connection was refused, unless there were too many.
    pub(crate) fn log(&self, peer: Option<SocketAddr>, why: &HandshakeError) {
        if self.lines.check().is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        tracing::warn!(
            peer.address = peer.map(tracing::field::display),
            error = why as &dyn Error,
            refusals.left_out = self.left_out.swap(0, Ordering::Relaxed),
            "a connection was refused"
        );
    }
}
