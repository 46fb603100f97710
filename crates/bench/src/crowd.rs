//! People who wait for their turn.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use countersign_primitives::{Clock, ConfirmationId, ExposeSecret, SystemClock, Timestamp};
use countersign_totp::{Authenticator, Step};
use countersign_workload::Person;

/// Somebody who can be asked for a code.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub(crate) subject: String,
    pub(crate) identifier: String,
    pub(crate) confirmation: String,
    /// Which step's code to type: so many after the present one.
    pub(crate) shift: i64,
    app: Authenticator,
}

impl Ready {
    pub(crate) fn new(person: &Person, confirmation: ConfirmationId, shift: i64) -> Self {
        Self {
            subject: person.subject.as_str().to_owned(),
            identifier: person.identifier.to_string(),
            confirmation: confirmation.to_string(),
            shift,
            app: person.app.clone(),
        }
    }

    /// As they are once another confirmation awaits them.
    pub(crate) fn with(self, confirmation: String) -> Self {
        Self {
            confirmation,
            ..self
        }
    }

    /// What the app shows.
    pub(crate) fn code(&self) -> String {
        self.code_at(SystemClock.now().as_millis() + 30_000 * self.shift)
    }

    /// A code of the right form that is wrong now, and a step later too: among a million codes
    /// some old ones are right again by chance.
    pub(crate) fn wrong_code(&self) -> String {
        let now = SystemClock.now().as_millis();
        let right: Vec<String> = (-1..=2)
            .map(|step| self.code_at(now + step * STEP))
            .collect();
        let mut before = now - 10 * STEP;
        loop {
            let code = self.code_at(before);
            if !right.contains(&code) {
                return code;
            }
            before -= STEP;
        }
    }

    fn code_at(&self, millis: i64) -> String {
        let step = Step::at(Timestamp::from_millis(millis));
        self.app.code(step).expose_secret().to_owned()
    }
}

/// The length of a step in milliseconds.
const STEP: i64 = 30_000;

/// Those whose turn is still to come.
#[derive(Clone)]
pub(crate) struct Crowd(Arc<Mutex<VecDeque<Ready>>>);

impl Crowd {
    pub(crate) fn new(ready: impl IntoIterator<Item = Ready>) -> Self {
        Self(Arc::new(Mutex::new(ready.into_iter().collect())))
    }

    pub(crate) fn next(&self) -> Option<Ready> {
        self.line().pop_front()
    }

    /// Puts somebody last in line.
    pub(crate) fn give_back(&self, ready: Ready) {
        self.line().push_back(ready);
    }

    /// Takes so many out of line.
    pub(crate) fn take(&self, count: usize) -> Self {
        let mut line = self.line();
        let count = count.min(line.len());
        Self::new(line.drain(..count))
    }

    fn line(&self) -> MutexGuard<'_, VecDeque<Ready>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
