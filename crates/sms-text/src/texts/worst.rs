//! How many parts the shipped texts take at worst. `--nocapture` prints the table.
//!
//! The worst case is a brand of 20 characters, the largest amount and the longest currency that the
//! API takes, a destination whose end is shown, and a code of six digits. A word is 20 letters, and
//! a domain the one of the examples.

use std::fmt::Write;

use countersign_primitives::ExposeSecret;

use super::*;
use crate::{
    Coding, MAX_BRAND_CHARS, MAX_WORD_CHARS,
    fill::{ANY_CODE, LONGEST_AMOUNT, LONGEST_CURRENCY},
};

/// What is added to the worst case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum With {
    Nothing,
    Line,
    Word,
    Both,
}

const EVERY: [With; 4] = [With::Nothing, With::Line, With::Word, With::Both];

/// Brand and word are in the letters of the language: others would change its coding.
fn worst(locale: &str, kind: MessageKind, with: With) -> Text {
    let letter = if locale == "ru" { "я" } else { "a" };
    let settings = TextSettings {
        fallback: "en".to_owned(),
        brand: letter.repeat(MAX_BRAND_CHARS),
        domain: matches!(with, With::Line | With::Both).then(|| "example.com".to_owned()),
    };
    let word = letter.repeat(MAX_WORD_CHARS);
    let word = matches!(with, With::Word | With::Both).then_some(word.as_str());
    let template = match kind {
        MessageKind::Enrolment => Template::Enrolment,
        MessageKind::Login => Template::Login,
        MessageKind::Withdrawal => Template::Withdrawal {
            amount: LONGEST_AMOUNT.to_owned(),
            currency: LONGEST_CURRENCY.to_owned(),
            destination: "1234567".to_owned(),
        },
        MessageKind::SettingsChange => Template::SettingsChange,
        MessageKind::Custom => Template::Custom,
    };
    let texts = Texts::new(settings, Vec::new()).unwrap();
    let locale = Texts::parse_locale(locale).unwrap();
    texts.render(&locale, word, &template, &ANY_CODE.into())
}

/// Septets or units of UTF-16.
fn length(text: &Text) -> usize {
    let exposed = text.text.expose_secret();
    match text.coding {
        Coding::Gsm7 => crate::encode_gsm7_unpacked(exposed).unwrap().len(),
        Coding::Ucs2 => exposed.encode_utf16().count(),
    }
}

#[test]
fn the_table_of_parts() {
    let mut table = String::from(
        "parts (septets or UTF-16 units)\n\
         locale  message          plain    line     word     both\n",
    );
    for locale in ["en", "ru"] {
        for kind in MessageKind::ALL {
            write!(table, "{locale:<8}{:<17}", kind.id()).unwrap();
            for with in EVERY {
                let text = worst(locale, kind, with);
                let cell = format!("{} ({})", text.parts, length(&text));
                write!(table, "{cell:<9}").unwrap();
            }
            table.push('\n');
        }
    }
    println!("{table}");
    assert_eq!(table.lines().count(), 2 + 2 * 5);
}

#[test]
fn an_english_text_fits_one_part_but_for_the_longest_withdrawal_with_word_and_line() {
    for kind in MessageKind::ALL {
        for with in EVERY {
            let text = worst("en", kind, with);
            let is_longest = kind == MessageKind::Withdrawal && with == With::Both;
            let parts = if is_longest { 2 } else { 1 };
            assert_eq!(
                (text.coding, text.parts),
                (Coding::Gsm7, parts),
                "{kind:?} {with:?}"
            );
        }
    }
}

#[test]
fn a_russian_text_fits_two_parts_but_for_the_longest_withdrawal_with_word_and_line() {
    for kind in MessageKind::ALL {
        for with in EVERY {
            let text = worst("ru", kind, with);
            let is_longest = kind == MessageKind::Withdrawal && with == With::Both;
            let parts = if is_longest { 3..=3 } else { 1..=2 };
            assert_eq!(text.coding, Coding::Ucs2);
            assert!(
                parts.contains(&text.parts),
                "{kind:?} {with:?}: {}",
                text.parts
            );
        }
    }
}
