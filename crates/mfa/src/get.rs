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
        let mut view = confirmation.view(&snapshot.registry, &self.settings, snapshot.now);
        let private = confirmation.private.as_ref();
        let challenge = private.and_then(|private| private.challenge.as_ref());
        if let (Some(sent), Some(challenge)) = (&mut view.sent, challenge)
            && let Some(message) = self.store.message(subject, challenge.message).await?
        {
            sent.delivery = message.state.into();
        }
        Ok(view)
    }
}
