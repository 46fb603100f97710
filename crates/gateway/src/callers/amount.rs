//! Amounts of money that are compared, never calculated with.

use std::{fmt, str::FromStr};

use countersign_mfa::Money;
use thiserror::Error;

/// An amount of some currency: units, and billionths of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount {
    units: i64,
    nanos: i32,
}

/// A text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be a number such as \"10000\" or \"5000.50\", with at most nine decimals")]
pub struct AmountError;

impl Amount {
    /// How much it is, whatever the currency.
    pub(crate) const fn of(money: &Money) -> Self {
        Self {
            units: money.units,
            nanos: money.nanos,
        }
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let (units, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |digits: &str, most: usize| {
            (1..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_number(units, 18) || !is_number(decimals, 9) {
            return Err(AmountError);
        }
        Ok(Self {
            units: units.parse().map_err(|_| AmountError)?,
            nanos: format!("{decimals:0<9}").parse().map_err(|_| AmountError)?,
        })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.units)?;
        if self.nanos == 0 {
            return Ok(());
        }
        write!(f, ".{}", format!("{:09}", self.nanos).trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_and_written_the_same() {
        for (text, units, nanos) in [
            ("0", 0, 0),
            ("10000", 10_000, 0),
            ("5000.5", 5000, 500_000_000),
            ("0.000000001", 0, 1),
            ("999999999999999999", 999_999_999_999_999_999, 0),
        ] {
            let amount: Amount = text.parse().unwrap();
            assert_eq!(amount, Amount { units, nanos });
            assert_eq!(amount.to_string(), text);
        }
        assert_eq!("5000.50".parse::<Amount>().unwrap().to_string(), "5000.5");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1,5",
            "1e3",
            " 1",
            "1.0000000001",
            "0x10",
            "1000000000000000000",
            "٣",
            "1.2.3",
        ] {
            assert_eq!(text.parse::<Amount>(), Err(AmountError), "{text}");
        }
    }
}
