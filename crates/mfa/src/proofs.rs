//! Checking proofs: one place for confirmations and for settings changes.

use countersign_pin as pin;
use countersign_primitives::{ExposeSecret, HashCost, IdentifierId, Salt, SecretString, Timestamp};
use countersign_security_identifiers::{
    AuthenticatorRef, Factor, Path, Purpose, Registry, Standing,
};
use countersign_totp::{self as totp, Step};

use crate::{
    Error, Settings,
    confirmation::{Passed, bound_at},
    event::{Fact, RejectionReason},
    hashing::{HashJob, Hashes},
    view::PathView,
};

/// The most proofs in one call.
pub const MAX_PROOFS: usize = 4;

/// What a person typed, and what it is a proof by.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Whose proof.
    pub authenticator: AuthenticatorRef,
    /// What was typed: at most 64 bytes.
    pub code: SecretString,
}

/// The proofs of one call, each by another authenticator.
#[derive(Clone, Debug, Default)]
pub struct Proofs(Vec<Proof>);

impl Proofs {
    /// The proofs of one call; `None` when there are more than [`MAX_PROOFS`], or two by one
    /// authenticator.
    pub fn new(proofs: Vec<Proof>) -> Option<Self> {
        let is_repeated = |(position, proof): (usize, &Proof)| {
            proofs[..position]
                .iter()
                .any(|earlier| earlier.authenticator == proof.authenticator)
        };
        let fits = proofs.len() <= MAX_PROOFS && !proofs.iter().enumerate().any(is_repeated);
        fits.then_some(Self(proofs))
    }

    /// Whose proofs they are.
    pub(crate) fn authenticators(&self) -> Vec<AuthenticatorRef> {
        self.0.iter().map(|proof| proof.authenticator).collect()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The Argon2 run that checking them needs and that is not at hand: one for a PIN, whether
    /// there is one or not, unless it is locked.
    pub(crate) fn check_job(
        &self,
        registry: &Registry,
        purpose: Purpose,
        settings: &Settings,
        now: Timestamp,
        hashes: &Hashes,
    ) -> Option<HashJob> {
        let typed = self.pin()?.code.clone();
        match registry.standing(AuthenticatorRef::Pin, purpose, now) {
            Standing::Locked { .. } | Standing::Capped => return None,
            Standing::Usable | Standing::Absent => {}
        }
        let (salt, cost) = salt_and_cost(registry, settings);
        let is_missing = hashes.checked(&salt, cost).is_none();
        is_missing.then_some(HashJob::Check { typed, salt, cost })
    }

    /// The Argon2 run that keeps a right PIN at the present cost, where it is kept at another.
    /// Asked for only once it is known that the proofs will be used up: a run more would tell a
    /// right PIN from a wrong one in a call that is rejected all the same.
    pub(crate) fn rehash_job(
        &self,
        registry: &Registry,
        settings: &Settings,
        hashes: &Hashes,
    ) -> Option<HashJob> {
        let secret = self.pin()?.code.clone();
        let cost = settings.hash_cost;
        let is_old = registry.pin().is_some_and(|entry| entry.pin.cost != cost);
        (is_old && hashes.kept().is_none()).then_some(HashJob::Keep { secret, cost })
    }

    /// Whether this was typed as the PIN, be it right or wrong.
    pub fn has_pin(&self, typed: &str) -> bool {
        self.pin()
            .is_some_and(|proof| proof.code.expose_secret() == typed)
    }

    fn pin(&self) -> Option<&Proof> {
        let is_pin = |proof: &&Proof| proof.authenticator == AuthenticatorRef::Pin;
        self.0.iter().find(is_pin)
    }

    /// Checks every proof, with nothing counted or used up yet.
    pub(crate) fn check(
        &self,
        registry: &Registry,
        purpose: Purpose,
        settings: &Settings,
        now: Timestamp,
        hashes: &Hashes,
    ) -> CheckedProofs {
        let mut checked = CheckedProofs {
            purpose,
            accepted: Vec::new(),
            rejected: Vec::new(),
        };
        for proof in &self.0 {
            let authenticator = proof.authenticator;
            let verdict = match registry.standing(authenticator, purpose, now) {
                Standing::Locked { .. } => Err(RejectionReason::Locked),
                Standing::Capped => Err(RejectionReason::Capped),
                Standing::Absent => Err(RejectionReason::NotEnrolled),
                Standing::Usable => match authenticator {
                    AuthenticatorRef::Pin => check_pin(registry, settings, hashes),
                    AuthenticatorRef::Identifier(id) => registry
                        .identifier(id)
                        .ok_or(RejectionReason::NotEnrolled)
                        .and_then(|identifier| check_code(&identifier.factor, &proof.code, now))
                        .map(|step| Accepted::Code(id, step)),
                },
            };
            match verdict {
                Ok(accepted) => checked.accepted.push(accepted),
                Err(reason) => checked.rejected.push((authenticator, reason)),
            }
        }
        checked
    }
}

/// The salt and cost at which a typed PIN is hashed: those of the PIN that is kept, or such that
/// the answer about an account without one costs the same.
fn salt_and_cost(registry: &Registry, settings: &Settings) -> (Salt, HashCost) {
    registry
        .pin()
        .map_or((Salt::DUMMY, settings.hash_cost), |entry| {
            (entry.pin.salt, entry.pin.cost)
        })
}

fn check_pin(
    registry: &Registry,
    settings: &Settings,
    hashes: &Hashes,
) -> Result<Accepted, RejectionReason> {
    let (salt, cost) = salt_and_cost(registry, settings);
    let kept = registry.pin().map(|entry| &entry.pin);
    // Without its hash, as before the run that `check_job` asks for, no PIN is right.
    let typed = hashes
        .checked(&salt, cost)
        .ok_or(RejectionReason::NotEnrolled)?;
    match pin::verify(kept, typed) {
        pin::Verdict::Accepted => Ok(Accepted::Pin),
        pin::Verdict::Rejected(reason) => Err(reason.into()),
    }
}

fn check_code(
    factor: &Factor,
    code: &SecretString,
    now: Timestamp,
) -> Result<Step, RejectionReason> {
    let Factor::Totp {
        authenticator,
        last_used,
    } = factor;
    match totp::verify(authenticator, *last_used, code.expose_secret(), now) {
        totp::Verdict::Accepted { step } => Ok(step),
        totp::Verdict::Rejected(reason) => Err(reason.into()),
    }
}

/// Proofs with what checking them led to.
#[derive(Debug)]
pub(crate) struct CheckedProofs {
    purpose: Purpose,
    accepted: Vec<Accepted>,
    rejected: Vec<(AuthenticatorRef, RejectionReason)>,
}

/// A proof that is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accepted {
    /// The PIN.
    Pin,
    /// A code of this identifier, for this step.
    Code(IdentifierId, Step),
}

