//! Every language's texts.

use std::{collections::BTreeMap, fmt};

use countersign_primitives::SecretString;

use crate::{
    error::{Fault, Place, TextsError},
    fill::{Frame, Shown, Text},
    language::Language,
    locale::{Locale, LocaleError},
    settings::TextSettings,
    template::{MessageKind, Template},
};

#[cfg(test)]
mod one_time_code;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod worst;

/// The languages that come with the program.
const SHIPPED: [(&str, &str); 2] = [
    ("en.ftl", include_str!("../texts/en.ftl")),
    ("ru.ftl", include_str!("../texts/ru.ftl")),
];

/// The texts of every language, checked.
pub struct Texts {
    languages: BTreeMap<String, Language>,
    fallback: (Locale, Language),
    frame: Frame,
}

impl Texts {
    /// The texts that come with the program and those of the files that an operator has added:
    /// names such as `kk.ftl` and what is in them. A file replaces the language that it names.
    ///
    /// Each message is filled with the longest values that the API takes: a word of 20 letters
    /// outside the GSM alphabet, `9223372036854775807.999999999` of a currency of 12 letters, a
    /// destination whose end is shown, a code of six digits; with the brand and the domain that are
    /// set. It must not take more than [`MAX_PARTS`](crate::MAX_PARTS) parts then.
    ///
    /// # Errors
    /// [`TextsError`] with the first thing that is wrong.
    pub fn new(settings: TextSettings, files: Vec<(String, String)>) -> Result<Self, TextsError> {
        let frame = Frame {
            brand: settings.checked_brand()?,
            domain: settings.checked_domain()?,
        };
        let mut sources = BTreeMap::new();
        for (name, content) in SHIPPED {
            sources.insert(locale_of(name)?, (name.to_owned(), content.to_owned()));
        }
        let mut added = BTreeMap::new();
        for (name, content) in files {
            let locale = locale_of(&name)?;
            if let Some(other) = added.insert(locale.clone(), name.clone()) {
                let wrong = format!("is of the same locale as {other}: keep one of them");
                return Err(Fault::new(Place::Whole, wrong).in_file(&name));
            }
            sources.insert(locale, (name, content));
        }
        let mut languages = BTreeMap::new();
        for (locale, (name, content)) in sources {
            let language = Language::parse(&content).map_err(|fault| fault.in_file(&name))?;
            let checked = frame.check_parts(&language);
            checked.map_err(|fault| fault.in_file(&name))?;
            languages.insert(locale, language);
        }
        let fallback = fallback(&settings.fallback, &languages)?;
        Ok(Self {
            languages,
            fallback,
            frame,
        })
    }

    /// The locale for those who name none.
    pub const fn fallback(&self) -> &Locale {
        &self.fallback.0
    }

    /// The locales that there are texts in.
    pub fn locales(&self) -> impl Iterator<Item = &str> {
        self.languages.keys().map(String::as_str)
    }

    /// Reads a locale as a caller gives it.
    ///
    /// # Errors
    /// [`LocaleError`] where it is none.
    pub fn parse_locale(text: &str) -> Result<Locale, LocaleError> {
        Locale::parse(text)
    }

    /// The text for a locale: in its language, or the language that it is a kind of, or that of the
    /// fallback. A person's word stands first in it, and the line for browsers last.
    ///
    /// What a caller gave is shown so that nothing in it can pass for something else. Amount and
    /// currency are shown whole, be they longer than any that the API takes; [`Text::parts`] says
    /// what that comes to. Of the destination the last four characters are shown.
    pub fn render(
        &self,
        locale: &Locale,
        word: Option<&str>,
        template: &Template,
        code: &SecretString,
    ) -> Text {
        let language = found(&self.languages, locale).unwrap_or(&self.fallback.1);
        let message = language.message(MessageKind::of(template));
        self.frame.fill(message, &Shown::new(word, template), code)
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.languages.keys()).finish()
    }
}

/// The locale that a file is named after.
fn locale_of(name: &str) -> Result<String, TextsError> {
    let locale = name.strip_suffix(".ftl").map(Locale::parse);
    let Some(Ok(locale)) = locale else {
        let message = "is not named after a locale: a file is, such as kk.ftl or pt-BR.ftl";
        return Err(Fault::new(Place::Whole, message).in_file(name));
    };
    Ok(locale.as_str().to_owned())
}

/// The language of a locale, or of what it is a kind of.
fn found<'a>(languages: &'a BTreeMap<String, Language>, locale: &Locale) -> Option<&'a Language> {
    locale.lookup().find_map(|name| languages.get(name))
}

/// The language for those who read none of the others.
fn fallback(
    setting: &str,
    languages: &BTreeMap<String, Language>,
) -> Result<(Locale, Language), TextsError> {
    let locale = Locale::parse(setting).ok();
    let both = locale.and_then(|locale| {
        let language = found(languages, &locale)?.clone();
        Some((locale, language))
    });
    both.ok_or_else(|| {
        let known: Vec<&str> = languages.keys().map(String::as_str).collect();
        TextsError::Setting {
            setting: "fallback",
            rule: format!(
                "must be a locale that there are texts in: {}",
                known.join(", ")
            ),
        }
    })
}
