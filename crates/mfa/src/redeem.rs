//! Lets an approved operation go on: once.

use countersign_primitives::ConfirmationId;
use minicbor::{CborLen, Decode, Encode};
use rand::rngs::StdRng;

use crate::{
    ConfirmationView, Error, Method, Operation, Platform,
    confirmation::{Approval, Confirmation},
    event::Fact,
    hashing::Hashes,
    platform::{Call, ChangeSet, Context, Decision, Snapshot, UseCase},
};

/// A request to let an operation go on.
#[derive(Clone, Debug)]
pub struct Redeem {
    /// The confirmation that was approved.
    pub confirmation: ConfirmationId,
    /// The operation that is about to be carried out.
    pub operation: Operation,
}

/// The answers that leave an event.
#[derive(Encode, Decode, CborLen)]
pub(crate) enum Redeemed {
    #[n(0)]
    Done(#[n(0)] ConfirmationView),
    #[n(1)]
    OperationMismatch,
    #[n(2)]
    AuthenticatorChanged,
}

impl Platform {
    /// Lets an approved operation go on, once. Only this permits anything.
    ///
    /// # Errors
    /// [`Error::ConfirmationNotFound`], [`Error::ConfirmationNotApproved`],
    /// [`Error::ConfirmationExpired`], [`Error::AlreadyRedeemed`], [`Error::NotRedeemable`],
    /// [`Error::OperationMismatch`], [`Error::AuthenticatorChanged`].
    pub async fn redeem(&self, call: &Call, request: &Redeem) -> Result<ConfirmationView, Error> {
        match self.run(call, request).await? {
            Redeemed::Done(view) => Ok(view),
            Redeemed::OperationMismatch => Err(Error::OperationMismatch),
            Redeemed::AuthenticatorChanged => Err(Error::AuthenticatorChanged),
        }
    }
}

impl UseCase for Redeem {
    type Answer = Redeemed;
    fn method(&self) -> Method {
        Method::named("ConfirmationService.Redeem")
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
    ) -> Result<Decision<Redeemed>, Error> {
        let now = snapshot.now;
        let found = Confirmation::of(
            snapshot.confirmation.as_ref(),
            &context.call.caller,
            &context.settings.grants,
        )?;
        if found.is_settings_change {
            return Err(Error::NotRedeemable);
        }
        let id = found.id;
        let mut confirmation = found.clone();
        let digest = self.operation.digest(&context.call.subject);
        let (fact, answer) = match found.approval(digest, &snapshot.registry, now)? {
            Approval::OperationMismatch => {
                let fact = Fact::OperationMismatch { confirmation: id };
                (fact, Redeemed::OperationMismatch)
            }
            Approval::AuthenticatorChanged => {
                let fact = Fact::RedeemRefused { confirmation: id };
                (fact, Redeemed::AuthenticatorChanged)
            }
            Approval::Stands { at } => {
                let fact = confirmation.redeem(at, now);
                let view = confirmation.view(&snapshot.registry, context.settings, now);
                (fact, Redeemed::Done(view))
            }
        };
        let set = ChangeSet::new(snapshot.registry.clone(), vec![fact], answer);
        Ok(Decision::from(set.with(confirmation)))
    }
}
