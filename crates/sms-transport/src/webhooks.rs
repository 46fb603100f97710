//! What providers report by themselves: requests that they sign.
//!
//! A report is taken when its signature is right, when it is fresh (where the format says when it
//! was made), and once. The answer is 204 when it was handed on.

mod check;
mod seen;

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Path as Named, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use countersign_mfa::ports::sms::{MessageState, ProviderName, Report, ReportedMessage};
use countersign_primitives::{SecretString, Timestamp};
use serde_json::{Map, Value};
use tokio::{
    sync::mpsc::{Sender, error::TrySendError},
    time::timeout,
};

use self::{
    check::{Check, Fault},
    seen::Seen,
};
use crate::{
    Providers, counts,
    http::{address, as_text, check_pointer, header_name, is_id},
    settings::{Checked, Format, Place, WebhookSettings},
};

/// The longest report that is read, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// How long a report may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// What takes the reports of these providers: `POST /sms/{provider}`.
pub fn router(providers: &Providers) -> Router {
    Router::new()
        .route("/sms/{provider}", post(receive))
        .with_state(providers.clone())
}

/// The webhook of a provider.
pub(crate) struct Webhook {
    check: Check,
    format: Format,
    message_id: String,
    state: String,
    states: Vec<(String, MessageState)>,
    seen: Mutex<Seen>,
}

/// What became of a request to a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Its report was handed on.
    Reported,
    /// It is genuine, and says nothing that matters here.
    Ignored,
    /// Its signature is wrong.
    Forged,
    /// It is too old, or of a time that has not come.
    Late,
    /// It was taken before.
    Replayed,
    /// It does not say what it should.
    Malformed,
    /// It is too long, or took too long to arrive.
    Unread,
    /// No provider here has such a webhook.
    Unknown,
    /// Reports come faster than they are taken in.
    Busy,
}

