//! Accepting connections: plaintext as they come, mutual TLS once they have proved who they are.

use std::{collections::VecDeque, io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::AbortHandle,
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;

use crate::tls::{Connection, HandshakeError, Tls};

/// The longest that a handshake may take: whoever connects and says nothing must not keep a place.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How many handshakes may be under way. Each costs a signature, and its socket and buffers while it
/// waits for the other end. Where there are more, the oldest is given up: one that is in earnest is
/// over in milliseconds, so it is one that says nothing.
pub(crate) const HANDSHAKES_AT_ONCE: usize = 512;
/// The pause where the system has no socket left, or the like.
const PAUSE: Duration = Duration::from_millis(100);

/// The connections of a listener.
pub(crate) fn incoming(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
) -> ReceiverStream<io::Result<Connection>> {
    let (accepted, stream) = mpsc::channel(64);
    tokio::spawn(async move {
        let mut handshakes: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            let arrived = tokio::select! {
                arrived = listener.accept() => arrived,
                () = accepted.closed() => return,
            };
            let (stream, peer) = match arrived {
                Ok(arrived) => arrived,
                Err(error) => {
                    // A connection that was given up, or too many open files: not the end of it.
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a connection could not be accepted"
                    );
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let _ = stream.set_nodelay(true);
            let Some(tls) = tls.clone() else {
                if accepted.send(Ok(Connection::Plain(stream))).await.is_err() {
                    return;
                }
                continue;
            };
            handshakes.retain(|handshake| !handshake.is_finished());
            if handshakes.len() >= HANDSHAKES_AT_ONCE
                && let Some(oldest) = handshakes.pop_front()
            {
                oldest.abort();
                tls.refusals().log(None, &HandshakeError::TooMany);
            }
            let accepted = accepted.clone();
            let handshake = tokio::spawn(async move {
                if let Some(connection) = shake_hands(&tls, stream, peer).await {
                    // An error means that nobody takes connections any more.
                    let _ = accepted.send(Ok(connection)).await;
                }
            });
            handshakes.push_back(handshake.abort_handle());
        }
    });
    ReceiverStream::new(stream)
}

/// A connection, or a line in the log that says why there is none.
async fn shake_hands(tls: &Arc<Tls>, stream: TcpStream, peer: SocketAddr) -> Option<Connection> {
    let shaken = timeout(HANDSHAKE, tls.accept(stream)).await;
    let why = match shaken {
        Ok(Ok(connection)) => return Some(connection),
        Ok(Err(error)) => error,
        Err(_) => HandshakeError::TooSlow,
    };
    tls.refusals().log(Some(peer), &why);
    None
}
