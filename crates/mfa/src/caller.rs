//! Who asks, and for what.

use std::fmt;

use countersign_primitives::{MAX_CALLER_BYTES, is_caller_name};
use thiserror::Error;

/// An internal service that speaks to us.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller(String);

/// A text is no caller name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must have 1 to {MAX_CALLER_BYTES} letters, digits and characters of `.-_~:/@%+`")]
pub struct CallerError;

impl Caller {
    /// The caller of this name.
    ///
    /// # Errors
    /// [`CallerError`] when the name is empty, too long, or holds a character that no URI without
    /// query and fragment has.
    pub fn parse(name: &str) -> Result<Self, CallerError> {
        if is_caller_name(name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(CallerError)
        }
    }

    /// The caller on loopback that gave no name.
    pub fn local() -> Self {
        Self("local".to_owned())
    }

    /// What sends messages and hears of them: a name that no caller can have.
    pub fn dispatcher() -> Self {
        Self("(dispatcher)".to_owned())
    }

    /// The operator on the server's own machine: a name that no caller can have.
    pub fn operator() -> Self {
        Self("(operator)".to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is asked for: each mutation has one name, part of the key of its request records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Method(&'static str);

impl Method {
    /// The method of this name.
    pub const fn named(name: &'static str) -> Self {
        Self(name)
    }

    /// The name.
    pub const fn name(self) -> &'static str {
        self.0
    }
}
