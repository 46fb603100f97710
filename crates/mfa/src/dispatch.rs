//! Sends what waits in the outbox, and notes what carriers report.
//!
//! A message is claimed for a while, so that no two gateways send it; noted as under way before a
//! carrier is given it, so that whoever finds it later knows that one may have it; and noted as sent
//! after. What is told of it is `note_message`'s.

mod progress;
mod reports;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use countersign_primitives::{MessageId, SubjectId, Timestamp};
use metrics::{Gauge, Unit, describe_gauge, gauge};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};
use tracing::{error, info, warn};

use self::progress::Progress;
use crate::{
    Error, Platform, SmsSettings,
    letter::Letter,
    note_message::Note,
    ports::{
        StoreError,
        sms::{
            Carriers, Claimed, MessageMark, MessageState, Outbox, Outgoing, ProviderName, Requeue,
            Submission,
        },
    },
};

/// How many messages one gateway has under way.
const AT_ONCE: usize = 64;
/// For how long a message is one gateway's. It is renewed while a carrier is waited for.
const LEASE: Duration = Duration::from_secs(60);
/// How often it is looked for messages that nobody rang for, such as those of a gateway that died.
const PATROL: Duration = Duration::from_secs(1);
/// The pause before a message is tried again, which doubles each time up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How many late messages are remembered, whose carrier may still answer.
const LATE: usize = 10_000;

/// Sends messages, in every gateway.
pub struct Dispatcher {
    platform: Arc<Platform>,
    outbox: Arc<dyn Outbox>,
    carriers: Arc<dyn Carriers>,
    /// Whose messages were given to a carrier that has not answered.
    late: Mutex<VecDeque<(MessageId, SubjectId)>>,
    waiting: Gauge,
    oldest: Gauge,
}

/// What became of one try.
enum Tried {
    /// It is settled.
    Settled(Ending),
    /// It is to be tried again.
    Again(Progress),
    /// It is not ours any more.
    Lost,
}

/// How sending a message ended.
struct Ending {
    state: MessageState,
    /// The provider that has it, or may have.
    provider: Option<ProviderName>,
    /// What that one calls it.
    carrier_id: Option<String>,
    /// Why, in the carrier's terms.
    reason: Option<String>,
}

impl Ending {
    const fn new(state: MessageState, provider: Option<ProviderName>) -> Self {
        Self {
            state,
            provider,
            carrier_id: None,
            reason: None,
        }
    }

    fn because(self, reason: impl Into<Option<String>>) -> Self {
        Self {
            reason: reason.into(),
            ..self
        }
    }
}

impl Dispatcher {
    /// A dispatcher over an outbox and carriers.
    pub fn new(
        platform: Arc<Platform>,
        outbox: Arc<dyn Outbox>,
        carriers: Arc<dyn Carriers>,
    ) -> Self {
        describe_gauge!(
            "countersign_sms_waiting",
            Unit::Count,
            "Messages that wait to be sent, or are under way."
        );
        describe_gauge!(
            "countersign_sms_oldest_seconds",
            Unit::Seconds,
            "How long the oldest message that waits has waited."
        );
        Self {
            platform,
            outbox,
            carriers,
            late: Mutex::default(),
            waiting: gauge!("countersign_sms_waiting"),
            oldest: gauge!("countersign_sms_oldest_seconds"),
        }
    }

