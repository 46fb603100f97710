//! The invariants, judged by what was asked, answered and listed alone: the model may be wrong in
//! the same way as the product, this watcher does not know it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::{
    App,
    v1::{ConfirmationState, IdentifierState, Purpose},
};

use super::{
    listing::{AppSeen, Listing},
    reference::step_typed,
    request::{Answer, Change, Millis, Operation, Proofs, Request, View, Who},
    throttle::{CAP, lock_after},
};

/// What was seen of one subject.
#[derive(Default)]
pub(crate) struct Watch {
    apps: BTreeMap<String, App>,
    pin: String,
    /// Every code that was ever accepted.
    spent: BTreeSet<(String, i64)>,
    /// Who gave an accepted proof for a confirmation.
    proved: BTreeMap<String, BTreeSet<Who>>,
    states: BTreeMap<String, ConfirmationState>,
    redeemed: BTreeSet<String>,
    /// Failures in a row. The PIN's count for whatever purpose.
    runs: BTreeMap<(Who, Purpose), u32>,
}

/// One exchange with the platform, and what it listed before and after it.
pub(crate) struct Exchange<'a> {
    pub(crate) request: &'a Request,
    pub(crate) answer: &'a Answer,
    pub(crate) before: &'a Listing,
    pub(crate) after: &'a Listing,
    pub(crate) now: Millis,
}

impl Watch {
    /// An app was told its seed.
    pub(crate) fn told(&mut self, app: App) {
        self.apps.insert(app.id.clone(), app);
    }

    /// Looks at an exchange.
    pub(crate) fn see(&mut self, seen: &Exchange<'_>) -> Result<()> {
        match (seen.request, seen.answer) {
            (
                Request::Settings {
                    change,
                    typed,
                    proofs,
                },
                Answer::Done,
            ) => {
                self.accept(proofs, Purpose::Other, seen.now)?;
                match change {
                    Change::Enable { id, .. } => {
                        let own = vec![(Who::App(id.clone()), typed.clone())];
                        self.accept(&own, Purpose::Other, seen.now)?;
                    }
                    Change::FirstPin | Change::OtherPin => {
                        self.pin.clone_from(typed);
                        self.runs.retain(|(who, _), _| *who != Who::Pin);
                    }
                    Change::Switch { .. } | Change::Disable { .. } => {}
                }
            }
            (Request::Settings { proofs, .. }, Answer::Rejected) => {
                self.reject(proofs, Purpose::Other, seen)?;
            }
            (Request::Submit { id, proofs }, Answer::Submitted { accepted, after }) => {
                if *accepted {
                    self.accept(proofs, after.purpose, seen.now)?;
                    let whose = proofs.iter().map(|(who, _)| who.clone());
                    self.proved.entry(id.clone()).or_default().extend(whose);
                } else {
                    self.reject(proofs, after.purpose, seen)?;
                }
            }
            (Request::Unlock, Answer::Done) => {
                self.runs.retain(|(who, _), _| seen.before.is_capped(who));
            }
            (Request::ResetPin, Answer::Done) => self.runs.retain(|(who, _), _| *who != Who::Pin),
            (Request::Create { operation, .. }, Answer::NotRequired) => {
                not_required_by_choice_only(operation, seen.before)?;
            }
            _ => {}
        }
        if let Answer::Opened(view) | Answer::Submitted { after: view, .. } | Answer::Now(view) =
            seen.answer
        {
            self.look_at(view)?;
        }
        identifiers_live_forward(seen.before, seen.after)
    }

    /// No code is accepted twice, nor one of a step before another that was; a success ends the
    /// run of its own purpose.
    fn accept(&mut self, proofs: &Proofs, purpose: Purpose, now: Millis) -> Result<()> {
        for (who, typed) in proofs {
            match who {
                Who::Pin => {
                    ensure!(*typed == self.pin, "another PIN was accepted");
                    self.runs.retain(|(who, _), _| *who != Who::Pin);
                }
                Who::App(id) => {
                    let app = self
                        .apps
                        .get(id)
                        .context("a code of nobody's was accepted")?;
                    let step = step_typed(app, typed, now).context("a wrong code was accepted")?;
                    ensure!(Some(step) > self.last_step(id), "a code was accepted twice");
                    self.spent.insert((id.clone(), step));
                    self.runs.remove(&(who.clone(), purpose));
                }
            }
        }
        Ok(())
    }

