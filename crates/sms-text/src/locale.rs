//! Locales: which language a person reads.

use minicbor::{CborLen, Decode, Decoder, Encode, decode};
use thiserror::Error;
use unic_langid::LanguageIdentifier;

/// The longest text that is looked at as a locale: what RFC 5646 §4.4.1 wants room for, and more.
const MAX_TYPED: usize = 64;

/// A locale in its canonical form, such as `ru`, `pt-BR` or `zh-Hant-TW`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, CborLen)]
#[cbor(transparent)]
pub struct Locale(#[n(0)] String);

/// A text is no locale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be a locale (BCP 47) such as \"en\", \"ru-RU\" or \"zh-Hant\"")]
pub struct LocaleError;

impl Locale {
    /// The locale that the text names, whatever its capitals. Extensions, such as the calendar of
    /// `en-u-ca-buddhist`, say nothing about texts and are left out.
    ///
    /// # Errors
    /// [`LocaleError`] where it names none.
    pub(crate) fn parse(text: &str) -> Result<Self, LocaleError> {
        if text.is_empty() || text.len() > MAX_TYPED {
            return Err(LocaleError);
        }
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !text.bytes().all(is_fit) || text.ends_with(['-', '_']) {
            return Err(LocaleError);
        }
        let subtags = text.split(['-', '_']);
        let plain: Vec<&str> = subtags.take_while(|subtag| subtag.len() != 1).collect();
        let locale: LanguageIdentifier = plain.join("-").parse().map_err(|_| LocaleError)?;
        Ok(Self(locale.to_string()))
    }

    /// The locale as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The locale, and what it is a kind of: `zh-Hant-TW`, `zh-Hant`, `zh`.
    pub(crate) fn lookup(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.as_str()), |locale| {
            locale.rsplit_once('-').map(|(shorter, _)| shorter)
        })
    }
}

impl<C> Decode<'_, C> for Locale {
    fn decode(d: &mut Decoder<'_>, _: &mut C) -> Result<Self, decode::Error> {
        Self::parse(d.str()?).map_err(|_| decode::Error::message("no locale"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_locale_has_one_form() {
        for (text, canonical) in [
            ("en", "en"),
            ("RU", "ru"),
            ("ru-ru", "ru-RU"),
            ("pt_br", "pt-BR"),
            ("ZH-hant-tw", "zh-Hant-TW"),
            ("es-419", "es-419"),
            ("de-1996", "de-1996"),
            ("en-US-u-ca-buddhist", "en-US"),
            ("kk-x-mine", "kk"),
        ] {
            let locale = Locale::parse(text).unwrap();
            assert_eq!(locale.as_str(), canonical, "{text}");
        }
    }

    #[test]
    fn what_is_no_locale_is_refused() {
        let long = "en-".repeat(30);
        for text in [
            "",
            " ",
            "e",
            "en ",
            "ру",
            "english language",
            "englishlanguage",
            "en--US",
            "en-",
            "-en",
            "_",
            "x-mine",
            "en-US-",
            "en/US",
            "../en",
            "en\n",
            "123",
            &long,
        ] {
            assert_eq!(Locale::parse(text), Err(LocaleError), "{text:?}");
        }
    }

    #[test]
    fn a_locale_is_looked_up_by_itself_and_by_what_it_is_a_kind_of() {
        let locale = Locale::parse("zh-Hant-TW").unwrap();
        let lookup: Vec<&str> = locale.lookup().collect();
        assert_eq!(lookup, ["zh-Hant-TW", "zh-Hant", "zh"]);
    }

    #[test]
    fn what_is_stored_is_read_again_and_checked() {
        let locale = Locale::parse("pt-BR").unwrap();
        let bytes = countersign_primitives::encode(&locale);
        assert_eq!(minicbor::decode::<Locale>(&bytes).unwrap(), locale);
        let wrong = countersign_primitives::encode(&"../en");
        assert!(minicbor::decode::<Locale>(&wrong).is_err());
    }

    proptest! {
        #[test]
        fn the_canonical_form_stays_as_it_is(text in "[a-zA-Z0-9_-]{0,20}|[a-z]{2}-[A-Z]{2}") {
            if let Ok(locale) = Locale::parse(&text) {
                prop_assert_eq!(Locale::parse(locale.as_str()), Ok(locale));
            }
        }
    }
}
