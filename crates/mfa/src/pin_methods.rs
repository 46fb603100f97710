//! Sets a first PIN, and changes it.

use countersign_pin::NewPin;
use rand::rngs::StdRng;

use crate::{
    Error, Method, Outcome, PinView, Platform, Proofs, SettingsChange,
    authorize::{Authorization, reject},
    event::Fact,
    hashing::{HashJob, Hashes},
    platform::{Call, ChangeSet, Context, Decision, Snapshot, UseCase},
};

/// A first PIN.
#[derive(Clone, Debug)]
pub struct SetPin {
    /// The PIN.
    pub new_pin: NewPin,
    /// Where an identifier exists, a code of it.
    pub proofs: Proofs,
}

/// Another PIN.
#[derive(Clone, Debug)]
pub struct ChangePin {
    /// The PIN.
    pub new_pin: NewPin,
    /// The present PIN and, where an identifier exists, a code of it.
    pub proofs: Proofs,
}

impl Platform {
    /// Sets a first PIN.
    ///
    /// # Errors
    /// [`Error::PinAlreadySet`], [`Error::StepUpRequired`], [`Error::Denied`].
    pub async fn set_pin(&self, call: &Call, request: &SetPin) -> Result<Outcome<PinView>, Error> {
        self.run(call, request).await
    }

    /// Changes the PIN.
    ///
    /// # Errors
    /// [`Error::PinNotSet`], [`Error::StepUpRequired`], [`Error::Denied`].
    pub async fn change_pin(
        &self,
        call: &Call,
        request: &ChangePin,
    ) -> Result<Outcome<PinView>, Error> {
        self.run(call, request).await
    }
}

impl UseCase for SetPin {
    type Answer = Outcome<PinView>;
    const METHOD: Method = Method("PinService.Set");

    fn hash_jobs(&self, snapshot: &Snapshot, context: &Context<'_>, at_hand: &Hashes) -> Vec<HashJob> {
        hash_jobs(&SettingsChange::SetPin, &self.proofs, &self.new_pin, snapshot, context, at_hand)
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        hashes: &Hashes,
        _: &mut StdRng,
    ) -> Result<Decision<Self::Answer>, Error> {
        decide(&SettingsChange::SetPin, Fact::PinSet, &self.proofs, snapshot, context, hashes)
    }
}

impl UseCase for ChangePin {
    type Answer = Outcome<PinView>;
    const METHOD: Method = Method("PinService.Change");

    fn hash_jobs(&self, snapshot: &Snapshot, context: &Context<'_>, at_hand: &Hashes) -> Vec<HashJob> {
        hash_jobs(&SettingsChange::ChangePin, &self.proofs, &self.new_pin, snapshot, context, at_hand)
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        hashes: &Hashes,
        _: &mut StdRng,
    ) -> Result<Decision<Self::Answer>, Error> {
        decide(&SettingsChange::ChangePin, Fact::PinChanged, &self.proofs, snapshot, context, hashes)
    }
}

/// The runs of either method: first those of the proofs and, once these are known to be right, the
/// one of the PIN to keep.
fn hash_jobs(
    change: &SettingsChange,
    proofs: &Proofs,
    new_pin: &NewPin,
    snapshot: &Snapshot,
    context: &Context<'_>,
    hashes: &Hashes,
) -> Vec<HashJob> {
    let keep = HashJob::Keep {
        secret: new_pin.secret().clone(),
        cost: context.settings.hash_cost,
    };
    let missing = change.hash_jobs(proofs, snapshot, context, hashes);
    let checks: Vec<HashJob> = missing
        .into_iter()
        .filter(|job| matches!(job, HashJob::Check { .. }))
        .collect();
    if !checks.is_empty() {
        return checks;
    }
    match change.authorize(proofs, snapshot, context, hashes) {
        Ok(Authorization::Checked(checked))
            if checked.all_accepted() && hashes.kept().is_none() =>
        {
            vec![keep]
        }
        Ok(Authorization::Checked(_) | Authorization::NoTarget) | Err(_) => Vec::new(),
    }
}

fn decide(
    change: &SettingsChange,
    fact: Fact,
    proofs: &Proofs,
    snapshot: &Snapshot,
    context: &Context<'_>,
    hashes: &Hashes,
) -> Result<Decision<Outcome<PinView>>, Error> {
    let (now, settings) = (snapshot.now, context.settings);
    let mut registry = snapshot.registry.clone();
    let mut facts = Vec::new();
    let checked = match change.authorize(proofs, snapshot, context, hashes)? {
        Authorization::NoTarget => return Ok(Decision::Unchanged(Outcome::Rejected)),
        Authorization::Checked(checked) => checked,
    };
    let Some(pin) = hashes.kept().filter(|_| checked.all_accepted()) else {
        return reject(&checked, registry, facts, snapshot, context);
    };
    checked.use_up(&mut registry, hashes, settings, now, &mut facts)?;
    registry.set_pin(pin.clone(), now);
    facts.push(fact);
    let answer = Outcome::Done(PinView::new(&registry, now));
    Ok(Decision::from(ChangeSet::new(registry, facts, answer)))
}
