//! Changes of settings: what authorizes one, and what it does.

use std::collections::BTreeSet;

use countersign_testkit::v1::Purpose;

use super::{
    super::throttle::{ENROLMENT_FAILURES, ENROLMENT_LIFE, HOUR, Throttle},
    Answer, By, Change, Drawn, Enrolled, Means, Millis, Operation, Pin, Proofs, Refusal, Said,
    Settings, State, Subject, Told, Who,
    proofs::{Spent, Verdict},
    refused, step_typed,
};

/// What a change stands on, once everything typed was right.
#[derive(Default)]
struct Right {
    /// The step of the new app's own code.
    step: Option<i64>,
    /// The place of the code that a new list is to hold.
    held: Option<usize>,
}

impl Subject {
    /// A change of settings.
    pub(super) fn change(
        &mut self,
        asked: &Settings,
        drawn: Drawn,
        now: Millis,
    ) -> Result<Said, Refusal> {
        match &asked.change {
            Change::EnableApp { .. } => self.require_enrolments_allowed(now)?,
            Change::Disable { id, .. } => {
                let target = self.identifier(id);
                if target.is_some_and(|target| target.factor() != asked.service) {
                    return Err(Refusal::new("IDENTIFIER_NOT_FOUND"));
                }
            }
            _ => {}
        }
        match &asked.by {
            By::Proofs(proofs) => self.change_by_proofs(asked, proofs, drawn, now),
            By::Confirmation { id, by_stranger } => {
                if *by_stranger {
                    return Err(Refusal::new("CONFIRMATION_NOT_FOUND"));
                }
                self.change_by_confirmation(asked, id, drawn, now)
            }
        }
    }

    fn change_by_proofs(
        &mut self,
        asked: &Settings,
        proofs: &Proofs,
        drawn: Drawn,
        now: Millis,
    ) -> Result<Said, Refusal> {
        let change = &asked.change;
        let is_same = |(who, given): &(Who, String)| *who == Who::Pin && *given == asked.typed;
        if *change == Change::OtherPin && proofs.iter().any(is_same) {
            return Err(Refusal::new("INVALID_FIELD"));
        }
        let aim = change.aim();
        let given: BTreeSet<Who> = proofs.iter().map(|(who, _)| who.clone()).collect();
        self.require_to_spare(given.iter(), aim, now)?;
        let is_absent = self.hides_absence(change, proofs, now);
        if !is_absent {
            self.require_covered(&self.paths(change, now)?, &given, aim, now)?;
        }
        let verdicts = self.look(proofs, aim, now);
        let step = self.own_step(change, &asked.typed, now);
        let lacks_code = matches!(change, Change::EnableApp { .. }) && step.is_none();
        if is_absent || lacks_code || !verdicts.iter().all(Verdict::is_right) {
            if lacks_code && !is_absent {
                self.enrolment_failures.push(now);
            }
            self.count(proofs, &verdicts, aim, now);
            // Of somebody who was never heard of, nothing is written down.
            return Ok(Said {
                answer: Answer::Rejected,
                is_written: self.is_known,
            });
        }
        self.use_up(proofs, &verdicts, aim);
        let held = verdicts.iter().find_map(|verdict| match verdict {
            Verdict::Right(Spent::Code(place)) => Some(*place),
            _ => None,
        });
        let right = Right { step, held };
        Ok(Said::written(self.make(asked, &right, drawn, now)))
    }

    /// It consumes a confirmation of exactly this change, if what was proved would still do.
    fn change_by_confirmation(
        &mut self,
        asked: &Settings,
        id: &str,
        drawn: Drawn,
        now: Millis,
    ) -> Result<Said, Refusal> {
        let change = &asked.change;
        let operation = Operation::Settings(change.clone());
        let found = self.confirmation(id)?;
        found.require_approved(now)?;
        if let Some(reason) = self.objection(found, &operation) {
            return Ok(Said::written(refused(reason)));
        }
        let paths = self.paths(change, now)?;
        let given = found.passed.keys().cloned().collect();
        self.require_covered(&paths, &given, Purpose::Other.into(), now)?;
        let step = self.own_step(change, &asked.typed, now);
        if matches!(change, Change::EnableApp { .. }) && step.is_none() {
            self.enrolment_failures.push(now);
            return Ok(Said::written(Answer::Rejected));
        }
        self.confirmation_mut(id)?.consume(now);
        let right = Right { step, held: None };
        Ok(Said::written(self.make(asked, &right, drawn, now)))
    }

