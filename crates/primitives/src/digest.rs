//! Digests of values with several fields.

use std::fmt;

use minicbor::{CborLen, Decode, Encode};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct Digest(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]);

impl Digest {
    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Builds a digest over fields: each is preceded by its length, so that no two lists of fields
/// have the same encoding, and the first one names the format.
#[derive(Clone)]
pub struct Digester(Sha256);

impl Digester {
    /// A digest in the named format, such as `countersign.operation.v1`.
    #[must_use]
    pub fn new(format: &str) -> Self {
        Self(Sha256::new()).text(format)
    }

    /// Adds a field of bytes.
    #[must_use]
    pub fn bytes(mut self, field: &[u8]) -> Self {
        self.0.update((field.len() as u64).to_be_bytes());
        self.0.update(field);
        self
    }

    /// Adds a field of text.
    #[must_use]
    pub fn text(self, field: &str) -> Self {
        self.bytes(field.as_bytes())
    }

    /// Adds a whole number.
    #[must_use]
    pub fn number(self, field: i64) -> Self {
        self.bytes(&field.to_be_bytes())
    }

    /// The digest of the fields added.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_byte_between_fields_changes_the_digest() {
        let one = Digester::new("f").text("ab").text("c").finish();
        let other = Digester::new("f").text("a").text("bc").finish();
        assert_ne!(one, other);
    }
}
