//! Keys, their uses and their ids.

use std::fmt;

use countersign_primitives::SecretBytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// What a key is for. No key serves two uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyUse {
    /// Sealing parts of rows.
    Seal,
    /// MACs of request bodies: a plain hash of a body with a PIN would be an offline oracle.
    RequestMac,
    /// MACs of page tokens, so that a token grants nothing by itself.
    PageToken,
    /// The blind index of phone numbers: tells how many subjects use one, and not which it is.
    NumberIndex,
}

impl KeyUse {
    pub(crate) const ALL: [Self; 4] = [
        Self::Seal,
        Self::RequestMac,
        Self::PageToken,
        Self::NumberIndex,
    ];

    /// The use's name in key files and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::RequestMac => "request-mac",
            Self::PageToken => "page-token",
            Self::NumberIndex => "number-index",
        }
    }
}

/// Names one key: 8 random bytes, shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub(crate) [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: KeyId,
    pub(crate) usage: KeyUse,
    pub(crate) secret: SecretBytes,
}

/// The keys of one use: the one that new things are made with, and earlier ones, which only open
/// and check.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    pub(crate) present: Key,
    earlier: Vec<Key>,
}

impl Ring {
    /// The ring of these keys, the present one last; `None` without any.
    pub(crate) fn of(mut keys: Vec<Key>) -> Option<Self> {
        let present = keys.pop()?;
        let earlier = keys;
        Some(Self { present, earlier })
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.present).chain(&self.earlier)
    }
}

/// The keys of an installation: one ring for each use.
#[derive(Clone, Debug)]
pub struct Keyring {
    pub(crate) seal: Ring,
    pub(crate) request_mac: Ring,
    pub(crate) page_token: Ring,
    pub(crate) number_index: Ring,
}

/// What the database keeps of a key, so that a key file of another installation is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCheck {
    /// The key's id, in hexadecimal.
    pub key_id: String,
    /// What the key is for.
    pub usage: &'static str,
    /// A MAC of a fixed text under the key: it proves which key this is and tells nothing of it.
    pub value: Vec<u8>,
}

impl Keyring {
    /// A MAC of `message` under the present key of a use.
    pub fn mac(&self, usage: KeyUse, message: &[u8]) -> [u8; 32] {
        hmac(&self.ring(usage).present, message)
    }

    /// The MACs of `message` under every key of a use, that of the present one first.
    pub fn macs(&self, usage: KeyUse, message: &[u8]) -> impl Iterator<Item = [u8; 32]> {
        self.ring(usage).keys().map(|key| hmac(key, message))
    }

    /// Whether `mac` is that of `message` under any key of a use, in constant time.
    pub fn is_mac_of(&self, usage: KeyUse, message: &[u8], mac: &[u8]) -> bool {
        let mut keys = self.ring(usage).keys();
        keys.any(|key| hmac(key, message).ct_eq(mac).into())
    }

    /// The check values of all keys.
    pub fn checks(&self) -> Vec<KeyCheck> {
        KeyUse::ALL
            .into_iter()
            .flat_map(|usage| self.ring(usage).keys())
            .map(|key| KeyCheck {
                key_id: key.id.to_string(),
                usage: key.usage.name(),
                value: hmac(key, b"countersign key check value, version 1")[..16].to_vec(),
            })
            .collect()
    }

    const fn ring(&self, usage: KeyUse) -> &Ring {
        match usage {
            KeyUse::Seal => &self.seal,
            KeyUse::RequestMac => &self.request_mac,
            KeyUse::PageToken => &self.page_token,
            KeyUse::NumberIndex => &self.number_index,
        }
    }
}

fn hmac(key: &Key, message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length, so this cannot fail.
    Hmac::<Sha256>::new_from_slice(key.secret.expose()).map_or([0; 32], |mut mac| {
        mac.update(message);
        mac.finalize().into_bytes().into()
    })
}
