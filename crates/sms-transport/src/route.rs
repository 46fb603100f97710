//! Which providers a message may go to, and in which order.

use countersign_primitives::MessageId;
use countersign_sms_codes::Countries;

/// Who is routed to a provider.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// Lower is tried first.
    pub(crate) order: u32,
    /// Its share among those of one order: 1 or more.
    pub(crate) weight: u32,
    /// Whose numbers it takes.
    pub(crate) countries: Countries,
}

/// The indexes of the providers for a number of a country, in the order in which they are to be
/// tried. Among those of one order the message's id draws, each by its weight; so it is the same
/// each time it is asked for a message.
pub(crate) fn route<'a>(
    providers: impl IntoIterator<Item = &'a Rules>,
    country: &str,
    message: MessageId,
) -> Vec<usize> {
    let mut left: Vec<(usize, &Rules)> = providers
        .into_iter()
        .enumerate()
        .filter(|(_, rules)| rules.countries.allow(country))
        .collect();
    let mut draw = lot(message);
    let mut route = Vec::with_capacity(left.len());
    while let Some(order) = left.iter().map(|(_, rules)| rules.order).min() {
        let total: u64 = of_order(&left, order).map(|(_, weight)| weight).sum();
        let mut mark = draw % total;
        // What is left of the number draws the next one.
        draw /= total;
        let drawn = of_order(&left, order).find(|(_, weight)| {
            let is_it = mark < *weight;
            mark = mark.saturating_sub(*weight);
            is_it
        });
        let Some((place, _)) = drawn else {
            return route;
        };
        route.push(left.remove(place).0);
    }
    route
}

/// The places and weights of those of an order.
fn of_order(left: &[(usize, &Rules)], order: u32) -> impl Iterator<Item = (usize, u64)> {
    let places = left.iter().enumerate();
    places
        .filter(move |(_, (_, rules))| rules.order == order)
        .map(|(place, (_, rules))| (place, u64::from(rules.weight.max(1))))
}

/// The random part of an id that no version and no variant stands in: 56 bits.
fn lot(message: MessageId) -> u64 {
    let bytes = message.as_bytes();
    bytes[9..]
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests;
