//! Whether each rule can be reached.

use super::rule::EitherRule;
use crate::{
    error::{Fault, Read},
    policy::{Matched, Names},
    words::joined,
};

/// What a rule matches.
struct Scope<'a> {
    name: &'a str,
    /// A settings change is `None`.
    operations: Vec<Option<&'a Matched>>,
    callers: &'a Names,
    payment_methods: &'a Names,
}

impl<'a> Scope<'a> {
    fn of(rule: &'a EitherRule) -> Self {
        match rule {
            EitherRule::Operations(rule) => Self {
                name: &rule.name,
                operations: rule.operations.iter().map(Some).collect(),
                callers: &rule.callers,
                payment_methods: &rule.payment_methods,
            },
            EitherRule::Settings(rule) => Self {
                name: &rule.name,
                operations: vec![None],
                callers: &rule.callers,
                payment_methods: &Names::Any,
            },
        }
    }

    /// Every combination of one operation, caller and payment method; a name is `None` where it
    /// stands for whatever no rule names.
    fn combinations(&self) -> impl Iterator<Item = Combination<'a>> {
        let (callers, methods) = (each(self.callers), each(self.payment_methods));
        self.operations
            .clone()
            .into_iter()
            .flat_map(move |operation| {
                let methods = methods.clone();
                callers.clone().into_iter().flat_map(move |caller| {
                    let of = move |payment_method| Combination {
                        operation,
                        caller,
                        payment_method,
                    };
                    methods.clone().into_iter().map(of)
                })
            })
    }

    fn matches(&self, combination: &Combination<'_>) -> bool {
        let covers = |own: &Option<&Matched>| match (own, combination.operation) {
            (Some(own), Some(operation)) => own.covers(operation),
            (None, None) => true,
            _ => false,
        };
        self.operations.iter().any(covers)
            && holds(self.callers, combination.caller)
            && holds(self.payment_methods, combination.payment_method)
    }
}

struct Combination<'a> {
    operation: Option<&'a Matched>,
    caller: Option<&'a str>,
    payment_method: Option<&'a str>,
}

fn each(names: &Names) -> Vec<Option<&str>> {
    match names {
        Names::Any => vec![None],
        Names::Only(names) => names.iter().map(|name| Some(name.as_str())).collect(),
    }
}

fn holds(names: &Names, name: Option<&str>) -> bool {
    match (names, name) {
        (Names::Any, _) => true,
        (Names::Only(_), None) => false,
        (Names::Only(_), Some(name)) => names.contain(name),
    }
}

/// That the rules before it leave something to each rule. Each comes with where it begins.
pub(super) fn require_reachable(rules: &[(usize, EitherRule)]) -> Read<()> {
    let scopes: Vec<Scope<'_>> = rules.iter().map(|(_, rule)| Scope::of(rule)).collect();
    for (position, (at, rule)) in rules.iter().enumerate() {
        if let Some(deciding) = deciding_before(&scopes[position], &scopes[..position]) {
            let names: Vec<String> = deciding.iter().map(|name| format!("{name:?}")).collect();
            let message = format!(
                "the rule {:?} is never reached: whatever it matches is decided before it by {}",
                rule.name(),
                joined(&names, "and")
            );
            return Err(Fault::new(*at, message));
        }
    }
    Ok(())
}

/// The earlier rules that decide about everything that a rule matches, if they do.
fn deciding_before<'a>(rule: &Scope<'_>, earlier: &[Scope<'a>]) -> Option<Vec<&'a str>> {
    let mut deciding = Vec::new();
    for combination in rule.combinations() {
        let first = earlier.iter().find(|other| other.matches(&combination))?;
        if !deciding.contains(&first.name) {
            deciding.push(first.name);
        }
    }
    Some(deciding)
}

#[cfg(test)]
mod tests;
