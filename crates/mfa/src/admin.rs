//! What an operator can do on the server's own machine: look, unlock, disable, reset a PIN, take
//! over apps of another system, make a restored database safe, and remove a person.
//! Never choose a PIN or see a secret.

mod erase;
mod import;

use countersign_primitives::{IdentifierId, SecretBytes, SubjectId};
use rand::rngs::StdRng;

use crate::{
    Caller, Error, IdentifierView, Method, PinView, Platform,
    event::Fact,
    hashing::Hashes,
    platform::{Call, ChangeSet, Context, Decision, Snapshot, UseCase},
    ports::StoredEvent,
    sms_plan::SmsPlan,
};

pub use self::import::{ImportTotp, Imported};

/// What an operator sees of a subject.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Whether the subject was ever heard of.
    pub is_known: bool,
    /// The PIN.
    pub pin: PinView,
    /// Failures of the PIN since its last success.
    pub pin_failures: u32,
    /// The identifiers with their failures over all purposes, then those that were disabled for
    /// good.
    pub identifiers: Vec<(IdentifierView, u32)>,
    /// The latest events, latest first.
    pub events: Vec<StoredEvent>,
}

/// Why an operator does something: 1 to 256 bytes that stand in the event.
#[derive(Clone, Debug)]
pub struct Reason(String);

impl Reason {
    /// The reason with this text; `None` when it is blank, too long, or has control characters.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = !text.is_empty() && text.len() <= 256 && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    /// That an operator did something, for this reason.
    fn fact(&self) -> Fact {
        Fact::ByOperator {
            reason: self.0.clone(),
        }
    }
}

/// The name of whatever an operator does.
const METHOD: Method = Method::named("countersign admin");

/// How many events an operator is shown.
const EVENTS_SHOWN: u64 = 20;

enum Deed {
    Unlock,
    Disable(IdentifierId),
    ResetPin,
    Distrust,
}

struct Act<'a> {
    deed: Deed,
    reason: &'a Reason,
}

impl Platform {
    /// What there is to see of a subject. Nothing is written.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn admin_show(&self, subject: &SubjectId) -> Result<Sight, Error> {
        let snapshot = self.look(subject, None).await?;
        let is_known = snapshot.is_known();
        let Snapshot { registry, now, .. } = snapshot;
        let identifiers = registry.identifiers().iter().map(|identifier| {
            (
                IdentifierView::new(identifier, now),
                identifier.total_failures(),
            )
        });
        let gone = self.gone(subject).await?.into_iter();
        let gone = gone.map(|identifier| (identifier, 0));
        Ok(Sight {
            is_known,
            pin: PinView::new(&registry, now),
            pin_failures: registry.pin().map_or(0, |entry| entry.failures()),
            identifiers: identifiers.chain(gone).collect(),
            events: self.store.events(subject, None, EVENTS_SHOWN).await?,
        })
    }

    /// Ends the locks of a subject, not what the cap disabled.
    ///
    /// # Errors
    /// [`Error::IdentifierNotFound`] when the subject was never heard of.
    pub async fn admin_unlock(&self, subject: &SubjectId, reason: &Reason) -> Result<(), Error> {
        self.act(subject, Deed::Unlock, reason).await
    }

    /// Disables an identifier, or closes one that the cap disabled.
    ///
    /// # Errors
    /// [`Error::IdentifierNotFound`].
    pub async fn admin_disable(
        &self,
        subject: &SubjectId,
        identifier: IdentifierId,
        reason: &Reason,
    ) -> Result<(), Error> {
        self.act(subject, Deed::Disable(identifier), reason).await
    }

    /// Removes the PIN, so that its owner can set a new one.
    ///
    /// # Errors
    /// [`Error::PinNotSet`].
    pub async fn admin_reset_pin(&self, subject: &SubjectId, reason: &Reason) -> Result<(), Error> {
        self.act(subject, Deed::ResetPin, reason).await
    }

    /// Makes what was used since a backup useless, once the database was restored from it: open
    /// confirmations are void, codes of apps count from the step after the next on, and there are no
    /// backup codes until their owner makes new ones. Done again, it does so from that moment on.
    ///
    /// # Errors
    /// [`Error::IdentifierNotFound`] when the subject was never heard of.
    pub async fn admin_after_restore(
        &self,
        subject: &SubjectId,
        reason: &Reason,
    ) -> Result<(), Error> {
        self.act(subject, Deed::Distrust, reason).await
    }

    /// Subjects in the order of their ids: the first ones, or those after one.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn admin_subjects(
        &self,
        after: Option<&SubjectId>,
        most: u64,
    ) -> Result<Vec<SubjectId>, Error> {
        Ok(self.store.subjects(after, most).await?)
    }

    async fn act(&self, subject: &SubjectId, deed: Deed, reason: &Reason) -> Result<(), Error> {
        self.run(&operators_call(subject), &Act { deed, reason })
            .await
    }
}

/// A request of an operator's about a subject. Nobody repeats it under its id, so its record is
/// kept no longer than its own fate may be in doubt.
fn operators_call(subject: &SubjectId) -> Call {
    Call {
        subject: subject.clone(),
        caller: Caller::operator(),
        request: None,
        body: SecretBytes::new(Vec::new()),
    }
}

impl UseCase for Act<'_> {
    type Answer = ();

    fn method(&self) -> Method {
        METHOD
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        _: &Context<'_>,
        _: &Hashes,
        _: &mut StdRng,
    ) -> Result<Decision<()>, Error> {
        let mut registry = snapshot.registry.clone();
        let mut sms = SmsPlan::NONE;
        let fact = match self.deed {
            Deed::Unlock | Deed::Distrust if !snapshot.is_known() => {
                return Err(Error::IdentifierNotFound);
            }
            Deed::Unlock => {
                registry.unlock();
                Fact::Unlocked
            }
            Deed::Disable(identifier) => {
                let disabled = registry
                    .disable(identifier, snapshot.now)
                    .map_err(|error| Error::of_registry(error, snapshot.now))?;
                sms = SmsPlan::disabling(&disabled);
                Fact::Disabled { identifier }
            }
            Deed::ResetPin if registry.reset_pin() => Fact::PinReset,
            Deed::ResetPin => return Err(Error::PinNotSet),
            Deed::Distrust => {
                registry.distrust(snapshot.now);
                Fact::Restored
            }
        };
        let facts = vec![fact, self.reason.fact()];
        let set = ChangeSet::new(registry, facts, ());
        Ok(Decision::from(ChangeSet { sms, ..set }))
    }
}
