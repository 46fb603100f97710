//! Which database, and how patient we are with it.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use countersign_primitives::{Clock, SecretString, SystemClock};

/// Which database to use, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `postgres://…` or `sqlite:PATH`. Secret, since it may hold a password.
    pub url: SecretString,
    /// The most connections to PostgreSQL (at least 2 are used), or the most readers of SQLite, which has one writer
    /// beside them.
    pub max_connections: u32,
    /// Where the time comes from.
    pub time: TimeSource,
    /// How long a request may wait for a connection: short, so that a dead database is known as
    /// one while the client still listens.
    pub connect_timeout: Duration,
    /// How long a statement may take, waiting for locks included.
    pub statement_timeout: Duration,
}

impl Settings {
    /// The defaults for a database: 16 connections, 2 s to get one, 3 s for a statement.
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            max_connections: 16,
            time: TimeSource::Database,
            connect_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(3),
        }
    }

    /// The defaults for an SQLite file.
    pub fn sqlite_file(path: &Path) -> Self {
        // The two characters that an SQLite URL gives a meaning of its own.
        let path = path
            .to_string_lossy()
            .replace('%', "%25")
            .replace('?', "%3f");
        Self::new(format!("sqlite:{path}"))
    }

    /// How many batches of loads, and how many of changes, PostgreSQL is given at a time. The fewer,
    /// the more share a batch: two keep a server of two cores busy, one flushing while the other
    /// computes.
    pub(crate) fn desks(&self) -> usize {
        usize::try_from(self.max_connections / 8).map_or(1, |desks| desks.max(1))
    }

    /// When a call is given up on our side: a second after the statement's own timeout. It ends what
    /// the server's cannot, such as a server that has fallen silent, while the caller, who waits for
    /// ten seconds, still listens.
    pub(crate) fn patience(&self) -> Duration {
        self.statement_timeout + Duration::from_secs(1)
    }
}

/// Where the time comes from that decisions are made with.
#[derive(Clone)]
pub enum TimeSource {
    /// PostgreSQL's own clock, so that all gateways share one. For SQLite, which has but one
    /// gateway: the machine's.
    Database,
    /// Another one: a test's.
    Clock(Arc<dyn Clock>),
}

impl TimeSource {
    /// The clock to read, where it is not that of the database.
    pub(crate) fn clock(&self, database_has_one: bool) -> Option<Arc<dyn Clock>> {
        match self {
            Self::Clock(clock) => Some(Arc::clone(clock)),
            Self::Database if database_has_one => None,
            Self::Database => Some(Arc::new(SystemClock)),
        }
    }
}

impl fmt::Debug for TimeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "Database",
            Self::Clock(_) => "Clock",
        })
    }
}
