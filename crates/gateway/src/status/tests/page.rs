//! The page of errors: what the proto says of each reason, what a caller does about it, and every
//! status that there is.

use std::fmt::Write as _;

use countersign_proto::{FILE_DESCRIPTOR_SET, v1::ErrorReason};
use prost::Message as _;
use prost_types::FileDescriptorSet;

use super::{Sample, name, reason, types};

/// Whether the same request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// Once the wait of `RetryInfo` is over.
    AfterTheWait,
    /// Once something else was done.
    AfterAnotherStep,
    /// Never: the answer will be the same.
    Never,
}

/// Whether to send the same request again, and what to do.
pub(super) const fn advice(reason: ErrorReason) -> (Retry, &'static str) {
    use ErrorReason as R;
    use Retry::{AfterAnotherStep, AfterTheWait, Never};
    match reason {
        R::Unspecified => (Never, ""),
        R::InvalidField => (
            Never,
            "Mend the program, or show the person which entry is wrong.",
        ),
        R::RequestIdReused => (Never, "Mend the program: one request id for one request."),
        R::ConfirmationNotFound => (Never, "Create a confirmation, as the same caller."),
        R::IdentifierNotFound => (Never, "List the identifiers anew."),
        R::ConfirmationNotPending | R::ConfirmationNotApproved => (
            Never,
            "Get the confirmation; create another one where it has ended.",
        ),
        R::AlreadyRedeemed => (Never, "Do not carry the operation out a second time."),
        R::ConfirmationExpired => (Never, "Create another confirmation."),
        R::OperationMismatch => (
            Never,
            "Do not carry the operation out: it is not what the person confirmed.",
        ),
        R::NotRedeemable => (
            Never,
            "Name the confirmation in the method that makes the change.",
        ),
        R::AuthenticatorChanged => (Never, "Create another confirmation."),
        R::WrongStage => (AfterAnotherStep, "Ask for what the present stage takes."),
        R::StepUpRequired => (AfterAnotherStep, "Ask for what one of the paths takes."),
        R::PinNotSet => (AfterAnotherStep, "Have the person set a PIN."),
        R::PinAlreadySet => (Never, "Offer to change the PIN."),
        R::LastIdentifier => (AfterAnotherStep, "Ask the person, then set confirm_last."),
        R::SmsUnavailable => (
            AfterAnotherStep,
            "Offer another factor; have the operators connect a carrier.",
        ),
        R::NumberEnrolled => (Never, "Show the person the identifier with this number."),
        R::NumberInUse => (Never, "Ask the person for another number."),
        R::NothingToSend => (
            AfterAnotherStep,
            "Get the confirmation, and send a code for the stage at hand.",
        ),
        R::WhichNumber => (AfterAnotherStep, "Have the person pick a number."),
        R::ProofNeedsConfirmation => (
            AfterAnotherStep,
            "Create a confirmation of the settings change, send the code, submit it.",
        ),
        R::SendTooSoon => (AfterTheWait, "Show the person when the next may be sent."),
        R::TooManySends => (
            Never,
            "Offer another identifier, or begin anew: create another confirmation.",
        ),
        R::SendLimitReached => (
            AfterTheWait,
            "Offer what SendRefused lists; else tell the person when to come again.",
        ),
        R::IdentifierNotEnabled => (AfterAnotherStep, "Finish its enrolment, or enrol another."),
        R::TemporarilyLocked => (AfterTheWait, "Tell the person when to come again."),
        R::RecoveryRequired => (AfterAnotherStep, "Send the person to the operators."),
        R::TooManyPendingConfirmations => (AfterTheWait, "Cancel those that nobody waits for."),
        R::TooManyIdentifiers => (AfterAnotherStep, "Have one disabled first."),
        R::TooManyPendingEnrolments => (AfterTheWait, "Finish an enrolment that has begun."),
        R::EnrolmentThrottled => (AfterTheWait, "Tell the person when to come again."),
        R::CallerNotPermitted => (
            Never,
            "Have the operators of Countersign extend the row of the caller, or do not ask for it.",
        ),
        R::SubjectBusy | R::HashPoolBusy | R::ServerBusy | R::CallerBusy => {
            (AfterTheWait, "Send fewer requests at once.")
        }
        R::FeedRestarted => (
            AfterAnotherStep,
            "Read the state of the subjects that matter, and watch without a token.",
        ),
        R::TooManyWatchers => (AfterTheWait, "Watch with fewer instances."),
        R::ServerStopping => (
            AfterTheWait,
            "Go on with the last token, at another gateway.",
        ),
        R::StorageUnavailable => (AfterTheWait, "Send it again, with the same request id."),
        R::OutcomeUnknown => (
            AfterTheWait,
            "Send it again, with the same request id: it is never done twice.",
        ),
        R::MethodUnknown => (Never, "Mend the program, or bring the server up to date."),
        R::Internal => (Never, "Tell the operators, with the request id of the log."),
        R::BackupCodesEnabled => (Never, "Make more codes, or have them disabled first."),
        R::CodeListNotFound => (AfterAnotherStep, "Have a new list made."),
        R::LastCodeReserved => (
            AfterAnotherStep,
            "Have more codes made, or ask for another factor.",
        ),
    }
}

