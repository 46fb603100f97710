//! Reading a table so that what is wrong with it names the key.

use serde::{
    Deserialize,
    de::{
        DeserializeOwned, DeserializeSeed, Error, IntoDeserializer as _, MapAccess,
        value::MapAccessDeserializer,
    },
};
use serde_json::{Map, Value, map::IntoIter};

/// Reads a table.
///
/// # Errors
/// Which key is wrong, and how.
pub(super) fn read<T: DeserializeOwned>(table: Map<String, Value>) -> Result<T, String> {
    let entries = Entries {
        left: table.into_iter(),
        at: None,
    };
    T::deserialize(MapAccessDeserializer::new(entries)).map_err(|error| error.to_string())
}

/// Reads a table within a table.
pub(super) fn read_within<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: DeserializeOwned,
    D: serde::Deserializer<'de>,
{
    // What was written in its place is not shown: it may hold a secret.
    let table = Map::deserialize(deserializer).map_err(|_| D::Error::custom("must be a table"))?;
    read(table).map_err(D::Error::custom)
}

/// As [`read_within`], where there may be none.
pub(super) fn read_some<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: DeserializeOwned,
    D: serde::Deserializer<'de>,
{
    read_within(deserializer).map(Some)
}

/// The entries of a table that are still to be read.
struct Entries {
    left: IntoIter,
    at: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = serde_json::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Self::Error> {
        self.at = self.left.next();
        let Some((key, _)) = &self.at else {
            return Ok(None);
        };
        seed.deserialize(key.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Self::Error> {
        let Some((key, value)) = self.at.take() else {
            return Err(Error::custom("a key without a value"));
        };
        seed.deserialize(value)
            .map_err(|error| Error::custom(format!("{key}: {}", in_words(&error.to_string()))))
    }
}

/// What serde says, without what was written there, which may be a secret, and without the names of
/// Rust's types.
fn in_words(error: &str) -> String {
    let is_of_type = error.starts_with("invalid type") || error.starts_with("invalid value");
    let expected = error.rsplit_once(", expected ").filter(|_| is_of_type);
    let Some((_, expected)) = expected else {
        return error.to_owned();
    };
    let expected = match expected {
        "u16" | "u32" | "u64" => "a whole number",
        "a sequence" => "a list",
        "a map" => "a table",
        other if other.starts_with("struct") => "a table",
        other => other,
    };
    format!("must be {expected}")
}
