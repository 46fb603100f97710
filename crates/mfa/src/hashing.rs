//! Argon2id runs: which are needed, their results, and the bounded pool that does them.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use countersign_backup_codes::{CodeList, NewCode, new_codes};
use countersign_pin::Pin;
use countersign_primitives::{ExposeSecret, Hash, HashCost, HashMemory, Salt, SecretString};
use countersign_security_identifiers::AuthenticatorRef;
use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use rand::CryptoRng;
use tokio::{sync::oneshot, time::Instant};

use crate::Error;

/// A run that a decision needs.
#[derive(Clone, Debug)]
pub(crate) enum HashJob {
    /// The hash of what was typed as a proof by somebody, at the salt and cost of what is kept.
    Check {
        whose: AuthenticatorRef,
        typed: SecretString,
        salt: Salt,
        cost: HashCost,
    },
    /// A new hash to keep, under a salt drawn once for the request.
    Keep {
        secret: SecretString,
        cost: HashCost,
    },
    /// A new list of backup codes, drawn once for the request, with their hashes.
    MakeCodes { count: usize, cost: HashCost },
}

/// The results at hand. They belong to one request, which has at most one proof by each
/// authenticator to check, and one PIN or list to keep: a second round finds them here unless salt
/// or cost have changed.
#[derive(Debug, Default)]
pub(crate) struct Hashes {
    checked: Vec<(AuthenticatorRef, Salt, HashCost, Hash)>,
    kept: Option<Pin>,
    made: Option<MadeCodes>,
}

/// A new list of backup codes, and the codes themselves, which are shown once.
#[derive(Debug)]
pub(crate) struct MadeCodes {
    pub(crate) codes: Vec<NewCode>,
    pub(crate) list: CodeList,
}

impl Hashes {
    /// The hash of what was typed as a proof by somebody, at this salt and cost.
    pub(crate) fn checked(
        &self,
        whose: AuthenticatorRef,
        salt: &Salt,
        cost: HashCost,
    ) -> Option<&Hash> {
        self.checked
            .iter()
            .find(|(other, with, at, _)| *other == whose && with == salt && *at == cost)
            .map(|(_, _, _, hash)| hash)
    }

    /// The new hash to keep.
    pub(crate) const fn kept(&self) -> Option<&Pin> {
        self.kept.as_ref()
    }

    /// The new list of backup codes.
    pub(crate) const fn made(&self) -> Option<&MadeCodes> {
        self.made.as_ref()
    }
}

/// Threads that do nothing but hash, as many as there are cores, each with memory of its own that
/// it keeps. They give way to all other work: what takes milliseconds by its nature can wait for
/// what takes microseconds. While there is other work, one of several threads stands still. The
/// queue before them is bounded in length and in time, so that a flood of PINs is refused and
/// everything else goes on.
#[derive(Clone, Debug)]
pub struct HashPool {
    queue: mpsc::SyncSender<Task>,
    runs: Arc<AtomicU64>,
    others: Arc<AtomicUsize>,
    meter: Meter,
}

/// What is said of the pool in metrics.
#[derive(Clone, Debug)]
struct Meter {
    length: Gauge,
    runs: Counter,
    wait: Histogram,
    full: Counter,
    late: Counter,
}

impl Meter {
    fn new() -> Self {
        describe_gauge!(
            "countersign_hash_queue_length",
            Unit::Count,
            "Hashes that wait for a thread."
        );
        describe_counter!(
            "countersign_hash_runs_total",
            Unit::Count,
            "Hashes that were begun."
        );
        describe_histogram!(
            "countersign_hash_wait_seconds",
            Unit::Seconds,
            "How long hashes waited for a thread, those given up included."
        );
        describe_counter!(
            "countersign_hash_refused_total",
            Unit::Count,
            "Hashes that were refused: the queue was full, or they had waited too long."
        );
        Self {
            length: gauge!("countersign_hash_queue_length"),
            runs: counter!("countersign_hash_runs_total"),
            wait: histogram!("countersign_hash_wait_seconds"),
            full: counter!("countersign_hash_refused_total", "reason" => "queue_full"),
            late: counter!("countersign_hash_refused_total", "reason" => "waited_too_long"),
        }
    }
}

#[derive(Debug)]
struct Task {
    secret: SecretString,
    salt: Salt,
    cost: HashCost,
    deadline: Instant,
    reply: oneshot::Sender<Hash>,
}

/// How long a run may wait for its turn. At the default cost a core does about 80 a second.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many runs may wait for each thread: what it does within [`PATIENCE`], roughly.
const QUEUE_PER_THREAD: usize = 128;
/// Leaves a thread about a tenth of a core whatever else there is to do, so that no flood of other
/// work keeps all PINs waiting.
const NICENESS: i32 = 10;

