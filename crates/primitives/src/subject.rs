//! The account holder.

use std::fmt;

use minicbor::{CborLen, Decode, Encode};
use thiserror::Error;

/// The longest subject id, in bytes.
pub const MAX_SUBJECT_BYTES: usize = 128;

/// The account holder: an opaque id of 1 to 128 bytes that the host system chose.
#[derive(Clone, PartialEq, Eq, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct SubjectId(#[n(0)] String);

/// Why a text is no subject id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SubjectIdError {
    /// Empty, or longer than [`MAX_SUBJECT_BYTES`].
    #[error("must have 1 to {MAX_SUBJECT_BYTES} bytes")]
    Length,
    /// Holds a control character, which logs and terminals would act on.
    #[error("must hold no control characters")]
    ControlCharacter,
}

impl SubjectId {
    /// The subject id with this text.
    ///
    /// # Errors
    /// [`SubjectIdError`] says which rule the text breaks.
    pub fn parse(text: impl Into<String>) -> Result<Self, SubjectIdError> {
        let text = text.into();
        if text.is_empty() || text.len() > MAX_SUBJECT_BYTES {
            return Err(SubjectIdError::Length);
        }
        if text.chars().any(char::is_control) {
            return Err(SubjectIdError::ControlCharacter);
        }
        Ok(Self(text))
    }

    /// The text, as the host system wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
