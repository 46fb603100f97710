//! Changes an identifier that is there: its purposes, its name, its end.

use countersign_primitives::{IdentifierId, Label};
use countersign_security_identifiers::{AuthenticatorRef, PurposeSet, Registry};
use rand::rngs::StdRng;

use crate::{
    Error, IdentifierView, Method, Outcome, Platform, Proofs, SettingsChange,
    authorize::{Authorization, reject},
    event::Fact,
    hashing::{HashJob, Hashes},
    platform::{Call, ChangeSet, Context, Decision, Snapshot, UseCase},
    view::IdentifierStateView,
};

/// Switches an identifier on and off for purposes.
#[derive(Clone, Debug)]
pub struct SetPurposes {
    /// Which.
    pub identifier: IdentifierId,
    /// What it is switched on for.
    pub on: PurposeSet,
    /// What it is switched off for.
    pub off: PurposeSet,
    /// On: a code of its own and of another one. Off: a code of its own or of another one.
    pub proofs: Proofs,
}

/// Disables an identifier; it comes back only by enrolling anew.
#[derive(Clone, Debug)]
pub struct Disable {
    /// Which.
    pub identifier: IdentifierId,
    /// Whether it may be the last one.
    pub confirm_last: bool,
    /// A code of its own, or the PIN and a code of another one.
    pub proofs: Proofs,
}

/// Gives an identifier another name.
#[derive(Clone, Debug)]
struct Rename {
    identifier: IdentifierId,
    label: Label,
}

impl Platform {
    /// Switches an identifier on and off for purposes.
    ///
    /// # Errors
    /// [`Error::IdentifierNotFound`], [`Error::IdentifierNotEnabled`], [`Error::StepUpRequired`],
    /// [`Error::Denied`].
    pub async fn set_purposes(
        &self,
        call: &Call,
        request: &SetPurposes,
    ) -> Result<Outcome<IdentifierView>, Error> {
        self.run(call, request).await
    }

    /// Disables an identifier.
    ///
    /// # Errors
    /// [`Error::IdentifierNotFound`], [`Error::LastIdentifier`], [`Error::StepUpRequired`],
    /// [`Error::Denied`].
    pub async fn disable(
        &self,
        call: &Call,
        request: &Disable,
    ) -> Result<Outcome<IdentifierView>, Error> {
        self.run(call, request).await
    }

    /// Gives an identifier another name. It takes no proof: a name decides nothing.
    ///
    /// # Errors
    /// [`Error::IdentifierNotFound`].
    pub async fn rename(
        &self,
        call: &Call,
        identifier: IdentifierId,
        label: Label,
    ) -> Result<IdentifierView, Error> {
        self.run(call, &Rename { identifier, label }).await
    }
}

impl UseCase for SetPurposes {
    type Answer = Outcome<IdentifierView>;
    const METHOD: Method = Method("IdentifierService.SetPurposes");

    fn hash_jobs(&self, snapshot: &Snapshot, context: &Context<'_>, at_hand: &Hashes) -> Vec<HashJob> {
        self.change()
            .hash_jobs(&self.proofs, snapshot, context, at_hand)
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        hashes: &Hashes,
        _: &mut StdRng,
    ) -> Result<Decision<Self::Answer>, Error> {
        let (now, settings) = (snapshot.now, context.settings);
        let authorization = self
            .change()
            .authorize(&self.proofs, snapshot, context, hashes)?;
        let Authorization::Checked(checked) = authorization else {
            return Ok(Decision::Unchanged(Outcome::Rejected));
        };
        let mut registry = snapshot.registry.clone();
        let mut facts = Vec::new();
        if !checked.all_accepted() {
            return reject(&checked, registry, facts, snapshot, context);
        }
        checked.use_up(&mut registry, hashes, settings, now, &mut facts)?;
        let identifier = self.identifier;
        registry
            .switch(identifier, self.on, self.off)
            .map_err(|error| Error::of_registry(error, now))?;
        let on = self.on.iter();
        let off = self.off.iter();
        facts.extend(on.map(|purpose| Fact::SwitchedOn { identifier, purpose }));
        facts.extend(off.map(|purpose| Fact::SwitchedOff { identifier, purpose }));
        let answer = Outcome::Done(view(&registry, identifier, snapshot)?);
        Ok(Decision::from(ChangeSet::new(registry, facts, answer)))
    }
}

impl SetPurposes {
    const fn change(&self) -> SettingsChange {
        SettingsChange::SetPurposes {
            identifier: self.identifier,
            on: self.on,
            off: self.off,
        }
    }
}

impl UseCase for Disable {
    type Answer = Outcome<IdentifierView>;
    const METHOD: Method = Method("TotpService.Disable");

    fn hash_jobs(&self, snapshot: &Snapshot, context: &Context<'_>, at_hand: &Hashes) -> Vec<HashJob> {
        self.change()
            .hash_jobs(&self.proofs, snapshot, context, at_hand)
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        hashes: &Hashes,
        _: &mut StdRng,
    ) -> Result<Decision<Self::Answer>, Error> {
        let (now, settings) = (snapshot.now, context.settings);
        let authorization = self
            .change()
            .authorize(&self.proofs, snapshot, context, hashes)?;
        let Authorization::Checked(checked) = authorization else {
            return Ok(Decision::Unchanged(Outcome::Rejected));
        };
        let mut registry = snapshot.registry.clone();
        let mut facts = Vec::new();
        if !checked.all_accepted() {
            return reject(&checked, registry, facts, snapshot, context);
        }
        checked.use_up(&mut registry, hashes, settings, now, &mut facts)?;
        let disabled = registry
            .disable(self.identifier)
            .map_err(|error| Error::of_registry(error, now))?;
        let own = AuthenticatorRef::Identifier(self.identifier);
        facts.push(if self.proofs.authenticators().contains(&own) {
            Fact::Disabled {
                identifier: self.identifier,
            }
        } else {
            Fact::LostAccess {
                identifier: self.identifier,
            }
        });
        let answer = Outcome::Done(IdentifierView {
            state: IdentifierStateView::Disabled,
            disabled_at: Some(now),
            purposes: Vec::new(),
            usable_from: None,
            ..IdentifierView::new(&disabled, now)
        });
        Ok(Decision::from(ChangeSet::new(registry, facts, answer)))
    }
}

impl Disable {
    const fn change(&self) -> SettingsChange {
        SettingsChange::Disable {
            identifier: self.identifier,
            confirm_last: self.confirm_last,
        }
    }
}

impl UseCase for Rename {
    type Answer = IdentifierView;
    const METHOD: Method = Method("IdentifierService.Rename");

    fn decide(
        &self,
        snapshot: &Snapshot,
        _: &Context<'_>,
        _: &Hashes,
        _: &mut StdRng,
    ) -> Result<Decision<IdentifierView>, Error> {
        let identifier = self.identifier;
        let mut registry = snapshot.registry.clone();
        registry
            .rename(identifier, self.label.clone())
            .map_err(|error| Error::of_registry(error, snapshot.now))?;
        let answer = view(&registry, identifier, snapshot)?;
        let facts = vec![Fact::Renamed { identifier }];
        Ok(Decision::from(ChangeSet::new(registry, facts, answer)))
    }
}

fn view(
    registry: &Registry,
    identifier: IdentifierId,
    snapshot: &Snapshot,
) -> Result<IdentifierView, Error> {
    registry
        .identifier(identifier)
        .map(|identifier| IdentifierView::new(identifier, snapshot.now))
        .ok_or(Error::IdentifierNotFound)
}
