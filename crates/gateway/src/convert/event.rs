//! Events.

use countersign_mfa::{EventView, FactKind, FactView};
use countersign_proto::v1 as wire;

use super::{purpose_to_wire, time_to_wire};

/// An event.
pub(crate) fn event_to_wire(event: EventView) -> wire::SecurityEvent {
    wire::SecurityEvent {
        number: event.number,
        time: Some(time_to_wire(event.at)),
        caller: event.caller,
        method: event.method,
        ip_address: event.ip_address,
        user_agent: event.user_agent,
        facts: event.facts.into_iter().map(fact_to_wire).collect(),
    }
}

fn fact_to_wire(fact: FactView) -> wire::SecurityFact {
    let text = |id: Option<String>| id.unwrap_or_default();
    wire::SecurityFact {
        kind: fact.kind.map_or(0, |kind| kind_to_wire(kind).into()),
        text: fact.text,
        identifier_id: text(fact.identifier.map(|id| id.to_string())),
        confirmation_id: text(fact.confirmation.map(|id| id.to_string())),
        purpose: fact
            .purpose
            .map_or(0, |purpose| purpose_to_wire(purpose).into()),
    }
}

const fn kind_to_wire(kind: FactKind) -> wire::SecurityFactKind {
    use wire::SecurityFactKind as Wire;
    match kind {
        FactKind::ConfirmationCreated => Wire::ConfirmationCreated,
        FactKind::NotRequired => Wire::NotRequired,
        FactKind::EnrolmentRequired => Wire::EnrolmentRequired,
        FactKind::Denied => Wire::Denied,
        FactKind::ProofAccepted => Wire::ProofAccepted,
        FactKind::ProofRejected => Wire::ProofRejected,
        FactKind::EnrolmentCodeRejected => Wire::EnrolmentCodeRejected,
        FactKind::Locked => Wire::Locked,
        FactKind::CapNear => Wire::CapNear,
        FactKind::DisabledByCap => Wire::DisabledByCap,
        FactKind::Approved => Wire::Approved,
        FactKind::Failed => Wire::Failed,
        FactKind::Cancelled => Wire::Cancelled,
        FactKind::Redeemed => Wire::Redeemed,
        FactKind::OperationMismatch => Wire::OperationMismatch,
        FactKind::RedeemRefused => Wire::RedeemRefused,
        FactKind::PinSet => Wire::PinSet,
        FactKind::PinChanged => Wire::PinChanged,
        FactKind::PinReset => Wire::PinReset,
        FactKind::EnrolmentBegun => Wire::EnrolmentBegun,
        FactKind::Enabled => Wire::Enabled,
        FactKind::SwitchedOn => Wire::SwitchedOn,
        FactKind::SwitchedOff => Wire::SwitchedOff,
        FactKind::Renamed => Wire::Renamed,
        FactKind::Disabled => Wire::Disabled,
        FactKind::LostAccess => Wire::LostAccess,
        FactKind::CodesLow => Wire::CodesLow,
        FactKind::CodesMade => Wire::CodesMade,
        FactKind::CodesReplaced => Wire::CodesReplaced,
        FactKind::Unlocked => Wire::Unlocked,
        FactKind::ByOperator => Wire::ByOperator,
        FactKind::Imported => Wire::Imported,
        FactKind::Restored => Wire::Restored,
        FactKind::Erased => Wire::Erased,
        FactKind::CodeRequested => Wire::CodeRequested,
        FactKind::CodeSent => Wire::CodeSent,
        FactKind::CodeDelivered => Wire::CodeDelivered,
        FactKind::CodeNotDelivered => Wire::CodeNotDelivered,
        FactKind::CodeDeliveryUnknown => Wire::CodeDeliveryUnknown,
        FactKind::SendingPaused => Wire::SendingPaused,
    }
}
