//! Time-based one-time passwords (RFC 6238): the authenticator app as a factor.
//!
//! Pure: the instant and the randomness are arguments. [`Authenticator`] is what is kept,
//! [`Authenticator::generate`] makes one, [`Authenticator::from_otpauth`] takes one over from another
//! system, [`verify`] checks a code.

mod generate;
mod import;
mod state;
mod verify;

pub use generate::{Provisioning, ProvisioningError};
pub use import::{FromUri, ImportError, require_period};
pub use state::{Algorithm, Authenticator, Digits, Step};
pub use verify::{Rejection, Verdict, verify};
