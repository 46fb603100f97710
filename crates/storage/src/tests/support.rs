//! A database of a test's own, a clock that is moved by hand, and changes to apply.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use countersign_mfa::{
    Caller, Method,
    ports::{
        Applied, Change, ConfirmationWrite, Event, LoadKey, RequestKey, RequestRecord,
        RequestWrite, Rows, Store,
        sms::{MessageWrite, SmsChange},
    },
};
use countersign_primitives::{
    Clock, ConfirmationId, ExposeSecret, IdentifierId, Label, MessageId, RequestId, SubjectId,
    Timestamp,
};
use countersign_security_identifiers::{Binding, BindingState, Kind};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, EntityTrait, PaginatorTrait, SqlxPostgresConnector,
    sqlx::postgres::PgPoolOptions,
};
use tempfile::TempDir;

use crate::{
    Settings, Storage, TimeSource,
    entities::{confirmation, event, identifier, message, number_user, request, spend, subject},
};

/// The instant at which tests begin.
pub(super) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A clock that stands still until it is set.
pub(super) struct HandClock(AtomicI64);

impl HandClock {
    pub(super) fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

pub(super) struct TestDb {
    pub(super) settings: Settings,
    pub(super) storage: Storage,
    pub(super) clock: Arc<HandClock>,
    method: Method,
    _folder: Option<TempDir>,
    database: Option<Database>,
}

/// A database that a test made on the server.
pub(super) struct Database {
    pub(super) admin: DatabaseConnection,
    pub(super) server: String,
    pub(super) name: String,
}

impl Database {
    /// `None`, and a line that says so, where no server is named.
    pub(super) async fn create() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Ok(server) = std::env::var("COUNTERSIGN_TEST_POSTGRES") else {
            println!("left out: COUNTERSIGN_TEST_POSTGRES names no PostgreSQL server");
            return None;
        };
        let server = server.trim_end_matches('/').to_owned();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("storage_{}_{number}", std::process::id());
        let admin = connect(&format!("{server}/postgres"));
        admin
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        Some(Self {
            admin,
            server,
            name,
        })
    }

    pub(super) fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    pub(super) async fn run(&self, sql: &str) {
        self.admin.execute_unprepared(sql).await.unwrap();
    }

    pub(super) async fn drop_database(&self) {
        self.run(&format!("DROP DATABASE {} WITH (FORCE)", self.name))
            .await;
    }
}

/// A connection that is none of the storage's.
pub(super) fn connect(url: &str) -> DatabaseConnection {
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy(url);
    SqlxPostgresConnector::from_sqlx_postgres_pool(pool.unwrap())
}

