//! Aggregators that are spoken to by HTTP: one request a message.

mod answer;
mod client;
mod request;
mod template;

use std::{path::Path, sync::Arc, time::Duration};

use countersign_mfa::ports::sms::{
    MessageState, Outgoing, ProviderName, Report, ReportedMessage, Submission,
};
use countersign_primitives::MessageId;
use reqwest::{
    Client, Request, Response,
    header::{HeaderName, RETRY_AFTER},
};
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use self::{
    answer::{Answer, Meaning},
    request::Blueprint,
};
pub(crate) use self::{
    answer::{as_text, check_pointer, is_id},
    client::address,
};
use crate::settings::{Checked, HttpSettings, Place, Secrets};

/// How long an answer may take that is not waited for any more. It tells what became of a message
/// of which nothing is known.
const LATE: Duration = Duration::from_secs(60);

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// A provider that is spoken to by HTTP.
pub(crate) struct Http {
    blueprint: Blueprint,
    timeout: Duration,
    line: Arc<Line>,
}

/// What a request needs once it is made.
struct Line {
    provider: ProviderName,
    client: Client,
    meaning: Meaning,
    reports: mpsc::Sender<Report>,
}

impl Http {
    /// Reads what the settings name, and makes a message of samples. Nothing is sent.
    ///
    /// # Errors
    /// The first key that is wrong, and what would be right.
    pub(crate) fn open(
        settings: &HttpSettings,
        provider: ProviderName,
        folder: &Path,
        reports: mpsc::Sender<Report>,
        place: &Place,
    ) -> Checked<Self> {
        if !(1..=LATE.as_secs()).contains(&settings.timeout_seconds) {
            let rule = format!(
                "must be 1 to {}, and is {}",
                LATE.as_secs(),
                settings.timeout_seconds
            );
            return Err(place.key("timeout_seconds").wrong(&rule));
        }
        let timeout = Duration::from_secs(settings.timeout_seconds);
        let secrets = read_secrets(settings, folder, place)?;
        let ca_file = settings.ca_file.as_ref().map(|path| folder.join(path));
        // Half of it, so that a connection that is not made is told from an answer that is late.
        let client = client::client(ca_file.as_deref(), timeout / 2, place)?;
        Ok(Self {
            blueprint: Blueprint::new(settings, &secrets, folder, &client, place)?,
            timeout,
            line: Arc::new(Line {
                provider,
                client,
                meaning: Meaning::new(settings, place)?,
                reports,
            }),
        })
    }

    /// Gives a message to the provider. The request goes on where this is not polled any more.
    pub(crate) async fn submit(&self, message: &Outgoing) -> Submission {
        let Some(request) = self.blueprint.request(&self.line.client, message) else {
            return Submission::Refused("the request cannot be made".to_owned());
        };
        let (line, id) = (Arc::clone(&self.line), message.id);
        let (answered, mut answer) = oneshot::channel();
        tokio::spawn(async move {
            let outcome = timeout(LATE, line.exchange(request)).await;
            let outcome = outcome.unwrap_or(Submission::TimedOut);
            if let Err(late) = answered.send(outcome) {
                line.report(id, late).await;
            }
        });
        match timeout(self.timeout, &mut answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Submission::Cut("the request was given up".to_owned()),
            Err(_) => {
                // From here on an answer is late; one that has just come is not.
                answer.close();
                answer.try_recv().unwrap_or(Submission::TimedOut)
            }
        }
    }
}

impl Line {
    async fn exchange(&self, request: Request) -> Submission {
        match self.client.execute(request).await {
            Ok(response) => self.meaning.of(&read(response).await),
            // What the error says is not told: it has the address, and with it secrets.
            Err(error) if error.is_connect() => Submission::Unreachable(why(&error).to_owned()),
            Err(error) if error.is_builder() => {
                Submission::Refused("the request cannot be made".to_owned())
            }
            Err(_) => Submission::Cut("no answer".to_owned()),
        }
    }

    /// Reports what came of a message after it was not waited for any more.
    async fn report(&self, id: MessageId, late: Submission) {
        let (state, name) = match late {
            Submission::Accepted { carrier_id } => (MessageState::Sent, carrier_id),
            Submission::Unreachable(_)
            | Submission::Throttled(_)
            | Submission::Refused(_)
            | Submission::BadNumber(_) => (MessageState::Failed, None),
            // As little is known as before.
            Submission::Cut(_) | Submission::TimedOut => return,
        };
        let report = Report {
            provider: self.provider.clone(),
            about: ReportedMessage::Ours(id, name),
            state,
        };
        // It fails when there are no providers any more, and nobody to tell.
        let _ = self.reports.send(report).await;
    }
}

/// Reads an answer; a body that is too long, that is cut or that is no JSON is none.
async fn read(mut response: Response) -> Answer {
    let (status, says_when) = (
        response.status().as_u16(),
        response.headers().contains_key(RETRY_AFTER),
    );
    let mut body = Vec::new();
    let is_whole = loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > MAX_ANSWER => break false,
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    let body = serde_json::from_slice::<Value>(&body).ok();
    Answer {
        status,
        says_when,
        body: body.filter(|_| is_whole),
    }
}

fn why(error: &reqwest::Error) -> &'static str {
    if error.is_dns() {
        "no such host"
    } else if error.is_timeout() {
        "no connection in time"
    } else {
        "no connection"
    }
}

fn read_secrets(settings: &HttpSettings, folder: &Path, place: &Place) -> Checked<Secrets> {
    let named = settings.secrets.iter();
    named
        .map(|(name, source)| {
            let place = place.key("secrets").key(name);
            Ok((name.clone(), source.read(folder, &place)?))
        })
        .collect()
}

/// A header that is named in the configuration.
pub(crate) fn header_name(name: &str, place: &Place) -> Checked<HeaderName> {
    HeaderName::try_from(name).map_err(|_| {
        let rule = format!("must be a header's name such as \"X-Id\", and is {name:?}");
        place.wrong(&rule)
    })
}
