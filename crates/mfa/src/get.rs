//! Looks at a confirmation.

use countersign_primitives::{ConfirmationId, SubjectId};
use countersign_sms_codes::Challenge;

use crate::{Caller, ConfirmationView, Error, Platform, SentCode, confirmation::Confirmation};

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
        if let (Some(sent), Some(challenge)) = (&mut view.sent, challenge) {
            self.look_where(subject, challenge, sent).await?;
        }
        Ok(view)
    }

    /// Looks where the message of a code is.
    pub(crate) async fn look_where(
        &self,
        subject: &SubjectId,
        challenge: &Challenge,
        sent: &mut SentCode,
    ) -> Result<(), Error> {
        if let Some(message) = self.store.message(subject, challenge.message).await? {
            sent.delivery = message.state.into();
        }
        Ok(())
    }
}
