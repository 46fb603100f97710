//! Twilio's Messages API of 2010-04-01, as a ready way of speaking HTTP.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    BasicAuth, Checked, Condition, HttpSettings, Place, SecretSource, http::timeout, place::literal,
};

/// Where the API is, for accounts that are bound to no region.
const BASE_URL: &str = "https://api.twilio.com";

/// The settings of kind `twilio`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TwilioSettings {
    pub(crate) account_sid: String,
    pub(crate) auth_token: SecretSource,
    /// The sender: a number or a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    /// The service that chooses the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) messaging_service_sid: Option<String>,
    #[serde(default = "base_url")]
    pub(crate) base_url: String,
    /// The address by which Twilio reaches our webhook, exactly as it calls it: it is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) public_url: Option<String>,
    #[serde(default = "timeout")]
    pub(crate) timeout_seconds: u64,
}

impl TwilioSettings {
    /// What it comes to.
    pub(crate) fn http(&self, place: &Place) -> Checked<HttpSettings> {
        let sid = &self.account_sid;
        let is_hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digits = sid.strip_prefix("AC").unwrap_or_default();
        if digits.len() != 32 || !is_hex(digits) {
            let rule = "must be the account's SID: AC and 32 hexadecimal digits";
            return Err(place.key("account_sid").wrong(rule));
        }
        let (name, sender) = match (&self.from, &self.messaging_service_sid) {
            (Some(from), None) => ("From", literal(from, &place.key("from"))?),
            (None, Some(service)) => {
                let place = place.key("messaging_service_sid");
                ("MessagingServiceSid", literal(service, &place)?)
            }
            _ => {
                let rule = "needs a sender: one of from and messaging_service_sid, not both";
                return Err(place.wrong(rule));
            }
        };
        let mut form = owned(&[
            ("To", "{number}"),
            ("Body", "{text}"),
            ("ValidityPeriod", "{validity_seconds}"),
            (name, sender),
        ]);
        if let Some(url) = &self.public_url {
            let url = literal(url, &place.key("public_url"))?;
            form.insert("StatusCallback".to_owned(), url.to_owned());
        }
        let mut http = HttpSettings::post(format!(
            "{}/2010-04-01/Accounts/{sid}/Messages.json",
            self.base_url.trim_end_matches('/')
        ));
        http.basic_auth = Some(BasicAuth {
            user: sid.clone(),
            password: self.auth_token.clone(),
        });
        http.form = Some(form);
        http.message_id = Some("/sid".to_owned());
        http.error_code = Some("/code".to_owned());
        // The number is none (21211), or of a phone that receives no texts (21614).
        http.bad_number = vec![Condition::numbers("/code", &[21211, 21614])];
        // Too many requests (20429), or messages in the sender's queue (21611).
        http.throttled = vec![Condition::numbers("/code", &[20429, 21611])];
        http.timeout_seconds = self.timeout_seconds;
        Ok(http)
    }
}

/// A table with these entries.
pub(super) fn owned(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    entries.iter().map(own).collect()
}

fn base_url() -> String {
    BASE_URL.to_owned()
}
