//! What carriers report about messages that they were given.

use std::{sync::Arc, time::Duration};

use countersign_primitives::{MessageId, SubjectId};
use metrics::counter;
use tokio::{sync::Semaphore, time::sleep};
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
/// How many reports are at work.
const AT_ONCE: usize = 32;

impl Dispatcher {
    /// Takes reports as they come.
    pub(super) async fn listen(self: Arc<Self>) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let report = self.carriers.report().await;
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let dispatcher = Arc::clone(&self);
            tokio::spawn(async move {
                if let Err(error) = dispatcher.take(&report).await {
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

    async fn take(&self, report: &Report) -> Result<(), Error> {
        let Some(message) = self.find(report).await? else {
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

    /// The message of a report, which may be noted a moment later.
    async fn find(&self, report: &Report) -> Result<Option<StoredMessage>, Error> {
        let mut pause = FIRST_PAUSE;
        for look in 0..LOOKS {
            if look > 0 {
                sleep(pause).await;
                pause *= 2;
            }
            let found = match &report.about {
                ReportedMessage::ByCarrier(id) => {
                    self.outbox.sent_as(report.provider.as_str(), id).await?
                }
                ReportedMessage::Ours(id, _) => match self.owner_of(*id) {
                    Some(subject) => self.platform.store.message(&subject, *id).await?,
                    None => None,
                },
            };
            if found.is_some() {
                return Ok(found);
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