    /// Whether what a change is about is not there, and must not show that to whoever typed
    /// something: then it is answered as a wrong code is.
    fn hides_absence(&self, change: &Change, proofs: &Proofs, now: Millis) -> bool {
        let is_typed = !proofs.is_empty();
        let counts = |id: &str| self.identifier(id).is_some_and(Enrolled::counts);
        match change {
            Change::EnableApp { id, .. } => !self.is_begun(id, now),
            Change::Switch { id, .. } | Change::Disable { id, .. } => is_typed && !counts(id),
            Change::MoreCodes { id } => {
                let is_set = self.set().is_some_and(|set| set.id == *id);
                is_typed && !(is_set && counts(id))
            }
            Change::OtherPin | Change::EnableCodes => is_typed && !self.is_known,
            Change::FirstPin => false,
        }
    }

    /// The step whose code of a new app was typed.
    fn own_step(&self, change: &Change, typed: &str, now: Millis) -> Option<i64> {
        let Change::EnableApp { id, .. } = change else {
            return None;
        };
        match &self
            .identifier(id)
            .filter(|_| self.is_begun(id, now))?
            .means
        {
            Means::App { app, .. } => step_typed(app, typed, now),
            Means::Codes(_) => None,
        }
    }

    /// Makes a change.
    fn make(&mut self, asked: &Settings, right: &Right, drawn: Drawn, now: Millis) -> Answer {
        match &asked.change {
            Change::FirstPin | Change::OtherPin => {
                self.pins_set += 1;
                self.pin = Some(Pin {
                    digits: asked.typed.clone(),
                    number: self.pins_set,
                    throttle: Throttle::default(),
                    is_capped: false,
                });
                self.void_waiting_lists();
            }
            Change::EnableApp { id, purposes } => {
                if let Some(found) = self.identifier_mut(id) {
                    found.state = State::Enabled;
                    found.on.clone_from(purposes);
                    if let Means::App { last_step, .. } = &mut found.means {
                        *last_step = right.step;
                    }
                }
                self.void_waiting_lists();
            }
            Change::EnableCodes => return self.enable_codes(&asked.typed, drawn, now),
            Change::MoreCodes { id } => return self.more_codes(id, right.held, drawn, now),
            Change::Switch { id, on, off } => {
                if let Some(found) = self.identifier_mut(id) {
                    found.on.extend(on);
                    found.on.retain(|purpose| !off.contains(purpose));
                }
            }
            Change::Disable { id, .. } => {
                self.remove(id);
            }
        }
        Answer::Done
    }

    /// The beginning of an enrolment: an unfinished one of an app of the same label is void.
    pub(super) fn begin(
        &mut self,
        label: &str,
        drawn: Drawn,
        now: Millis,
    ) -> Result<Said, Refusal> {
        if self.pin.is_none() {
            return Err(Refusal::new("PIN_NOT_SET"));
        }
        self.require_enrolments_allowed(now)?;
        let label = if label.is_empty() {
            self.free_label("Authenticator")
        } else {
            label.to_owned()
        };
        self.require_room_for_app()?;
        let is_void = |found: &Enrolled| {
            let is_app = matches!(found.means, Means::App { .. });
            is_app && !found.counts() && found.label == label
        };
        let others = self.identifiers.iter().filter(|found| !is_void(found));
        Self::require_room_beside(others, now)?;
        self.identifiers.retain(|found| !is_void(found));
        let until = now + ENROLMENT_LIFE;
        let answer = Answer::Begun {
            id: drawn.id.clone(),
            until,
            has_secret: true,
        };
        if let Told::App(app) = drawn.told {
            let last_step = None;
            let means = Means::App { app, last_step };
            let found = Enrolled::new(drawn.id, label, until, means);
            self.identifiers.push(found);
        }
        Ok(Said::written(answer))
    }

    /// The name of a kind, with a number where it is taken.
    pub(super) fn free_label(&self, kind: &str) -> String {
        let is_taken = |label: &String| self.counting().any(|other| other.label == *label);
        let numbered = (2..).map(|number| format!("{kind} {number}"));
        std::iter::once(kind.to_owned())
            .chain(numbered)
            .find(|label| !is_taken(label))
            .unwrap_or_default()
    }

    fn require_enrolments_allowed(&self, now: Millis) -> Result<(), Refusal> {
        let failures = &self.enrolment_failures;
        match failures.len().checked_sub(ENROLMENT_FAILURES) {
            None => Ok(()),
            Some(excess) => {
                let free_at = failures[excess] + HOUR;
                Err(Refusal::for_now("ENROLMENT_THROTTLED", free_at - now))
            }
        }
    }
}
