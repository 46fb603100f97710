//! Rows that subjects share, on their way through a request: looked at, chosen, locked.

use crate::ports::{
    Change,
    sms::{SharedKey, SharedRows},
};

/// Rows that subjects share, and how far a request has come with them. Looking at all that might be
/// spent of locks nothing, and is enough to refuse. What a change spends of is then locked, and the
/// decision made again from it.
#[derive(Debug)]
pub(crate) struct Shared {
    key: SharedKey,
    rows: SharedRows,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Looked,
    Chosen,
    Locked,
}

impl Shared {
    /// All rows that might do, as they were a moment ago.
    pub(crate) const fn looked(key: SharedKey, rows: SharedRows) -> Self {
        let stage = Stage::Looked;
        Self { key, rows, stage }
    }

    /// Narrows them down to those that a change writes. False where that was done before, and the
    /// change is the one to make.
    pub(crate) fn choose(&mut self, change: &Change) -> bool {
        if self.stage != Stage::Looked {
            return false;
        }
        let written = change.sms.iter().flat_map(|sms| &sms.spend);
        let mut spend: Vec<_> = written.map(|row| row.key.clone()).collect();
        spend.sort();
        self.key.spend = spend;
        self.stage = Stage::Chosen;
        true
    }

    /// What is to be locked, once it is chosen.
    pub(crate) fn to_lock(&self) -> Option<&SharedKey> {
        (self.stage != Stage::Looked).then_some(&self.key)
    }

    /// Takes the rows as they are under the lock.
    pub(crate) fn lock(&mut self, rows: SharedRows) {
        self.rows = rows;
        self.stage = Stage::Locked;
    }

    /// The rows.
    pub(crate) const fn rows(&self) -> &SharedRows {
        &self.rows
    }

    /// Which rows they are: all that might do, or those that were chosen.
    pub(crate) const fn key(&self) -> &SharedKey {
        &self.key
    }
}
