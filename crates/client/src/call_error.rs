//! Why a call failed, in types.

use std::{collections::BTreeMap, error::Error, fmt, time::Duration};

use countersign_proto::v1::{ErrorReason, Path};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    errors::{reason, retry_after, step_up_paths},
    mutual::in_full,
};

/// Why a call failed: what its status says, in types.
///
/// Shown, it is a line for the log: reason, code, message, and the fields that are wrong. Neither the
/// server nor this type puts a secret there.
#[derive(Clone)]
pub struct CallError {
    status: Status,
    reason: Option<ErrorReason>,
}

/// A field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldViolation {
    /// Which, such as `operation.withdrawal.amount`.
    pub field: String,
    /// What would be right.
    pub description: String,
}

impl CallError {
    /// The code.
    pub fn code(&self) -> Code {
        self.status.code()
    }

    /// The stable reason. `None` where the server did not answer, or has one that this client is too
    /// old for.
    pub const fn reason(&self) -> Option<ErrorReason> {
        self.reason
    }

    /// What the server says of it, for people who read logs.
    pub fn message(&self) -> &str {
        self.status.message()
    }

    /// What belongs to the reason, such as `state` where a confirmation is in another one.
    pub fn metadata(&self) -> BTreeMap<String, String> {
        let info = self.status.get_details_error_info();
        let pairs = info.map(|info| info.metadata).unwrap_or_default();
        pairs.into_iter().collect()
    }

    /// Every field of the request that is wrong.
    pub fn violations(&self) -> Vec<FieldViolation> {
        let found = self.status.get_details_bad_request();
        let found = found.map(|request| request.field_violations);
        let found = found.unwrap_or_default().into_iter();
        found
            .map(|violation| FieldViolation {
                field: violation.field,
                description: violation.description,
            })
            .collect()
    }

    /// How long to wait before trying again, where waiting helps.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.status)
    }

    /// What would do, where more has to be proved.
    pub fn step_up_paths(&self) -> Option<Vec<Path>> {
        step_up_paths(&self.status)
    }

    /// Whether what was asked for may have been done all the same: the answer was lost, or did not
    /// come in time. Ask again with the same request, request id included.
    pub fn may_be_done(&self) -> bool {
        matches!(
            self.code(),
            Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Cancelled
                | Code::Unknown
                | Code::Internal
        )
    }

    /// The status that this was read from.
    pub const fn status(&self) -> &Status {
        &self.status
    }
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        let name = reason(&status).map(|reason| format!("ERROR_REASON_{reason}"));
        let reason = name.and_then(|name| ErrorReason::from_str_name(&name));
        Self { status, reason }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = reason(&self.status) {
            write!(f, "{reason} ")?;
        }
        write!(f, "({:?}): {}", self.code(), self.message())?;
        for FieldViolation { field, description } in self.violations() {
            write!(f, "; {field}: {description}")?;
        }
        if let Some(delay) = self.retry_after() {
            write!(f, "; try again after {} s", delay.as_secs_f32())?;
        }
        // A failure of the transport: the message alone says no more than that.
        match self.status.source() {
            Some(source) => write!(f, ": {}", in_full(source)),
            None => Ok(()),
        }
    }
}

/// As it is shown: the details of a status are bytes, and may hold the labels of a person.
impl fmt::Debug for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallError({self})")
    }
}

impl Error for CallError {}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::{ErrorDetails, StatusExt};

    use super::*;

    fn error(code: Code, reason: &str, change: impl FnOnce(&mut ErrorDetails)) -> CallError {
        let metadata = HashMap::from([("state".to_owned(), "EXPIRED".to_owned())]);
        let mut details = ErrorDetails::with_error_info(reason, "countersign", metadata);
        change(&mut details);
        Status::with_error_details(code, "it is not right", details).into()
    }

    #[test]
    fn everything_that_a_status_says_is_read() {
        let error = error(Code::InvalidArgument, "INVALID_FIELD", |details| {
            details.add_bad_request_violation("request_id", "must be given");
            details.set_retry_info(Some(Duration::from_secs(2)));
        });
        assert_eq!(error.code(), Code::InvalidArgument);
        assert_eq!(error.reason(), Some(ErrorReason::InvalidField));
        assert_eq!(error.message(), "it is not right");
        assert_eq!(error.metadata()["state"], "EXPIRED");
        assert_eq!(error.violations()[0].field, "request_id");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(2)));
        assert_eq!(error.step_up_paths(), None);
        assert!(!error.may_be_done());
        let shown = "INVALID_FIELD (InvalidArgument): it is not right; request_id: must be given; \
                     try again after 2 s";
        assert_eq!(error.to_string(), shown);
    }

    #[test]
    fn a_reason_that_is_newer_than_this_client_is_shown_all_the_same() {
        let error = error(Code::FailedPrecondition, "MOON_IS_FULL", |_| {});
        assert_eq!(error.reason(), None);
        assert!(error.to_string().starts_with("MOON_IS_FULL"), "{error}");
    }

    #[test]
    fn what_is_in_the_details_and_not_meant_for_a_log_is_not_shown() {
        let status = Status::with_details(
            Code::FailedPrecondition,
            "more has to be proved",
            b"Anna's phone".to_vec().into(),
        );
        let error = CallError::from(status);
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("Anna") && !shown.contains("65, 110"),
            "{shown}"
        );
    }

    #[test]
    fn only_where_no_answer_came_may_it_be_done() {
        for (status, may_be_done) in [
            (Status::unavailable("gone"), true),
            (Status::deadline_exceeded("late"), true),
            (Status::cancelled("gone"), true),
            (Status::internal("a fault behind a change"), true),
            (Status::failed_precondition("no"), false),
            (Status::permission_denied("no"), false),
            (Status::resource_exhausted("busy"), false),
        ] {
            assert_eq!(CallError::from(status).may_be_done(), may_be_done);
        }
    }
}
