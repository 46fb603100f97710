//! Argon2id (RFC 9106), for secrets that a person can remember or copy from paper.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use minicbor::{CborLen, Decode, Encode};
use rand::CryptoRng;
use subtle::ConstantTimeEq;

use crate::SecretBytes;

/// The cost of one hash, stored beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, CborLen)]
pub struct HashCost {
    /// Memory, in KiB.
    #[n(0)]
    pub memory_kib: u32,
    /// Passes over that memory.
    #[n(1)]
    pub passes: u32,
    /// Lanes.
    #[n(2)]
    pub lanes: u32,
}

impl HashCost {
    /// 19 MiB, two passes, one lane: the first choice of OWASP's Password Storage Cheat Sheet
    /// that leaves a small server room to work (about 12 ms on one core).
    pub const OWASP: Self = Self {
        memory_kib: 19 * 1024,
        passes: 2,
        lanes: 1,
    };

    /// Whether Argon2 can run at this cost.
    pub fn is_possible(&self) -> bool {
        self.params().is_some()
    }

    fn params(&self) -> Option<Params> {
        Params::new(self.memory_kib, self.passes, self.lanes, Some(HASH_BYTES)).ok()
    }
}

impl Default for HashCost {
    fn default() -> Self {
        Self::OWASP
    }
}

const HASH_BYTES: usize = 32;

/// A random salt of 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct Salt(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]);

impl Salt {
    /// A new salt.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The salt of a run whose result no one will ever compare with anything: it makes the answer
    /// about an account without a secret cost as much as about one that has it.
    pub const DUMMY: Self = Self(*b"countersign-none");
}

/// The outcome of one Argon2id run.
#[derive(Clone, Debug, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct Hash(#[n(0)] SecretBytes);

impl Hash {
    /// Whether two hashes are equal, in time that does not depend on where they differ.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.expose().ct_eq(other.0.expose()).into()
    }
}

/// Memory for Argon2id runs, kept from one run to the next.
#[derive(Default)]
pub struct HashMemory(Vec<Block>);

impl HashMemory {
    /// Runs Argon2id once over `secret`.
    ///
    /// # Errors
    /// [`ImpossibleCost`] when Argon2 cannot run at this cost; nothing else can fail.
    pub fn run(
        &mut self,
        secret: &[u8],
        salt: &Salt,
        cost: HashCost,
    ) -> Result<Hash, ImpossibleCost> {
        let params = cost.params().ok_or(ImpossibleCost)?;
        if self.0.len() < params.block_count() {
            self.0.resize(params.block_count(), Block::default());
        }
        let mut output = vec![0; HASH_BYTES];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(secret, &salt.0, &mut output, &mut self.0)
            .map_err(|_| ImpossibleCost)?;
        Ok(Hash(SecretBytes::new(output)))
    }
}

/// Argon2 cannot run at the cost asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the Argon2 cost is out of range: memory must be at least 8 KiB per lane, passes and lanes at least 1"
)]
pub struct ImpossibleCost;

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: HashCost = HashCost {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };

    #[test]
    fn memory_of_an_earlier_run_does_not_change_a_hash() {
        let mut memory = HashMemory::default();
        let first = memory.run(b"secret", &Salt::DUMMY, CHEAP);
        let larger = HashCost {
            memory_kib: 128,
            ..CHEAP
        };
        memory.run(b"other", &Salt::DUMMY, larger).unwrap();
        let second = memory.run(b"secret", &Salt::DUMMY, CHEAP);
        assert!(first.unwrap().matches(&second.unwrap()));
    }

    #[test]
    fn a_cost_argon2_cannot_run_at_is_an_error() {
        let cost = HashCost {
            memory_kib: 1,
            ..CHEAP
        };
        assert!(!cost.is_possible());
        let run = HashMemory::default().run(b"secret", &Salt::DUMMY, cost);
        assert_eq!(run.unwrap_err(), ImpossibleCost);
    }
}
