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
    },
};
use countersign_primitives::{ExposeSecret, SubjectId};
use countersign_security_identifiers::Binding;
use rand::{SeedableRng, rngs::StdRng};
use tokio::runtime::Runtime;
use tonic::Status;

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

    /// The error that a method answers a message with: without a database there is always one.
    pub(crate) fn call(&self, row: &MethodRow, message: &[u8]) -> Status {
        let answer = fuzzing::call((&self.platform, &self.feed), row.path, message);
        let status = self.runtime.block_on(answer);
        status.unwrap_or_else(|| panic!("{} was answered without a database", row.name))
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

    async fn shared(
        &self,
        _: &SubjectId,
        _: &countersign_mfa::ports::sms::SharedKey,
    ) -> Result<countersign_mfa::ports::sms::SharedRows, StoreError> {
        Ok(countersign_mfa::ports::sms::SharedRows::default())
    }

    async fn message(
        &self,
        _: &SubjectId,
        _: countersign_primitives::MessageId,
    ) -> Result<Option<countersign_mfa::ports::sms::StoredMessage>, StoreError> {
        Ok(None)
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