impl HashPool {
    /// Starts the threads; they end when the last handle of the pool is dropped.
    ///
    /// # Errors
    /// Those of starting a thread.
    pub fn start(threads: NonZeroUsize) -> std::io::Result<Self> {
        let (queue, tasks) = mpsc::sync_channel(threads.get() * QUEUE_PER_THREAD);
        let tasks = Arc::new(Mutex::new(tasks));
        let runs = Arc::new(AtomicU64::new(0));
        let others = Arc::<AtomicUsize>::default();
        let meter = Meter::new();
        for number in 0..threads.get() {
            let tasks = Arc::clone(&tasks);
            let runs = Arc::clone(&runs);
            let meter = meter.clone();
            let is_last_of_several = number > 0 && number + 1 == threads.get();
            let pause = is_last_of_several.then(|| Pause {
                others: Arc::clone(&others),
                is_busy: false,
            });
            thread::Builder::new()
                .name(format!("hash-{number}"))
                .spawn(move || {
                    // Where the system has no niceness for each thread, they hash all the same.
                    let _ = rustix::process::nice(NICENESS);
                    work(&tasks, &runs, &meter, pause);
                })?;
        }
        Ok(Self {
            queue,
            runs,
            others,
            meter,
        })
    }

    /// How many requests are at work other than by hashing: for those who count them.
    pub(crate) fn others(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.others)
    }

    /// How many runs were done so far.
    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Does a run and adds its result.
    pub(crate) async fn run(
        &self,
        job: HashJob,
        hashes: &mut Hashes,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        match job {
            HashJob::Check {
                whose,
                typed,
                salt,
                cost,
            } => {
                let hash = self.hash(&typed, salt, cost).await?;
                hashes.checked.push((whose, salt, cost, hash));
            }
            HashJob::Keep { secret, cost } => {
                let salt = Salt::random(rng);
                let hash = self.hash(&secret, salt, cost).await?;
                hashes.kept = Some(Pin { salt, cost, hash });
            }
            HashJob::MakeCodes { count, cost } => {
                let salt = Salt::random(rng);
                let codes = new_codes(count, rng);
                let mut list = CodeList {
                    salt,
                    cost,
                    hashes: Vec::with_capacity(count),
                };
                // One after the other: a list takes one place in the line, and each run has the
                // patience of its own.
                for code in &codes {
                    list.hashes.push(self.hash(code.plain(), salt, cost).await?);
                }
                hashes.made = Some(MadeCodes { codes, list });
            }
        }
        Ok(())
    }

    async fn hash(&self, secret: &SecretString, salt: Salt, cost: HashCost) -> Result<Hash, Error> {
        let (reply, hash) = oneshot::channel();
        let task = Task {
            secret: secret.clone(),
            salt,
            cost,
            deadline: Instant::now() + PATIENCE,
            reply,
        };
        // Before the thread can take it out again.
        self.meter.length.increment(1.0);
        self.queue.try_send(task).map_err(|_| {
            self.meter.length.decrement(1.0);
            self.meter.full.increment(1);
            Error::HashPoolBusy
        })?;
        // A dropped reply: the task waited too long, or its cost is one that cannot be run, which
        // the configuration refuses at start.
        hash.await.map_err(|_| Error::HashPoolBusy)
    }
}

/// Keeps a thread from hashing while other requests are at work. Hashes on all cores slow
/// everything else down however low their priority is: they take the memory's bandwidth.
struct Pause {
    others: Arc<AtomicUsize>,
    is_busy: bool,
}

impl Pause {
    /// Those who hash are at work too, for a moment before and after.
    const FEW: usize = 3;
    const INTERVAL: Duration = Duration::from_millis(2);
    /// So many looks in a row must find few, once there were many.
    const LOOKS: usize = 5;

    fn wait(&mut self) {
        let few = || self.others.load(Ordering::Relaxed) < Self::FEW;
        if !self.is_busy && few() {
            return;
        }
        self.is_busy = true;
        let mut looks = 0;
        while looks < Self::LOOKS {
            thread::sleep(Self::INTERVAL);
            looks = if few() { looks + 1 } else { 0 };
        }
        self.is_busy = false;
    }
}

fn work(
    tasks: &Mutex<mpsc::Receiver<Task>>,
    runs: &AtomicU64,
    meter: &Meter,
    mut pause: Option<Pause>,
) {
    let mut memory = HashMemory::default();
    loop {
        if let Some(pause) = &mut pause {
            pause.wait();
        }
        let next = tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(task) = next else { return };
        let left = task.deadline.saturating_duration_since(Instant::now());
        meter.length.decrement(1.0);
        meter.wait.record(PATIENCE.saturating_sub(left));
        if task.reply.is_closed() {
            continue;
        }
        if left.is_zero() {
            meter.late.increment(1);
            continue;
        }
        runs.fetch_add(1, Ordering::Relaxed);
        meter.runs.increment(1);
        let secret = task.secret.expose_secret().as_bytes();
        if let Ok(hash) = memory.run(secret, &task.salt, task.cost) {
            // An asker that has gone meanwhile needs no answer.
            let _ = task.reply.send(hash);
        }
    }
}
