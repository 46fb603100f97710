//! What becomes of backup codes: each is accepted once, the last one is reserved, and a list that
//! was replaced is void.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use countersign_testkit::v1::Purpose;

use super::super::{
    listing::Listing,
    reference::is_spelling_of,
    request::{Change, Millis, Who},
    throttle::CODES,
};

/// What proofs are given for.
#[derive(Clone, Copy)]
pub(super) struct Aim<'a> {
    pub(super) purpose: Purpose,
    /// What the last code of a set is for.
    ending: Option<(Ending, &'a str)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Ending {
    Disable,
    CreateMore,
}

/// The paper of one subject.
#[derive(Default)]
pub(super) struct Paper {
    /// The list in force of each set.
    in_force: BTreeMap<String, Vec<String>>,
    waiting: Option<Waiting>,
    /// Every code that was accepted for good.
    spent: BTreeSet<String>,
    /// Every list there ever was, and every code on them.
    lists: BTreeSet<String>,
    codes: BTreeSet<String>,
}

struct Waiting {
    list: String,
    set: String,
    codes: Vec<String>,
    until: Millis,
    held: Option<String>,
    by_identifier: bool,
}

/// A list that was made.
pub(super) struct Made<'a> {
    pub(super) set: &'a str,
    pub(super) list: &'a str,
    pub(super) codes: &'a [String],
    pub(super) until: Millis,
    /// The proofs it was made by, one of which it may hold.
    pub(super) held_by: &'a [(Who, String)],
    /// Whether an identifier proved it.
    pub(super) by_identifier: bool,
}

impl From<Purpose> for Aim<'_> {
    fn from(purpose: Purpose) -> Self {
        Self {
            purpose,
            ending: None,
        }
    }
}

impl<'a> Aim<'a> {
    /// What proofs given with a change are for.
    pub(super) fn of(change: &'a Change) -> Self {
        Self {
            purpose: Purpose::Other,
            ending: match change {
                Change::Disable { id, .. } => Some((Ending::Disable, id)),
                Change::MoreCodes { id } => Some((Ending::CreateMore, id)),
                _ => None,
            },
        }
    }

    fn is(self, ending: Ending, set: &str) -> bool {
        self.ending == Some((ending, set))
    }
}

impl Paper {
    /// A list is new, and so is each of its codes.
    pub(super) fn made(&mut self, made: Made<'_>) -> Result<()> {
        let list = made.list.to_owned();
        ensure!(
            self.lists.insert(list.clone()),
            "a list for the second time"
        );
        ensure!(made.codes.len() == CODES, "{} codes", made.codes.len());
        for code in made.codes {
            ensure!(
                self.codes.insert(code.clone()),
                "a code for the second time"
            );
        }
        let in_force = self.in_force.get(made.set);
        let held = made.held_by.iter().find_map(|(who, typed)| {
            let is_own = *who == Who::Identifier(made.set.to_owned());
            let mut codes = in_force?.iter().filter(|_| is_own);
            codes.find(|code| is_spelling_of(code, typed)).cloned()
        });
        self.waiting = Some(Waiting {
            list,
            set: made.set.to_owned(),
            codes: made.codes.to_vec(),
            until: made.until,
            held,
            by_identifier: made.by_identifier,
        });
        Ok(())
    }

    /// Only the list that waits is finished. The code that it held is spent, and what was proved
    /// for it is enough still.
    pub(super) fn finish(&mut self, list: &str, before: &Listing, now: Millis) -> Result<()> {
        let waiting = self.waiting.take().filter(|waiting| waiting.list == list);
        let waiting = waiting.context("a list was finished that does not wait")?;
        ensure!(now < waiting.until, "a list was finished too late");
        ensure!(
            waiting.by_identifier || before.counting().next().is_none(),
            "a list that the PIN alone proved was finished beside an identifier"
        );
        self.spent.extend(waiting.held);
        self.in_force.insert(waiting.set, waiting.codes);
        Ok(())
    }

    /// Something was changed that the waiting list was proved with.
    pub(super) fn void_waiting(&mut self) {
        self.waiting = None;
    }

    /// A code is accepted of the list in force only, and once. One that a list holds, and the last
    /// one, is accepted only for what it is left for.
    pub(super) fn accept(
        &mut self,
        set: &str,
        typed: &str,
        aim: Aim<'_>,
        now: Millis,
    ) -> Result<()> {
        let list = self.in_force.get(set).context("a set without a list")?;
        let code = list.iter().find(|code| is_spelling_of(code, typed));
        let code = code.context("a code of no list in force was accepted")?;
        ensure!(!self.spent.contains(code), "a code was accepted twice");
        let makes_more = aim.is(Ending::CreateMore, set);
        let is_held = self.held(set, now) == Some(code);
        ensure!(!is_held || makes_more, "a held code was accepted");
        let is_ending = makes_more || aim.is(Ending::Disable, set);
        ensure!(
            is_ending || self.left(set, now) > 1,
            "the reserved code was accepted"
        );
        if !makes_more {
            self.spent.insert(code.clone());
        }
        Ok(())
    }

    /// Whether a code would be right, if it is looked at.
    pub(super) fn is_right(&self, set: &str, typed: &str, aim: Aim<'_>, now: Millis) -> bool {
        let codes = self.in_force.get(set).into_iter().flatten();
        let mut typed = codes.filter(|code| is_spelling_of(code, typed));
        typed.any(|code| {
            let is_held = self.held(set, now) == Some(code);
            let is_free = !is_held || aim.is(Ending::CreateMore, set);
            is_free && !self.spent.contains(code)
        })
    }

    /// The number of codes left is always to be seen, and one is always left for making more.
    pub(super) fn agrees_with(&self, listing: &Listing, now: Millis) -> Result<()> {
        for (id, seen) in &listing.identifiers {
            if let Some(left) = seen.codes_left {
                let expected = self.left(id, now);
                ensure!(left == expected, "{left} codes are left, not {expected}");
                let is_held = self.held(id, now).is_some();
                ensure!(left > 0 || is_held, "{id} has no way out");
            }
        }
        Ok(())
    }

    fn left(&self, set: &str, now: Millis) -> usize {
        let codes = self.in_force.get(set).into_iter().flatten();
        let held = self.held(set, now);
        codes
            .filter(|code| !self.spent.contains(*code) && held != Some(*code))
            .count()
    }

    fn held(&self, set: &str, now: Millis) -> Option<&String> {
        let waiting = self.waiting.as_ref();
        let waiting = waiting.filter(|waiting| waiting.set == set && now < waiting.until)?;
        waiting.held.as_ref()
    }
}
