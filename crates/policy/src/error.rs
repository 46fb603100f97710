//! What is wrong with a policy file, and where.

use thiserror::Error;

/// Why a text is no policy, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {message}")]
pub struct PolicyError {
    /// The line, from 1.
    pub line: usize,
    /// The character in that line, from 1.
    pub column: usize,
    /// What is wrong there, and what would be right.
    pub message: String,
}

/// A [`PolicyError`] while the text is being read.
#[derive(Debug)]
pub(crate) struct Fault {
    at: usize,
    message: String,
}

/// What reading a part of the text leads to.
pub(crate) type Read<T> = Result<T, Fault>;

impl Fault {
    /// What is wrong at this byte of the text.
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { at, message }
    }

    /// The error for those who see lines and columns.
    pub(crate) fn in_text(self, text: &str) -> PolicyError {
        let (line, column) = place(text, self.at);
        PolicyError {
            line,
            column,
            message: self.message,
        }
    }
}

/// The line and the column of a byte of a text, from 1. Columns count characters, as editors do.
fn place(text: &str, at: usize) -> (usize, usize) {
    let bytes = text.as_bytes();
    let before = bytes.get(..at).unwrap_or(bytes);
    let line_starts = before.iter().rposition(|byte| *byte == b'\n');
    let line_starts = line_starts.map_or(0, |newline| newline + 1);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    // Every byte begins a character but those that go on with one.
    let begins_one = |byte: &&u8| **byte & 0b1100_0000 != 0b1000_0000;
    let column = before[line_starts..].iter().filter(begins_one).count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let text = "a = \"é\"\n\nb";
        let at = |what| place(text, text.find(what).unwrap());
        assert_eq!(at("a"), (1, 1));
        assert_eq!(at("é"), (1, 6));
        assert_eq!(at("\"\n"), (1, 7));
        assert_eq!(at("b"), (3, 1));
        assert_eq!(place(text, 999), (3, 2));
        assert_eq!(place("", 0), (1, 1));
    }
}
