//! Withdraws a confirmation.

use countersign_primitives::ConfirmationId;
use rand::rngs::StdRng;

use crate::{
    ConfirmationView, Error, Method, Platform, StateView,
    confirmation::{Confirmation, Phase},
    event::Fact,
    hashing::Hashes,
    platform::{Call, ChangeSet, Context, Decision, Snapshot, UseCase},
};

struct Cancel {
    confirmation: ConfirmationId,
}

impl Platform {
    /// Withdraws a confirmation that is pending, or approved and not redeemed. One that was
    /// withdrawn before stays so.
    ///
    /// # Errors
    /// [`Error::ConfirmationNotFound`], [`Error::ConfirmationNotPending`],
    /// [`Error::ConfirmationExpired`].
    pub async fn cancel(
        &self,
        call: &Call,
        confirmation: ConfirmationId,
    ) -> Result<ConfirmationView, Error> {
        self.run(call, &Cancel { confirmation }).await
    }
}

impl UseCase for Cancel {
    type Answer = ConfirmationView;
    fn method(&self) -> Method {
        Method::named("ConfirmationService.Cancel")
    }

    fn confirmation(&self) -> Option<ConfirmationId> {
        Some(self.confirmation)
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        _: &Hashes,
        _: &mut StdRng,
    ) -> Result<Decision<ConfirmationView>, Error> {
        let now = snapshot.now;
        let found = Confirmation::of(
            snapshot.confirmation.as_ref(),
            &context.call.caller,
            &context.settings.grants,
        )?;
        match found.state(now) {
            StateView::Pending | StateView::Approved => {}
            StateView::Cancelled => {
                return Ok(Decision::Unchanged(found.view(
                    &snapshot.registry,
                    context.settings,
                    now,
                )));
            }
            StateView::Expired => return Err(Error::ConfirmationExpired),
            state @ (StateView::Failed | StateView::Redeemed) => {
                return Err(Error::ConfirmationNotPending(state));
            }
        }
        let mut confirmation = found.clone();
        confirmation.phase = Phase::Cancelled(now);
        let mut registry = snapshot.registry.clone();
        registry.close_confirmation(confirmation.id);
        let answer = confirmation.view(&registry, context.settings, now);
        let cancelled = Fact::Cancelled {
            confirmation: confirmation.id,
        };
        let set = ChangeSet::new(registry, vec![cancelled], answer);
        Ok(Decision::from(set.with(confirmation)))
    }
}
