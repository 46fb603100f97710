//! What new codes are like.

use std::collections::HashSet;

use rand::{SeedableRng, rngs::StdRng};

use super::*;

#[test]
fn a_code_has_more_than_64_random_bits() {
    assert_eq!(ALPHABET.len(), 1 << 5);
    assert_eq!(BITS, 75);
}

#[test]
fn a_code_is_printed_in_three_groups_of_five() {
    let code = NewCode(SecretString::from("7K3QX2M9TA0VJ4C"));
    assert_eq!(code.printed().expose_secret(), "7K3QX-2M9TA-0VJ4C");
}

#[test]
fn no_code_of_ten_thousand_lists_comes_twice() {
    let mut rng = StdRng::seed_from_u64(7);
    let mut seen = HashSet::new();
    for _ in 0..10_000 {
        for code in new_codes(10, &mut rng) {
            assert!(seen.insert(code.plain().expose_secret().to_owned()));
        }
    }
}

/// Pearson's chi-square over the characters of each place of 100,000 codes: 31 degrees of freedom,
/// of which 61.1 is passed once in a thousand times, and 73.4 once in 30,000.
#[test]
fn every_character_is_as_likely_as_any_other_in_each_place() {
    let mut rng = StdRng::seed_from_u64(11);
    let mut counts = [[0_u32; 32]; LENGTH];
    for _ in 0..10_000 {
        for code in new_codes(10, &mut rng) {
            for (place, character) in code.plain().expose_secret().bytes().enumerate() {
                let which = ALPHABET.iter().position(|other| *other == character);
                counts[place][which.unwrap()] += 1;
            }
        }
    }
    let expected = 100_000.0 / 32.0;
    for (place, counts) in counts.iter().enumerate() {
        let terms = counts
            .iter()
            .map(|count| (f64::from(*count) - expected).powi(2) / expected);
        let chi_square: f64 = terms.sum();
        assert!(chi_square < 73.4, "place {place}: {chi_square}");
    }
}
