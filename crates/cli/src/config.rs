//! The configuration of `serve`: a TOML file, and environment variables that take precedence.
//!
//! `COUNTERSIGN_SET_PIN__MIN_DIGITS=8` sets `pin.min_digits`. An unknown key is an error, and each
//! error names its key and says what would be right.

mod check;
mod defaults;
mod observe;
mod policy;
mod sms;
mod tls;

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context, Error, Result, bail};
use countersign_gateway as gateway;
use countersign_mfa::Settings;
use countersign_primitives::{ExposeSecret, HashCost, SecretString, ThrottleRules};
use figment::{
    Figment,
    error::Kind,
    providers::{Env, Format as _, Toml},
};
use serde::{Deserialize, Serialize, Serializer};

use self::observe::{Metrics, Traces};
pub(crate) use self::{
    observe::TraceTarget,
    policy::{Policy, read_policy},
    sms::Sms,
    tls::{CallerRow, Tls},
};
use crate::{compose::Edge, database_url, logs};

/// What environment variables that set a key begin with.
const ENVIRONMENT: &str = "COUNTERSIGN_SET_";

/// The address that is listened on where none is named.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 50051);

/// How many requests one caller may make in a second where nothing else is said.
const CALLER_REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(1000).unwrap();

/// The longest that a request may take where nothing else is said.
pub(crate) const REQUEST: Duration = Duration::from_secs(10);

/// How long requests in flight may take after a stop where nothing else is said.
pub(crate) const DRAIN: Duration = Duration::from_secs(10);

