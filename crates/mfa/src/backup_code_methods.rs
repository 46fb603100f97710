//! Backup codes: enables a set, makes more codes for it, puts a list in force, and looks at it.

use countersign_backup_codes::NewCode;
use countersign_primitives::{CodeListId, IdentifierId, Label, SubjectId, Timestamp};
use countersign_security_identifiers::{Kind, PendingList, SecurityIdentifier};
use minicbor::{CborLen, Decode, Encode};
use rand::rngs::StdRng;

use crate::{
    Authorization, Error, IdentifierView, Method, Outcome, Platform, Proofs, SettingsChange,
    checked_proofs::few_left,
    event::Fact,
    hashing::Hashes,
    platform::{Call, ChangeSet, Context, Decision, Snapshot, UseCase},
    settings_change::{ChangeMethod, Draft, ToKeep},
};

/// A set of backup codes with its first list.
#[derive(Clone, Debug)]
pub struct EnableCodes {
    /// What the person calls the set; a name of the kind where it is `None`.
    pub label: Option<Label>,
    /// The PIN and, where an identifier exists, a code of it.
    pub authorization: Authorization,
}

/// Another list for a set of backup codes.
#[derive(Clone, Debug)]
pub struct CreateMoreCodes {
    /// Which set.
    pub identifier: IdentifierId,
    /// One of its codes, be it the last. Only inline: the list holds the code until it is finished
    /// or lapses, while a code given for a confirmation is used up.
    authorization: Authorization,
}

/// A list to be put in force.
#[derive(Clone, Copy, Debug)]
struct Finish {
    list: CodeListId,
}

/// A list that was made and waits to be finished.
#[derive(Debug, Encode, Decode, CborLen)]
pub struct NewCodes {
    /// Its id, for Finish.
    #[n(0)]
    pub list: CodeListId,
    /// The set that it belongs to.
    #[n(1)]
    pub identifier: IdentifierId,
    /// When it lapses.
    #[n(2)]
    pub expires_at: Timestamp,
    /// The codes: there in the first answer only, and never stored with it.
    #[cbor(skip)]
    pub codes: Vec<NewCode>,
}

/// The backup codes of a subject.
#[derive(Clone, Debug)]
pub struct CodesView {
    /// The set; `None` where the subject has none.
    pub identifier: Option<IdentifierView>,
    /// How many codes the list in force has, used ones included.
    pub total: usize,
    /// A list that waits to be finished, and when it lapses.
    pub pending: Option<(CodeListId, Timestamp)>,
}

impl CreateMoreCodes {
    /// Another list for this set, proved by these proofs.
    pub const fn new(identifier: IdentifierId, proofs: Proofs) -> Self {
        Self {
            identifier,
            authorization: Authorization::Proofs(proofs),
        }
    }
}

impl Platform {
    /// Enables a set of backup codes: makes a list, which is in force once it is finished. Until
    /// then the step may be repeated and gives another list.
    ///
    /// # Errors
    /// [`Error::BackupCodesEnabled`], [`Error::PinNotSet`], [`Error::TooManyIdentifiers`],
    /// [`Error::TooManyEnrolments`]; those of its [`Authorization`].
    pub async fn enable_codes(
        &self,
        call: &Call,
        request: &EnableCodes,
    ) -> Result<Outcome<NewCodes>, Error> {
        self.run(call, request).await?.outcome()
    }

    /// Makes another list for a set, which replaces its list once it is finished.
    ///
    /// # Errors
    /// [`Error::IdentifierNotFound`], [`Error::IdentifierNotEnabled`]; those of its
    /// [`Authorization`].
    pub async fn create_more_codes(
        &self,
        call: &Call,
        request: &CreateMoreCodes,
    ) -> Result<Outcome<NewCodes>, Error> {
        self.run(call, request).await?.outcome()
    }

    /// Puts a list in force: the set is enabled, or its earlier list void. It takes no proof: the
    /// list was proved for.
    ///
    /// # Errors
    /// [`Error::CodeListNotFound`].
    pub async fn finish_codes(
        &self,
        call: &Call,
        list: CodeListId,
    ) -> Result<IdentifierView, Error> {
        self.run(call, &Finish { list }).await
    }

    /// The backup codes of a subject as they are now. Nothing is written.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn codes(&self, subject: &SubjectId) -> Result<CodesView, Error> {
        let Snapshot { registry, now, .. } = self.look(subject, None).await?;
        let set = registry.set_of_codes(now);
        let codes = set.and_then(|set| set.backup_codes());
        let pending = codes.and_then(|codes| codes.pending(now));
        Ok(CodesView {
            identifier: set.map(|set| IdentifierView::new(set, now)),
            total: codes.map_or(0, |codes| codes.list.hashes.len()),
            pending: pending.map(|pending| (pending.id, pending.expires_at)),
        })
    }
}

