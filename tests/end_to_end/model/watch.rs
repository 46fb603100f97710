//! The invariants, judged by what was asked, answered and listed alone: the model may be wrong in
//! the same way as the product, this watcher does not know it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use countersign_testkit::{App, v1::Purpose};

use super::{
    listing::Listing,
    reference::step_typed,
    request::{Answer, By, Change, Millis, Proofs, Request, Settings, Told, View, Who},
    throttle::{CAP, lock_after},
};

mod confirmed;
mod paper;
mod settings;

use confirmed::Confirmed;
use paper::{Aim, Made, Paper};

/// What was seen of one subject.
#[derive(Default)]
pub(crate) struct Watch {
    apps: BTreeMap<String, App>,
    paper: Paper,
    pin: String,
    /// Every code of an app that was ever accepted.
    spent: BTreeSet<(String, i64)>,
    confirmed: Confirmed,
    /// Failures in a row. The PIN's count for whatever purpose.
    runs: BTreeMap<(Who, Purpose), u32>,
}

/// One exchange with the platform, and what it listed before and after it.
pub(crate) struct Exchange<'a> {
    pub(crate) request: &'a Request,
    pub(crate) answer: &'a Answer,
    pub(crate) told: &'a Told,
    pub(crate) before: &'a Listing,
    pub(crate) after: &'a Listing,
    pub(crate) now: Millis,
}

impl Watch {
    /// Looks at an exchange.
    pub(crate) fn see(&mut self, seen: &Exchange<'_>) -> Result<()> {
        if let Told::App(app) = seen.told {
            self.apps.insert(app.id.clone(), app.clone());
        }
        match (seen.request, seen.answer) {
            (Request::Settings(asked), Answer::Done | Answer::Listed { .. }) => {
                self.is_changed(asked, seen)?;
            }
            (Request::Settings(asked), Answer::Rejected) => {
                if let By::Proofs(proofs) = &asked.by {
                    self.reject(proofs, Aim::of(&asked.change), seen)?;
                }
            }
            (Request::Finish { list, by_stranger }, Answer::Done) => {
                ensure!(!by_stranger, "a stranger finished a list");
                self.paper.finish(list, seen.before, seen.now)?;
            }
            (Request::Submit { id, proofs }, Answer::Submitted { accepted, after }) => {
                let aim = Aim::from(after.purpose);
                if *accepted {
                    self.accept(proofs, aim, seen.now)?;
                    let whose = proofs.iter().map(|(who, _)| who.clone());
                    self.confirmed.prove(id, whose);
                } else {
                    self.reject(proofs, aim, seen)?;
                }
            }
            (Request::Unlock, Answer::Done) => {
                self.runs.retain(|(who, _), _| seen.before.is_capped(who));
            }
            (Request::ResetPin, Answer::Done) => {
                self.runs.retain(|(who, _), _| *who != Who::Pin);
                self.paper.void_waiting();
            }
            (Request::OperatorDisable { .. }, Answer::Done) => self.paper.void_waiting(),
            (Request::Create { operation, .. }, Answer::NotRequired) => {
                settings::not_required_by_choice_only(operation, seen.before)?;
            }
            (Request::Create { operation, .. }, Answer::Opened(view)) => {
                self.confirmed.open(&view.id, operation);
            }
            _ => {}
        }
        if let Answer::Opened(view) | Answer::Submitted { after: view, .. } | Answer::Now(view) =
            seen.answer
        {
            self.confirmed.look_at(view)?;
        }
        self.paper.agrees_with(seen.after, seen.now)?;
        settings::identifiers_live_forward(seen.before, seen.after)?;
        settings::purposes_change_as_asked(seen)?;
        settings::a_way_out_is_kept(seen)
    }

    /// Looks at a confirmation.
    pub(crate) fn look_at(&mut self, view: &View) -> Result<()> {
        self.confirmed.look_at(view)
    }

