//! What settings never do by themselves: nothing is forgotten, nothing is switched that nobody
//! asked for, and nobody is left without a way out.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use countersign_testkit::v1::{IdentifierState, Purpose};

use super::{
    super::{
        listing::{Listing, Seen},
        request::{Answer, Change, Operation, Request, Settings},
    },
    Exchange,
};

/// Nothing to prove means that nothing is on, locked, capped and reserved ones included.
pub(super) fn not_required_by_choice_only(operation: &Operation, listing: &Listing) -> Result<()> {
    let mut counting = listing.counting();
    let purpose = operation.purpose();
    match operation {
        Operation::Login(_) | Operation::Custom(_) => {
            ensure!(
                !counting.any(|seen| seen.on.contains(&purpose)),
                "one is on for {purpose:?}"
            );
        }
        Operation::Settings(Change::FirstPin) => {
            ensure!(
                counting.next().is_none(),
                "a first PIN beside an identifier takes its code"
            );
        }
        Operation::Withdrawal(_) | Operation::Settings(_) => {
            bail!("{operation:?} always takes a proof")
        }
    }
    Ok(())
}

/// PENDING, ENABLED, DISABLED, in this order, and what was enabled once is never forgotten.
pub(super) fn identifiers_live_forward(before: &Listing, after: &Listing) -> Result<()> {
    let age = |seen: &Seen| match (seen.state, seen.is_capped) {
        (IdentifierState::Pending, _) => 0,
        (IdentifierState::Enabled, _) => 1,
        (_, true) => 2,
        (_, false) => 3,
    };
    for (id, seen) in &before.identifiers {
        match after.identifiers.get(id) {
            Some(later) => ensure!(
                age(seen) <= age(later) && seen.factor == later.factor,
                "{id} went back: {seen:?} to {later:?}"
            ),
            None => ensure!(age(seen) == 0, "{id} was forgotten: {seen:?}"),
        }
    }
    Ok(())
}

/// What an identifier is on for changes where that was asked for, and as it was.
pub(super) fn purposes_change_as_asked(seen: &Exchange<'_>) -> Result<()> {
    let change = match (seen.request, seen.answer) {
        (Request::Settings(Settings { change, .. }), Answer::Done) => Some(change),
        _ => None,
    };
    let nothing = BTreeSet::new();
    for (id, after) in &seen.after.identifiers {
        let before = seen.before.identifiers.get(id);
        let before = before.map_or(&nothing, |before| &before.on);
        let expected: BTreeSet<Purpose> = match change {
            Some(Change::Switch { id: other, on, off }) if other == id => before
                .union(on)
                .copied()
                .filter(|on| !off.contains(on))
                .collect(),
            Some(Change::EnableApp {
                id: other,
                purposes,
            }) if other == id => purposes.clone(),
            _ if after.counts() => before.clone(),
            _ => BTreeSet::new(),
        };
        ensure!(
            after.on == expected,
            "{id} is on for {:?}, not {expected:?}",
            after.on
        );
    }
    Ok(())
}

/// Whoever had an identifier that is enabled still has one after what was done for them, unless
/// they said that it may be the last one.
pub(super) fn a_way_out_is_kept(seen: &Exchange<'_>) -> Result<()> {
    let is_done = match seen.answer {
        Answer::Done | Answer::Listed { .. } | Answer::Now(_) => !seen.request.is_by_operator(),
        Answer::Submitted { accepted, .. } => *accepted,
        _ => false,
    };
    let is_last = matches!(
        seen.request,
        Request::Settings(Settings {
            change: Change::Disable {
                confirm_last: true,
                ..
            },
            ..
        })
    );
    if is_done && !is_last && has_way_out(seen.before) {
        ensure!(
            has_way_out(seen.after),
            "no way out is left: {:?}",
            seen.after
        );
    }
    Ok(())
}

/// Something is enabled. A set of codes always has one left, or one that a new list holds: for
/// making more.
fn has_way_out(listing: &Listing) -> bool {
    let mut all = listing.identifiers.values();
    all.any(|seen| seen.state == IdentifierState::Enabled)
}
