//! Settings changes: what each takes, and how one is made with inline proofs, the shorthand for a
//! confirmation of it.

use countersign_primitives::{SecretString, Timestamp};
use countersign_security_identifiers::{Path, Purpose, Registry};
use countersign_totp::Step;
use minicbor::{CborLen, Decode, Encode};
use rand::rngs::StdRng;

use crate::{
    Error, Method, Proofs, SettingsChange,
    event::Fact,
    hashing::{HashJob, Hashes},
    platform::{ChangeSet, Context, Decision, Snapshot, UseCase},
    proofs::{CheckedProofs, require_covered},
};

/// The answer to a settings change.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Outcome<T> {
    /// It is done.
    #[n(0)]
    Done(#[n(0)] T),
    /// A proof was not accepted.
    #[n(1)]
    Rejected,
}

/// A settings change with inline proofs. What is common to all of them is the implementation of
/// [`UseCase`] below: cover a path, check everything, and then make the change or count each
/// failure.
pub(crate) trait InlineChange: Sync {
    /// What is answered when it is done.
    type Done: Encode<()> + CborLen<()> + for<'b> Decode<'b, ()> + Send;

    /// The name of the method.
    const METHOD: Method;

    /// The change with its exact parameters.
    fn change(&self) -> SettingsChange;

    /// The proofs that authorize it.
    fn proofs(&self) -> &Proofs;

    /// A refusal that comes before anything typed is looked at.
    fn require_allowed(&self, _: &Snapshot, _: &Context<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// A secret of which a hash is to be kept.
    fn secret_to_keep(&self) -> Option<&SecretString> {
        None
    }

    /// Checks the own code of a new identifier, which is no proof, and counts it where it is wrong.
    fn check_own_code(&self, _: &Snapshot, _: &mut Draft) -> OwnCode {
        OwnCode::NotAsked
    }

    /// Makes the change, once everything typed was right.
    fn make(
        &self,
        draft: &mut Draft,
        own_code: OwnCode,
        hashes: &Hashes,
        context: &Context<'_>,
    ) -> Result<Self::Done, Error>;
}

/// A change in the making.
pub(crate) struct Draft {
    pub(crate) now: Timestamp,
    pub(crate) registry: Registry,
    pub(crate) facts: Vec<Fact>,
}

/// What the own code of a new identifier led to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnCode {
    NotAsked,
    Right(Step),
    Wrong,
}

/// How the proofs of a settings change stand before anything is counted.
enum Authorization {
    /// What the change is about does not exist: the answer is that of a wrong code, and nothing is
    /// stored.
    NoTarget,
    /// All of them were checked.
    Checked(CheckedProofs),
}

impl<T: InlineChange> UseCase for T {
    type Answer = Outcome<T::Done>;
    const METHOD: Method = T::METHOD;

    fn hash_jobs(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        hashes: &Hashes,
    ) -> Vec<HashJob> {
        let Ok(authorization) = authorize(self, snapshot, context, hashes) else {
            return Vec::new();
        };
        let Snapshot { registry, now, .. } = snapshot;
        let jobs = self.proofs().hash_jobs(
            registry,
            Purpose::Other,
            context.settings,
            *now,
            hashes,
            self.secret_to_keep(),
        );
        // A secret is hashed once it is known that it will be kept: when nothing is left to check.
        match (authorization, self.secret_to_keep()) {
            (Authorization::Checked(checked), Some(secret))
                if jobs.is_empty() && checked.all_accepted() && hashes.kept().is_none() =>
            {
                let secret = secret.clone();
                let cost = context.settings.hash_cost;
                vec![HashJob::Keep { secret, cost }]
            }
            _ => jobs,
        }
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        hashes: &Hashes,
        _: &mut StdRng,
    ) -> Result<Decision<Self::Answer>, Error> {
        let checked = match authorize(self, snapshot, context, hashes)? {
            Authorization::NoTarget => return Ok(Decision::Unchanged(Outcome::Rejected)),
            Authorization::Checked(checked) => checked,
        };
        let (now, settings) = (snapshot.now, context.settings);
        let mut draft = Draft {
            now,
            registry: snapshot.registry.clone(),
            facts: Vec::new(),
        };
        let own_code = self.check_own_code(snapshot, &mut draft);
        let answer = if checked.all_accepted() && own_code != OwnCode::Wrong {
            let Draft {
                registry, facts, ..
            } = &mut draft;
            checked.use_up(registry, hashes, settings, now, facts)?;
            Outcome::Done(self.make(&mut draft, own_code, hashes, context)?)
        } else if snapshot.is_known {
            let Draft {
                registry, facts, ..
            } = &mut draft;
            checked.count_failures(registry, settings, now, facts)?;
            Outcome::Rejected
        } else {
            return Ok(Decision::Unchanged(Outcome::Rejected));
        };
        let Draft {
            registry, facts, ..
        } = draft;
        Ok(Decision::from(ChangeSet::new(registry, facts, answer)))
    }
}