    /// A change of settings that was made: what proved it, and what it leads to.
    fn is_changed(&mut self, asked: &Settings, seen: &Exchange<'_>) -> Result<()> {
        let whose: BTreeSet<Who> = match &asked.by {
            By::Proofs(proofs) => {
                self.accept(proofs, Aim::of(&asked.change), seen.now)?;
                proofs.iter().map(|(who, _)| who.clone()).collect()
            }
            By::Confirmation { id, by_stranger } => {
                ensure!(!by_stranger, "a stranger used a confirmation");
                self.confirmed.consume(id, &asked.change)?
            }
        };
        let by_identifier = whose.iter().any(|who| *who != Who::Pin);
        ensure!(
            by_identifier || seen.before.counting().next().is_none(),
            "{asked:?} was done by {whose:?} alone"
        );
        match &asked.change {
            Change::EnableApp { id, .. } => {
                let own = vec![(Who::Identifier(id.clone()), asked.typed.clone())];
                self.accept(&own, Purpose::Other.into(), seen.now)?;
                self.paper.void_waiting();
            }
            Change::FirstPin | Change::OtherPin => {
                self.pin.clone_from(&asked.typed);
                self.runs.retain(|(who, _), _| *who != Who::Pin);
                self.paper.void_waiting();
            }
            Change::Disable { .. } => self.paper.void_waiting(),
            Change::EnableCodes | Change::MoreCodes { .. } => {
                let (
                    Answer::Listed {
                        list, id, until, ..
                    },
                    Told::Codes(codes),
                ) = (seen.answer, seen.told)
                else {
                    anyhow::bail!("{:?} without codes", seen.answer);
                };
                self.paper.made(Made {
                    set: id,
                    list,
                    codes,
                    until: *until,
                    held_by: match &asked.by {
                        By::Proofs(proofs) => proofs,
                        By::Confirmation { .. } => &[],
                    },
                    by_identifier,
                })?;
            }
            Change::Switch { .. } => {}
        }
        Ok(())
    }

    /// No code is accepted twice, nor one of a step before another that was; a success ends the
    /// run of its own purpose.
    fn accept(&mut self, proofs: &Proofs, aim: Aim<'_>, now: Millis) -> Result<()> {
        for (who, typed) in proofs {
            let id = match who {
                Who::Pin => {
                    ensure!(*typed == self.pin, "another PIN was accepted");
                    self.runs.retain(|(who, _), _| *who != Who::Pin);
                    continue;
                }
                Who::Identifier(id) => id,
            };
            match self.apps.get(id) {
                Some(app) => {
                    let step = step_typed(app, typed, now).context("a wrong code was accepted")?;
                    ensure!(Some(step) > self.last_step(id), "a code was accepted twice");
                    self.spent.insert((id.clone(), step));
                }
                None => self.paper.accept(id, typed, aim, now)?,
            }
            self.runs.remove(&(who.clone(), aim.purpose));
        }
        Ok(())
    }

    /// Each wrong proof that is looked at counts, and nothing else does: the fifth in a row locks,
    /// each next fifth for longer, and the hundredth disables.
    fn reject(&mut self, proofs: &Proofs, aim: Aim<'_>, seen: &Exchange<'_>) -> Result<()> {
        let purpose = aim.purpose;
        for (who, typed) in proofs {
            if !seen.before.is_looked_at(who, purpose, seen.now)
                || self.is_right(who, typed, aim, seen.now)
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

    fn is_right(&self, who: &Who, typed: &str, aim: Aim<'_>, now: Millis) -> bool {
        let id = match who {
            Who::Pin => return typed == self.pin,
            Who::Identifier(id) => id,
        };
        match self.apps.get(id) {
            Some(app) => {
                let step = step_typed(app, typed, now);
                step.is_some_and(|step| Some(step) > self.last_step(id))
            }
            None => self.paper.is_right(id, typed, aim, now),
        }
    }

    fn last_step(&self, id: &str) -> Option<i64> {
        let own = self.spent.iter().filter(|(other, _)| other == id);
        own.map(|(_, step)| *step).max()
    }
}
