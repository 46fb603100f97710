//! Sets a first PIN, and changes it.

use countersign_pin::NewPin;
use countersign_primitives::SecretString;

use crate::{
    Error, Method, Outcome, PinView, Platform, Proofs, SettingsChange,
    event::Fact,
    hashing::Hashes,
    platform::{Call, Context},
    settings_change::{Draft, InlineChange, OwnCode},
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

impl InlineChange for SetPin {
    type Done = PinView;
    const METHOD: Method = Method::named("PinService.Set");

    fn change(&self) -> SettingsChange {
        SettingsChange::SetPin
    }

    fn proofs(&self) -> &Proofs {
        &self.proofs
    }

    fn secret_to_keep(&self) -> Option<&SecretString> {
        Some(self.new_pin.secret())
    }

    fn make(
        &self,
        draft: &mut Draft,
        _: OwnCode,
        hashes: &Hashes,
        _: &Context<'_>,
    ) -> Result<PinView, Error> {
        keep(draft, hashes, Fact::PinSet)
    }
}

impl InlineChange for ChangePin {
    type Done = PinView;
    const METHOD: Method = Method::named("PinService.Change");

    fn change(&self) -> SettingsChange {
        SettingsChange::ChangePin
    }

    fn proofs(&self) -> &Proofs {
        &self.proofs
    }

    fn secret_to_keep(&self) -> Option<&SecretString> {
        Some(self.new_pin.secret())
    }

    fn make(
        &self,
        draft: &mut Draft,
        _: OwnCode,
        hashes: &Hashes,
        _: &Context<'_>,
    ) -> Result<PinView, Error> {
        keep(draft, hashes, Fact::PinChanged)
    }
}

/// Keeps the new PIN. Its hash is at hand: it was asked for once everything typed was right.
fn keep(draft: &mut Draft, hashes: &Hashes, fact: Fact) -> Result<PinView, Error> {
    let pin = hashes.kept().ok_or(Error::HashPoolBusy)?;
    draft.registry.set_pin(pin.clone(), draft.now);
    draft.facts.push(fact);
    Ok(PinView::new(&draft.registry, draft.now))
}
