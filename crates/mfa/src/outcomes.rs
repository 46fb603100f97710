//! How factors and confirmations fare, in numbers: counted from the facts of changes, once they are
//! written.
//!
//! A label has one of a few fixed values, and never says who it was.

use std::sync::OnceLock;

use countersign_security_identifiers::{AuthenticatorRef, Kind, Purpose, Registry};
use metrics::{Counter, Unit, counter, describe_counter};

use crate::event::{Fact, RejectionReason};

/// By whom a proof was.
const AUTHENTICATORS: [&str; 5] = ["pin", "totp", "backup_codes", "sms", "unknown"];
/// For what. An app is on for nothing while it is enrolled.
const PURPOSES: [&str; 4] = ["login", "withdrawal", "other", "enrolment"];
const ENROLMENT: usize = 3;
/// What came of a proof.
const PROOF_OUTCOMES: [&str; 11] = [
    "accepted",
    "wrong",
    "malformed",
    "replayed",
    "held",
    "not_enrolled",
    "locked",
    "capped",
    "reserved",
    "expired",
    "not_sent",
];
const ACCEPTED: usize = 0;
const WRONG: usize = 1;
/// What became of a request for a confirmation, or of a confirmation.
const CONFIRMATION_OUTCOMES: [&str; 10] = [
    "created",
    "not_required",
    "enrolment_required",
    "denied",
    "approved",
    "failed",
    "cancelled",
    "redeemed",
    "operation_mismatch",
    "redeem_refused",
];

/// What became of a message: its state in events.
const MESSAGE_STATES: [&str; 5] = ["QUEUED", "SENT", "DELIVERED", "FAILED", "UNKNOWN"];

const PROOFS: usize = AUTHENTICATORS.len() * PURPOSES.len() * PROOF_OUTCOMES.len();
const LOCKS: usize = AUTHENTICATORS.len() * PURPOSES.len();

/// The counters. Where nobody collects metrics they count nothing.
pub(crate) struct Outcomes {
    proofs: [OnceLock<Counter>; PROOFS],
    locks: [OnceLock<Counter>; LOCKS],
    disabled: [OnceLock<Counter>; AUTHENTICATORS.len()],
    confirmations: [OnceLock<Counter>; CONFIRMATION_OUTCOMES.len()],
    messages: [OnceLock<Counter>; MESSAGE_STATES.len()],
    closed_prefixes: Counter,
}

/// What a change counts for, once it is written.
pub(crate) struct Tally {
    /// What happened.
    pub(crate) facts: Vec<Fact>,
    /// The subject as it was: it has every authenticator that a proof can be by.
    pub(crate) before: Registry,
    /// Whether a message was queued.
    pub(crate) has_message: bool,
}

impl Outcomes {
    /// All at zero; those that are looked for first are there from the start.
    pub(crate) fn new() -> Self {
        describe_counter!(
            "countersign_proofs_total",
            Unit::Count,
            "PINs and codes that were accepted or rejected, and why."
        );
        describe_counter!(
            "countersign_locks_total",
            Unit::Count,
            "Locks of an authenticator for a purpose after failures in a row."
        );
        describe_counter!(
            "countersign_disabled_by_cap_total",
            Unit::Count,
            "Authenticators that failures in a row disabled for good."
        );
        describe_counter!(
            "countersign_confirmations_total",
            Unit::Count,
            "What became of requests for a confirmation, and of confirmations."
        );
        describe_counter!(
            "countersign_sms_messages_total",
            Unit::Count,
            "Messages with codes, by what became of them."
        );
        describe_counter!(
            "countersign_sms_prefixes_closed_total",
            Unit::Count,
            "Prefixes of numbers that were closed because hardly a code sent to them was typed."
        );
        let counters = Self {
            proofs: [const { OnceLock::new() }; PROOFS],
            locks: [const { OnceLock::new() }; LOCKS],
            disabled: [const { OnceLock::new() }; AUTHENTICATORS.len()],
            confirmations: [const { OnceLock::new() }; CONFIRMATION_OUTCOMES.len()],
            messages: [const { OnceLock::new() }; MESSAGE_STATES.len()],
            closed_prefixes: counter!("countersign_sms_prefixes_closed_total"),
        };
        for authenticator in 0..AUTHENTICATORS.len() - 1 {
            for purpose in 0..ENROLMENT {
                counters.proof(authenticator, purpose, ACCEPTED);
                counters.proof(authenticator, purpose, WRONG);
                counters.lock(authenticator, purpose);
            }
            counters.disabled(authenticator);
        }
        for outcome in 0..CONFIRMATION_OUTCOMES.len() {
            counters.confirmation(outcome);
        }
        for state in 0..MESSAGE_STATES.len() {
            counters.message(state);
        }
        counters
    }

    /// Counts a change that was written.
    pub(crate) fn count(&self, tally: &Tally) {
        for fact in &tally.facts {
            if let Some(counter) = self.counter(fact, &tally.before) {
                counter.increment(1);
            }
        }
    }

