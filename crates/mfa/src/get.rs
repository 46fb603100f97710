//! Looks at a confirmation.

use countersign_primitives::{ConfirmationId, SubjectId};

use crate::{Caller, ConfirmationView, Error, Platform, confirmation::Confirmation};

impl Platform {
    /// A confirmation as it is now. Nothing is written.
    ///
    /// # Errors
    /// [`Error::ConfirmationNotFound`].
    pub async fn get(
        &self,
        subject: &SubjectId,
        caller: &Caller,
        confirmation: ConfirmationId,
    ) -> Result<ConfirmationView, Error> {
        let snapshot = self.look(subject, Some(confirmation)).await?;
        let confirmation = Confirmation::of(
            snapshot.confirmation.as_ref(),
            caller,
            &self.settings.grants,
        )?;
        Ok(confirmation.view(&snapshot.registry, snapshot.now))
    }
}
