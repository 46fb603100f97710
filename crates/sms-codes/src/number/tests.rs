//! Which numbers are taken, and what is shown of one.

use proptest::prelude::*;

use super::*;

fn parsed(typed: &str) -> Result<PhoneNumber, NumberError> {
    PhoneNumber::parse(typed, &Countries::All)
}

#[test]
fn a_number_is_kept_in_one_form_however_it_was_typed() {
    for typed in ["+79123456789", "+7 912 345-67-89", " +7 (912) 345.67.89 "] {
        assert_eq!(parsed(typed).unwrap().e164(), "+79123456789");
    }
}

#[test]
fn what_may_be_shown_hides_all_but_the_country_and_the_last_four() {
    for (typed, shown) in [
        ("+79123456789", "+7 ••• ••• 67 89"),
        ("+447400123456", "+44 •••• ••3456"),
        ("+77012345678", "+7 ••• ••• 5678"),
        ("+37251234567", "+372 •••• 4567"),
    ] {
        assert_eq!(parsed(typed).unwrap().masked(), shown);
    }
}

#[test]
fn numbers_that_receive_no_texts_are_refused_with_the_reason() {
    for (typed, reason) in [
        ("", NumberError::Malformed),
        ("89123456789", NumberError::Malformed),
        ("+", NumberError::Malformed),
        ("+7912345678a", NumberError::Malformed),
        ("+7 912 345-67-89 ext. 5", NumberError::Malformed),
        ("+7912345678", NumberError::Invalid),
        ("+791234567890", NumberError::Invalid),
        ("+999123456789", NumberError::Malformed),
        // Fixed, free, at shared cost, premium.
        ("+74951234567", NumberError::NotMobile),
        ("+18002345678", NumberError::NotMobile),
        ("+448431234567", NumberError::NotMobile),
        ("+449012345678", NumberError::NotMobile),
    ] {
        assert_eq!(parsed(typed), Err(reason), "{typed}");
    }
    let long = format!("+7{}", "9".repeat(100));
    assert_eq!(parsed(&long), Err(NumberError::Malformed));
}

#[test]
fn countries_that_are_not_in_the_list_are_refused() {
    let only = Countries::Only(["RU".to_owned()].into());
    assert!(PhoneNumber::parse("+79123456789", &only).is_ok());
    for typed in ["+77012345678", "+447400123456"] {
        let refused = PhoneNumber::parse(typed, &only);
        assert_eq!(refused, Err(NumberError::CountryNotAllowed), "{typed}");
    }
}

#[test]
fn the_prefix_is_the_country_code_and_three_digits() {
    assert_eq!(parsed("+79123456789").unwrap().prefix(), "7912");
    assert_eq!(parsed("+447400123456").unwrap().prefix(), "44740");
}

#[test]
fn a_stored_number_is_read_again_and_nothing_else_is() {
    let number = parsed("+79123456789").unwrap();
    let bytes = countersign_primitives::encode(&number);
    assert_eq!(minicbor::decode::<PhoneNumber>(&bytes).unwrap(), number);
    for other in ["", "+", "79123456789", "+7912", "+7912345678901234"] {
        let bytes = countersign_primitives::encode(&other);
        assert!(minicbor::decode::<PhoneNumber>(&bytes).is_err(), "{other}");
    }
}

#[test]
fn a_number_is_not_in_its_debug() {
    assert_eq!(format!("{:?}", parsed("+79123456789").unwrap()), "[number]");
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_accepted_is_canonical(typed in "[+]?[0-9 ()a-z.-]{0,45}") {
        if let Ok(number) = parsed(&typed) {
            let digits = number.e164().strip_prefix('+').unwrap();
            prop_assert!(digits.len() <= 15 && digits.bytes().all(|byte| byte.is_ascii_digit()));
            prop_assert!(!digits.starts_with('0'));
            prop_assert_eq!(parsed(number.e164()).unwrap(), number);
        }
    }

    #[test]
    fn russian_mobile_numbers_are_accepted(rest in 0_u64..100_000_000) {
        let typed = format!("+791{rest:08}");
        match parsed(&typed) {
            Ok(number) => prop_assert_eq!(number.e164(), typed),
            Err(error) => prop_assert_eq!(error, NumberError::Invalid),
        }
    }
}

#[test]
fn a_country_is_one_that_numbers_can_be_of() {
    for country in ["RU", "KZ", "GB"] {
        assert!(is_country(country), "{country}");
    }
    for other in ["UK", "XX", "ru", "RUS", "001", ""] {
        assert!(!is_country(other), "{other}");
    }
}

#[test]
fn of_two_lists_of_countries_those_in_both_count() {
    let only = |all: &[&str]| Countries::Only(all.iter().copied().map(str::to_owned).collect());
    let (one, other) = (only(&["RU", "KZ"]), only(&["KZ", "DE"]));
    assert_eq!(one.clone().and(other), only(&["KZ"]));
    assert_eq!(one.clone().and(Countries::All), one);
    assert_eq!(Countries::All.and(one.clone()), one);
    assert_eq!(one.and(only(&["DE"])), only(&[]));
}