const INTRODUCTION: &str = "\
# Errors

<!-- Made by a test: COUNTERSIGN_REGENERATE=1 cargo test -p countersign-gateway -->

Every error is a `google.rpc.Status` with an `ErrorInfo` among its details: its domain is
`countersign`, and its reason one of those below. Programs decide by the reason, never by the text.
A wrong proof is no error: it is the answer `rejected`.

- `BadRequest` names every field that is wrong, by its path: `proofs[0].code`.
- `RetryInfo` says how long to wait. Where there is none, waiting alone does not help.
- `StepUpRequired` (`countersign.v1`) says what would have to be proved.
- `QuotaFailure` names a limit on what is sent, and `SendRefused` (`countersign.v1`) what would do in
  place of the code.

Only `UNAVAILABLE` is safe to retry by itself, without anybody deciding to (AIP-194); with a
`request_id`, a repetition has one effect. A deadline of the caller's own that passes, or a
connection that is lost, says nothing of the outcome: send the same request again.

## Reasons
";

/// The page.
pub(super) fn of(samples: &[Sample]) -> String {
    let mut page = INTRODUCTION.to_owned();
    for (number, said) in comments() {
        let reason = ErrorReason::try_from(number).unwrap();
        let (retry, to_do) = advice(reason);
        let retry = match retry {
            Retry::AfterTheWait => "after the wait in `RetryInfo`",
            Retry::AfterAnotherStep => "after another step",
            Retry::Never => "no",
        };
        let name = name(reason);
        write!(
            page,
            "\n### {name}\n\n{said}\n\n- Again: {retry}.\n- {to_do}\n"
        )
        .unwrap();
    }
    page.push_str(
        "\n## Every status\n\nWhat is answered to each failure, with the details in their order.\n\n\
         | of | code | reason | text | details |\n|---|---|---|---|---|\n",
    );
    for Sample { what, status } in samples {
        let code = status.code();
        let code = format!("{code:?}");
        let info = reason(status).0;
        let details = types(status).join(", ");
        let text = status.message().replace('|', "\\|");
        writeln!(
            page,
            "| {what} | {} | {info} | {text} | {details} |",
            screaming(&code)
        )
        .unwrap();
    }
    page
}

/// `FailedPrecondition` as gRPC writes it.
fn screaming(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

/// The number of each reason, and what the proto says of it, in the order of the numbers.
fn comments() -> Vec<(i32, String)> {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let mut files = set.file.into_iter();
    let file = files
        .find(|file| file.name().ends_with("/error_reason.proto"))
        .unwrap();
    let values = &file.enum_type[0].value;
    let locations = file.source_code_info.unwrap().location;
    let mut comments: Vec<(i32, String)> = (0..)
        .zip(values)
        .skip(1)
        .map(|(place, value)| {
            // Of the first enum (5, 0) the value (2) at this place.
            let path = [5, 0, 2, place];
            let mut locations = locations.iter();
            let location = locations.find(|location| location.path == path).unwrap();
            let lines = location.leading_comments().lines().map(str::trim);
            (value.number(), lines.collect::<Vec<_>>().join("\n"))
        })
        .collect();
    comments.sort();
    comments
}
