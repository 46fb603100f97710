//! How a carrier is reached over SMPP, checked.

use std::{path::PathBuf, time::Duration};

use countersign_primitives::{ExposeSecret, SecretString};
use rustls::pki_types::ServerName;
use serde::{Deserialize, Deserializer};
use thiserror::Error;

/// The longest system id, password and system type that a bind has room for.
const MAX_SYSTEM_ID: usize = 15;
const MAX_PASSWORD: usize = 8;
const MAX_SYSTEM_TYPE: usize = 12;
/// The longest sender made of letters (3GPP 23.040), and the longest address.
const MAX_NAME: usize = 11;
const MAX_ADDRESS: usize = 20;
/// Up to this length a number without a country code is a short code.
const MAX_SHORT_CODE: usize = 8;

/// How one carrier is reached over SMPP 3.4.
#[derive(Clone, Debug)]
pub struct SmppSettings {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) system_id: String,
    pub(super) password: SecretString,
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
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SmppTls {
    /// A PEM file of the authorities that may have issued the carrier's certificate. Without it,
    /// those that browsers trust.
    pub(super) ca: Option<PathBuf>,
    /// The name in the carrier's certificate, where it is not `host`.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Long {
    /// Part by part, each with a user data header.
    #[default]
    Udh,
    /// Whole, in the `message_payload` parameter: the carrier cuts it up.
    Payload,
}

/// What `data_coding` 0 means to the carrier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum DefaultAlphabet {
    /// The alphabet of 3GPP 23.038, one septet a byte.
    #[default]
    Gsm7,
    /// ISO 8859-1, which the carrier turns into the alphabet of 3GPP 23.038.
    Latin1,
}

/// How the carrier writes the ids of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    host: String,
    port: Option<u16>,
    system_id: String,
    password: SecretString,
    #[serde(default)]
    system_type: String,
    source: String,
    source_ton: Option<u8>,
    source_npi: Option<u8>,
    destination_ton: Option<u8>,
    destination_npi: Option<u8>,
    tls: Option<SmppTls>,
    window: Option<u16>,
    requests_per_second: Option<u32>,
    enquire_link_seconds: Option<u64>,
    response_timeout_seconds: Option<u64>,
    #[serde(default)]
    long: Long,
    #[serde(default)]
    default_alphabet: DefaultAlphabet,
    #[serde(default)]
    message_ids: MessageIds,
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
        if self.port == Some(0) {
            return refuse("port", "must be 1 to 65535");
        }
        if self.system_id.is_empty() || !is_text(&self.system_id, MAX_SYSTEM_ID) {
            return refuse("system_id", "must be 1 to 15 ASCII characters");
        }
        if !is_text(self.password.expose_secret(), MAX_PASSWORD) {
            return refuse("password", "must be at most 8 ASCII characters");
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
        if self
            .window
            .is_some_and(|window| !(1..=1000).contains(&window))
        {
            return refuse("window", "must be 1 to 1000");
        }
        if self
            .requests_per_second
            .is_some_and(|rate| !(1..=10_000).contains(&rate))
        {
            return refuse("requests_per_second", "must be 1 to 10000");
        }
        if self
            .enquire_link_seconds
            .is_some_and(|pause| !(1..=3600).contains(&pause))
        {
            return refuse("enquire_link_seconds", "must be 1 to 3600");
        }
        if self
            .response_timeout_seconds
            .is_some_and(|pause| !(1..=60).contains(&pause))
        {
            return refuse("response_timeout_seconds", "must be 1 to 60");
        }
        Ok(SmppSettings {
            host: self.host,
            port: self.port.unwrap_or(2775),
            system_id: self.system_id,
            password: self.password,
            system_type: self.system_type,
            source,
            destination: NumberType {
                ton: self.destination_ton.unwrap_or(INTERNATIONAL.ton),
                npi: self.destination_npi.unwrap_or(INTERNATIONAL.npi),
            },
            tls: self.tls,
            window: self.window.unwrap_or(10),
            requests_per_second: self.requests_per_second,
            enquire_link: Duration::from_secs(self.enquire_link_seconds.unwrap_or(30)),
            response_timeout: Duration::from_secs(self.response_timeout_seconds.unwrap_or(10)),
            long: self.long,
            default_alphabet: self.default_alphabet,
            message_ids: self.message_ids,
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
fn is_text(text: &str, most: usize) -> bool {
    text.len() <= most
        && text
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
