//! Which proofs would do: paths of stages, and what stands in their way.

use countersign_primitives::{IdentifierId, Timestamp};
use minicbor::{CborLen, Decode, Encode};

use crate::{Purpose, PurposeSet, Registry, SecurityIdentifier, State};

/// Something that a proof can be given with: the PIN or one identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
pub enum AuthenticatorRef {
    /// The subject's PIN.
    #[n(0)]
    Pin,
    /// One of the subject's identifiers.
    #[n(1)]
    Identifier(#[n(0)] IdentifierId),
}

/// One step of a path: a proof by any one of the options passes it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct Stage {
    /// What would do.
    #[n(0)]
    pub options: Vec<AuthenticatorRef>,
}

/// Stages that have to be passed in their order. One path of several suffices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct Path {
    /// The stages; none at all when nothing has to be proved.
    #[n(0)]
    pub stages: Vec<Stage>,
}

/// What a proof is given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Whose throttles apply.
    pub purpose: Purpose,
    /// What it does to a set of backup codes, if that is what it is for: then the reserved last
    /// code of the set serves too.
    pub ending: Option<Ending>,
}

/// The two uses that the last code of a set of backup codes is reserved for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Disabling this set.
    Disable(IdentifierId),
    /// Making more codes for this set.
    Renew(IdentifierId),
}

impl Ending {
    /// The set.
    pub const fn set(self) -> IdentifierId {
        match self {
            Self::Disable(id) | Self::Renew(id) => id,
        }
    }
}

impl From<Purpose> for Use {
    /// An ordinary use for this purpose.
    fn from(purpose: Purpose) -> Self {
        Self {
            purpose,
            ending: None,
        }
    }
}

/// Whether an authenticator can give a proof for a use at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can, if not at once: a code that was used already is followed by another.
    Usable,
    /// It cannot until a lock ends.
    Locked {
        /// The end of the lock.
        until: Timestamp,
    },
    /// It reached the failure cap.
    Capped,
    /// It is a set of backup codes with no code to spare: what is left is reserved for disabling
    /// the set and for making more codes.
    Reserved {
        /// How many codes are left: one, or none.
        left: usize,
    },
    /// The subject has no such authenticator, or it is not enabled.
    Absent,
}

/// Why none of several paths can be walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Only locks that end stand in the way.
    TemporarilyLocked {
        /// When the first path is free again.
        retry_at: Timestamp,
    },
    /// Nothing that time brings will free a path: an operator has to help.
    RecoveryRequired,
}

impl Stage {
    /// The stage that any of these identifiers passes.
    pub fn any_of<'a>(identifiers: impl IntoIterator<Item = &'a SecurityIdentifier>) -> Self {
        let options = identifiers
            .into_iter()
            .map(|identifier| AuthenticatorRef::Identifier(identifier.id))
            .collect();
        Self { options }
    }

    /// The stage that only the PIN passes.
    pub fn pin() -> Self {
        Self {
            options: vec![AuthenticatorRef::Pin],
        }
    }
}

impl Registry {
    /// Whether an authenticator can give a proof for a use now.
    pub fn standing(&self, authenticator: AuthenticatorRef, aim: Use, now: Timestamp) -> Standing {
        match authenticator {
            AuthenticatorRef::Pin => match &self.pin {
                None => Standing::Absent,
                Some(entry) if entry.capped => Standing::Capped,
                Some(entry) => entry
                    .locked_until(now)
                    .map_or(Standing::Usable, |until| Standing::Locked { until }),
            },
            AuthenticatorRef::Identifier(id) => match self.identifier(id) {
                Some(identifier) => match identifier.state {
                    State::Pending { .. } => Standing::Absent,
                    State::Capped { .. } => Standing::Capped,
                    State::Enabled { .. } => identifier
                        .reserved(aim, now)
                        .map(|left| Standing::Reserved { left })
                        .or_else(|| {
                            let until = identifier.locked_until(aim.purpose, now)?;
                            Some(Standing::Locked { until })
                        })
                        .unwrap_or(Standing::Usable),
                },
                None => Standing::Absent,
            },
        }
    }

