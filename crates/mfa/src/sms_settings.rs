//! Everything about codes sent by SMS that an operator may set.

use countersign_sms_codes::{Countries, PhoneNumber, SendRules};
use countersign_sms_text::Texts;
use countersign_spend_guard::SpendRules;

/// Everything about codes sent by SMS that an operator may set.
#[derive(Debug)]
pub struct SmsSettings {
    /// How long codes live, and how often they are sent.
    pub rules: SendRules,
    /// Which countries numbers may be of.
    pub countries: Countries,
    /// How many subjects may use one number.
    pub subjects_per_number: u64,
    /// What sending may cost.
    pub spend: SpendRules,
    /// What a part of a message costs.
    pub prices: Prices,
    /// What messages say.
    pub texts: Texts,
}

/// What a part of a message costs, by the first digits of the number, in millionths of a currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices(Vec<(String, u64)>);

impl Prices {
    /// Prices by the first digits of numbers, without the plus; none at all for all others.
    pub fn new(prices: impl IntoIterator<Item = (String, u64)>) -> Self {
        let mut prices: Vec<(String, u64)> = prices.into_iter().collect();
        // The longest that fits counts.
        prices.sort_by_key(|(digits, _)| std::cmp::Reverse(digits.len()));
        Self(prices)
    }

    /// What a message of so many parts costs; nothing where no price is known.
    pub fn cost(&self, number: &PhoneNumber, parts: u32) -> u64 {
        let digits = number.e164().trim_start_matches('+');
        let price = self.0.iter().find(|(first, _)| digits.starts_with(first));
        price.map_or(0, |(_, price)| price.saturating_mul(u64::from(parts)))
    }

    /// The highest price.
    pub fn dearest(&self) -> u64 {
        self.0.iter().map(|(_, price)| *price).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_price_of_the_longest_prefix_counts_for_each_part() {
        let price = |digits: &str, price| (digits.to_owned(), price);
        let prices = Prices::new([price("7", 30), price("", 90), price("7912", 20)]);
        let number = |typed| PhoneNumber::parse(typed, &Countries::All).unwrap();
        assert_eq!(prices.cost(&number("+79123456789"), 2), 40);
        assert_eq!(prices.cost(&number("+79033456789"), 2), 60);
        assert_eq!(prices.cost(&number("+447400123456"), 1), 90);
        assert_eq!(prices.dearest(), 90);
        assert_eq!(Prices::default().cost(&number("+79123456789"), 3), 0);
    }
}
