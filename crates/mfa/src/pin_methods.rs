//! Sets a first PIN, and changes it.

use countersign_pin::NewPin;
use rand::rngs::StdRng;

use crate::{
    Authorization, Error, Method, Outcome, PinView, Platform, SettingsChange,
    event::Fact,
    platform::{Call, Context},
    settings_change::{ChangeMethod, Draft, ToKeep},
};

/// A first PIN.
#[derive(Clone, Debug)]
pub struct SetPin {
    /// The PIN.
    pub new_pin: NewPin,
    /// Where an identifier exists, a code of it.
    pub authorization: Authorization,
}

/// Another PIN.
#[derive(Clone, Debug)]
pub struct ChangePin {
    /// The PIN.
    pub new_pin: NewPin,
    /// The present PIN and, where an identifier exists, a code of it.
    pub authorization: Authorization,
}

impl Platform {
    /// Sets a first PIN.
    ///
    /// # Errors
    /// [`Error::PinAlreadySet`]; those of its [`Authorization`].
    pub async fn set_pin(&self, call: &Call, request: &SetPin) -> Result<Outcome<PinView>, Error> {
        self.run(call, request).await?.outcome()
    }

    /// Changes the PIN.
    ///
    /// # Errors
    /// [`Error::PinNotSet`]; those of its [`Authorization`].
    pub async fn change_pin(
        &self,
        call: &Call,
        request: &ChangePin,
    ) -> Result<Outcome<PinView>, Error> {
        self.run(call, request).await?.outcome()
    }
}

impl ChangeMethod for SetPin {
    type Done = PinView;

    fn name(&self) -> Method {
        Method::named("PinService.Set")
    }

    fn change(&self) -> SettingsChange {
        SettingsChange::SetPin
    }

    fn authorization(&self) -> &Authorization {
        &self.authorization
    }

    fn to_keep(&self, _: &Context<'_>) -> Option<ToKeep<'_>> {
        Some(ToKeep::Pin(self.new_pin.secret()))
    }

    fn make(
        &self,
        draft: &mut Draft<'_>,
        _: &Context<'_>,
        _: &mut StdRng,
    ) -> Result<PinView, Error> {
        keep(draft, Fact::PinSet)
    }
}

impl ChangeMethod for ChangePin {
    type Done = PinView;

    fn name(&self) -> Method {
        Method::named("PinService.Change")
    }

    fn change(&self) -> SettingsChange {
        SettingsChange::ChangePin
    }

    fn authorization(&self) -> &Authorization {
        &self.authorization
    }

    fn to_keep(&self, _: &Context<'_>) -> Option<ToKeep<'_>> {
        Some(ToKeep::Pin(self.new_pin.secret()))
    }

    fn make(
        &self,
        draft: &mut Draft<'_>,
        _: &Context<'_>,
        _: &mut StdRng,
    ) -> Result<PinView, Error> {
        keep(draft, Fact::PinChanged)
    }
}

/// Keeps the new PIN. Its hash is at hand: it was asked for once everything typed was right.
fn keep(draft: &mut Draft<'_>, fact: Fact) -> Result<PinView, Error> {
    let pin = draft.hashes.kept().ok_or(Error::HashPoolBusy)?;
    draft.registry.set_pin(pin.clone(), draft.now);
    draft.facts.push(fact);
    Ok(PinView::new(&draft.registry, draft.now))
}
