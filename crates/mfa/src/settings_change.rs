//! Settings changes: what each takes, and how a method makes one. It is authorized by inline
//! proofs, or by a confirmation of exactly this change, which is consumed.

mod paths;

use countersign_backup_codes::Position;
use countersign_primitives::{ConfirmationId, IdentifierId, MessageId, SecretString, Timestamp};
use countersign_security_identifiers::{
    AuthenticatorRef, Kind, Purpose, PurposeSet, Registry, Use,
};
use countersign_totp::Step;
use minicbor::{CborLen, Decode, Encode};
use rand::rngs::StdRng;

use crate::{
    Error, Method, Operation, Proofs, SettingsChange,
    checked_proofs::CheckedProofs,
    confirmation::{Approval, Confirmation},
    event::{Fact, RejectionReason},
    hashing::{HashJob, Hashes},
    platform::{ChangeSet, Context, Decision, Snapshot, UseCase},
    ports::sms::SharedKey,
    proofs::require_covered,
    sms_plan::SmsPlan,
};

/// What authorizes a settings change. Whatever the change, it is refused with
/// [`Error::StepUpRequired`] or [`Error::Denied`] where the proofs are not those that it takes, and
/// with [`Error::LastCodeReserved`] where one is by a set with no code to spare. By confirmation there
/// are [`Error::ConfirmationNotFound`], [`Error::ConfirmationNotApproved`],
/// [`Error::ConfirmationExpired`], [`Error::AlreadyRedeemed`], [`Error::OperationMismatch`] and
/// [`Error::AuthenticatorChanged`].
#[derive(Clone, Debug)]
pub enum Authorization {
    /// Proofs, given with it.
    Proofs(Proofs),
    /// An approved confirmation of exactly this change, which it consumes.
    Confirmation(ConfirmationId),
}

/// The answer to a settings change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It is done.
    Done(T),
    /// A proof was not accepted.
    Rejected,
}

/// The answers that leave an event.
#[derive(Encode, Decode, CborLen)]
pub(crate) enum Settled<T> {
    #[n(0)]
    Done(#[n(0)] T),
    #[n(1)]
    Rejected,
    #[n(2)]
    OperationMismatch,
    #[n(3)]
    AuthenticatorChanged,
}

impl<T> Settled<T> {
    /// The outcome, or why the confirmation does not authorize the change.
    pub(crate) fn outcome(self) -> Result<Outcome<T>, Error> {
        match self {
            Self::Done(done) => Ok(Outcome::Done(done)),
            Self::Rejected => Ok(Outcome::Rejected),
            Self::OperationMismatch => Err(Error::OperationMismatch),
            Self::AuthenticatorChanged => Err(Error::AuthenticatorChanged),
        }
    }
}

/// A method that makes a settings change. What is common to all of them is the implementation of
/// [`UseCase`] below: find what authorizes it, check everything, and then make the change or count
/// each failure.
pub(crate) trait ChangeMethod: Sync {
    /// What is answered when it is done.
    type Done: Encode<()> + CborLen<()> + for<'b> Decode<'b, ()> + Send;

    /// The name of the method.
    fn name(&self) -> Method;

    /// The change with its exact parameters.
    fn change(&self) -> SettingsChange;

    /// What authorizes it.
    fn authorization(&self) -> &Authorization;

    /// A refusal that comes before anything typed is looked at.
    fn require_allowed(&self, _: &Snapshot, _: &Context<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// What is to be kept as a hash.
    fn to_keep(&self, _: &Context<'_>) -> Option<ToKeep<'_>> {
        None
    }

    /// Which rows that subjects share the change needs, if any.
    fn shared(&self, _: &Snapshot, _: &Context<'_>) -> Result<Option<SharedKey>, Error> {
        Ok(None)
    }

    /// Checks the own code of a new identifier, which is no proof.
    fn check_own_code(&self, _: &Snapshot, _: &Context<'_>) -> OwnCode {
        OwnCode::NotAsked
    }

    /// Makes the change, once everything typed was right.
    fn make(
        &self,
        draft: &mut Draft<'_>,
        context: &Context<'_>,
        rng: &mut StdRng,
    ) -> Result<Self::Done, Error>;
}

/// What a method keeps as a hash.
pub(crate) enum ToKeep<'a> {
    Pin(&'a SecretString),
    NewCodes(usize),
}

/// A change in the making.
pub(crate) struct Draft<'a> {
    pub(crate) now: Timestamp,
    pub(crate) registry: Registry,
    pub(crate) facts: Vec<Fact>,
    /// What was found out about the own code of a new identifier.
    pub(crate) own_code: OwnCode,
    /// What was hashed.
    pub(crate) hashes: &'a Hashes,
    /// Who gave the proofs that authorize it.
    pub(crate) proved_by: Vec<AuthenticatorRef>,
    /// The backup code that a new list is to hold.
    pub(crate) code_to_hold: Option<Position>,
    /// What it does about messages.
    pub(crate) sms: SmsPlan,
}

impl Draft<'_> {
    /// That an identifier is enabled, and what it is switched on for at once.
    pub(crate) fn note_enabled(
        &mut self,
        identifier: IdentifierId,
        kind: Kind,
        purposes: PurposeSet,
    ) {
        self.facts.push(Fact::Enabled { identifier, kind });
        let on = purposes.iter().map(|purpose| Fact::SwitchedOn {
            identifier,
            purpose,
        });
        self.facts.extend(on);
    }
}

/// What the own code of a new identifier led to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnCode {
    NotAsked,
    /// Of an app: the step of it.
    Right(Step),
    /// The one that was sent with this message.
    Sent(MessageId),
    Wrong(IdentifierId, Kind, RejectionReason),
}

