//! How a text is cut into the parts that a network carries (3GPP TS 23.040 §9.2.3.24.1).

use std::ops::Range;

use crate::gsm7;

#[cfg(test)]
mod tests;

/// How a text is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// Septets of the GSM alphabet: one a character, and two for those of its extension.
    Gsm7,
    /// UTF-16, which phones read where UCS-2 is said: one unit a character, and two for those such
    /// as emoji. One character outside the GSM alphabet makes it this for the whole text.
    Ucs2,
}

/// A text's coding and its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    /// How all of its parts are coded.
    pub coding: Coding,
    /// Where in the text each part is, in bytes: one or more, in their order, without gaps. A text
    /// of several parts leaves room in each for a header with an 8 bit reference.
    pub parts: Vec<Range<usize>>,
}

impl Coding {
    /// The coding of a text that these make together.
    pub(crate) fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut chars = texts.into_iter().flat_map(str::chars);
        if chars.all(|c| gsm7::septet_count(c).is_some()) {
            Self::Gsm7
        } else {
            Self::Ucs2
        }
    }

    /// Septets or units of a text that is one part.
    const fn most_alone(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// Septets or units of each part of a longer one: the header takes 6 of the 140 bytes.
    const fn most_in_part(self) -> usize {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }

    fn units(self, c: char) -> usize {
        match self {
            Self::Gsm7 => gsm7::septet_count(c).unwrap_or_default(),
            Self::Ucs2 => c.len_utf16(),
        }
    }
}

/// Cuts a text into its parts. No part ends within a character: neither between an escape and what
/// it stands before, nor between the two units of an emoji. An empty text is one empty part.
pub fn segments(text: &str) -> Segments {
    let coding = Coding::of([text]);
    let whole: usize = text.chars().map(|c| coding.units(c)).sum();
    let most = if whole <= coding.most_alone() {
        coding.most_alone()
    } else {
        coding.most_in_part()
    };
    let (mut parts, mut begin, mut taken) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        let units = coding.units(c);
        if taken + units > most {
            parts.push(begin..at);
            (begin, taken) = (at, 0);
        }
        taken += units;
    }
    parts.push(begin..text.len());
    Segments { coding, parts }
}