/// Checks the proofs, where they are worth checking.
///
/// # Errors
/// Those of the change before a proof is looked at, [`Error::StepUpRequired`], [`Error::Denied`].
fn authorize(
    request: &impl InlineChange,
    snapshot: &Snapshot,
    context: &Context<'_>,
    hashes: &Hashes,
) -> Result<Authorization, Error> {
    request.require_allowed(snapshot, context)?;
    let (change, proofs) = (request.change(), request.proofs());
    // The code of an enrolment is always typed.
    let is_typed = matches!(change, SettingsChange::EnableTotp { .. }) || !proofs.is_empty();
    let paths = match change.paths(snapshot) {
        Ok(paths) => paths,
        Err(Error::IdentifierNotFound) if is_typed => return Ok(Authorization::NoTarget),
        Err(Error::PinNotSet) if is_typed && !snapshot.is_known => {
            return Ok(Authorization::NoTarget);
        }
        Err(error) => return Err(error),
    };
    let Snapshot { registry, now, .. } = snapshot;
    require_covered(proofs, &paths, registry, *now)?;
    let checked = proofs.check(registry, Purpose::Other, context.settings, *now, hashes);
    Ok(Authorization::Checked(checked))
}

impl SettingsChange {
    /// The paths that the registry makes for this change.
    ///
    /// # Errors
    /// Those that the change's own method has before it looks at a proof.
    pub(crate) fn paths(&self, snapshot: &Snapshot) -> Result<Vec<Path>, Error> {
        let registry = &snapshot.registry;
        match self {
            Self::EnableTotp {
                identifier,
                purposes,
            } => {
                registry
                    .identifier(*identifier)
                    .filter(|identifier| identifier.is_pending(snapshot.now))
                    .ok_or(Error::IdentifierNotFound)?;
                if registry.pin().is_none() {
                    return Err(Error::PinNotSet);
                }
                Ok(registry.paths_to_enable(*purposes))
            }
            Self::Disable {
                identifier,
                confirm_last,
            } => {
                let target = registry
                    .counting()
                    .find(|target| target.id == *identifier)
                    .ok_or(Error::IdentifierNotFound)?;
                if registry.is_last(*identifier) && !confirm_last {
                    return Err(Error::LastIdentifier);
                }
                Ok(registry.paths_to_disable(target))
            }
            Self::SetPurposes {
                identifier,
                on,
                off,
            } => {
                let target = registry
                    .counting()
                    .find(|target| target.id == *identifier)
                    .ok_or(Error::IdentifierNotFound)?;
                if !target.is_enabled() && !on.is_empty() {
                    return Err(Error::IdentifierNotEnabled);
                }
                Ok(registry.paths_to_switch(*identifier, *on, *off))
            }
            Self::SetPin if registry.pin().is_some() => Err(Error::PinAlreadySet),
            Self::SetPin => Ok(registry.paths_to_set_pin()),
            Self::ChangePin if registry.pin().is_none() => Err(Error::PinNotSet),
            Self::ChangePin => Ok(registry.paths_to_change_pin()),
        }
    }
}