/// How a settings change stands before anything is counted.
struct Weighed {
    /// Whether there is what it is about. Where not, proofs are checked and counted all the same,
    /// and have the answer of a wrong one.
    has_target: bool,
    grounds: Grounds,
    own_code: OwnCode,
}

/// What it stands on.
enum Grounds {
    Proofs(CheckedProofs),
    Confirmation(Box<Confirmation>, Approval),
}

impl Weighed {
    /// Whether the change is made.
    const fn is_authorized(&self) -> bool {
        let own_code_is_right = !matches!(self.own_code, OwnCode::Wrong(..));
        let is_granted = match &self.grounds {
            Grounds::Proofs(checked) => checked.all_accepted(),
            Grounds::Confirmation(_, approval) => matches!(approval, Approval::Stands { .. }),
        };
        self.has_target && is_granted && own_code_is_right
    }
}

impl<T: ChangeMethod> UseCase for T {
    type Answer = Settled<T::Done>;

    fn method(&self) -> Method {
        self.name()
    }

    fn confirmation(&self) -> Option<ConfirmationId> {
        match self.authorization() {
            Authorization::Proofs(_) => None,
            Authorization::Confirmation(id) => Some(*id),
        }
    }

    fn hash_job(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        hashes: &Hashes,
    ) -> Option<HashJob> {
        let weighed = weigh(self, snapshot, context, hashes).ok()?;
        let Snapshot { registry, now, .. } = snapshot;
        let (aim, settings) = (self.change().aim(), context.settings);
        let proofs = match self.authorization() {
            Authorization::Proofs(proofs) => Some(proofs),
            Authorization::Confirmation(_) => None,
        };
        let check = proofs.and_then(|it| it.check_job(registry, aim, settings, *now, hashes));
        if check.is_some() || !weighed.is_authorized() {
            return check;
        }
        let cost = settings.hash_cost;
        match self.to_keep(context) {
            Some(ToKeep::Pin(secret)) => hashes.kept().is_none().then(|| HashJob::Keep {
                secret: secret.clone(),
                cost,
            }),
            Some(ToKeep::NewCodes(count)) if hashes.made().is_none() => {
                Some(HashJob::MakeCodes { count, cost })
            }
            Some(ToKeep::NewCodes(_)) | None => {
                proofs.and_then(|proofs| proofs.rehash_job(registry, settings, hashes))
            }
        }
    }

    fn shared(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Option<SharedKey>, Error> {
        ChangeMethod::shared(self, snapshot, context)
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        hashes: &Hashes,
        rng: &mut StdRng,
    ) -> Result<Decision<Self::Answer>, Error> {
        let weighed = weigh(self, snapshot, context, hashes)?;
        let is_authorized = weighed.is_authorized();
        if !snapshot.is_known() && !is_authorized {
            return Ok(Decision::Unchanged(Settled::Rejected));
        }
        let (now, settings) = (snapshot.now, context.settings);
        let mut draft = Draft {
            now,
            registry: snapshot.registry.clone(),
            facts: Vec::new(),
            own_code: weighed.own_code,
            hashes,
            proved_by: weighed.grounds.proved_by(),
            code_to_hold: weighed.grounds.code_to_hold(),
            sms: SmsPlan::NONE,
        };
        if let OwnCode::Wrong(identifier, kind, reason) = weighed.own_code {
            draft.registry.count_enrolment_failure(kind, now);
            let rejected = Fact::EnrolmentCodeRejected { identifier, reason };
            draft.facts.push(rejected);
        }
        let mut confirmation = None;
        let Draft {
            registry, facts, ..
        } = &mut draft;
        match weighed.grounds {
            Grounds::Proofs(checked) if is_authorized => {
                checked.use_up(registry, hashes, settings, now, facts)?;
            }
            Grounds::Proofs(checked) => checked.count_failures(registry, settings, now, facts)?,
            Grounds::Confirmation(mut consumed, Approval::Stands { at }) => {
                if is_authorized {
                    facts.push(consumed.redeem(at, now));
                    confirmation = Some(*consumed);
                }
            }
            Grounds::Confirmation(refused, Approval::OperationMismatch) => {
                let mismatch = Fact::OperationMismatch {
                    confirmation: refused.id,
                };
                let set =
                    ChangeSet::new(draft.registry, vec![mismatch], Settled::OperationMismatch);
                return Ok(Decision::from(set));
            }
            Grounds::Confirmation(refused, Approval::AuthenticatorChanged) => {
                let changed = Fact::RedeemRefused {
                    confirmation: refused.id,
                };
                let set =
                    ChangeSet::new(draft.registry, vec![changed], Settled::AuthenticatorChanged);
                return Ok(Decision::from(set));
            }
        }
        let answer = if is_authorized {
            Settled::Done(self.make(&mut draft, context, rng)?)
        } else {
            Settled::Rejected
        };
        let set = ChangeSet::new(draft.registry, draft.facts, answer);
        Ok(Decision::from(ChangeSet {
            confirmation,
            sms: draft.sms,
            ..set
        }))
    }
}

impl Grounds {
    fn proved_by(&self) -> Vec<AuthenticatorRef> {
        match self {
            Self::Proofs(checked) => checked.accepted_authenticators(),
            Self::Confirmation(confirmation, _) => confirmation.passed_by(),
        }
    }

