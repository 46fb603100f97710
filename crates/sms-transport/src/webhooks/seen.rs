//! Which reports were taken before.

use std::collections::{HashSet, VecDeque};

use countersign_primitives::Timestamp;

use super::check::FRESH;

/// How many signatures are remembered for a provider. Where more come in the time that one is
/// remembered for, the oldest are forgotten: a report that comes twice changes nothing twice.
const MOST: usize = 10_000;

/// The signatures of late, oldest first.
#[derive(Default)]
pub(super) struct Seen {
    known: HashSet<Vec<u8>>,
    line: VecDeque<(Timestamp, Vec<u8>)>,
}

impl Seen {
    /// Whether a report with this signature was taken.
    pub(super) fn has(&mut self, signature: &[u8], now: Timestamp) -> bool {
        // A clock that is ahead by so much signs a report that stays fresh for twice as long.
        while let Some((at, _)) = self.line.front() {
            if at.until(now) <= FRESH * 2 {
                break;
            }
            self.forget();
        }
        self.known.contains(signature)
    }

    /// Remembers one that was taken.
    pub(super) fn note(&mut self, signature: Vec<u8>, now: Timestamp) {
        if self.line.len() == MOST {
            self.forget();
        }
        if self.known.insert(signature.clone()) {
            self.line.push_back((now, signature));
        }
    }

    fn forget(&mut self) {
        if let Some((_, signature)) = self.line.pop_front() {
            self.known.remove(&signature);
        }
    }
}

#[cfg(test)]
mod tests;
