//! What the policy decides.

use countersign_primitives::Timestamp;
use countersign_security_identifiers::{
    Kind, Obstacle, Path, Purpose, Registry, SecurityIdentifier, Stage, Use,
};

use crate::{
    Policy,
    policy::{Asked, Rule, WhenNone, WhenOff},
};

/// What the policy looks at, beside the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case<'a> {
    /// The name of the service that asks.
    pub caller: &'a str,
    /// What it wants confirmed.
    pub operation: Operation<'a>,
}

/// An operation that the registry has no paths of its own for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// A login.
    Login,
    /// A withdrawal by this payment method.
    Withdrawal {
        /// The host system's name of the method; empty when it named none.
        payment_method: &'a str,
    },
    /// A custom operation of this kind.
    Custom {
        /// The host system's name of the kind.
        kind: &'a str,
    },
}

impl Operation<'_> {
    /// The purpose whose switches and throttles apply.
    pub const fn purpose(&self) -> Purpose {
        match self {
            Self::Login => Purpose::Login,
            Self::Withdrawal { .. } => Purpose::Withdrawal,
            Self::Custom { .. } => Purpose::Other,
        }
    }
}

impl Case<'_> {
    /// The purpose whose switches and throttles apply.
    pub const fn purpose(&self) -> Purpose {
        self.operation.purpose()
    }
}

/// What the policy decides about an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Nothing has to be proved: the rule allows that, and the subject chose so.
    NotRequired,
    /// One of these paths has to be walked.
    Required(Vec<Path>),
    /// The subject has to enrol first.
    EnrolmentRequired(Missing),
    /// What would have to be proved cannot be proved now.
    Denied(Obstacle),
    /// The policy does not let this subject do it, whatever is proved.
    Refused,
}

/// What a subject has to enrol before an operation can be confirmed: all of it, over all stages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// A PIN.
    pub pin: bool,
    /// An identifier of one of these kinds, the strongest first; empty when none is missing.
    pub kinds: Vec<Kind>,
}

/// What becomes of one stage of a rule for a subject.
enum Outcome {
    Stage(Stage),
    LeftOut,
    Missing,
    Refused,
}

impl Policy {
    /// Decides about an operation.
    pub fn rule(&self, case: &Case<'_>, registry: &Registry, now: Timestamp) -> Ruling {
        let Some(rule) = self.rules.iter().find(|rule| rule.matches(case)) else {
            return Ruling::Refused;
        };
        let purpose = case.purpose();
        let mut stages = Vec::new();
        let mut missing = Missing::default();
        for asked in &rule.stages {
            match self.outcome(rule, asked, purpose, registry) {
                Outcome::Stage(stage) => stages.push(stage),
                Outcome::LeftOut => {}
                Outcome::Missing => match asked {
                    Asked::Pin => missing.pin = true,
                    Asked::CodeOf(kinds) => missing.kinds.extend(kinds),
                },
                // Nobody is sent to enrol something for an operation that is refused all the same.
                Outcome::Refused => return Ruling::Refused,
            }
        }
        if missing != Missing::default() {
            missing.kinds.sort_by_key(|kind| self.rank(*kind));
            return Ruling::EnrolmentRequired(missing);
        }
        if stages.is_empty() {
            return Ruling::NotRequired;
        }
        let paths = vec![Path { stages }];
        match registry.obstacle(&paths, Use::from(purpose), now) {
            None => Ruling::Required(paths),
            Some(obstacle) => Ruling::Denied(obstacle),
        }
    }

    fn outcome(
        &self,
        rule: &Rule,
        asked: &Asked,
        purpose: Purpose,
        registry: &Registry,
    ) -> Outcome {
        let Asked::CodeOf(kinds) = asked else {
            return match (registry.pin(), rule.when_none) {
                (Some(_), _) => Outcome::Stage(Stage::pin()),
                (None, WhenNone::Refuse) => Outcome::Refused,
                (None, WhenNone::Allow | WhenNone::Enrol) => Outcome::Missing,
            };
        };
        let is_of_kind = |identifier: &&SecurityIdentifier| kinds.contains(&identifier.kind());
        let on = self.stage(registry.on_for(purpose).filter(is_of_kind));
        if !on.options.is_empty() {
            return Outcome::Stage(on);
        }
        let enrolled = self.stage(registry.counting().filter(is_of_kind));
        if enrolled.options.is_empty() {
            return match rule.when_none {
                WhenNone::Allow => Outcome::LeftOut,
                WhenNone::Refuse => Outcome::Refused,
                WhenNone::Enrol => Outcome::Missing,
            };
        }
        match rule.when_off {
            WhenOff::Allow => Outcome::LeftOut,
            WhenOff::Refuse => Outcome::Refused,
            WhenOff::Use => Outcome::Stage(enrolled),
        }
    }

    /// What a settings change takes that is asked for by `caller`: the paths that the registry made
    /// for it, each with the stages that the policy adds.
    ///
    /// No stage is added that a path has already, be it a narrower one: whatever passes that passes
    /// the added one too. What the subject has not enrolled is not asked for.
    pub fn add_to_settings(
        &self,
        caller: &str,
        mut paths: Vec<Path>,
        registry: &Registry,
    ) -> Vec<Path> {
        let mut rules = self.settings_rules.iter();
        let Some(rule) = rules.find(|rule| rule.callers.contain(caller)) else {
            return paths;
        };
        for asked in &rule.stages {
            let stage = match asked {
                Asked::Pin if registry.pin().is_some() => Stage::pin(),
                Asked::Pin => continue,
                Asked::CodeOf(kinds) => {
                    let enrolled = registry.counting();
                    self.stage(enrolled.filter(|identifier| kinds.contains(&identifier.kind())))
                }
            };
            if stage.options.is_empty() {
                continue;
            }
            for path in &mut paths {
                if !has(path, &stage) {
                    // The PIN comes first, as it does wherever the registry asks for it.
                    let place = if *asked == Asked::Pin {
                        0
                    } else {
                        path.stages.len()
                    };
                    path.stages.insert(place, stage.clone());
                }
            }
        }
        paths
    }
}

/// Whether a path cannot be walked without passing a stage.
fn has(path: &Path, stage: &Stage) -> bool {
    path.stages.iter().any(|there| {
        let is_met = there
            .options
            .iter()
            .all(|option| stage.options.contains(option));
        is_met && !there.options.is_empty()
    })
}

#[cfg(test)]
mod default_table;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
