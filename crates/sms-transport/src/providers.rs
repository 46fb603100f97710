//! The providers of a configuration, behind the port of the use cases.

use std::{fmt, path::Path, str::FromStr as _, sync::Arc};

use async_trait::async_trait;
use axum::http::HeaderMap;
use countersign_mfa::ports::sms::{
    Carriers, MessageState, Outgoing, ProviderName, Report, ReportedMessage, Submission,
};
use countersign_primitives::{Clock, MessageId, SecretString};
use countersign_sms_codes::{Countries, PhoneNumber};
use tokio::sync::{Mutex, mpsc};

use crate::{
    Inbox, ProvidersError, ProvidersSettings,
    breaker::{Breaker, Turn},
    counts::{self, Counts},
    file::Folder,
    http::Http,
    route::{Rules, route},
    settings::{Checked, FileSettings, HttpSettings, KindSettings, Place, ProviderSettings},
    smpp::{Smpp, SmppError, SmppSettings},
    webhooks::{Taken, Webhook},
};

/// The name of the provider that an inbox is.
pub const INBOX: &str = "inbox";

/// How many reports may wait to be taken in.
const REPORTS: usize = 1024;

/// Any number of named providers.
#[derive(Clone)]
pub struct Providers(Arc<Inner>);

struct Inner {
    all: Vec<Provider>,
    clock: Arc<dyn Clock>,
    /// Kept, so that there can always be another report.
    sender: mpsc::Sender<Report>,
    reports: Mutex<mpsc::Receiver<Report>>,
}

struct Provider {
    name: ProviderName,
    rules: Rules,
    transport: Transport,
    webhook: Option<Webhook>,
    breaker: Breaker,
    counts: Counts,
}

/// How a provider is reached.
enum Transport {
    Smpp(Box<Smpp>),
    Http(Box<Http>),
    Folder(Folder),
    Inbox(Inbox),
}

/// A provider that can be opened.
struct Prepared {
    name: ProviderName,
    rules: Rules,
    transport: PreparedTransport,
    webhook: Option<Webhook>,
}

enum PreparedTransport {
    Smpp(Box<SmppSettings>, SecretString),
    Http(Box<Http>),
    Folder(FileSettings),
}

