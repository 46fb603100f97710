//! What a host does about an event.

use crate::{EventView, FactKind};

/// Something that a host does about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Tell the person, by a way that this change has not touched.
    NotifySubject,
    /// End the sessions of the person: they were opened under other circumstances.
    EndSessions,
    /// Note that something is locked, or no longer is: support will be asked.
    NoteLock,
    /// Look into it: no honest program does that.
    Investigate,
}

impl Action {
    /// What a host does about a fact; nothing about what is a person's everyday business.
    const fn of_fact(kind: FactKind) -> &'static [Self] {
        use Action::{EndSessions, Investigate, NoteLock, NotifySubject};
        match kind {
            FactKind::Locked | FactKind::DisabledByCap => &[NotifySubject, NoteLock],
            FactKind::Unlocked => &[NoteLock],
            FactKind::CapNear
            | FactKind::CodesLow
            | FactKind::CodesReplaced
            | FactKind::PinSet
            | FactKind::Enabled
            | FactKind::SwitchedOn
            | FactKind::SwitchedOff
            | FactKind::Imported
            | FactKind::Restored => &[NotifySubject],
            FactKind::PinChanged
            | FactKind::PinReset
            | FactKind::Disabled
            | FactKind::LostAccess => &[NotifySubject, EndSessions],
            FactKind::Erased => &[EndSessions],
            FactKind::OperationMismatch | FactKind::RedeemRefused => &[NotifySubject, Investigate],
            FactKind::SendingPaused => &[Investigate],
            FactKind::ConfirmationCreated
            | FactKind::NotRequired
            | FactKind::EnrolmentRequired
            | FactKind::Denied
            | FactKind::ProofAccepted
            | FactKind::ProofRejected
            | FactKind::EnrolmentCodeRejected
            | FactKind::Approved
            | FactKind::Failed
            | FactKind::Cancelled
            | FactKind::Redeemed
            | FactKind::EnrolmentBegun
            | FactKind::Renamed
            | FactKind::CodesMade
            | FactKind::CodeRequested
            | FactKind::CodeSent
            | FactKind::CodeDelivered
            | FactKind::CodeNotDelivered
            | FactKind::CodeDeliveryUnknown
            | FactKind::ByOperator => &[],
        }
    }

    /// What a host does about an event: each thing once.
    pub(super) fn of_event(event: &EventView) -> Vec<Self> {
        let kinds = event.facts.iter().filter_map(|fact| fact.kind);
        let mut actions: Vec<Self> = kinds
            .flat_map(|kind| Self::of_fact(kind).iter().copied())
            .collect();
        actions.sort();
        actions.dedup();
        actions
    }
}
