//! Confirmations.

use countersign_mfa::{
    AuthenticatorView, ConfirmationView, Created, Delivery, DenialView, OptionView, PathView,
    SentCode, StageView, StateView, Submitted,
};
use countersign_primitives::SubjectId;
use countersign_proto::v1::{
    self as wire, confirmation_service_create_response::Outcome as CreateOutcome,
    confirmation_service_submit_proof_response::Outcome as SubmitOutcome,
    stage_option::Authenticator,
};

use super::{identifier::kind_to_wire, purpose_to_wire, time_to_wire};

/// The answer to Create.
pub(crate) fn created_to_wire(
    created: Created,
    subject: &SubjectId,
) -> wire::ConfirmationServiceCreateResponse {
    let outcome = match created {
        Created::Confirmation(view) => CreateOutcome::Confirmation(to_wire(*view, subject)),
        Created::NotRequired => CreateOutcome::NotRequired(wire::NotRequired {}),
        Created::EnrolmentRequired { pin, kinds } => {
            CreateOutcome::EnrolmentRequired(wire::EnrolmentRequired {
                pin,
                kinds: kinds
                    .into_iter()
                    .map(|kind| kind_to_wire(kind).into())
                    .collect(),
            })
        }
        Created::Denied(denial) => CreateOutcome::Denied(denial_to_wire(denial)),
    };
    wire::ConfirmationServiceCreateResponse {
        outcome: Some(outcome),
    }
}

/// The answer to SubmitProof.
pub(crate) fn submitted_to_wire(
    submitted: Submitted,
    subject: &SubjectId,
) -> wire::ConfirmationServiceSubmitProofResponse {
    let outcome = if submitted.accepted {
        SubmitOutcome::Accepted(wire::Accepted {})
    } else {
        SubmitOutcome::Rejected(wire::Rejected {})
    };
    wire::ConfirmationServiceSubmitProofResponse {
        outcome: Some(outcome),
        confirmation: Some(to_wire(submitted.confirmation, subject)),
    }
}

/// A confirmation.
pub(crate) fn to_wire(view: ConfirmationView, subject: &SubjectId) -> wire::Confirmation {
    let state = match view.state {
        StateView::Pending => wire::ConfirmationState::Pending,
        StateView::Approved => wire::ConfirmationState::Approved,
        StateView::Failed => wire::ConfirmationState::Failed,
        StateView::Expired => wire::ConfirmationState::Expired,
        StateView::Cancelled => wire::ConfirmationState::Cancelled,
        StateView::Redeemed => wire::ConfirmationState::Redeemed,
    };
    wire::Confirmation {
        subject_id: subject.as_str().to_owned(),
        confirmation_id: view.id.to_string(),
        state: state.into(),
        paths: view.paths.into_iter().map(path_to_wire).collect(),
        attempts_left: view.attempts_left.try_into().unwrap_or(i32::MAX),
        create_time: Some(time_to_wire(view.created_at)),
        expire_time: Some(time_to_wire(view.expires_at)),
        operation_digest: view.digest.as_bytes().to_vec(),
        approve_time: view.approved_at.map(time_to_wire),
        redeem_time: view.redeemed_at.map(time_to_wire),
        purpose: purpose_to_wire(view.purpose).into(),
        sent_code: view.sent.map(sent_to_wire),
    }
}

/// A code that was sent.
pub(crate) fn sent_to_wire(sent: SentCode) -> wire::SentCode {
    let delivery = match sent.delivery {
        Delivery::Queued => wire::DeliveryState::Queued,
        Delivery::Sent => wire::DeliveryState::Sent,
        Delivery::Delivered => wire::DeliveryState::Delivered,
        Delivery::Failed => wire::DeliveryState::Failed,
        Delivery::Unknown => wire::DeliveryState::Unknown,
    };
    wire::SentCode {
        identifier_id: sent.identifier.to_string(),
        masked_number: sent.masked_number,
        expire_time: Some(time_to_wire(sent.expires_at)),
        next_send_time: Some(time_to_wire(sent.next_send_at)),
        sends_left: sent.sends_left.try_into().unwrap_or(i32::MAX),
        delivery_state: delivery.into(),
    }
}

/// A path.
pub(crate) fn path_to_wire(path: PathView) -> wire::Path {
    wire::Path {
        stages: path.stages.into_iter().map(stage_to_wire).collect(),
    }
}

fn stage_to_wire(stage: StageView) -> wire::Stage {
    wire::Stage {
        options: stage.options.into_iter().map(option_to_wire).collect(),
        passed: stage.passed,
    }
}

/// One way to pass a stage.
pub(crate) fn option_to_wire(option: OptionView) -> wire::StageOption {
    let authenticator = match option.authenticator {
        AuthenticatorView::Pin => Authenticator::Pin(wire::Pin {}),
        AuthenticatorView::Identifier { id, kind, label } => {
            Authenticator::Identifier(wire::IdentifierRef {
                identifier_id: id.to_string(),
                kind: kind_to_wire(kind).into(),
                label: label.to_string(),
            })
        }
    };
    wire::StageOption {
        authenticator: Some(authenticator),
        usable: option.usable,
        usable_from: option.usable_from.map(time_to_wire),
        masked_number: option.masked_number.unwrap_or_default(),
    }
}

fn denial_to_wire(denial: DenialView) -> wire::Denial {
    let (reason, retry_at) = match denial {
        DenialView::TemporarilyLocked(retry_at) => (
            wire::DenialReason::TemporarilyLocked,
            Some(time_to_wire(retry_at)),
        ),
        DenialView::RecoveryRequired => (wire::DenialReason::RecoveryRequired, None),
        DenialView::RefusedByPolicy => (wire::DenialReason::RefusedByPolicy, None),
    };
    wire::Denial {
        reason: reason.into(),
        retry_at,
    }
}
