//! Inline proofs for a settings change: the shorthand for a confirmation of it.

use countersign_security_identifiers::{Purpose, Registry};
use minicbor::{CborLen, Decode, Encode};

use crate::{
    Error, Proofs, SettingsChange,
    event::Fact,
    hashing::{HashJob, Hashes},
    platform::{ChangeSet, Context, Decision, Snapshot},
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

/// How the inline proofs of a settings change stand before anything is counted.
pub(crate) enum Authorization {
    /// What the change is about does not exist: the answer is that of a wrong code, and nothing
    /// is stored.
    NoTarget,
    /// All of them were checked.
    Checked(CheckedProofs),
}

impl SettingsChange {
    /// Checks the inline proofs of this change.
    ///
    /// # Errors
    /// Those of the change before a proof is looked at, [`Error::StepUpRequired`],
    /// [`Error::Denied`].
    pub(crate) fn authorize(
        &self,
        proofs: &Proofs,
        snapshot: &Snapshot,
        context: &Context<'_>,
        hashes: &Hashes,
    ) -> Result<Authorization, Error> {
        let paths = match self.paths(snapshot) {
            Ok(paths) => paths,
            Err(Error::IdentifierNotFound) if self.hides_absence(proofs) => {
                return Ok(Authorization::NoTarget);
            }
            Err(Error::PinNotSet) if !snapshot.is_known && !proofs.is_empty() => {
                return Ok(Authorization::NoTarget);
            }
            Err(error) => return Err(error),
        };
        require_covered(proofs, &paths, &snapshot.registry, snapshot.now)?;
        Ok(Authorization::Checked(self.check(
            proofs, snapshot, context, hashes,
        )))
    }

    fn check(
        &self,
        proofs: &Proofs,
        snapshot: &Snapshot,
        context: &Context<'_>,
        hashes: &Hashes,
    ) -> CheckedProofs {
        let Snapshot { registry, now, .. } = snapshot;
        proofs.check(registry, Purpose::Other, context.settings, *now, hashes)
    }

    /// The runs that checking the inline proofs needs.
    pub(crate) fn hash_jobs(
        &self,
        proofs: &Proofs,
        snapshot: &Snapshot,
        context: &Context<'_>,
        hashes: &Hashes,
    ) -> Vec<HashJob> {
        let Snapshot { registry, now, .. } = snapshot;
        let is_looked_at = self.authorize(proofs, snapshot, context, hashes).is_ok();
        if is_looked_at {
            proofs.hash_jobs(registry, Purpose::Other, context.settings, *now, hashes)
        } else {
            Vec::new()
        }
    }

    /// Whether the absence of what the change is about has the answer of a wrong code: where
    /// something was typed at all. The code of an enrolment always is.
    const fn hides_absence(&self, proofs: &Proofs) -> bool {
        matches!(self, Self::EnableTotp { .. }) || !proofs.is_empty()
    }
}

/// The answer to proofs that were not accepted: each failure is counted, nothing is used up.
pub(crate) fn reject<T>(
    checked: &CheckedProofs,
    mut registry: Registry,
    mut facts: Vec<Fact>,
    snapshot: &Snapshot,
    context: &Context<'_>,
) -> Result<Decision<Outcome<T>>, Error> {
    if !snapshot.is_known {
        return Ok(Decision::Unchanged(Outcome::Rejected));
    }
    checked.count_failures(&mut registry, context.settings, snapshot.now, &mut facts)?;
    let answer = Outcome::Rejected;
    Ok(Decision::from(ChangeSet::new(registry, facts, answer)))
}
