//! One rule.

use countersign_primitives::is_caller_name;

use super::{
    operations::{About, about},
    stages::stages,
    values::{Table, distinct, list, text},
};
use crate::{
    error::{Fault, Read},
    policy::{Asked, Matched, Names, Rule, SettingsRule, WhenNone, WhenOff},
};

const KEYS: [&str; 8] = [
    "name",
    "operations",
    "purposes",
    "payment_methods",
    "callers",
    "stages",
    "when_off",
    "when_none",
];
const WHEN_OFF: [(&str, WhenOff); 3] = [
    ("allow", WhenOff::Allow),
    ("refuse", WhenOff::Refuse),
    ("use", WhenOff::Use),
];
const WHEN_NONE: [(&str, WhenNone); 3] = [
    ("allow", WhenNone::Allow),
    ("refuse", WhenNone::Refuse),
    ("enrol", WhenNone::Enrol),
];
/// The longest name, in bytes: it stands in explanations.
const LONGEST_NAME: usize = 64;

/// A rule about operations, or about settings changes.
pub(super) enum EitherRule {
    Operations(Rule),
    Settings(SettingsRule),
}

impl EitherRule {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Operations(rule) => &rule.name,
            Self::Settings(rule) => &rule.name,
        }
    }
}

/// A rule, and where its name stands.
pub(super) fn read_rule(table: &Table<'_>) -> Read<(usize, EitherRule)> {
    table.require_known(&KEYS)?;
    let (name_at, name) = name(table)?;
    let about = about(table)?;
    let payment_methods = names(
        table,
        "payment_methods",
        "payment methods",
        is_payment_method,
    )?;
    let callers = names(table, "callers", "callers", is_caller_name)?;
    let stages = stages(table)?;
    let when_off = choice(table, "when_off", WhenOff::Use, WHEN_OFF)?;
    let when_none = choice(table, "when_none", WhenNone::Enrol, WHEN_NONE)?;
    let rule = match about {
        About::SettingsChanges => {
            for key in ["payment_methods", "when_off", "when_none"] {
                let why = "to a settings change a rule only adds what is enrolled";
                table.require_absent(key, why)?;
            }
            EitherRule::Settings(SettingsRule {
                name,
                callers,
                stages,
            })
        }
        About::Operations(operations) => {
            if operations != [Matched::Withdrawal] {
                let why = "only withdrawals have one, so make them a rule of their own";
                table.require_absent("payment_methods", why)?;
            }
            if stages == [Asked::Pin] {
                require_apt_for_pin(table, when_none)?;
            }
            EitherRule::Operations(Rule {
                name,
                operations,
                payment_methods,
                callers,
                stages,
                when_off,
                when_none,
            })
        }
    };
    Ok((name_at, rule))
}

fn name(table: &Table<'_>) -> Read<(usize, String)> {
    let value = table.required("name", "explanations call the rule by it")?;
    let (at, name) = (value.span().start, text(value, "`name`")?);
    let fits = (1..=LONGEST_NAME).contains(&name.len()) && name.trim() == name;
    if fits && !name.chars().any(char::is_control) {
        return Ok((at, name.to_owned()));
    }
    let message = format!(
        "`name` must have 1 to {LONGEST_NAME} bytes, no control characters, and no spaces around it"
    );
    Err(Fault::new(at, message))
}

/// That nothing is said for a case that cannot arise where the PIN is all that is asked for.
fn require_apt_for_pin(table: &Table<'_>, when_none: WhenNone) -> Read<()> {
    let why = "this rule asks for the PIN only, which cannot be switched off";
    table.require_absent("when_off", why)?;
    if when_none == WhenNone::Allow {
        let why = "the PIN is never left out: it must be \"enrol\" or \"refuse\"";
        table.require_absent("when_none", why)?;
    }
    Ok(())
}

/// The choice of a key, or what is chosen where nothing is said.
fn choice<T: Copy>(table: &Table<'_>, key: &str, unsaid: T, choices: [(&str, T); 3]) -> Read<T> {
    let Some(value) = table.get(key) else {
        return Ok(unsaid);
    };
    let word = text(value, &format!("`{key}`"))?;
    let chosen = choices.iter().find(|(known, _)| *known == word);
    chosen.map(|(_, choice)| *choice).ok_or_else(|| {
        let known = choices.map(|(known, _)| known).join(", ");
        let message = format!("`{key}` must be one of {known}, and is {word:?}");
        Fault::new(value.span().start, message)
    })
}

/// The names that a rule is limited to. One that nothing can have would make the rule dead.
fn names(table: &Table<'_>, key: &str, of: &str, is_fit: impl Fn(&str) -> bool) -> Read<Names> {
    let Some(value) = table.get(key) else {
        return Ok(Names::Any);
    };
    let mut names = Vec::new();
    for item in list(value, key, of)? {
        let name = text(item, &format!("each of `{key}`"))?;
        if !is_fit(name) {
            let message = format!("nothing can have the name {name:?} among the {of}");
            return Err(Fault::new(item.span().start, message));
        }
        names.push((name.to_owned(), item.span().start));
    }
    distinct(&names, |name| format!("{name:?}"))?;
    Ok(Names::Only(
        names.into_iter().map(|(name, _)| name).collect(),
    ))
}

/// A withdrawal that names none has an empty one.
fn is_payment_method(name: &str) -> bool {
    name.len() <= 256 && !name.chars().any(char::is_control)
}
