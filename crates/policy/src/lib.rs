//! Which stages an operation asks for, or why it is denied.
//!
//! Pure: the registry and the instant are arguments. The table is built in for now: a login asks
//! for one code where an identifier is on for LOGIN, a withdrawal for the PIN and then always a
//! code, a custom operation for one code where an identifier is on for OTHER. Settings changes
//! have the paths that the registry makes for them, and a policy may only add stages to those.

use countersign_primitives::Timestamp;
use countersign_security_identifiers::{
    Kind, Obstacle, Path, Purpose, Registry, SecurityIdentifier, Stage,
};

/// What the policy looks at in an operation that the registry has no paths of its own for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case<'a> {
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

impl Case<'_> {
    /// The purpose whose switches and throttles apply.
    pub const fn purpose(&self) -> Purpose {
        match self {
            Self::Login => Purpose::Login,
            Self::Withdrawal { .. } => Purpose::Withdrawal,
            Self::Custom { .. } => Purpose::Other,
        }
    }
}

/// What the policy decides about an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Nothing has to be proved: the subject chose so.
    NotRequired,
    /// One of these paths has to be walked.
    Required(Vec<Path>),
    /// The subject has to enrol first.
    EnrolmentRequired(Missing),
    /// What would have to be proved cannot be proved now.
    Denied(Obstacle),
}

/// What a subject has to enrol before an operation can be confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// A PIN.
    pub pin: bool,
    /// An identifier of one of these kinds; empty when none is missing.
    pub kinds: Vec<Kind>,
}

/// Decides about an operation.
pub fn rule(case: Case<'_>, registry: &Registry, now: Timestamp) -> Ruling {
    match case {
        Case::Login | Case::Custom { .. } => {
            let on = Stage::any_of(registry.on_for(case.purpose()));
            if on.options.is_empty() {
                return Ruling::NotRequired;
            }
            required(vec![on], case, registry, now)
        }
        Case::Withdrawal { payment_method } => {
            let allowed = |identifier: &&SecurityIdentifier| {
                allowed_kinds(payment_method).contains(&identifier.kind())
            };
            let on = Stage::any_of(registry.on_for(Purpose::Withdrawal).filter(allowed));
            let code = if on.options.is_empty() {
                Stage::any_of(registry.counting().filter(allowed))
            } else {
                on
            };
            let missing = Missing {
                pin: registry.pin().is_none(),
                kinds: if code.options.is_empty() {
                    allowed_kinds(payment_method).to_vec()
                } else {
                    Vec::new()
                },
            };
            if missing.pin || !missing.kinds.is_empty() {
                return Ruling::EnrolmentRequired(missing);
            }
            required(vec![Stage::pin(), code], case, registry, now)
        }
    }
}

/// The kinds of identifiers that may confirm a withdrawal by a payment method: all of them, for
/// every method, until the policy is a file that operators write.
const fn allowed_kinds(_payment_method: &str) -> &'static [Kind] {
    &Kind::ALL
}

fn required(stages: Vec<Stage>, case: Case<'_>, registry: &Registry, now: Timestamp) -> Ruling {
    let paths = vec![Path { stages }];
    match registry.obstacle(&paths, case.purpose(), now) {
        None => Ruling::Required(paths),
        Some(obstacle) => Ruling::Denied(obstacle),
    }
}

#[cfg(test)]
mod tests;
