//! The one mechanism: load, decide, apply.
//!
//! [`Platform::run`] is the whole story of every request that checks or changes something; the
//! use cases beside it only say what to decide.

mod rows;
mod use_case;

use std::{sync::Arc, time::Duration};

use countersign_keyring::{KeyUse, Keyring};
use countersign_primitives::{ConfirmationId, RequestId, SubjectId, encode};
use minicbor::{CborLen, Decode, Encode};
use rand::{RngExt, rngs::StdRng};
use tokio::{sync::Notify, time::timeout};
use tracing::Instrument as _;

pub use self::use_case::Call;
pub(crate) use self::use_case::{ChangeSet, Context, Decision, Snapshot, UseCase};
use crate::{
    Entropy, Error, HashPool, Settings,
    hashing::{HashJob, Hashes},
    outcomes::{Outcomes, Tally},
    ports::{
        Applied, Change, LoadKey, RequestKey, RequestRecord, RequestWrite, Rows, Store, StoreError,
        sms::SharedKey,
    },
    queue::SubjectQueue,
    room::{Place, Room},
    shared::Shared,
};

/// Optimistic rounds before the subject's row is locked. Pure optimism lives badly: 64 requests
/// in flight on one subject were seen to lose hundreds of races in a row.
const OPTIMISTIC_ROUNDS: u32 = 3;
/// Rounds with the row locked. One is enough unless a first write or another hash comes between, or
/// what was chosen of the rows that subjects share is used up meanwhile.
const LOCKED_ROUNDS: u32 = 8;
/// The longest pause after a lost race; the pause is random and doubles from a quarter of it.
const LONGEST_PAUSE: Duration = Duration::from_millis(8);
/// For how long, and with which pause, the fate of a change is looked up after a lost connection:
/// long enough for a failover's first moments, and so short that the caller still listens.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(3);
const LOOKUP_PAUSE: Duration = Duration::from_millis(100);

/// How long the record of a request without an id of its caller is kept: only this gateway knows
/// the id that it drew, and looks it up at once after a lost connection or never.
const UNNAMED_REQUEST_LIFE: Duration = Duration::from_secs(60);

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
    /// Rung when a message was queued.
    pub(crate) outbox_bell: Notify,
}

/// One round's outcome before anything is written.
enum Step<A> {
    Answer(A),
    Missing(Missing),
    LookAgain,
    Apply(Box<Prepared>, A),
}

/// What a decision lacks.
enum Missing {
    Hash(HashJob),
    Shared(SharedKey),
}

/// What an optimistic round led to.
enum Round<A> {
    Answer(A),
    Missed,
    ToLock,
}

/// A request under way, and what was found out for it so far.
struct Work<'a, U> {
    call: &'a Call,
    key: LoadKey,
    use_case: &'a U,
    hashes: Hashes,
    shared: Option<Shared>,
    rng: StdRng,
}

