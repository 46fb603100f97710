//! Changes an identifier that is there: its purposes, its name, its end.

use countersign_primitives::{IdentifierId, Label};
use countersign_security_identifiers::{AuthenticatorRef, PurposeSet};
use rand::rngs::StdRng;

use crate::{
    Error, IdentifierStateView, IdentifierView, Method, Outcome, Platform, Proofs, SettingsChange,
    event::Fact,
    hashing::Hashes,
    platform::{Call, ChangeSet, Context, Decision, Snapshot, UseCase},
    settings_change::{Draft, InlineChange, OwnCode},
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

impl InlineChange for SetPurposes {
    type Done = IdentifierView;
    const METHOD: Method = Method::named("IdentifierService.SetPurposes");

    fn change(&self) -> SettingsChange {
        SettingsChange::SetPurposes {
            identifier: self.identifier,
            on: self.on,
            off: self.off,
        }
    }

    fn proofs(&self) -> &Proofs {
        &self.proofs
    }

    fn make(
        &self,
        draft: &mut Draft,
        _: OwnCode,
        _: &Hashes,
        _: &Context<'_>,
    ) -> Result<IdentifierView, Error> {
        let identifier = self.identifier;
        let before = draft
            .registry
            .switch(identifier, self.on, self.off)
            .map_err(|error| Error::of_registry(error, draft.now))?;
        // What stood so before has not happened.
        let on = self.on.without(before);
        draft
            .facts
            .extend(on.iter().map(|purpose| Fact::SwitchedOn {
                identifier,
                purpose,
            }));
        let off = before.without(before.without(self.off));
        draft
            .facts
            .extend(off.iter().map(|purpose| Fact::SwitchedOff {
                identifier,
                purpose,
            }));
        IdentifierView::find(&draft.registry, identifier, draft.now)
    }
}

impl InlineChange for Disable {
    type Done = IdentifierView;
    const METHOD: Method = Method::named("TotpService.Disable");

    fn change(&self) -> SettingsChange {
        SettingsChange::Disable {
            identifier: self.identifier,
            confirm_last: self.confirm_last,
        }
    }

    fn proofs(&self) -> &Proofs {
        &self.proofs
    }

    fn make(
        &self,
        draft: &mut Draft,
        _: OwnCode,
        _: &Hashes,
        _: &Context<'_>,
    ) -> Result<IdentifierView, Error> {
        let identifier = self.identifier;
        let disabled = draft
            .registry
            .disable(identifier)
            .map_err(|error| Error::of_registry(error, draft.now))?;
        let own = AuthenticatorRef::Identifier(identifier);
        draft
            .facts
            .push(if self.proofs.authenticators().contains(&own) {
                Fact::Disabled { identifier }
            } else {
                Fact::LostAccess { identifier }
            });
        Ok(IdentifierView {
            state: IdentifierStateView::Disabled,
            disabled_at: Some(draft.now),
            purposes: Vec::new(),
            usable_from: None,
            ..IdentifierView::new(&disabled, draft.now)
        })
    }
}

impl UseCase for Rename {
    type Answer = IdentifierView;
    const METHOD: Method = Method::named("IdentifierService.Rename");

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
        let answer = IdentifierView::find(&registry, identifier, snapshot.now)?;
        let facts = vec![Fact::Renamed { identifier }];
        Ok(Decision::from(ChangeSet::new(registry, facts, answer)))
    }
}
