//! Settings: what a change takes, and what it does.

use std::collections::BTreeSet;

use countersign_testkit::v1::Purpose;

use super::{
    super::throttle::{
        APPS, ENROLMENT_FAILURES, ENROLMENT_LIFE, HOUR, PENDING_ENROLMENTS, Throttle,
    },
    Answer, Change, Drawn, Enrolled, Millis, Path, Pin, Proofs, Refusal, Said, Standing, State,
    Subject, Verdict, Who, step_typed,
};

impl Subject {
    /// The paths that would do for a change; none where it is refused.
    pub(crate) fn paths_of(&self, change: &Change, now: Millis) -> Vec<Path> {
        self.paths(change, now).unwrap_or_default()
    }

    /// The paths that would do for a change.
    pub(super) fn paths(&self, change: &Change, now: Millis) -> Result<Vec<Path>, Refusal> {
        let target = |id: &str| {
            let missing = Refusal::new("IDENTIFIER_NOT_FOUND");
            self.app(id).filter(|app| app.counts()).ok_or(missing)
        };
        let mut path = Path::new();
        match change {
            Change::FirstPin if self.pin.is_some() => return Err(Refusal::new("PIN_ALREADY_SET")),
            Change::FirstPin => add(&mut path, self.existing()),
            Change::OtherPin if self.pin.is_none() => return Err(Refusal::new("PIN_NOT_SET")),
            Change::OtherPin => {
                add(&mut path, [Who::Pin].into());
                add(&mut path, self.existing());
            }
            Change::Enable { id, purposes } => {
                if !self.app(id).is_some_and(|app| app.is_pending(now)) {
                    return Err(Refusal::new("IDENTIFIER_NOT_FOUND"));
                }
                if self.pin.is_none() {
                    return Err(Refusal::new("PIN_NOT_SET"));
                }
                if self.counting().count() >= APPS {
                    return Err(Refusal::new("TOO_MANY_IDENTIFIERS"));
                }
                add(&mut path, [Who::Pin].into());
                for purpose in purposes {
                    add(&mut path, self.on_for(*purpose));
                }
                if path.len() == 1 {
                    add(&mut path, self.existing());
                }
            }
            Change::Switch { id, on, off } => {
                let own = target(id)?;
                if own.state == State::Capped && !on.is_empty() {
                    return Err(Refusal::new("IDENTIFIER_NOT_ENABLED"));
                }
                let own = own.who();
                let without_own = |mut options: BTreeSet<Who>| {
                    options.remove(&own);
                    options
                };
                if on.is_empty() {
                    for purpose in off {
                        let mut either = self.on_for(*purpose);
                        either.insert(own.clone());
                        add(&mut path, either);
                    }
                } else {
                    // Its own code, which does for off as well.
                    add(&mut path, [own.clone()].into());
                    for purpose in on {
                        let others = without_own(self.on_for(*purpose));
                        let any = without_own(self.existing());
                        add(&mut path, if others.is_empty() { any } else { others });
                    }
                }
            }
            Change::Disable { id, confirm_last } => {
                let own = target(id)?;
                let is_other = |app: &&Enrolled| app.id() != id;
                let mut others = self.counting().filter(is_other);
                if !confirm_last && !others.any(|app| app.state == State::Enabled) {
                    return Err(Refusal::new("LAST_IDENTIFIER"));
                }
                let others: BTreeSet<Who> = self
                    .counting()
                    .filter(is_other)
                    .map(Enrolled::who)
                    .collect();
                let mut paths = Vec::new();
                if own.state == State::Enabled {
                    paths.push(vec![[own.who()].into()]);
                    if !others.is_empty() {
                        paths.push(vec![[Who::Pin].into(), others]);
                    }
                } else if !others.is_empty() {
                    // It has no codes any more: that of another one closes it.
                    paths.push(vec![others]);
                }
                return Ok(paths);
            }
        }
        Ok(vec![path])
    }

    /// That the proofs given are worth a look: they make up a path, or name what nobody has.
    fn require_covered(&self, paths: &[Path], proofs: &Proofs, now: Millis) -> Result<(), Refusal> {
        let is_given =
            |options: &BTreeSet<Who>| proofs.iter().any(|(who, _)| options.contains(who));
        let is_covered = |path: &Path| path.iter().all(is_given);
        let other = Purpose::Other;
        let is_strange = |who: &Who| self.standing(who, other, now) == Standing::Absent;
        if paths.iter().any(is_covered) || proofs.iter().any(|(who, _)| is_strange(who)) {
            return Ok(());
        }
        Err(match self.free_at(paths, other, now) {
            None => Refusal::new("RECOVERY_REQUIRED"),
            Some(at) if at > now => Refusal::for_now("TEMPORARILY_LOCKED", at - now),
            Some(_) => Refusal::new("STEP_UP_REQUIRED"),
        })
    }

