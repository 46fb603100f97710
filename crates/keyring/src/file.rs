//! The key file: TOML, one `[[key]]` for each key.

use countersign_primitives::{ExposeSecret, SecretBytes, SecretString};
use data_encoding::BASE64;
use rand::CryptoRng;
use serde::Deserialize;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    KeyUse, Keyring,
    keys::{Key, KeyId, Ring},
};

const SECRET_BYTES: usize = 32;

/// Why a text is no key file. No error shows any of a key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyFileError {
    /// Not TOML, or not of the shape that `countersign keys init` writes. What stands there is
    /// not repeated: it may be a secret.
    #[error(
        "line {line} of the key file is not as `countersign keys init` writes it: `format = 1`, \
         then for each key `[[key]]` with `id`, `use` and `secret`"
    )]
    Form {
        /// Where reading stopped, from 1.
        line: usize,
    },
    /// A format of another version of the program.
    #[error("the key file has format {0}, and this program reads format 1")]
    Format(u32),
    /// An entry's id is not 16 hexadecimal digits.
    #[error("key {number}: `id` must be 16 hexadecimal digits")]
    Id {
        /// Which `[[key]]`, from 1.
        number: usize,
    },
    /// An entry's use is unknown.
    #[error("key {number}: `use` must be one of seal, request-mac, page-token, number-index")]
    Use {
        /// Which `[[key]]`, from 1.
        number: usize,
    },
    /// An entry's secret is not 32 bytes in base64.
    #[error("key {number}: `secret` must be 32 bytes in base64")]
    Secret {
        /// Which `[[key]]`, from 1.
        number: usize,
    },
    /// Two entries have one id, or one secret.
    #[error("key {number}: its id or its secret stands in the file twice")]
    Twice {
        /// Which `[[key]]`, from 1.
        number: usize,
    },
    /// A use has no key.
    #[error("the key file has no key whose use is `{0}`")]
    Missing(&'static str),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    key: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    #[serde(rename = "use")]
    usage: String,
    secret: SecretString,
}

/// The text of a new key file with a random key for each use.
pub fn generate_file(rng: &mut (impl CryptoRng + ?Sized)) -> SecretString {
    let mut text = Zeroizing::new(String::from(
        "# Keys of one Countersign installation. Whoever has this file and the database has the\n\
         # seeds and PINs of every subject; whoever loses it loses them all. Keep a copy apart from\n\
         # the copies of the database.\n\
         format = 1\n",
    ));
    for usage in KeyUse::ALL {
        let mut id = [0; 8];
        rng.fill_bytes(&mut id);
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        rng.fill_bytes(secret.as_mut());
        let encoded = Zeroizing::new(BASE64.encode(secret.as_ref()));
        text.push_str(&format!("\n[[key]]\nid = \"{}\"\n", KeyId(id)));
        text.push_str(&format!("use = \"{}\"\nsecret = \"", usage.name()));
        text.push_str(&encoded);
        text.push_str("\"\n");
    }
    SecretString::from(text.as_str())
}

/// Reads a key file.
///
/// # Errors
/// [`KeyFileError`] names the entry and what would be right.
pub fn parse_file(text: &str) -> Result<Keyring, KeyFileError> {
    // Of the error only the place: its text quotes what it found.
    let file: File = toml::from_str(text).map_err(|error| {
        let end = error.span().map_or(0, |span| span.start);
        let before = text.get(..end).unwrap_or_default();
        let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
        KeyFileError::Form { line }
    })?;
    if file.format != 1 {
        return Err(KeyFileError::Format(file.format));
    }
    let mut keys: Vec<Key> = Vec::new();
    for (number, entry) in (1..).zip(file.key) {
        let key = parse_entry(number, &entry)?;
        let is_known =
            |other: &Key| other.id == key.id || other.secret.expose() == key.secret.expose();
        if keys.iter().any(is_known) {
            return Err(KeyFileError::Twice { number });
        }
        keys.push(key);
    }
    let mut ring = |usage: KeyUse| {
        Ring::of(keys.extract_if(.., |key| key.usage == usage).collect())
            .ok_or(KeyFileError::Missing(usage.name()))
    };
    Ok(Keyring {
        seal: ring(KeyUse::Seal)?,
        request_mac: ring(KeyUse::RequestMac)?,
        page_token: ring(KeyUse::PageToken)?,
        number_index: ring(KeyUse::NumberIndex)?,
    })
}

fn parse_entry(number: usize, entry: &Entry) -> Result<Key, KeyFileError> {
    let id = data_encoding::HEXLOWER
        .decode(entry.id.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(KeyFileError::Id { number })?;
    let usage = KeyUse::ALL
        .into_iter()
        .find(|usage| usage.name() == entry.usage)
        .ok_or(KeyFileError::Use { number })?;
    let secret = BASE64
        .decode(entry.secret.expose_secret().as_bytes())
        .ok()
        .map(SecretBytes::new)
        .filter(|secret| secret.expose().len() == SECRET_BYTES)
        .ok_or(KeyFileError::Secret { number })?;
    Ok(Key {
        id: KeyId(id),
        usage,
        secret,
    })
}

#[cfg(test)]
mod tests;
