//! The sections `tls` and `callers`: who may connect, and what for.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use countersign_gateway::{
    Callers, Ceiling, METHODS, MethodLimits, OperationKind, PaymentMethods, Row, Share, SpiffeId,
    TlsFiles, TlsVersion, TrustDomain, methods_of,
};
use countersign_mfa::{Caller, Grants};
use countersign_security_identifiers::{Purpose, PurposeSet};
use serde::{Deserialize, Serialize};

use super::{Config, Limits, check::Violations, from};

/// Where certificates, key and bundles are.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) min_version: Version,
    pub(crate) bundles: BTreeMap<String, PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Version {
    #[serde(rename = "1.2")]
    Tls12,
    #[default]
    #[serde(rename = "1.3")]
    Tls13,
}

/// A row of the table of callers: what it does not name is refused.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CallerRow {
    pub(crate) methods: Vec<String>,
    pub(crate) operations: Vec<String>,
    pub(crate) purposes: Vec<String>,
    pub(crate) payment_methods: Vec<String>,
    pub(crate) ceilings: BTreeMap<String, String>,
    pub(crate) acts_for: Vec<String>,
    pub(crate) requests_per_second: Option<NonZeroU32>,
    pub(crate) requests_at_once: Option<usize>,
}

/// What stands for everything, where that can be said.
const ANY: &str = "*";
const UNLIMITED: &str = "unlimited";

impl Config {
    /// Where the files of TLS are; `None` for plaintext on loopback.
    pub(crate) fn tls_files(&self) -> Option<TlsFiles> {
        let tls = self.tls.as_ref()?;
        let bundles = tls.bundles.iter();
        Some(TlsFiles {
            certificate: tls.certificate.clone(),
            key: tls.key.clone(),
            bundles: bundles
                .filter_map(|(domain, path)| Some((domain.parse().ok()?, path.clone())))
                .collect(),
            min_version: match tls.min_version {
                Version::Tls12 => TlsVersion::Tls12,
                Version::Tls13 => TlsVersion::Tls13,
            },
        })
    }

    /// Who may call what.
    pub(crate) fn caller_table(&self) -> Callers {
        if self.insecure && self.callers.is_empty() {
            return Callers::AtTheirWord;
        }
        let rows = self.callers.iter();
        Callers::Table(
            rows.map(|(name, row)| (name.clone(), row.read(&self.limits, &mut |_, _| {})))
                .collect(),
        )
    }

    /// Who may act on whose confirmations.
    pub(crate) fn grants(&self) -> Grants {
        let mut grants = Grants::default();
        for (name, row) in &self.callers {
            for creator in &row.acts_for {
                if let (Ok(caller), Ok(creator)) = (Caller::parse(name), Caller::parse(creator)) {
                    grants.add(caller, &creator);
                }
            }
        }
        grants
    }

    /// What is wrong with both sections.
    pub(super) fn check_callers(&self, found: &mut Violations) {
        if self.insecure {
            if self.tls.is_some() {
                found.add(
                    "insecure",
                    "cannot be `true` beside a section `tls`: choose one",
                );
            }
            if !self.listen.ip().to_canonical().is_loopback() {
                found.add(
                    "listen",
                    "must be on loopback, such as 127.0.0.1:50051, where `insecure = true`: callers \
                     are taken at their word",
                );
            }
        } else {
            match &self.tls {
                None => found.add(
                    "tls",
                    "must be given: certificate, key and bundles (`countersign certs dev` makes \
                     some to begin with). Without TLS there is loopback only, with `insecure = true`",
                ),
                Some(tls) => tls.check(found),
            }
            if self.callers.is_empty() {
                found.add(
                    "callers",
                    "must have a row for each service that may call, such as \
                     [callers.\"spiffe://bank.example/login-service\"]: all others are refused",
                );
            }
        }
        for (name, row) in &self.callers {
            let place = format!("callers.\"{name}\"");
            self.check_name(name, &place, found);
            row.read(&self.limits, &mut |key, rule| {
                found.add(&format!("{place}.{key}"), rule);
            });
            for creator in &row.acts_for {
                if !self.callers.contains_key(creator) {
                    let key = format!("{place}.acts_for");
                    found.add(
                        &key,
                        format!("must name callers of the table, and `{creator}` is none"),
                    );
                }
            }
        }
    }

    fn check_name(&self, name: &str, place: &str, found: &mut Violations) {
        let Some(tls) = &self.tls else {
            if Caller::parse(name).is_err() {
                found.add(place, "is no name that a caller can have");
            }
            return;
        };
        match name.parse::<SpiffeId>() {
            Err(error) => found.add(place, format!("is no SPIFFE id: it {error}")),
            Ok(id) if !tls.bundles.contains_key(id.trust_domain()) => {
                let domain = id.trust_domain();
                found.add(
                    place,
                    format!("can never call: `tls.bundles` has none of {domain}"),
                );
            }
            Ok(_) => {}
        }
    }
}

impl Tls {
    /// Relative paths start at the folder of the configuration.
    pub(super) fn resolve(&mut self, folder: &Path) {
        self.certificate = from(folder, &self.certificate);
        self.key = from(folder, &self.key);
        for path in self.bundles.values_mut() {
            *path = from(folder, path);
        }
    }

