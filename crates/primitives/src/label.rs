//! What a person calls an identifier.

use std::fmt;

use minicbor::{CborLen, Decode, Encode};
use thiserror::Error;

/// The longest label, in bytes.
pub const MAX_LABEL_BYTES: usize = 64;

/// What a person calls one of their identifiers: 1 to 64 bytes on one line.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct Label(#[n(0)] String);

/// Why a text is no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LabelError {
    /// Empty (or blank), or longer than [`MAX_LABEL_BYTES`].
    #[error("must have 1 to {MAX_LABEL_BYTES} bytes beside surrounding spaces")]
    Length,
    /// Holds a control character, which logs and terminals would act on.
    #[error("must hold no control characters")]
    ControlCharacter,
}

impl Label {
    /// The label with this text, without surrounding spaces.
    ///
    /// # Errors
    /// [`LabelError`] says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, LabelError> {
        let text = text.trim();
        if text.is_empty() || text.len() > MAX_LABEL_BYTES {
            return Err(LabelError::Length);
        }
        if text.chars().any(char::is_control) {
            return Err(LabelError::ControlCharacter);
        }
        Ok(Self(text.to_owned()))
    }

    /// `Authenticator`, `Authenticator 2` and so on: the name of a kind, which is short, with a
    /// number from the second one on.
    pub fn numbered(kind: &'static str, number: usize) -> Self {
        match number {
            0 | 1 => Self(kind.to_owned()),
            _ => Self(format!("{kind} {number}")),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
