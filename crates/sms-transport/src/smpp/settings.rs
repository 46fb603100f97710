//! How a carrier is reached over SMPP, checked.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rustls::pki_types::ServerName;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The longest system id, password and system type that a bind has room for.
const MAX_SYSTEM_ID: usize = 15;
pub(super) const MAX_PASSWORD: usize = 8;
const MAX_SYSTEM_TYPE: usize = 12;
/// The longest sender made of letters (3GPP 23.040), and the longest address.
const MAX_NAME: usize = 11;
const MAX_ADDRESS: usize = 20;
/// Up to this length a number without a country code is a short code.
const MAX_SHORT_CODE: usize = 8;

/// How one carrier is reached over SMPP 3.4. The password does not stand among it.
#[derive(Clone, Debug)]
pub struct SmppSettings {
    written: Box<Written>,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) system_id: String,
    pub(super) system_type: String,
    pub(super) source: Address,
    pub(super) destination: NumberType,
    pub(super) tls: Option<SmppTls>,
    pub(super) window: u16,
    pub(super) requests_per_second: Option<u32>,
    pub(super) enquire_link: Duration,
    pub(super) response_timeout: Duration,
    pub(super) long: Long,
    pub(super) default_alphabet: DefaultAlphabet,
    pub(super) message_ids: MessageIds,
}

/// TLS to a carrier.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SmppTls {
    /// A PEM file of the authorities that may have issued the carrier's certificate. Without it,
    /// those that browsers trust.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ca: Option<PathBuf>,
    /// The name in the carrier's certificate, where it is not `host`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) server_name: Option<String>,
}

/// Type of number and numbering plan of an address (SMPP 3.4, 5.2.5 and 5.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NumberType {
    pub(super) ton: u8,
    pub(super) npi: u8,
}

/// An address, as it stands in a PDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) kind: NumberType,
    pub(super) text: String,
}

/// How a text of several parts is given to the carrier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Long {
    /// Part by part, each with a user data header.
    #[default]
    Udh,
    /// Whole, in the `message_payload` parameter: the carrier cuts it up.
    Payload,
}

/// What `data_coding` 0 means to the carrier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum DefaultAlphabet {
    /// The alphabet of 3GPP 23.038, one septet a byte.
    #[default]
    Gsm7,
    /// ISO 8859-1, which the carrier turns into the alphabet of 3GPP 23.038.
    Latin1,
}

/// How the carrier writes the ids of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum MessageIds {
    /// The same in receipts as in answers.
    #[default]
    Same,
    /// Hexadecimal in answers, decimal in receipts.
    HexThenDecimal,
    /// Decimal in answers, hexadecimal in receipts.
    DecimalThenHex,
}

/// What is wrong with the settings of a carrier: which field, and what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{field} {right}")]
struct SettingError {
    field: &'static str,
    right: &'static str,
}

/// The settings as they are written.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    host: String,
    #[serde(default = "port")]
    port: u16,
    system_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    system_type: String,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ton: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_npi: Option<u8>,
    #[serde(default = "destination_ton")]
    destination_ton: u8,
    #[serde(default = "destination_npi")]
    destination_npi: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<SmppTls>,
    #[serde(default = "window")]
    window: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_per_second: Option<u32>,
    #[serde(default = "enquire_link_seconds")]
    enquire_link_seconds: u64,
    #[serde(default = "response_timeout_seconds")]
    response_timeout_seconds: u64,
    #[serde(default)]
    long: Long,
    #[serde(default)]
    default_alphabet: DefaultAlphabet,
    #[serde(default)]
    message_ids: MessageIds,
}

const fn port() -> u16 {
    2775
}

const fn destination_ton() -> u8 {
    INTERNATIONAL.ton
}

const fn destination_npi() -> u8 {
    INTERNATIONAL.npi
}

const fn window() -> u16 {
    10
}

const fn enquire_link_seconds() -> u64 {
    30
}

const fn response_timeout_seconds() -> u64 {
    10
}

