//! What sending may cost: budgets over sliding windows, and prefixes that do not convert.
//!
//! Pure: the instant is an argument.

mod row;

pub use row::{Conversion, RowKey, Window};
