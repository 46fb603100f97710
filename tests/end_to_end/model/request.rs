//! Requests and answers in the few words that the model needs.

use std::collections::{BTreeMap, BTreeSet};

use countersign_testkit::{
    App,
    v1::{ConfirmationState, Purpose},
};

mod wire;

pub(crate) use wire::{codes_seen, millis, send, view_of_wire};

/// Milliseconds since the epoch.
pub(crate) type Millis = i64;

/// Whose proof.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Pin,
    Identifier(String),
}

/// A kind of identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Factor {
    App,
    Codes,
}

/// Whose proofs, and what was typed.
pub(crate) type Proofs = Vec<(Who, String)>;

/// A change of settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    FirstPin,
    OtherPin,
    EnableApp {
        id: String,
        purposes: BTreeSet<Purpose>,
    },
    EnableCodes,
    /// It takes proofs only: no confirmation is created for it.
    MoreCodes {
        id: String,
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

/// A change of settings as it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) change: Change,
    pub(crate) by: By,
    /// The new PIN, the new app's code, or what the codes are to be called.
    pub(crate) typed: String,
    /// Whose service is asked, where an identifier is to be disabled.
    pub(crate) service: Factor,
}

/// What authorizes a change.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum By {
    Proofs(Proofs),
    /// A confirmation; a stranger is another caller than the one that created it.
    Confirmation {
        id: String,
        by_stranger: bool,
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
    Settings(Settings),
    Begin {
        label: String,
    },
    /// A stranger is another caller than the one that had the list made.
    Finish {
        list: String,
        by_stranger: bool,
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
    /// `LAST_CODE_RESERVED`, with how many codes are left.
    Reserved {
        left: usize,
    },
    Done,
    Rejected,
    Begun {
        id: String,
        until: Millis,
        has_secret: bool,
    },
    /// A list of backup codes that waits to be finished.
    Listed {
        list: String,
        id: String,
        until: Millis,
        has_codes: bool,
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

/// What the answer showed once and never again.
#[derive(Clone, Debug, Default)]
pub(crate) enum Told {
    #[default]
    Nothing,
    App(App),
    Codes(Vec<String>),
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

/// What BackupCodeService.GetStatus shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CodesSeen {
    pub(crate) set: Option<String>,
    pub(crate) total: usize,
    /// The list that waits, and until when.
    pub(crate) waiting: Option<(String, Millis)>,
}

impl Request {
    /// Whether it is an operator's deed.
    pub(crate) const fn is_by_operator(&self) -> bool {
        matches!(
            self,
            Self::Unlock | Self::OperatorDisable { .. } | Self::ResetPin
        )
    }

    /// The confirmation that it is about.
    pub(crate) fn confirmation(&self) -> Option<&String> {
        match self {
            Self::Submit { id, .. } | Self::Redeem { id, .. } | Self::Cancel { id } => Some(id),
            Self::Settings(asked) => match &asked.by {
                By::Proofs(_) => None,
                By::Confirmation { id, .. } => Some(id),
            },
            Self::Begin { .. }
            | Self::Finish { .. }
            | Self::Create { .. }
            | Self::Unlock
            | Self::OperatorDisable { .. }
            | Self::ResetPin => None,
        }
    }
}

/// A refusal that waiting does not help.
pub(crate) fn refused(reason: &str) -> Answer {
    Answer::Refused {
        reason: reason.to_owned(),
        retry_in: None,
    }
}