impl Providers {
    /// Opens what a configuration has, whose relative paths start at `folder`. Reads the files and
    /// variables that secrets are in, and begins to connect where a connection is kept. Must be
    /// called within a runtime.
    ///
    /// # Errors
    /// Everything that is wrong, at most one thing of each provider.
    pub fn open(
        settings: &ProvidersSettings,
        folder: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ProvidersError> {
        let (sender, reports) = mpsc::channel(REPORTS);
        let mut wrong = settings.check();
        let mut all = Vec::new();
        for (name, settings) in &settings.named {
            let place = Place::provider(name);
            let prepared = Prepared::new(name, settings, folder, &sender);
            match prepared.and_then(|prepared| prepared.open(folder, &sender, &place)) {
                Ok(provider) => all.push(provider),
                Err(what) => wrong.push(what),
            }
        }
        if !wrong.is_empty() {
            return Err(ProvidersError(wrong));
        }
        Ok(Self::of(all, clock, sender, reports))
    }

    /// An inbox and nothing else, for development.
    pub fn inbox(inbox: Inbox, clock: Arc<dyn Clock>) -> Self {
        let (sender, reports) = mpsc::channel(REPORTS);
        let rules = Rules {
            order: 1,
            weight: 1,
            countries: Countries::All,
        };
        let name = ProviderName::from_str(INBOX).ok();
        let provider = name.map(|name| Provider::new(name, rules, Transport::Inbox(inbox), None));
        Self::of(provider.into_iter().collect(), clock, sender, reports)
    }

    fn of(
        all: Vec<Provider>,
        clock: Arc<dyn Clock>,
        sender: mpsc::Sender<Report>,
        reports: mpsc::Receiver<Report>,
    ) -> Self {
        counts::describe();
        let reports = Mutex::new(reports);
        Self(Arc::new(Inner {
            all,
            clock,
            sender,
            reports,
        }))
    }

    /// Whether a provider reports by webhook, so that [`router`](crate::router) has to be served.
    pub fn take_webhooks(&self) -> bool {
        self.0.all.iter().any(|provider| provider.webhook.is_some())
    }

    /// The provider of this name, where it has a webhook.
    pub(crate) fn webhook_of(&self, name: &str) -> Option<ProviderName> {
        let mut all = self.0.all.iter();
        let found = all.find(|provider| provider.name.as_str() == name)?;
        found.webhook.as_ref().map(|_| found.name.clone())
    }

    /// Takes a request to a provider's webhook.
    pub(crate) fn take(&self, name: &ProviderName, headers: &HeaderMap, body: &[u8]) -> Taken {
        let now = self.0.clock.now();
        let webhook = self
            .find(name)
            .and_then(|provider| provider.webhook.as_ref());
        webhook.map_or(Taken::Unknown, |webhook| {
            webhook.take(name, headers, body, now, &self.0.sender)
        })
    }

    fn find(&self, name: &ProviderName) -> Option<&Provider> {
        self.0.all.iter().find(|provider| provider.name == *name)
    }
}

impl ProvidersSettings {
    /// Everything that is wrong, as [`Providers::open`] tells it; opens and writes nothing.
    pub fn violations(&self, folder: &Path) -> Vec<String> {
        let (nobody, _) = mpsc::channel(1);
        let named = self.named.iter();
        let wrong = named
            .filter_map(|(name, settings)| Prepared::new(name, settings, folder, &nobody).err());
        self.check().into_iter().chain(wrong).collect()
    }
}

impl Prepared {
    fn new(
        name: &str,
        settings: &ProviderSettings,
        folder: &Path,
        reports: &mpsc::Sender<Report>,
    ) -> Checked<Self> {
        let place = Place::provider(name);
        let name = ProviderName::from_str(name)
            .map_err(|error| place.wrong(&format!("cannot be called so: {error}")))?;
        settings.check(&place)?;
        let http = |http: &HttpSettings| -> Checked<_> {
            let http = Http::open(http, name.clone(), folder, reports.clone(), &place)?;
            Ok(PreparedTransport::Http(Box::new(http)))
        };
        let (transport, webhook) = match &settings.kind {
            KindSettings::Smpp(smpp) => {
                let password = smpp.password.read(folder, &place.key("password"))?;
                let settings = smpp.settings.clone().within(folder);
                Smpp::check(&settings, &password).map_err(|error| smpp_fault(&error, &place))?;
                let settings = Box::new(settings);
                (PreparedTransport::Smpp(settings, password), None)
            }
            KindSettings::Http(settings) => {
                if settings.webhook.is_some() && settings.message_id.is_none() {
                    let rule = "must be given with a webhook: its reports name messages by that";
                    return Err(place.key("message_id").wrong(rule));
                }
                let place = place.key("webhook");
                let webhook = settings.webhook.as_ref();
                let webhook = webhook.map(|webhook| Webhook::signed(webhook, folder, &place));
                (http(settings)?, webhook.transpose()?)
            }
            // Secrets are read here already, so that an error has the key that they stand under.
            KindSettings::Twilio(twilio) => {
                let token = twilio.auth_token.read(folder, &place.key("auth_token"))?;
                let url = twilio.public_url.as_deref();
                let webhook = url.map(|url| Webhook::twilio(token, url, &place));
                (http(&twilio.http(&place)?)?, webhook.transpose()?)
            }
            KindSettings::Smsc(smsc) => {
                smsc.password.read(folder, &place.key("password"))?;
                let secret = smsc.callback_secret.as_ref();
                let place_of_secret = place.key("callback_secret");
                let secret = secret.map(|secret| secret.read(folder, &place_of_secret));
                let webhook = secret.transpose()?.map(Webhook::smsc);
                (http(&smsc.http(&place)?)?, webhook)
            }
            KindSettings::File(file) => {
                Folder::check(file, &place)?;
                (PreparedTransport::Folder(file.clone()), None)
            }
        };
        let countries = match settings.countries.as_slice() {
            [] => Countries::All,
            some => Countries::Only(some.iter().cloned().collect()),
        };
        let rules = Rules {
            order: settings.order,
            weight: settings.weight,
            countries,
        };
        Ok(Self {
            name,
            rules,
            transport,
            webhook,
        })
    }

