//! Checking a code.

use countersign_primitives::{Hash, SecretString};

use crate::{
    generate::{ALPHABET, LENGTH},
    state::{CodeList, Position, UsedCodes},
};

/// What a person typed as a code, with what is forgiven undone: capitals or not, spaces and dashes
/// anywhere, O for 0, I and L for 1.
#[derive(Clone, Debug)]
pub struct Typed {
    plain: SecretString,
    is_code: bool,
}

impl Typed {
    /// Reads what was typed.
    pub fn new(typed: &str) -> Self {
        let plain: String = typed
            .chars()
            .filter(|character| !is_ignored(*character))
            .map(|character| match character.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            })
            .collect();
        let is_code = plain.len() == LENGTH && plain.bytes().all(|byte| ALPHABET.contains(&byte));
        Self {
            plain: SecretString::from(plain),
            is_code,
        }
    }

    /// What is hashed, be it a code or not: a typing error costs what a wrong code costs.
    pub const fn plain(&self) -> &SecretString {
        &self.plain
    }

    /// Whether it has the form of a code.
    pub const fn is_code(&self) -> bool {
        self.is_code
    }
}

/// Whether a character only parts groups: spaces and dashes of every width, as they come with
/// copied text.
fn is_ignored(character: char) -> bool {
    let is_dash = matches!(
        character,
        '-' | '_' | '\u{ad}' | '\u{2010}'..='\u{2015}' | '\u{2212}'
    );
    character.is_whitespace() || is_dash
}

/// What checking a code led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The code at this place is right, and not used before.
    Accepted(Position),
    /// The code is not accepted.
    Rejected(Rejection),
}

/// Why a code was not accepted. For the event log only: callers see one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Not of the form of a code.
    Malformed,
    /// No code of the list.
    Wrong,
    /// A code of the list that was used before.
    Used,
}

/// Compares the hash of what was typed, at the salt and cost of `list`, with every code of the
/// list, in time that does not depend on which one is equal.
pub fn verify(list: &CodeList, used: UsedCodes, typed: &Typed, hash: &Hash) -> Verdict {
    let equal = list
        .positions()
        .zip(&list.hashes)
        .map(|(position, right)| right.matches(hash).then_some(position))
        .fold(None, Option::or);
    match equal {
        _ if !typed.is_code => Verdict::Rejected(Rejection::Malformed),
        None => Verdict::Rejected(Rejection::Wrong),
        Some(position) if used.contains(position) => Verdict::Rejected(Rejection::Used),
        Some(position) => Verdict::Accepted(position),
    }
}

#[cfg(test)]
mod tests;
