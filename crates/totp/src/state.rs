//! What is kept of an authenticator app.

use std::time::Duration;

use countersign_primitives::{SecretBytes, Timestamp};
use minicbor::{CborLen, Decode, Encode};

/// How long one code is shown: RFC 6238's recommended 30 seconds.
pub(crate) const PERIOD: Duration = Duration::from_secs(30);

/// The hash inside the HMAC. Not every app knows more than SHA-1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode, CborLen)]
#[cbor(index_only)]
pub enum Algorithm {
    /// HMAC-SHA-1, with a seed of 20 bytes: what every app knows.
    #[default]
    #[n(0)]
    Sha1,
    /// HMAC-SHA-256, with a seed of 32 bytes.
    #[n(1)]
    Sha256,
    /// HMAC-SHA-512, with a seed of 64 bytes.
    #[n(2)]
    Sha512,
}

impl Algorithm {
    /// The seed's length in bytes: that of the HMAC, as RFC 4226 §4 advises.
    pub(crate) const fn seed_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// How long a code is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode, CborLen)]
#[cbor(index_only)]
pub enum Digits {
    /// Six digits: what every app knows.
    #[default]
    #[n(0)]
    Six,
    /// Eight digits.
    #[n(1)]
    Eight,
}

impl Digits {
    /// The number of digits.
    pub const fn count(self) -> u8 {
        match self {
            Self::Six => 6,
            Self::Eight => 8,
        }
    }
}

/// The secret half of an enrolled app, for the inside of a sealed part.
#[derive(Clone, Debug, Encode, Decode, CborLen)]
pub struct Authenticator {
    #[n(0)]
    pub(crate) algorithm: Algorithm,
    #[n(1)]
    pub(crate) digits: Digits,
    #[n(2)]
    pub(crate) seed: SecretBytes,
}

impl Authenticator {
    /// The authenticator with this seed.
    pub const fn new(algorithm: Algorithm, digits: Digits, seed: SecretBytes) -> Self {
        Self {
            algorithm,
            digits,
            seed,
        }
    }
}

/// The number of a 30-second step since the epoch (RFC 6238's T).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct Step(#[n(0)] u64);

impl Step {
    /// The step that holds `instant`.
    pub fn at(instant: Timestamp) -> Self {
        Self(instant.as_secs() / PERIOD.as_secs())
    }

    /// The instant at which the step begins.
    pub fn begins(self) -> Timestamp {
        Timestamp::from_millis(0).plus(PERIOD * u32::try_from(self.0).unwrap_or(u32::MAX))
    }

    /// The step after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// This step, the one before and the one after it, latest first.
    pub(crate) fn window(self) -> impl Iterator<Item = Self> {
        (self.0.saturating_sub(1)..=self.0 + 1).rev().map(Self)
    }

    pub(crate) const fn seconds(self) -> u64 {
        self.0 * PERIOD.as_secs()
    }
}
