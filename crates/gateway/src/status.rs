//! The only place where gRPC codes are chosen.
//!
//! Every error carries a `google.rpc.ErrorInfo` with the domain `countersign` and a stable reason
//! (`ErrorReason` in the proto), every `INVALID_ARGUMENT` a `BadRequest` with all violations, and
//! whatever waiting helps a `RetryInfo`.

use std::{collections::HashMap, sync::Arc, time::Duration};

use countersign_mfa::{Error, PathView, RetryAt, SendRefusal, StateView};
use countersign_proto::v1::{self as wire, ErrorReason};
use countersign_security_identifiers::Obstacle;
use prost::Message;
use prost_types::Any;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt, pb};

use crate::{
    callers::Lacks,
    convert::{
        NO_TOKEN,
        confirmation::{option_to_wire, path_to_wire},
    },
};

const DOMAIN: &str = "countersign";

/// All that is said of what went wrong inside.
const INTERNAL: &str = "an internal error";

/// How long to wait where the server is busy and no instant is known.
const SOON: Duration = Duration::from_secs(1);

/// The status of a use case's error.
pub(crate) fn of_error(error: Error) -> Status {
    let text = error.to_string();
    match error {
        Error::RequestIdReused => failed(Code::InvalidArgument, ErrorReason::RequestIdReused, text),
        Error::ConfirmationNotFound => {
            failed(Code::NotFound, ErrorReason::ConfirmationNotFound, text)
        }
        Error::IdentifierNotFound => failed(Code::NotFound, ErrorReason::IdentifierNotFound, text),
        Error::ConfirmationNotPending(state) => {
            in_state(ErrorReason::ConfirmationNotPending, text, state)
        }
        Error::ConfirmationNotApproved(state) => {
            in_state(ErrorReason::ConfirmationNotApproved, text, state)
        }
        Error::AlreadyRedeemed => precondition(ErrorReason::AlreadyRedeemed, text),
        Error::ConfirmationExpired => precondition(ErrorReason::ConfirmationExpired, text),
        Error::OperationMismatch => precondition(ErrorReason::OperationMismatch, text),
        Error::NotRedeemable => precondition(ErrorReason::NotRedeemable, text),
        Error::AuthenticatorChanged => precondition(ErrorReason::AuthenticatorChanged, text),
        Error::WrongStage => precondition(ErrorReason::WrongStage, text),
        Error::StepUpRequired(paths) => step_up(text, paths),
        Error::PinNotSet => precondition(ErrorReason::PinNotSet, text),
        Error::PinAlreadySet => precondition(ErrorReason::PinAlreadySet, text),
        Error::LastIdentifier => precondition(ErrorReason::LastIdentifier, text),
        Error::LastCodeReserved { left } => last_code_reserved(text, left),
        Error::BackupCodesEnabled => precondition(ErrorReason::BackupCodesEnabled, text),
        Error::CodeListNotFound => failed(Code::NotFound, ErrorReason::CodeListNotFound, text),
        Error::SmsUnavailable => precondition(ErrorReason::SmsUnavailable, text),
        Error::NumberEnrolled => precondition(ErrorReason::NumberEnrolled, text),
        Error::NumberInUse => precondition(ErrorReason::NumberInUse, text),
        Error::NothingToSend => precondition(ErrorReason::NothingToSend, text),
        Error::WhichNumber => precondition(ErrorReason::WhichNumber, text),
        Error::ProofNeedsConfirmation => precondition(ErrorReason::ProofNeedsConfirmation, text),
        Error::SendTooSoon(at) => {
            let reason = ErrorReason::SendTooSoon;
            retry_at(Code::ResourceExhausted, reason, text, at)
        }
        Error::TooManySends => failed(Code::ResourceExhausted, ErrorReason::TooManySends, text),
        Error::SendRefused(refusal) => send_refused(text, *refusal),
        Error::IdentifierNotEnabled => precondition(ErrorReason::IdentifierNotEnabled, text),
        Error::Denied(Obstacle::RecoveryRequired, _) => {
            precondition(ErrorReason::RecoveryRequired, text)
        }
        Error::Denied(Obstacle::TemporarilyLocked { retry_at: at }, now) => {
            let reason = ErrorReason::TemporarilyLocked;
            retry_at(Code::FailedPrecondition, reason, text, RetryAt { now, at })
        }
        Error::TooManyConfirmations(at) => {
            let reason = ErrorReason::TooManyPendingConfirmations;
            retry_at(Code::ResourceExhausted, reason, text, at)
        }
        Error::TooManyIdentifiers => failed(
            Code::ResourceExhausted,
            ErrorReason::TooManyIdentifiers,
            text,
        ),
        Error::TooManyEnrolments(at) => {
            let reason = ErrorReason::TooManyPendingEnrolments;
            retry_at(Code::ResourceExhausted, reason, text, at)
        }
        Error::EnrolmentThrottled(at) => {
            let reason = ErrorReason::EnrolmentThrottled;
            retry_at(Code::ResourceExhausted, reason, text, at)
        }
        Error::PageTokenInvalid => invalid_field("page_token", NO_TOKEN),
        Error::ResumeTokenInvalid => invalid_field("resume_token", &text),
        Error::FeedRestarted => precondition(ErrorReason::FeedRestarted, text),
        Error::TooManyWatchers => busy(ErrorReason::TooManyWatchers, text),
        Error::Stopping => unavailable(ErrorReason::ServerStopping, text),
        Error::SubjectBusy => busy(ErrorReason::SubjectBusy, text),
        Error::ServerBusy => server_busy(),
        Error::HashPoolBusy => busy(ErrorReason::HashPoolBusy, text),
        Error::Unavailable(source) => because(
            unavailable(ErrorReason::StorageUnavailable, text),
            Arc::new(source),
        ),
        Error::OutcomeUnknown => unavailable(ErrorReason::OutcomeUnknown, text),
        Error::Internal(source) => because(internal(), Arc::from(source)),
    }
}

