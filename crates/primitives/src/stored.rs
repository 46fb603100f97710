//! Values as stored bytes: CBOR with numbered fields, so that a later version can read an earlier
//! one's rows.

use minicbor::{CborLen, Encode};

/// The stored form of a value.
pub fn encode<T: Encode<()> + CborLen<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(minicbor::len(value));
    #[expect(
        clippy::expect_used,
        reason = "writing to memory cannot fail, and no type here refuses"
    )]
    minicbor::encode(value, &mut bytes).expect("encoding into memory");
    bytes
}