    /// Whether what a change is about is not there, and must not show that to whoever typed
    /// something: then it is answered as a wrong code is.
    fn hides_absence(&self, change: &Change, proofs: &Proofs, now: Millis) -> bool {
        match change {
            Change::Enable { id, .. } => !self.app(id).is_some_and(|app| app.is_pending(now)),
            Change::Switch { id, .. } | Change::Disable { id, .. } => {
                !proofs.is_empty() && !self.app(id).is_some_and(Enrolled::counts)
            }
            Change::OtherPin => !proofs.is_empty() && !self.is_known,
            Change::FirstPin => false,
        }
    }

    /// A settings change with inline proofs.
    pub(super) fn change(
        &mut self,
        change: &Change,
        typed: &str,
        proofs: &Proofs,
        now: Millis,
    ) -> Result<Said, Refusal> {
        let is_same = |(who, given): &(Who, String)| *who == Who::Pin && given == typed;
        if *change == Change::OtherPin && proofs.iter().any(is_same) {
            return Err(Refusal::new("INVALID_FIELD"));
        }
        let is_enrolment = matches!(change, Change::Enable { .. });
        if is_enrolment {
            self.require_enrolments_allowed(now)?;
        }
        let is_absent = self.hides_absence(change, proofs, now);
        if !is_absent {
            self.require_covered(&self.paths(change, now)?, proofs, now)?;
        }
        let verdicts = self.look(proofs, Purpose::Other, now);
        let new_step = match change {
            Change::Enable { id, .. } if !is_absent => {
                let app = self.app(id);
                app.and_then(|app| step_typed(&app.app, typed, now))
            }
            _ => None,
        };
        let lacks_code = is_enrolment && !is_absent && new_step.is_none();
        let is_right = |verdict: &Verdict| matches!(verdict, Verdict::Right(_));
        if is_absent || lacks_code || !verdicts.iter().all(is_right) {
            if lacks_code {
                self.enrolment_failures.push(now);
            }
            self.count(proofs, &verdicts, Purpose::Other, now);
            // Of somebody who was never heard of, nothing is written down.
            return Ok(Said {
                answer: Answer::Rejected,
                is_written: self.is_known,
            });
        }
        self.use_up(proofs, &verdicts, Purpose::Other);
        match change {
            Change::FirstPin | Change::OtherPin => {
                self.pins_set += 1;
                self.pin = Some(Pin {
                    digits: typed.to_owned(),
                    number: self.pins_set,
                    throttle: Throttle::default(),
                    is_capped: false,
                });
            }
            Change::Enable { id, purposes } => {
                if let Some(app) = self.apps.iter_mut().find(|app| app.id() == id) {
                    app.state = State::Enabled;
                    app.on.clone_from(purposes);
                    app.last_step = new_step;
                }
            }
            Change::Switch { id, on, off } => {
                if let Some(app) = self.apps.iter_mut().find(|app| app.id() == id) {
                    app.on.extend(on);
                    app.on.retain(|purpose| !off.contains(purpose));
                }
            }
            Change::Disable { id, .. } => {
                self.remove(id);
            }
        }
        Ok(Said::written(Answer::Done))
    }

    /// The beginning of an enrolment: an unfinished one of the same label is void.
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
            self.free_label()
        } else {
            label.to_owned()
        };
        if self.counting().count() >= APPS {
            return Err(Refusal::new("TOO_MANY_IDENTIFIERS"));
        }
        let unfinished = self.apps.iter().filter_map(|app| match app.state {
            State::Pending { until } if app.label != label => Some(until),
            State::Pending { .. } | State::Enabled | State::Capped => None,
        });
        let mut unfinished: Vec<Millis> = unfinished.collect();
        unfinished.sort_unstable();
        if unfinished.len() >= PENDING_ENROLMENTS {
            return Err(Refusal::for_now(
                "TOO_MANY_PENDING_ENROLMENTS",
                unfinished[0] - now,
            ));
        }
        self.apps.retain(|app| app.counts() || app.label != label);
        let until = now + ENROLMENT_LIFE;
        let answer = Answer::Begun {
            id: drawn.id,
            until,
            has_secret: true,
        };
        self.apps.extend(drawn.app.map(|app| Enrolled {
            app,
            label,
            state: State::Pending { until },
            on: BTreeSet::new(),
            throttles: std::collections::BTreeMap::new(),
            last_step: None,
        }));
        Ok(Said::written(answer))
    }

    /// `Authenticator`, with a number where that is taken.
    fn free_label(&self) -> String {
        let is_taken = |label: &String| self.counting().any(|app| app.label == *label);
        let numbered = (2..).map(|number| format!("Authenticator {number}"));
        std::iter::once("Authenticator".to_owned())
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

fn add(path: &mut Path, options: BTreeSet<Who>) {
    if !options.is_empty() && !path.contains(&options) {
        path.push(options);
    }
}
