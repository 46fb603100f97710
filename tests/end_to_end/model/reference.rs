//! The reference model of one subject: what design.md says a PIN, authenticator apps, backup codes
//! and confirmations do. It shares no code with the product; only the apps compute their own codes.

use std::collections::{BTreeMap, BTreeSet};

use countersign_testkit::v1::{ConfirmationState, Purpose};

use super::{
    request::{
        Answer, By, Change, Factor, Millis, Operation, OptionView, Proofs, Settings, StageView,
        Told, View, Who, refused,
    },
    throttle::{CAP, HOUR, Throttle},
};

mod codes;
mod confirmations;
mod identifier;
mod paths;
mod proofs;
mod settings;

pub(crate) use codes::Paper;
pub(crate) use identifier::{Enrolled, Means, State, code_of, is_spelling_of, step_typed};

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
    pub(crate) identifiers: Vec<Enrolled>,
    /// Those that were enabled once and are disabled for good.
    pub(crate) gone: Vec<Enrolled>,
    pub(crate) enrolment_failures: Vec<Millis>,
    /// The ids of all lists of backup codes there ever were.
    pub(crate) lists: Vec<String>,
    pub(crate) confirmations: Vec<Confirmation>,
}

/// A PIN.
pub(crate) struct Pin {
    pub(crate) digits: String,
    number: u32,
    pub(crate) throttle: Throttle,
    pub(crate) is_capped: bool,
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

/// What is new in the world since the platform drew it: the id of a confirmation or of an
/// identifier, that of a list of codes, and what was shown once.
#[derive(Default)]
pub(crate) struct Drawn {
    pub(crate) id: String,
    pub(crate) list: String,
    pub(crate) told: Told,
}

/// An answer, and whether it was written down.
pub(crate) struct Said {
    pub(crate) answer: Answer,
    pub(crate) is_written: bool,
}

/// A refusal, of which nothing is written down.
struct Refusal(Answer);

impl Subject {
    pub(crate) fn identifier(&self, id: &str) -> Option<&Enrolled> {
        self.identifiers.iter().find(|found| found.id == id)
    }

    fn identifier_mut(&mut self, id: &str) -> Option<&mut Enrolled> {
        self.identifiers.iter_mut().find(|found| found.id == id)
    }

    /// The identifiers that count as existing factors.
    pub(crate) fn counting(&self) -> impl Iterator<Item = &Enrolled> {
        self.identifiers.iter().filter(|found| found.counts())
    }

    /// The identifiers that are on for a purpose: they count, locked, capped or reserved.
    pub(crate) fn on_for(&self, purpose: Purpose) -> BTreeSet<Who> {
        let on = self.counting().filter(|found| found.on.contains(&purpose));
        on.map(Enrolled::who).collect()
    }

    fn existing(&self) -> BTreeSet<Who> {
        self.counting().map(Enrolled::who).collect()
    }

    /// Forgets what time has ended.
    pub(crate) fn prune(&mut self, now: Millis) {
        self.identifiers
            .retain(|found| found.counts() || found.is_pending(now));
        for found in &mut self.identifiers {
            if let Some(paper) = found.paper_mut() {
                paper.forget_list_from(now);
            }
        }
        self.enrolment_failures.retain(|at| now < at + HOUR);
    }

    /// An operator ends every lock that time would end.
    fn unlock(&mut self) {
        if let Some(pin) = self.pin.as_mut().filter(|pin| !pin.is_capped) {
            pin.throttle = Throttle::default();
        }
        let enabled = |found: &&mut Enrolled| found.state == State::Enabled;
        for found in self.identifiers.iter_mut().filter(enabled) {
            found.throttles.clear();
        }
        self.enrolment_failures.clear();
    }

    fn remove(&mut self, id: &str) -> bool {
        let Some(position) = self.identifiers.iter().position(|found| found.id == id) else {
            return false;
        };
        let found = self.identifiers.remove(position);
        if found.counts() {
            self.gone.push(found);
        }
        self.void_waiting_lists();
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
