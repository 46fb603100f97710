//! A TCP proxy between a gateway and its database: counts round trips, and can cut a connection
//! behind a request, before its answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
    task::JoinHandle,
};

/// The proxy. It ends when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    round_trips: AtomicU64,
    cut_next_commit: AtomicBool,
    cuts: AtomicU64,
}

impl Proxy {
    /// A proxy before `database`.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(database: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let accepting = tokio::spawn(accept(listener, database, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            accepting,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often a gateway has spoken and then been answered, over all connections.
    pub fn round_trips(&self) -> u64 {
        self.shared.round_trips.load(Ordering::SeqCst)
    }

    /// Cuts the next connection that sends a change, once the database has answered it and before
    /// the gateway hears of it.
    pub fn cut_behind_next_commit(&self) {
        self.shared.cut_next_commit.store(true, Ordering::SeqCst);
    }

    /// How many connections were cut.
    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, database: SocketAddr, shared: Arc<Shared>) {
    while let Ok((gateway, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            if let Ok(database) = TcpStream::connect(database).await {
                let _ = gateway.set_nodelay(true);
                let _ = database.set_nodelay(true);
                relay(gateway, database, &shared).await;
            }
        });
    }
}

/// Relays both ways in one task, so that the order of what is said is known.
async fn relay(gateway: TcpStream, database: TcpStream, shared: &Shared) {
    let (mut from_gateway, mut to_gateway) = gateway.into_split();
    let (mut from_database, mut to_database) = database.into_split();
    let mut said = vec![0; 64 * 1024];
    let mut answered = vec![0; 64 * 1024];
    let mut connection = Connection::default();
    loop {
        let goes_on = tokio::select! {
            read = from_gateway.read(&mut said) => {
                connection.hear_gateway(&said, read, &mut to_database).await
            }
            read = from_database.read(&mut answered) => {
                connection.hear_database(&answered, read, &mut to_gateway, shared).await
            }
        };
        if !goes_on {
            return;
        }
    }
}

#[derive(Default)]
struct Connection {
    awaits_answer: bool,
    /// How much the gateway has said since the last answer.
    said_bytes: usize,
}

/// A change carries sealed parts and answers; a load carries a few ids.
const CHANGE_BYTES: usize = 400;

impl Connection {
    async fn hear_gateway(
        &mut self,
        said: &[u8],
        read: std::io::Result<usize>,
        database: &mut OwnedWriteHalf,
    ) -> bool {
        let Some(length) = read.ok().filter(|length| *length > 0) else {
            return false;
        };
        if !self.awaits_answer {
            self.said_bytes = 0;
        }
        self.awaits_answer = true;
        self.said_bytes += length;
        database.write_all(&said[..length]).await.is_ok()
    }

    async fn hear_database(
        &mut self,
        answered: &[u8],
        read: std::io::Result<usize>,
        gateway: &mut OwnedWriteHalf,
        shared: &Shared,
    ) -> bool {
        let Some(length) = read.ok().filter(|length| *length > 0) else {
            return false;
        };
        if self.awaits_answer {
            self.awaits_answer = false;
            shared.round_trips.fetch_add(1, Ordering::SeqCst);
            let is_change = self.said_bytes >= CHANGE_BYTES;
            if is_change && shared.cut_next_commit.swap(false, Ordering::SeqCst) {
                shared.cuts.fetch_add(1, Ordering::SeqCst);
                return false;
            }
        }
        gateway.write_all(&answered[..length]).await.is_ok()
    }
}
