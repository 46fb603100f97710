//! Accepting connections: plaintext as they come, mutual TLS once they have proved who they are.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

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
/// How many of them may be with one address: whoever connects and says nothing must not keep out the
/// services of other machines.
const HANDSHAKES_OF_ONE: usize = 64;
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
        let addresses = Arc::new(Addresses::default());
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
            let Some(turn) = Turn::of(&addresses, peer.ip()) else {
                tls.refusals().log(peer, &HandshakeError::TooMany);
                continue;
            };
            let Ok(place) = Arc::clone(&handshakes).acquire_owned().await else {
                return;
            };
            let accepted = accepted.clone();
            tokio::spawn(async move {
                if let Some(connection) = shake_hands(&tls, stream, peer).await {
                    // An error means that nobody takes connections any more.
                    let _ = accepted.send(Ok(connection)).await;
                }
                drop((place, turn));
            });
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
    tls.refusals().log(peer, &why);
    None
}

/// How many handshakes are under way with each address.
#[derive(Default)]
struct Addresses(Mutex<HashMap<IpAddr, usize>>);

/// One handshake's turn, until it is dropped.
struct Turn {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Turn {
    /// A turn, unless the address has as many as it may.
    fn of(addresses: &Arc<Addresses>, address: IpAddr) -> Option<Self> {
        let mut counts = addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count == HANDSHAKES_OF_ONE {
            return None;
        }
        *count += 1;
        Some(Self {
            addresses: Arc::clone(addresses),
            address,
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut counts = self
            .addresses
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn silent_handshakes_of_one_address_leave_room_for_another() {
        let addresses = Arc::new(Addresses::default());
        let [one, other] = [1, 2].map(|last| IpAddr::from(Ipv4Addr::new(192, 0, 2, last)));
        let mut turns: Vec<_> = (0..HANDSHAKES_OF_ONE)
            .map(|_| Turn::of(&addresses, one).unwrap())
            .collect();
        assert!(Turn::of(&addresses, one).is_none());
        assert!(Turn::of(&addresses, other).is_some());
        turns.pop();
        assert!(Turn::of(&addresses, one).is_some());
        turns.clear();
        assert!(addresses.0.lock().unwrap().is_empty());
    }
}
