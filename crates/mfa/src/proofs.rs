//! Checking proofs: one place for confirmations and for settings changes.

use countersign_pin as pin;
use countersign_primitives::{ExposeSecret, HashCost, Salt, SecretString, Timestamp};
use countersign_security_identifiers::{
    AuthenticatorRef, Factor, Path, Purpose, Registry, Standing,
};
use countersign_totp::{self as totp, Step};

use crate::{
    Error, Settings,
    confirmation::{Passed, bound_at},
    event::{Fact, RejectionReason, obstacle_name},
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

    /// The Argon2 runs that checking them needs and that are not at hand: one for a PIN, whether
    /// there is one or not, unless it is locked. A right PIN kept at another cost than the present
    /// one needs a second, to keep it at that, unless another PIN is to be kept in its place.
    pub(crate) fn hash_jobs(
        &self,
        registry: &Registry,
        purpose: Purpose,
        settings: &Settings,
        now: Timestamp,
        hashes: &Hashes,
        other_to_keep: Option<&SecretString>,
    ) -> Vec<HashJob> {
        let is_pin = |proof: &&Proof| proof.authenticator == AuthenticatorRef::Pin;
        let Some(proof) = self.0.iter().find(is_pin) else {
            return Vec::new();
        };
        match registry.standing(AuthenticatorRef::Pin, purpose, now) {
            Standing::Locked { .. } | Standing::Capped => return Vec::new(),
            Standing::Usable { .. } | Standing::Absent => {}
        }
        let (salt, cost) = salt_and_cost(registry, settings);
        if hashes.checked(&salt, cost).is_none() {
            let typed = proof.code.clone();
            return vec![HashJob::Check { typed, salt, cost }];
        }
        let is_rehashed = other_to_keep.is_none() && cost != settings.hash_cost;
        if is_rehashed
            && hashes.kept().is_none()
            && self
                .check(registry, purpose, settings, now, hashes)
                .all_accepted()
        {
            return vec![HashJob::Keep {
                secret: proof.code.clone(),
                cost: settings.hash_cost,
            }];
        }
        Vec::new()
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
        let checked = self.0.iter().map(|proof| {
            let standing = registry.standing(proof.authenticator, purpose, now);
            let verdict = match standing {
                Standing::Locked { .. } => Checked::Rejected(RejectionReason::Locked),
                Standing::Capped => Checked::Rejected(RejectionReason::Capped),
                Standing::Absent => Checked::Rejected(RejectionReason::NotEnrolled),
                Standing::Usable { .. } => match proof.authenticator {
                    AuthenticatorRef::Pin => check_pin(registry, settings, hashes),
                    AuthenticatorRef::Identifier(id) => registry.identifier(id).map_or(
                        Checked::Rejected(RejectionReason::NotEnrolled),
                        |identifier| check_code(&identifier.factor, &proof.code, now),
                    ),
                },
            };
            (proof.authenticator, verdict)
        });
        CheckedProofs {
            purpose,
            checked: checked.collect(),
        }
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

fn check_pin(registry: &Registry, settings: &Settings, hashes: &Hashes) -> Checked {
    let (salt, cost) = salt_and_cost(registry, settings);
    let kept = registry.pin().map(|entry| &entry.pin);
    match hashes
        .checked(&salt, cost)
        .map(|typed| pin::verify(kept, typed))
    {
        Some(pin::Verdict::Accepted) => Checked::AcceptedPin,
        Some(pin::Verdict::Rejected(reason)) => Checked::Rejected(reason.into()),
        None => Checked::Rejected(RejectionReason::NotEnrolled),
    }
}

fn check_code(factor: &Factor, code: &SecretString, now: Timestamp) -> Checked {
    let Factor::Totp {
        authenticator,
        last_used,
    } = factor;
    match totp::verify(authenticator, *last_used, code.expose_secret(), now) {
        totp::Verdict::Accepted { step } => Checked::AcceptedStep(step),
        totp::Verdict::Rejected(reason) => Checked::Rejected(reason.into()),
    }
}

/// Proofs with what checking them led to.
#[derive(Debug)]
pub(crate) struct CheckedProofs {
    purpose: Purpose,
    checked: Vec<(AuthenticatorRef, Checked)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checked {
    AcceptedPin,
    AcceptedStep(Step),
    Rejected(RejectionReason),
}

impl CheckedProofs {
    /// Whether every proof is accepted.
    pub(crate) fn all_accepted(&self) -> bool {
        self.checked
            .iter()
            .all(|(_, checked)| !matches!(checked, Checked::Rejected(_)))
    }

    /// Uses accepted proofs up: codes are spent, runs of failures of this purpose end. Only when
    /// all of them are accepted; else see [`Self::count_failures`].
    pub(crate) fn use_up(
        &self,
        registry: &mut Registry,
        hashes: &Hashes,
        settings: &Settings,
        now: Timestamp,
        facts: &mut Vec<Fact>,
    ) -> Result<Vec<Passed>, Error> {
        let mut passed = Vec::new();
        for (authenticator, checked) in &self.checked {
            match (authenticator, checked) {
                (AuthenticatorRef::Identifier(id), Checked::AcceptedStep(step)) => registry
                    .count_totp_success(*id, self.purpose, *step)
                    .map_err(|error| Error::of_registry(error, now))?,
                _ => {
                    registry.count_pin_success();
                    let is_old = registry
                        .pin()
                        .is_some_and(|entry| entry.pin.cost != settings.hash_cost);
                    if let Some(pin) = hashes.kept().filter(|_| is_old) {
                        registry.rehash_pin(pin.clone());
                    }
                }
            }
            facts.push(Fact::ProofAccepted {
                authenticator: *authenticator,
                purpose: self.purpose,
            });
            if let Some(bound_at) = bound_at(registry, *authenticator) {
                passed.push(Passed {
                    authenticator: *authenticator,
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
        for (authenticator, checked) in &self.checked {
            let authenticator = *authenticator;
            let Checked::Rejected(reason) = *checked else {
                facts.push(Fact::ProofUnused { authenticator });
                continue;
            };
            let purpose = self.purpose;
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

/// The fact that an operation was refused.
pub(crate) const fn denied(
    operation: &'static str,
    obstacle: countersign_security_identifiers::Obstacle,
) -> Fact {
    Fact::Denied {
        operation,
        reason: obstacle_name(obstacle),
    }
}
