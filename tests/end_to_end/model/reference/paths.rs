//! What a change of settings takes.

use std::collections::BTreeSet;

use countersign_testkit::v1::Purpose;

use super::{
    super::throttle::APPS,
    Change, Enrolled, Factor, Millis, Path, Refusal, State, Subject, Who,
    proofs::{Aim, Standing},
};

impl Subject {
    /// The paths that would do for a change; none where it is refused.
    pub(crate) fn paths_of(&self, change: &Change, now: Millis) -> Vec<Path> {
        self.paths(change, now).unwrap_or_default()
    }

    /// The paths that would do for a change.
    pub(super) fn paths(&self, change: &Change, now: Millis) -> Result<Vec<Path>, Refusal> {
        let mut path = Path::new();
        match change {
            Change::FirstPin if self.pin.is_some() => return Err(Refusal::new("PIN_ALREADY_SET")),
            Change::FirstPin => add(&mut path, self.existing()),
            Change::OtherPin => {
                self.require_pin()?;
                add(&mut path, [Who::Pin].into());
                add(&mut path, self.existing());
            }
            Change::EnableApp { id, purposes } => {
                self.require_begun(id, now)?;
                self.require_pin()?;
                self.require_room_for_app()?;
                path = self.path_to_enable(purposes);
            }
            Change::EnableCodes => {
                if self.set().is_some_and(Enrolled::counts) {
                    return Err(Refusal::new("BACKUP_CODES_ENABLED"));
                }
                self.require_pin()?;
                let apps = self.identifiers.iter();
                let apps = apps.filter(|other| other.factor() == Factor::App);
                Self::require_room_beside(apps, now)?;
                path = self.path_to_enable(&BTreeSet::new());
            }
            Change::MoreCodes { id } => {
                let set = self.target(id)?;
                if set.factor() != Factor::Codes {
                    return Err(Refusal::new("IDENTIFIER_NOT_FOUND"));
                }
                if set.state == State::Capped {
                    return Err(Refusal::new("IDENTIFIER_NOT_ENABLED"));
                }
                add(&mut path, [set.who()].into());
            }
            Change::Switch { id, on, off } => {
                let own = self.target(id)?;
                if own.state == State::Capped && !on.is_empty() {
                    return Err(Refusal::new("IDENTIFIER_NOT_ENABLED"));
                }
                path = self.path_to_switch(&own.who(), on, off);
            }
            Change::Disable { id, confirm_last } => {
                return self.paths_to_disable(self.target(id)?, *confirm_last);
            }
        }
        Ok(vec![path])
    }

    /// An identifier that counts.
    fn target(&self, id: &str) -> Result<&Enrolled, Refusal> {
        let missing = Refusal::new("IDENTIFIER_NOT_FOUND");
        self.identifier(id)
            .filter(|found| found.counts())
            .ok_or(missing)
    }

    fn require_pin(&self) -> Result<(), Refusal> {
        match self.pin {
            Some(_) => Ok(()),
            None => Err(Refusal::new("PIN_NOT_SET")),
        }
    }

    /// Whether this app's enrolment has begun and not ended.
    pub(super) fn is_begun(&self, id: &str, now: Millis) -> bool {
        let found = self.identifier(id).filter(|found| found.is_pending(now));
        found.is_some_and(|found| found.factor() == Factor::App)
    }

    fn require_begun(&self, id: &str, now: Millis) -> Result<(), Refusal> {
        if self.is_begun(id, now) {
            Ok(())
        } else {
            Err(Refusal::new("IDENTIFIER_NOT_FOUND"))
        }
    }

    pub(super) fn require_room_for_app(&self) -> Result<(), Refusal> {
        let apps = self
            .counting()
            .filter(|other| other.factor() == Factor::App);
        if apps.count() < APPS {
            Ok(())
        } else {
            Err(Refusal::new("TOO_MANY_IDENTIFIERS"))
        }
    }

    /// The PIN, and a code of one that is there: of one that is on, for what it is to be on for.
    fn path_to_enable(&self, purposes: &BTreeSet<Purpose>) -> Path {
        let mut path = vec![[Who::Pin].into()];
        for purpose in purposes {
            add(&mut path, self.on_for(*purpose));
        }
        if path.len() == 1 {
            add(&mut path, self.existing());
        }
        path
    }

    fn path_to_switch(&self, own: &Who, on: &BTreeSet<Purpose>, off: &BTreeSet<Purpose>) -> Path {
        let mut path = Path::new();
        let without_own = |mut options: BTreeSet<Who>| {
            options.remove(own);
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
        path
    }

    fn paths_to_disable(&self, own: &Enrolled, confirm_last: bool) -> Result<Vec<Path>, Refusal> {
        let is_other = |found: &&Enrolled| found.id != own.id;
        let mut others = self.counting().filter(is_other);
        if !confirm_last && !others.any(|other| other.state == State::Enabled) {
            return Err(Refusal::new("LAST_IDENTIFIER"));
        }
        let others = self.counting().filter(is_other);
        let others: BTreeSet<Who> = others.map(Enrolled::who).collect();
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
        Ok(paths)
    }

    /// That the proofs of these are worth a look: they make up a path, or name what nobody has.
    pub(super) fn require_covered(
        &self,
        paths: &[Path],
        given: &BTreeSet<Who>,
        aim: Aim<'_>,
        now: Millis,
    ) -> Result<(), Refusal> {
        let is_covered = |path: &Path| path.iter().all(|stage| !stage.is_disjoint(given));
        let is_strange = |who: &Who| self.standing(who, aim, now) == Standing::Absent;
        if paths.iter().any(is_covered) || given.iter().any(is_strange) {
            return Ok(());
        }
        Err(match self.free_at(paths, aim, now) {
            None => {
                self.require_to_spare(paths.iter().flatten().flatten(), aim, now)?;
                Refusal::new("RECOVERY_REQUIRED")
            }
            Some(at) if at > now => Refusal::for_now("TEMPORARILY_LOCKED", at - now),
            Some(_) => Refusal::new("STEP_UP_REQUIRED"),
        })
    }
}

fn add(path: &mut Path, options: BTreeSet<Who>) {
    if !options.is_empty() && !path.contains(&options) {
        path.push(options);
    }
}
