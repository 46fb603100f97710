//! The reference model of one subject: what design.md says a PIN, authenticator apps and
//! confirmations do. It shares no code with the product; only the apps compute their own codes.

use std::collections::{BTreeMap, BTreeSet};

use countersign_testkit::{
    App, Timestamp,
    v1::{ConfirmationState, Purpose},
};

use super::{
    request::{
        Answer, Change, Millis, Operation, OptionView, Proofs, StageView, View, Who, refused,
    },
    throttle::{CAP, HOUR, STEP, Throttle},
};

mod confirmations;
mod settings;

/// Everything about one subject.
#[derive(Default)]
pub(crate) struct Subject {
    /// Whether anything was ever written about it.
    pub(crate) is_known: bool,
    /// How many changes were written: one event each.
    pub(crate) writes: usize,
    pub(crate) pin: Option<Pin>,
    /// How often a PIN was set: an approval by an earlier one does not stand.
    pins_set: u32,
    /// Those that are pending, enabled or capped.
    pub(crate) apps: Vec<Enrolled>,
    /// Those that were enabled once and are disabled for good.
    pub(crate) gone: Vec<Enrolled>,
    pub(crate) enrolment_failures: Vec<Millis>,
    pub(crate) confirmations: Vec<Confirmation>,
}

/// A PIN.
pub(crate) struct Pin {
    pub(crate) digits: String,
    number: u32,
    pub(crate) throttle: Throttle,
    pub(crate) is_capped: bool,
}

/// An app that is enrolled, or is to be.
pub(crate) struct Enrolled {
    pub(crate) app: App,
    pub(crate) label: String,
    pub(crate) state: State,
    pub(crate) on: BTreeSet<Purpose>,
    pub(crate) throttles: BTreeMap<Purpose, Throttle>,
    pub(crate) last_step: Option<i64>,
}

/// Where an app is in its life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum State {
    Pending { until: Millis },
    Enabled,
    Capped,
}

/// One decision about one operation.
pub(crate) struct Confirmation {
    pub(crate) id: String,
    pub(crate) operation: Operation,
    redeem_on_approval: bool,
    /// The state, and until when it lasts by itself or when it was reached.
    state: (ConfirmationState, Millis),
    attempts_left: i32,
    paths: Vec<Path>,
    /// The options as they were shown at Create.
    offered: BTreeMap<Who, OptionView>,
    /// Who gave a proof, and the number of the PIN if it was the PIN.
    passed: BTreeMap<Who, u32>,
}

/// Stages in their order, each with its options.
pub(crate) type Path = Vec<BTreeSet<Who>>;

/// What is new in the world since the platform drew it: an id, and perhaps an app.
pub(crate) struct Drawn {
    pub(crate) id: String,
    pub(crate) app: Option<App>,
}

/// An answer, and whether it was written down.
pub(crate) struct Said {
    pub(crate) answer: Answer,
    pub(crate) is_written: bool,
}

/// A refusal, of which nothing is written down.
struct Refusal(Answer);

/// How an authenticator stands for a purpose.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Standing {
    Usable,
    Locked(Millis),
    Capped,
    Absent,
}

/// What a proof is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    /// Right; an app's code is that of this step.
    Right(Option<i64>),
    /// Looked at, and wrong.
    Wrong,
    /// Not looked at.
    Ignored,
}

/// The code that an app shows in a step.
pub(crate) fn code_of(app: &App, step: i64) -> String {
    app.code(Timestamp::from_millis(step * STEP))
}

/// The step of the window around `now` whose code was typed.
pub(crate) fn step_typed(app: &App, typed: &str, now: Millis) -> Option<i64> {
    let digits: String = typed
        .chars()
        .filter(|typed| !" -".contains(*typed))
        .collect();
    let step = now / STEP;
    [step + 1, step, step - 1]
        .into_iter()
        .find(|step| code_of(app, *step) == digits)
}

impl Enrolled {
    pub(crate) fn id(&self) -> &str {
        &self.app.id
    }

    pub(crate) fn who(&self) -> Who {
        Who::App(self.app.id.clone())
    }

    /// Whether it counts as an existing factor.
    pub(crate) fn counts(&self) -> bool {
        matches!(self.state, State::Enabled | State::Capped)
    }

    pub(crate) fn is_pending(&self, now: Millis) -> bool {
        matches!(self.state, State::Pending { until } if now < until)
    }

    pub(crate) fn lock(&self, purpose: Purpose, now: Millis) -> Option<Millis> {
        self.throttles.get(&purpose)?.lock(now)
    }

    /// From when a code later than the last one used is shown, if that is not now.
    pub(crate) fn usable_from(&self, now: Millis) -> Option<Millis> {
        let next = (self.last_step? + 1) * STEP;
        (now < next).then_some(next)
    }
}

impl Subject {
    pub(crate) fn app(&self, id: &str) -> Option<&Enrolled> {
        self.apps.iter().find(|app| app.id() == id)
    }

    /// The apps that count as existing factors.
    pub(crate) fn counting(&self) -> impl Iterator<Item = &Enrolled> {
        self.apps.iter().filter(|app| app.counts())
    }

