//! What is kept of a PIN.

use countersign_primitives::{Hash, HashCost, Salt};
use minicbor::{CborLen, Decode, Encode};

/// The hash of a PIN with its salt and cost, for the inside of a sealed part: six digits are
/// guessed offline at once, so the hash alone protects nothing.
#[derive(Clone, Debug, Encode, Decode, CborLen)]
pub struct Pin {
    /// The salt of the hash.
    #[n(0)]
    pub salt: Salt,
    /// The cost of the hash.
    #[n(1)]
    pub cost: HashCost,
    /// The hash.
    #[n(2)]
    pub hash: Hash,
}