    /// Sends and listens until `stop`, which says how long what is under way then may still take.
    /// What takes longer is left as by a gateway that died: it is taken up when its lease ends.
    pub async fn run(self: Arc<Self>, stop: impl Future<Output = Duration> + Send) {
        let listener = tokio::spawn(Arc::clone(&self).listen());
        let mut under_way = JoinSet::new();
        tokio::pin!(stop);
        let left = loop {
            let free = AT_ONCE.saturating_sub(under_way.len());
            let claimed = match self.claim(free).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    warn!(error = %chain(&error), "the outbox cannot be read: it is tried again");
                    Vec::new()
                }
            };
            let is_full = claimed.len() == free;
            for claimed in claimed {
                under_way.spawn(Arc::clone(&self).process(claimed));
            }
            tokio::select! {
                () = self.platform.outbox_bell.notified() => {}
                () = tokio::time::sleep(PATROL) => {}
                Some(_) = under_way.join_next(), if is_full => {}
                left = &mut stop => break left,
            }
            while under_way.try_join_next().is_some() {}
        };
        let ended = async { while under_way.join_next().await.is_some() {} };
        if timeout(left, ended).await.is_err() {
            warn!(
                sms.messages = under_way.len(),
                "carriers have not answered: these messages are taken up when their leases end"
            );
        }
        listener.abort();
    }

    async fn claim(&self, most: usize) -> Result<Vec<Claimed>, StoreError> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        self.outbox.claim(most, LEASE).await
    }

    /// Measures what waits: for whoever collects metrics.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn measure(&self, now: Timestamp) -> Result<(), StoreError> {
        let waiting = self.outbox.waiting().await?;
        // Metrics are floating-point numbers, and nobody has so many messages.
        #[expect(clippy::cast_precision_loss, reason = "a count of messages")]
        self.waiting.set(waiting.messages as f64);
        let age = waiting
            .oldest
            .map_or(Duration::ZERO, |oldest| oldest.until(now));
        self.oldest.set(age.as_secs_f64());
        Ok(())
    }

    /// Sends one message that was claimed, or gives it back.
    async fn process(self: Arc<Self>, claimed: Claimed) {
        let since = Instant::now();
        let outcome = self.attempt(&claimed, since).await;
        let noted = match outcome {
            Ok(Tried::Lost) => Ok(()),
            Ok(Tried::Again(progress)) => self.give_back(&claimed, progress, since).await,
            Ok(Tried::Settled(ending)) => self.settle(&claimed, ending).await,
            // Nothing was given to a carrier since it was claimed, but to those who will not take it.
            Err(error) => {
                warn!(
                    message.id = %claimed.id,
                    error = %chain(&error),
                    "a message could not be read or noted: it is tried again soon"
                );
                let progress = Progress::decode(&claimed.progress);
                self.give_back(&claimed, progress, since).await
            }
        };
        if let Err(error) = noted {
            error!(
                message.id = %claimed.id,
                error = %chain(&error),
                "a message cannot be sent now: it is tried again when its lease ends"
            );
        }
    }

    async fn attempt(&self, claimed: &Claimed, since: Instant) -> Result<Tried, Error> {
        let is_over = claimed.expires_at <= claimed.now;
        let mut progress = Progress::decode(&claimed.progress);
        if claimed.state == MessageState::Sending {
            // Whoever had it died at it, and its provider may have it.
            let provider = claimed.provider.as_ref().and_then(|name| name.parse().ok());
            return Ok(match provider {
                Some(provider) if !is_over && progress.may_repeat(&provider) => {
                    Tried::Again(progress)
                }
                provider => Tried::Settled(Ending::new(MessageState::Unknown, provider)),
            });
        }
        let failed = |reason: &str| given_up(&progress, Some(reason.to_owned()));
        if is_over {
            return Ok(failed("expired"));
        }
        let Some(sms) = self.platform.settings().sms.as_deref() else {
            return Ok(failed("no provider"));
        };
        let letter = self.platform.open_letter(claimed)?;
        let mut providers = self.carriers.route(&letter.number, claimed.id);
        if providers.is_empty() {
            return Ok(failed("no provider for this country"));
        }
        if let Some(pinned) = progress.pinned() {
            // Another provider would make two messages of one that the first may have.
            providers.retain(|provider| provider.as_str() == pinned);
            if providers.is_empty() {
                return Ok(given_up(&progress, None));
            }
        }
        self.try_each(claimed, &letter, sms, providers, progress, since)
            .await
    }

    async fn try_each(
        &self,
        claimed: &Claimed,
        letter: &Letter,
        sms: &SmsSettings,
        providers: Vec<ProviderName>,
        mut progress: Progress,
        since: Instant,
    ) -> Result<Tried, Error> {
        let mut last_reason = None;
        let mut may_pass_later = false;
        for provider in providers {
            if progress.has_refused(&provider) {
                continue;
            }
            let now = claimed.now.plus(since.elapsed());
            let validity = now.until(claimed.expires_at);
            let name = provider.as_str();
            if validity.is_zero() || !self.outbox.begin_attempt(claimed, name, LEASE).await? {
                return Ok(Tried::Lost);
            }
            let outgoing = Outgoing {
                id: claimed.id,
                number: letter.number.clone(),
                text: letter.render(&sms.texts, &claimed.subject).text,
                validity,
            };
            let submission = self.carriers.submit(&provider, &outgoing);
            let renew = || self.renew(claimed, name);
            let submission = holding(submission, renew).await;
            info!(
                message.id = %claimed.id,
                sms.provider = %provider,
                sms.outcome = outcome_name(&submission),
                "a message was given to a provider"
            );
            let ends = |state| Ending::new(state, Some(provider.clone()));
            match submission {
                Submission::Accepted { carrier_id } => {
                    return Ok(Tried::Settled(Ending {
                        carrier_id,
                        ..ends(MessageState::Sent)
                    }));
                }
                Submission::BadNumber(reason) => {
                    let ending = ends(MessageState::Failed).because(reason);
                    return Ok(Tried::Settled(ending));
                }
                Submission::TimedOut => {
                    self.remember_late(claimed);
                    return Ok(Tried::Settled(ends(MessageState::Unknown)));
                }
                Submission::Cut(_) if progress.may_repeat(&provider) => {
                    return Ok(Tried::Again(progress));
                }
                Submission::Cut(reason) => {
                    let ending = ends(MessageState::Unknown).because(reason);
                    return Ok(Tried::Settled(ending));
                }
                Submission::Refused(reason) => {
                    progress.refuse(&provider);
                    last_reason = Some(reason);
                }
                Submission::Throttled(reason) | Submission::Unreachable(reason) => {
                    may_pass_later = true;
                    last_reason = Some(reason);
                }
            }
        }
        Ok(if may_pass_later {
            Tried::Again(progress)
        } else {
            given_up(&progress, last_reason)
        })
    }

    async fn renew(&self, claimed: &Claimed, provider: &str) {
        let renewed = self.outbox.begin_attempt(claimed, provider, LEASE).await;
        if let Err(error) = renewed {
            warn!(message.id = %claimed.id, error = %chain(&error), "a lease was not renewed");
        }
    }

    /// Gives a message back, to be tried again while its code lives.
    async fn give_back(
        &self,
        claimed: &Claimed,
        mut progress: Progress,
        since: Instant,
    ) -> Result<(), Error> {
        let doublings = progress.count_try().min(8);
        let pause = (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE);
        let due_at = claimed.now.plus(since.elapsed() + pause);
        let due_at = if due_at < claimed.expires_at {
            due_at
        } else {
            // Nothing is sent then: it is found to be over.
            claimed.expires_at
        };
        let requeue = Requeue {
            due_at,
            progress: progress.encode(),
        };
        self.outbox.requeue(claimed, &requeue).await?;
        Ok(())
    }

    async fn settle(&self, claimed: &Claimed, ending: Ending) -> Result<(), Error> {
        let note = Note {
            identifier: claimed.identifier,
            mark: MessageMark {
                id: claimed.id,
                state: ending.state,
                provider: ending.provider.map(|provider| provider.to_string()),
                carrier_id: ending.carrier_id,
            },
            reason: ending.reason,
        };
        self.note(&claimed.subject, note).await
    }

    /// Notes what became of a message. The subject's own requests may be in the way for a while.
    async fn note(&self, subject: &SubjectId, note: Note) -> Result<(), Error> {
        let mut pause = Duration::from_millis(100);
        for _ in 0..8 {
            match self.platform.note_message(subject, note.clone()).await {
                Err(Error::SubjectBusy | Error::ServerBusy | Error::Unavailable(_)) => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                other => return other,
            }
        }
        self.platform.note_message(subject, note).await
    }
}

