//! Key files, key ids, sealing and MACs: one key per use.
//!
//! A [`Keyring`] is what a key file holds. [`Keyring::seal`] encrypts a part of a row and binds it
//! to its place; [`Keyring::mac`] makes keyed digests. A blob names the key it was made with, so a
//! later key can be added while the earlier one still opens what it sealed.

mod file;
mod keys;
mod seal;

pub use file::{KeyFileError, generate_file, parse_file};
pub use keys::{KeyCheck, KeyId, KeyUse, Keyring};
pub use seal::{OpenError, Place};
