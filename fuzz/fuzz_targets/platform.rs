//! A platform whose database is away.

use std::{num::NonZeroUsize, sync::Arc};

use async_trait::async_trait;
use countersign_gateway::{MethodRow, fuzzing};
use countersign_keyring::{generate_file, parse_file};
use countersign_mfa::{
    Entropy, EntropyError, Feed, HashPool, Platform, Settings,
    ports::{
        Applied, Change, FeedPage, FeedPlace, FeedSource, LoadKey, Lock, Rows, Store, StoreError,
        StoredEvent,
        sms::{SharedKey, SharedRows, StoredMessage},
    },
};
use countersign_primitives::{ExposeSecret, MessageId, SubjectId};
use countersign_security_identifiers::Binding;
use rand::{SeedableRng, rngs::StdRng};
use tokio::runtime::Runtime;
use tonic::{Code, Status};

/// The method that asks the inbox of a server for development.
pub(crate) const INBOX: &str = "DevService.ListInbox";

/// A platform, and what runs its requests.
pub(crate) struct Tried {
    platform: Arc<Platform>,
    feed: Arc<Feed>,
    runtime: Runtime,
}

impl Tried {
    pub(crate) fn new() -> Self {
        let mut generator = StdRng::seed_from_u64(1);
        let file = generate_file(&mut generator);
        let keyring = parse_file(file.expose_secret()).unwrap();
        let pool = HashPool::start(NonZeroUsize::MIN).unwrap();
        let entropy = Arc::new(Seeded);
        let platform = Platform::new(Arc::new(Away), keyring, Settings::default(), entropy, pool);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        Self {
            platform: Arc::new(platform),
            feed: Arc::new(Feed::new(Arc::new(Away))),
            runtime: runtime.unwrap(),
        }
    }

    /// How a method answers a message: without a database with an error, always, but for the one
    /// that asks no database.
    pub(crate) fn call(&self, row: &MethodRow, message: &[u8]) -> Status {
        let answer = fuzzing::call((&self.platform, &self.feed), row.path, message);
        let status = self.runtime.block_on(answer);
        let is_answer = status.is_none();
        assert!(
            !is_answer || row.name == INBOX,
            "{} was answered without a database",
            row.name
        );
        status.unwrap_or_else(|| Status::new(Code::Ok, ""))
    }
}

/// Randomness that repeats.
struct Seeded;

impl Entropy for Seeded {
    fn generator(&self) -> Result<StdRng, EntropyError> {
        Ok(StdRng::seed_from_u64(1))
    }
}

/// A store that nobody reaches.
struct Away;

fn away<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("there is none".into()))
}

#[async_trait]
impl Store for Away {
    async fn load(&self, _: &LoadKey) -> Result<Rows, StoreError> {
        away()
    }

    async fn apply(&self, _: Change) -> Result<Applied, StoreError> {
        away()
    }

    async fn lock(&self, _: &LoadKey) -> Result<(Rows, Box<dyn Lock>), StoreError> {
        away()
    }

    async fn shared(&self, _: &SubjectId, _: &SharedKey) -> Result<SharedRows, StoreError> {
        away()
    }

    async fn message(
        &self,
        _: &SubjectId,
        _: MessageId,
    ) -> Result<Option<StoredMessage>, StoreError> {
        away()
    }

    async fn bindings(&self, _: &SubjectId) -> Result<Vec<Binding>, StoreError> {
        away()
    }

    async fn events(
        &self,
        _: &SubjectId,
        _: Option<i64>,
        _: u64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        away()
    }

    async fn subjects(&self, _: Option<&SubjectId>, _: u64) -> Result<Vec<SubjectId>, StoreError> {
        away()
    }
}

#[async_trait]
impl FeedSource for Away {
    async fn read_feed(&self, _: Option<FeedPlace>, _: u64) -> Result<FeedPage, StoreError> {
        away()
    }

    async fn begin_feed_anew(&self) -> Result<(), StoreError> {
        away()
    }
}
