//! One decision about one operation, from request to redemption.

use std::time::Duration;

use countersign_primitives::{ConfirmationId, Digest, IdentifierId, Timestamp};
use countersign_security_identifiers::{AuthenticatorRef, Path, Purpose, Registry, Stage, State};
use countersign_sms_codes::Challenge;
use countersign_sms_text::Template;
use minicbor::{CborLen, Decode, Encode, bytes::ByteVec};

use crate::{
    Caller, Error, Grants, SentCode, Settings,
    event::Fact,
    view::{OptionView, PathView},
};

/// A confirmation as it is stored.
#[derive(Clone, Debug, Encode, Decode, CborLen)]
pub(crate) struct Confirmation {
    #[n(0)]
    pub(crate) id: ConfirmationId,
    /// Who created it, and alone may act on it.
    #[n(1)]
    pub(crate) caller: String,
    #[n(2)]
    pub(crate) purpose: Purpose,
    #[n(3)]
    pub(crate) digest: Digest,
    #[n(4)]
    pub(crate) created_at: Timestamp,
    #[n(5)]
    pub(crate) phase: Phase,
    /// Rejected calls so far.
    #[n(6)]
    pub(crate) failures: u32,
    /// Rejected calls that end it.
    #[n(7)]
    pub(crate) attempts: u32,
    #[n(8)]
    pub(crate) paths: Vec<Path>,
    /// The options of the paths as they were offered at Create. What is shown of them does not
    /// change: the answer to a proof must not tell a locked or disabled authenticator from a
    /// wrong code.
    #[n(9)]
    pub(crate) offers: Vec<OptionView>,
    #[n(10)]
    pub(crate) passed: Vec<Passed>,
    #[n(11)]
    pub(crate) redeem_on_approval: bool,
    /// Whether it confirms a settings change, which its own method consumes.
    #[n(12)]
    pub(crate) is_settings_change: bool,
    /// How many messages it took.
    #[n(13)]
    #[cbor(default)]
    pub(crate) sends: u32,
    /// The private part, sealed.
    #[n(14)]
    pub(crate) sealed: Option<ByteVec>,
    /// The private part, where a code may be sent for it: open in memory only.
    #[cbor(skip)]
    pub(crate) private: Option<Private>,
}

/// What a confirmation keeps sealed.
#[derive(Clone, Debug, Encode, Decode, CborLen)]
pub(crate) struct Private {
    /// What a message with a code says.
    #[n(0)]
    pub(crate) template: Template,
    /// The newest code that was sent, until it is used.
    #[n(1)]
    pub(crate) challenge: Option<Challenge>,
}

/// Where a stored confirmation is. That it has expired is derived from the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub(crate) enum Phase {
    #[n(0)]
    Pending(#[n(0)] Timestamp),
    #[n(1)]
    Approved {
        #[n(0)]
        at: Timestamp,
        #[n(1)]
        redeem_by: Timestamp,
    },
    #[n(2)]
    Failed(#[n(0)] Timestamp),
    #[n(3)]
    Cancelled(#[n(0)] Timestamp),
    #[n(4)]
    Redeemed {
        #[n(0)]
        approved_at: Timestamp,
        #[n(1)]
        at: Timestamp,
    },
}

/// An authenticator whose proof passed a stage, and since when it has been what it was then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub(crate) struct Passed {
    #[n(0)]
    pub(crate) authenticator: AuthenticatorRef,
    #[n(1)]
    pub(crate) bound_at: Timestamp,
}

impl Passed {
    fn still_stands(&self, registry: &Registry) -> bool {
        bound_at(registry, self.authenticator) == Some(self.bound_at)
    }
}

/// Whether an approved confirmation permits an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Approval {
    /// It does.
    Stands {
        /// When it was approved.
        at: Timestamp,
    },
    /// The operation is another one.
    OperationMismatch,
    /// An authenticator whose proof passed is no longer what it was.
    AuthenticatorChanged,
}

/// The state of a confirmation as callers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(index_only)]
pub enum StateView {
    /// Proofs are awaited.
    #[n(1)]
    Pending,
    /// Every stage is passed; it permits nothing until it is redeemed.
    #[n(2)]
    Approved,
    /// The attempts are used up.
    #[n(3)]
    Failed,
    /// Its time is over.
    #[n(4)]
    Expired,
    /// The caller withdrew it.
    #[n(5)]
    Cancelled,
    /// It permitted its operation, once.
    #[n(6)]
    Redeemed,
}

