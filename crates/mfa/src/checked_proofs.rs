//! Proofs that were checked: uses the right ones up, or counts the wrong ones.

use countersign_backup_codes::Position;
use countersign_primitives::{IdentifierId, MessageId, Timestamp};
use countersign_security_identifiers::{AuthenticatorRef, Ending, Registry, Use};
use countersign_totp::Step;

use crate::{
    Error, Settings,
    confirmation::{Passed, bound_at},
    event::{Fact, RejectionReason},
    hashing::Hashes,
};

/// From how many backup codes on an event says that they run out.
const FEW_CODES: usize = 3;

/// Proofs with what checking them led to.
#[derive(Debug)]
pub(crate) struct CheckedProofs {
    pub(crate) aim: Use,
    pub(crate) accepted: Vec<Accepted>,
    pub(crate) rejected: Vec<(AuthenticatorRef, RejectionReason)>,
}

/// A proof that is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// The PIN.
    Pin,
    /// A code of this app, for this step.
    Step(IdentifierId, Step),
    /// The code at this place of the list of this set.
    Code(IdentifierId, Position),
    /// The code that was sent to this number, with this message.
    Sent(IdentifierId, MessageId),
}

impl Accepted {
    const fn authenticator(self) -> AuthenticatorRef {
        match self {
            Self::Pin => AuthenticatorRef::Pin,
            Self::Step(id, _) | Self::Code(id, _) | Self::Sent(id, _) => {
                AuthenticatorRef::Identifier(id)
            }
        }
    }
}

impl CheckedProofs {
    /// Whether every proof is accepted.
    pub(crate) const fn all_accepted(&self) -> bool {
        self.rejected.is_empty()
    }

    /// Whose proofs are accepted.
    pub(crate) fn accepted_authenticators(&self) -> Vec<AuthenticatorRef> {
        let accepted = self.accepted.iter();
        accepted.map(|accepted| accepted.authenticator()).collect()
    }

    /// The backup code that the list to be made is to hold, where one proved that it may be made.
    pub(crate) fn code_to_hold(&self) -> Option<Position> {
        self.accepted.iter().find_map(|accepted| match accepted {
            Accepted::Code(id, position) if self.aim.ending == Some(Ending::Renew(*id)) => {
                Some(*position)
            }
            Accepted::Pin | Accepted::Step(..) | Accepted::Code(..) | Accepted::Sent(..) => None,
        })
    }

    /// The message whose code was given, if one was.
    pub(crate) fn sent(&self) -> Option<MessageId> {
        self.accepted.iter().find_map(|accepted| match accepted {
            Accepted::Sent(_, message) => Some(*message),
            Accepted::Pin | Accepted::Step(..) | Accepted::Code(..) => None,
        })
    }

    /// Uses the accepted proofs up: codes are spent, runs of failures of this purpose end. Only
    /// when all of them are accepted; else see [`Self::count_failures`]. A code that a new list is
    /// to hold is not spent yet.
    pub(crate) fn use_up(
        &self,
        registry: &mut Registry,
        hashes: &Hashes,
        settings: &Settings,
        now: Timestamp,
        facts: &mut Vec<Fact>,
    ) -> Result<Vec<Passed>, Error> {
        let purpose = self.aim.purpose;
        let refused = |error| Error::of_registry(error, now);
        let mut passed = Vec::new();
        for accepted in &self.accepted {
            let authenticator = accepted.authenticator();
            facts.push(Fact::ProofAccepted {
                authenticator,
                purpose,
            });
            match *accepted {
                Accepted::Step(id, step) => registry
                    .count_totp_success(id, purpose, step)
                    .map_err(refused)?,
                Accepted::Code(id, _) if self.code_to_hold().is_some() => {
                    registry.end_run(id, purpose).map_err(refused)?;
                }
                Accepted::Code(id, position) => {
                    let left = registry.spend_code(id, purpose, position, now);
                    facts.extend(few_left(id, left.map_err(refused)?));
                }
                Accepted::Sent(id, _) => {
                    registry.count_sms_success(id, purpose).map_err(refused)?;
                }
                Accepted::Pin => {
                    registry.count_pin_success();
                    let is_old = registry
                        .pin()
                        .is_some_and(|entry| entry.pin.cost != settings.hash_cost);
                    if let Some(pin) = hashes.kept().filter(|_| is_old) {
                        registry.rehash_pin(pin.clone());
                    }
                }
            }
            if let Some(bound_at) = bound_at(registry, authenticator) {
                passed.push(Passed {
                    authenticator,
                    bound_at,
                });
            }
        }
        Ok(passed)
    }

    /// Counts each proof that was checked and wrong, on its own throttle. Right ones beside it are
    /// not used up, and what was not checked is not counted.
    pub(crate) fn count_failures(
        &self,
        registry: &mut Registry,
        settings: &Settings,
        now: Timestamp,
        facts: &mut Vec<Fact>,
    ) -> Result<(), Error> {
        let purpose = self.aim.purpose;
        facts.extend(self.accepted.iter().map(|accepted| Fact::ProofUnused {
            authenticator: accepted.authenticator(),
        }));
        for &(authenticator, reason) in &self.rejected {
            facts.push(Fact::ProofRejected {
                authenticator,
                purpose,
                reason,
            });
            match reason {
                RejectionReason::Wrong
                | RejectionReason::Malformed
                | RejectionReason::Replayed
                | RejectionReason::Expired
                | RejectionReason::NotSent
                | RejectionReason::Held => {}
                RejectionReason::NotEnrolled
                | RejectionReason::Locked
                | RejectionReason::Capped
                | RejectionReason::Reserved => continue,
            }
            let counted = registry
                .count_failure(authenticator, purpose, &settings.throttle, now)
                .map_err(|error| Error::of_registry(error, now))?;
            if let Some(until) = counted.locked_until {
                facts.push(Fact::Locked {
                    authenticator,
                    purpose,
                    until,
                });
            }
            if counted.warning {
                facts.push(Fact::CapNear {
                    authenticator,
                    failures: counted.total,
                });
            }
            if counted.capped {
                facts.push(Fact::DisabledByCap { authenticator });
            }
        }
        Ok(())
    }
}

/// The warning that backup codes run out, where they do.
pub(crate) fn few_left(identifier: IdentifierId, left: usize) -> Option<Fact> {
    (left <= FEW_CODES).then_some(Fact::CodesLow { identifier, left })
}
