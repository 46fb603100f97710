//! Which PINs may be chosen.

use countersign_primitives::{ExposeSecret, SecretString};
use thiserror::Error;

/// How long a PIN may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinRules {
    /// The fewest digits: 6 by default, 8 where NIST SP 800-63B-4 §3.1.1.2 is to be met.
    pub min_digits: usize,
    /// The most digits.
    pub max_digits: usize,
}

impl Default for PinRules {
    fn default() -> Self {
        Self {
            min_digits: 6,
            max_digits: 12,
        }
    }
}

/// A PIN that keeps the rules and may be set.
#[derive(Clone, Debug)]
pub struct NewPin(SecretString);

/// Why a PIN may not be chosen. The text guides to a better one (NIST SP 800-63B-4 §3.1.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PinError {
    /// Too short, too long, or not digits only.
    #[error("must have {min} to {max} digits and nothing else")]
    Form {
        /// The fewest digits.
        min: usize,
        /// The most digits.
        max: usize,
    },
    /// One of those that guessers try first.
    #[error(
        "is easy to guess; choose digits that are no repetition, row, date or pattern on the keypad"
    )]
    Common,
}

impl NewPin {
    /// Takes a PIN that keeps the rules.
    ///
    /// # Errors
    /// [`PinError`] says which rule it breaks.
    pub fn parse(typed: SecretString, rules: &PinRules) -> Result<Self, PinError> {
        let digits = typed.expose_secret().as_bytes();
        let fits = (rules.min_digits..=rules.max_digits).contains(&digits.len());
        if !fits || !digits.iter().all(u8::is_ascii_digit) {
            return Err(PinError::Form {
                min: rules.min_digits,
                max: rules.max_digits,
            });
        }
        if is_common(digits) {
            return Err(PinError::Common);
        }
        Ok(Self(typed))
    }

    /// The digits.
    pub const fn secret(&self) -> &SecretString {
        &self.0
    }
}

/// Whether a guesser would try these digits early: patterns rather than a list, since the common
/// PINs of every published list are patterns, and a list has an end.
fn is_common(digits: &[u8]) -> bool {
    is_repetition(digits)
        || is_row(digits)
        || is_doubled_row(digits)
        || is_date(digits)
        || is_mirrored_row(digits)
        || KEYPAD.iter().any(|pattern| digits.starts_with(pattern))
}

/// Walks over a telephone or computer keypad, and the few that are none of the other patterns.
const KEYPAD: [&[u8]; 17] = [
    b"147258", b"258369", b"369258", b"258147", b"159753", b"753159", b"159357", b"357159",
    b"951753", b"147852", b"741852", b"852456", b"789456", b"456789", b"142536", b"314159",
    b"246810",
];

/// `000000`, `121212`, `123123`, `12341234`: a block of at most half the length, again and again.
fn is_repetition(digits: &[u8]) -> bool {
    (1..=digits.len() / 2).any(|block| {
        digits
            .iter()
            .zip(&digits[block..])
            .all(|(digit, later)| digit == later)
    })
}

/// `123456`, `987654`, `246802`, `890123`: each digit as far from the one before, modulo ten.
fn is_row(digits: &[u8]) -> bool {
    let mut steps = digits.windows(2).map(step);
    let first = steps.next();
    steps.all(|next| Some(next) == first)
}

/// `112233`, `001122`: a row whose digits stand twice or three times.
fn is_doubled_row(digits: &[u8]) -> bool {
    (2..=3).any(|times| {
        let blocks: Vec<u8> = digits.iter().copied().step_by(times).collect();
        digits.len().is_multiple_of(times)
            && blocks.len() > 1
            && digits
                .chunks(times)
                .all(|block| block.iter().all(|digit| *digit == block[0]))
            && is_row(&blocks)
    })
}

/// `123321`, `12344321`: a row there and back.
fn is_mirrored_row(digits: &[u8]) -> bool {
    let half = digits.len() / 2;
    digits.iter().eq(digits.iter().rev()) && is_row(&digits[..half])
}

/// A day of a year, in the orders that people write: six digits, or eight with a century.
fn is_date(digits: &[u8]) -> bool {
    let number = |range: std::ops::Range<usize>| {
        digits[range]
            .iter()
            .fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'))
    };
    let day_and_month = |one: u32, other: u32| {
        let is = |day: u32, month: u32| (1..=31).contains(&day) && (1..=12).contains(&month);
        is(one, other) || is(other, one)
    };
    let recent = |year: u32| (1900..=2099).contains(&year);
    match digits.len() {
        6 => day_and_month(number(0..2), number(2..4)) || day_and_month(number(4..6), number(2..4)),
        8 => {
            (day_and_month(number(0..2), number(2..4)) && recent(number(4..8)))
                || (recent(number(0..4)) && day_and_month(number(4..6), number(6..8)))
        }
        _ => false,
    }
}

/// How far the second digit is from the first, modulo ten.
fn step(pair: &[u8]) -> u8 {
    (pair[1] + 10 - pair[0]) % 10
}

#[cfg(test)]
mod tests;
