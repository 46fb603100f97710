//! An aggregator that is spoken to by HTTP.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    SecretSource, WebhookSettings,
    named::{read_some, read_within},
};

/// The settings of kind `http`. Texts may have placeholders, which `Template` lists.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpSettings {
    #[serde(default)]
    pub(crate) method: Method,
    pub(crate) url: String,
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "read_within"
    )]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "read_some"
    )]
    pub(crate) basic_auth: Option<BasicAuth>,
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "read_within"
    )]
    pub(crate) query: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) json: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "read_some"
    )]
    pub(crate) form: Option<BTreeMap<String, String>>,
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "read_within"
    )]
    pub(crate) secrets: BTreeMap<String, SecretSource>,
    /// Where in the answer the provider's name for the message is: a JSON pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message_id: Option<String>,
    /// Where in the answer a code of what went wrong is: a JSON pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error_code: Option<String>,
    /// The header that takes the message's id, by which the provider knows a repetition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) idempotency_header: Option<String>,
    /// Answers that say that there is no such number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) bad_number: Vec<Condition>,
    /// Answers that ask for less at a time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) throttled: Vec<Condition>,
    /// Answers that do not tell whether the provider has the message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unclear: Vec<Condition>,
    /// Answers that say that the provider does not take the message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) refused: Vec<Condition>,
    #[serde(default = "timeout")]
    pub(crate) timeout_seconds: u64,
    /// The authorities that are trusted instead of the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "read_some"
    )]
    pub(crate) webhook: Option<WebhookSettings>,
}

/// How a request is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Method {
    Get,
    #[default]
    Post,
    Put,
}

/// Name and password that each request begins with.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BasicAuth {
    pub(crate) user: String,
    pub(crate) password: SecretSource,
}

/// Which answers are meant: those with this status, those that have one of these values there, or
/// those of which both is so.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Condition {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// A JSON pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<String>,
    /// Texts or numbers; where there are none, any value but `null` will do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) is: Vec<Value>,
}

impl HttpSettings {
    /// A request by POST to this address, and nothing said of answers.
    pub(crate) fn post(url: String) -> Self {
        Self {
            method: Method::Post,
            url,
            headers: BTreeMap::new(),
            basic_auth: None,
            query: BTreeMap::new(),
            json: None,
            form: None,
            secrets: BTreeMap::new(),
            message_id: None,
            error_code: None,
            idempotency_header: None,
            bad_number: Vec::new(),
            throttled: Vec::new(),
            unclear: Vec::new(),
            refused: Vec::new(),
            timeout_seconds: timeout(),
            ca_file: None,
            webhook: None,
        }
    }
}

impl Condition {
    /// Answers that have one of these numbers there.
    pub(crate) fn numbers(at: &str, numbers: &[u32]) -> Self {
        Self {
            status: None,
            at: Some(at.to_owned()),
            is: numbers.iter().map(|number| Value::from(*number)).collect(),
        }
    }
}

/// How long an answer is waited for, in seconds, where nothing else is said.
pub(crate) const fn timeout() -> u64 {
    10
}
