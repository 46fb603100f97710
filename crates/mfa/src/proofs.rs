//! Checking proofs: one place for confirmations and for settings changes. What becomes of checked
//! ones is `checked_proofs`.

use countersign_backup_codes::{self as backup_codes, Position, Typed};
use countersign_pin as pin;
use countersign_primitives::{
    ExposeSecret, HashCost, IdentifierId, Salt, SecretString, SubjectId, Timestamp,
};
use countersign_security_identifiers::{
    AuthenticatorRef, BackupCodes, Ending, Factor, Obstacle, Path, Phone, Registry,
    SecurityIdentifier, Standing, Use,
};
use countersign_sms_codes as sms_codes;
use countersign_totp as totp;

use crate::{
    Error, Settings,
    checked_proofs::{Accepted, CheckedProofs},
    confirmation::Confirmation,
    event::RejectionReason,
    hashing::{HashJob, Hashes},
    letter::binding,
    platform::Context,
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
        self.given().collect()
    }

    fn given(&self) -> impl Iterator<Item = AuthenticatorRef> {
        self.0.iter().map(|proof| proof.authenticator)
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// That none of them is by a set of backup codes with no code to spare. Comes before anything
    /// typed is looked at, so that the answer is the same whatever it is.
    ///
    /// # Errors
    /// [`Error::LastCodeReserved`].
    pub(crate) fn require_codes_to_spare(
        &self,
        registry: &Registry,
        aim: Use,
        now: Timestamp,
    ) -> Result<(), Error> {
        require_to_spare(self.given(), registry, aim, now)
    }

    /// The next Argon2 run that checking them needs and that is not at hand.
    pub(crate) fn check_job(
        &self,
        registry: &Registry,
        aim: Use,
        settings: &Settings,
        now: Timestamp,
        hashes: &Hashes,
    ) -> Option<HashJob> {
        let stand_in = self.stand_in(registry, aim, now);
        self.0.iter().find_map(|proof| {
            let whose = proof.authenticator;
            let (salt, cost) = if stand_in == Some(whose) {
                (Salt::DUMMY, settings.hash_cost)
            } else {
                proof.hashed_at(registry, aim, settings, now)?
            };
            let is_missing = hashes.checked(whose, &salt, cost).is_none();
            is_missing.then(|| HashJob::Check {
                whose,
                typed: match whose {
                    AuthenticatorRef::Pin => proof.code.clone(),
                    AuthenticatorRef::Identifier(_) => proof.typed().plain().clone(),
                },
                salt,
                cost,
            })
        })
    }

    /// Whose proof is hashed in place of one by a set of backup codes, where none is given: so a set
    /// that was disabled while a login waited costs what it did before. One at most, as a subject
    /// has one set.
    fn stand_in(&self, registry: &Registry, aim: Use, now: Timestamp) -> Option<AuthenticatorRef> {
        let is_set = |authenticator| match authenticator {
            AuthenticatorRef::Pin => false,
            AuthenticatorRef::Identifier(id) => registry
                .identifier(id)
                .is_some_and(|found| found.backup_codes().is_some()),
        };
        if self.given().any(is_set) {
            return None;
        }
        let looks_like_one = |proof: &&Proof| {
            let is_absent = registry.standing(proof.authenticator, aim, now) == Standing::Absent;
            let is_pin = proof.authenticator == AuthenticatorRef::Pin;
            is_absent && !is_pin && proof.typed().is_code()
        };
        self.0
            .iter()
            .find(looks_like_one)
            .map(|proof| proof.authenticator)
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

    /// That none of them is a code that has to be sent first: given with a settings change, none can
    /// have been.
    ///
    /// # Errors
    /// [`Error::ProofNeedsConfirmation`].
    pub(crate) fn require_unsent(&self, registry: &Registry) -> Result<(), Error> {
        let is_sent = |authenticator| match authenticator {
            AuthenticatorRef::Pin => false,
            AuthenticatorRef::Identifier(id) => registry
                .identifier(id)
                .is_some_and(|found| found.counts() && found.phone().is_some()),
        };
        if self.given().any(is_sent) {
            return Err(Error::ProofNeedsConfirmation);
        }
        Ok(())
    }

    /// Checks every proof, with nothing counted or used up yet. Codes that are sent are those of the
    /// confirmation that the proofs are for.
    pub(crate) fn check(
        &self,
        registry: &Registry,
        aim: Use,
        context: &Context<'_>,
        confirmation: Option<&Confirmation>,
        now: Timestamp,
        hashes: &Hashes,
    ) -> CheckedProofs {
        let settings = context.settings;
        let mut checked = CheckedProofs {
            aim,
            accepted: Vec::new(),
            rejected: Vec::new(),
        };
        for proof in &self.0 {
            let authenticator = proof.authenticator;
            let verdict = match registry.standing(authenticator, aim, now) {
                Standing::Locked { .. } => Err(RejectionReason::Locked),
                Standing::Capped => Err(RejectionReason::Capped),
                Standing::Reserved { .. } => Err(RejectionReason::Reserved),
                Standing::Absent => Err(RejectionReason::NotEnrolled),
                Standing::Usable => match authenticator {
                    AuthenticatorRef::Pin => check_pin(registry, settings, hashes),
                    AuthenticatorRef::Identifier(id) => registry
                        .identifier(id)
                        .ok_or(RejectionReason::NotEnrolled)
                        .and_then(|identifier| match &identifier.factor {
                            Factor::Sms(phone) => {
                                let subject = &context.call.subject;
                                proof.check_sent(id, phone, subject, confirmation, now)
                            }
                            Factor::Totp { .. } | Factor::BackupCodes(_) => {
                                proof.check_code(identifier, aim, now, hashes)
                            }
                        }),
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
        .checked(AuthenticatorRef::Pin, &salt, cost)
        .ok_or(RejectionReason::NotEnrolled)?;
    match pin::verify(kept, typed) {
        pin::Verdict::Accepted => Ok(Accepted::Pin),
        pin::Verdict::Rejected(reason) => Err(reason.into()),
    }
}

impl Proof {
    /// The salt and cost at which what was typed is hashed, if it is.
    fn hashed_at(
        &self,
        registry: &Registry,
        aim: Use,
        settings: &Settings,
        now: Timestamp,
    ) -> Option<(Salt, HashCost)> {
        match registry.standing(self.authenticator, aim, now) {
            Standing::Locked { .. } | Standing::Capped | Standing::Reserved { .. } => return None,
            Standing::Usable | Standing::Absent => {}
        }
        match self.authenticator {
            AuthenticatorRef::Pin => Some(salt_and_cost(registry, settings)),
            AuthenticatorRef::Identifier(id) => {
                let codes = registry.identifier(id)?.backup_codes()?;
                Some((codes.list.salt, codes.list.cost))
            }
        }
    }

    /// What was typed, read as a backup code.
    fn typed(&self) -> Typed {
        Typed::new(self.code.expose_secret())
    }

    fn check_code(
        &self,
        identifier: &SecurityIdentifier,
        aim: Use,
        now: Timestamp,
        hashes: &Hashes,
    ) -> Result<Accepted, RejectionReason> {
        let id = identifier.id;
        match &identifier.factor {
            Factor::Totp {
                authenticator,
                last_used,
            } => {
                let typed = self.code.expose_secret();
                match totp::verify(authenticator, *last_used, typed, now) {
                    totp::Verdict::Accepted { step } => Ok(Accepted::Step(id, step)),
                    totp::Verdict::Rejected(reason) => Err(reason.into()),
                }
            }
            Factor::Sms(_) => Err(RejectionReason::NotSent),
            Factor::BackupCodes(codes) => {
                let renews = aim.ending == Some(Ending::Renew(id));
                let position = self.check_backup_code(codes, renews, now, hashes)?;
                Ok(Accepted::Code(id, position))
            }
        }
    }

    /// Only the newest code that was sent for this confirmation is right.
    fn check_sent(
        &self,
        id: IdentifierId,
        phone: &Phone,
        subject: &SubjectId,
        confirmation: Option<&Confirmation>,
        now: Timestamp,
    ) -> Result<Accepted, RejectionReason> {
        let confirmation = confirmation.ok_or(RejectionReason::NotSent)?;
        let private = confirmation.private.as_ref();
        let sent = private
            .and_then(|private| private.challenge.as_ref())
            .filter(|challenge| challenge.identifier == id);
        let binding = binding(
            subject,
            *confirmation.id.as_bytes(),
            &phone.number,
            Some(confirmation.purpose),
            Some(confirmation.digest),
        );
        match sms_codes::verify(sent, &binding, self.code.expose_secret(), now) {
            sms_codes::Verdict::Accepted { message } => Ok(Accepted::Sent(id, message)),
            sms_codes::Verdict::Rejected(reason) => Err(reason.into()),
        }
    }

    /// A code that a waiting list holds is good for another list in its place, and else for
    /// nothing.
    fn check_backup_code(
        &self,
        codes: &BackupCodes,
        renews: bool,
        now: Timestamp,
        hashes: &Hashes,
    ) -> Result<Position, RejectionReason> {
        let list = &codes.list;
        // Without its hash, as before the run that `check_job` asks for, no code is right.
        let hash = hashes
            .checked(self.authenticator, &list.salt, list.cost)
            .ok_or(RejectionReason::NotEnrolled)?;
        match backup_codes::verify(list, codes.used, &self.typed(), hash) {
            backup_codes::Verdict::Rejected(reason) => Err(reason.into()),
            backup_codes::Verdict::Accepted(position)
                if codes.held(now) == Some(position) && !renews =>
            {
                Err(RejectionReason::Held)
            }
            backup_codes::Verdict::Accepted(position) => Ok(position),
        }
    }
}

fn require_to_spare(
    mut options: impl Iterator<Item = AuthenticatorRef>,
    registry: &Registry,
    aim: Use,
    now: Timestamp,
) -> Result<(), Error> {
    let reserved = |option| match registry.standing(option, aim, now) {
        Standing::Reserved { left } => Some(left),
        Standing::Usable | Standing::Locked { .. } | Standing::Capped | Standing::Absent => None,
    };
    match options.find_map(reserved) {
        Some(left) => Err(Error::LastCodeReserved { left }),
        None => Ok(()),
    }
}

/// Whether the proofs given name every stage of one of the paths that would do, so that checking
/// them is worth while. One proof may pass several stages.
///
/// # Errors
/// [`Error::StepUpRequired`] with the paths, or [`Error::LastCodeReserved`] or [`Error::Denied`]
/// where none of them can be walked now. Proofs that name an authenticator which is not enrolled
/// are covered too: they get the answer that a wrong code gets.
pub(crate) fn require_covered(
    given: &[AuthenticatorRef],
    paths: &[Path],
    registry: &Registry,
    aim: Use,
    now: Timestamp,
) -> Result<(), Error> {
    let is_covered = |path: &Path| {
        path.stages
            .iter()
            .all(|stage| stage.options.iter().any(|option| given.contains(option)))
    };
    let is_enrolled = |authenticator: &AuthenticatorRef| {
        registry.standing(*authenticator, aim, now) != Standing::Absent
    };
    if paths.iter().any(is_covered) || !given.iter().all(is_enrolled) {
        return Ok(());
    }
    match registry.obstacle(paths, aim, now) {
        None => Err(Error::StepUpRequired(PathView::of_paths(
            paths, registry, aim, now,
        ))),
        Some(obstacle) => {
            if obstacle == Obstacle::RecoveryRequired {
                let stages = paths.iter().flat_map(|path| &path.stages);
                let options = stages.flat_map(|stage| stage.options.iter().copied());
                require_to_spare(options, registry, aim, now)?;
            }
            Err(Error::Denied(obstacle, now))
        }
    }
}
