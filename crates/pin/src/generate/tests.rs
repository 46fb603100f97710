//! Which PINs are refused, and that a random one seldom is.

use proptest::prelude::*;

use super::*;

fn parse(typed: &str) -> Result<NewPin, PinError> {
    NewPin::parse(SecretString::from(typed), &PinRules::default())
}

#[test]
fn a_pin_has_six_to_twelve_digits() {
    for typed in [
        "",
        "85037",
        "8503741926351",
        "85037a",
        "８５０３７４",
        "850 374",
    ] {
        let error = PinError::Form { min: 6, max: 12 };
        assert_eq!(parse(typed).unwrap_err(), error, "{typed}");
    }
    for typed in ["850374", "850374192635"] {
        assert!(parse(typed).is_ok(), "{typed}");
    }
}

#[test]
fn the_minimum_is_one_setting() {
    let rules = PinRules {
        min_digits: 8,
        ..PinRules::default()
    };
    let parsed = NewPin::parse(SecretString::from("850374"), &rules);
    assert_eq!(parsed.unwrap_err(), PinError::Form { min: 8, max: 12 });
}

/// The most used six-digit PINs of published lists of leaked ones, and the eight-digit habits.
#[test]
fn what_guessers_try_first_is_refused() {
    let common = [
        "123456",
        "654321",
        "111111",
        "000000",
        "123123",
        "666666",
        "121212",
        "112233",
        "789456",
        "159753",
        "123321",
        "222222",
        "131313",
        "777777",
        "555555",
        "101010",
        "999999",
        "147258",
        "456789",
        "888888",
        "987654",
        "333333",
        "696969",
        "232323",
        "010203",
        "246810",
        "147852",
        "202020",
        "252525",
        "456456",
        "159357",
        "321321",
        "142536",
        "010101",
        "444444",
        "110110",
        "998877",
        "001122",
        "111222",
        "246802",
        "135791",
        "19840312",
        "12031984",
        "31121999",
        "120384",
        "840312",
        "12345678",
        "87654321",
        "11223344",
        "12344321",
        "00000000",
        "12341234",
        "123456789012",
    ];
    for typed in common {
        let refused = matches!(parse(typed), Err(PinError::Common));
        assert!(refused, "{typed}");
    }
}

#[test]
fn no_digit_of_a_pin_shows_in_debug() {
    let pin = parse("850374").unwrap();
    assert!(!format!("{pin:?}").contains("850374"));
}

#[test]
fn most_pins_may_be_chosen() {
    let refused = (0..1_000_000)
        .step_by(7)
        .filter(|number| parse(&format!("{number:06}")).is_err())
        .count();
    let share = refused as f64 / (1_000_000.0 / 7.0);
    assert!(share < 0.15, "{share} of all six-digit PINs are refused");
}

proptest! {
    #[test]
    fn no_input_makes_it_panic(typed in ".{0,20}") {
        let _ = parse(&typed);
    }
}
