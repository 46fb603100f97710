//! Codes sent by SMS: whether they are, by whom, what they say, and what they may cost.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Error, Result};
use countersign_mfa::{Prices, SmsSettings};
use countersign_sms_codes::{Countries, LONGEST_CODE_LIFE, SendRules, is_country};
use countersign_sms_text::{TextSettings, Texts};
use countersign_sms_transport::ProvidersSettings;
use countersign_spend_guard::{ConversionRules, MoneyRules, Rates, SpendRules};
use serde::{Deserialize, Serialize};

use super::{Config, check::Violations, from};

/// The most parts that a text has.
const MOST_PARTS: u64 = countersign_sms_text::MAX_PARTS as u64;

/// How long after a message the next may follow for development: long enough to be seen refused.
const WAIT_OF_DEV: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sms {
    code_seconds: u64,
    resend_seconds: u64,
    sends: u32,
    /// ISO 3166 codes; empty for all countries.
    countries: Vec<String>,
    subjects_per_number: u64,
    fallback_locale: String,
    /// Empty for `issuer`.
    brand: String,
    /// Empty for no line for browsers.
    domain: String,
    /// A folder; empty for none.
    texts: PathBuf,
    limits: Limits,
    conversion: Conversion,
    /// What a part of a message costs, by the first digits of the number.
    prices: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    money: Option<Money>,
    webhooks: Webhooks,
    pub(crate) providers: ProvidersSettings,
    #[serde(skip)]
    in_force: Option<Arc<SmsSettings>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Limits {
    subject: Rate,
    number: Rate,
    prefix: Rate,
    country: Rate,
    caller: Rate,
    enrolments: Rate,
    total: Rate,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Rate {
    hour: u32,
    day: u32,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Conversion {
    window_hours: u64,
    latest: u32,
    enough: u32,
    floor_percent: u32,
    closed_minutes: u64,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Money {
    per_day: String,
    enrolments_per_day: String,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Webhooks {
    /// An address and a port; empty for none.
    listen: String,
}

impl Default for Sms {
    fn default() -> Self {
        let rules = SendRules::default();
        Self {
            code_seconds: rules.code_life.as_secs(),
            resend_seconds: rules.first_wait.as_secs(),
            sends: rules.sends,
            countries: Vec::new(),
            subjects_per_number: 3,
            fallback_locale: "en".to_owned(),
            brand: String::new(),
            domain: String::new(),
            texts: PathBuf::new(),
            limits: Limits::default(),
            conversion: Conversion::default(),
            prices: BTreeMap::new(),
            money: None,
            webhooks: Webhooks::default(),
            providers: ProvidersSettings::default(),
            in_force: None,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let rules = SpendRules::default();
        Self {
            subject: rules.subject.into(),
            number: rules.number.into(),
            prefix: rules.prefix.into(),
            country: rules.country.into(),
            caller: rules.caller.into(),
            enrolments: rules.enrolments.into(),
            total: rules.total.into(),
        }
    }
}

impl Default for Conversion {
    fn default() -> Self {
        let rules = ConversionRules::default();
        Self {
            window_hours: rules.window.as_secs() / 3600,
            latest: rules.latest,
            enough: rules.enough,
            floor_percent: rules.floor_percent,
            closed_minutes: rules.closed_for.as_secs() / 60,
        }
    }
}

impl From<Rates> for Rate {
    fn from(rates: Rates) -> Self {
        let Rates { hour, day } = rates;
        Self { hour, day }
    }
}

impl From<Rate> for Rates {
    fn from(rate: Rate) -> Self {
        let Rate { hour, day } = rate;
        Self { hour, day }
    }
}

impl Sms {
    /// Whether codes are sent at all: somebody has to carry them.
    fn is_on(&self) -> bool {
        !self.providers.is_empty()
    }

    /// The settings in force; none where no codes are sent.
    pub(super) fn in_force(&self) -> Option<Arc<SmsSettings>> {
        self.in_force.clone()
    }

    /// The countries that codes are sent to; all where there are none.
    pub(crate) fn countries(&self) -> &[String] {
        &self.countries
    }

    /// The countries that codes are sent to and that a provider takes.
    fn served(&self) -> Countries {
        let own = match self.countries.as_slice() {
            [] => Countries::All,
            some => Countries::Only(some.iter().cloned().collect()),
        };
        own.and(self.providers.countries())
    }

    /// The texts in force; none where no codes are sent, or where they are not right.
    pub(crate) fn texts(&self) -> Option<&Texts> {
        self.in_force.as_ref().map(|sms| &sms.texts)
    }

    /// How many messages a confirmation may ask for, and how long after it was made the last of them
    /// may go out.
    pub(crate) fn sends(&self) -> (u32, Duration) {
        let rules = self.rules();
        let waits = 0..self.sends.saturating_sub(1).min(16);
        let wait = |number: u32| (rules.first_wait * (1_u32 << number)).min(rules.longest_wait);
        (self.sends, waits.map(wait).sum())
    }

    /// The limits that let fewer messages out in an hour than one confirmation may ask for.
    pub(crate) fn narrow_limits(&self) -> Vec<(&'static str, u32)> {
        let limits = [
            ("subject", self.limits.subject.hour),
            ("number", self.limits.number.hour),
        ];
        let narrow = limits.into_iter().filter(|(_, hour)| *hour < self.sends);
        narrow.collect()
    }

    fn rules(&self) -> SendRules {
        SendRules {
            code_life: Duration::from_secs(self.code_seconds),
            first_wait: Duration::from_secs(self.resend_seconds),
            sends: self.sends,
            ..SendRules::default()
        }
    }

    /// Where carriers' reports are taken, if anywhere.
    pub(crate) fn webhooks(&self) -> Option<SocketAddr> {
        self.webhooks.listen.parse().ok()
    }

    /// The settings of a server for development, with the texts that come with the program. Its name
    /// stands in them as far as there is room. Nothing is spent, so that the wait for the next message
    /// is short.
    pub(crate) fn of_dev(issuer: &str) -> Result<SmsSettings> {
        let brand = issuer.chars().take(countersign_sms_text::MAX_BRAND_CHARS);
        let texts = TextSettings {
            fallback: "en".to_owned(),
            brand: brand.collect(),
            domain: None,
        };
        Ok(SmsSettings {
            rules: SendRules {
                first_wait: WAIT_OF_DEV,
                ..SendRules::default()
            },
            countries: Countries::All,
            subjects_per_number: 3,
            spend: SpendRules::default(),
            prices: Prices::default(),
            texts: Texts::new(texts, Vec::new())?,
        })
    }

    /// Reads the folder of texts, with paths that start at `folder`, and puts the settings together.
    pub(super) fn complete(&mut self, issuer: &str, folder: &Path) -> Result<()> {
        self.texts = from(folder, &self.texts);
        if !self.is_on() {
            return Ok(());
        }
        let or = |text: &String, other: &str| match text.as_str() {
            "" => other.to_owned(),
            text => text.to_owned(),
        };
        let settings = TextSettings {
            fallback: self.fallback_locale.clone(),
            brand: or(&self.brand, issuer),
            domain: (!self.domain.is_empty()).then(|| self.domain.clone()),
        };
        let texts = Texts::new(settings, files(&self.texts)?).map_err(|error| match error {
            countersign_sms_text::TextsError::Setting {
                setting: "fallback",
                rule,
            } => Error::msg(format!("`sms.fallback_locale` {rule}")),
            countersign_sms_text::TextsError::Setting { setting, rule } => {
                Error::msg(format!("`sms.{setting}` {rule}"))
            }
            error => Error::new(error).context("a file of `sms.texts` is not right"),
        })?;
        let rules = self.rules();
        self.in_force = Some(Arc::new(SmsSettings {
            rules,
            countries: self.served(),
            subjects_per_number: self.subjects_per_number,
            spend: self.spend_rules(),
            prices: self.price_table(),
            texts,
        }));
        Ok(())
    }

    fn price_table(&self) -> Prices {
        let prices = self.prices.iter().filter_map(|(digits, price)| {
            let digits = if digits == OTHERS { "" } else { digits };
            Some((digits.to_owned(), millionths(price)?))
        });
        Prices::new(prices)
    }

    fn spend_rules(&self) -> SpendRules {
        let Limits {
            subject,
            number,
            prefix,
            country,
            caller,
            enrolments,
            total,
        } = &self.limits;
        let rates = |rate: &Rate| Rates::from(*rate);
        let money = self.money.as_ref().map(|money| MoneyRules {
            per_day: millionths(&money.per_day).unwrap_or(0),
            enrolments_per_day: millionths(&money.enrolments_per_day).unwrap_or(0),
            dearest: self.price_table().dearest().saturating_mul(MOST_PARTS),
        });
        SpendRules {
            subject: rates(subject),
            number: rates(number),
            prefix: rates(prefix),
            country: rates(country),
            caller: rates(caller),
            enrolments: rates(enrolments),
            total: rates(total),
            money,
            conversion: ConversionRules {
                window: Duration::from_secs(self.conversion.window_hours.saturating_mul(3600)),
                latest: self.conversion.latest,
                enough: self.conversion.enough,
                floor_percent: self.conversion.floor_percent,
                closed_for: Duration::from_secs(self.conversion.closed_minutes.saturating_mul(60)),
            },
        }
    }
}

impl Sms {
    /// Checks prices, and what may be paid. Whether amounts can be told from it.
    fn check_money(&self, found: &mut Violations) -> bool {
        for (digits, price) in &self.prices {
            let is_prefix = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            if !is_prefix && digits != OTHERS {
                found.add(
                    &format!("sms.prices.{digits}"),
                    "must be the first digits of numbers, without the plus, or `others`",
                );
            }
            if millionths(price).is_none() {
                found.add(&format!("sms.prices.{digits}"), AMOUNT);
            }
        }
        if self.money.is_none() && !self.prices.is_empty() {
            found.add(
                "sms.prices",
                "needs `sms.money`: what messages may cost. Without it prices limit nothing",
            );
        }
        if let Some(money) = &self.money {
            let amounts = [
                ("per_day", &money.per_day),
                ("enrolments_per_day", &money.enrolments_per_day),
            ];
            let mut are_amounts = true;
            for (key, amount) in amounts {
                if millionths(amount).is_none() {
                    found.add(&format!("sms.money.{key}"), AMOUNT);
                    are_amounts = false;
                }
            }
            if self.prices.is_empty() {
                found.add(
                    "sms.money",
                    "needs `sms.prices`: what a part of a message costs",
                );
                are_amounts = false;
            } else if !self.prices.contains_key(OTHERS) {
                found.add(
                    "sms.prices.others",
                    "must be given with `sms.money`: a number that no price fits would cost nothing",
                );
            }
            return are_amounts;
        }
        true
    }
}

/// The key of `sms.prices` for all numbers that no other one fits.
const OTHERS: &str = "others";

impl Config {
    pub(super) fn check_sms(&self, found: &mut Violations) {
        let sms = &self.sms;
        let longest = LONGEST_CODE_LIFE.as_secs();
        found.within("sms.code_seconds", sms.code_seconds, 60..=longest);
        found.within("sms.resend_seconds", sms.resend_seconds, 1..=600);
        found.within("sms.sends", sms.sends, 1..=10);
        found.within("sms.subjects_per_number", sms.subjects_per_number, 1..=100);
        let conversion = &sms.conversion;
        let (hours, minutes) = (conversion.window_hours, conversion.closed_minutes);
        found.within("sms.conversion.window_hours", hours, 1..=168);
        found.within("sms.conversion.closed_minutes", minutes, 1..=10_080);
        found.within("limits.phone_numbers", self.limits.phone_numbers, 1..=10);
        if let Some(other) = sms.countries.iter().find(|code| !is_country(code)) {
            found.add(
                "sms.countries",
                format!(
                    "must be ISO 3166 codes of two capital letters such as [\"RU\", \"KZ\"], and \
                     {other:?} is none"
                ),
            );
        } else if sms.is_on() && sms.served() == Countries::Only(BTreeSet::new()) {
            found.add("sms.countries", "must have one that a provider takes");
        }
        if !sms.check_money(found) {
            return;
        }
        if let Err(error) = sms.spend_rules().check() {
            let section = if error.field.starts_with("money") || error.field.starts_with("conver") {
                "sms"
            } else {
                "sms.limits"
            };
            found.add(&format!("{section}.{}", error.field), &error.rule);
        }
        let listen = &sms.webhooks.listen;
        if !listen.is_empty() && sms.webhooks().is_none() {
            found.add(
                "sms.webhooks.listen",
                "must be an address and a port such as 127.0.0.1:8081, or be left out",
            );
        }
    }
}

const AMOUNT: &str = "must be an amount in quotes such as \"0.045\", with at most six decimals";

/// An amount in millionths.
fn millionths(text: &str) -> Option<u64> {
    let (units, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(units) || !is_digits(decimals) || decimals.len() > 6 {
        return None;
    }
    let units: u64 = units.parse().ok()?;
    let decimals: u64 = format!("{decimals:0<6}").parse().ok()?;
    units.checked_mul(1_000_000)?.checked_add(decimals)
}

/// The files of texts in a folder, by their names; none where there is no folder.
fn files(folder: &Path) -> Result<Vec<(String, String)>> {
    if folder.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    let unreadable = || format!("the folder `sms.texts` {} cannot be read", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with('.') || path.is_dir() {
            continue;
        }
        let text = fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read as text", path.display()))?;
        files.push((name, text));
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests;
