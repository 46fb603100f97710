//! The providers of a configuration: what may be said of them.
//!
//! No secret stands here: they are named by the file or the variable that holds them.

mod file;
mod http;
mod named;
mod place;
mod secret;
mod smsc;
mod twilio;
mod webhook;

use std::{collections::BTreeMap, fmt};

use countersign_sms_codes::{Countries, is_country};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};

use self::named::read;
pub(crate) use self::{
    file::FileSettings,
    http::{BasicAuth, Condition, HttpSettings, Method},
    place::{Checked, Place},
    secret::{SecretSource, Secrets},
    smsc::SmscSettings,
    twilio::TwilioSettings,
    webhook::{Format, WebhookSettings},
};
use crate::smpp::SmppSettings;

/// How many providers there may be: each has labels of its own in the metrics.
const MOST_PROVIDERS: usize = 32;

/// The heaviest weight.
const MAX_WEIGHT: u32 = 1000;

/// The section `sms.providers`: each provider by its name.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub struct ProvidersSettings {
    pub(crate) named: BTreeMap<String, ProviderSettings>,
}

/// A provider: who is routed to it, and how it is reached.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProviderSettings {
    pub(crate) order: u32,
    pub(crate) weight: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) countries: Vec<String>,
    #[serde(flatten)]
    pub(crate) kind: KindSettings,
}

/// How a provider is reached.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum KindSettings {
    Http(Box<HttpSettings>),
    Twilio(TwilioSettings),
    Smsc(SmscSettings),
    File(FileSettings),
    Smpp(Box<SmppTable>),
}

/// The settings of kind `smpp`, and where their password is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SmppTable {
    pub(crate) password: SecretSource,
    #[serde(flatten)]
    pub(crate) settings: SmppSettings,
}

/// What all kinds have in common.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Common {
    kind: String,
    order: u32,
    weight: u32,
    countries: Vec<String>,
}

/// What is wrong with the providers of a configuration: for each its key, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvidersError(pub(crate) Vec<String>);

/// What a provider is, for whoever looks at a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderOutline<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its kind, such as `smpp`.
    pub kind: &'static str,
    /// Whose numbers it takes: ISO 3166 codes; all where there are none.
    pub countries: &'a [String],
    /// Whether it reports by webhook.
    pub has_webhook: bool,
}

impl ProvidersSettings {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// The countries whose numbers somebody takes.
    pub fn countries(&self) -> Countries {
        let all = || self.named.values().map(|settings| &settings.countries);
        if all().any(Vec::is_empty) {
            return Countries::All;
        }
        Countries::Only(all().flatten().cloned().collect())
    }

    /// What there is, by their names.
    pub fn outlines(&self) -> impl Iterator<Item = ProviderOutline<'_>> {
        self.named.iter().map(|(name, settings)| {
            let (kind, has_webhook) = match &settings.kind {
                KindSettings::Http(http) => ("http", http.webhook.is_some()),
                KindSettings::Twilio(twilio) => ("twilio", twilio.public_url.is_some()),
                KindSettings::Smsc(smsc) => ("smsc", smsc.callback_secret.is_some()),
                KindSettings::File(_) => ("file", false),
                KindSettings::Smpp(_) => ("smpp", false),
            };
            ProviderOutline {
                name,
                kind,
                countries: &settings.countries,
                has_webhook,
            }
        })
    }
}

impl ProvidersError {
    /// Everything that is wrong, each a sentence that begins with its key.
    pub fn violations(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for ProvidersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n  "))
    }
}

impl std::error::Error for ProvidersError {}

impl ProvidersSettings {
    /// What is wrong with the section as a whole.
    pub(crate) fn check(&self) -> Vec<String> {
        if self.named.len() > MOST_PROVIDERS {
            return vec![format!(
                "sms.providers has {} providers and may have {MOST_PROVIDERS}",
                self.named.len()
            )];
        }
        Vec::new()
    }
}

impl ProviderSettings {
    /// What is wrong with how it is routed to.
    pub(crate) fn check(&self, place: &Place) -> Checked<()> {
        if !(1..=MAX_WEIGHT).contains(&self.weight) {
            let rule = format!("must be 1 to {MAX_WEIGHT}, and is {}", self.weight);
            return Err(place.key("weight").wrong(&rule));
        }
        for country in &self.countries {
            if !is_country(country) {
                let rule = "must be ISO 3166 codes of two capital letters such as \"RU\"";
                let found = format!("{rule}, and {country:?} is none");
                return Err(place.key("countries").wrong(&found));
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for ProviderSettings {
    /// By hand, so that an error names its key: serde's own way of telling kinds apart loses it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = Map::<String, Value>::deserialize(deserializer)?;
        let common = ["kind", "order", "weight", "countries"];
        let common = common
            .into_iter()
            .filter_map(|key| table.remove_entry(key))
            .collect();
        let common: Common = read(common).map_err(D::Error::custom)?;
        let kind = match common.kind.as_str() {
            "http" => read(table).map(|http| KindSettings::Http(Box::new(http))),
            "twilio" => read(table).map(KindSettings::Twilio),
            "smsc" => read(table).map(KindSettings::Smsc),
            "file" => read(table).map(KindSettings::File),
            "smpp" => read_smpp(table).map(|smpp| KindSettings::Smpp(Box::new(smpp))),
            other => Err(format!(
                "kind must be one of smpp, http, twilio, smsc, file, and is {other:?}"
            )),
        };
        Ok(Self {
            order: common.order,
            weight: common.weight,
            countries: common.countries,
            kind: kind.map_err(D::Error::custom)?,
        })
    }
}

impl Default for Common {
    fn default() -> Self {
        Self {
            kind: String::new(),
            order: 1,
            weight: 1,
            countries: Vec::new(),
        }
    }
}

fn read_smpp(mut table: Map<String, Value>) -> Result<SmppTable, String> {
    let Some(password) = table.remove("password") else {
        return Err("missing field `password`".to_owned());
    };
    let password =
        SecretSource::deserialize(password).map_err(|error| format!("password: {error}"))?;
    let settings = read(table)?;
    Ok(SmppTable { password, settings })
}

#[cfg(test)]
mod tests;
