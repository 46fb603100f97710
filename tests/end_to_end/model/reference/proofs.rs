//! Proofs: who can give one, what it is worth, and what it costs.

use std::collections::BTreeSet;

use countersign_testkit::v1::Purpose;

use super::{
    Answer, CAP, Change, Enrolled, Means, Millis, Path, Proofs, Refusal, State, Subject, Throttle,
    Who, step_typed,
};

/// What proofs are given for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aim<'a> {
    /// Whose throttles apply.
    pub(super) purpose: Purpose,
    /// The set of codes whose last code serves too, where the set is disabled or gets more.
    spares: Option<&'a str>,
    /// Whether the code is held by a new list, and not spent.
    holds: bool,
}

/// How an authenticator stands for an aim.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Standing {
    Usable,
    Locked(Millis),
    /// So many codes are left, and none to spare.
    Reserved(usize),
    Capped,
    Absent,
}

/// What a proof is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    Right(Spent),
    /// Looked at, and wrong.
    Wrong,
    /// Not looked at.
    Ignored,
}

/// What a right proof uses up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Spent {
    Nothing,
    /// An app's code of this step.
    Step(i64),
    /// The backup code at this place.
    Code(usize),
}

impl Verdict {
    pub(super) const fn is_right(&self) -> bool {
        matches!(self, Self::Right(_))
    }
}

impl From<Purpose> for Aim<'_> {
    fn from(purpose: Purpose) -> Self {
        Self {
            purpose,
            spares: None,
            holds: false,
        }
    }
}

impl Change {
    /// What proofs are for that are given with it.
    pub(super) fn aim(&self) -> Aim<'_> {
        Aim {
            purpose: Purpose::Other,
            spares: match self {
                Self::MoreCodes { id } | Self::Disable { id, .. } => Some(id),
                Self::FirstPin
                | Self::OtherPin
                | Self::EnableApp { .. }
                | Self::EnableCodes
                | Self::Switch { .. } => None,
            },
            holds: matches!(self, Self::MoreCodes { .. }),
        }
    }
}

impl Subject {
    pub(super) fn standing(&self, who: &Who, aim: Aim<'_>, now: Millis) -> Standing {
        let lock = match who {
            Who::Pin => match &self.pin {
                None => return Standing::Absent,
                Some(pin) if pin.is_capped => return Standing::Capped,
                Some(pin) => pin.throttle.lock(now),
            },
            Who::Identifier(id) => {
                let Some(found) = self.identifier(id).filter(|found| found.counts()) else {
                    return Standing::Absent;
                };
                if found.state == State::Capped {
                    return Standing::Capped;
                }
                if let Some(paper) = found.paper().filter(|_| aim.spares != Some(id)) {
                    let left = paper.left(now);
                    if left <= 1 {
                        return Standing::Reserved(left);
                    }
                }
                found.lock(aim.purpose, now)
            }
        };
        lock.map_or(Standing::Usable, Standing::Locked)
    }

    /// From when one of the paths can be walked; `None` when time does not help.
    pub(super) fn free_at(&self, paths: &[Path], aim: Aim<'_>, now: Millis) -> Option<Millis> {
        let option = |who: &Who| match self.standing(who, aim, now) {
            Standing::Usable => Some(now),
            Standing::Locked(until) => Some(until),
            Standing::Reserved(_) | Standing::Capped | Standing::Absent => None,
        };
        let stage = |options: &BTreeSet<Who>| options.iter().filter_map(option).min();
        let path = |path: &Path| {
            path.iter()
                .try_fold(now, |latest, options| Some(latest.max(stage(options)?)))
        };
        paths.iter().filter_map(path).min()
    }

    /// That none of these is a set of codes with none to spare.
    pub(super) fn require_to_spare<'a>(
        &self,
        mut given: impl Iterator<Item = &'a Who>,
        aim: Aim<'_>,
        now: Millis,
    ) -> Result<(), Refusal> {
        let reserved = given.find_map(|who| match self.standing(who, aim, now) {
            Standing::Reserved(left) => Some(left),
            _ => None,
        });
        match reserved {
            Some(left) => Err(Refusal(Answer::Reserved { left })),
            None => Ok(()),
        }
    }

    /// Looks at every proof. Nothing is counted or used up yet.
    pub(super) fn look(&self, proofs: &Proofs, aim: Aim<'_>, now: Millis) -> Vec<Verdict> {
        let look = |(who, typed): &(Who, String)| {
            if self.standing(who, aim, now) != Standing::Usable {
                return Verdict::Ignored;
            }
            let right = match who {
                Who::Pin => {
                    let pin = self.pin.as_ref().filter(|pin| pin.digits == *typed);
                    pin.map(|_| Spent::Nothing)
                }
                Who::Identifier(id) => self
                    .identifier(id)
                    .and_then(|found| right_code(found, typed, aim, now)),
            };
            right.map_or(Verdict::Wrong, Verdict::Right)
        };
        proofs.iter().map(look).collect()
    }

    /// Uses right proofs up: codes are spent, and the runs of failures of this purpose end.
    pub(super) fn use_up(&mut self, proofs: &Proofs, verdicts: &[Verdict], aim: Aim<'_>) {
        for ((who, _), verdict) in proofs.iter().zip(verdicts) {
            let Verdict::Right(spent) = verdict else {
                continue;
            };
            let found = match who {
                Who::Pin => {
                    if let Some(pin) = &mut self.pin {
                        pin.throttle = Throttle::default();
                    }
                    continue;
                }
                Who::Identifier(id) => self.identifier_mut(id),
            };
            let Some(found) = found else { continue };
            found.throttles.remove(&aim.purpose);
            match (&mut found.means, spent) {
                (Means::App { last_step, .. }, Spent::Step(step)) => *last_step = Some(*step),
                (Means::Codes(paper), Spent::Code(place)) if !aim.holds => {
                    paper.used.insert(*place);
                }
                _ => {}
            }
        }
    }

    /// Counts what was looked at and wrong; right proofs beside it are not used up.
    pub(super) fn count(
        &mut self,
        proofs: &Proofs,
        verdicts: &[Verdict],
        aim: Aim<'_>,
        now: Millis,
    ) {
        for ((who, _), verdict) in proofs.iter().zip(verdicts) {
            if *verdict != Verdict::Wrong {
                continue;
            }
            match who {
                Who::Pin => {
                    if let Some(pin) = &mut self.pin {
                        pin.throttle.fail(now);
                        pin.is_capped |= pin.throttle.failures >= CAP;
                    }
                }
                Who::Identifier(id) => {
                    if let Some(found) = self.identifier_mut(id) {
                        found.throttles.entry(aim.purpose).or_default().fail(now);
                        let run: u32 = found.throttles.values().map(|run| run.failures).sum();
                        if run >= CAP {
                            found.state = State::Capped;
                        }
                    }
                }
            }
        }
    }
}

/// What a code uses up if it is right. One that a waiting list holds is good for another list in
/// its place only.
fn right_code(found: &Enrolled, typed: &str, aim: Aim<'_>, now: Millis) -> Option<Spent> {
    match &found.means {
        Means::App { app, last_step } => {
            let step = step_typed(app, typed, now)?;
            (Some(step) > *last_step).then_some(Spent::Step(step))
        }
        Means::Codes(paper) => {
            let place = paper.place(typed)?;
            let is_held = paper.held(now) == Some(place);
            (aim.holds || !is_held).then_some(Spent::Code(place))
        }
    }
}
