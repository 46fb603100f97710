//! Asks for a decision about an operation.

use countersign_policy::{self as policy, Missing, Ruling};
use countersign_primitives::ConfirmationId;
use countersign_security_identifiers::{Kind, Obstacle, OpenConfirmation, Path, Use};
use minicbor::{CborLen, Decode, Encode};
use rand::rngs::StdRng;

use crate::{
    ConfirmationView, Error, Method, Operation, Platform,
    confirmation::{Confirmation, Phase, Private},
    event::{Fact, obstacle_name},
    hashing::Hashes,
    platform::{Call, ChangeSet, Context, Decision, Snapshot, UseCase},
    view::OptionView,
};

/// A request to have an operation confirmed.
#[derive(Clone, Debug)]
pub struct Create {
    /// The operation.
    pub operation: Operation,
    /// Whether the approval redeems in the same commit: for logins, where the caller acts at once.
    pub redeem_on_approval: bool,
}

/// What was decided about an operation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Created {
    /// It has to be confirmed.
    #[n(0)]
    Confirmation(#[n(0)] Box<ConfirmationView>),
    /// It may go on: the subject chose to prove nothing for it.
    #[n(1)]
    NotRequired,
    /// The subject has to enrol first.
    #[n(2)]
    EnrolmentRequired {
        /// A PIN.
        #[n(0)]
        pin: bool,
        /// An identifier of one of these kinds; none where one is there.
        #[n(1)]
        kinds: Vec<Kind>,
    },
    /// What would have to be proved cannot be proved now.
    #[n(3)]
    Denied(#[n(0)] DenialView),
}

/// Why an operation is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum DenialView {
    /// Only locks that end stand in the way.
    #[n(0)]
    TemporarilyLocked(#[n(0)] countersign_primitives::Timestamp),
    /// An operator has to help.
    #[n(1)]
    RecoveryRequired,
    /// The policy lets no such operation go on.
    #[n(2)]
    RefusedByPolicy,
}

impl From<Obstacle> for DenialView {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::TemporarilyLocked { retry_at } => Self::TemporarilyLocked(retry_at),
            Obstacle::RecoveryRequired => Self::RecoveryRequired,
        }
    }
}

impl Platform {
    /// Asks for a decision about an operation.
    ///
    /// # Errors
    /// [`Error::TooManyConfirmations`]; for a settings change those that its method has.
    pub async fn create(&self, call: &Call, request: &Create) -> Result<Created, Error> {
        self.run(call, request).await
    }
}

impl UseCase for Create {
    type Answer = Created;
    fn method(&self) -> Method {
        Method::named("ConfirmationService.Create")
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        context: &Context<'_>,
        _: &Hashes,
        rng: &mut StdRng,
    ) -> Result<Decision<Created>, Error> {
        let operation = self.operation.kind().into();
        let (answer, fact) = match self.rule(snapshot, context)? {
            Ruling::Required(paths) => return self.open(paths, snapshot, context, rng),
            Ruling::NotRequired => (Created::NotRequired, Fact::NotRequired { operation }),
            Ruling::EnrolmentRequired(Missing { pin, mut kinds }) => {
                // Where no codes are sent, no phone can be enrolled. A stage that takes nothing else
                // says so all the same.
                if context.settings.sms.is_none() && kinds.iter().any(|kind| *kind != Kind::Sms) {
                    kinds.retain(|kind| *kind != Kind::Sms);
                }
                (
                    Created::EnrolmentRequired { pin, kinds },
                    Fact::EnrolmentRequired { operation },
                )
            }
            Ruling::Denied(obstacle) => (
                Created::Denied(obstacle.into()),
                Fact::Denied {
                    operation,
                    reason: obstacle_name(obstacle).into(),
                },
            ),
            Ruling::Refused => (
                Created::Denied(DenialView::RefusedByPolicy),
                Fact::Denied {
                    operation,
                    reason: "REFUSED_BY_POLICY".into(),
                },
            ),
        };
        let registry = snapshot.registry.clone();
        let facts = self.facts(fact);
        Ok(Decision::from(ChangeSet::new(registry, facts, answer)))
    }
}

impl Create {
    /// What happened, and where it was asked for, if the caller said so.
    fn facts(&self, fact: Fact) -> Vec<Fact> {
        let mut facts = vec![fact];
        if let Operation::Login(login) = &self.operation
            && !(login.ip_address.is_empty() && login.user_agent.is_empty())
        {
            facts.push(Fact::AskedFrom {
                ip_address: login.ip_address.clone(),
                user_agent: login.user_agent.clone(),
            });
        }
        facts
    }

    fn rule(&self, snapshot: &Snapshot, context: &Context<'_>) -> Result<Ruling, Error> {
        let Snapshot { registry, now, .. } = snapshot;
        let operation = match &self.operation {
            Operation::SettingsChange(change) => {
                let paths = change.paths(snapshot, context)?;
                let aim = Use::from(self.operation.purpose());
                return Ok(match registry.obstacle(&paths, aim, *now) {
                    Some(obstacle) => Ruling::Denied(obstacle),
                    None if paths.iter().any(|path| path.stages.is_empty()) => Ruling::NotRequired,
                    None => Ruling::Required(paths),
                });
            }
            Operation::Login(_) => policy::Operation::Login,
            Operation::Withdrawal(withdrawal) => policy::Operation::Withdrawal {
                payment_method: &withdrawal.payment_method,
            },
            Operation::Custom(custom) => policy::Operation::Custom { kind: &custom.kind },
        };
        let caller = context.call.caller.as_str();
        let case = policy::Case { caller, operation };
        Ok(context.settings.policy.rule(&case, registry, *now))
    }

    fn open(
        &self,
        paths: Vec<Path>,
        snapshot: &Snapshot,
        context: &Context<'_>,
        rng: &mut StdRng,
    ) -> Result<Decision<Created>, Error> {
        let (now, settings) = (snapshot.now, context.settings);
        let id = ConfirmationId::random(rng);
        let purpose = self.operation.purpose();
        let expires_at = now.plus(settings.approve_within);
        let mut registry = snapshot.registry.clone();
        registry
            .open_confirmation(OpenConfirmation { id, expires_at }, &settings.limits, now)
            .map_err(|error| Error::of_registry(error, now))?;

        let is_phone = |option: &OptionView| option.masked_number.is_some();
        let offers = OptionView::of_paths(&paths, &registry, purpose.into(), now);
        let takes_a_sent_code = offers.iter().any(is_phone);
        let confirmation = Confirmation {
            id,
            caller: context.call.caller.as_str().to_owned(),
            purpose,
            digest: self.operation.digest(&context.call.subject),
            created_at: now,
            phase: Phase::Pending(expires_at),
            failures: 0,
            attempts: settings.attempts,
            paths,
            offers,
            passed: Vec::new(),
            redeem_on_approval: self.redeem_on_approval,
            is_settings_change: matches!(self.operation, Operation::SettingsChange(_)),
            sends: 0,
            sealed: None,
            private: takes_a_sent_code.then(|| Private {
                template: self.operation.template(),
                challenge: None,
            }),
        };
        let created = Fact::ConfirmationCreated {
            confirmation: id,
            operation: self.operation.kind().into(),
            digest: format!("{:?}", confirmation.digest),
        };
        let view = confirmation.view(&registry, settings, now);
        let set = ChangeSet::new(
            registry,
            self.facts(created),
            Created::Confirmation(Box::new(view)),
        );
        Ok(Decision::from(set.with(confirmation)))
    }
}
