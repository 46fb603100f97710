//! What is kept of a budget.

use minicbor::{CborLen, Decode, Encode};

/// Names one row of a budget. Rows are locked in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// What the budget is about.
    pub scope: String,
    /// Which slot of it: one that many spend of at once has several.
    pub slot: u32,
}

/// What was spent of one row of late.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct Window {}

/// How many messages to a prefix were sent of late, and how many of their codes were accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// Queued to be sent.
    pub sent: u64,
    /// Of these, those whose code was accepted.
    pub confirmed: u64,
}