/// A status with what lay behind it: for the log, where the request ends. It does not leave.
fn because(mut status: Status, source: Arc<dyn std::error::Error + Send + Sync>) -> Status {
    status.set_source(source);
    status
}

/// The status of a request with fields that are wrong: all of them at once.
pub(crate) fn invalid(violations: Vec<FieldViolation>) -> Status {
    let text = match violations.as_slice() {
        [one] => format!("{} {}", one.field, one.description),
        several => format!("{} fields are wrong", several.len()),
    };
    let mut details = details(ErrorReason::InvalidField);
    details.set_bad_request(violations);
    Status::with_error_details(Code::InvalidArgument, text, details)
}

/// The status of a request that came to a full room.
pub(crate) fn server_busy() -> Status {
    busy(ErrorReason::ServerBusy, Error::ServerBusy.to_string())
}

/// The status of a request that its caller may not make; `lacks` is the key of the table of callers
/// that does not allow it.
pub(crate) fn not_permitted(lacks: Lacks) -> Status {
    let reason = ErrorReason::CallerNotPermitted;
    let metadata = HashMap::from([("lacks".to_owned(), lacks.key().to_owned())]);
    let details = ErrorDetails::with_error_info(name(reason), DOMAIN, metadata);
    Status::with_error_details(Code::PermissionDenied, lacks.to_string(), details)
}

/// The status of a request of a caller that has its whole share of the server at work.
pub(crate) fn caller_busy(delay: Duration) -> Status {
    let (code, reason) = (Code::ResourceExhausted, ErrorReason::CallerBusy);
    let text = "this caller has as many requests at work, or in a second, as it may have";
    retry_after(code, reason, text.to_owned(), delay)
}

/// The status of a request that took longer than its deadline; what it does goes on.
pub(crate) fn deadline_exceeded() -> Status {
    let text = "the deadline has passed, and what was asked for may be done all the same: ask again \
                with the same request id";
    failed(Code::DeadlineExceeded, ErrorReason::OutcomeUnknown, text)
}

/// The status of a failure that should not happen; what it was stands in the log only.
pub(crate) fn internal() -> Status {
    failed(Code::Internal, ErrorReason::Internal, INTERNAL)
}