    /// What stands in the way of every one of these paths; `None` when one can be walked now.
    pub fn obstacle(&self, paths: &[Path], aim: Use, now: Timestamp) -> Option<Obstacle> {
        let stage_free_at = |stage: &Stage| {
            stage
                .options
                .iter()
                .filter_map(|option| match self.standing(*option, aim, now) {
                    Standing::Usable => Some(now),
                    Standing::Locked { until } => Some(until),
                    Standing::Capped | Standing::Reserved { .. } | Standing::Absent => None,
                })
                .min()
        };
        let path_free_at = |path: &Path| {
            path.stages
                .iter()
                .map(stage_free_at)
                .try_fold(now, |latest, free_at| Some(latest.max(free_at?)))
        };
        match paths.iter().filter_map(path_free_at).min() {
            Some(free_at) if free_at <= now => None,
            Some(retry_at) => Some(Obstacle::TemporarilyLocked { retry_at }),
            None => Some(Obstacle::RecoveryRequired),
        }
    }

    /// What enabling another identifier takes beside its own code: the PIN and, where an
    /// identifier exists, a code of an existing one; where it is to be switched on at once, a code
    /// of one that is on for that purpose.
    pub fn paths_to_enable(&self, purposes: PurposeSet) -> Vec<Path> {
        let mut stages = vec![Stage::pin()];
        for purpose in purposes.iter() {
            push_stage(&mut stages, Stage::any_of(self.on_for(purpose)));
        }
        if stages.len() == 1 {
            push_stage(&mut stages, Stage::any_of(self.counting()));
        }
        vec![Path { stages }]
    }

    /// What switching an identifier takes. On: a code of its own and, where others are on for the
    /// purpose, of one of them, else of any other one. Off: a code of its own or of another one
    /// that is on for the purpose.
    pub fn paths_to_switch(&self, id: IdentifierId, on: PurposeSet, off: PurposeSet) -> Vec<Path> {
        let own = AuthenticatorRef::Identifier(id);
        let mut stages = Vec::new();
        if !on.is_empty() {
            let options = vec![own];
            stages.push(Stage { options });
        }
        for purpose in on.iter() {
            let on_too = Stage::any_of(self.on_for(purpose).filter(|other| other.id != id));
            if on_too.options.is_empty() {
                push_stage(&mut stages, self.any_other(id));
            } else {
                push_stage(&mut stages, on_too);
            }
        }
        if on.is_empty() {
            for purpose in off.iter() {
                let mut stage = Stage::any_of(self.on_for(purpose));
                if !stage.options.contains(&own) {
                    stage.options.push(own);
                }
                push_stage(&mut stages, stage);
            }
        }
        vec![Path { stages }]
    }

    /// What disabling an identifier takes: a code of its own, or the PIN and a code of another
    /// one. One that the cap disabled has no codes any more: a code of another one closes it.
    pub fn paths_to_disable(&self, identifier: &SecurityIdentifier) -> Vec<Path> {
        let others = self.any_other(identifier.id);
        let has_others = !others.options.is_empty();
        let mut paths = Vec::new();
        if identifier.is_enabled() {
            let stages = vec![Stage::any_of([identifier])];
            paths.push(Path { stages });
            if has_others {
                let stages = vec![Stage::pin(), others];
                paths.push(Path { stages });
            }
        } else if has_others {
            let stages = vec![others];
            paths.push(Path { stages });
        }
        paths
    }

    /// What making more backup codes takes: one of those there are.
    pub fn paths_to_renew(&self, set: &SecurityIdentifier) -> Vec<Path> {
        let stages = vec![Stage::any_of([set])];
        vec![Path { stages }]
    }

    /// What setting a first PIN takes: a code of an existing identifier, where there is one.
    pub fn paths_to_set_pin(&self) -> Vec<Path> {
        let mut stages = Vec::new();
        push_stage(&mut stages, Stage::any_of(self.counting()));
        vec![Path { stages }]
    }

    /// What changing the PIN takes: the present one and, where an identifier exists, a code of it:
    /// who only knows the PIN must not be able to lock its owner out.
    pub fn paths_to_change_pin(&self) -> Vec<Path> {
        let mut stages = vec![Stage::pin()];
        push_stage(&mut stages, Stage::any_of(self.counting()));
        vec![Path { stages }]
    }

    fn any_other(&self, id: IdentifierId) -> Stage {
        Stage::any_of(self.counting().filter(|other| other.id != id))
    }
}

/// Adds a stage that has options and is not there yet, in whatever order.
fn push_stage(stages: &mut Vec<Stage>, stage: Stage) {
    let is_it = |other: &Stage| {
        let has = |option| other.options.contains(option);
        other.options.len() == stage.options.len() && stage.options.iter().all(has)
    };
    if !stage.options.is_empty() && !stages.iter().any(is_it) {
        stages.push(stage);
    }
}
