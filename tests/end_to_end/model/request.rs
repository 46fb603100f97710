//! Requests and answers in the few words that the model needs.

use std::collections::{BTreeMap, BTreeSet};

use countersign_testkit::v1::{ConfirmationState, Purpose};

mod wire;

pub(crate) use wire::{millis, send, view_of_wire};

/// Milliseconds since the epoch.
pub(crate) type Millis = i64;

/// Whose proof.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Pin,
    App(String),
}

/// Whose proofs, and what was typed.
pub(crate) type Proofs = Vec<(Who, String)>;

/// A change of settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    FirstPin,
    OtherPin,
    Enable {
        id: String,
        purposes: BTreeSet<Purpose>,
    },
    Switch {
        id: String,
        on: BTreeSet<Purpose>,
        off: BTreeSet<Purpose>,
    },
    Disable {
        id: String,
        confirm_last: bool,
    },
}

/// What is to be confirmed; the number makes one differ from another of its kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operation {
    Login(u8),
    Withdrawal(u8),
    Custom(u8),
    Settings(Change),
}

/// A request by a caller, or an operator's deed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    /// `typed` is the new PIN, or the new app's code.
    Settings {
        change: Change,
        typed: String,
        proofs: Proofs,
    },
    Begin {
        label: String,
    },
    Create {
        operation: Operation,
        redeem_on_approval: bool,
    },
    Submit {
        id: String,
        proofs: Proofs,
    },
    Redeem {
        id: String,
        operation: Operation,
    },
    Cancel {
        id: String,
    },
    Unlock,
    OperatorDisable {
        id: String,
    },
    ResetPin,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// An error, and in how many milliseconds it is worth another try.
    Refused {
        reason: String,
        retry_in: Option<Millis>,
    },
    Done,
    Rejected,
    Begun {
        id: String,
        until: Millis,
        has_secret: bool,
    },
    NotRequired,
    EnrolmentRequired {
        pin: bool,
        identifier: bool,
    },
    /// With the instant from which it may work, if only locks stand in the way.
    Denied {
        retry_at: Option<Millis>,
    },
    Opened(View),
    Submitted {
        accepted: bool,
        after: View,
    },
    /// Redeemed, or cancelled.
    Now(View),
}

/// A confirmation as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct View {
    pub(crate) id: String,
    pub(crate) state: ConfirmationState,
    pub(crate) purpose: Purpose,
    pub(crate) attempts_left: i32,
    pub(crate) until: Millis,
    pub(crate) paths: Vec<Vec<StageView>>,
}

/// A stage as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StageView {
    pub(crate) passed: bool,
    pub(crate) options: BTreeMap<Who, OptionView>,
}

/// An option as it is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OptionView {
    pub(crate) usable: bool,
    pub(crate) usable_from: Option<Millis>,
}

/// A refusal that waiting does not help.
pub(crate) fn refused(reason: &str) -> Answer {
    Answer::Refused {
        reason: reason.to_owned(),
        retry_in: None,
    }
}