    fn open(
        self,
        folder: &Path,
        reports: &mpsc::Sender<Report>,
        place: &Place,
    ) -> Checked<Provider> {
        let transport = match self.transport {
            PreparedTransport::Smpp(settings, password) => {
                let opened = Smpp::open(self.name.clone(), *settings, password, reports.clone());
                Transport::Smpp(Box::new(opened.map_err(|error| smpp_fault(&error, place))?))
            }
            PreparedTransport::Http(http) => Transport::Http(http),
            PreparedTransport::Folder(file) => {
                Transport::Folder(Folder::open(&file, folder, place)?)
            }
        };
        Ok(Provider::new(
            self.name,
            self.rules,
            transport,
            self.webhook,
        ))
    }
}

/// What is wrong with how a carrier is reached over SMPP; it begins with its key.
fn smpp_fault(error: &SmppError, place: &Place) -> String {
    place.key(error).to_string()
}

impl Provider {
    fn new(
        name: ProviderName,
        rules: Rules,
        transport: Transport,
        webhook: Option<Webhook>,
    ) -> Self {
        Self {
            counts: Counts::new(&name),
            name,
            rules,
            transport,
            webhook,
            breaker: Breaker::default(),
        }
    }
}

#[async_trait]
impl Carriers for Providers {
    fn route(&self, number: &PhoneNumber, message: MessageId) -> Vec<ProviderName> {
        let now = self.0.clock.now();
        let all = &self.0.all;
        let rules = all.iter().map(|provider| &provider.rules);
        let mut route = route(rules, &number.country(), message);
        // Stable: those that do not rest stay in their order.
        route.sort_by_key(|index| all[*index].breaker.rests(now));
        route
            .into_iter()
            .map(|index| all[index].name.clone())
            .collect()
    }

    async fn submit(&self, name: &ProviderName, message: &Outgoing) -> Submission {
        let Some(provider) = self.find(name) else {
            return Submission::Refused("no such provider is configured here".to_owned());
        };
        let outcome = match &provider.transport {
            Transport::Smpp(smpp) => smpp.submit(message).await,
            Transport::Http(http) => http.submit(message).await,
            Transport::Folder(folder) => folder.submit(message).await,
            Transport::Inbox(inbox) => {
                inbox.put(message);
                let id = message.id.to_string();
                let report = Report {
                    provider: name.clone(),
                    about: ReportedMessage::ByCarrier(id.clone()),
                    state: MessageState::Delivered,
                };
                // Without room the message stays as sent, which is as true.
                let _ = self.0.sender.try_send(report);
                Submission::Accepted {
                    carrier_id: Some(id),
                }
            }
        };
        provider.counts.submitted(&outcome);
        match provider.breaker.note(&outcome, self.0.clock.now()) {
            Some(Turn::Down) => {
                provider.counts.up(false);
                tracing::warn!(
                    sms.provider = %name,
                    sms.outcome = ?outcome,
                    "a provider has failed again and again, and is tried last for a while"
                );
            }
            Some(Turn::Up) => {
                provider.counts.up(true);
                tracing::info!(sms.provider = %name, "a provider takes messages again");
            }
            None => {}
        }
        outcome
    }

    async fn report(&self) -> Report {
        match self.0.reports.lock().await.recv().await {
            Some(report) => report,
            // Never: one end is kept here.
            None => std::future::pending().await,
        }
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.all.iter().map(|provider| &provider.name);
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests;
