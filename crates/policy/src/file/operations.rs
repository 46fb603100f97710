//! Which operations a rule matches.

use countersign_security_identifiers::Purpose;

use super::values::{Table, Value, distinct, list, one_of, text, unknown};
use crate::{
    error::{Fault, Read},
    policy::Matched,
    words,
};

/// What a rule is about.
pub(super) enum About {
    Operations(Vec<Matched>),
    SettingsChanges,
}

/// One entry of `operations`.
#[derive(PartialEq)]
enum Entry {
    Operation(Matched),
    SettingsChange,
}

const SETTINGS_CHANGE: &str = "settings-change";
const CUSTOM: &str = "custom";
/// What stands before the kind of a custom operation.
const CUSTOM_OF: &str = "custom:";
/// What the platform takes as the kind of a custom operation.
const LONGEST_KIND: usize = 64;

/// What a rule is about.
pub(super) fn about(rule: &Table<'_>) -> Read<About> {
    let entries = rule.get("operations").map(entries).transpose()?;
    let purposes = rule.get("purposes").map(purposes).transpose()?;
    match (entries, purposes) {
        (None, None) => {
            let message = "a rule needs `operations` or `purposes`: they say what it is about";
            Err(Fault::new(rule.at, message))
        }
        (None, Some(purposes)) => {
            let all_of = |(purpose, _): &(Purpose, usize)| match purpose {
                Purpose::Login => Matched::Login,
                Purpose::Withdrawal => Matched::Withdrawal,
                Purpose::Other => Matched::Custom,
            };
            Ok(About::Operations(purposes.iter().map(all_of).collect()))
        }
        (Some(entries), purposes) => {
            if let Some(purposes) = purposes {
                require_fitting(&entries, &purposes)?;
            }
            only(entries)
        }
    }
}

fn entries(value: &Value<'_>) -> Read<Vec<(Entry, usize)>> {
    let items = list(value, "operations", "operations")?;
    let entries = items
        .iter()
        .map(|item| Ok((entry(item)?, item.span().start)))
        .collect::<Read<Vec<_>>>()?;
    distinct(&entries, |entry| format!("{:?}", entry.word()))?;
    let has_custom = entries.iter().any(|(entry, _)| entry.word() == CUSTOM);
    for (entry, at) in &entries {
        if let Entry::Operation(Matched::CustomOf(_)) = entry
            && has_custom
        {
            let message = format!("{:?} is needless beside \"custom\"", entry.word());
            return Err(Fault::new(*at, message));
        }
    }
    Ok(entries)
}

fn entry(value: &Value<'_>) -> Read<Entry> {
    let word = text(value, "an operation")?;
    let operation = match word {
        "login" => Matched::Login,
        "withdrawal" => Matched::Withdrawal,
        CUSTOM => Matched::Custom,
        SETTINGS_CHANGE => return Ok(Entry::SettingsChange),
        other => match other.strip_prefix(CUSTOM_OF) {
            Some(kind) => Matched::CustomOf(custom_kind(value, kind)?),
            None => {
                let known = [
                    "login",
                    "withdrawal",
                    "custom",
                    "custom:KIND",
                    SETTINGS_CHANGE,
                ];
                return Err(unknown(value, "operation", word, &known));
            }
        },
    };
    Ok(Entry::Operation(operation))
}

/// The kind of a custom operation. One that no operation can have would make the rule dead.
fn custom_kind(value: &Value<'_>, kind: &str) -> Read<String> {
    let is_fit =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if (1..=LONGEST_KIND).contains(&kind.len()) && kind.bytes().all(is_fit) {
        return Ok(kind.to_owned());
    }
    let message = format!(
        "no custom operation has the kind {kind:?}: it has 1 to {LONGEST_KIND} small letters, \
         digits and characters of `._-`"
    );
    Err(Fault::new(value.span().start, message))
}

fn purposes(value: &Value<'_>) -> Read<Vec<(Purpose, usize)>> {
    let choices = Purpose::ALL.map(|purpose| (words::purpose(purpose), purpose));
    let purposes = list(value, "purposes", "purposes")?
        .iter()
        .map(|item| Ok((one_of(item, "purpose", &choices)?, item.span().start)))
        .collect::<Read<Vec<_>>>()?;
    distinct(&purposes, |purpose| {
        format!("{:?}", words::purpose(*purpose))
    })?;
    Ok(purposes)
}

/// That each operation has one of the purposes, and each purpose is one of an operation: a part of
/// a rule that matches nothing is a slip.
fn require_fitting(entries: &[(Entry, usize)], purposes: &[(Purpose, usize)]) -> Read<()> {
    for (purpose, at) in purposes {
        if entries.iter().all(|(entry, _)| entry.purpose() != *purpose) {
            let word = words::purpose(*purpose);
            let message = format!("none of the `operations` has the purpose {word:?}");
            return Err(Fault::new(*at, message));
        }
    }
    for (entry, at) in entries {
        let own = entry.purpose();
        if purposes.iter().all(|(purpose, _)| *purpose != own) {
            let (word, own) = (entry.word(), words::purpose(own));
            let message = format!("{word:?} has the purpose {own:?}, which `purposes` leaves out");
            return Err(Fault::new(*at, message));
        }
    }
    Ok(())
}

fn only(entries: Vec<(Entry, usize)>) -> Read<About> {
    let is_alone = entries.len() == 1;
    let mut operations = Vec::new();
    for (entry, at) in entries {
        match entry {
            Entry::Operation(operation) => operations.push(operation),
            Entry::SettingsChange if is_alone => return Ok(About::SettingsChanges),
            Entry::SettingsChange => {
                let message = "\"settings-change\" must stand alone: to a settings change a rule \
                               only adds stages, so make it a rule of its own";
                return Err(Fault::new(at, message));
            }
        }
    }
    Ok(About::Operations(operations))
}

impl Entry {
    fn word(&self) -> String {
        match self {
            Self::Operation(Matched::Login) => "login".to_owned(),
            Self::Operation(Matched::Withdrawal) => "withdrawal".to_owned(),
            Self::Operation(Matched::Custom) => CUSTOM.to_owned(),
            Self::Operation(Matched::CustomOf(kind)) => format!("{CUSTOM_OF}{kind}"),
            Self::SettingsChange => SETTINGS_CHANGE.to_owned(),
        }
    }

    const fn purpose(&self) -> Purpose {
        match self {
            Self::Operation(operation) => operation.purpose(),
            Self::SettingsChange => Purpose::Other,
        }
    }
}
