//! The dated history of identifiers: what a change adds to it.

use countersign_primitives::{IdentifierId, Label, Timestamp};

use crate::{Kind, Registry, SecurityIdentifier, State};

/// One identifier ever bound, as the history keeps it: dates and states, no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Its id.
    pub id: IdentifierId,
    /// Its kind.
    pub kind: Kind,
    /// What its owner calls it.
    pub label: Label,
    /// Whether it is in use.
    pub state: BindingState,
    /// When its enrolment began.
    pub created_at: Timestamp,
    /// When it was enabled.
    pub enabled_at: Timestamp,
    /// When it was disabled.
    pub disabled_at: Option<Timestamp>,
}

/// Whether a bound identifier is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingState {
    /// In use.
    Enabled,
    /// Disabled by the failure cap, and not closed yet.
    Capped,
    /// Disabled for good.
    Disabled,
}

impl Registry {
    /// The bindings that differ from those of an earlier state of the same registry. Whatever
    /// changed an identifier, it cannot be left out of the history.
    pub fn bindings_changed_since(&self, before: &Self, now: Timestamp) -> Vec<Binding> {
        let changed = self.counting().filter_map(|identifier| {
            let binding = binding(identifier)?;
            let old = before.identifier(identifier.id).and_then(self::binding);
            (old.as_ref() != Some(&binding)).then_some(binding)
        });
        let gone = before
            .counting()
            .filter(|identifier| self.identifier(identifier.id).is_none())
            .filter_map(|identifier| {
                let binding = binding(identifier)?;
                Some(Binding {
                    state: BindingState::Disabled,
                    // One that the cap disabled has been since then.
                    disabled_at: binding.disabled_at.or(Some(now)),
                    ..binding
                })
            });
        changed.chain(gone).collect()
    }
}

fn binding(identifier: &SecurityIdentifier) -> Option<Binding> {
    let (state, enabled_at, disabled_at) = match identifier.state {
        State::Pending { .. } => return None,
        State::Enabled { since } => (BindingState::Enabled, since, None),
        State::Capped { since, at } => (BindingState::Capped, since, Some(at)),
    };
    Some(Binding {
        id: identifier.id,
        kind: identifier.kind(),
        label: identifier.label.clone(),
        state,
        created_at: identifier.created_at,
        enabled_at,
        disabled_at,
    })
}
