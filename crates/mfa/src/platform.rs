//! The one mechanism: load, decide, apply.
//!
//! [`Platform::run`] is the whole story of every request that checks or changes something; the
//! use cases beside it only say what to decide.

use std::{sync::Arc, time::Duration};

use countersign_keyring::{KeyUse, Keyring, Place};
use countersign_primitives::{
    ConfirmationId, RequestId, SecretBytes, SubjectId, Timestamp, encode,
};
use countersign_security_identifiers::Registry;
use minicbor::{CborLen, Decode, Encode};
use rand::{RngExt, rngs::StdRng};
use tokio::time::timeout;
use tracing::Instrument as _;

use crate::{
    Caller, Entropy, Error, HashPool, Method, Settings,
    confirmation::Confirmation,
    event::Fact,
    hashing::{HashJob, Hashes},
    outcomes::{Outcomes, Tally},
    ports::{
        Applied, Change, ConfirmationWrite, Event, LoadKey, RequestKey, RequestRecord,
        RequestWrite, Rows, Store, StoreError,
    },
    queue::SubjectQueue,
    room::Room,
};

/// Optimistic rounds before the subject's row is locked. Pure optimism lives badly: 64 requests
/// in flight on one subject were seen to lose hundreds of races in a row.
const OPTIMISTIC_ROUNDS: u32 = 3;
/// Rounds with the row locked. One is enough unless a first write or another hash comes between.
const LOCKED_ROUNDS: u32 = 5;
/// The longest pause after a lost race; the pause is random and doubles from a quarter of it.
const LONGEST_PAUSE: Duration = Duration::from_millis(8);
/// For how long, and with which pause, the fate of a change is looked up after a lost connection:
/// long enough for a failover's first moments, and so short that the caller still listens.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(3);
const LOOKUP_PAUSE: Duration = Duration::from_millis(100);

/// How long the record of a request without an id of its caller is kept: only this gateway knows
/// the id that it drew, and looks it up at once after a lost connection or never.
const UNNAMED_REQUEST_LIFE: Duration = Duration::from_secs(60);

/// The table and column that the sealed part belongs to.
const SEALED_TABLE: &str = "subject";
const SEALED_COLUMN: &str = "secrets";

/// The use cases over a store, keys and a source of randomness.
pub struct Platform {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keyring: Keyring,
    pub(crate) settings: Settings,
    entropy: Arc<dyn Entropy>,
    pool: HashPool,
    outcomes: Outcomes,
    pub(crate) queue: SubjectQueue,
    pub(crate) room: Room,
}

/// Who asks about whom, and how a repetition of the request is known.
#[derive(Clone, Debug)]
pub struct Call {
    /// The subject.
    pub subject: SubjectId,
    /// The caller.
    pub caller: Caller,
    /// The request's id, if the caller gave one.
    pub request: Option<RequestId>,
    /// The request's body in its canonical encoding: a MAC of it tells a repetition from another
    /// request with the same id.
    pub body: SecretBytes,
}

/// A subject as one moment found it.
pub(crate) struct Snapshot {
    pub(crate) now: Timestamp,
    pub(crate) registry: Registry,
    pub(crate) confirmation: Option<Confirmation>,
    version: Option<i64>,
    secrets: SecretBytes,
}

impl Snapshot {
    /// Whether the subject has a row.
    pub(crate) const fn is_known(&self) -> bool {
        self.version.is_some()
    }
}

/// What a use case decided.
pub(crate) enum Decision<A> {
    /// The answer, with nothing to write.
    Unchanged(A),
    /// The answer, once the change is written.
    Changed(Box<ChangeSet<A>>),
}

/// What is to be written in one commit.
pub(crate) struct ChangeSet<A> {
    pub(crate) registry: Registry,
    pub(crate) confirmation: Option<Confirmation>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) answer: A,
}

/// A request that checks or changes something. Both functions are pure: they look at the
/// snapshot, the results of the hashes and the generator they are given, and at nothing else.
pub(crate) trait UseCase: Sync {
    /// What is answered. Its encoding leaves secrets out.
    type Answer: Encode<()> + CborLen<()> + for<'b> Decode<'b, ()> + Send;

    /// The name of the method.
    fn method(&self) -> Method;

