//! Notes what became of a message, and says so in an event.

use countersign_primitives::{IdentifierId, SecretBytes, SubjectId};
use rand::rngs::StdRng;

use crate::{
    Caller, Error, Method, Platform,
    event::Fact,
    hashing::Hashes,
    platform::{Call, ChangeSet, Context, Decision, Snapshot, UseCase},
    ports::sms::MessageMark,
    sms_plan::SmsPlan,
};

/// What became of a message.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) identifier: IdentifierId,
    pub(crate) mark: MessageMark,
    /// Why, in the carrier's terms.
    pub(crate) reason: Option<String>,
}

impl Platform {
    /// Notes what became of a message, and the event of it, in one commit.
    pub(crate) async fn note_message(&self, subject: &SubjectId, note: Note) -> Result<(), Error> {
        let call = Call {
            subject: subject.clone(),
            caller: Caller::dispatcher(),
            request: None,
            body: SecretBytes::new(Vec::new()),
        };
        self.run(&call, &note).await
    }
}

impl UseCase for Note {
    type Answer = ();

    fn method(&self) -> Method {
        Method::named("countersign dispatcher")
    }

    fn is_note(&self) -> bool {
        true
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        _: &Context<'_>,
        _: &Hashes,
        _: &mut StdRng,
    ) -> Result<Decision<()>, Error> {
        if !snapshot.is_known() {
            return Ok(Decision::Unchanged(()));
        }
        let fact = Fact::Message {
            identifier: self.identifier,
            message: self.mark.id,
            state: self.mark.state.name().into(),
            provider: self.mark.provider.clone(),
            reason: self.reason.clone(),
        };
        let set = ChangeSet::new(snapshot.registry.clone(), vec![fact], ());
        Ok(Decision::from(ChangeSet {
            sms: SmsPlan {
                mark: Some(self.mark.clone()),
                ..SmsPlan::NONE
            },
            ..set
        }))
    }
}
