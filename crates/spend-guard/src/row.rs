//! What is kept of a budget, and under which names.

use std::fmt::Write;

use countersign_primitives::{SubjectId, Timestamp};

use crate::Window;

/// Names one row of a budget. Rows are locked in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// What the budget is about.
    pub scope: String,
    /// Which slot of it: one that many spend of at once has several.
    pub slot: u32,
}

impl RowKey {
    /// The row of a subject: there is nothing else here that names it.
    pub fn subject(subject: &SubjectId) -> Self {
        Self::first(subject_scope(subject))
    }

    /// The row of the number with this blind index.
    pub fn number(index: &[u8; 32]) -> Self {
        Self::first(number_scope(index))
    }

    /// The row of a prefix, which also says until when it is closed.
    pub fn prefix(prefix: &str) -> Self {
        Self::first(prefix_scope(prefix))
    }

    /// The row of what is sent to numbers of a prefix that are being enrolled. It is closed by itself.
    pub fn prefix_enrolments(prefix: &str) -> Self {
        Self::first(prefix_enrolments_scope(prefix))
    }

    /// The row that says whether a message to a prefix is closed out.
    pub fn judging(prefix: &str, is_enrolment: bool) -> Self {
        if is_enrolment {
            Self::prefix_enrolments(prefix)
        } else {
            Self::prefix(prefix)
        }
    }

    fn first(scope: String) -> Self {
        Self { scope, slot: 0 }
    }
}

pub(crate) fn subject_scope(subject: &SubjectId) -> String {
    format!("subject/{subject}")
}

pub(crate) fn number_scope(index: &[u8; 32]) -> String {
    let mut scope = "number/".to_owned();
    for byte in index {
        // Writing to a string cannot fail.
        let _ = write!(scope, "{byte:02x}");
    }
    scope
}

pub(crate) fn prefix_scope(prefix: &str) -> String {
    format!("prefix/{prefix}")
}

pub(crate) fn prefix_enrolments_scope(prefix: &str) -> String {
    format!("prefix/{prefix}/enrolments")
}

/// A row of a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendRow {
    /// Whose it is.
    pub key: RowKey,
    /// What was spent of late.
    pub window: Window,
    /// Until when it is closed, or was the last time.
    pub closed_until: Option<Timestamp>,
}

/// How many messages of one sort, for confirmations or for enrolments, were sent to a prefix of late,
/// and how many of their codes were accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// Queued to be sent.
    pub sent: u64,
    /// Of these, those whose code was accepted.
    pub confirmed: u64,
}

/// Which messages say how a prefix converts: the latest so many that were queued after one instant
/// and not after another, and not before the prefix was last closed until.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversionKey {
    /// The scope of the prefix that they are judged with, or what stands for it in their rows.
    pub prefix: String,
    /// The row that says until when it was closed.
    pub row: RowKey,
    /// Only what was queued after this instant.
    pub since: Timestamp,
    /// Only what was queued at this instant or before: a code that is still alive may yet be
    /// accepted, and says nothing.
    pub until: Timestamp,
    /// How many at most.
    pub most: u32,
}
