//! What sending may cost: budgets over sliding windows, and prefixes that do not convert.
//!
//! Pure: the instant, the rows and the pick are arguments. A decision is made twice by the same
//! function, [`SpendRules::decide`]: first over every row that a message could be counted in, read
//! without a lock, where a refusal ends it and nothing is written; then over the rows that the first
//! time would write, and these are locked.

mod budget;
mod decide;
mod limit;
mod row;
mod rules;
mod slots;
mod window;

pub use decide::{Ruling, Send};
pub use limit::{Limit, Refusal};
pub use row::{Conversion, ConversionKey, RowKey, SpendRow};
pub use rules::{ConversionRules, MoneyRules, Rates, RulesError, SpendRules};
pub use slots::MAX_SLOTS;
pub use window::Window;