/// A configuration, checked, with all defaults filled in.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) insecure: bool,
    pub(crate) tls: Option<Tls>,
    pub(crate) callers: BTreeMap<String, CallerRow>,
    pub(crate) issuer: String,
    pub(crate) database: Database,
    pub(crate) keys: Keys,
    pub(crate) policy: Policy,
    pub(crate) pin: Pin,
    pub(crate) backup_codes: BackupCodes,
    pub(crate) hash: Hash,
    pub(crate) throttle: Throttle,
    pub(crate) confirmation: Confirmation,
    pub(crate) limits: Limits,
    pub(crate) sms: Sms,
    pub(crate) retention: Retention,
    pub(crate) reflection: bool,
    pub(crate) log: Log,
    pub(crate) metrics: Metrics,
    pub(crate) traces: Traces,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Database {
    #[serde(serialize_with = "masked")]
    pub(crate) url: SecretString,
    pub(crate) max_connections: u32,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Keys {
    pub(crate) file: PathBuf,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Pin {
    pub(crate) min_digits: usize,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BackupCodes {
    pub(crate) codes: usize,
    pub(crate) finish_within_seconds: u64,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Hash {
    pub(crate) memory_kib: u32,
    pub(crate) passes: u32,
    pub(crate) lanes: u32,
    pub(crate) threads: NonZeroUsize,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Throttle {
    pub(crate) failures_per_lock: u32,
    pub(crate) first_lock_seconds: u64,
    pub(crate) longest_lock_seconds: u64,
    pub(crate) cap: u32,
    pub(crate) warn_at: Option<[u32; 2]>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Confirmation {
    pub(crate) approve_within_seconds: u64,
    pub(crate) redeem_within_seconds: u64,
    pub(crate) attempts: u32,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) identifiers: usize,
    pub(crate) authenticators: usize,
    pub(crate) phone_numbers: usize,
    pub(crate) pending_enrolments: usize,
    pub(crate) pending_confirmations: usize,
    pub(crate) enrolment_seconds: u64,
    pub(crate) enrolment_failures_per_hour: usize,
    pub(crate) requests_at_once: usize,
    pub(crate) caller_requests_at_once: Option<usize>,
    pub(crate) caller_requests_per_second: NonZeroU32,
    pub(crate) request_seconds: u64,
    pub(crate) drain_seconds: u64,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Retention {
    pub(crate) request_ids_hours: u32,
    pub(crate) confirmations_days: u32,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) format: logs::Format,
}

impl Config {
    /// Reads a file, the environment and the policy file that they name, and checks what they say.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("the configuration {} cannot be read", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder)
            .with_context(|| format!("the configuration {} is not right", path.display()))
    }

    /// Reads the text of a file, whose relative paths start at `folder`.
    fn parse(text: &str, folder: &Path) -> Result<Self> {
        let config = Self::extract(text)?;
        let violations = config.violations();
        if !violations.is_empty() {
            bail!(violations.join("\n  "));
        }
        let (config, faults) = config.complete(folder);
        match faults.into_iter().next() {
            Some(fault) => Err(fault),
            None => Ok(config),
        }
    }

    /// Reads as much as can be read of a file, the environment and the policy file, and says
    /// everything that is wrong with them.
    pub(crate) fn examine(path: &Path) -> (Option<Self>, Vec<Error>) {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let what = format!("the configuration {} cannot be read", path.display());
                return (None, vec![Error::new(error).context(what)]);
            }
        };
        let config = match Self::extract(&text) {
            Ok(config) => config,
            Err(error) => return (None, vec![error]),
        };
        let mut wrong: Vec<Error> = config.violations().into_iter().map(Error::msg).collect();
        let folder = path.parent().unwrap_or(Path::new(""));
        let (config, faults) = config.complete(folder);
        wrong.extend(faults);
        (Some(config), wrong)
    }

    /// The variables of the environment that take precedence over a file. Not what they hold.
    pub(crate) fn variables() -> Vec<String> {
        let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
        let mut names: Vec<String> = names
            .filter(|name| name.to_uppercase().starts_with(ENVIRONMENT))
            .collect();
        names.sort();
        names
    }

    /// What a text and the environment say, unchecked.
    fn extract(text: &str) -> Result<Self> {
        let figment =
            Figment::from(Toml::string(text)).merge(Env::prefixed(ENVIRONMENT).split("__"));
        figment
            .extract()
            .map_err(|error| Error::msg(explained(&error)))
    }

    /// With relative paths taken from `folder`, and the policy read; and what does not go.
    fn complete(mut self, folder: &Path) -> (Self, Vec<Error>) {
        let config = &mut self;
        let mut faults = Vec::new();
        config.throttle.warn_at = Some(config.throttle.warnings());
        config.limits.caller_requests_at_once = Some(config.limits.share());
        config.keys.file = from(folder, &config.keys.file);
        faults.extend(config.policy.read(folder).err());
        let issuer = config.issuer.clone();
        faults.extend(config.sms.complete(&issuer, folder).err());
        let providers = config.sms.providers.violations(folder);
        faults.extend(providers.into_iter().map(Error::msg));
        if let Some(tls) = &mut config.tls {
            tls.resolve(folder);
        }
        match database_url::resolved(config.database.url.expose_secret(), folder) {
            Ok(url) => config.database.url = SecretString::from(url),
            Err(error) => faults.push(error),
        }
        (self, faults)
    }

    /// What the use cases take from it.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        settings.issuer.clone_from(&self.issuer);
        settings.grants = self.grants();
        settings.policy.clone_from(self.policy.in_force());
        settings.pin.min_digits = self.pin.min_digits;
        settings.backup_codes = self.backup_codes.codes;
        settings.limits.code_list_life =
            Duration::from_secs(self.backup_codes.finish_within_seconds);
        settings.hash_cost = self.hash.cost();
        settings.throttle = ThrottleRules {
            failures_per_lock: self.throttle.failures_per_lock,
            first_lock: Duration::from_secs(self.throttle.first_lock_seconds),
            longest_lock: Duration::from_secs(self.throttle.longest_lock_seconds),
            cap: self.throttle.cap,
            warnings: self.throttle.warnings(),
        };
        settings.limits.identifiers = self.limits.identifiers;
        settings.limits.authenticators = self.limits.authenticators;
        settings.limits.numbers = self.limits.phone_numbers;
        settings.sms = self.sms.in_force();
        settings.limits.pending_enrolments = self.limits.pending_enrolments;
        settings.limits.pending_confirmations = self.limits.pending_confirmations;
        settings.limits.enrolment_life = Duration::from_secs(self.limits.enrolment_seconds);
        settings.limits.enrolment_failures = self.limits.enrolment_failures_per_hour;
        settings.requests_at_once = self.limits.requests_at_once;
        settings.approve_within = self.approve_within();
        settings.redeem_within = Duration::from_secs(self.confirmation.redeem_within_seconds);
        settings.attempts = self.confirmation.attempts;
        settings.request_life = hours(self.retention.request_ids_hours);
        settings
    }

    /// How long a confirmation has to be approved.
    pub(crate) fn approve_within(&self) -> Duration {
        Duration::from_secs(self.confirmation.approve_within_seconds)
    }

    /// What the edge takes from it.
    pub(crate) fn edge(&self, metrics: Option<gateway::Metrics>) -> Result<Edge> {
        let tls = self.tls_files().map(gateway::Tls::read).transpose()?;
        Ok(Edge {
            tls: tls.map(Arc::new),
            callers: self.caller_table(),
            metrics,
            reflection: self.reflection,
            deadline: Duration::from_secs(self.limits.request_seconds),
            drain: Duration::from_secs(self.limits.drain_seconds),
            inbox: None,
        })
    }

    /// How long confirmations are kept.
    pub(crate) fn confirmations_kept(&self) -> Duration {
        hours(24) * self.retention.confirmations_days
    }

    /// The effective settings as TOML, without secrets.
    pub(crate) fn shown(&self) -> Result<String> {
        Ok(toml::to_string(self)?)
    }
}

impl Hash {
    const fn cost(&self) -> HashCost {
        HashCost {
            memory_kib: self.memory_kib,
            passes: self.passes,
            lanes: self.lanes,
        }
    }

    /// As many hashing threads as there are cores.
    pub(crate) fn default_threads() -> NonZeroUsize {
        thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
    }
}

impl Limits {
    /// How many requests of one caller may be at work: as configured, or half of all.
    pub(crate) fn share(&self) -> usize {
        self.caller_requests_at_once
            .unwrap_or(self.requests_at_once / 2)
    }
}

impl Throttle {
    /// When a subject is warned: as configured, or at half and at four fifths of the cap.
    fn warnings(&self) -> [u32; 2] {
        self.warn_at.unwrap_or([self.cap / 2, self.cap * 4 / 5])
    }
}

/// A path that starts at a folder. None stays none.
fn from(folder: &Path, path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() {
        return PathBuf::new();
    }
    folder.join(path)
}

const fn hours(count: u32) -> Duration {
    Duration::from_secs(60 * 60 * count as u64)
}

/// What is wrong, with its key and what would be right. Never with what stands in the section
/// `database`, where a password may be.
fn explained(error: &figment::Error) -> String {
    let path = error.path.join(".");
    let source = error
        .metadata
        .as_ref()
        .map_or("", |metadata| &metadata.name);
    let is_environment = source.contains("environment");
    let place = match (path.is_empty(), is_environment) {
        (true, _) => String::new(),
        (false, false) => format!("`{path}`: "),
        (false, true) => {
            let variable = path.replace('.', "__").to_uppercase();
            format!("`{path}` (set by {ENVIRONMENT}{variable}): ")
        }
    };
    let what = match &error.kind {
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected)
            if path.starts_with("database") =>
        {
            format!("must be {}", in_words(expected))
        }
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            format!("must be {}, and is {actual}", in_words(expected))
        }
        Kind::UnknownField(name, known) => {
            let place = if path.is_empty() {
                format!("`{name}`: ")
            } else {
                String::new()
            };
            format!(
                "{place}there is no such key; those here are {}",
                known.join(", ")
            )
        }
        Kind::UnknownVariant(name, known) => {
            format!("must be one of {}, and is `{name}`", known.join(", "))
        }
        // A syntax error quotes its line, which may hold a password: its frame has bars.
        Kind::Message(text) => text
            .lines()
            .filter(|line| !line.contains('|'))
            .collect::<Vec<_>>()
            .join(": "),
        other => other.to_string(),
    };
    let hint = if path == "listen" {
        ": it must be like 127.0.0.1:50051"
    } else {
        ""
    };
    format!("{place}{what}{hint}")
}

/// What a value must be, without the names of Rust's types.
fn in_words(expected: &str) -> &str {
    match expected {
        "u32" | "u64" | "usize" => "a whole number",
        "a nonzero u32" | "a nonzero usize" => "a whole number from 1 on",
        "a boolean" => "true or false",
        other => other,
    }
}

fn masked<S: Serializer>(url: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&database_url::masked(url.expose_secret()))
}

#[cfg(test)]
mod tests;