impl Accepted {
    const fn authenticator(self) -> AuthenticatorRef {
        match self {
            Self::Pin => AuthenticatorRef::Pin,
            Self::Code(id, _) => AuthenticatorRef::Identifier(id),
        }
    }
}

impl CheckedProofs {
    /// Whether every proof is accepted.
    pub(crate) const fn all_accepted(&self) -> bool {
        self.rejected.is_empty()
    }

    /// Uses the accepted proofs up: codes are spent, runs of failures of this purpose end. Only
    /// when all of them are accepted; else see [`Self::count_failures`].
    pub(crate) fn use_up(
        &self,
        registry: &mut Registry,
        hashes: &Hashes,
        settings: &Settings,
        now: Timestamp,
        facts: &mut Vec<Fact>,
    ) -> Result<Vec<Passed>, Error> {
        let mut passed = Vec::new();
        for accepted in &self.accepted {
            match *accepted {
                Accepted::Code(id, step) => registry
                    .count_totp_success(id, self.purpose, step)
                    .map_err(|error| Error::of_registry(error, now))?,
                Accepted::Pin => {
                    registry.count_pin_success();
                    let is_old = registry
                        .pin()
                        .is_some_and(|entry| entry.pin.cost != settings.hash_cost);
                    if let Some(pin) = hashes.kept().filter(|_| is_old) {
                        registry.rehash_pin(pin.clone());
                    }
                }
            }
            let authenticator = accepted.authenticator();
            facts.push(Fact::ProofAccepted {
                authenticator,
                purpose: self.purpose,
            });
            if let Some(bound_at) = bound_at(registry, authenticator) {
                passed.push(Passed {
                    authenticator,
                    bound_at,
                });
            }
        }
        Ok(passed)
    }

    /// Counts each proof that was checked and wrong, on its own throttle. Right ones beside it are
    /// not used up, and what was not checked is not counted.
    pub(crate) fn count_failures(
        &self,
        registry: &mut Registry,
        settings: &Settings,
        now: Timestamp,
        facts: &mut Vec<Fact>,
    ) -> Result<(), Error> {
        let purpose = self.purpose;
        facts.extend(self.accepted.iter().map(|accepted| Fact::ProofUnused {
            authenticator: accepted.authenticator(),
        }));
        for &(authenticator, reason) in &self.rejected {
            facts.push(Fact::ProofRejected {
                authenticator,
                purpose,
                reason,
            });
            match reason {
                RejectionReason::Wrong | RejectionReason::Malformed | RejectionReason::Replayed => {
                }
                RejectionReason::NotEnrolled
                | RejectionReason::Locked
                | RejectionReason::Capped => continue,
            }
            let counted = registry
                .count_failure(authenticator, purpose, &settings.throttle, now)
                .map_err(|error| Error::of_registry(error, now))?;
            if let Some(until) = counted.locked_until {
                facts.push(Fact::Locked {
                    authenticator,
                    purpose,
                    until,
                });
            }
            if counted.warning {
                facts.push(Fact::CapNear {
                    authenticator,
                    failures: counted.total,
                });
            }
            if counted.capped {
                facts.push(Fact::DisabledByCap { authenticator });
            }
        }
        Ok(())
    }
}

/// Whether the proofs given name every stage of one of the paths that would do, so that checking
/// them is worth while. One proof may pass several stages.
///
/// # Errors
/// [`Error::StepUpRequired`] with the paths, or [`Error::Denied`] where none of them can be walked
/// now. Proofs that name an authenticator which is not enrolled are covered too: they get the
/// answer that a wrong code gets.
pub(crate) fn require_covered(
    proofs: &Proofs,
    paths: &[Path],
    registry: &Registry,
    now: Timestamp,
) -> Result<(), Error> {
    let given = proofs.authenticators();
    let is_covered = |path: &Path| {
        path.stages
            .iter()
            .all(|stage| stage.options.iter().any(|option| given.contains(option)))
    };
    let is_enrolled = |authenticator: &AuthenticatorRef| {
        registry.standing(*authenticator, Purpose::Other, now) != Standing::Absent
    };
    if paths.iter().any(is_covered) || !given.iter().all(is_enrolled) {
        return Ok(());
    }
    Err(match registry.obstacle(paths, Purpose::Other, now) {
        Some(obstacle) => Error::Denied(obstacle, now),
        None => Error::StepUpRequired(PathView::of_paths(paths, registry, Purpose::Other, now)),
    })
}
