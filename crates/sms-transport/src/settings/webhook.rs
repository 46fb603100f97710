//! What an aggregator reports by webhook, by configuration.

use serde::{Deserialize, Serialize};

use super::SecretSource;

/// The settings of a provider's `webhook`: the request is signed with HMAC-SHA256 over the time, a
/// separator and the body.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookSettings {
    pub(crate) secret: SecretSource,
    /// The header with the signature, in hexadecimal digits.
    #[serde(default = "signature_header")]
    pub(crate) signature_header: String,
    /// The header with the time, in seconds since 1970.
    #[serde(default = "timestamp_header")]
    pub(crate) timestamp_header: String,
    /// What stands between time and body where they are signed.
    #[serde(default = "separator")]
    pub(crate) separator: String,
    #[serde(default)]
    pub(crate) format: Format,
    /// Where the provider's name for the message is: a JSON pointer, such as `/MessageSid` for a
    /// field of a form.
    pub(crate) message_id: String,
    /// Where its state is: a JSON pointer.
    pub(crate) state: String,
    /// States that say that the message is on its way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) sent: Vec<String>,
    /// States that say that it arrived.
    pub(crate) delivered: Vec<String>,
    /// States that say that it will not arrive.
    pub(crate) failed: Vec<String>,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    #[default]
    Json,
    Form,
}

fn signature_header() -> String {
    "X-Signature".to_owned()
}

fn timestamp_header() -> String {
    "X-Timestamp".to_owned()
}

fn separator() -> String {
    ".".to_owned()
}
