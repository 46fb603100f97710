//! The words of a use case: what it is asked, what it may look at, and what it decides.

use countersign_keyring::Keyring;
use countersign_primitives::{ConfirmationId, RequestId, SecretBytes, SubjectId, Timestamp};
use countersign_security_identifiers::Registry;
use minicbor::{CborLen, Decode, Encode};
use rand::rngs::StdRng;

use crate::{
    Caller, Error, Method, Settings,
    confirmation::Confirmation,
    event::Fact,
    hashing::{HashJob, Hashes},
    ports::sms::{SharedKey, SpendRow},
    shared::Shared,
    sms_plan::SmsPlan,
};

/// Who asks about whom, and how a repetition of the request is known.
#[derive(Clone, Debug)]
pub struct Call {
    /// The subject.
    pub subject: SubjectId,
    /// The caller.
    pub caller: Caller,
    /// The request's id, if the caller gave one.
    pub request: Option<RequestId>,
    /// The request's body in its canonical encoding: a MAC of it tells a repetition from another
    /// request with the same id.
    pub body: SecretBytes,
}

/// A subject as one moment found it.
pub(crate) struct Snapshot {
    pub(crate) now: Timestamp,
    pub(crate) registry: Registry,
    pub(crate) confirmation: Option<Confirmation>,
    pub(super) version: Option<i64>,
    pub(super) secrets: SecretBytes,
}

impl Snapshot {
    /// Whether the subject has a row.
    pub(crate) const fn is_known(&self) -> bool {
        self.version.is_some()
    }
}

/// What a use case decided.
pub(crate) enum Decision<A> {
    /// The answer, with nothing to write.
    Unchanged(A),
    /// The answer, once the change is written.
    Changed(Box<ChangeSet<A>>),
    /// What was chosen of the rows that subjects share will not do any more: look again.
    LookAgain,
}

/// What is to be written in one commit.
pub(crate) struct ChangeSet<A> {
    pub(crate) registry: Registry,
    pub(crate) confirmation: Option<Confirmation>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) sms: SmsPlan,
    pub(crate) answer: A,
    /// Whether a repetition of the request is answered so too. A refusal is not kept: the same
    /// request may come again when it will do.
    pub(crate) is_kept: bool,
}

/// A request that checks or changes something. Its functions are pure: they look at the snapshot, the
/// results of the hashes, the rows that subjects share and the generator they are given, and at nothing
/// else.
pub(crate) trait UseCase: Sync {
    /// What is answered. Its encoding leaves secrets out.
    type Answer: Encode<()> + CborLen<()> + for<'b> Decode<'b, ()> + Send;

    /// The name of the method.
    fn method(&self) -> Method;

    /// Whether it notes what has happened already, and so is let in however many others wait.
    fn is_note(&self) -> bool {
        false
    }

    /// The confirmation that the request is about.
    fn confirmation(&self) -> Option<ConfirmationId> {
        None
    }

    /// The next Argon2 run that a decision needs and that is not at hand.
    fn hash_job(&self, _: &Snapshot, _: &Context<'_>, _: &Hashes) -> Option<HashJob> {
        None
    }

    /// Which rows that subjects share the decision needs, if any.
    fn shared(&self, _: &Snapshot, _: &Context<'_>) -> Result<Option<SharedKey>, Error> {
        Ok(None)
    }

    /// Decides.
    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        hashes: &Hashes,
        rng: &mut StdRng,
    ) -> Result<Decision<Self::Answer>, Error>;
}

/// What a decision may know beside the snapshot.
pub(crate) struct Context<'a> {
    pub(crate) call: &'a Call,
    pub(crate) settings: &'a Settings,
    pub(crate) keyring: &'a Keyring,
    /// The rows that subjects share, where the use case has asked for them.
    pub(crate) shared: Option<&'a Shared>,
}

impl<A> ChangeSet<A> {
    /// A change of the registry, with the facts of it.
    pub(crate) const fn new(registry: Registry, facts: Vec<Fact>, answer: A) -> Self {
        Self {
            registry,
            confirmation: None,
            facts,
            sms: SmsPlan::NONE,
            answer,
            is_kept: true,
        }
    }

    /// The same as a refusal by which a prefix closes.
    pub(crate) fn closing(mut self, row: SpendRow) -> Self {
        self.sms.spend.push(row);
        self.is_kept = false;
        self
    }

    /// The same with a confirmation that is new or has changed.
    pub(crate) fn with(self, confirmation: Confirmation) -> Self {
        Self {
            confirmation: Some(confirmation),
            ..self
        }
    }
}

impl<A> From<ChangeSet<A>> for Decision<A> {
    fn from(set: ChangeSet<A>) -> Self {
        Self::Changed(Box::new(set))
    }
}
