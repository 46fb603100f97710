//! What texts say, in which language, and what nothing in them can be made to say.

use countersign_primitives::ExposeSecret;
use proptest::prelude::*;

use super::*;
use crate::{Coding, parse_word};

pub(super) const CODE: &str = "042137";
pub(super) const DOMAIN: &str = "example.com";
const GERMAN: &str = include_str!("de.ftl");

fn settings(domain: Option<&str>) -> TextSettings {
    TextSettings {
        fallback: "en".to_owned(),
        brand: "Acme".to_owned(),
        domain: domain.map(str::to_owned),
    }
}

/// The texts that are shipped, and German ones that an operator has added.
pub(super) fn texts(domain: Option<&str>) -> Texts {
    let files = vec![("de.ftl".to_owned(), GERMAN.to_owned())];
    Texts::new(settings(domain), files).unwrap()
}

pub(super) fn withdrawal(amount: &str, currency: &str, destination: &str) -> Template {
    Template::Withdrawal {
        amount: amount.to_owned(),
        currency: currency.to_owned(),
        destination: destination.to_owned(),
    }
}

fn payout() -> Template {
    withdrawal("1000.50", "USDT", "TXyz98765410ab")
}

fn templates() -> [Template; 5] {
    use Template::{Custom, Enrolment, Login, SettingsChange};
    [Enrolment, Login, payout(), SettingsChange, Custom]
}

fn rendered(texts: &Texts, locale: &str, word: Option<&str>, template: &Template) -> Text {
    let locale = Texts::parse_locale(locale).unwrap();
    texts.render(&locale, word, template, &CODE.into())
}

/// The same as text.
fn said(texts: &Texts, locale: &str, word: Option<&str>, template: &Template) -> String {
    let text = rendered(texts, locale, word, template).text;
    text.expose_secret().to_owned()
}

/// Shows each template in each language, with and without a word; how many texts that were.
pub(super) fn every_text(texts: &Texts, mut look: impl FnMut(&str)) -> usize {
    let mut shown = 0;
    for locale in texts.languages.keys() {
        for template in templates() {
            for word in [None, Some("blue whale")] {
                look(&said(texts, locale, word, &template));
                shown += 1;
            }
        }
    }
    shown
}

#[test]
fn a_withdrawal_says_what_it_is_before_the_code() {
    let english = "Acme: withdrawal 1000.50 USDT to ...10ab. Code 042137. Never tell it to anyone.";
    let russian = "Acme: вывод 1000.50 USDT → …10ab. Код 042137 никому не говорите";
    assert_eq!(said(&texts(None), "en", None, &payout()), english);
    assert_eq!(said(&texts(None), "ru", None, &payout()), russian);
}

#[test]
fn every_other_text_begins_with_the_code() {
    for locale in ["en", "ru", "de"] {
        for template in templates() {
            let text = said(&texts(None), locale, None, &template);
            let is_withdrawal = matches!(template, Template::Withdrawal { .. });
            assert_eq!(text.starts_with(CODE), !is_withdrawal, "{text}");
        }
    }
}

#[test]
fn every_text_names_the_service_and_tells_people_to_keep_the_code() {
    every_text(&texts(None), |text| {
        let warnings = ["Never tell", "не говорите", "niemandem"];
        let warns = warnings.iter().any(|warning| text.contains(warning));
        assert!(warns && text.contains("Acme"), "{text}");
    });
}

#[test]
fn the_word_stands_first() {
    let text = said(&texts(None), "en", Some("blue whale"), &Template::Login);
    assert!(
        text.starts_with("[blue whale] 042137 is your Acme login code."),
        "{text}"
    );
    let text = said(&texts(None), "en", Some("синий кит"), &payout());
    assert!(text.starts_with("[синий кит] Acme: withdrawal"), "{text}");
}

#[test]
fn the_end_of_a_destination_keeps_the_coding_of_the_text() {
    let english = rendered(&texts(None), "en", None, &payout());
    assert_eq!((english.coding, english.parts), (Coding::Gsm7, 1));
    let other = rendered(&texts(None), "en", Some("кит"), &payout());
    assert_eq!(other.coding, Coding::Ucs2);
    assert!(other.text.expose_secret().contains("to …10ab."));
    let short = said(&texts(None), "en", None, &withdrawal("1", "EUR", "3456"));
    assert!(short.contains("1 EUR to 3456."), "{short}");
}

#[test]
fn a_reader_gets_their_language_or_the_one_it_is_a_kind_of_or_the_fallback() {
    let fallback = "ru-RU".to_owned();
    let settings = TextSettings {
        fallback,
        ..settings(None)
    };
    let swiss = GERMAN.replace("ist Ihr Anmeldecode", "ist Ihr Login-Code");
    let file = |name: &str, content: &str| (name.to_owned(), content.to_owned());
    let files = vec![file("de.ftl", GERMAN), file("de-CH.ftl", &swiss)];
    let texts = Texts::new(settings, files).unwrap();
    for (locale, words) in [
        ("en", "login code"),
        ("en-US", "login code"),
        ("EN_gb", "login code"),
        ("ru", "код входа"),
        ("de", "Anmeldecode"),
        ("de-CH", "Login-Code"),
        ("de-CH-1996", "Login-Code"),
        ("de-AT", "Anmeldecode"),
        ("kk", "код входа"),
        ("zh-Hant-TW", "код входа"),
    ] {
        let text = said(&texts, locale, None, &Template::Login);
        assert!(text.contains(words), "{locale}: {text}");
    }
}

#[test]
fn a_file_of_a_shipped_language_replaces_it() {
    let files = vec![("EN.ftl".to_owned(), GERMAN.to_owned())];
    let texts = Texts::new(settings(None), files).unwrap();
    let text = said(&texts, "en", None, &Template::Login);
    assert!(text.contains("Anmeldecode"), "{text}");
}

