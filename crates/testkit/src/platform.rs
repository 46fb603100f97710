//! The platform in this process.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use anyhow::Result;
use countersign_client::Client;
use countersign_gateway::{Callers, Gateway, Health, Tls, TlsFiles, serve};
use countersign_keyring::{Keyring, generate_file, parse_file};
use countersign_mfa::{
    Dispatcher, Entropy, Feed, HashPool, Platform, Prices, Settings, SmsSettings,
    ports::{
        FeedSource, Store, Upkeep,
        sms::{Carriers, Outbox},
    },
};
use countersign_primitives::{ExposeSecret, HashCost};
use countersign_sms_codes::{Countries, SendRules};
use countersign_sms_text::{TextSettings, Texts};
use countersign_spend_guard::SpendRules;
use countersign_storage::{Settings as StorageSettings, Storage, TimeSource};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::{Database, FakeCarrier, SeededEntropy, TestClock};

/// How a platform under test differs from one that is not.
pub struct Options {
    /// The settings.
    pub settings: Settings,
    /// The database's address, where it is not the database's own: by way of a proxy.
    pub url: Option<String>,
    /// How long the database is waited for.
    pub patience: Duration,
    /// Where randomness begins. Two platforms over one database need two numbers.
    pub seed: u64,
    /// Where the keys begin. Platforms over one database need the same number.
    pub keys: u64,
    /// Who may call what.
    pub callers: Callers,
    /// What connections prove who calls with.
    pub tls: Option<TlsFiles>,
    /// The longest that a request may take.
    pub deadline: Duration,
    /// Who carries messages. Platforms over one database share one.
    pub carrier: FakeCarrier,
    /// Whether it sends what waits. One that does not leaves it to another one over its database.
    pub sends: bool,
    /// Carriers in place of that one.
    pub carriers: Option<Arc<dyn Carriers>>,
    /// What the use cases have for a store: the database, or something that stands before it.
    pub store: fn(Arc<Storage>) -> Arc<dyn Store>,
    /// What the feed has for a source, likewise.
    pub feed: fn(Arc<Storage>) -> Arc<dyn FeedSource>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            settings: cheap(),
            url: None,
            // Longer than a gateway would: what is slow here is the machine.
            patience: Duration::from_secs(60),
            seed: 1,
            keys: 1,
            callers: Callers::AtTheirWord,
            tls: None,
            deadline: Duration::from_secs(60),
            carrier: FakeCarrier::default(),
            sends: true,
            carriers: None,
            store: |storage| storage,
            feed: |storage| storage,
        }
    }
}

/// The default settings with hashes that cost next to nothing.
pub fn cheap() -> Settings {
    Settings {
        hash_cost: HashCost {
            memory_kib: 32,
            passes: 1,
            lanes: 1,
        },
        sms: Some(Arc::new(sms())),
        ..Settings::default()
    }
}

/// The default settings of SMS, with the texts that come with the program.
///
/// # Panics
/// When those texts are not right.
#[expect(clippy::expect_used, reason = "for tests alone")]
pub fn sms() -> SmsSettings {
    let texts = TextSettings {
        fallback: "en".to_owned(),
        brand: "Countersign".to_owned(),
        domain: None,
    };
    SmsSettings {
        rules: SendRules::default(),
        countries: Countries::All,
        subjects_per_number: 3,
        spend: SpendRules::default(),
        prices: Prices::default(),
        texts: Texts::new(texts, Vec::new()).expect("texts"),
    }
}

/// A platform that answers on a port of its own until it is dropped.
pub struct TestPlatform {
    /// The use cases, for what has no wire yet.
    pub platform: Arc<Platform>,
    /// The store behind them.
    pub storage: Arc<Storage>,
    /// The hash pool, for its count.
    pub pool: HashPool,
    /// The clock.
    pub clock: TestClock,
    /// Who carries messages.
    pub carrier: FakeCarrier,
    endpoint: String,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
    sending: JoinHandle<()>,
}

impl TestPlatform {
    /// Starts one over a database, with a clock that others may share.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(database: &Database, clock: &TestClock, options: Options) -> Result<Self> {
        let url = options.url.unwrap_or_else(|| database.url().to_owned());
        let storage = Storage::connect(&StorageSettings {
            time: TimeSource::Clock(Arc::new(clock.clone())),
            max_connections: 8,
            connect_timeout: options.patience,
            statement_timeout: options.patience,
            ..StorageSettings::new(url)
        })
        .await?;
        let storage = Arc::new(storage);
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(options.seed << 32));
        let pool = HashPool::start(NonZeroUsize::MIN.saturating_add(1))?;
        let platform = Arc::new(Platform::new(
            (options.store)(Arc::clone(&storage)),
            keyring(options.keys)?,
            options.settings,
            Arc::clone(&entropy),
            pool.clone(),
        ));
        let carriers = options.carriers;
        let carriers = carriers.unwrap_or_else(|| Arc::new(options.carrier.clone()));
        let outbox = Arc::clone(&storage) as Arc<dyn Outbox>;
        let dispatcher = Arc::new(Dispatcher::new(Arc::clone(&platform), outbox, carriers));
        let sending = tokio::spawn(async move {
            if options.sends {
                dispatcher.run(std::future::pending()).await;
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel();
        let gateway = Gateway {
            platform: Arc::clone(&platform),
            feed: Arc::new(Feed::new((options.feed)(Arc::clone(&storage)))),
            upkeep: Arc::clone(&storage) as Arc<dyn Upkeep>,
            entropy,
            health: Health::default(),
            metrics: None,
            inbox: None,
            reflection: true,
            tls: options.tls.map(Tls::read).transpose()?.map(Arc::new),
            callers: options.callers,
            deadline: options.deadline,
            drain: Duration::from_secs(10),
        };
        let serving = tokio::spawn(async move {
            let served = serve(gateway, listener, async {
                // A dropped platform is a stopped one.
                let _ = stopped.await;
            });
            if let Err(error) = served.await {
                eprintln!("the platform under test failed: {error}");
            }
        });
        Ok(Self {
            platform,
            storage,
            pool,
            clock: clock.clone(),
            carrier: options.carrier,
            endpoint,
            stop: Some(stop),
            serving,
            sending,
        })
    }

    /// Where it answers.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A client of it, as this caller.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn client(&self, caller: &str) -> Result<Client> {
        Ok(Client::connect(&self.endpoint, Some(caller)).await?)
    }

    /// Stops it and waits until it has.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let _ = (&mut self.serving).await;
        self.sending.abort();
        self.storage.close().await;
    }
}

impl Drop for TestPlatform {
    fn drop(&mut self) {
        self.serving.abort();
        self.sending.abort();
    }
}

/// A keyring that repeats.
fn keyring(seed: u64) -> Result<Keyring> {
    let mut generator = SeededEntropy::new(seed).generator()?;
    let file = generate_file(&mut generator);
    Ok(parse_file(file.expose_secret())?)
}
