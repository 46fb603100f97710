//! The use cases: load, decide, apply.

mod caller;
pub mod ports;

pub use caller::{Caller, CallerError, MAX_CALLER_BYTES, Method};