    fn code_to_hold(&self) -> Option<Position> {
        match self {
            Self::Proofs(checked) => checked.code_to_hold(),
            Self::Confirmation(..) => None,
        }
    }
}

/// Checks everything typed, where it is worth checking.
///
/// # Errors
/// Those of the change before a proof is looked at, [`Error::StepUpRequired`], [`Error::Denied`],
/// [`Error::LastCodeReserved`]; those of a confirmation that is not approved.
fn weigh(
    request: &impl ChangeMethod,
    snapshot: &Snapshot,
    context: &Context<'_>,
    hashes: &Hashes,
) -> Result<Weighed, Error> {
    request.require_allowed(snapshot, context)?;
    let change = request.change();
    match request.authorization() {
        Authorization::Proofs(proofs) => {
            weigh_proofs(request, &change, proofs, snapshot, context, hashes)
        }
        Authorization::Confirmation(_) => {
            let found = Confirmation::of(
                snapshot.confirmation.as_ref(),
                &context.call.caller,
                &context.settings.grants,
            )?;
            weigh_confirmation(request, change, found, snapshot, context)
        }
    }
}

fn weigh_proofs(
    request: &impl ChangeMethod,
    change: &SettingsChange,
    proofs: &Proofs,
    snapshot: &Snapshot,
    context: &Context<'_>,
    hashes: &Hashes,
) -> Result<Weighed, Error> {
    let Snapshot { registry, now, .. } = snapshot;
    let aim = change.aim();
    proofs.require_unsent(registry)?;
    proofs.require_codes_to_spare(registry, aim, *now)?;
    // The code of an enrolment is always typed.
    let is_enrolment = matches!(
        change,
        SettingsChange::EnableTotp { .. } | SettingsChange::EnableSms { .. }
    );
    let is_typed = is_enrolment || !proofs.is_empty();
    let has_target = match change.paths(snapshot, context) {
        Ok(paths) => {
            require_covered(&proofs.authenticators(), &paths, registry, aim, *now)?;
            true
        }
        Err(Error::IdentifierNotFound) if is_typed => false,
        Err(Error::PinNotSet) if is_typed && !snapshot.is_known() => false,
        Err(error) => return Err(error),
    };
    Ok(Weighed {
        has_target,
        grounds: Grounds::Proofs(proofs.check(registry, aim, context, None, *now, hashes)),
        own_code: if has_target {
            request.check_own_code(snapshot, context)
        } else {
            OwnCode::NotAsked
        },
    })
}

/// A confirmation authorizes what it was created for, once, and only while the proofs given for it
/// would still do: what was enrolled since may ask for more.
fn weigh_confirmation(
    request: &impl ChangeMethod,
    change: SettingsChange,
    found: &Confirmation,
    snapshot: &Snapshot,
    context: &Context<'_>,
) -> Result<Weighed, Error> {
    let Snapshot { registry, now, .. } = snapshot;
    let aim = Use::from(Purpose::Other);
    let paths = change.paths(snapshot, context);
    let operation = Operation::SettingsChange(change);
    let digest = operation.digest(&context.call.subject);
    let approval = found.approval(digest, registry, *now)?;
    if matches!(approval, Approval::Stands { .. }) {
        require_covered(&found.passed_by(), &paths?, registry, aim, *now)?;
    }
    Ok(Weighed {
        has_target: true,
        grounds: Grounds::Confirmation(Box::new(found.clone()), approval),
        own_code: match approval {
            Approval::Stands { .. } => request.check_own_code(snapshot, context),
            Approval::OperationMismatch | Approval::AuthenticatorChanged => OwnCode::NotAsked,
        },
    })
}