/// What becomes of a message that is not tried any more: it has failed, unless a provider may have it
/// from before.
fn given_up(progress: &Progress, reason: Option<String>) -> Tried {
    let provider = progress.pinned().and_then(|provider| provider.parse().ok());
    Tried::Settled(Ending::new(progress.ending(), provider).because(reason))
}

/// Waits for a carrier, which may be given long texts in parts, each after waiting for a turn; and
/// renews the lease meanwhile, so that nobody else gives it the same message.
async fn holding<T, R>(submission: impl Future<Output = T>, renew: impl Fn() -> R) -> T
where
    R: Future<Output = ()>,
{
    tokio::pin!(submission);
    loop {
        tokio::select! {
            submission = &mut submission => return submission,
            () = tokio::time::sleep(LEASE / 3) => renew().await,
        }
    }
}

const fn outcome_name(submission: &Submission) -> &'static str {
    match submission {
        Submission::Accepted { .. } => "accepted",
        Submission::Unreachable(_) => "unreachable",
        Submission::Throttled(_) => "throttled",
        Submission::Refused(_) => "refused",
        Submission::BadNumber(_) => "bad number",
        Submission::Cut(_) => "cut",
        Submission::TimedOut => "timed out",
    }
}

/// An error with what is behind it.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

#[cfg(test)]
mod tests;
