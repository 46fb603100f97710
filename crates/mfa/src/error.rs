//! Why a request is not carried out. A wrong proof is no error: it is an answer.

use countersign_primitives::Timestamp;
use countersign_security_identifiers::{Obstacle, RegistryError};
use thiserror::Error;

use crate::{PathView, SendRefusal, confirmation::StateView, ports::StoreError};

/// Why a request is not carried out; nothing was changed then, save where a variant says so.
#[derive(Debug, Error)]
pub enum Error {
    /// The request id was used for another body.
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// The subject has no such confirmation, or another caller created it.
    #[error("there is no such confirmation")]
    ConfirmationNotFound,
    /// The subject has no such identifier.
    #[error("there is no such identifier")]
    IdentifierNotFound,
    /// The confirmation has ended or is approved already.
    #[error("the confirmation is not pending")]
    ConfirmationNotPending(StateView),
    /// The confirmation has not been approved.
    #[error("the confirmation is not approved")]
    ConfirmationNotApproved(StateView),
    /// The confirmation was redeemed before.
    #[error("the confirmation was redeemed before")]
    AlreadyRedeemed,
    /// The confirmation's time is over.
    #[error("the confirmation has expired")]
    ConfirmationExpired,
    /// The operation is not the one that was confirmed. An event says so; it is still approved.
    #[error("the operation is not the one that was confirmed")]
    OperationMismatch,
    /// A settings change is consumed by its own method.
    #[error("a settings change is not redeemed: its own method consumes it")]
    NotRedeemable,
    /// An authenticator used for the approval is disabled or reset since. An event says so.
    #[error("an authenticator used for the approval has been disabled or reset since")]
    AuthenticatorChanged,
    /// A proof belongs to a later stage.
    #[error("a proof belongs to a stage whose turn has not come")]
    WrongStage,
    /// The proofs given do not make up any path.
    #[error("more has to be proved")]
    StepUpRequired(Vec<PathView>),
    /// The subject has no PIN.
    #[error("the subject has no PIN")]
    PinNotSet,
    /// The subject has a PIN.
    #[error("the subject has a PIN already")]
    PinAlreadySet,
    /// The set of backup codes has no code to spare: what is left is for disabling the set and for
    /// making more codes.
    #[error("the last backup code is reserved for disabling the codes or making more")]
    LastCodeReserved {
        /// How many codes are left: one, or none.
        left: usize,
    },
    /// The subject has a set of backup codes.
    #[error("the subject has backup codes already: make more, or disable them first")]
    BackupCodesEnabled,
    /// The list of backup codes has lapsed, was replaced, or is another caller's.
    #[error("there is no such list of backup codes, or it has lapsed")]
    CodeListNotFound,
    /// No other identifier would be left, and that was not confirmed.
    #[error("this is the last identifier: `confirm_last` must be set to disable it")]
    LastIdentifier,
    /// No codes are sent by SMS here, or none to the country of the number.
    #[error(
        "no codes are sent by SMS: the server has no provider for it, or none for this country"
    )]
    SmsUnavailable,
    /// The subject has an identifier with this number.
    #[error("the number is enrolled already")]
    NumberEnrolled,
    /// Too many subjects use the number.
    #[error("as many subjects use the number as may")]
    NumberInUse,
    /// No code can be sent for the stage at hand, or not to this identifier.
    #[error("no code can be sent for the stage at hand, or not to this identifier")]
    NothingToSend,
    /// Several numbers would do.
    #[error("codes can be sent to several numbers for this stage: `identifier_id` must name one")]
    WhichNumber,
    /// A code of this identifier is sent for a confirmation.
    #[error(
        "a code of this identifier is sent for a confirmation: create one for the settings change"
    )]
    ProofNeedsConfirmation,
    /// The message before was sent too short a while ago.
    #[error("the message before was sent too short a while ago")]
    SendTooSoon(RetryAt),
    /// As many messages were sent for it as may be.
    #[error("as many messages were sent for this confirmation or enrolment as may be")]
    TooManySends,
    /// A limit on what is sent is reached. Where a prefix closes by it, an event says so.
    #[error("a limit on messages is reached: {}", .0.limit.name())]
    SendRefused(Box<SendRefusal>),
    /// The identifier is not enabled.
    #[error("the identifier is not enabled")]
    IdentifierNotEnabled,
    /// What would have to be proved cannot be proved now.
    #[error("what would have to be proved cannot be proved now")]
    Denied(Obstacle, Timestamp),
    /// Too many confirmations are pending.
    #[error("too many confirmations of the subject are pending")]
    TooManyConfirmations(RetryAt),
    /// Too many identifiers.
    #[error("the subject has as many identifiers as are allowed")]
    TooManyIdentifiers,
    /// Too many enrolments are unfinished.
    #[error("too many enrolments of the subject are unfinished")]
    TooManyEnrolments(RetryAt),
    /// Too many wrong codes in enrolments within an hour.
    #[error("too many wrong codes were typed in enrolments")]
    EnrolmentThrottled(RetryAt),
    /// A page token that this server did not give to this caller for this subject.
    #[error("the page token is not one of this list")]
    PageTokenInvalid,
    /// A resume token that no server gave.
    #[error("the resume token is none of this server's")]
    ResumeTokenInvalid,
    /// The resume token is of another life of the database, which was restored since.
    #[error(
        "the feed has begun anew since: read the state of your subjects, and begin without a token"
    )]
    FeedRestarted,
    /// Too many watch.
    #[error("as many watch as may")]
    TooManyWatchers,
    /// The server stops.
    #[error("the server stops: go on elsewhere with the last token")]
    Stopping,
    /// Too many requests of the subject wait.
    #[error("too many requests of the subject are waiting")]
    SubjectBusy,
    /// Too many requests are at work.
    #[error("the server has as many requests as it can answer in time")]
    ServerBusy,
    /// Too many hashes wait.
    #[error("too many PINs and backup codes are being checked")]
    HashPoolBusy,
    /// A dependency is down: nothing was written.
    #[error("the database is not available")]
    Unavailable(#[source] StoreError),
    /// A dependency went down while the change was being written: it may or may not stand.
    #[error("whether the change was written is not known: ask again with the same request id")]
    OutcomeUnknown,
    /// Something that should not happen did.
    #[error("an internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// When waiting will have helped, and the instant that this was said at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAt {
    /// The instant of the answer.
    pub now: Timestamp,
    /// The instant from which it may work.
    pub at: Timestamp,
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Unavailable(error),
            StoreError::OutcomeUnknown(_) => Self::OutcomeUnknown,
            StoreError::Inconsistent { .. } | StoreError::Refused(_) => {
                Self::Internal(Box::new(error))
            }
        }
    }
}

impl Error {
    /// The error for a change that the registry does not take at `now`.
    pub(crate) fn of_registry(error: RegistryError, now: Timestamp) -> Self {
        match error {
            RegistryError::NoSuchIdentifier | RegistryError::NoSuchEnrolment => {
                Self::IdentifierNotFound
            }
            RegistryError::NoSuchCodeList => Self::CodeListNotFound,
            RegistryError::NotEnabled => Self::IdentifierNotEnabled,
            RegistryError::NumberEnrolled => Self::NumberEnrolled,
            RegistryError::TooManyIdentifiers => Self::TooManyIdentifiers,
            RegistryError::TooManyEnrolments { retry_at: at } => {
                Self::TooManyEnrolments(RetryAt { now, at })
            }
            RegistryError::TooManyConfirmations { retry_at: at } => {
                Self::TooManyConfirmations(RetryAt { now, at })
            }
        }
    }
}
