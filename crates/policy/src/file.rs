//! Reading a policy file.
//!
//! The file is walked by hand instead of deserialized, so that each thing that can be wrong with it
//! has its exact place and says what would be right.

mod operations;
mod reach;
mod rule;
mod stages;
mod values;

use countersign_security_identifiers::Kind;
use toml::de::{DeTable, DeValue};

use self::{
    reach::require_reachable,
    rule::{EitherRule, read_rule},
    values::{Table, Value, described, distinct, list, one_of},
};
use crate::{
    Policy, PolicyError,
    error::{Fault, Read},
    words,
};

/// The one version of the language so far.
const VERSION: &str = "1";
const KEYS: [&str; 3] = ["version", "strength", "rules"];

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// [`PolicyError`] with the place of the first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        // The mark that some editors begin a text with stands in no column.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let document = DeTable::parse(text).map_err(|error| syntax(&error, text).in_text(text))?;
        let file = Table {
            what: "a policy",
            at: 0,
            keys: document.get_ref(),
        };
        read(&file).map_err(|fault| fault.in_text(text))
    }
}

/// What is wrong with a text that is not even TOML.
fn syntax(error: &toml::de::Error, text: &str) -> Fault {
    let span = error.span().unwrap_or_default();
    let at = span.start;
    match (error.message(), text.get(span)) {
        ("duplicate key", Some(key)) => {
            Fault::new(at, format!("`{key}` stands here for the second time"))
        }
        (message, _) => Fault::new(at, format!("this is not TOML: {message}")),
    }
}

fn read(file: &Table<'_>) -> Read<Policy> {
    // First, since a file of a later version has keys that this one does not know.
    require_version(file)?;
    file.require_known(&KEYS)?;
    let strength = strength(file)?;
    let mut read: Vec<(usize, EitherRule)> = Vec::new();
    for table in rule_tables(file)? {
        let (name_at, rule) = read_rule(&table)?;
        if read.iter().any(|(_, other)| other.name() == rule.name()) {
            let message = format!("another rule has the name {:?} already", rule.name());
            return Err(Fault::new(name_at, message));
        }
        read.push((table.at, rule));
    }
    require_reachable(&read)?;
    let (mut rules, mut settings_rules) = (Vec::new(), Vec::new());
    for (_, rule) in read {
        match rule {
            EitherRule::Operations(rule) => rules.push(rule),
            EitherRule::Settings(rule) => settings_rules.push(rule),
        }
    }
    Ok(Policy {
        strength,
        rules,
        settings_rules,
    })
}

fn require_version(file: &Table<'_>) -> Read<()> {
    let value = file.required("version", "a policy begins with `version = 1`")?;
    match value.get_ref() {
        DeValue::Integer(version) if version.as_str() == VERSION => Ok(()),
        DeValue::Integer(version) => {
            let message = format!("`version` is {version}, and this program knows version 1 only");
            Err(Fault::new(value.span().start, message))
        }
        other => {
            let message = format!("`version` must be 1, and is {}", described(other));
            Err(Fault::new(value.span().start, message))
        }
    }
}

/// The kinds in their order. Every one has to be there, so that no new kind enters a policy unseen.
fn strength(file: &Table<'_>) -> Read<Vec<Kind>> {
    let choices = Kind::ALL.map(|kind| (words::kind(kind), kind));
    let hint = format!(
        "it lists every kind once, the strongest first: {}",
        choices.map(|(word, _)| word).join(", ")
    );
    let value = file.required("strength", &hint)?;
    let items = list(value, "strength", "kinds")?;
    let kinds = items
        .iter()
        .map(|item| Ok((one_of(item, "kind", &choices)?, item.span().start)))
        .collect::<Read<Vec<_>>>()?;
    distinct(&kinds, |kind| format!("{:?}", words::kind(*kind)))?;
    if let Some(left_out) = Kind::ALL
        .iter()
        .find(|kind| kinds.iter().all(|(known, _)| known != *kind))
    {
        let message = format!("`strength` leaves out {:?}: {hint}", words::kind(*left_out));
        return Err(Fault::new(value.span().start, message));
    }
    if let Some((_, at)) = kinds
        .split_last()
        .and_then(|(_, stronger)| stronger.iter().find(|(kind, _)| *kind == Kind::BackupCodes))
    {
        let message = "\"backup-codes\" must come last: each is a code less for an emergency";
        return Err(Fault::new(*at, message));
    }
    Ok(kinds.into_iter().map(|(kind, _)| kind).collect())
}

/// The rules, in their order.
fn rule_tables<'a>(file: &Table<'a>) -> Read<Vec<Table<'a>>> {
    let hint = "without rules it would refuse every operation: each begins with `[[rules]]`";
    let value = file.required("rules", hint)?;
    let table = |value: &'a Value<'a>| match value.get_ref() {
        DeValue::Table(keys) => Ok(Table {
            what: "a rule",
            at: value.span().start,
            keys,
        }),
        other => {
            let message = format!(
                "each of `rules` must be a table that begins with `[[rules]]`, and this is {}",
                described(other)
            );
            Err(Fault::new(value.span().start, message))
        }
    };
    match value.get_ref() {
        DeValue::Array(items) if items.is_empty() => {
            let message = format!("`rules` is empty: {hint}");
            Err(Fault::new(value.span().start, message))
        }
        DeValue::Array(items) => items.iter().map(table).collect(),
        _ => {
            let message = "`rules` must be a list of rules, each of which begins with `[[rules]]`";
            Err(Fault::new(value.span().start, message))
        }
    }
}

#[cfg(test)]
mod tests;
