//! The values of a policy file, with their places.

use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use crate::{
    error::{Fault, Read},
    words::joined,
};

/// A value with its place.
pub(super) type Value<'a> = Spanned<DeValue<'a>>;

/// A table of the file.
pub(super) struct Table<'a> {
    /// What it is, for errors.
    pub(super) what: &'static str,
    /// Where it begins.
    pub(super) at: usize,
    /// What stands in it.
    pub(super) keys: &'a DeTable<'a>,
}

impl<'a> Table<'a> {
    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value<'a>> {
        self.keys.get(key)
    }

    /// The value of a key that must be there.
    pub(super) fn required(&self, key: &str, hint: &str) -> Read<&'a Value<'a>> {
        let what = self.what;
        self.get(key)
            .ok_or_else(|| Fault::new(self.at, format!("{what} needs `{key}`: {hint}")))
    }

    /// That no key is there that nobody reads.
    pub(super) fn require_known(&self, known: &[&str]) -> Read<()> {
        let unknown = self.keys.keys().filter(|key| {
            let key: &str = key.get_ref();
            !known.contains(&key)
        });
        match unknown.min_by_key(|key| key.span().start) {
            None => Ok(()),
            Some(key) => {
                let (what, known) = (self.what, joined(known, "and"));
                let message = format!(
                    "unknown key {:?}: {what} has the keys {known}",
                    key.get_ref()
                );
                Err(Fault::new(key.span().start, message))
            }
        }
    }

    /// That a key is not there.
    pub(super) fn require_absent(&self, key: &str, why: &str) -> Read<()> {
        match self.keys.get_key_value(key) {
            None => Ok(()),
            Some((key, _)) => Err(Fault::new(
                key.span().start,
                format!("`{}` does not belong here: {why}", key.get_ref()),
            )),
        }
    }
}

/// What a value is, for errors.
pub(super) const fn described(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A text.
pub(super) fn text<'a>(value: &'a Value<'_>, what: &str) -> Read<&'a str> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text),
        other => {
            let message = format!(
                "{what} must be a text in quotes, and is {}",
                described(other)
            );
            Err(Fault::new(value.span().start, message))
        }
    }
}

/// One of a few words.
pub(super) fn one_of<T: Copy>(
    value: &Value<'_>,
    what: &str,
    choices: &[(&'static str, T)],
) -> Read<T> {
    let text = text(value, &format!("a {what}"))?;
    let choice = choices.iter().find(|(word, _)| *word == text);
    choice.map(|(_, choice)| *choice).ok_or_else(|| {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        unknown(value, what, text, &words)
    })
}

/// That a word is none of those that are known.
pub(super) fn unknown(value: &Value<'_>, what: &str, text: &str, known: &[&str]) -> Fault {
    let known = known.join(", ");
    let message = format!("unknown {what} {text:?}: it must be one of {known}");
    Fault::new(value.span().start, message)
}

/// A list that is not empty.
pub(super) fn list<'a>(value: &'a Value<'a>, key: &str, of: &str) -> Read<&'a DeArray<'a>> {
    match value.get_ref() {
        DeValue::Array(items) if items.is_empty() => {
            let message = format!("`{key}` is empty: it must list at least one");
            Err(Fault::new(value.span().start, message))
        }
        DeValue::Array(items) => Ok(items),
        other => {
            let message = format!(
                "`{key}` must be a list of {of}, and is {}",
                described(other)
            );
            Err(Fault::new(value.span().start, message))
        }
    }
}

/// That nothing stands in a list twice.
pub(super) fn distinct<T: PartialEq>(
    items: &[(T, usize)],
    shown: impl Fn(&T) -> String,
) -> Read<()> {
    for (position, (item, at)) in items.iter().enumerate() {
        if items[..position].iter().any(|(other, _)| other == item) {
            let message = format!("{} stands in this list twice", shown(item));
            return Err(Fault::new(*at, message));
        }
    }
    Ok(())
}
