//! New codes, and how they are printed.

use countersign_primitives::{ExposeSecret, SecretString};
use rand::CryptoRng;

/// Crockford's base 32: no I, L, O and U, which are read as other characters or make words.
pub(crate) const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters in a code.
pub(crate) const LENGTH: usize = 15;
/// Characters between two dashes.
const GROUP: usize = 5;
/// Random bits in a code: more than the 64 that NIST SP 800-63B-4 §4.2.1.1 asks of a code that an
/// account is recovered with.
pub const BITS: usize = LENGTH * 5;

/// A new code: shown once, and kept as a hash only.
#[derive(Clone, Debug)]
pub struct NewCode(SecretString);

impl NewCode {
    fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut bytes = [0; LENGTH];
        rng.fill_bytes(&mut bytes);
        // 32 divides 256, so each character is as likely as any other.
        let characters = bytes.map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
        Self(SecretString::from(String::from_iter(characters)))
    }

    /// The characters of the code without dashes: what is hashed.
    pub const fn plain(&self) -> &SecretString {
        &self.0
    }

    /// The code as it is printed: three groups of five, `7K3QX-2M9TA-0VJ4C`.
    pub fn printed(&self) -> SecretString {
        let plain = self.0.expose_secret();
        let mut printed = String::with_capacity(LENGTH + 2);
        for (place, character) in plain.chars().enumerate() {
            if place > 0 && place % GROUP == 0 {
                printed.push('-');
            }
            printed.push(character);
        }
        SecretString::from(printed)
    }
}

/// So many new codes, no two alike.
pub fn new_codes(count: usize, rng: &mut (impl CryptoRng + ?Sized)) -> Vec<NewCode> {
    let mut codes: Vec<NewCode> = Vec::with_capacity(count);
    while codes.len() < count {
        let code = NewCode::random(rng);
        let is_like = |other: &NewCode| other.0.expose_secret() == code.0.expose_secret();
        if !codes.iter().any(is_like) {
            codes.push(code);
        }
    }
    codes
}

#[cfg(test)]
mod tests;
