//! Removes a person from the database.

use countersign_primitives::{Label, SubjectId};
use countersign_security_identifiers::Registry;
use rand::rngs::StdRng;

use super::{METHOD, Reason, operators_call};
use crate::{
    Error, Platform,
    event::{Fact, scrub},
    platform::ChangeSet,
    ports::{Applied, Change, ERASED_LABEL, LoadKey, Rows},
};

impl Platform {
    /// Removes the secrets and the personal data of a subject in one commit: PIN, identifiers and
    /// their names, confirmations, request records, addresses and user agents, and what operators
    /// wrote. The events keep their numbers and say what happened, the last of them that this was
    /// done. The reason of it stays.
    ///
    /// # Errors
    /// [`Error::IdentifierNotFound`] when the subject was never heard of; [`Error::OutcomeUnknown`],
    /// after which it may be done again.
    pub async fn admin_erase(&self, subject: &SubjectId, reason: &Reason) -> Result<(), Error> {
        let _turn = self.queue.turn(subject).await?;
        let _place = self.room.enter()?;
        let mut rng = self.generator()?;
        let key = LoadKey {
            subject: subject.clone(),
            confirmation: None,
            request: None,
        };
        let (rows, lock) = self.store.lock(&key).await?;
        match self.erasure(subject, &rows, reason, &mut rng) {
            Ok(change) => match lock.erase(change, scrub).await? {
                Applied::Written => Ok(()),
                Applied::GuardMissed => Err(Error::SubjectBusy),
            },
            Err(error) => {
                lock.release().await?;
                Err(error)
            }
        }
    }

    /// The change that leaves nothing of a subject but its history.
    fn erasure(
        &self,
        subject: &SubjectId,
        rows: &Rows,
        reason: &Reason,
        rng: &mut StdRng,
    ) -> Result<Change, Error> {
        let snapshot = self.open(subject, rows)?;
        if !snapshot.is_known() {
            return Err(Error::IdentifierNotFound);
        }
        let facts = vec![Fact::Erased, reason.fact()];
        let set = ChangeSet::new(Registry::default(), facts, ());
        let call = operators_call(subject);
        let ((), mut change, _) = self.change(&call, METHOD, &snapshot, set, None, rng)?;
        for binding in &mut change.bindings {
            binding.label = Label::numbered(ERASED_LABEL, 1);
        }
        Ok(change)
    }
}
