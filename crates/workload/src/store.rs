//! A store of one snapshot.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use countersign_mfa::ports::{
    Applied, Change, LoadKey, Lock, Rows, Store, StoreError, StoredEvent,
    sms::{SharedKey, SharedRows, StoredMessage},
};
use countersign_primitives::{MessageId, SubjectId};
use countersign_security_identifiers::Binding;

/// Loads the same rows again and again, whoever they are asked for, and keeps the last change
/// without making it: so a decision can be repeated from the same past.
#[derive(Debug)]
pub struct OneSubject {
    rows: Mutex<Rows>,
    change: Mutex<Option<Change>>,
}

impl OneSubject {
    /// A store that loads `rows`.
    pub const fn new(rows: Rows) -> Self {
        Self {
            rows: Mutex::new(rows),
            change: Mutex::new(None),
        }
    }

    /// Loads other rows from now on.
    pub fn set(&self, rows: Rows) {
        *held(&self.rows) = rows;
    }

    /// The last change, once.
    pub fn take_change(&self) -> Option<Change> {
        held(&self.change).take()
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Store for OneSubject {
    async fn load(&self, _: &LoadKey) -> Result<Rows, StoreError> {
        Ok(held(&self.rows).clone())
    }

    async fn apply(&self, change: Change) -> Result<Applied, StoreError> {
        *held(&self.change) = Some(change);
        Ok(Applied::Written)
    }

    async fn lock(&self, _: &LoadKey) -> Result<(Rows, Box<dyn Lock>), StoreError> {
        let reason = "a guard that never misses needs no lock";
        Err(StoreError::Unavailable(reason.into()))
    }

    async fn shared(&self, _: &SubjectId, _: &SharedKey) -> Result<SharedRows, StoreError> {
        Ok(SharedRows::default())
    }

    async fn message(
        &self,
        _: &SubjectId,
        _: MessageId,
    ) -> Result<Option<StoredMessage>, StoreError> {
        Ok(None)
    }

    async fn bindings(&self, _: &SubjectId) -> Result<Vec<Binding>, StoreError> {
        Ok(Vec::new())
    }

    async fn events(
        &self,
        _: &SubjectId,
        _: Option<i64>,
        _: u64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        Ok(Vec::new())
    }

    async fn subjects(&self, _: Option<&SubjectId>, _: u64) -> Result<Vec<SubjectId>, StoreError> {
        Ok(Vec::new())
    }
}