    /// The confirmation that the request is about.
    fn confirmation(&self) -> Option<ConfirmationId> {
        None
    }

    /// The next Argon2 run that a decision needs and that is not at hand.
    fn hash_job(&self, _: &Snapshot, _: &Context<'_>, _: &Hashes) -> Option<HashJob> {
        None
    }

    /// Decides.
    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        hashes: &Hashes,
        rng: &mut StdRng,
    ) -> Result<Decision<Self::Answer>, Error>;
}

/// What a decision may know beside the snapshot.
pub(crate) struct Context<'a> {
    pub(crate) call: &'a Call,
    pub(crate) settings: &'a Settings,
}

/// One round's outcome before anything is written.
enum Step<A> {
    Answer(A),
    Hash(HashJob),
    Apply(Box<Prepared>, A),
}

/// A change that was decided on, and what it counts for once it is written.
struct Prepared {
    change: Change,
    tally: Tally,
}

/// A span of one stage of a request, for traces. It stays out of the log: there each line names the
/// request.
macro_rules! stage {
    ($name:literal) => {
        tracing::info_span!(target: "countersign::stage", $name)
    };
}

impl Platform {
    /// The use cases over these parts.
    pub fn new(
        store: Arc<dyn Store>,
        keyring: Keyring,
        settings: Settings,
        entropy: Arc<dyn Entropy>,
        pool: HashPool,
    ) -> Self {
        Self {
            room: Room::new(settings.requests_at_once, pool.others()),
            store,
            keyring,
            settings,
            entropy,
            pool,
            outcomes: Outcomes::new(),
            queue: SubjectQueue::default(),
        }
    }

    /// Whether a request that comes now would be refused: for a transport that can say so before
    /// it reads one.
    pub fn is_full(&self) -> bool {
        self.room.is_full()
    }

