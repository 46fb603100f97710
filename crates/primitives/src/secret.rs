//! Bytes that must not be seen.

use std::fmt;

use minicbor::{
    CborLen, Decode, Decoder, Encode, Encoder, bytes::ByteSlice, decode, encode, encode::Write,
};
use zeroize::Zeroizing;

/// Secret bytes: wiped when dropped, and hidden from `Debug`.
///
/// They are encoded as a CBOR byte string, for the inside of a sealed part only.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<C> Encode<C> for SecretBytes {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<C> Decode<'_, C> for SecretBytes {
    fn decode(d: &mut Decoder<'_>, _: &mut C) -> Result<Self, decode::Error> {
        Ok(Self::new(d.bytes()?.to_vec()))
    }
}

impl<C> CborLen<C> for SecretBytes {
    fn cbor_len(&self, ctx: &mut C) -> usize {
        <&ByteSlice>::from(self.0.as_slice()).cbor_len(ctx)
    }
}
