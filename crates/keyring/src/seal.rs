//! Sealing: XChaCha20-Poly1305 (24-byte random nonces), bound to the place of the blob.
//!
//! A blob is `version (1) ‖ algorithm (1) ‖ key id (8) ‖ nonce (24) ‖ ciphertext and tag`. The
//! associated data holds the first ten bytes and the place, each with its length.

use chacha20poly1305::{
    Key as CipherKey, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use countersign_primitives::{SecretBytes, SubjectId};
use rand::CryptoRng;
use thiserror::Error;

use crate::{Keyring, keys::Key};

const VERSION: u8 = 1;
const XCHACHA20_POLY1305: u8 = 1;
const HEADER: usize = 10;
const NONCE: usize = 24;

/// Where a sealed part lies. A blob that is moved elsewhere does not open.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The table.
    pub table: &'static str,
    /// The row's subject.
    pub subject: &'a SubjectId,
    /// The column.
    pub column: &'static str,
}

/// A sealed part does not open. All reasons look alike: a wrong key, another place, a changed
/// byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a sealed part does not open with the keys at hand")]
pub struct OpenError;

impl Keyring {
    /// Seals `plain` for its place with the present sealing key.
    ///
    /// # Errors
    /// [`OpenError`] when the cipher refuses, which takes a part of gigabytes.
    pub fn seal(
        &self,
        place: Place<'_>,
        plain: &SecretBytes,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Vec<u8>, OpenError> {
        let key = &self.seal.present;
        let mut nonce = [0; NONCE];
        rng.fill_bytes(&mut nonce);
        let mut blob = vec![VERSION, XCHACHA20_POLY1305];
        blob.extend_from_slice(&key.id.0);
        let payload = Payload {
            msg: plain.expose(),
            aad: &associated_data(&blob, place),
        };
        let sealed = cipher(key)?
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| OpenError)?;
        blob.extend_from_slice(&nonce);
        blob.extend_from_slice(&sealed);
        Ok(blob)
    }

    /// Opens a blob that was sealed for this place.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, place: Place<'_>, blob: &[u8]) -> Result<SecretBytes, OpenError> {
        let (header, rest) = blob.split_at_checked(HEADER).ok_or(OpenError)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(OpenError)?;
        let id = match header {
            [VERSION, XCHACHA20_POLY1305, id @ ..] => id,
            _ => return Err(OpenError),
        };
        let key = self
            .seal
            .keys()
            .find(|key| key.id.0 == id)
            .ok_or(OpenError)?;
        let payload = Payload {
            msg: sealed,
            aad: &associated_data(header, place),
        };
        let plain = cipher(key)?
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| OpenError)?;
        Ok(SecretBytes::new(plain))
    }
}

fn cipher(key: &Key) -> Result<XChaCha20Poly1305, OpenError> {
    let secret: &[u8; 32] = key.secret.expose().try_into().map_err(|_| OpenError)?;
    Ok(XChaCha20Poly1305::new(&CipherKey::from(*secret)))
}

fn associated_data(header: &[u8], place: Place<'_>) -> Vec<u8> {
    let fields = [
        header,
        place.table.as_bytes(),
        place.subject.as_str().as_bytes(),
        place.column.as_bytes(),
    ];
    fields.iter().fold(Vec::new(), |mut data, field| {
        data.extend_from_slice(&(field.len() as u64).to_be_bytes());
        data.extend_from_slice(field);
        data
    })
}

#[cfg(test)]
mod tests;
