//! What providers are asked by HTTP, and what comes of what they answer.

#![expect(
    clippy::unwrap_used,
    reason = "what is shared by the tests is test code too"
)]

mod misbehaving;
mod presets;
mod server;
mod telling;
mod tls;

use std::{path::Path, sync::Arc, time::Duration};

use countersign_mfa::ports::sms::{Carriers as _, Outgoing, ProviderName, Report, Submission};
use countersign_primitives::{MessageId, SecretString, SystemClock};
use countersign_sms_codes::{Countries, PhoneNumber};
use countersign_sms_transport::{Providers, ProvidersSettings};
use tempfile::TempDir;

pub(crate) const NUMBER: &str = "+79123456789";
pub(crate) const TEXT: &str = "Код \"123456\"\nдля вывода 100 & 5 EUR";
pub(crate) const SECRET: &str = "tok-canary&1";

/// A provider `alpha`, and the folder that its secret is in.
pub(crate) struct Opened {
    pub(crate) providers: Providers,
    _folder: TempDir,
}

impl Opened {
    /// With these settings of its table.
    pub(crate) fn with(table: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::within(table, folder)
    }

    pub(crate) fn within(table: &str, folder: TempDir) -> Self {
        std::fs::write(folder.path().join("token"), format!("{SECRET}\n")).unwrap();
        Self {
            providers: open(table, folder.path()),
            _folder: folder,
        }
    }

    pub(crate) async fn submit(&self) -> Submission {
        self.providers.submit(&alpha(), &message()).await
    }

    /// The next report; a generous cap, for there is nothing to be fast about.
    pub(crate) async fn report(&self) -> Report {
        let report = tokio::time::timeout(Duration::from_secs(30), self.providers.report()).await;
        report.unwrap()
    }
}

fn open(table: &str, folder: &Path) -> Providers {
    let settings: ProvidersSettings = toml::from_str(&format!("[alpha]\n{table}")).unwrap();
    Providers::open(&settings, folder, Arc::new(SystemClock)).unwrap()
}

pub(crate) fn alpha() -> ProviderName {
    "alpha".parse().unwrap()
}

pub(crate) fn message() -> Outgoing {
    Outgoing {
        id: MessageId::from_bytes([7; 16]),
        number: PhoneNumber::parse(NUMBER, &Countries::All).unwrap(),
        text: SecretString::from(TEXT),
        validity: Duration::from_millis(290_500),
    }
}

/// The fields of a form, sorted.
pub(crate) fn fields(body: &str) -> Vec<(String, String)> {
    let mut fields: Vec<_> = form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    fields.sort();
    fields
}

pub(crate) fn accepted(name: &str) -> Submission {
    Submission::Accepted {
        carrier_id: Some(name.to_owned()),
    }
}
