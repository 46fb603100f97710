//! The memorised PIN of an account as a factor.
//!
//! Pure: an Argon2id run is asked for by whoever checks or sets a PIN, and its result handed in.
//! [`Pin`] is what is kept, [`NewPin`] a value that may become one, [`verify`] compares.

mod generate;
mod state;
mod verify;

pub use generate::{NewPin, PinError, PinRules};
pub use state::Pin;
pub use verify::{Rejection, Verdict, verify};
