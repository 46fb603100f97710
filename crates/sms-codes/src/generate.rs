//! Making a challenge, and the code of one.

use std::time::Duration;

use countersign_primitives::{
    Digester, IdentifierId, MessageId, SecretBytes, SecretString, Timestamp,
};
use hmac::{Hmac, KeyInit, Mac};
use rand::CryptoRng;
use sha2::Sha256;

use crate::{Binding, Challenge};

/// Digits of a code.
pub(crate) const DIGITS: usize = 6;
const CODES: u64 = 1_000_000;
const NONCE: usize = 32;

impl Challenge {
    /// A new challenge, which dies after `life` or with its target, whichever comes first.
    pub fn generate(
        identifier: IdentifierId,
        message: MessageId,
        life: Duration,
        target_ends: Timestamp,
        now: Timestamp,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Self {
        let mut nonce = vec![0; NONCE];
        rng.fill_bytes(&mut nonce);
        Self {
            nonce: SecretBytes::new(nonce),
            identifier,
            issued_at: now,
            expires_at: now.plus(life).min(target_ends),
            message,
        }
    }

    /// The same challenge, sent with another message.
    #[must_use]
    pub fn sent_again(&self, message: MessageId) -> Self {
        Self {
            message,
            ..self.clone()
        }
    }

    /// Whether its code would be accepted at `now`.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    /// The code: six digits. The same each time for one binding, and for no other.
    pub fn code(&self, binding: &Binding<'_>) -> SecretString {
        let operation: &[u8] = match &binding.operation {
            Some(digest) => digest.as_bytes(),
            None => &[],
        };
        let bound = Digester::new("countersign.sms-code.v1")
            .text(binding.subject.as_str())
            .bytes(&binding.target)
            .bytes(self.identifier.as_bytes())
            .text(binding.number)
            .text(binding.purpose)
            .bytes(operation)
            .finish();
        // HMAC takes keys of any length, so this cannot fail.
        let mac = Hmac::<Sha256>::new_from_slice(self.nonce.expose()).map_or([0; 32], |mut mac| {
            mac.update(bound.as_bytes());
            <[u8; 32]>::from(mac.finalize().into_bytes())
        });
        // Of 2^64 values, one code has at most one more than another.
        let number = mac[..8]
            .iter()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        SecretString::from(format!("{:0DIGITS$}", number % CODES))
    }
}

#[cfg(test)]
mod tests;
