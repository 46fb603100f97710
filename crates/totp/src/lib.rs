//! Time-based one-time passwords (RFC 6238): the authenticator app as a factor.
//!
//! Pure: the instant and the randomness are arguments. [`Authenticator`] is what is kept,
//! [`Authenticator::generate`] makes one, [`verify`] checks a code.

mod generate;
mod state;
mod verify;

pub use generate::{Provisioning, ProvisioningError};
pub use state::{Algorithm, Authenticator, Digits, Step};
pub use verify::{Rejection, Verdict, verify};