    /// The settings in force.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Loads, decides and applies, until the decision was made from the state that it changes.
    ///
    /// The place in the subject's line is kept while hashing: what the requests ahead find out,
    /// such as a lock, spares those behind their hashes.
    pub(crate) async fn run<U: UseCase>(
        &self,
        call: &Call,
        use_case: &U,
    ) -> Result<U::Answer, Error> {
        let _turn = self.queue.turn(&call.subject).await?;
        let mut place = self.room.enter()?;
        let mut rng = self.generator()?;
        let request = call.request.unwrap_or_else(|| RequestId::random(&mut rng));
        let key = LoadKey {
            subject: call.subject.clone(),
            confirmation: use_case.confirmation(),
            request: Some(RequestKey {
                caller: call.caller.clone(),
                method: use_case.method(),
                id: request,
            }),
        };
        let mut hashes = Hashes::default();

        for round in 0..OPTIMISTIC_ROUNDS {
            let rows = self.store.load(&key).instrument(stage!("load")).await?;
            let (Prepared { change, tally }, answer) = loop {
                match self.consider(&rows, call, &key, use_case, &hashes, &mut rng)? {
                    Step::Answer(answer) => return Ok(answer),
                    Step::Hash(job) => {
                        let run = self.pool.run(job, &mut hashes, &mut rng);
                        place.outside(run).instrument(stage!("hash")).await?;
                    }
                    Step::Apply(prepared, answer) => break (*prepared, answer),
                }
            };
            match self.store.apply(change).instrument(stage!("apply")).await {
                Ok(Applied::Written) => {
                    self.outcomes.count(&tally);
                    return Ok(answer);
                }
                Ok(Applied::GuardMissed) => self.pause(round, &mut rng).await,
                Err(StoreError::OutcomeUnknown(_)) => {
                    return self.look_up(&key, call, answer, &tally).await;
                }
                Err(error) => return Err(error.into()),
            }
        }

        for _ in 0..LOCKED_ROUNDS {
            let (rows, lock) = self.store.lock(&key).instrument(stage!("load")).await?;
            match self.consider(&rows, call, &key, use_case, &hashes, &mut rng) {
                Ok(Step::Apply(prepared, answer)) => {
                    let Prepared { change, tally } = *prepared;
                    match lock.apply(change).instrument(stage!("apply")).await {
                        Ok(Applied::Written) => {
                            self.outcomes.count(&tally);
                            return Ok(answer);
                        }
                        Ok(Applied::GuardMissed) => {}
                        Err(StoreError::OutcomeUnknown(_)) => {
                            return self.look_up(&key, call, answer, &tally).await;
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
                other => {
                    lock.release().await?;
                    match other? {
                        Step::Answer(answer) => return Ok(answer),
                        Step::Hash(job) => {
                            let run = self.pool.run(job, &mut hashes, &mut rng);
                            place.outside(run).instrument(stage!("hash")).await?;
                        }
                        Step::Apply(..) => {}
                    }
                }
            }
        }
        Err(Error::SubjectBusy)
    }

    /// The pure middle of a round: the earlier answer, the hashes that are missing, or the change.
    fn consider<U: UseCase>(
        &self,
        rows: &Rows,
        call: &Call,
        key: &LoadKey,
        use_case: &U,
        hashes: &Hashes,
        rng: &mut StdRng,
    ) -> Result<Step<U::Answer>, Error> {
        let _stage = stage!("decide").entered();
        if let Some(record) = &rows.request {
            return Ok(Step::Answer(self.earlier_answer(record, call)?));
        }
        let snapshot = self.open(&call.subject, rows)?;
        let settings = &self.settings;
        let context = Context { call, settings };
        if let Some(job) = use_case.hash_job(&snapshot, &context, hashes) {
            return Ok(Step::Hash(job));
        }
        match use_case.decide(&snapshot, &context, hashes, rng)? {
            Decision::Unchanged(answer) => Ok(Step::Answer(answer)),
            Decision::Changed(set) => {
                let record = RequestRecord {
                    mac: self.body_mac(call).to_vec(),
                    answer: encode(&set.answer),
                };
                let request = key.request.clone().map(|key| RequestWrite {
                    key,
                    record,
                    expires_at: snapshot.now.plus(match call.request {
                        Some(_) => settings.request_life,
                        None => UNNAMED_REQUEST_LIFE,
                    }),
                });
                let (answer, change, facts) =
                    self.change(call, use_case.method(), &snapshot, *set, request, rng)?;
                let before = snapshot.registry;
                let tally = Tally { facts, before };
                Ok(Step::Apply(Box::new(Prepared { change, tally }), answer))
            }
        }
    }

    /// Turns a change set into rows, and gives its facts back.
    pub(crate) fn change<A>(
        &self,
        call: &Call,
        method: Method,
        snapshot: &Snapshot,
        mut set: ChangeSet<A>,
        request: Option<RequestWrite>,
        rng: &mut StdRng,
    ) -> Result<(A, Change, Vec<Fact>), Error> {
        let now = snapshot.now;
        set.registry.prune(now);
        let bindings = set.registry.bindings_changed_since(&snapshot.registry, now);
        let encoded = set.registry.encode();
        let stays = snapshot.is_known() && encoded.secrets.expose() == snapshot.secrets.expose();
        let secrets = if stays {
            None
        } else {
            let place = place(&call.subject);
            let sealed = self.keyring.seal(place, &encoded.secrets, rng);
            Some(sealed.map_err(|error| Error::Internal(Box::new(error)))?)
        };
        let facts =
            serde_json::to_string(&set.facts).map_err(|error| Error::Internal(Box::new(error)))?;
        let change = Change {
            subject: call.subject.clone(),
            from_version: snapshot.version,
            now,
            secrets,
            counters: encoded.counters,
            event: Event {
                caller: call.caller.clone(),
                method,
                facts,
            },
            confirmation: set.confirmation.map(|confirmation| ConfirmationWrite {
                id: confirmation.id,
                created_at: confirmation.created_at,
                state: confirmation.phase_name(),
                body: encode(&confirmation),
            }),
            request,
            bindings,
            sms: None,
        };
        Ok((set.answer, change, set.facts))
    }

    /// Reads what a request that changes nothing looks at.
    pub(crate) async fn look(
        &self,
        subject: &SubjectId,
        confirmation: Option<ConfirmationId>,
    ) -> Result<Snapshot, Error> {
        let key = LoadKey {
            subject: subject.clone(),
            confirmation,
            request: None,
        };
        let _place = self.room.enter()?;
        let rows = self.store.load(&key).instrument(stage!("load")).await?;
        self.open(subject, &rows)
    }

    /// Opens the rows.
    pub(crate) fn open(&self, subject: &SubjectId, rows: &Rows) -> Result<Snapshot, Error> {
        let internal = |column| {
            let table = SEALED_TABLE;
            Error::from(StoreError::Inconsistent { table, column })
        };
        let (registry, secrets) = match &rows.subject {
            None => (Registry::default(), SecretBytes::new(Vec::new())),
            Some(row) => {
                let secrets = self
                    .keyring
                    .open(place(subject), &row.secrets)
                    .map_err(|error| Error::Internal(Box::new(error)))?;
                let registry = Registry::decode(&secrets, &row.counters)
                    .map_err(|error| Error::Internal(Box::new(error)))?;
                (registry, secrets)
            }
        };
        let mut confirmation: Option<Confirmation> = match &rows.confirmation {
            None => None,
            Some(body) => Some(minicbor::decode(body).map_err(|_| internal("body"))?),
        };
        if let (Some(confirmation), Some(at)) = (&mut confirmation, registry.restored_at()) {
            confirmation.void_after_restore(at);
        }
        Ok(Snapshot {
            now: rows.now,
            registry,
            confirmation,
            version: rows.subject.as_ref().map(|row| row.version),
            secrets,
        })
    }

    /// What was answered to the same request before.
    fn earlier_answer<A: for<'b> Decode<'b, ()>>(
        &self,
        record: &RequestRecord,
        call: &Call,
    ) -> Result<A, Error> {
        let message = call.body.expose();
        let is_same = self
            .keyring
            .is_mac_of(KeyUse::RequestMac, message, &record.mac);
        if !is_same {
            return Err(Error::RequestIdReused);
        }
        minicbor::decode(&record.answer).map_err(|error| Error::Internal(Box::new(error)))
    }

    fn body_mac(&self, call: &Call) -> [u8; 32] {
        self.keyring.mac(KeyUse::RequestMac, call.body.expose())
    }

    /// Finds out whether a change was written whose commit was not heard of. It is never sent
    /// again: where it cannot be found in time, the caller is told to ask again.
    async fn look_up<A: Encode<()> + CborLen<()> + for<'b> Decode<'b, ()>>(
        &self,
        key: &LoadKey,
        call: &Call,
        answer: A,
        tally: &Tally,
    ) -> Result<A, Error> {
        let found = async {
            loop {
                if let Ok(Rows {
                    request: Some(record),
                    ..
                }) = self.store.load(key).await
                {
                    return record;
                }
                tokio::time::sleep(LOOKUP_PAUSE).await;
            }
        };
        let record = timeout(LOOKUP_PATIENCE, found)
            .await
            .map_err(|_| Error::OutcomeUnknown)?;
        let stands: A = self.earlier_answer(&record, call)?;
        // Its own answer has the secrets that a stored one lacks; that of another request with the
        // same id, which came first, differs in its ids.
        let is_own = record.answer == encode(&answer);
        if is_own {
            self.outcomes.count(tally);
        }
        Ok(if is_own { answer } else { stands })
    }

    async fn pause(&self, round: u32, rng: &mut StdRng) {
        let most = LONGEST_PAUSE / 4 * 2_u32.pow(round);
        let pause = most.min(LONGEST_PAUSE).mul_f64(rng.random::<f64>());
        tokio::time::sleep(pause).await;
    }

    pub(crate) fn generator(&self) -> Result<StdRng, Error> {
        self.entropy
            .generator()
            .map_err(|error| Error::Internal(Box::new(error)))
    }
}

impl<A> ChangeSet<A> {
    /// A change of the registry, with the facts of it.
    pub(crate) const fn new(registry: Registry, facts: Vec<Fact>, answer: A) -> Self {
        Self {
            registry,
            confirmation: None,
            facts,
            answer,
        }
    }
}

impl<A> From<ChangeSet<A>> for Decision<A> {
    fn from(set: ChangeSet<A>) -> Self {
        Self::Changed(Box::new(set))
    }
}

const fn place(subject: &SubjectId) -> Place<'_> {
    Place {
        table: SEALED_TABLE,
        subject,
        column: SEALED_COLUMN,
    }
}