impl TestDb {
    pub(super) async fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let settings = Settings::sqlite_file(&folder.path().join("test 100%.db"));
        Self::with(settings, Some(folder), None).await
    }

    pub(super) async fn postgres() -> Option<Self> {
        let database = Database::create().await?;
        let settings = Settings::new(database.url());
        Some(Self::with(settings, None, Some(database)).await)
    }

    async fn with(
        mut settings: Settings,
        folder: Option<TempDir>,
        database: Option<Database>,
    ) -> Self {
        let clock = Arc::new(HandClock(AtomicI64::new(START.as_millis())));
        let as_clock: Arc<dyn Clock> = clock.clone();
        settings.time = TimeSource::Clock(as_clock);
        let _ = Storage::migrate(&settings).await.unwrap();
        let storage = Storage::connect(&settings).await.unwrap();
        Self {
            settings,
            storage,
            clock,
            method: METHOD,
            _folder: folder,
            database,
        }
    }

    pub(super) async fn drop_database(&self) {
        self.storage.close().await;
        if let Some(database) = &self.database {
            database.drop_database().await;
        }
    }

    pub(super) fn url(&self) -> String {
        self.settings.url.expose_secret().to_owned()
    }

    /// A second gateway on the same database.
    pub(super) async fn another(&self) -> Storage {
        Storage::connect(&self.settings).await.unwrap()
    }

    /// A change of every kind at once.
    pub(super) fn change(&self, subject: &str, from_version: Option<i64>) -> Change {
        Change {
            subject: subject_id(subject),
            from_version,
            now: self.clock.now(),
            secrets: Some(b"sealed".to_vec()),
            counters: b"counters".to_vec(),
            event: Event {
                caller: Caller::local(),
                method: self.method,
                facts: "[{\"kind\":\"TESTED\"}]".to_owned(),
            },
            confirmation: Some(ConfirmationWrite {
                id: confirmation_id(1),
                created_at: START,
                state: "PENDING",
                body: b"body".to_vec(),
            }),
            request: Some(RequestWrite {
                key: self.request(1),
                record: RequestRecord {
                    mac: b"mac".to_vec(),
                    answer: b"answer".to_vec(),
                },
                expires_at: START.plus(Duration::from_secs(60)),
            }),
            bindings: vec![binding(1, BindingState::Enabled)],
            sms: None,
        }
    }

    /// A change of nothing but the subject's row and the event.
    pub(super) fn small_change(&self, subject: &str, from_version: Option<i64>) -> Change {
        Change {
            confirmation: None,
            request: None,
            bindings: Vec::new(),
            ..self.change(subject, from_version)
        }
    }

    /// Writes a change of nothing but the subject's row, the event, and this.
    pub(super) async fn sms(&self, subject: &str, sms: SmsChange) -> Applied {
        let from_version = self.version(subject).await;
        let change = self.sms_change(subject, from_version, sms);
        self.storage.apply(change).await.unwrap()
    }

    pub(super) fn sms_change(
        &self,
        subject: &str,
        from_version: Option<i64>,
        sms: SmsChange,
    ) -> Change {
        Change {
            sms: Some(Box::new(sms)),
            ..self.small_change(subject, from_version)
        }
    }

    /// Queues messages, each in a change of its own.
    pub(super) async fn queue(&self, subject: &str, messages: &[MessageWrite]) {
        for message in messages {
            let sms = SmsChange {
                message: Some(message.clone()),
                ..SmsChange::default()
            };
            assert_eq!(self.sms(subject, sms).await, Applied::Written);
        }
    }

    /// The row of a message.
    pub(super) async fn message(&self, subject: &str, number: u8) -> message::Model {
        let key = (subject.to_owned(), message_id(number).as_bytes().to_vec());
        let found = message::Entity::find_by_id(key).one(&self.storage.read);
        found.await.unwrap().unwrap()
    }

    /// Rows of messages, of who uses which number, and of budgets.
    pub(super) async fn sms_counts(&self) -> [u64; 3] {
        let db = &self.storage.read;
        [
            message::Entity::find().count(db).await.unwrap(),
            number_user::Entity::find().count(db).await.unwrap(),
            spend::Entity::find().count(db).await.unwrap(),
        ]
    }

    pub(super) fn request(&self, number: u8) -> RequestKey {
        RequestKey {
            caller: Caller::local(),
            method: self.method,
            id: RequestId::from_bytes([number; 16]),
        }
    }

    /// The key of everything that `change` writes.
    pub(super) fn key(&self, subject: &str) -> LoadKey {
        LoadKey {
            subject: subject_id(subject),
            confirmation: Some(confirmation_id(1)),
            request: Some(self.request(1)),
        }
    }

    pub(super) async fn load(&self, subject: &str) -> Rows {
        self.storage.load(&self.key(subject)).await.unwrap()
    }

    pub(super) async fn version(&self, subject: &str) -> Option<i64> {
        self.load(subject).await.subject.map(|row| row.version)
    }

    /// Rows in each table of subjects.
    pub(super) async fn counts(&self) -> [u64; 5] {
        let db = &self.storage.read;
        [
            subject::Entity::find().count(db).await.unwrap(),
            confirmation::Entity::find().count(db).await.unwrap(),
            event::Entity::find().count(db).await.unwrap(),
            request::Entity::find().count(db).await.unwrap(),
            identifier::Entity::find().count(db).await.unwrap(),
        ]
    }

    /// Every row of every table that a change writes.
    pub(super) async fn everything(&self) -> String {
        let db = &self.storage.read;
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            subject::Entity::find().all(db).await.unwrap(),
            confirmation::Entity::find().all(db).await.unwrap(),
            event::Entity::find().all(db).await.unwrap(),
            request::Entity::find().all(db).await.unwrap(),
            identifier::Entity::find().all(db).await.unwrap(),
            message::Entity::find().all(db).await.unwrap(),
            number_user::Entity::find().all(db).await.unwrap(),
            spend::Entity::find().all(db).await.unwrap(),
        )
    }
}

pub(super) fn subject_id(text: &str) -> SubjectId {
    SubjectId::parse(text).unwrap()
}

pub(super) const fn confirmation_id(number: u8) -> ConfirmationId {
    ConfirmationId::from_bytes([number; 16])
}

pub(super) const fn message_id(number: u8) -> MessageId {
    MessageId::from_bytes([number; 16])
}

/// A message that is queued at the beginning, for a target of its own.
pub(super) fn message(number: u8) -> MessageWrite {
    MessageWrite {
        id: message_id(number),
        identifier: IdentifierId::from_bytes([0xee; 16]),
        target: [number; 16],
        created_at: START,
        expires_at: START.plus(Duration::from_secs(300)),
        prefix: "+79120".to_owned(),
        body: vec![number; 40],
    }
}

pub(super) fn binding(number: u8, state: BindingState) -> Binding {
    Binding {
        id: IdentifierId::from_bytes([number; 16]),
        kind: Kind::Totp,
        label: Label::parse("Phone \"of\" Zoë").unwrap(),
        state,
        created_at: START,
        enabled_at: START.plus(Duration::from_secs(1)),
        disabled_at: None,
    }
}

pub(crate) const METHOD: Method = Method::named("TestService.Test");