impl SmppSettings {
    /// The same settings, where a relative path of `tls.ca` starts at the folder.
    pub fn within(mut self, folder: &Path) -> Self {
        if let Some(ca) = self.tls.as_mut().and_then(|tls| tls.ca.as_mut()) {
            *ca = folder.join(&*ca);
        }
        self
    }
}

impl Serialize for SmppSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SmppSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        written.check().map_err(serde::de::Error::custom)
    }
}

impl Written {
    fn check(self) -> Result<SmppSettings, SettingError> {
        let refuse = |field, right| Err(SettingError { field, right });
        if self.host.is_empty() || ServerName::try_from(self.host.as_str()).is_err() {
            return refuse(
                "host",
                "must be a host name or an IP address, without a port",
            );
        }
        if self.port == 0 {
            return refuse("port", "must be 1 to 65535");
        }
        if self.system_id.is_empty() || !is_text(&self.system_id, MAX_SYSTEM_ID) {
            return refuse("system_id", "must be 1 to 15 ASCII characters");
        }
        if !is_text(&self.system_type, MAX_SYSTEM_TYPE) {
            return refuse("system_type", "must be at most 12 ASCII characters");
        }
        let mut source = read_source(&self.source)?;
        source.kind.ton = self.source_ton.unwrap_or(source.kind.ton);
        source.kind.npi = self.source_npi.unwrap_or(source.kind.npi);
        if let Some(name) = self.tls.as_ref().and_then(|tls| tls.server_name.as_deref())
            && ServerName::try_from(name).is_err()
        {
            return refuse("tls.server_name", "must be a host name or an IP address");
        }
        if !(1..=1000).contains(&self.window) {
            return refuse("window", "must be 1 to 1000");
        }
        if self
            .requests_per_second
            .is_some_and(|rate| !(1..=10_000).contains(&rate))
        {
            return refuse("requests_per_second", "must be 1 to 10000");
        }
        if !(1..=3600).contains(&self.enquire_link_seconds) {
            return refuse("enquire_link_seconds", "must be 1 to 3600");
        }
        if !(1..=60).contains(&self.response_timeout_seconds) {
            return refuse("response_timeout_seconds", "must be 1 to 60");
        }
        Ok(SmppSettings {
            host: self.host.clone(),
            port: self.port,
            system_id: self.system_id.clone(),
            system_type: self.system_type.clone(),
            source,
            destination: NumberType {
                ton: self.destination_ton,
                npi: self.destination_npi,
            },
            tls: self.tls.clone(),
            window: self.window,
            requests_per_second: self.requests_per_second,
            enquire_link: Duration::from_secs(self.enquire_link_seconds),
            response_timeout: Duration::from_secs(self.response_timeout_seconds),
            long: self.long,
            default_alphabet: self.default_alphabet,
            message_ids: self.message_ids,
            written: Box::new(self),
        })
    }
}

const INTERNATIONAL: NumberType = NumberType { ton: 1, npi: 1 };
const NETWORK_SPECIFIC: NumberType = NumberType { ton: 3, npi: 0 };
const ALPHANUMERIC: NumberType = NumberType { ton: 5, npi: 0 };

/// The sender with the type that such a one usually has.
fn read_source(written: &str) -> Result<Address, SettingError> {
    let digits = written.strip_prefix('+').unwrap_or(written);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let (kind, text, most) = if !is_number {
        (ALPHANUMERIC, written, MAX_NAME)
    } else if digits == written && digits.len() <= MAX_SHORT_CODE {
        (NETWORK_SPECIFIC, digits, MAX_SHORT_CODE)
    } else {
        (INTERNATIONAL, digits, MAX_ADDRESS)
    };
    if text.is_empty() || !is_text(text, most) {
        return Err(SettingError {
            field: "source",
            right: "must be a sender of 1 to 11 ASCII characters, or a number",
        });
    }
    Ok(Address {
        kind,
        text: text.to_owned(),
    })
}

/// Whether a text can stand in a PDU, where a zero byte ends it.
pub(super) fn is_text(text: &str, most: usize) -> bool {
    text.len() <= most
        && text
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