/// What is said of these files.
fn refused(files: &[(&str, &str)]) -> String {
    let owned = |(name, content): &(&str, &str)| ((*name).to_owned(), (*content).to_owned());
    let files = files.iter().map(owned).collect();
    Texts::new(settings(None), files).unwrap_err().to_string()
}

#[test]
fn a_file_is_named_after_a_locale() {
    let wrong = "is not named after a locale: a file is, such as kk.ftl or pt-BR.ftl";
    for name in [
        "kk.txt",
        "kk",
        ".ftl",
        "texts/kk.ftl",
        "kk.ftl~",
        "k.ftl",
        "kk .ftl",
    ] {
        assert_eq!(refused(&[(name, GERMAN)]), format!("{name}: {wrong}"));
    }
    let twice = refused(&[("pt-br.ftl", GERMAN), ("pt_BR.ftl", GERMAN)]);
    assert_eq!(
        twice,
        "pt_BR.ftl: is of the same locale as pt-br.ftl: keep one of them"
    );
    assert_eq!(
        refused(&[("\u{1b}[2J", "")]),
        format!("\\u{{1b}}[2J: {wrong}")
    );
}

#[test]
fn what_is_wrong_in_a_file_is_said_with_its_name() {
    let wrong = GERMAN.replace("login = { $code } ist", "login = { $kode } ist");
    assert_eq!(
        refused(&[("de.ftl", &wrong)]),
        "de.ftl: message `login`: shows { $kode }, which it has not: it may show { $code }, { $brand }"
    );
}

#[test]
fn a_text_that_could_take_four_parts_is_refused_with_its_message() {
    let wordy = |letters| GERMAN.replace("Anmeldecode", &"a".repeat(letters));
    let sentence = "de.ftl: message `login`: takes 4 parts where everything in it is as long as it \
                    can be, and must not take more than 3: write a shorter text, or choose a \
                    shorter brand or domain";
    // Word and brackets, code, brand, and the words of the file: 201 units are three parts.
    let rest = 23 + " ist Ihr  bei Acme. Geben Sie ihn niemandem, auch nicht uns.".len() + 6;
    let fits = wordy(201 - rest);
    Texts::new(settings(None), vec![("de.ftl".to_owned(), fits)]).unwrap();
    assert_eq!(refused(&[("de.ftl", &wordy(202 - rest))]), sentence);
}

#[test]
fn a_long_domain_is_refused_where_a_text_would_take_four_parts() {
    let domain = format!("{}.example", "a".repeat(60));
    let error = Texts::new(settings(Some(&domain)), Vec::new()).unwrap_err();
    assert!(
        error.to_string().starts_with("en.ftl: message `"),
        "{error}"
    );
    assert!(
        error.to_string().contains("shorter brand or domain"),
        "{error}"
    );
}

#[test]
fn the_fallback_is_a_locale_that_there_are_texts_in() {
    for fallback in ["kk", "", "english!"] {
        let fallback = fallback.to_owned();
        let settings = TextSettings {
            fallback,
            ..settings(None)
        };
        let error = Texts::new(settings, Vec::new()).unwrap_err();
        let text = "fallback must be a locale that there are texts in: en, ru";
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn debug_shows_neither_code_nor_text() {
    let text = rendered(&texts(None), "en", Some("whale"), &payout());
    let debug = format!("{text:?} {:?}", texts(None));
    for hidden in [CODE, "1000.50", "whale", "10ab"] {
        assert!(!debug.contains(hidden), "{debug}");
    }
}

/// Anything, with much of what could do harm.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,40}",
        "[\n\r@#. a1\u{202e}\u{2066}\u{200b}\u{2028}\u{85}]{0,30}",
        Just("x\n@evil.example #123456".to_owned()),
    ]
}

proptest! {
    #[test]
    fn whatever_is_filled_in_is_on_one_line_and_names_no_website(
        amount in hostile(), currency in hostile(), destination in hostile(),
        word in proptest::option::of(hostile()), russian in any::<bool>(),
    ) {
        let locale = if russian { "ru" } else { "en" };
        let template = withdrawal(&amount, &currency, &destination);
        let text = said(&texts(None), locale, word.as_deref(), &template);
        let is_wrong = |c: char| {
            c.is_control() || matches!(c, '@' | '#' | '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        };
        prop_assert!(!text.contains(is_wrong), "{text:?}");
        let bound = said(&texts(Some(DOMAIN)), locale, word.as_deref(), &template);
        // The line changes nothing before it: all of it is in the GSM alphabet.
        prop_assert_eq!(bound, format!("{text}\n@{DOMAIN} #{CODE}"));
    }

    #[test]
    fn no_text_is_longer_than_what_was_checked(
        units in 0..i64::MAX, nanos in 0..1_000_000_000, currency in "[A-Z0-9]{2,12}",
        destination in ".{1,60}", word in proptest::option::of(".{0,40}"),
    ) {
        let template = withdrawal(&format!("{units}.{nanos:09}"), &currency, &destination);
        for locale in ["en", "ru", "de"] {
            let text = rendered(&texts(Some(DOMAIN)), locale, word.as_deref(), &template);
            prop_assert!(text.parts <= crate::MAX_PARTS);
        }
    }

    #[test]
    fn a_word_stands_in_the_text_as_it_was_chosen(typed in "[a-zа-я ]{1,20}") {
        if let Ok(word) = parse_word(&typed) {
            let text = said(&texts(None), "en", Some(word.as_str()), &Template::Login);
            let first = format!("[{}] ", word.as_str());
            prop_assert!(text.starts_with(&first));
        }
    }
}