    /// Each wrong proof that is looked at counts, and nothing else does: the fifth in a row locks,
    /// each next fifth for longer, and the hundredth disables.
    fn reject(&mut self, proofs: &Proofs, purpose: Purpose, seen: &Exchange<'_>) -> Result<()> {
        for (who, typed) in proofs {
            if !seen.before.is_looked_at(who, purpose, seen.now)
                || self.is_right(who, typed, seen.now)
            {
                continue;
            }
            let counted_on = if *who == Who::Pin {
                Purpose::Other
            } else {
                purpose
            };
            let run = self.runs.entry((who.clone(), counted_on)).or_default();
            *run += 1;
            let expected = lock_after(*run).map(|length| seen.now + length);
            let lock = seen.after.lock(who, purpose);
            ensure!(
                lock == expected,
                "failure {run} of {who:?}: locked until {lock:?}, not {expected:?}"
            );
            let own = self.runs.iter().filter(|((other, _), _)| other == who);
            let sum: u32 = own.map(|(_, run)| run).sum();
            ensure!(sum <= CAP, "{sum} failures of {who:?} were looked at");
            let is_capped = seen.after.is_capped(who);
            ensure!(
                is_capped == (sum == CAP),
                "{who:?} is capped: {is_capped}, with {sum} failures"
            );
        }
        Ok(())
    }

    fn is_right(&self, who: &Who, typed: &str, now: Millis) -> bool {
        match who {
            Who::Pin => typed == self.pin,
            Who::App(id) => self.apps.get(id).is_some_and(|app| {
                step_typed(app, typed, now).is_some_and(|step| Some(step) > self.last_step(id))
            }),
        }
    }

    fn last_step(&self, id: &str) -> Option<i64> {
        let own = self.spent.iter().filter(|(other, _)| other == id);
        own.map(|(_, step)| *step).max()
    }

    /// Confirmations live forward; approved means every stage of a path was proved; redeemed is
    /// once.
    pub(crate) fn look_at(&mut self, view: &View) -> Result<()> {
        use ConfirmationState::{Approved, Cancelled, Expired, Failed, Pending, Redeemed};
        let before = self.states.insert(view.id.clone(), view.state);
        let is_forward = match before {
            None => view.state == Pending,
            Some(Pending) => true,
            Some(Approved) => matches!(view.state, Approved | Redeemed | Expired | Cancelled),
            Some(ended) => view.state == ended,
        };
        ensure!(
            is_forward,
            "a confirmation went from {before:?} to {:?}",
            view.state
        );
        ensure!(
            (view.attempts_left == 0) == (view.state == Failed)
                && (0..=5).contains(&view.attempts_left),
            "{} attempts are left of one that is {:?}",
            view.attempts_left,
            view.state
        );
        if matches!(view.state, Approved | Redeemed) {
            let proved = self
                .proved
                .get(&view.id)
                .context("approved without a proof")?;
            let is_proved = |stage: &super::request::StageView| {
                stage.options.keys().any(|who| proved.contains(who))
            };
            let mut paths = view.paths.iter();
            ensure!(
                paths.any(|path| !path.is_empty() && path.iter().all(is_proved)),
                "approved by {proved:?} alone: {view:?}"
            );
        }
        if view.state == Redeemed && before != Some(Redeemed) {
            let is_first = self.redeemed.insert(view.id.clone());
            ensure!(is_first, "redeemed twice");
        }
        Ok(())
    }
}

/// Nothing to prove means that nothing is on, locked and capped ones included.
fn not_required_by_choice_only(operation: &Operation, listing: &Listing) -> Result<()> {
    let mut counting = listing.apps.values().filter(|app| app.counts());
    let purpose = operation.purpose();
    match operation {
        Operation::Login(_) | Operation::Custom(_) => {
            ensure!(
                !counting.any(|app| app.on.contains(&purpose)),
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
fn identifiers_live_forward(before: &Listing, after: &Listing) -> Result<()> {
    let age = |app: &AppSeen| match (app.state, app.is_capped) {
        (IdentifierState::Pending, _) => 0,
        (IdentifierState::Enabled, _) => 1,
        (_, true) => 2,
        (_, false) => 3,
    };
    for (id, app) in &before.apps {
        match after.apps.get(id) {
            Some(later) => ensure!(
                age(app) <= age(later),
                "{id} went back: {app:?} to {later:?}"
            ),
            None => ensure!(age(app) == 0, "{id} was forgotten: {app:?}"),
        }
    }
    Ok(())
}