impl ChangeMethod for EnableCodes {
    type Done = NewCodes;

    fn name(&self) -> Method {
        Method::named("BackupCodeService.Enable")
    }

    fn change(&self) -> SettingsChange {
        SettingsChange::EnableCodes
    }

    fn authorization(&self) -> &Authorization {
        &self.authorization
    }

    fn to_keep(&self, context: &Context<'_>) -> Option<ToKeep<'_>> {
        Some(ToKeep::NewCodes(context.settings.backup_codes))
    }

    fn make(
        &self,
        draft: &mut Draft<'_>,
        context: &Context<'_>,
        rng: &mut StdRng,
    ) -> Result<NewCodes, Error> {
        let (list, codes) = new_list(draft, context, rng)?;
        let (id, expires_at) = (list.id, list.expires_at);
        let limits = &context.settings.limits;
        let fresh = IdentifierId::random(rng);
        let identifier = draft
            .registry
            .begin_codes(fresh, self.label.clone(), list, limits, draft.now)
            .map_err(|error| Error::of_registry(error, draft.now))?;
        draft.facts.push(Fact::EnrolmentBegun {
            identifier,
            kind: Kind::BackupCodes,
        });
        Ok(NewCodes {
            list: id,
            identifier,
            expires_at,
            codes,
        })
    }
}

impl ChangeMethod for CreateMoreCodes {
    type Done = NewCodes;

    fn name(&self) -> Method {
        Method::named("BackupCodeService.CreateMore")
    }

    fn change(&self) -> SettingsChange {
        let identifier = self.identifier;
        SettingsChange::RenewCodes { identifier }
    }

    fn authorization(&self) -> &Authorization {
        &self.authorization
    }

    fn to_keep(&self, context: &Context<'_>) -> Option<ToKeep<'_>> {
        Some(ToKeep::NewCodes(context.settings.backup_codes))
    }

    fn make(
        &self,
        draft: &mut Draft<'_>,
        context: &Context<'_>,
        rng: &mut StdRng,
    ) -> Result<NewCodes, Error> {
        let (list, codes) = new_list(draft, context, rng)?;
        let (identifier, now) = (self.identifier, draft.now);
        let (id, expires_at) = (list.id, list.expires_at);
        draft
            .registry
            .renew_codes(identifier, list)
            .map_err(|error| Error::of_registry(error, now))?;
        let renewed = draft.registry.identifier(identifier);
        let left = renewed
            .and_then(SecurityIdentifier::backup_codes)
            .map(|codes| codes.left(now));
        let few = left.and_then(|left| few_left(identifier, left));
        draft.facts.extend(few);
        draft.facts.push(Fact::CodesMade { identifier });
        Ok(NewCodes {
            list: id,
            identifier,
            expires_at,
            codes,
        })
    }
}

/// The list that was made, as it waits for its owner, and its codes. Its hashes are at hand: they
/// were asked for once everything typed was right.
fn new_list(
    draft: &Draft<'_>,
    context: &Context<'_>,
    rng: &mut StdRng,
) -> Result<(PendingList, Vec<NewCode>), Error> {
    let made = draft.hashes.made().ok_or(Error::HashPoolBusy)?;
    let list = PendingList {
        id: CodeListId::random(rng),
        list: made.list.clone(),
        expires_at: draft.now.plus(context.settings.limits.code_list_life),
        caller: context.call.caller.as_str().to_owned(),
        held: draft.code_to_hold,
    };
    Ok((list, made.codes.clone()))
}

impl UseCase for Finish {
    type Answer = IdentifierView;

    fn method(&self) -> Method {
        Method::named("BackupCodeService.Finish")
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        _: &Hashes,
        _: &mut StdRng,
    ) -> Result<Decision<IdentifierView>, Error> {
        let now = snapshot.now;
        let mut registry = snapshot.registry.clone();
        let identifier = registry
            .finish_codes(self.list, context.call.caller.as_str(), now)
            .map_err(|error| Error::of_registry(error, now))?;
        let before = snapshot.registry.identifier(identifier);
        let fact = if before.is_some_and(|before| before.counts()) {
            Fact::CodesReplaced { identifier }
        } else {
            Fact::Enabled {
                identifier,
                kind: Kind::BackupCodes,
            }
        };
        let answer = IdentifierView::find(&registry, identifier, now)?;
        Ok(Decision::from(ChangeSet::new(registry, vec![fact], answer)))
    }
}