/// Gives a status that was made elsewhere, by the transport, the details that each of ours has.
/// A message that cannot be read is `INTERNAL` or `OUT_OF_RANGE` there, and the caller's mistake:
/// what is said of it is about the caller's own bytes.
pub(crate) fn with_details(status: &Status) -> Status {
    let text = status.message();
    match status.code() {
        Code::Unimplemented if text.is_empty() => {
            let reason = ErrorReason::MethodUnknown;
            failed(Code::Unimplemented, reason, "there is no such method")
        }
        Code::Unimplemented => failed(Code::Unimplemented, ErrorReason::MethodUnknown, text),
        code @ (Code::Cancelled | Code::DeadlineExceeded) => {
            let text = Error::OutcomeUnknown.to_string();
            failed(code, ErrorReason::OutcomeUnknown, text)
        }
        Code::Internal | Code::OutOfRange | Code::InvalidArgument => {
            failed(Code::InvalidArgument, ErrorReason::InvalidField, text)
        }
        code @ (Code::Ok
        | Code::Unknown
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated) => {
            // Neither ours nor about the caller's bytes: what it says is for the log.
            tracing::debug!(rpc.code = ?code, error = text, "a status was made elsewhere");
            failed(code, ErrorReason::Internal, INTERNAL)
        }
    }
}

fn failed(code: Code, reason: ErrorReason, text: impl Into<String>) -> Status {
    Status::with_error_details(code, text, details(reason))
}

fn precondition(reason: ErrorReason, text: String) -> Status {
    failed(Code::FailedPrecondition, reason, text)
}

fn in_state(reason: ErrorReason, text: String, state: StateView) -> Status {
    let state = match state {
        StateView::Pending => "PENDING",
        StateView::Approved => "APPROVED",
        StateView::Failed => "FAILED",
        StateView::Expired => "EXPIRED",
        StateView::Cancelled => "CANCELLED",
        StateView::Redeemed => "REDEEMED",
    };
    let text = format!("{text}: it is {state}");
    precondition_with(reason, text, "state", state.to_owned())
}

fn last_code_reserved(text: String, left: usize) -> Status {
    let reason = ErrorReason::LastCodeReserved;
    precondition_with(reason, text, "codes_left", left.to_string())
}

fn precondition_with(reason: ErrorReason, text: String, key: &str, value: String) -> Status {
    let metadata = HashMap::from([(key.to_owned(), value)]);
    let details = ErrorDetails::with_error_info(name(reason), DOMAIN, metadata);
    Status::with_error_details(Code::FailedPrecondition, text, details)
}

fn retry_at(code: Code, reason: ErrorReason, text: String, at: RetryAt) -> Status {
    retry_after(code, reason, text, at.now.until(at.at))
}

fn busy(reason: ErrorReason, text: String) -> Status {
    retry_after(Code::ResourceExhausted, reason, text, SOON)
}

fn unavailable(reason: ErrorReason, text: String) -> Status {
    retry_after(Code::Unavailable, reason, text, SOON)
}

fn retry_after(code: Code, reason: ErrorReason, text: String, delay: Duration) -> Status {
    let mut details = details(reason);
    details.set_retry_info(Some(delay));
    Status::with_error_details(code, text, details)
}

fn invalid_field(field: &str, description: &str) -> Status {
    invalid(vec![FieldViolation::new(field, description)])
}

fn step_up(text: String, paths: Vec<PathView>) -> Status {
    let status = precondition(ErrorReason::StepUpRequired, text);
    let paths = paths.into_iter().map(path_to_wire).collect();
    let required = wire::StepUpRequired { paths };
    with_own_detail(&status, "StepUpRequired", required.encode_to_vec())
}

fn send_refused(text: String, refusal: SendRefusal) -> Status {
    let mut details = details(ErrorReason::SendLimitReached);
    let RetryAt { now, at } = refusal.retry;
    details.set_retry_info(Some(now.until(at)));
    let limit = format!("sms:{}", refusal.limit.name());
    details.add_quota_failure_violation(limit, &text);
    let status = Status::with_error_details(Code::ResourceExhausted, text, details);
    let other_options = refusal.others.into_iter().map(option_to_wire).collect();
    let refused = wire::SendRefused { other_options };
    with_own_detail(&status, "SendRefused", refused.encode_to_vec())
}

/// A message of our own goes along, which `ErrorDetails` has no place for.
fn with_own_detail(status: &Status, message: &str, value: Vec<u8>) -> Status {
    let Ok(mut details) = pb::Status::decode(status.details()) else {
        return internal();
    };
    details.details.push(Any {
        type_url: format!("type.googleapis.com/countersign.v1.{message}"),
        value,
    });
    Status::with_details(
        status.code(),
        status.message(),
        details.encode_to_vec().into(),
    )
}

fn details(reason: ErrorReason) -> ErrorDetails {
    ErrorDetails::with_error_info(name(reason), DOMAIN, HashMap::new())
}

/// The reason on the wire: the value's name without the enum's prefix.
fn name(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}

#[cfg(test)]
mod tests;