impl Taken {
    /// Its status and its name in the metrics.
    const fn told(self) -> (StatusCode, &'static str) {
        match self {
            Self::Reported => (StatusCode::NO_CONTENT, "reported"),
            Self::Ignored => (StatusCode::NO_CONTENT, "ignored"),
            Self::Forged => (StatusCode::FORBIDDEN, "forged"),
            Self::Late => (StatusCode::FORBIDDEN, "late"),
            Self::Replayed => (StatusCode::CONFLICT, "replayed"),
            Self::Malformed => (StatusCode::BAD_REQUEST, "malformed"),
            Self::Unread => (StatusCode::PAYLOAD_TOO_LARGE, "unread"),
            Self::Unknown => (StatusCode::NOT_FOUND, "unknown"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        }
    }
}

async fn receive(
    State(providers): State<Providers>,
    Named(name): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> StatusCode {
    let Some(name) = providers.webhook_of(&name) else {
        // The name is anybody's, so it is no label.
        counts::webhook("", Taken::Unknown.told().1);
        return StatusCode::NOT_FOUND;
    };
    let taken = match timeout(PATIENCE, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => providers.take(&name, &headers, &body),
        _ => Taken::Unread,
    };
    let (status, outcome) = taken.told();
    counts::webhook(name.as_str(), outcome);
    if matches!(taken, Taken::Forged | Taken::Late | Taken::Malformed) {
        tracing::warn!(sms.provider = %name, webhook.outcome = outcome, "a webhook was refused");
    }
    status
}

impl Webhook {
    /// That of an aggregator by configuration.
    pub(crate) fn signed(
        settings: &WebhookSettings,
        folder: &Path,
        place: &Place,
    ) -> Checked<Self> {
        let pointers = [
            ("message_id", &settings.message_id),
            ("state", &settings.state),
        ];
        for (key, pointer) in pointers {
            check_pointer(pointer, &place.key(key))?;
        }
        if settings.delivered.is_empty() && settings.failed.is_empty() {
            return Err(place.wrong("needs the states that mean delivered, or failed"));
        }
        let check = Check::Signed {
            secret: settings.secret.read(folder, &place.key("secret"))?,
            signature: header_name(&settings.signature_header, &place.key("signature_header"))?,
            timestamp: header_name(&settings.timestamp_header, &place.key("timestamp_header"))?,
            separator: settings.separator.clone(),
        };
        let states = [
            (&settings.sent, MessageState::Sent),
            (&settings.delivered, MessageState::Delivered),
            (&settings.failed, MessageState::Failed),
        ];
        let states = states.into_iter().flat_map(|(names, state)| {
            let names = names.iter();
            names.map(move |name| (name.clone(), state))
        });
        Ok(Self {
            check,
            format: settings.format,
            message_id: settings.message_id.clone(),
            state: settings.state.clone(),
            states: states.collect(),
            seen: Mutex::default(),
        })
    }

    /// That of Twilio: what it calls a status callback. It reaches us at `public_url`.
    pub(crate) fn twilio(token: SecretString, public_url: &str, place: &Place) -> Checked<Self> {
        let place = place.key("public_url");
        address(public_url, &place)?;
        let url = public_url.to_owned();
        Ok(Self::form(
            Check::Twilio { token, url },
            ["/MessageSid", "/MessageStatus"],
            &[
                (MessageState::Sent, &["queued", "sending", "sent"]),
                (MessageState::Delivered, &["delivered", "read"]),
                (MessageState::Failed, &["undelivered", "failed", "canceled"]),
            ],
        ))
    }

    /// That of SMSC: a call of the client's handler, with `sha1`.
    pub(crate) fn smsc(secret: SecretString) -> Self {
        Self::form(
            Check::Smsc { secret },
            ["/id", "/status"],
            &[
                (MessageState::Sent, &["-1", "0"]),
                (MessageState::Delivered, &["1", "2"]),
                (MessageState::Failed, &["3", "20", "22", "23", "24", "25"]),
            ],
        )
    }

    fn form(
        check: Check,
        [message_id, state]: [&str; 2],
        states: &[(MessageState, &[&str])],
    ) -> Self {
        let states = states.iter().flat_map(|(state, names)| {
            let names = names.iter();
            names.map(move |name| ((*name).to_owned(), *state))
        });
        Self {
            check,
            format: Format::Form,
            message_id: message_id.to_owned(),
            state: state.to_owned(),
            states: states.collect(),
            seen: Mutex::default(),
        }
    }

    /// Takes a request, and hands on what it reports.
    pub(crate) fn take(
        &self,
        provider: &ProviderName,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
        reports: &Sender<Report>,
    ) -> Taken {
        let signature = match self.check.signature(headers, body, now) {
            Ok(signature) => signature,
            Err(Fault::Forged) => return Taken::Forged,
            Err(Fault::Late) => return Taken::Late,
        };
        let Some((name, state)) = self.read(body) else {
            return Taken::Malformed;
        };
        let known = self.states.iter().find(|(known, _)| *known == state);
        let Some((_, state)) = known else {
            return Taken::Ignored;
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.has(&signature, now) {
            return Taken::Replayed;
        }
        let report = Report {
            provider: provider.clone(),
            about: ReportedMessage::ByCarrier(name),
            state: *state,
        };
        match reports.try_send(report) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => return Taken::Busy,
        }
        seen.note(signature, now);
        Taken::Reported
    }

    /// The provider's name for a message, and the state that it reports.
    fn read(&self, body: &[u8]) -> Option<(String, String)> {
        let body = match self.format {
            Format::Json => serde_json::from_slice(body).ok()?,
            Format::Form => {
                let mut fields = Map::new();
                for (key, value) in form_urlencoded::parse(body) {
                    // Of a field that comes twice, one may be signed and the other one read.
                    if fields.insert(key.into_owned(), value.into()).is_some() {
                        return None;
                    }
                }
                Value::Object(fields)
            }
        };
        let text = |pointer: &str| body.pointer(pointer).and_then(as_text);
        let name = text(&self.message_id).filter(|name| is_id(name));
        name.zip(text(&self.state))
    }
}

#[cfg(test)]
mod tests;
