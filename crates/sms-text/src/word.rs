//! The word that a person chose, by which they know that a text is ours.

use std::fmt;

use thiserror::Error;

use crate::clean::{is_mark, is_visible};

/// The longest word, in characters; one that takes two units of UTF-16 counts twice.
pub const MAX_WORD_CHARS: usize = 20;
/// The most digits in a word: four could be taken for a code.
const MAX_DIGITS: usize = 3;

/// A word against phishing: letters, digits and single spaces. Hidden from `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Word(String);

/// Why a text is no word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WordError {
    /// Empty, or too long.
    #[error("must have 1 to {MAX_WORD_CHARS} characters")]
    Length,
    /// Something else than letters, digits and spaces.
    #[error("must have letters, digits and spaces only")]
    Character,
    /// It could be taken for a code.
    #[error("must have at most {MAX_DIGITS} digits, so that nothing in it looks like a code")]
    Digits,
}

impl Word {
    /// The word as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[word]")
    }
}

/// Reads a word as a person typed it. Surrounding spaces are forgiven, and repeated ones.
///
/// # Errors
/// [`WordError`] says which rule it breaks.
pub fn parse_word(typed: &str) -> Result<Word, WordError> {
    let word = typed.split(' ').filter(|part| !part.is_empty());
    let word = word.collect::<Vec<_>>().join(" ");
    if word.is_empty() || units(&word) > MAX_WORD_CHARS {
        return Err(WordError::Length);
    }
    if !word.chars().all(is_fit) || word.starts_with(is_mark) {
        return Err(WordError::Character);
    }
    if word.chars().filter(|c| c.is_numeric()).count() > MAX_DIGITS {
        return Err(WordError::Digits);
    }
    Ok(Word(word))
}

/// What is shown of a word that is kept as text: no more than [`parse_word`] lets a word have.
pub(crate) fn shown(word: &str) -> String {
    let mut shown = String::new();
    for c in word.chars().filter(|c| is_fit(*c)) {
        if units(&shown) + c.len_utf16() > MAX_WORD_CHARS {
            break;
        }
        shown.push(c);
    }
    shown
}

fn is_fit(c: char) -> bool {
    c == ' ' || (is_visible(c) && (c.is_alphanumeric() || is_mark(c)))
}

fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_word_has_letters_digits_and_spaces_of_any_script() {
        for word in [
            "blue42",
            "синий кит",
            "नमस्ते",
            "漢字",
            "Ёж 7",
            "a",
            &"я".repeat(20),
        ] {
            assert_eq!(parse_word(word).unwrap().as_str(), word);
        }
        assert_eq!(
            parse_word("  blue   whale ").unwrap().as_str(),
            "blue whale"
        );
    }

    #[test]
    fn what_is_no_word_is_refused_with_the_rule_it_breaks() {
        for word in ["", "   ", &"a".repeat(21), &"𐌰".repeat(11)] {
            assert_eq!(parse_word(word), Err(WordError::Length), "{word:?}");
        }
        for word in [
            "a@b",
            "a#b",
            "a.b",
            "[a]",
            "a\nb",
            "a\tb",
            "a\u{202e}b",
            "a\u{2066}b",
            "a\u{200b}b",
            "a\u{a0}b",
            "a\u{3164}b",
            "\u{301}a",
            "😀",
        ] {
            assert_eq!(parse_word(word), Err(WordError::Character), "{word:?}");
        }
        for word in ["1234", "code 12 34", "١٢٣٤"] {
            assert_eq!(parse_word(word), Err(WordError::Digits), "{word:?}");
        }
    }

    #[test]
    fn debug_hides_a_word() {
        assert_eq!(format!("{:?}", parse_word("whale").unwrap()), "[word]");
    }

    proptest! {
        #[test]
        fn a_word_is_shown_as_it_is(typed in ".{0,20}|[a-zа-я0-9 ]{0,24}") {
            if let Ok(word) = parse_word(&typed) {
                prop_assert_eq!(shown(word.as_str()), word.as_str());
            }
        }

        #[test]
        fn whatever_is_kept_as_a_word_is_no_longer_than_one(kept in ".{0,60}") {
            prop_assert!(units(&shown(&kept)) <= MAX_WORD_CHARS);
        }
    }
}
