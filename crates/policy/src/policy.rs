//! A policy in force, and the one that is built in.

use countersign_security_identifiers::{Kind, Purpose, SecurityIdentifier, Stage};

use crate::{Case, Operation};

/// The text of the policy that is in force where none is named, with a description of the language.
pub const DEFAULT_POLICY: &str = include_str!("default_policy.toml");

/// What every operation has to be confirmed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Every kind once, the strongest first.
    pub(crate) strength: Vec<Kind>,
    /// What operations take. The first rule that matches decides.
    pub(crate) rules: Vec<Rule>,
    /// What settings changes take beside what the registry asks for. The first that matches
    /// decides.
    pub(crate) settings_rules: Vec<SettingsRule>,
}

/// What some operations have to be confirmed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) operations: Vec<Matched>,
    /// Of withdrawals; of anything else there are none.
    pub(crate) payment_methods: Names,
    pub(crate) callers: Names,
    pub(crate) stages: Vec<Asked>,
    pub(crate) when_off: WhenOff,
    pub(crate) when_none: WhenNone,
}

/// What settings changes take beside what the registry asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SettingsRule {
    pub(crate) name: String,
    pub(crate) callers: Names,
    pub(crate) stages: Vec<Asked>,
}

/// Operations that a rule matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Matched {
    Login,
    Withdrawal,
    /// Custom operations of every kind.
    Custom,
    /// Custom operations of one kind.
    CustomOf(String),
}

/// The names that a rule is limited to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    Any,
    Only(Vec<String>),
}

/// What one stage of a rule asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Pin,
    /// A code of any of these kinds, which no other stage of the rule asks for.
    CodeOf(Vec<Kind>),
}

/// What becomes of a stage where identifiers of its kinds are enrolled and none is switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenOff {
    /// It is left out.
    Allow,
    /// The operation is refused.
    Refuse,
    /// Those that are enrolled serve.
    Use,
}

/// What becomes of a stage where no identifier of its kinds is enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenNone {
    /// It is left out; a PIN never is.
    Allow,
    /// The operation is refused.
    Refuse,
    /// The subject has to enrol first.
    Enrol,
}

impl Default for Policy {
    /// The policy of [`DEFAULT_POLICY`].
    fn default() -> Self {
        let any = || Asked::CodeOf(Kind::ALL.to_vec());
        let rule = |name: &str, operation, stages, when_off, when_none| Rule {
            name: name.to_owned(),
            operations: vec![operation],
            payment_methods: Names::Any,
            callers: Names::Any,
            stages,
            when_off,
            when_none,
        };
        let (off, none) = (WhenOff::Allow, WhenNone::Allow);
        let logins = rule("logins", Matched::Login, vec![any()], off, none);
        let withdrawals = rule(
            "withdrawals",
            Matched::Withdrawal,
            vec![Asked::Pin, any()],
            WhenOff::Use,
            WhenNone::Enrol,
        );
        let custom = rule("custom operations", Matched::Custom, vec![any()], off, none);
        Self {
            strength: vec![Kind::Totp, Kind::Sms, Kind::BackupCodes],
            rules: vec![logins, withdrawals, custom],
            settings_rules: Vec::new(),
        }
    }
}

impl Policy {
    /// How many kinds are stronger.
    pub(crate) fn rank(&self, kind: Kind) -> usize {
        self.strength
            .iter()
            .take_while(|stronger| **stronger != kind)
            .count()
    }

    /// The stage that any of these identifiers passes, the strongest first.
    pub(crate) fn stage<'a>(
        &self,
        identifiers: impl Iterator<Item = &'a SecurityIdentifier>,
    ) -> Stage {
        let mut identifiers: Vec<&SecurityIdentifier> = identifiers.collect();
        // Stable: within a kind the order of the registry stays.
        identifiers.sort_by_key(|identifier| self.rank(identifier.kind()));
        Stage::any_of(identifiers)
    }
}

impl Rule {
    pub(crate) fn matches(&self, case: &Case<'_>) -> bool {
        let is_of = |matched: &Matched| match (matched, case.operation) {
            (Matched::Login, Operation::Login) | (Matched::Custom, Operation::Custom { .. }) => {
                true
            }
            (Matched::Withdrawal, Operation::Withdrawal { payment_method }) => {
                self.payment_methods.contain(payment_method)
            }
            (Matched::CustomOf(of), Operation::Custom { kind }) => of == kind,
            _ => false,
        };
        self.callers.contain(case.caller) && self.operations.iter().any(is_of)
    }
}

impl Matched {
    pub(crate) const fn purpose(&self) -> Purpose {
        match self {
            Self::Login => Purpose::Login,
            Self::Withdrawal => Purpose::Withdrawal,
            Self::Custom | Self::CustomOf(_) => Purpose::Other,
        }
    }

    /// Whether it matches whatever the other one does.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self == other || matches!((self, other), (Self::Custom, Self::CustomOf(_)))
    }
}

impl Names {
    pub(crate) fn contain(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(names) => names.iter().any(|known| known == name),
        }
    }
}
