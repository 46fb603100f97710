//! Who is tried, in which order, and how weights share.

use std::collections::BTreeMap;

use super::*;

fn rules(order: u32, weight: u32, countries: &[&str]) -> Rules {
    let countries = match countries {
        [] => Countries::All,
        some => Countries::Only(some.iter().map(|code| (*code).to_owned()).collect()),
    };
    Rules {
        order,
        weight,
        countries,
    }
}

/// An id whose random part is this number, spread as a random one would be.
fn message(number: u64) -> MessageId {
    let mut bytes = [0xff; 16];
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bytes[8..].copy_from_slice(&spread.rotate_left(32).to_be_bytes());
    MessageId::from_bytes(bytes)
}

#[test]
fn lower_orders_are_tried_first_and_all_are_there() {
    let all = [rules(3, 1, &[]), rules(1, 1, &[]), rules(2, 9, &[])];
    for number in 0..100 {
        assert_eq!(route(&all, "RU", message(number)), [1, 2, 0]);
    }
}

#[test]
fn only_providers_of_the_country_are_tried() {
    let all = [
        rules(1, 1, &["KZ"]),
        rules(1, 1, &["RU", "KZ"]),
        rules(2, 1, &[]),
    ];
    assert_eq!(route(&all, "RU", message(1)), [1, 2]);
    assert_eq!(route(&all, "DE", message(1)), [2]);
    assert_eq!(route(&all, "", message(1)), [2]);
    assert_eq!(route(&all[..2], "DE", message(1)), [0; 0]);
}

#[test]
fn a_message_is_routed_the_same_each_time() {
    let all = [rules(1, 3, &[]), rules(1, 2, &[]), rules(1, 1, &[])];
    for number in 0..100 {
        let once = route(&all, "RU", message(number));
        assert_eq!(once, route(&all, "RU", message(number)));
        let mut sorted = once;
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2]);
    }
}

#[test]
fn messages_are_shared_by_weight_and_so_is_what_one_cannot_take() {
    const MESSAGES: u32 = 60_000;
    let all = [rules(1, 3, &[]), rules(1, 2, &[]), rules(1, 1, &[])];
    let mut counts = BTreeMap::new();
    for number in 0..MESSAGES {
        let route = route(&all, "RU", message(u64::from(number)));
        *counts.entry((route[0], route[1])).or_insert(0_u32) += 1;
    }
    // The first by its share of 6, the next one by its share of what is left.
    let shares = [
        ((0, 1), 3.0 / 6.0 * 2.0 / 3.0),
        ((0, 2), 3.0 / 6.0 * 1.0 / 3.0),
        ((1, 0), 2.0 / 6.0 * 3.0 / 4.0),
        ((1, 2), 2.0 / 6.0 * 1.0 / 4.0),
        ((2, 0), 1.0 / 6.0 * 3.0 / 5.0),
        ((2, 1), 1.0 / 6.0 * 2.0 / 5.0),
    ];
    assert_eq!(counts.len(), shares.len());
    for (pair, share) in shares {
        let expected = f64::from(MESSAGES) * share;
        let found = f64::from(counts[&pair]);
        assert!(
            (found - expected).abs() < expected * 0.05,
            "{pair:?}: {found} of {expected}"
        );
    }
}

#[test]
fn equals_follow_each_other_in_every_order_alike() {
    const MESSAGES: u32 = 48_000;
    let all = [(); 4].map(|()| rules(1, 1, &[]));
    let mut counts = BTreeMap::new();
    for number in 0..MESSAGES {
        let route = route(&all, "RU", message(u64::from(number)));
        *counts.entry(route).or_insert(0_u32) += 1;
    }
    assert_eq!(counts.len(), 24);
    let even = MESSAGES / 24;
    assert!(
        counts
            .values()
            .all(|count| count.abs_diff(even) < even / 10),
        "{counts:?}"
    );
}
