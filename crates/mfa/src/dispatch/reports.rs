//! What carriers report about messages that they were given.

use std::{sync::Arc, time::Duration};

use countersign_primitives::{MessageId, SubjectId};
use metrics::counter;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::sleep,
};
use tracing::{debug, warn};

use super::{Dispatcher, LATE, chain};
use crate::{
    Error,
    note_message::Note,
    ports::sms::{Claimed, MessageMark, Report, ReportedMessage, StoredMessage},
};

/// A report may come before the answer to the submission was noted: it is looked for again.
const LOOKS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// How many reports are at work, and how many wait for their messages besides: somebody else's
/// messages, over the same account, must not keep ours from being noted.
const AT_ONCE: usize = 32;
const WAITING: usize = 4_096;

impl Dispatcher {
    /// Takes reports as they come.
    pub(super) async fn listen(self: Arc<Self>) {
        let waiting = Arc::new(Semaphore::new(WAITING));
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let report = self.carriers.report().await;
            let Ok(place) = Arc::clone(&waiting).acquire_owned().await else {
                return;
            };
            let (dispatcher, places) = (Arc::clone(&self), Arc::clone(&places));
            tokio::spawn(async move {
                if let Err(error) = dispatcher.take(&report, &places).await {
                    warn!(
                        sms.provider = %report.provider,
                        error = %chain(&error),
                        "a carrier's report could not be noted"
                    );
                }
                drop(place);
            });
        }
    }

    async fn take(&self, report: &Report, places: &Semaphore) -> Result<(), Error> {
        let Some((message, _place)) = self.find(report, places).await? else {
            counter!("countersign_sms_reports_unknown_total").increment(1);
            debug!(sms.provider = %report.provider, "a report is about no message of ours");
            return Ok(());
        };
        if !message.state.may_become(report.state) {
            return Ok(());
        }
        let carrier_id = match &report.about {
            ReportedMessage::ByCarrier(_) => None,
            ReportedMessage::Ours(_, carrier_id) => carrier_id.clone(),
        };
        let note = Note {
            identifier: message.identifier,
            mark: MessageMark {
                id: message.id,
                state: report.state,
                provider: Some(report.provider.to_string()),
                carrier_id,
            },
            reason: None,
        };
        self.note(&message.subject, note).await
    }

    /// The message of a report, which may be noted a moment later, and the place at which it was found.
    async fn find<'a>(
        &self,
        report: &Report,
        places: &'a Semaphore,
    ) -> Result<Option<(StoredMessage, Option<SemaphorePermit<'a>>)>, Error> {
        let mut pause = FIRST_PAUSE;
        for look in 0..LOOKS {
            if look > 0 {
                sleep(pause).await;
                pause *= 2;
            }
            // Nobody closes it.
            let place = places.acquire().await.ok();
            let found = match &report.about {
                ReportedMessage::ByCarrier(id) => {
                    self.outbox.sent_as(report.provider.as_str(), id).await?
                }
                ReportedMessage::Ours(id, _) => match self.owner_of(*id) {
                    Some(subject) => self.platform.store.message(&subject, *id).await?,
                    None => None,
                },
            };
            if let Some(found) = found {
                return Ok(Some((found, place)));
            }
        }
        Ok(None)
    }

    /// Remembers whose a message is that its carrier has not answered for.
    pub(super) fn remember_late(&self, claimed: &Claimed) {
        let mut late = self.late.lock().unwrap_or_else(|held| held.into_inner());
        if late.len() >= LATE {
            late.pop_front();
        }
        late.push_back((claimed.id, claimed.subject.clone()));
    }

    fn owner_of(&self, id: MessageId) -> Option<SubjectId> {
        let late = self.late.lock().unwrap_or_else(|held| held.into_inner());
        let found = late.iter().find(|(other, _)| *other == id);
        found.map(|(_, subject)| subject.clone())
    }
}
