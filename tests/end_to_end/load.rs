//! Load on gateways that fail: people who ask until they are answered, and keep a journal of what
//! they were told.

mod life;

use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, bail, ensure};
use countersign_testkit::{
    Client, Database, Person, reason_of, retry_after, v1::ConfirmationState,
};
use tokio::task::JoinHandle;
use tonic::{Code, Status};

use crate::ledger::Ledger;

/// How long a request is asked again: far longer than any failure that is made here.
const PATIENCE: u32 = 600;
const PAUSE: Duration = Duration::from_millis(100);

/// People at work.
pub(crate) struct Load {
    clients: Vec<Client>,
    /// Whether the gateways are killed: then a connection may break without an answer.
    are_killed: bool,
    answered: AtomicU64,
    refused: AtomicU64,
    is_over: AtomicBool,
    is_down: AtomicBool,
    wrong: Mutex<Vec<String>>,
    journals: Mutex<Vec<Journal>>,
}

/// What a person was told, all of it acknowledged.
pub(crate) struct Journal {
    anna: Person,
    /// How many requests changed something.
    changes: usize,
    /// The confirmations, and whether their code was accepted.
    confirmations: Vec<(String, bool)>,
    redeemed: Option<String>,
}

impl Load {
    pub(crate) fn new(clients: &[Client], are_killed: bool) -> Arc<Self> {
        Arc::new(Self {
            clients: clients.to_vec(),
            are_killed,
            answered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            is_down: AtomicBool::new(false),
            wrong: Mutex::default(),
            journals: Mutex::default(),
        })
    }

    /// Sends so many people to work, each followed by the next until the end.
    pub(crate) fn start(self: &Arc<Self>, people: usize) -> Vec<JoinHandle<()>> {
        let work = |number| {
            let load = Arc::clone(self);
            tokio::spawn(async move { load.work(number).await })
        };
        (0..people).map(work).collect()
    }

    async fn work(&self, number: usize) {
        while !self.is_over.load(Ordering::SeqCst) {
            match self.live(number).await {
                Ok(journal) => {
                    let mut journals = self.journals.lock().unwrap_or_else(PoisonError::into_inner);
                    journals.push(journal);
                }
                Err(error) => {
                    self.note(format!("{error:?}"));
                    self.end();
                }
            }
        }
    }

    /// Waits until so many more requests were answered.
    pub(crate) async fn wait_for(&self, answers: u64) -> Result<()> {
        self.wait_until_grown(&self.answered, answers).await
    }

    /// Waits until so many more requests were told to come again.
    pub(crate) async fn wait_for_refusals(&self, refusals: u64) -> Result<()> {
        self.wait_until_grown(&self.refused, refusals).await
    }

    async fn wait_until_grown(&self, count: &AtomicU64, by: u64) -> Result<()> {
        let goal = count.load(Ordering::SeqCst) + by;
        for _ in 0..60_000 {
            if count.load(Ordering::SeqCst) >= goal {
                return Ok(());
            }
            if self.is_over.load(Ordering::SeqCst) {
                return self.require_right_answers();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bail!("nothing is answered any more");
    }

    /// That what is asked from now on cannot be answered, or can again.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }

    /// That nobody new comes.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    /// Checks the journals against the database and against what the platform says now: nothing
    /// acknowledged is lost, nothing else was done, no code was accepted twice.
    pub(crate) async fn check(&self, database: &Database) -> Result<()> {
        self.require_right_answers()?;
        let ledger = Ledger::read(database)?;
        let journals = {
            let mut journals = self.journals.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *journals)
        };
        ensure!(
            journals.len() == ledger.subjects().count(),
            "people without a journal"
        );
        let mut approvals = 0;
        for journal in &journals {
            self.check_journal(journal, &ledger).await?;
            approvals += usize::from(journal.redeemed.is_some());
        }
        ensure!(
            approvals * 2 > journals.len(),
            "hardly anything was approved"
        );
        Ok(())
    }

    async fn check_journal(&self, journal: &Journal, ledger: &Ledger) -> Result<()> {
        let Journal { anna, changes, .. } = journal;
        let subject = &anna.subject;
        let found = ledger.changes(subject);
        ensure!(
            found == *changes,
            "{subject}: {changes} acknowledged, {found} found"
        );
        let told = journal
            .confirmations
            .iter()
            .filter(|(_, accepted)| *accepted)
            .count();
        let accepted = ledger.count(subject, "PROOF_ACCEPTED", "purpose", "LOGIN");
        ensure!(
            accepted <= 1,
            "{subject}: a code was accepted {accepted} times"
        );
        ensure!(
            accepted == told,
            "{subject}: {told} told, {accepted} accepted"
        );
        for (id, was_accepted) in &journal.confirmations {
            let state = anna.get(&self.clients[0], id).await?.state();
            let expected = match was_accepted {
                true if journal.redeemed.as_ref() == Some(id) => ConfirmationState::Redeemed,
                true => ConfirmationState::Approved,
                false => ConfirmationState::Pending,
            };
            ensure!(state == expected, "{subject}: {state:?}, not {expected:?}");
        }
        Ok(())
    }

    /// Sends a request until it is answered, each time to the next gateway.
    async fn ask<R, F>(
        &self,
        number: usize,
        send: impl Fn(Client) -> F,
    ) -> Result<Result<R, Status>>
    where
        F: Future<Output = Result<tonic::Response<R>, Status>>,
    {
        for again in 0..PATIENCE {
            let client = self.clients[(number + again as usize) % self.clients.len()].clone();
            let was_down = self.is_down.load(Ordering::SeqCst);
            let answer = send(client).await;
            let is_down = self.is_down.load(Ordering::SeqCst);
            match answer {
                Err(status) if self.is_passing(&status) => {
                    self.refused.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(PAUSE).await;
                }
                answer => {
                    if was_down && is_down {
                        self.note("an answer without a database".to_owned());
                    }
                    self.answered.fetch_add(1, Ordering::SeqCst);
                    return Ok(answer.map(tonic::Response::into_inner));
                }
            }
        }
        bail!("a request was never answered");
    }

    /// Whether an error says to ask again. One without a reason comes from the transport, which
    /// has one only where the gateway is killed.
    fn is_passing(&self, status: &Status) -> bool {
        let reason = reason_of(status);
        let is_retryable = matches!(status.code(), Code::Unavailable | Code::ResourceExhausted);
        if is_retryable && !reason.is_empty() && retry_after(status).is_some() {
            return true;
        }
        let is_lost = reason.is_empty();
        if is_lost && !self.are_killed {
            self.note(format!("{status:?}"));
        }
        is_lost
    }

    fn require_right_answers(&self) -> Result<()> {
        let wrong = self
            .wrong
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let some = &wrong[..wrong.len().min(5)];
        ensure!(wrong.is_empty(), "{} wrong answers: {some:#?}", wrong.len());
        Ok(())
    }

    fn note(&self, wrong: String) {
        self.wrong
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(wrong);
    }
}
