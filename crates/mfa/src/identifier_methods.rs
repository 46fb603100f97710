//! Changes an identifier that is there: its purposes, its name, its end.

use countersign_primitives::{IdentifierId, Label};
use countersign_security_identifiers::{AuthenticatorRef, Kind, PurposeSet, SecurityIdentifier};
use rand::rngs::StdRng;

use crate::{
    Authorization, Error, IdentifierStateView, IdentifierView, Method, Outcome, Platform,
    SettingsChange,
    event::Fact,
    hashing::Hashes,
    platform::{Call, ChangeSet, Context, Decision, Snapshot, UseCase},
    settings_change::{ChangeMethod, Draft},
    sms_plan::SmsPlan,
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
    pub authorization: Authorization,
}

/// Disables an identifier; it comes back only by enrolling anew.
#[derive(Clone, Debug)]
pub struct Disable {
    /// Which.
    pub identifier: IdentifierId,
    /// Its kind: one of another kind is none of these.
    pub kind: Kind,
    /// Whether it may be the last one.
    pub confirm_last: bool,
    /// A code of its own, or the PIN and a code of another one.
    pub authorization: Authorization,
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
    /// [`Error::IdentifierNotFound`], [`Error::IdentifierNotEnabled`]; those of its
    /// [`Authorization`].
    pub async fn set_purposes(
        &self,
        call: &Call,
        request: &SetPurposes,
    ) -> Result<Outcome<IdentifierView>, Error> {
        self.run(call, request).await?.outcome()
    }

    /// Disables an identifier.
    ///
    /// # Errors
    /// [`Error::IdentifierNotFound`], [`Error::LastIdentifier`]; those of its [`Authorization`].
    pub async fn disable(
        &self,
        call: &Call,
        request: &Disable,
    ) -> Result<Outcome<IdentifierView>, Error> {
        self.run(call, request).await?.outcome()
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

impl ChangeMethod for SetPurposes {
    type Done = IdentifierView;

    fn name(&self) -> Method {
        Method::named("IdentifierService.SetPurposes")
    }

    fn change(&self) -> SettingsChange {
        SettingsChange::SetPurposes {
            identifier: self.identifier,
            on: self.on,
            off: self.off,
        }
    }

    fn authorization(&self) -> &Authorization {
        &self.authorization
    }

    fn make(
        &self,
        draft: &mut Draft<'_>,
        _: &Context<'_>,
        _: &mut StdRng,
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

impl ChangeMethod for Disable {
    type Done = IdentifierView;

    fn name(&self) -> Method {
        match self.kind {
            Kind::Totp => Method::named("TotpService.Disable"),
            Kind::Sms => Method::named("SmsService.Disable"),
            Kind::BackupCodes => Method::named("BackupCodeService.Disable"),
        }
    }

    fn require_allowed(&self, snapshot: &Snapshot, _: &Context<'_>) -> Result<(), Error> {
        let target = snapshot.registry.identifier(self.identifier);
        let now = snapshot.now;
        let is_another = |target: &&SecurityIdentifier| {
            (target.counts() || target.is_pending(now)) && target.kind() != self.kind
        };
        match target.filter(is_another) {
            Some(_) => Err(Error::IdentifierNotFound),
            None => Ok(()),
        }
    }

    fn change(&self) -> SettingsChange {
        SettingsChange::Disable {
            identifier: self.identifier,
            confirm_last: self.confirm_last,
        }
    }

    fn authorization(&self) -> &Authorization {
        &self.authorization
    }

    fn make(
        &self,
        draft: &mut Draft<'_>,
        _: &Context<'_>,
        _: &mut StdRng,
    ) -> Result<IdentifierView, Error> {
        let identifier = self.identifier;
        let disabled = draft
            .registry
            .disable(identifier, draft.now)
            .map_err(|error| Error::of_registry(error, draft.now))?;
        let own = AuthenticatorRef::Identifier(identifier);
        draft.facts.push(if draft.proved_by.contains(&own) {
            Fact::Disabled { identifier }
        } else {
            Fact::LostAccess { identifier }
        });
        draft.sms = SmsPlan::disabling(&disabled);
        Ok(IdentifierView {
            state: IdentifierStateView::Disabled,
            disabled_at: Some(draft.now),
            purposes: Vec::new(),
            usable_from: None,
            codes_left: None,
            masked_number: None,
            ..IdentifierView::new(&disabled, draft.now)
        })
    }
}

impl UseCase for Rename {
    type Answer = IdentifierView;
    fn method(&self) -> Method {
        Method::named("IdentifierService.Rename")
    }

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
