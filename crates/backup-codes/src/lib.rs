//! Backup codes as a factor: a printed list, of which each code is used once.
//!
//! Pure: randomness is an argument, and an Argon2id run is asked for by whoever makes or checks a
//! list, and its result handed in. [`CodeList`] is what is kept, [`NewCode`] a code that is shown
//! once, [`Typed`] what a person typed, [`verify()`] compares.

mod generate;
mod state;
mod verify;

pub use generate::{BITS, NewCode, new_codes};
pub use state::{CodeList, MAX_CODES, Position, UsedCodes};
pub use verify::{Rejection, Typed, Verdict, verify};
