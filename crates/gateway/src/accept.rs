//! Accepting connections: plaintext as they come, mutual TLS once they have proved who they are.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;

use crate::tls::{Connection, HandshakeError, Tls};

/// The longest that a handshake may take: whoever connects and says nothing must not keep a place.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How many handshakes may be under way. Each costs a signature, and its socket and buffers while it
/// waits for the other end; the next ones wait in the system's own line.
const HANDSHAKES_AT_ONCE: usize = 512;
/// The pause where the system has no socket left, or the like.
const PAUSE: Duration = Duration::from_millis(100);

/// The connections of a listener.
pub(crate) fn incoming(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
) -> ReceiverStream<io::Result<Connection>> {
    let (accepted, stream) = mpsc::channel(1);
    tokio::spawn(async move {
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES_AT_ONCE));
        loop {
            let arrived = tokio::select! {
                arrived = listener.accept() => arrived,
                () = accepted.closed() => return,
            };
            let stream = match arrived {
                Ok((stream, _)) => stream,
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
            let Ok(place) = Arc::clone(&handshakes).acquire_owned().await else {
                return;
            };
            let accepted = accepted.clone();
            tokio::spawn(async move {
                if let Some(connection) = shake_hands(&tls, stream).await {
                    // An error means that nobody takes connections any more.
                    let _ = accepted.send(Ok(connection)).await;
                }
                drop(place);
            });
        }
    });
    ReceiverStream::new(stream)
}

/// A connection, or a line in the log that says why there is none.
async fn shake_hands(tls: &Arc<Tls>, stream: TcpStream) -> Option<Connection> {
    let peer = stream.peer_addr().ok()?;
    let shaken = timeout(HANDSHAKE, tls.accept(stream)).await;
    let why = match shaken {
        Ok(Ok(connection)) => return Some(connection),
        Ok(Err(error)) => error,
        Err(_) => HandshakeError::TooSlow,
    };
    tls.refusals().log(peer, &why);
    None
}
