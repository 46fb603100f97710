//! What is kept of a list of codes.

use countersign_primitives::{Hash, HashCost, Salt};
use minicbor::{CborLen, Decode, Encode};

/// The most codes on a list: what fits on a page, and into [`UsedCodes`].
pub const MAX_CODES: usize = 32;

/// The hashes of the codes of one list, for the inside of a sealed part. One salt for all of them:
/// one Argon2id run for each guess, however many codes there are.
#[derive(Clone, Debug, Encode, Decode, CborLen)]
pub struct CodeList {
    /// The salt of every hash.
    #[n(0)]
    pub salt: Salt,
    /// The cost of every hash. It stays until the list is replaced.
    #[n(1)]
    pub cost: HashCost,
    /// The hashes, in the order of the printed codes; at most [`MAX_CODES`].
    #[n(2)]
    pub hashes: Vec<Hash>,
}

impl CodeList {
    /// The list without its codes: whatever is typed is wrong.
    pub fn clear(&mut self) {
        self.hashes.clear();
    }

    /// How many codes are neither used nor held.
    pub fn left(&self, used: UsedCodes, held: Option<Position>) -> usize {
        let is_left = |position: &Position| !used.contains(*position) && held != Some(*position);
        self.positions().filter(is_left).count()
    }

    pub(crate) fn positions(&self) -> impl Iterator<Item = Position> {
        let count = self.hashes.len().min(MAX_CODES);
        (0_u8..).take(count).map(Position)
    }
}

/// The place of a code on its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct Position(#[n(0)] u8);

/// Which codes of a list are used: a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct UsedCodes(#[n(0)] u32);

impl UsedCodes {
    /// Whether a code is used.
    pub const fn contains(self, position: Position) -> bool {
        self.0 & bit(position) != 0
    }

    /// Uses a code up.
    pub const fn spend(&mut self, position: Position) {
        self.0 |= bit(position);
    }
}

/// No bit for a place that no list has.
const fn bit(Position(position): Position) -> u32 {
    match 1_u32.checked_shl(position as u32) {
        Some(bit) => bit,
        None => 0,
    }
}
