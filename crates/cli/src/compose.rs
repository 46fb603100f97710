//! The composition root: the only place that names what a platform is made of.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use countersign_gateway::{Callers, Gateway, Health, Inbox, Metrics, Tls};
use countersign_keyring::Keyring;
use countersign_mfa::{
    Dispatcher, Entropy, Feed, HashPool, Platform, Settings, SystemEntropy,
    ports::{
        FeedSource, KeyVerdict, Store, Upkeep,
        sms::{Carriers, Outbox},
    },
};
use countersign_primitives::{Clock, SecretString, SystemClock};
use countersign_storage::{ConnectError, SchemaState, Settings as StorageSettings, Storage};

use crate::config::{Config, Database};

/// How often what waits to be sent is counted: oftener than a page is asked for, and by an index.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

/// What a platform is put together from.
pub(crate) struct Parts {
    /// Where the data is.
    pub(crate) database: StorageSettings,
    /// The keys it is sealed with.
    pub(crate) keyring: Keyring,
    /// The numbers.
    pub(crate) settings: Settings,
    /// How many PINs are hashed at once.
    pub(crate) hash_threads: NonZeroUsize,
    /// What to run for the right schema; for the error that says so.
    pub(crate) migrate: String,
}

/// How the edge before a platform is.
pub(crate) struct Edge {
    /// What connections prove who calls with; `None` is plaintext on loopback.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Who may call what.
    pub(crate) callers: Callers,
    /// Where requests are counted, if they are.
    pub(crate) metrics: Option<Metrics>,
    /// Whether reflection is offered.
    pub(crate) reflection: bool,
    /// The longest that a request may take.
    pub(crate) deadline: Duration,
    /// How long requests in flight may take after a stop.
    pub(crate) drain: Duration,
    /// The messages that would have been sent: for development.
    pub(crate) inbox: Option<Arc<dyn Inbox>>,
}

/// A platform that is put together.
pub(crate) struct Composed {
    /// The use cases.
    pub(crate) platform: Arc<Platform>,
    storage: Arc<Storage>,
}

/// The database of a configuration.
pub(crate) fn database(database: &Database) -> StorageSettings {
    let mut settings = StorageSettings::new(database.url.clone());
    settings.max_connections = database.max_connections;
    settings
}

/// The database at a URL, with the defaults.
pub(crate) fn database_at(url: impl Into<SecretString>) -> StorageSettings {
    StorageSettings::new(url)
}

/// Gives a database the schema of this program, and says what was done.
pub(crate) async fn migrate(database: &StorageSettings) -> Result<&'static str> {
    Ok(match Storage::migrate(database).await? {
        SchemaState::Absent => "the database had no schema and has that of this version now",
        SchemaState::Current => "the database had the schema of this version already",
        SchemaState::Older | SchemaState::Newer | SchemaState::Foreign => {
            "the database had the schema of an earlier version and has that of this one now"
        }
    })
}

impl Parts {
    /// What a configuration says.
    pub(crate) fn of_config(config: &Config, keyring: Keyring, migrate: String) -> Self {
        Self {
            database: database(&config.database),
            keyring,
            settings: config.settings(),
            hash_threads: config.hash.threads,
            migrate,
        }
    }

    /// Puts a platform together on a database that has the right schema and these keys.
    pub(crate) async fn compose(self) -> Result<Composed> {
        let storage = match Storage::connect(&self.database).await {
            Ok(storage) => Arc::new(storage),
            Err(ConnectError::Schema(SchemaState::Absent)) => {
                bail!("the database has no schema yet: run `{}`", self.migrate)
            }
            Err(ConnectError::Schema(SchemaState::Older)) => bail!(
                "the database has the schema of an earlier version: run `{}`",
                self.migrate
            ),
            Err(error) => return Err(error.into()),
        };
        match storage.check_keys(&self.keyring.checks()).await? {
            KeyVerdict::Belongs => {}
            KeyVerdict::Foreign { key_id } => bail!(
                "the key file does not belong to this database, which was written with a key \
                 {key_id} that the file lacks or has another value of: name the key file that was \
                 made for this database"
            ),
        }
        if storage.mend_feed().await? {
            tracing::warn!(
                "the database was moved to another server: the feed of events begins anew, and those \
                 who watch are told so"
            );
        }
        let pool = HashPool::start(self.hash_threads).context("no thread can be started")?;
        let platform = Platform::new(
            Arc::clone(&storage) as Arc<dyn Store>,
            self.keyring,
            self.settings,
            entropy(),
            pool,
        );
        Ok(Composed {
            platform: Arc::new(platform),
            storage,
        })
    }
}

impl Composed {
    /// The edge before this platform.
    pub(crate) fn gateway(&self, edge: Edge) -> Gateway {
        Gateway {
            platform: Arc::clone(&self.platform),
            feed: Arc::new(Feed::new(Arc::clone(&self.storage) as Arc<dyn FeedSource>)),
            upkeep: Arc::clone(&self.storage) as Arc<dyn Upkeep>,
            entropy: entropy(),
            health: Health::default(),
            metrics: edge.metrics,
            inbox: edge.inbox,
            reflection: edge.reflection,
            tls: edge.tls,
            callers: edge.callers,
            deadline: edge.deadline,
            drain: edge.drain,
        }
    }

    /// Sends messages by these carriers until `stop`, which says how long what is under way then may
    /// still take, for as long as it is polled; and measures what waits, where somebody collects
    /// metrics.
    pub(crate) async fn keep_sending(
        &self,
        carriers: Arc<dyn Carriers>,
        is_measured: bool,
        stop: impl Future<Output = Duration> + Send,
    ) {
        let outbox = Arc::clone(&self.storage) as Arc<dyn Outbox>;
        let dispatcher = Dispatcher::new(Arc::clone(&self.platform), outbox, carriers);
        let dispatcher = Arc::new(dispatcher);
        let measuring = async {
            if is_measured {
                keep_measured(&dispatcher).await;
            } else {
                std::future::pending().await
            }
        };
        tokio::select! {
            () = Arc::clone(&dispatcher).run(stop) => {}
            () = measuring => {}
        }
    }

    /// Withdraws every message that waits, after the database was restored.
    pub(crate) async fn withdraw_messages(&self) -> Result<u64> {
        Ok(self.storage.withdraw_all().await?)
    }

    /// Deletes what retention ends, every minute, for as long as it is polled.
    pub(crate) async fn keep_swept(&self, confirmations_kept: Duration) {
        let mut interval = tokio::time::interval(Duration::from_secs(60));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            match self.storage.sweep(confirmations_kept).await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(retention.rows = rows, "old rows were deleted"),
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "old rows could not be deleted; the next try is in a minute"
                ),
            }
        }
    }

    /// Begins another life of the feed, after the database was restored.
    pub(crate) async fn begin_feed_anew(&self) -> Result<()> {
        Ok(self.storage.begin_feed_anew().await?)
    }

    /// Closes the database, after what is under way.
    pub(crate) async fn close(&self) {
        self.storage.close().await;
    }
}

/// Measures what waits to be sent, for as long as it is polled.
async fn keep_measured(dispatcher: &Dispatcher) {
    let mut interval = tokio::time::interval(MEASURE_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if let Err(error) = dispatcher.measure(SystemClock.now()).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "what waits to be sent could not be counted: its metrics are those of before"
            );
        }
    }
}

fn entropy() -> Arc<dyn Entropy> {
    Arc::new(SystemEntropy)
}