    fn counter(&self, fact: &Fact, before: &Registry) -> Option<&Counter> {
        let by = |whose: &AuthenticatorRef| authenticator(*whose, before);
        Some(match fact {
            Fact::ProofAccepted {
                authenticator,
                purpose,
            } => self.proof(by(authenticator), purpose_of(*purpose), ACCEPTED),
            Fact::ProofRejected {
                authenticator,
                purpose,
                reason,
            } => self.proof(by(authenticator), purpose_of(*purpose), rejected(*reason)),
            Fact::EnrolmentCodeRejected { identifier, reason } => {
                let by = by(&AuthenticatorRef::Identifier(*identifier));
                self.proof(by, ENROLMENT, rejected(*reason))
            }
            Fact::Enabled {
                kind: Kind::Totp | Kind::Sms,
                identifier,
            } => {
                let by = by(&AuthenticatorRef::Identifier(*identifier));
                self.proof(by, ENROLMENT, ACCEPTED)
            }
            Fact::Locked {
                authenticator,
                purpose,
                ..
            } => self.lock(by(authenticator), purpose_of(*purpose)),
            Fact::DisabledByCap { authenticator } => self.disabled(by(authenticator)),
            Fact::ConfirmationCreated { .. } => self.confirmation(0),
            Fact::NotRequired { .. } => self.confirmation(1),
            Fact::EnrolmentRequired { .. } => self.confirmation(2),
            Fact::Denied { .. } => self.confirmation(3),
            Fact::Approved { .. } => self.confirmation(4),
            Fact::Failed { .. } => self.confirmation(5),
            Fact::Cancelled { .. } => self.confirmation(6),
            Fact::Redeemed { .. } => self.confirmation(7),
            Fact::OperationMismatch { .. } => self.confirmation(8),
            Fact::RedeemRefused { .. } => self.confirmation(9),
            Fact::CodeQueued { .. } => self.message(0),
            Fact::Message { state, .. } => {
                let state = MESSAGE_STATES.iter().position(|known| known == state)?;
                self.message(state)
            }
            Fact::PrefixClosed { .. } => &self.closed_prefixes,
            Fact::AskedFrom { .. }
            | Fact::ProofUnused { .. }
            | Fact::CapNear { .. }
            | Fact::CodesLow { .. }
            | Fact::PinSet
            | Fact::PinChanged
            | Fact::PinReset
            | Fact::EnrolmentBegun { .. }
            | Fact::Enabled {
                kind: Kind::BackupCodes,
                ..
            }
            | Fact::CodesMade { .. }
            | Fact::CodesReplaced { .. }
            | Fact::SwitchedOn { .. }
            | Fact::SwitchedOff { .. }
            | Fact::Renamed { .. }
            | Fact::Disabled { .. }
            | Fact::LostAccess { .. }
            | Fact::Unlocked
            | Fact::Imported { .. }
            | Fact::Restored
            | Fact::Erased
            | Fact::ByOperator { .. } => return None,
        })
    }

    fn proof(&self, by: usize, purpose: usize, outcome: usize) -> &Counter {
        let row = by * PURPOSES.len() + purpose;
        self.proofs[row * PROOF_OUTCOMES.len() + outcome].get_or_init(|| {
            counter!(
                "countersign_proofs_total",
                "authenticator" => AUTHENTICATORS[by],
                "purpose" => PURPOSES[purpose],
                "outcome" => PROOF_OUTCOMES[outcome],
            )
        })
    }

    fn lock(&self, by: usize, purpose: usize) -> &Counter {
        self.locks[by * PURPOSES.len() + purpose].get_or_init(|| {
            counter!(
                "countersign_locks_total",
                "authenticator" => AUTHENTICATORS[by],
                "purpose" => PURPOSES[purpose],
            )
        })
    }

    fn disabled(&self, by: usize) -> &Counter {
        self.disabled[by].get_or_init(|| {
            counter!(
                "countersign_disabled_by_cap_total",
                "authenticator" => AUTHENTICATORS[by],
            )
        })
    }

    fn message(&self, state: usize) -> &Counter {
        self.messages[state].get_or_init(|| {
            let state = MESSAGE_STATES[state].to_ascii_lowercase();
            counter!("countersign_sms_messages_total", "state" => state)
        })
    }

    fn confirmation(&self, outcome: usize) -> &Counter {
        self.confirmations[outcome].get_or_init(|| {
            counter!(
                "countersign_confirmations_total",
                "outcome" => CONFIRMATION_OUTCOMES[outcome],
            )
        })
    }
}

fn authenticator(whose: AuthenticatorRef, before: &Registry) -> usize {
    match whose {
        AuthenticatorRef::Pin => 0,
        AuthenticatorRef::Identifier(id) => match before.identifier(id).map(|found| found.kind()) {
            Some(Kind::Totp) => 1,
            Some(Kind::BackupCodes) => 2,
            Some(Kind::Sms) => 3,
            None => 4,
        },
    }
}

const fn purpose_of(purpose: Purpose) -> usize {
    match purpose {
        Purpose::Login => 0,
        Purpose::Withdrawal => 1,
        Purpose::Other => 2,
    }
}

const fn rejected(reason: RejectionReason) -> usize {
    match reason {
        RejectionReason::Wrong => WRONG,
        RejectionReason::Malformed => 2,
        RejectionReason::Replayed => 3,
        RejectionReason::Held => 4,
        RejectionReason::NotEnrolled => 5,
        RejectionReason::Locked => 6,
        RejectionReason::Capped => 7,
        RejectionReason::Reserved => 8,
        RejectionReason::Expired => 9,
        RejectionReason::NotSent => 10,
    }
}