    fn check(&self, found: &mut Violations) {
        for (key, path, what) in [
            (
                "tls.certificate",
                &self.certificate,
                "certificate chain, leaf first",
            ),
            ("tls.key", &self.key, "private key"),
        ] {
            if path.as_os_str().is_empty() {
                found.add(
                    key,
                    format!("must be given: the path of the gateway's {what}, PEM"),
                );
            }
        }
        if self.bundles.is_empty() {
            found.add(
                "tls.bundles",
                "must name the authorities of each trust domain whose services may call, such as \
                 \"bank.example\" = \"bank.pem\"",
            );
        }
        for (domain, path) in &self.bundles {
            let key = format!("tls.bundles.\"{domain}\"");
            if let Err(error) = domain.parse::<TrustDomain>() {
                found.add(&key, format!("is no trust domain: it {error}"));
            }
            if path.as_os_str().is_empty() {
                found.add(&key, "must be the path of a PEM file");
            }
        }
    }
}

impl CallerRow {
    /// What it allows; what is wrong with it is told to `wrong`, key first.
    fn read(&self, limits: &Limits, wrong: &mut impl FnMut(&str, String)) -> Row {
        let at_once = self.requests_at_once.unwrap_or_else(|| limits.share());
        if !(1..=limits.requests_at_once).contains(&at_once) {
            let most = limits.requests_at_once;
            wrong(
                "requests_at_once",
                format!("must be from 1 to limits.requests_at_once, {most}"),
            );
        }
        let mut row = Row::nothing(Share {
            per_second: self
                .requests_per_second
                .unwrap_or(limits.caller_requests_per_second),
            at_once,
        });
        for pattern in &self.methods {
            let methods = methods_of(pattern);
            if methods.is_empty() {
                wrong(
                    "methods",
                    format!(
                        "must name methods such as ConfirmationService.Create, \
                         ConfirmationService.* or *, and `{pattern}` is none"
                    ),
                );
            }
            row.methods.extend(methods);
        }
        for operation in &self.operations {
            match operation.parse() {
                Ok(kind) => {
                    row.operations.insert(kind);
                }
                Err(error) => wrong("operations", format!("{error}, and is `{operation}`")),
            }
        }
        row.purposes = self.read_purposes(wrong);
        row.payment_methods = self.read_payment_methods(wrong);
        self.read_ceilings(&mut row, wrong);
        self.check_needs(&row, wrong);
        row
    }

    fn read_purposes(&self, wrong: &mut impl FnMut(&str, String)) -> PurposeSet {
        let purposes = self.purposes.iter().filter_map(|name| {
            let found = match name.as_str() {
                "login" => Some(Purpose::Login),
                "withdrawal" => Some(Purpose::Withdrawal),
                "other" => Some(Purpose::Other),
                _ => None,
            };
            if found.is_none() {
                let rule = format!("must be login, withdrawal or other, and is `{name}`");
                wrong("purposes", rule);
            }
            found
        });
        purposes.collect()
    }

    fn read_payment_methods(&self, wrong: &mut impl FnMut(&str, String)) -> PaymentMethods {
        let has_any = self.payment_methods.iter().any(|name| name == ANY);
        if has_any && self.payment_methods.len() > 1 {
            wrong(
                "payment_methods",
                "must be [\"*\"] alone, or names".to_owned(),
            );
        }
        if has_any {
            PaymentMethods::Any
        } else {
            PaymentMethods::Only(self.payment_methods.iter().cloned().collect())
        }
    }

    fn read_ceilings(&self, row: &mut Row, wrong: &mut impl FnMut(&str, String)) {
        for (currency, most) in &self.ceilings {
            let ceiling = if most == UNLIMITED {
                Ok(Ceiling::Unlimited)
            } else {
                most.parse().map(Ceiling::UpTo)
            };
            let ceiling = match ceiling {
                Ok(ceiling) => ceiling,
                Err(error) => {
                    let rule = format!("{error}, or \"unlimited\", and is `{most}`");
                    wrong(&format!("ceilings.{currency}"), rule);
                    continue;
                }
            };
            let is_letter = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
            if currency == ANY {
                row.other_ceiling = Some(ceiling);
            } else if (2..=12).contains(&currency.len()) && currency.bytes().all(is_letter) {
                row.ceilings.insert(currency.clone(), ceiling);
            } else {
                let rule =
                    "must be a currency's code of 2 to 12 capital letters and digits, or `*`";
                wrong(&format!("ceilings.{currency}"), rule.to_owned());
            }
        }
    }

    /// A row that says one thing and not the other allows less than it seems to.
    fn check_needs(&self, row: &Row, wrong: &mut impl FnMut(&str, String)) {
        let withdraws = row.operations.contains(&OperationKind::Withdrawal);
        if withdraws && self.payment_methods.is_empty() {
            let rule = "must be given where `operations` has withdrawal: [\"*\"] for all";
            wrong("payment_methods", rule.to_owned());
        }
        if withdraws && self.ceilings.is_empty() {
            let rule = "must be given where `operations` has withdrawal, such as { EUR = \"10000\" }, \
                        or { \"*\" = \"unlimited\" }";
            wrong("ceilings", rule.to_owned());
        }
        let is_limited = !self.payment_methods.is_empty() || !self.ceilings.is_empty();
        if is_limited && !withdraws {
            let rule = "must have withdrawal where payment_methods or ceilings are given";
            wrong("operations", rule.to_owned());
        }
        let takes = |limits| {
            let mut methods = METHODS.iter().filter(|method| method.limits == limits);
            methods.find(|method| row.methods.contains(method.name))
        };
        if let Some(method) = takes(MethodLimits::Operation)
            && row.operations.is_empty()
        {
            let name = method.name;
            let rule =
                format!("must be given where `methods` has {name}: without it all are refused");
            wrong("operations", rule);
        }
        let switches = row.methods.contains("IdentifierService.SetPurposes");
        if switches && row.purposes.is_empty() {
            let rule = "must be given where `methods` has IdentifierService.SetPurposes: without it all \
                        are refused";
            wrong("purposes", rule.to_owned());
        }
    }
}

#[cfg(test)]
mod tests;
