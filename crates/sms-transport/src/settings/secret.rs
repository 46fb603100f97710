//! Where a secret is: in a file or in a variable of the environment, never in the configuration.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use countersign_primitives::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;

use super::{Checked, Place};

/// The longest secret, in bytes: longer is another file.
const MAX_BYTES: u64 = 4096;

/// What a secret is given as.
const RULE: &str = "must be { file = \"…\" } or { env = \"…\" }: the file or the variable that \
                    holds the secret, which does not stand in the configuration itself";

/// Where a secret is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SecretSource {
    /// In a file; a line end after it does not count.
    File(PathBuf),
    /// In a variable of the environment.
    Env(String),
}

/// The secrets of a provider, by the names that its other settings use.
pub(crate) type Secrets = BTreeMap<String, SecretString>;

impl SecretSource {
    /// The secret; a relative path starts at `folder`.
    pub(crate) fn read(&self, folder: &Path, place: &Place) -> Checked<SecretString> {
        let secret = match self {
            Self::File(path) => {
                let path = folder.join(path);
                let fault = |what: &str| {
                    place.wrong(&format!("names the file {}, which {what}", path.display()))
                };
                let size = fs::metadata(&path)
                    .map_err(|error| fault(&format!("cannot be read: {}", in_words(&error))))?;
                if size.len() > MAX_BYTES {
                    return Err(fault("is too long for a secret: 4096 bytes at most"));
                }
                let text = fs::read_to_string(&path)
                    .map_err(|error| fault(&format!("cannot be read: {}", in_words(&error))))?;
                let text = text.strip_suffix('\n').unwrap_or(&text);
                SecretString::from(text.strip_suffix('\r').unwrap_or(text))
            }
            Self::Env(name) => env::var(name).map(SecretString::from).map_err(|_| {
                let rule = format!("names the variable {name:?}, which is not set to a text");
                place.wrong(&rule)
            })?,
        };
        if secret.expose_secret().is_empty() {
            return Err(place.wrong("names an empty secret"));
        }
        if secret.expose_secret().chars().any(char::is_control) {
            return Err(place.wrong("names a secret of several lines: it must be one"));
        }
        Ok(secret)
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    /// By hand, so that an error does not show what was written there.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let only = value.as_object().filter(|table| table.len() == 1);
        let entry = only.and_then(|table| table.iter().next());
        match entry.map(|(key, value)| (key.as_str(), value.as_str())) {
            Some(("file", Some(path))) => Ok(Self::File(path.into())),
            Some(("env", Some(name))) => Ok(Self::Env(name.to_owned())),
            _ => Err(D::Error::custom(RULE)),
        }
    }
}

fn in_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is none".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::InvalidData => "it is no text".to_owned(),
        kind => kind.to_string(),
    }
}
