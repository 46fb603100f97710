//! One identifier: an app, or a set of backup codes.

use std::collections::{BTreeMap, BTreeSet};

use countersign_testkit::{App, Timestamp, v1::Purpose};

use super::{
    super::throttle::{STEP, Throttle},
    Factor, Millis, Paper, Who,
};

/// An identifier that is enrolled, or is to be.
pub(crate) struct Enrolled {
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) state: State,
    pub(crate) on: BTreeSet<Purpose>,
    pub(crate) throttles: BTreeMap<Purpose, Throttle>,
    pub(crate) means: Means,
}

/// What its codes come from.
pub(crate) enum Means {
    App { app: App, last_step: Option<i64> },
    Codes(Paper),
}

/// Where an identifier is in its life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum State {
    Pending { until: Millis },
    Enabled,
    Capped,
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

/// Whether a backup code was typed, in whatever way that is forgiven.
pub(crate) fn is_spelling_of(code: &str, typed: &str) -> bool {
    let plain = |typed: &str| -> String {
        typed
            .chars()
            .filter(|typed| !" -".contains(*typed))
            .map(|typed| match typed {
                'o' | 'O' => '0',
                'i' | 'I' | 'l' | 'L' => '1',
                other => other.to_ascii_uppercase(),
            })
            .collect()
    };
    plain(code) == plain(typed)
}

impl Enrolled {
    pub(super) fn new(id: String, label: String, until: Millis, means: Means) -> Self {
        Self {
            id,
            label,
            state: State::Pending { until },
            on: BTreeSet::new(),
            throttles: BTreeMap::new(),
            means,
        }
    }

    pub(crate) fn who(&self) -> Who {
        Who::Identifier(self.id.clone())
    }

    pub(crate) const fn factor(&self) -> Factor {
        match self.means {
            Means::App { .. } => Factor::App,
            Means::Codes(_) => Factor::Codes,
        }
    }

    pub(crate) const fn paper(&self) -> Option<&Paper> {
        match &self.means {
            Means::App { .. } => None,
            Means::Codes(paper) => Some(paper),
        }
    }

    pub(super) const fn paper_mut(&mut self) -> Option<&mut Paper> {
        match &mut self.means {
            Means::App { .. } => None,
            Means::Codes(paper) => Some(paper),
        }
    }

    /// Whether it counts as an existing factor.
    pub(crate) const fn counts(&self) -> bool {
        matches!(self.state, State::Enabled | State::Capped)
    }

    pub(crate) fn is_pending(&self, now: Millis) -> bool {
        matches!(self.state, State::Pending { until } if now < until)
    }

    pub(crate) fn lock(&self, purpose: Purpose, now: Millis) -> Option<Millis> {
        self.throttles.get(&purpose)?.lock(now)
    }

    /// From when an app shows a code later than the last one used, if that is not now.
    pub(crate) fn usable_from(&self, now: Millis) -> Option<Millis> {
        match self.means {
            Means::App { last_step, .. } => {
                let next = (last_step? + 1) * STEP;
                (now < next).then_some(next)
            }
            Means::Codes(_) => None,
        }
    }
}
