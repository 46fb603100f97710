//! Authenticator apps taken over from another system.

use countersign_primitives::{IdentifierId, Label, Throttle, Timestamp};
use countersign_totp::{Authenticator, Step};

use crate::{Factor, Kind, Limits, PurposeSet, Registry, RegistryError, SecurityIdentifier, State};

impl Registry {
    /// Takes an app over that its owner uses with another system: it is enabled at once, and codes
    /// of the present step and the next are refused, since the other system may have accepted them
    /// a moment ago. Lists of backup codes that wait to be finished lapse, as with every app that
    /// is enabled. Tells whether the app is new: one with the same seed is left as it is, be it
    /// disabled by the cap.
    ///
    /// # Errors
    /// [`RegistryError::TooManyIdentifiers`].
    pub fn import_totp(
        &mut self,
        id: IdentifierId,
        label: Option<Label>,
        authenticator: Authenticator,
        purposes: PurposeSet,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<bool, RegistryError> {
        let is_it = |other: &SecurityIdentifier| match &other.factor {
            Factor::Totp {
                authenticator: known,
                ..
            } => known.is_same_seed(&authenticator),
            Factor::Sms(_) | Factor::BackupCodes(_) => false,
        };
        if self.counting().any(is_it) {
            return Ok(false);
        }
        self.require_room(Kind::Totp, limits)?;
        let label = label.unwrap_or_else(|| self.free_label(Kind::Totp));
        self.identifiers.push(SecurityIdentifier {
            id,
            label,
            created_at: now,
            state: State::Enabled { since: now },
            purposes,
            factor: Factor::Totp {
                authenticator,
                last_used: Some(Step::at(now).next()),
            },
            throttles: [Throttle::default(); 3],
        });
        self.drop_lists(|_| true);
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
