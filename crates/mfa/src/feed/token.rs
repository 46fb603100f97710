//! What watching is gone on with: a place in the feed, and the life of the database it belongs to.
//! It grants nothing: whoever may watch may see all of the feed.

use std::{fmt, str::FromStr};

use crate::ports::FeedPlace;

/// A resume token, as `1.<incarnation>.<place>.<within>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) incarnation: [u8; 16],
    pub(super) place: FeedPlace,
}

/// A text is no token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoToken;

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let incarnation = u128::from_be_bytes(self.incarnation);
        let FeedPlace { place, within } = self.place;
        write!(f, "1.{incarnation:032x}.{place}.{within}")
    }
}

impl FromStr for Token {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let parts: Vec<&str> = text.split('.').collect();
        let ["1", incarnation, place, within] = parts[..] else {
            return Err(NoToken);
        };
        let incarnation = u128::from_str_radix(incarnation, 16).map_err(|_| NoToken)?;
        let token = Self {
            incarnation: incarnation.to_be_bytes(),
            place: FeedPlace {
                place: place.parse().map_err(|_| NoToken)?,
                within: within.parse().map_err(|_| NoToken)?,
            },
        };
        // There is one way to write each, and nobody is sent to what lies before the first place.
        let is_ours = token.to_string() == text && token.place.place > 0 && token.place.within >= 0;
        is_ours.then_some(token).ok_or(NoToken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written() {
        for (place, within) in [(1, 0), (5, 63), (i64::MAX, i64::MAX)] {
            let token = Token {
                incarnation: [0xA5; 16],
                place: FeedPlace { place, within },
            };
            assert_eq!(token.to_string().parse(), Ok(token));
        }
    }

    #[test]
    fn what_nobody_was_given_is_no_token() {
        let zeros = "0".repeat(32);
        for text in [
            String::new(),
            "1".to_owned(),
            format!("2.{zeros}.1.0"),
            format!("1.{zeros}.-1.0"),
            format!("1.{zeros}.0.0"),
            format!("1.{zeros}.1.-1"),
            format!("1.{zeros}.01.0"),
            format!("1.{zeros}.+1.0"),
            format!("1.{zeros}.1.0.0"),
            format!("1.{}.1.0", "A".repeat(32)),
            format!("1.{}.1.0", "0".repeat(31)),
            format!("1.{zeros}.9223372036854775808.0"),
            format!("1.{zeros}.1.0 "),
        ] {
            assert_eq!(text.parse::<Token>(), Err(NoToken), "{text}");
        }
    }
}