impl<U> Work<'_, U> {
    /// Whether a change is a choice among rows that were only looked at, and not yet the change to
    /// make.
    fn chooses(&mut self, change: &Change) -> bool {
        let shared = self.shared.as_mut();
        shared.is_some_and(|looked| looked.choose(change))
    }
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
            outbox_bell: Notify::new(),
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
        // What a carrier has done is noted also while others are refused: a message that is not known
        // to be sent is sent again.
        let (_turn, mut place) = if use_case.is_note() {
            let turn = self.queue.turn_of_note(&call.subject).await?;
            (turn, self.room.let_in())
        } else {
            let turn = self.queue.turn(&call.subject).await?;
            (turn, self.room.enter()?)
        };
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
        let mut work = Work {
            call,
            key,
            use_case,
            hashes: Hashes::default(),
            shared: None,
            rng,
        };
        for round in 0..OPTIMISTIC_ROUNDS {
            match self.optimistic_round(&mut work, &mut place).await? {
                Round::Answer(answer) => return Ok(answer),
                Round::Missed => self.pause(round, &mut work.rng).await,
                // What subjects share is spent of under locks alone.
                Round::ToLock => break,
            }
        }
        for _ in 0..LOCKED_ROUNDS {
            if let Some(answer) = self.locked_round(&mut work, &mut place).await? {
                return Ok(answer);
            }
        }
        Err(Error::SubjectBusy)
    }

    /// Decides from the rows as they are, and applies where they still are so.
    async fn optimistic_round<U: UseCase>(
        &self,
        work: &mut Work<'_, U>,
        place: &mut Place<'_>,
    ) -> Result<Round<U::Answer>, Error> {
        let rows = self.store.load(&work.key);
        let rows = rows.instrument(stage!("load")).await?;
        let (prepared, answer) = loop {
            match self.consider(&rows, work)? {
                Step::Answer(answer) => return Ok(Round::Answer(answer)),
                Step::LookAgain => return Err(Error::SubjectBusy),
                Step::Apply(prepared, answer) => break (*prepared, answer),
                Step::Missing(missing) => self.provide(missing, work, place).await?,
            }
        };
        if work.chooses(&prepared.change) {
            return Ok(Round::ToLock);
        }
        let applied = self.store.apply(prepared.change);
        let applied = applied.instrument(stage!("apply")).await;
        let outcome = self.outcome(applied, answer, &prepared.tally, work).await?;
        Ok(outcome.map_or(Round::Missed, Round::Answer))
    }

    /// Decides from rows that nobody else can change, and applies; `None` where something was missing
    /// for it.
    async fn locked_round<U: UseCase>(
        &self,
        work: &mut Work<'_, U>,
        place: &mut Place<'_>,
    ) -> Result<Option<U::Answer>, Error> {
        let taken = self.store.lock(&work.key);
        let (rows, mut lock) = taken.instrument(stage!("load")).await?;
        if let Some(shared) = &mut work.shared
            && let Some(wanted) = shared.to_lock()
        {
            let taken = lock.shared(&work.call.subject, wanted);
            match taken.instrument(stage!("load")).await {
                Ok(rows) => shared.lock(rows),
                Err(error) => {
                    lock.release().await?;
                    return Err(error.into());
                }
            }
        }
        match self.consider(&rows, work) {
            Ok(Step::Apply(prepared, answer)) if !work.chooses(&prepared.change) => {
                let Prepared { change, tally } = *prepared;
                let applied = lock.apply(change).instrument(stage!("apply")).await;
                self.outcome(applied, answer, &tally, work).await
            }
            other => {
                lock.release().await?;
                match other? {
                    Step::Answer(answer) => return Ok(Some(answer)),
                    Step::Missing(missing) => self.provide(missing, work, place).await?,
                    Step::LookAgain => work.shared = None,
                    // It was a choice, and what was chosen is to be locked.
                    Step::Apply(..) => {}
                }
                Ok(None)
            }
        }
    }

    /// Gets what a decision lacks.
    async fn provide<U>(
        &self,
        missing: Missing,
        work: &mut Work<'_, U>,
        place: &mut Place<'_>,
    ) -> Result<(), Error> {
        match missing {
            Missing::Hash(job) => {
                let run = self.pool.run(job, &mut work.hashes, &mut work.rng);
                place.outside(run).instrument(stage!("hash")).await?;
            }
            Missing::Shared(wanted) => {
                let rows = self.store.shared(&work.call.subject, &wanted);
                let rows = rows.instrument(stage!("load")).await?;
                work.shared = Some(Shared::looked(wanted, rows));
            }
        }
        Ok(())
    }

    /// What came of applying; `None` where the guard was missed.
    async fn outcome<U: UseCase>(
        &self,
        applied: Result<Applied, StoreError>,
        answer: U::Answer,
        tally: &Tally,
        work: &Work<'_, U>,
    ) -> Result<Option<U::Answer>, Error> {
        match applied {
            Ok(Applied::Written) => Ok(Some(self.written(answer, tally))),
            Ok(Applied::GuardMissed) => Ok(None),
            Err(StoreError::OutcomeUnknown(_)) => {
                let found = self.look_up(&work.key, work.call, answer, tally).await;
                found.map(Some)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The pure middle of a round: the earlier answer, the hashes that are missing, or the change.
    fn consider<U: UseCase>(
        &self,
        rows: &Rows,
        work: &mut Work<'_, U>,
    ) -> Result<Step<U::Answer>, Error> {
        let _stage = stage!("decide").entered();
        let Work {
            call,
            key,
            use_case,
            hashes,
            shared,
            rng,
        } = work;
        let (call, shared) = (*call, shared.as_ref());
        if let Some(record) = &rows.request {
            return Ok(Step::Answer(self.earlier_answer(record, call)?));
        }
        let snapshot = self.open(&call.subject, rows)?;
        let settings = &self.settings;
        let context = Context {
            call,
            settings,
            keyring: &self.keyring,
            shared,
        };
        if let Some(job) = use_case.hash_job(&snapshot, &context, hashes) {
            return Ok(Step::Missing(Missing::Hash(job)));
        }
        if shared.is_none()
            && let Some(wanted) = use_case.shared(&snapshot, &context)?
        {
            return Ok(Step::Missing(Missing::Shared(wanted)));
        }
        match use_case.decide(&snapshot, &context, hashes, rng)? {
            Decision::Unchanged(answer) => Ok(Step::Answer(answer)),
            Decision::LookAgain => Ok(Step::LookAgain),
            Decision::Changed(set) => {
                let record = RequestRecord {
                    mac: self.body_mac(call).to_vec(),
                    answer: encode(&set.answer),
                };
                let named = key.request.clone().filter(|_| set.is_kept);
                let request = named.map(|key| RequestWrite {
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
                let has_message = change.sms.as_ref().is_some_and(|sms| sms.message.is_some());
                let tally = Tally {
                    facts,
                    before,
                    has_message,
                };
                Ok(Step::Apply(Box::new(Prepared { change, tally }), answer))
            }
        }
    }

    /// What follows a change, once it is written.
    fn written<A>(&self, answer: A, tally: &Tally) -> A {
        self.outcomes.count(tally);
        if tally.has_message {
            self.outbox_bell.notify_one();
        }
        answer
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
        Ok(if is_own {
            self.written(answer, tally)
        } else {
            stands
        })
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
