//! The stages of a rule.

use countersign_security_identifiers::Kind;
use toml::de::DeValue;

use super::values::{Table, Value, described, list, text, unknown};
use crate::{
    error::{Fault, Read},
    policy::Asked,
    words::{self, ANY, PIN},
};

/// What one entry of a stage names.
#[derive(Clone, Copy, PartialEq)]
enum Named {
    Pin,
    Any,
    Kind(Kind),
}

/// The stages of a rule.
pub(super) fn stages(rule: &Table<'_>) -> Read<Vec<Asked>> {
    let hint = "it lists the stages, such as [[\"pin\"], [\"any\"]]";
    let value = rule.required("stages", hint)?;
    if value
        .get_ref()
        .as_array()
        .is_some_and(|items| items.is_empty())
    {
        // A rule that asks for nothing would let everybody through, whatever they switched on.
        let message = format!("`stages` is empty: {hint}; no rule can ask for nothing");
        return Err(Fault::new(value.span().start, message));
    }
    let mut stages = Vec::new();
    for item in list(value, "stages", "stages")? {
        let named = named(item)?;
        for (name, at) in &named {
            if let Some(earlier) = stages.iter().position(|stage| shares(stage, *name)) {
                let message = format!(
                    "stage {} takes {} already: one proof would pass both stages",
                    earlier + 1,
                    name.said()
                );
                return Err(Fault::new(*at, message));
            }
        }
        stages.push(asked(&named));
    }
    Ok(stages)
}

/// The entries of a stage, which fit each other.
fn named(stage: &Value<'_>) -> Read<Vec<(Named, usize)>> {
    let items = match stage.get_ref() {
        DeValue::Array(items) if items.is_empty() => {
            let message = "the stage is empty, and nothing would pass it: it must name a kind, or \
                           be [\"any\"] or [\"pin\"]";
            return Err(Fault::new(stage.span().start, message));
        }
        DeValue::Array(items) => items,
        other => {
            let message = format!(
                "each stage must be a list of kinds, such as [\"any\"], and this is {}",
                described(other)
            );
            return Err(Fault::new(stage.span().start, message));
        }
    };
    let named = items
        .iter()
        .map(|item| Ok((name(item)?, item.span().start)))
        .collect::<Read<Vec<_>>>()?;
    for (position, (name, at)) in named.iter().enumerate() {
        for (earlier, _) in &named[..position] {
            if let Some(message) = clash(*earlier, *name) {
                return Err(Fault::new(*at, message));
            }
        }
    }
    Ok(named)
}

fn name(value: &Value<'_>) -> Read<Named> {
    match text(value, "a kind")? {
        PIN => Ok(Named::Pin),
        ANY => Ok(Named::Any),
        word => {
            let mut kinds = Kind::ALL.into_iter();
            let kind = kinds.find(|kind| words::kind(*kind) == word);
            kind.map(Named::Kind).ok_or_else(|| {
                let mut known = Kind::ALL.map(words::kind).to_vec();
                known.extend([ANY, PIN]);
                unknown(value, "kind", word, &known)
            })
        }
    }
}

/// Why two entries cannot stand in one stage.
fn clash(earlier: Named, later: Named) -> Option<String> {
    match (earlier, later) {
        (earlier, later) if earlier == later => {
            Some(format!("{} stands in this stage twice", later.said()))
        }
        (Named::Pin, _) | (_, Named::Pin) => {
            Some("\"pin\" must be a stage of its own: a PIN is no substitute for a code".to_owned())
        }
        (Named::Any, _) | (_, Named::Any) => {
            Some("\"any\" must stand alone: it is every kind already".to_owned())
        }
        (Named::Kind(_), Named::Kind(_)) => None,
    }
}

/// Whether what a name stands for passes a stage.
fn shares(stage: &Asked, name: Named) -> bool {
    match (stage, name) {
        (Asked::Pin, Named::Pin) | (Asked::CodeOf(_), Named::Any) => true,
        (Asked::CodeOf(kinds), Named::Kind(kind)) => kinds.contains(&kind),
        (Asked::Pin, Named::Any | Named::Kind(_)) | (Asked::CodeOf(_), Named::Pin) => false,
    }
}

fn asked(named: &[(Named, usize)]) -> Asked {
    let mut kinds = Vec::new();
    for (name, _) in named {
        match name {
            Named::Pin => return Asked::Pin,
            Named::Any => kinds.extend(Kind::ALL),
            Named::Kind(kind) => kinds.push(*kind),
        }
    }
    Asked::CodeOf(kinds)
}

impl Named {
    fn said(self) -> String {
        let word = match self {
            Self::Pin => PIN,
            Self::Any => ANY,
            Self::Kind(kind) => words::kind(kind),
        };
        format!("{word:?}")
    }
}
