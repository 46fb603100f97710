//! Settings changes: what each takes, and how one is made with inline proofs, the shorthand for a
//! confirmation of it.

use countersign_primitives::{IdentifierId, SecretString, Timestamp};
use countersign_security_identifiers::{Kind, Limits, Path, Purpose, Registry};
use countersign_totp::Step;
use minicbor::{CborLen, Decode, Encode};
use rand::rngs::StdRng;

use crate::{
    Error, Method, Proofs, SettingsChange,
    event::{Fact, RejectionReason},
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

    /// Checks the own code of a new identifier, which is no proof.
    fn check_own_code(&self, _: &Snapshot) -> OwnCode {
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
    Wrong(IdentifierId, Kind, RejectionReason),
}

/// How a settings change stands before anything is counted.
struct Authorization {
    /// Whether there is what it is about. Where not, proofs are checked and counted all the same,
    /// and have the answer of a wrong one.
    has_target: bool,
    proofs: CheckedProofs,
    own_code: OwnCode,
}

impl Authorization {
    /// Whether the change is made.
    const fn is_given(&self) -> bool {
        let own_code_is_right = !matches!(self.own_code, OwnCode::Wrong(..));
        self.has_target && self.proofs.all_accepted() && own_code_is_right
    }
}

impl<T: InlineChange> UseCase for T {
    type Answer = Outcome<T::Done>;
    const METHOD: Method = T::METHOD;

    fn hash_job(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        hashes: &Hashes,
    ) -> Option<HashJob> {
        let authorization = authorize(self, snapshot, context, hashes).ok()?;
        let Snapshot { registry, now, .. } = snapshot;
        let (proofs, settings) = (self.proofs(), context.settings);
        let check = proofs.check_job(registry, Purpose::Other, settings, *now, hashes);
        if check.is_some() || !authorization.is_given() {
            return check;
        }
        match self.secret_to_keep() {
            Some(secret) => hashes.kept().is_none().then(|| HashJob::Keep {
                secret: secret.clone(),
                cost: settings.hash_cost,
            }),
            None => proofs.rehash_job(registry, settings, hashes),
        }
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        hashes: &Hashes,
        _: &mut StdRng,
    ) -> Result<Decision<Self::Answer>, Error> {
        let authorization = authorize(self, snapshot, context, hashes)?;
        if !snapshot.is_known() && !authorization.is_given() {
            return Ok(Decision::Unchanged(Outcome::Rejected));
        }
        let (now, settings) = (snapshot.now, context.settings);
        let is_given = authorization.is_given();
        let Authorization {
            proofs, own_code, ..
        } = authorization;
        let mut draft = Draft {
            now,
            registry: snapshot.registry.clone(),
            facts: Vec::new(),
        };
        let Draft {
            registry, facts, ..
        } = &mut draft;
        let answer = if is_given {
            proofs.use_up(registry, hashes, settings, now, facts)?;
            Outcome::Done(self.make(&mut draft, own_code, hashes, context)?)
        } else {
            if let OwnCode::Wrong(identifier, kind, reason) = own_code {
                registry.count_enrolment_failure(kind, now);
                facts.push(Fact::EnrolmentCodeRejected { identifier, reason });
            }
            proofs.count_failures(registry, settings, now, facts)?;
            Outcome::Rejected
        };
        let Draft {
            registry, facts, ..
        } = draft;
        Ok(Decision::from(ChangeSet::new(registry, facts, answer)))
    }
}

/// Checks everything typed, where it is worth checking.
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
    let Snapshot { registry, now, .. } = snapshot;
    // The code of an enrolment is always typed.
    let is_typed = matches!(change, SettingsChange::EnableTotp { .. }) || !proofs.is_empty();
    let has_target = match change.paths(snapshot, &context.settings.limits) {
        Ok(paths) => {
            require_covered(proofs, &paths, registry, *now)?;
            true
        }
        Err(Error::IdentifierNotFound) if is_typed => false,
        Err(Error::PinNotSet) if is_typed && !snapshot.is_known() => false,
        Err(error) => return Err(error),
    };
    Ok(Authorization {
        has_target,
        proofs: proofs.check(registry, Purpose::Other, context.settings, *now, hashes),
        own_code: if has_target {
            request.check_own_code(snapshot)
        } else {
            OwnCode::NotAsked
        },
    })
}

impl SettingsChange {
    /// The paths that the registry makes for this change.
    ///
    /// # Errors
    /// Those that the change's own method has before it looks at a proof.
    pub(crate) fn paths(&self, snapshot: &Snapshot, limits: &Limits) -> Result<Vec<Path>, Error> {
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
                registry
                    .require_room(Kind::Totp, limits)
                    .map_err(|error| Error::of_registry(error, snapshot.now))?;
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
