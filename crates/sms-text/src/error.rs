//! What is wrong with the texts, and where.

use std::fmt;

use thiserror::Error;

/// Why there are no texts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TextsError {
    /// A setting is not right.
    #[error("{setting} {rule}")]
    Setting {
        /// Its name in [`TextSettings`](crate::TextSettings).
        setting: &'static str,
        /// What would be right.
        rule: String,
    },
    /// A file is not right.
    #[error("{}: {place}{message}", file.escape_debug())]
    File {
        /// Its name.
        file: String,
        /// Where in it.
        place: Place,
        /// What is wrong there, and what would be right.
        message: String,
    },
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    Whole,
    /// A line, from 1.
    Line(usize),
    /// A message, by its id.
    Message(String),
    /// A term, by its id without the hyphen.
    Term(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::Line(line) => write!(f, "line {line}: "),
            Self::Message(id) => write!(f, "message `{id}`: "),
            Self::Term(id) => write!(f, "term `-{id}`: "),
        }
    }
}

/// A [`TextsError::File`] while the file is being read.
#[derive(Debug)]
pub(crate) struct Fault {
    place: Place,
    message: String,
}

impl Fault {
    pub(crate) fn new(place: Place, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { place, message }
    }

    pub(crate) fn in_message(id: &str, message: impl Into<String>) -> Self {
        Self::new(Place::Message(id.to_owned()), message)
    }

    /// The error for those who know files by their names.
    pub(crate) fn in_file(self, file: &str) -> TextsError {
        TextsError::File {
            file: file.to_owned(),
            place: self.place,
            message: self.message,
        }
    }
}