/// A confirmation as callers see it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct ConfirmationView {
    /// Its id.
    #[n(0)]
    pub id: ConfirmationId,
    /// Its state at the instant of the answer.
    #[n(1)]
    pub state: StateView,
    /// The purpose whose switches and throttles apply.
    #[n(2)]
    pub purpose: Purpose,
    /// The paths that would do.
    #[n(3)]
    pub paths: Vec<PathView>,
    /// Rejected calls that are left, the last of which ends it.
    #[n(4)]
    pub attempts_left: u32,
    /// When it was created.
    #[n(5)]
    pub created_at: Timestamp,
    /// The end of its present state where that has one, else the instant at which it ended.
    #[n(6)]
    pub expires_at: Timestamp,
    /// The operation's digest.
    #[n(7)]
    pub digest: Digest,
    /// When it was approved.
    #[n(8)]
    pub approved_at: Option<Timestamp>,
    /// When it was redeemed.
    #[n(9)]
    pub redeemed_at: Option<Timestamp>,
    /// The newest code that was sent for it, while it is pending.
    #[n(10)]
    pub sent: Option<SentCode>,
}

impl Confirmation {
    /// The confirmation, if this caller created it or may act on what its creator created: to others
    /// it does not exist.
    pub(crate) fn of<'a>(
        confirmation: Option<&'a Self>,
        caller: &Caller,
        grants: &Grants,
    ) -> Result<&'a Self, Error> {
        confirmation
            .filter(|confirmation| grants.allow(caller, &confirmation.caller))
            .ok_or(Error::ConfirmationNotFound)
    }

    /// Its state at an instant.
    pub(crate) fn state(&self, now: Timestamp) -> StateView {
        match self.phase {
            Phase::Pending(until) if now < until => StateView::Pending,
            Phase::Approved { redeem_by, .. } if now < redeem_by => StateView::Approved,
            Phase::Pending(_) | Phase::Approved { .. } => StateView::Expired,
            Phase::Failed(_) => StateView::Failed,
            Phase::Cancelled(_) => StateView::Cancelled,
            Phase::Redeemed { .. } => StateView::Redeemed,
        }
    }

    /// The name of its phase in the stored row.
    pub(crate) const fn phase_name(&self) -> &'static str {
        match self.phase {
            Phase::Pending(_) => "PENDING",
            Phase::Approved { .. } => "APPROVED",
            Phase::Failed(_) => "FAILED",
            Phase::Cancelled(_) => "CANCELLED",
            Phase::Redeemed { .. } => "REDEEMED",
        }
    }

    /// That it is pending.
    pub(crate) fn require_pending(&self, now: Timestamp) -> Result<(), Error> {
        match self.state(now) {
            StateView::Pending => Ok(()),
            StateView::Expired => Err(Error::ConfirmationExpired),
            state => Err(Error::ConfirmationNotPending(state)),
        }
    }

    /// Whether a proof by `authenticator` passed already.
    pub(crate) fn has_passed(&self, authenticator: AuthenticatorRef) -> bool {
        self.passed
            .iter()
            .any(|passed| passed.authenticator == authenticator)
    }

    /// Whether these authenticators, in one call, would go on along some path: none of them may
    /// belong to a stage before which another one is still open.
    pub(crate) fn allows(&self, given: &[AuthenticatorRef]) -> bool {
        let is_there =
            |option: &AuthenticatorRef| given.contains(option) || self.has_passed(*option);
        self.paths.iter().any(|path| {
            let walkable = path
                .stages
                .iter()
                .take_while(|stage| stage.options.iter().any(is_there))
                .count();
            given.iter().all(|authenticator| {
                path.stages[..walkable]
                    .iter()
                    .any(|stage| stage.options.contains(authenticator))
            })
        })
    }

    /// Whether an authenticator is an option of any stage.
    pub(crate) fn knows(&self, authenticator: AuthenticatorRef) -> bool {
        self.paths
            .iter()
            .flat_map(|path| &path.stages)
            .any(|stage| stage.options.contains(&authenticator))
    }

    /// Notes accepted proofs; approves where they complete a path. Tells whether they did. A stage
    /// that was passed by an authenticator which has changed since is open again.
    pub(crate) fn pass(
        &mut self,
        accepted: impl IntoIterator<Item = Passed>,
        registry: &Registry,
        redeem_within: Duration,
        now: Timestamp,
    ) -> bool {
        self.passed.retain(|passed| passed.still_stands(registry));
        for passed in accepted {
            self.passed
                .retain(|other| other.authenticator != passed.authenticator);
            self.passed.push(passed);
        }
        let complete = self.paths.iter().any(|path| {
            path.stages
                .iter()
                .all(|stage| stage.options.iter().any(|option| self.has_passed(*option)))
        });
        if complete {
            self.phase = if self.redeem_on_approval {
                Phase::Redeemed {
                    approved_at: now,
                    at: now,
                }
            } else {
                Phase::Approved {
                    at: now,
                    redeem_by: now.plus(redeem_within),
                }
            };
        }
        complete
    }

    /// Counts a rejected call. Tells whether it was the last.
    pub(crate) const fn fail(&mut self, now: Timestamp) -> bool {
        self.failures += 1;
        let is_last = self.failures >= self.attempts;
        if is_last {
            self.phase = Phase::Failed(now);
        }
        is_last
    }

    /// Whether it permits the operation with this digest now.
    ///
    /// # Errors
    /// [`Error::ConfirmationNotApproved`], [`Error::ConfirmationExpired`],
    /// [`Error::AlreadyRedeemed`].
    pub(crate) fn approval(
        &self,
        operation: Digest,
        registry: &Registry,
        now: Timestamp,
    ) -> Result<Approval, Error> {
        let at = match (self.phase, self.state(now)) {
            (_, StateView::Expired) => return Err(Error::ConfirmationExpired),
            (_, StateView::Redeemed) => return Err(Error::AlreadyRedeemed),
            (Phase::Approved { at, .. }, _) => at,
            (_, state) => return Err(Error::ConfirmationNotApproved(state)),
        };
        let still_stands = |passed: &Passed| passed.still_stands(registry);
        Ok(if operation != self.digest {
            Approval::OperationMismatch
        } else if !self.passed.iter().all(still_stands) {
            Approval::AuthenticatorChanged
        } else {
            Approval::Stands { at }
        })
    }

    /// Permits its operation, once: approved at `at`.
    pub(crate) const fn redeem(&mut self, at: Timestamp, now: Timestamp) -> Fact {
        self.phase = Phase::Redeemed {
            approved_at: at,
            at: now,
        };
        Fact::Redeemed {
            confirmation: self.id,
        }
    }

    /// Whose proofs passed.
    pub(crate) fn passed_by(&self) -> Vec<AuthenticatorRef> {
        let passed = self.passed.iter();
        passed.map(|passed| passed.authenticator).collect()
    }

    /// The end of its present state where that has one, else the instant at which it ended.
    pub(crate) const fn expires_at(&self) -> Timestamp {
        match self.phase {
            Phase::Pending(until) => until,
            Phase::Approved { redeem_by, .. } => redeem_by,
            Phase::Failed(at) | Phase::Cancelled(at) | Phase::Redeemed { at, .. } => at,
        }
    }

    /// Whether messages for it that still wait need not be sent.
    pub(crate) fn has_ended_with_messages(&self, now: Timestamp) -> bool {
        self.sends > 0 && self.state(now) != StateView::Pending
    }

    /// The options of the stage at hand, along every path.
    pub(crate) fn options_at_hand(&self) -> Vec<AuthenticatorRef> {
        let is_open = |stage: &&Stage| !stage.options.iter().any(|option| self.has_passed(*option));
        let stages = self
            .paths
            .iter()
            .filter_map(|path| path.stages.iter().find(is_open));
        let mut options = Vec::new();
        for option in stages.flat_map(|stage| &stage.options) {
            if !options.contains(option) {
                options.push(*option);
            }
        }
        options
    }

    /// What would do at the stage at hand in place of an identifier, as things are now.
    pub(crate) fn other_options(
        &self,
        id: IdentifierId,
        registry: &Registry,
        now: Timestamp,
    ) -> Vec<OptionView> {
        let aim = self.purpose.into();
        let others = self.options_at_hand().into_iter();
        others
            .filter(|other| *other != AuthenticatorRef::Identifier(id))
            .filter_map(|other| OptionView::new(other, registry, aim, now))
            .filter(|other| other.usable)
            .collect()
    }

    /// Withdraws it where it was open when the database was restored from a backup: what was done
    /// with it since the backup is not known.
    pub(crate) fn void_after_restore(&mut self, restored_at: Timestamp) {
        let is_open = matches!(self.phase, Phase::Pending(_) | Phase::Approved { .. });
        if is_open && self.created_at <= restored_at {
            self.phase = Phase::Cancelled(restored_at);
        }
    }

    /// What callers see at an instant.
    pub(crate) fn view(
        &self,
        registry: &Registry,
        settings: &Settings,
        now: Timestamp,
    ) -> ConfirmationView {
        let (approved_at, redeemed_at) = match self.phase {
            Phase::Approved { at, .. } => (Some(at), None),
            Phase::Redeemed { approved_at, at } => (Some(approved_at), Some(at)),
            Phase::Pending(_) | Phase::Failed(_) | Phase::Cancelled(_) => (None, None),
        };
        ConfirmationView {
            id: self.id,
            state: self.state(now),
            purpose: self.purpose,
            paths: PathView::of_confirmation(self, registry, now),
            attempts_left: self.attempts - self.failures,
            created_at: self.created_at,
            expires_at: self.expires_at(),
            digest: self.digest,
            approved_at,
            redeemed_at,
            sent: match (&settings.sms, self.state(now)) {
                (Some(sms), StateView::Pending) => self.sent_code(registry, &sms.rules, now),
                _ => None,
            },
        }
    }
}

/// Since when an authenticator has been what it is, if it can give proofs at all.
pub(crate) fn bound_at(registry: &Registry, authenticator: AuthenticatorRef) -> Option<Timestamp> {
    match authenticator {
        AuthenticatorRef::Pin => registry
            .pin()
            .filter(|entry| !entry.capped)
            .map(|entry| entry.set_at),
        AuthenticatorRef::Identifier(id) => match registry.identifier(id)?.state {
            State::Enabled { since } => Some(since),
            State::Pending { .. } | State::Capped { .. } => None,
        },
    }
}
