//! Texts with placeholders, which a message fills in.

use std::{fmt, time::Duration};

use countersign_mfa::ports::sms::Outgoing;
use countersign_primitives::{ExposeSecret as _, SecretString};

use crate::settings::{Checked, Place, Secrets};

/// A text with placeholders: `{number}` with its plus, `{number_digits}` without, `{text}`, `{id}`,
/// `{validity_seconds}`, `{validity_hh_mm}`, and `{secret:name}`. Braces around anything that does
/// not look like a name are themselves, as in JSON.
pub(crate) struct Template(Vec<Piece>);

enum Piece {
    Literal(String),
    Value(Slot),
    Secret(SecretString),
}

/// What a placeholder stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Number,
    NumberDigits,
    Text,
    Id,
    ValiditySeconds,
    ValidityHhMm,
}

impl Slot {
    const ALL: [(&'static str, Self); 6] = [
        ("number", Self::Number),
        ("number_digits", Self::NumberDigits),
        ("text", Self::Text),
        ("id", Self::Id),
        ("validity_seconds", Self::ValiditySeconds),
        ("validity_hh_mm", Self::ValidityHhMm),
    ];
}

/// What placeholders are filled in with.
pub(crate) struct Values<'a> {
    number: &'a str,
    text: &'a str,
    id: String,
    validity: Duration,
}

impl<'a> Values<'a> {
    /// Those of a message.
    pub(crate) fn of(message: &'a Outgoing) -> Self {
        Self {
            number: message.number.e164(),
            text: message.text.expose_secret(),
            id: message.id.to_string(),
            validity: message.validity,
        }
    }

    /// Such as might come, and as might go wrong.
    pub(crate) fn sample() -> Self {
        Self {
            number: "+79123456789",
            text: "\"Код\" \\ 123456:\n& done",
            id: "2c5ea4c0-4067-4fe9-8bad-9b1deb4d3b7d".to_owned(),
            validity: Duration::from_mins(5),
        }
    }

    fn get(&self, slot: Slot) -> String {
        // No message is valid for no time at all, in any unit.
        let seconds = self.validity.as_secs().max(1);
        let minutes = (seconds / 60).max(1);
        match slot {
            Slot::Number => self.number.to_owned(),
            Slot::NumberDigits => self.number.trim_start_matches('+').to_owned(),
            Slot::Text => self.text.to_owned(),
            Slot::Id => self.id.clone(),
            Slot::ValiditySeconds => seconds.to_string(),
            Slot::ValidityHhMm => format!("{:02}:{:02}", minutes / 60, minutes % 60),
        }
    }
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// Which of its placeholders there is not.
    pub(crate) fn parse(text: &str, secrets: &Secrets, place: &Place) -> Checked<Self> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            literal.push_str(before);
            let Some((name, behind)) = after.split_once('}').filter(|(name, _)| is_name(name))
            else {
                literal.push('{');
                rest = after;
                continue;
            };
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(piece(name, secrets, place)?);
            rest = behind;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self(pieces))
    }

    /// The text for a message; what fills a placeholder is escaped for where it stands.
    pub(crate) fn fill(&self, values: &Values<'_>, escape: fn(&str) -> String) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Value(slot) => escape(&values.get(*slot)),
            Piece::Secret(secret) => escape(secret.expose_secret()),
        };
        self.0.iter().map(piece).collect()
    }

    /// Whether a placeholder is among those that it has.
    pub(crate) fn has(&self, slot: Slot) -> bool {
        let is_it = |piece: &Piece| matches!(piece, Piece::Value(found) if *found == slot);
        self.0.iter().any(is_it)
    }

    /// Whether a secret is in it.
    pub(crate) fn has_secret(&self) -> bool {
        let is_secret = |piece: &Piece| matches!(piece, Piece::Secret(_));
        self.0.iter().any(is_secret)
    }

    /// What stands before the first placeholder.
    pub(crate) fn beginning(&self) -> &str {
        match self.0.first() {
            Some(Piece::Literal(text)) => text,
            _ => "",
        }
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[template]")
    }
}

/// As it is: for what is encoded later as a whole.
pub(crate) fn as_is(value: &str) -> String {
    value.to_owned()
}

/// Within a JSON string.
pub(crate) fn in_json(value: &str) -> String {
    // A text always has a JSON form, with a quotation mark at each end.
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Within the path of an address.
pub(crate) fn in_url(value: &str) -> String {
    let byte = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    value.bytes().map(byte).collect()
}

fn piece(name: &str, secrets: &Secrets, place: &Place) -> Checked<Piece> {
    if let Some(name) = name.strip_prefix("secret:") {
        return secrets
            .get(name)
            .cloned()
            .map(Piece::Secret)
            .ok_or_else(|| {
                place.wrong(&format!(
                    "uses the secret {name:?}, which secrets does not name"
                ))
            });
    }
    let slot = Slot::ALL.iter().find(|(known, _)| *known == name);
    slot.map(|(_, slot)| Piece::Value(*slot)).ok_or_else(|| {
        let known: Vec<_> = Slot::ALL.iter().map(|(name, _)| *name).collect();
        place.wrong(&format!(
            "has the placeholder {{{name}}}; there are {}, secret:<name>",
            known.join(", ")
        ))
    })
}

/// Whether this in braces is meant as a placeholder.
fn is_name(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_-:".contains(&byte);
    text.bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic())
        && text.bytes().all(is_fit)
}

#[cfg(test)]
mod tests;