    /// The apps that are on for a purpose: they count, locked or capped.
    pub(crate) fn on_for(&self, purpose: Purpose) -> BTreeSet<Who> {
        let on = self.counting().filter(|app| app.on.contains(&purpose));
        on.map(Enrolled::who).collect()
    }

    fn existing(&self) -> BTreeSet<Who> {
        self.counting().map(Enrolled::who).collect()
    }

    fn standing(&self, who: &Who, purpose: Purpose, now: Millis) -> Standing {
        let (is_capped, lock) = match who {
            Who::Pin => match &self.pin {
                None => return Standing::Absent,
                Some(pin) => (pin.is_capped, pin.throttle.lock(now)),
            },
            Who::App(id) => match self.app(id).filter(|app| app.counts()) {
                None => return Standing::Absent,
                Some(app) => (app.state == State::Capped, app.lock(purpose, now)),
            },
        };
        match lock {
            _ if is_capped => Standing::Capped,
            Some(until) => Standing::Locked(until),
            None => Standing::Usable,
        }
    }

    /// From when one of the paths can be walked; `None` when time does not help.
    fn free_at(&self, paths: &[Path], purpose: Purpose, now: Millis) -> Option<Millis> {
        let option = |who: &Who| match self.standing(who, purpose, now) {
            Standing::Usable => Some(now),
            Standing::Locked(until) => Some(until),
            Standing::Capped | Standing::Absent => None,
        };
        let stage = |options: &BTreeSet<Who>| options.iter().filter_map(option).min();
        let path = |path: &Path| {
            path.iter()
                .try_fold(now, |latest, options| Some(latest.max(stage(options)?)))
        };
        paths.iter().filter_map(path).min()
    }

    /// Looks at every proof. Nothing is counted or used up yet.
    fn look(&self, proofs: &Proofs, purpose: Purpose, now: Millis) -> Vec<Verdict> {
        let look = |(who, typed): &(Who, String)| {
            if self.standing(who, purpose, now) != Standing::Usable {
                return Verdict::Ignored;
            }
            let right = match who {
                Who::Pin => self
                    .pin
                    .as_ref()
                    .filter(|pin| pin.digits == *typed)
                    .map(|_| None),
                Who::App(id) => self.app(id).and_then(|app| {
                    let step = step_typed(&app.app, typed, now)?;
                    (Some(step) > app.last_step).then_some(Some(step))
                }),
            };
            right.map_or(Verdict::Wrong, Verdict::Right)
        };
        proofs.iter().map(look).collect()
    }

    /// Uses right proofs up: steps are spent, and the runs of failures of this purpose end.
    fn use_up(&mut self, proofs: &Proofs, verdicts: &[Verdict], purpose: Purpose) {
        for ((who, _), verdict) in proofs.iter().zip(verdicts) {
            match (who, verdict) {
                (Who::Pin, _) => {
                    if let Some(pin) = &mut self.pin {
                        pin.throttle = Throttle::default();
                    }
                }
                (Who::App(id), Verdict::Right(step)) => {
                    if let Some(app) = self.apps.iter_mut().find(|app| app.id() == id) {
                        app.last_step = *step;
                        app.throttles.remove(&purpose);
                    }
                }
                (Who::App(_), Verdict::Wrong | Verdict::Ignored) => {}
            }
        }
    }

    /// Counts what was looked at and wrong; right proofs beside it are not used up.
    fn count(&mut self, proofs: &Proofs, verdicts: &[Verdict], purpose: Purpose, now: Millis) {
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
                Who::App(id) => {
                    if let Some(app) = self.apps.iter_mut().find(|app| app.id() == id) {
                        app.throttles.entry(purpose).or_default().fail(now);
                        let run: u32 = app.throttles.values().map(|run| run.failures).sum();
                        if run >= CAP {
                            app.state = State::Capped;
                        }
                    }
                }
            }
        }
    }

    /// Forgets what time has ended.
    pub(crate) fn prune(&mut self, now: Millis) {
        self.apps.retain(|app| app.counts() || app.is_pending(now));
        self.enrolment_failures.retain(|at| now < at + HOUR);
    }

    /// An operator ends every lock that time would end.
    fn unlock(&mut self) {
        if let Some(pin) = self.pin.as_mut().filter(|pin| !pin.is_capped) {
            pin.throttle = Throttle::default();
        }
        for app in self
            .apps
            .iter_mut()
            .filter(|app| app.state == State::Enabled)
        {
            app.throttles.clear();
        }
        self.enrolment_failures.clear();
    }

    fn remove(&mut self, id: &str) -> bool {
        let Some(position) = self.apps.iter().position(|app| app.id() == id) else {
            return false;
        };
        let app = self.apps.remove(position);
        if app.counts() {
            self.gone.push(app);
        }
        true
    }
}

impl Said {
    fn written(answer: Answer) -> Self {
        Self {
            answer,
            is_written: true,
        }
    }

    fn unwritten(answer: Answer) -> Self {
        Self {
            answer,
            is_written: false,
        }
    }
}

impl Refusal {
    fn new(reason: &str) -> Self {
        Self(refused(reason))
    }

    fn for_now(reason: &str, retry_in: Millis) -> Self {
        Self(Answer::Refused {
            reason: reason.to_owned(),
            retry_in: Some(retry_in),
        })
    }
}
