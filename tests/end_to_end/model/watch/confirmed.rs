//! What becomes of confirmations: they live forward, and permit what was proved, once.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use countersign_testkit::v1::{ConfirmationState, Purpose};

use super::super::request::{Change, Operation, StageView, View, Who};

/// The confirmations of one subject.
#[derive(Default)]
pub(super) struct Confirmed {
    operations: BTreeMap<String, Operation>,
    /// Who gave an accepted proof for one.
    proved: BTreeMap<String, BTreeSet<Who>>,
    states: BTreeMap<String, ConfirmationState>,
    redeemed: BTreeSet<String>,
    consumed: BTreeSet<String>,
}

impl Confirmed {
    /// One was created.
    pub(super) fn open(&mut self, id: &str, operation: &Operation) {
        self.operations.insert(id.to_owned(), operation.clone());
    }

    /// Proofs were accepted for one.
    pub(super) fn prove(&mut self, id: &str, whose: impl Iterator<Item = Who>) {
        self.proved.entry(id.to_owned()).or_default().extend(whose);
    }

    /// A settings change was made by one: by one of exactly this change that was approved, once.
    /// Returns who proved it.
    pub(super) fn consume(&mut self, id: &str, change: &Change) -> Result<BTreeSet<Who>> {
        let operation = self.operations.get(id);
        ensure!(
            operation == Some(&Operation::Settings(change.clone())),
            "{change:?} was made by a confirmation of {operation:?}"
        );
        let state = self.states.get(id);
        ensure!(
            state == Some(&ConfirmationState::Approved),
            "{change:?} was made by a confirmation that is {state:?}"
        );
        let is_first = self.consumed.insert(id.to_owned());
        ensure!(is_first, "a confirmation was used twice");
        let proved = self.proved.get(id).cloned();
        proved.context("a confirmation without a proof")
    }

    /// Confirmations live forward; approved means every stage of a path was proved; redeemed is
    /// once. The PIN alone confirms no withdrawal.
    pub(super) fn look_at(&mut self, view: &View) -> Result<()> {
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
            let is_proved =
                |stage: &StageView| stage.options.keys().any(|who| proved.contains(who));
            let mut paths = view.paths.iter();
            ensure!(
                paths.any(|path| !path.is_empty() && path.iter().all(is_proved)),
                "approved by {proved:?} alone: {view:?}"
            );
            ensure!(
                view.purpose != Purpose::Withdrawal || proved.iter().any(|who| *who != Who::Pin),
                "a withdrawal by the PIN alone: {view:?}"
            );
        }
        if view.state == Redeemed && before != Some(Redeemed) {
            let is_first = self.redeemed.insert(view.id.clone());
            ensure!(is_first, "redeemed twice");
        }
        Ok(())
    }
}
