//! Checks proofs for a confirmation.

use countersign_primitives::ConfirmationId;
use countersign_security_identifiers::Use;
use minicbor::{CborLen, Decode, Encode};
use rand::rngs::StdRng;

use crate::{
    ConfirmationView, Error, Method, Platform, Proofs,
    checked_proofs::CheckedProofs,
    confirmation::Confirmation,
    event::Fact,
    hashing::{HashJob, Hashes},
    platform::{Call, ChangeSet, Context, Decision, Snapshot, UseCase},
};

/// Proofs for a confirmation.
#[derive(Clone, Debug)]
pub struct SubmitProof {
    /// The confirmation.
    pub confirmation: ConfirmationId,
    /// The proofs, at least one. All of them are evaluated; nothing is used up unless all pass.
    pub proofs: Proofs,
}

/// Whether the proofs were accepted, and how the confirmation stands after them.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct Submitted {
    /// Whether all of them were.
    #[n(0)]
    pub accepted: bool,
    /// The confirmation.
    #[n(1)]
    pub confirmation: ConfirmationView,
}

impl Platform {
    /// Checks proofs for a confirmation. A rejected call uses one of its attempts.
    ///
    /// # Errors
    /// [`Error::ConfirmationNotFound`], [`Error::ConfirmationNotPending`],
    /// [`Error::ConfirmationExpired`], [`Error::LastCodeReserved`], [`Error::WrongStage`].
    pub async fn submit_proof(
        &self,
        call: &Call,
        request: &SubmitProof,
    ) -> Result<Submitted, Error> {
        self.run(call, request).await
    }
}

impl UseCase for SubmitProof {
    type Answer = Submitted;
    fn method(&self) -> Method {
        Method::named("ConfirmationService.SubmitProof")
    }

    fn confirmation(&self) -> Option<ConfirmationId> {
        Some(self.confirmation)
    }

    fn hash_job(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        hashes: &Hashes,
    ) -> Option<HashJob> {
        let Snapshot { registry, now, .. } = snapshot;
        let settings = context.settings;
        let confirmation = self.pending(snapshot, context).ok()?;
        let aim = Use::from(confirmation.purpose);
        let check = self.proofs.check_job(registry, aim, settings, *now, hashes);
        check.or_else(|| {
            let rehash = self.proofs.rehash_job(registry, settings, hashes)?;
            let given = Some(confirmation);
            let checked = self
                .proofs
                .check(registry, aim, context, given, *now, hashes);
            self.is_accepted(confirmation, &checked).then_some(rehash)
        })
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        hashes: &Hashes,
        _: &mut StdRng,
    ) -> Result<Decision<Submitted>, Error> {
        let (now, settings) = (snapshot.now, context.settings);
        let mut confirmation = self.pending(snapshot, context)?.clone();
        let mut registry = snapshot.registry.clone();
        let mut facts = Vec::new();

        let given = self.proofs.authenticators();
        let aim = Use::from(confirmation.purpose);
        let asked = Some(&confirmation);
        let checked = self
            .proofs
            .check(&registry, aim, context, asked, now, hashes);
        let is_on_path = confirmation.allows(&given);
        let accepted = is_on_path && checked.all_accepted();
        if accepted {
            let passed = checked.use_up(&mut registry, hashes, settings, now, &mut facts)?;
            let id = confirmation.id;
            if checked.sent().is_some()
                && let Some(private) = &mut confirmation.private
            {
                private.challenge = None;
            }
            if confirmation.pass(passed, &registry, settings.redeem_within, now) {
                registry.close_confirmation(id);
                facts.push(Fact::Approved { confirmation: id });
                if confirmation.redeem_on_approval {
                    facts.push(Fact::Redeemed { confirmation: id });
                }
            }
        } else {
            checked.count_failures(&mut registry, settings, now, &mut facts)?;
            if confirmation.fail(now) {
                registry.close_confirmation(confirmation.id);
                facts.push(Fact::Failed {
                    confirmation: confirmation.id,
                });
            }
        }

        let answer = Submitted {
            accepted,
            confirmation: confirmation.view(&registry, settings, now),
        };
        let set = ChangeSet::new(registry, facts, answer);
        let mut set = set.with(confirmation);
        set.sms.confirmed = checked.sent().filter(|_| accepted);
        Ok(Decision::from(set))
    }
}

impl SubmitProof {
    /// Whether the proofs are right, and for the stages whose turn it is.
    fn is_accepted(&self, confirmation: &Confirmation, checked: &CheckedProofs) -> bool {
        confirmation.allows(&self.proofs.authenticators()) && checked.all_accepted()
    }

    /// The confirmation, if it awaits these proofs. One that names an authenticator which the
    /// confirmation does not know is let through, to get the answer that a wrong code gets.
    fn pending<'a>(
        &self,
        snapshot: &'a Snapshot,
        context: &Context<'_>,
    ) -> Result<&'a Confirmation, Error> {
        let confirmation = Confirmation::of(
            snapshot.confirmation.as_ref(),
            &context.call.caller,
            &context.settings.grants,
        )?;
        confirmation.require_pending(snapshot.now)?;
        let aim = Use::from(confirmation.purpose);
        self.proofs
            .require_codes_to_spare(&snapshot.registry, aim, snapshot.now)?;
        let given = self.proofs.authenticators();
        let all_known = given.iter().all(|given| confirmation.knows(*given));
        if all_known && !confirmation.allows(&given) {
            return Err(Error::WrongStage);
        }
        Ok(confirmation)
    }
}
