//! For measurements only: people and requests, made by the real use cases over a store in memory.
//!
//! [`Maker`] makes the rows of as many subjects as a benchmark wants, as the product itself would
//! write them: sealed with its keys, with a confirmation that awaits a code. [`OneSubject`] is the
//! store behind it, which keeps one snapshot and the last change. [`PATHS`] are the calls whose
//! cost is watched by counting: instructions by the binary `countersign-instructions`, allocations
//! by a test.

mod maker;
mod paths;
mod store;

pub use maker::{Maker, Opened, PIN, Person, after, login};
pub use paths::{PATHS, PurePath, Repeat};
pub use store::OneSubject;
