//! The API of SMSC and those who offer the same (`send.php`), as a ready way of speaking HTTP.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Checked, Condition, HttpSettings, Place, SecretSource, http::timeout, place::literal,
    twilio::owned,
};

/// The settings of kind `smsc`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SmscSettings {
    /// Such as `https://smsc.ru/sys/send.php`.
    pub(crate) url: String,
    pub(crate) login: String,
    pub(crate) password: SecretSource,
    /// The name that the phone shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sender: Option<String>,
    /// The secret that reports of delivery are signed with; without one none are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) callback_secret: Option<SecretSource>,
    #[serde(default = "timeout")]
    pub(crate) timeout_seconds: u64,
}

impl SmscSettings {
    /// What it comes to.
    pub(crate) fn http(&self, place: &Place) -> Checked<HttpSettings> {
        let mut form = owned(&[
            ("psw", "{secret:password}"),
            ("phones", "{number}"),
            ("mes", "{text}"),
            ("id", "{id}"),
            ("valid", "{validity_hh_mm}"),
            ("fmt", "3"),
            ("charset", "utf-8"),
        ]);
        let login = literal(&self.login, &place.key("login"))?;
        form.insert("login".to_owned(), login.to_owned());
        if let Some(sender) = &self.sender {
            let sender = literal(sender, &place.key("sender"))?;
            form.insert("sender".to_owned(), sender.to_owned());
        }
        let mut http = HttpSettings::post(self.url.clone());
        http.form = Some(form);
        http.secrets = BTreeMap::from([("password".to_owned(), self.password.clone())]);
        http.message_id = Some("/id".to_owned());
        http.error_code = Some(AT.to_owned());
        // Errors come with status 200. 7: the number's form is wrong.
        http.bad_number = vec![Condition::numbers(AT, &[7])];
        // 4: the address is blocked for a while.
        http.throttled = vec![Condition::numbers(AT, &[4])];
        // 9: the same request was made within the last minute, or too many at once.
        http.unclear = vec![Condition::numbers(AT, &[9])];
        http.refused = vec![Condition::numbers(AT, &[])];
        http.timeout_seconds = self.timeout_seconds;
        Ok(http)
    }
}

/// Where an answer says what went wrong.
const AT: &str = "/error_code";
