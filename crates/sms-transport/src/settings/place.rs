//! Where in the configuration something stands that is wrong.

use std::fmt;

/// What came of looking at a setting: the error is a sentence with its key.
pub(crate) type Checked<T> = Result<T, String>;

/// A key of the configuration, such as `sms.providers.alpha.url`.
#[derive(Clone)]
pub(crate) struct Place(String);

impl Place {
    /// The section of a provider.
    pub(crate) fn provider(name: &str) -> Self {
        Self(format!("sms.providers.{name}"))
    }

    /// A key within it.
    pub(crate) fn key(&self, key: impl fmt::Display) -> Self {
        Self(format!("{}.{key}", self.0))
    }

    /// That what stands there is wrong: says what would be right.
    pub(crate) fn wrong(&self, rule: &str) -> String {
        format!("{} {rule}", self.0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value that is sent as it stands: with braces it might be taken for a placeholder.
pub(crate) fn literal<'a>(value: &'a str, place: &Place) -> Checked<&'a str> {
    if value.is_empty() || value.contains(['{', '}']) || value.chars().any(char::is_control) {
        return Err(place.wrong("must be a text of one line without braces"));
    }
    Ok(value)
}
