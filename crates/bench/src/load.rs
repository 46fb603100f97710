//! Load on a server: closed loop and open loop.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Result;
use hdrhistogram::Histogram;
use tokio::{
    task::JoinSet,
    time::{sleep_until, timeout},
};

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It did what it was for.
    Done,
    /// The server had no room; whether it said when to come again.
    Refused { with_retry: bool },
    /// Anything else, which a measurement must not have.
    Failed(String),
}

/// How long to let things settle, and how long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

impl Span {
    pub(crate) const fn seconds(warm_up: u64, measured: u64) -> Self {
        Self {
            warm_up: Duration::from_secs(warm_up),
            measured: Duration::from_secs(measured),
        }
    }
}

/// What was measured. Times are in microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) done: Histogram<u64>,
    pub(crate) refused: Histogram<u64>,
    pub(crate) refused_without_retry: u64,
    pub(crate) failures: BTreeMap<String, u64>,
    /// Requests that were due when an open loop had as many in flight as it can have.
    pub(crate) unsent: u64,
    pub(crate) seconds: f64,
}

/// The longest time that is told from longer ones.
const LONGEST_MICROS: u64 = 60_000_000;
/// How long an open loop waits for its last answers.
const PATIENCE: Duration = Duration::from_secs(15);
/// The most requests that an open loop has in flight. A client that queues without end measures its
/// own queue.
const MOST_IN_FLIGHT: usize = 2048;

impl Tally {
    pub(crate) fn new() -> Result<Self> {
        let histogram = Histogram::new_with_bounds(1, LONGEST_MICROS, 3)?;
        Ok(Self {
            done: histogram.clone(),
            refused: histogram,
            refused_without_retry: 0,
            failures: BTreeMap::new(),
            unsent: 0,
            seconds: 0.0,
        })
    }

    /// Requests that were done, a second.
    pub(crate) fn rate(&self) -> f64 {
        self.done.len() as f64 / self.seconds
    }

    pub(crate) fn refused_rate(&self) -> f64 {
        self.refused.len() as f64 / self.seconds
    }

    pub(crate) fn count(&mut self, reply: Reply, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(LONGEST_MICROS);
        match reply {
            Reply::Done => self.done.saturating_record(micros.max(1)),
            Reply::Refused { with_retry } => {
                self.refused.saturating_record(micros.max(1));
                self.refused_without_retry += u64::from(!with_retry);
            }
            Reply::Failed(why) => *self.failures.entry(why).or_default() += 1,
        }
    }

    fn add(&mut self, other: &Self) -> Result<()> {
        self.done.add(&other.done)?;
        self.refused.add(&other.refused)?;
        self.refused_without_retry += other.refused_without_retry;
        for (why, count) in &other.failures {
            *self.failures.entry(why.clone()).or_default() += count;
        }
        Ok(())
    }
}

/// Keeps so many requests in flight: each answer is followed by the next request. `call` is given
/// the number of its worker.
pub(crate) async fn closed<F, Fut>(in_flight: usize, span: Span, call: F) -> Result<Tally>
where
    F: Fn(usize) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Reply> + Send,
{
    let begin = Instant::now() + span.warm_up;
    let end = begin + span.measured;
    let mut workers = JoinSet::new();
    for number in 0..in_flight {
        let call = call.clone();
        let mut tally = Tally::new()?;
        workers.spawn(async move {
            loop {
                let sent = Instant::now();
                if sent >= end {
                    return tally;
                }
                let reply = call(number).await;
                let answered = Instant::now();
                if answered >= begin && answered < end {
                    tally.count(reply, answered - sent);
                }
            }
        });
    }
    let mut sum = Tally::new()?;
    while let Some(tally) = workers.join_next().await {
        sum.add(&tally?)?;
    }
    sum.seconds = span.measured.as_secs_f64();
    Ok(sum)
}

/// Sends so many requests a second, whether or not those before are answered. A request's time
/// begins when it was due, so that a server that stands still is charged for all that would have
/// come meanwhile (coordinated omission).
pub(crate) async fn open<F, Fut>(per_second: f64, span: Span, call: F) -> Result<Tally>
where
    F: Fn(usize) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Reply> + Send + 'static,
{
    const TICK: Duration = Duration::from_millis(1);
    let start = Instant::now();
    let begin = start + span.warm_up;
    let end = begin + span.measured;
    let tally = Arc::new(Mutex::new(Tally::new()?));
    let total = per_second * (span.warm_up + span.measured).as_secs_f64();
    let arrivals = {
        let tally = Arc::clone(&tally);
        // A task of its own, so that it runs where the requests do.
        tokio::spawn(async move {
            let mut requests = JoinSet::new();
            let mut sent = 0.0;
            let mut tick = start;
            while sent < total {
                let due_by_now = start.elapsed().as_secs_f64() * per_second;
                while sent < due_by_now.min(total) {
                    let due = start + Duration::from_secs_f64(sent / per_second);
                    let (call, tally) = (call.clone(), Arc::clone(&tally));
                    let number = sent as usize;
                    if requests.len() >= MOST_IN_FLIGHT {
                        if due >= begin && due < end {
                            tally.lock().unwrap_or_else(PoisonError::into_inner).unsent += 1;
                        }
                        sent += 1.0;
                        continue;
                    }
                    requests.spawn(async move {
                        let reply = call(number).await;
                        if due >= begin && due < end {
                            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                            tally.count(reply, due.elapsed());
                        }
                    });
                    sent += 1.0;
                }
                while requests.try_join_next().is_some() {}
                tick += TICK;
                sleep_until(tick.into()).await;
            }
            let answered = async { while requests.join_next().await.is_some() {} };
            if timeout(PATIENCE, answered).await.is_err() {
                let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                for _ in 0..requests.len() {
                    let never = "there was no answer".to_owned();
                    tally.count(Reply::Failed(never), PATIENCE);
                }
            }
        })
    };
    arrivals.await?;
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
    tally.seconds = span.measured.as_secs_f64();
    Ok(tally)
}
