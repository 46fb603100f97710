//! A TCP proxy between a gateway and its database: counts round trips, and can cut a connection
//! before a change reaches the database, or behind it and before its answer.

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
    cut_before_next_commit: AtomicBool,
    cut_next_commit: AtomicBool,
    cuts: AtomicU64,
    falls_silent_at_next_commit: AtomicBool,
    is_silent: AtomicBool,
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

    /// Cuts the next connection that sends a change, before the database hears of it.
    pub fn cut_before_next_commit(&self) {
        self.shared
            .cut_before_next_commit
            .store(true, Ordering::SeqCst);
    }

    /// From now on nothing gets through and nothing is closed, as when the network fails.
    pub fn fall_silent(&self) {
        self.shared.is_silent.store(true, Ordering::SeqCst);
    }

    /// As [`Self::fall_silent`], from the next change on, which the database does not hear of.
    pub fn fall_silent_at_next_commit(&self) {
        self.shared
            .falls_silent_at_next_commit
            .store(true, Ordering::SeqCst);
    }

    /// Ends the silence, and with it the connections that lost something in it.
    pub fn speak_again(&self) {
        self.shared.is_silent.store(false, Ordering::SeqCst);
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
                connection.hear_gateway(&said, read, &mut to_database, shared).await
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
    /// The names of the prepared statements that write a change.
    change_statements: Vec<Vec<u8>>,
    /// Whether the gateway has sent a change since the last answer.
    has_sent_change: bool,
    has_lost_something: bool,
}

/// What the text of a statement that writes changes begins with: one change, or a batch.
const CHANGES: [&[u8]; 2] = [b"WITH g AS (", b"WITH k AS MATERIALIZED ("];

impl Connection {
    async fn hear_gateway(
        &mut self,
        said: &[u8],
        read: std::io::Result<usize>,
        database: &mut OwnedWriteHalf,
        shared: &Shared,
    ) -> bool {
        let Some(length) = read.ok().filter(|length| *length > 0) else {
            return false;
        };
        self.awaits_answer = true;
        self.has_sent_change |= self.holds_change(&said[..length]);
        if self.has_sent_change
            && shared
                .falls_silent_at_next_commit
                .swap(false, Ordering::SeqCst)
        {
            shared.is_silent.store(true, Ordering::SeqCst);
        }
        if shared.is_silent.load(Ordering::SeqCst) {
            self.has_lost_something = true;
            return true;
        }
        if self.has_lost_something {
            return false;
        }
        if self.has_sent_change && shared.cut_before_next_commit.swap(false, Ordering::SeqCst) {
            shared.cuts.fetch_add(1, Ordering::SeqCst);
            return false;
        }
        database.write_all(&said[..length]).await.is_ok()
    }

    /// Whether messages hold one that binds a change's statement, and notes which those are. The
    /// gateway sends messages whole; each has a type, a length and, for these two, texts that end
    /// with a zero byte.
    fn holds_change(&mut self, mut messages: &[u8]) -> bool {
        let mut holds_change = false;
        while let [kind, a, b, c, d, rest @ ..] = messages {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            let Some((body, next)) = rest.split_at_checked(length.saturating_sub(4)) else {
                break;
            };
            let mut texts = body.split(|byte| *byte == 0);
            let (first, second) = (texts.next(), texts.next());
            match (kind, first, second) {
                (b'P', Some(name), Some(statement))
                    if CHANGES.iter().any(|begin| statement.starts_with(begin)) =>
                {
                    self.change_statements.push(name.to_vec());
                }
                (b'B', Some(_), Some(name)) => {
                    holds_change |= self.change_statements.iter().any(|other| other == name);
                }
                _ => {}
            }
            messages = next;
        }
        holds_change
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
            let has_sent_change = std::mem::take(&mut self.has_sent_change);
            if has_sent_change && shared.cut_next_commit.swap(false, Ordering::SeqCst) {
                shared.cuts.fetch_add(1, Ordering::SeqCst);
                return false;
            }
        }
        gateway.write_all(&answered[..length]).await.is_ok()
    }
}
