//! What a success or a failure does to the counters.

use std::time::Duration;

use countersign_primitives::{IdentifierId, Throttle, ThrottleRules, Timestamp};
use countersign_totp::Step;
use minicbor::{CborLen, Decode, Encode};

use crate::{
    AuthenticatorRef, Factor, Kind, Limits, Purpose, Registry, RegistryError, SecurityIdentifier,
    State,
};

/// What counting a failure led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Failures in a row, over all purposes.
    pub total: u32,
    /// The end of the lock that this failure started.
    pub locked_until: Option<Timestamp>,
    /// Whether this failure is one at which the subject should be warned of the cap.
    pub warning: bool,
    /// Whether this failure reached the cap and disabled the authenticator.
    pub capped: bool,
}

impl Registry {
    /// Counts a checked proof that was wrong, on the throttle of its purpose.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchIdentifier`] when the subject has no such authenticator.
    pub fn count_failure(
        &mut self,
        authenticator: AuthenticatorRef,
        purpose: Purpose,
        rules: &ThrottleRules,
        now: Timestamp,
    ) -> Result<Counted, RegistryError> {
        match authenticator {
            AuthenticatorRef::Pin => {
                let entry = self.pin.as_mut().ok_or(RegistryError::NoSuchIdentifier)?;
                let failure = entry.throttle.fail(now, rules);
                entry.capped |= failure.failures >= rules.cap;
                Ok(counted(failure.failures, failure.locked_until, rules))
            }
            AuthenticatorRef::Identifier(id) => {
                let identifier = self.counting_mut(id)?;
                let failure = identifier.throttles[purpose.index()].fail(now, rules);
                let total = identifier.total_failures();
                if let State::Enabled { since } = identifier.state
                    && total >= rules.cap
                {
                    identifier.state = State::Capped { since, at: now };
                }
                Ok(counted(total, failure.locked_until, rules))
            }
        }
    }

    /// Counts a PIN that was right: its run of failures ends.
    pub fn count_pin_success(&mut self) {
        if let Some(entry) = &mut self.pin {
            entry.throttle.clear();
        }
    }

    /// Uses an accepted code up, and ends the run of failures of its own purpose only.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchIdentifier`].
    pub fn count_totp_success(
        &mut self,
        id: IdentifierId,
        purpose: Purpose,
        step: Step,
    ) -> Result<(), RegistryError> {
        let identifier = self.counting_mut(id)?;
        let Factor::Totp { last_used, .. } = &mut identifier.factor else {
            return Err(RegistryError::NoSuchIdentifier);
        };
        *last_used = Some(step);
        identifier.throttles[purpose.index()].clear();
        Ok(())
    }

    /// Counts a wrong code typed in an enrolment of this kind.
    pub fn count_enrolment_failure(&mut self, kind: Kind, now: Timestamp) {
        self.enrolments.0.push(EnrolmentFailure { kind, at: now });
    }

    /// Ends every lock that time will end: an operator's unlock. What the cap disabled stays so.
    /// The run that the cap looks at starts anew too, since the operator has looked at it.
    pub fn unlock(&mut self) {
        if let Some(entry) = self.pin.as_mut().filter(|entry| !entry.capped) {
            entry.throttle.clear();
        }
        let enabled = |identifier: &&mut SecurityIdentifier| identifier.is_enabled();
        for identifier in self.identifiers.iter_mut().filter(enabled) {
            identifier.throttles = [Throttle::default(); 3];
        }
        self.enrolments.0.clear();
    }
}

fn counted(total: u32, locked_until: Option<Timestamp>, rules: &ThrottleRules) -> Counted {
    Counted {
        total,
        locked_until,
        warning: rules.warnings.contains(&total),
        capped: total >= rules.cap,
    }
}

/// The time in which wrong codes of enrolments add up.
const ENROLMENT_WINDOW: Duration = Duration::from_secs(60 * 60);

/// Wrong codes typed in enrolments within the last hour. They belong to the subject and not to
/// one enrolment, so beginning again resets nothing.
#[derive(Clone, Debug, Default, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct EnrolmentThrottle(#[n(0)] Vec<EnrolmentFailure>);

#[derive(Clone, Copy, Debug, Encode, Decode, CborLen)]
struct EnrolmentFailure {
    #[n(0)]
    kind: Kind,
    #[n(1)]
    at: Timestamp,
}

impl EnrolmentThrottle {
    /// When another code may be tried, if not now.
    pub fn refused_until(&self, kind: Kind, limits: &Limits, now: Timestamp) -> Option<Timestamp> {
        let mut ends: Vec<Timestamp> = self
            .0
            .iter()
            .filter(|failure| failure.kind == kind)
            .map(|failure| failure.at.plus(ENROLMENT_WINDOW))
            .filter(|end| now < *end)
            .collect();
        ends.sort_unstable();
        let excess = ends.len().checked_sub(limits.enrolment_failures)?;
        ends.get(excess).copied()
    }

    pub(crate) fn prune(&mut self, now: Timestamp) {
        self.0
            .retain(|failure| now < failure.at.plus(ENROLMENT_WINDOW));
    }
}
