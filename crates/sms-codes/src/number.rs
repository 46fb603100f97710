//! Phone numbers.

use std::{collections::BTreeSet, fmt};

use minicbor::{CborLen, Decode, Decoder, Encode, Encoder, decode, encode, encode::Write};
use phonenumber::{Mode, Type};
use thiserror::Error;

/// The longest text that is looked at as a number.
const MAX_TYPED: usize = 40;

/// A number that can receive a text, in the form of E.164: `+` and up to 15 digits. Hidden from
/// `Debug`; what may be shown is [`PhoneNumber::masked`].
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneNumber {
    e164: String,
}

/// Which countries numbers may be of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Countries {
    /// Any.
    #[default]
    All,
    /// Those with these ISO 3166 codes.
    Only(BTreeSet<String>),
}

/// Why a text is no number that a code can be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NumberError {
    /// Not of the form.
    #[error(
        "must be an international number such as +79123456789: a plus, the country code, the number"
    )]
    Malformed,
    /// No such number can be.
    #[error("is no valid number: a digit may be missing, or one too many")]
    Invalid,
    /// It receives no texts.
    #[error("is no mobile number: codes are sent to mobile numbers only")]
    NotMobile,
    /// The operator sends nothing there.
    #[error("is of a country that codes are not sent to")]
    CountryNotAllowed,
}

impl Countries {
    /// Whether numbers of the country with this ISO 3166 code will do.
    pub fn allow(&self, country: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(countries) => countries.contains(country),
        }
    }

    /// Those that both allow.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, other) => other,
            (one, Self::All) => one,
            (Self::Only(one), Self::Only(other)) => Self::Only(&one & &other),
        }
    }
}

/// Whether numbers can be of a country with this ISO 3166 code.
pub fn is_country(code: &str) -> bool {
    let letters = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    // The numbers' own list of countries; `001` in it is of no country.
    letters && code.parse::<phonenumber::country::Id>().is_ok()
}

impl PhoneNumber {
    /// Reads a number as it was typed, with its country code. Spaces, dashes and brackets are
    /// forgiven.
    ///
    /// # Errors
    /// [`NumberError`] says what is wrong with it.
    pub fn parse(typed: &str, countries: &Countries) -> Result<Self, NumberError> {
        let typed = typed.trim();
        let is_fit = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '(' | ')' | '.');
        let digits = typed.strip_prefix('+').ok_or(NumberError::Malformed)?;
        if typed.len() > MAX_TYPED || !digits.chars().all(is_fit) {
            return Err(NumberError::Malformed);
        }
        let number = phonenumber::parse(None, typed).map_err(|_| NumberError::Malformed)?;
        if !phonenumber::is_valid(&number) {
            return Err(NumberError::Invalid);
        }
        match number.number_type(&phonenumber::metadata::DATABASE) {
            Type::Mobile | Type::FixedLineOrMobile => {}
            _ => return Err(NumberError::NotMobile),
        }
        let country = number.country().id().map(|id| id.as_ref().to_owned());
        if !country.is_some_and(|country| countries.allow(&country)) {
            return Err(NumberError::CountryNotAllowed);
        }
        let e164 = number.format().mode(Mode::E164).to_string();
        Ok(Self { e164 })
    }

    /// The whole number, such as `+79123456789`.
    pub fn e164(&self) -> &str {
        &self.e164
    }

    /// The ISO 3166 code of its country, such as `RU`; empty where none is known.
    pub fn country(&self) -> String {
        let number = phonenumber::parse(None, &self.e164).ok();
        number
            .and_then(|number| number.country().id())
            .map_or_else(String::new, |id| id.as_ref().to_owned())
    }

    /// The digits of the country code and the three after it, such as `7912`: what numbers that are
    /// sold together have in common.
    pub fn prefix(&self) -> String {
        let digits = &self.e164[1..];
        let code = self.code_digits();
        digits[..(code + 3).min(digits.len())].to_owned()
    }

    /// The number with all but its country code and its last four digits hidden, such as
    /// `+7 ••• ••• 12 34`.
    pub fn masked(&self) -> String {
        let shown = phonenumber::parse(None, &self.e164).map_or_else(
            |_| self.e164.clone(),
            |number| number.format().mode(Mode::International).to_string(),
        );
        let digits = shown.chars().filter(char::is_ascii_digit).count();
        let (first, last) = (self.code_digits(), digits.saturating_sub(4));
        let mut seen = 0;
        let hide = |c: char| {
            if !c.is_ascii_digit() {
                return if c == '+' { c } else { ' ' };
            }
            seen += 1;
            if seen <= first || seen > last {
                c
            } else {
                '•'
            }
        };
        shown.chars().map(hide).collect()
    }

    fn code_digits(&self) -> usize {
        phonenumber::parse(None, &self.e164)
            .map_or(1, |number| number.code().value().to_string().len())
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[number]")
    }
}

impl<C> Encode<C> for PhoneNumber {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.str(&self.e164)?.ok()
    }
}

impl<C> Decode<'_, C> for PhoneNumber {
    fn decode(d: &mut Decoder<'_>, _: &mut C) -> Result<Self, decode::Error> {
        let e164 = d.str()?.to_owned();
        let digits = e164.strip_prefix('+');
        let is_one = digits.is_some_and(|digits| {
            (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
        if !is_one {
            return Err(decode::Error::message("no phone number"));
        }
        Ok(Self { e164 })
    }
}

impl<C> CborLen<C> for PhoneNumber {
    fn cbor_len(&self, ctx: &mut C) -> usize {
        self.e164.as_str().cbor_len(ctx)
    }
}

#[cfg(test)]
mod tests;
