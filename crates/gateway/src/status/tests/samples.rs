//! One error of each kind.

use countersign_mfa::{Error, PathView, RetryAt, SendRefusal, StateView, ports::StoreError};
use countersign_primitives::Timestamp;
use countersign_security_identifiers::Obstacle;
use countersign_spend_guard::Limit;
use tonic::{Code, Status};

use crate::status::with_details;

/// What the transport answers by itself, in its own words.
pub(super) const OF_TRANSPORT: [(&str, Code, &str); 8] = [
    ("the transport: no such method", Code::Unimplemented, ""),
    (
        "the transport: a message larger than 64 KiB",
        Code::OutOfRange,
        "Error, decoded message length too large: found 70000 bytes, the limit is: 65536 bytes",
    ),
    (
        "the transport: a message that is no protobuf",
        Code::Internal,
        "failed to decode Protobuf message: invalid wire type",
    ),
    (
        "the transport: a message that ends too early",
        Code::Internal,
        "Unexpected EOF decoding stream.",
    ),
    (
        "the transport: a message that does not arrive",
        Code::InvalidArgument,
        "the request did not arrive within 10 seconds",
    ),
    (
        "the transport: a message in a compression that is not offered",
        Code::Unimplemented,
        "Content is compressed with `gzip` which isn't supported",
    ),
    (
        "the transport: the caller's deadline",
        Code::DeadlineExceeded,
        "Timeout expired",
    ),
    (
        "the transport: anything else",
        Code::Unknown,
        "transport error",
    ),
];

/// The status of what the transport said.
pub(super) fn of_transport(code: Code, text: &str) -> Status {
    with_details(&Status::new(code, text))
}

/// Every error of the use cases.
pub(super) fn every_error() -> impl Iterator<Item = Error> {
    std::iter::successors(Some(Error::RequestIdReused), after)
}

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const LATER: Timestamp = Timestamp::from_millis(1_800_000_090_000);
const AT: RetryAt = RetryAt {
    now: NOW,
    at: LATER,
};

/// The error that follows another: a list that does not compile without each of them.
fn after(error: &Error) -> Option<Error> {
    Some(match error {
        Error::RequestIdReused => Error::ConfirmationNotFound,
        Error::ConfirmationNotFound => Error::IdentifierNotFound,
        Error::IdentifierNotFound => Error::ConfirmationNotPending(StateView::Approved),
        Error::ConfirmationNotPending(state) => match next_state(*state) {
            Some(next) => Error::ConfirmationNotPending(next),
            None => Error::ConfirmationNotApproved(StateView::Pending),
        },
        Error::ConfirmationNotApproved(_) => Error::AlreadyRedeemed,
        Error::AlreadyRedeemed => Error::ConfirmationExpired,
        Error::ConfirmationExpired => Error::OperationMismatch,
        Error::OperationMismatch => Error::NotRedeemable,
        Error::NotRedeemable => Error::AuthenticatorChanged,
        Error::AuthenticatorChanged => Error::WrongStage,
        Error::WrongStage => Error::StepUpRequired(vec![PathView { stages: Vec::new() }]),
        Error::StepUpRequired(_) => Error::PinNotSet,
        Error::PinNotSet => Error::PinAlreadySet,
        Error::PinAlreadySet => Error::LastCodeReserved { left: 1 },
        Error::LastCodeReserved { .. } => Error::BackupCodesEnabled,
        Error::BackupCodesEnabled => Error::CodeListNotFound,
        Error::CodeListNotFound => Error::LastIdentifier,
        Error::LastIdentifier => Error::SmsUnavailable,
        Error::SmsUnavailable => Error::NumberEnrolled,
        Error::NumberEnrolled => Error::NumberInUse,
        Error::NumberInUse => Error::NothingToSend,
        Error::NothingToSend => Error::WhichNumber,
        Error::WhichNumber => Error::ProofNeedsConfirmation,
        Error::ProofNeedsConfirmation => Error::SendTooSoon(AT),
        Error::SendTooSoon(_) => Error::TooManySends,
        Error::TooManySends => Error::SendRefused(Box::new(SendRefusal {
            limit: Limit::TotalHour,
            retry: AT,
            others: Vec::new(),
        })),
        Error::SendRefused(_) => Error::IdentifierNotEnabled,
        Error::IdentifierNotEnabled => {
            Error::Denied(Obstacle::TemporarilyLocked { retry_at: LATER }, NOW)
        }
        Error::Denied(Obstacle::TemporarilyLocked { .. }, _) => {
            Error::Denied(Obstacle::RecoveryRequired, NOW)
        }
        Error::Denied(Obstacle::RecoveryRequired, _) => Error::TooManyConfirmations(AT),
        Error::TooManyConfirmations(_) => Error::TooManyIdentifiers,
        Error::TooManyIdentifiers => Error::TooManyEnrolments(AT),
        Error::TooManyEnrolments(_) => Error::EnrolmentThrottled(AT),
        Error::EnrolmentThrottled(_) => Error::PageTokenInvalid,
        Error::PageTokenInvalid => Error::ResumeTokenInvalid,
        Error::ResumeTokenInvalid => Error::FeedRestarted,
        Error::FeedRestarted => Error::TooManyWatchers,
        Error::TooManyWatchers => Error::Stopping,
        Error::Stopping => Error::SubjectBusy,
        Error::SubjectBusy => Error::ServerBusy,
        Error::ServerBusy => Error::HashPoolBusy,
        Error::HashPoolBusy => Error::Unavailable(StoreError::Unavailable("refused".into())),
        Error::Unavailable(_) => Error::OutcomeUnknown,
        Error::OutcomeUnknown => Error::Internal("a fault".into()),
        Error::Internal(_) => return None,
    })
}

fn next_state(state: StateView) -> Option<StateView> {
    match state {
        StateView::Pending => Some(StateView::Approved),
        StateView::Approved => Some(StateView::Failed),
        StateView::Failed => Some(StateView::Expired),
        StateView::Expired => Some(StateView::Cancelled),
        StateView::Cancelled => Some(StateView::Redeemed),
        StateView::Redeemed => None,
    }
}
