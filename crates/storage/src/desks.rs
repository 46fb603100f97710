//! What is done with the batches of a [`Line`](crate::line::Line).

use std::{sync::Arc, time::Duration};

use countersign_mfa::ports::{Applied, Change, LoadKey, Rows, StoreError};
use countersign_primitives::{Clock, SubjectId};
use sea_orm::{DatabaseConnection, DbErr, QueryResult};

use crate::{
    dialect::{Dialect, Warm, postgres},
    error::{Fault, committed_or_not, nothing_written, written_or_not},
    line::Desk,
    rows,
    storage::within,
};

/// SQLite's one writer: a commit costs a flush of the disk, whatever it holds.
pub(crate) struct Commits {
    pub(crate) connection: DatabaseConnection,
    pub(crate) patience: Duration,
}

impl Desk for Commits {
    const WORK: &'static str = "change";

    type Item = Change;
    type Answer = Applied;

    fn changed(change: &Change) -> Option<&SubjectId> {
        Some(&change.subject)
    }

    /// One transaction: changes in turn, guard first. One whose guard misses writes nothing, and
    /// the others go on. On an error before the commit, none of them is written.
    async fn serve(&self, batch: &[Change]) -> Result<Vec<Applied>, StoreError> {
        let before_commit = async {
            let transaction = Dialect::Sqlite.begin(&self.connection).await?;
            let mut applied = Vec::with_capacity(batch.len());
            for change in batch {
                applied.push(Dialect::Sqlite.write(&transaction, change).await?);
            }
            Ok((transaction, applied))
        };
        // Dropped after an error, the transaction rolls back before its connection is used again.
        let (transaction, applied) = within(self.patience, before_commit)
            .await
            .map_err(|error| nothing_written(&error))?;
        // Not given up: a commit that takes long is still a commit.
        transaction
            .commit()
            .await
            .map_err(|error| committed_or_not(&error))?;
        Ok(applied)
    }
}

/// Changes on PostgreSQL: one statement, and so one transaction.
pub(crate) struct Changes {
    pub(crate) warm: Warm,
    pub(crate) patience: Duration,
}

impl Desk for Changes {
    const WORK: &'static str = "change";

    type Item = Change;
    type Answer = Applied;

    fn changed(change: &Change) -> Option<&SubjectId> {
        Some(&change.subject)
    }

    async fn serve(&self, batch: &[Change]) -> Result<Vec<Applied>, StoreError> {
        let written = within(self.patience, self.warm.fetch(postgres::apply_all(batch)))
            .await
            .map_err(|error| written_or_not(&error))?;
        let mut applied = vec![Applied::GuardMissed; batch.len()];
        for row in &written {
            // It was committed; a place that cannot be read leaves the outcome open.
            let place = place(row).map_err(|error| written_or_not(&error))?;
            let applied = applied.get_mut(place).ok_or_else(|| strange(place))?;
            *applied = Applied::Written;
        }
        Ok(applied)
    }
}

/// Loads on PostgreSQL: one statement.
pub(crate) struct Loads {
    pub(crate) warm: Warm,
    pub(crate) patience: Duration,
    pub(crate) clock: Option<Arc<dyn Clock>>,
}

impl Desk for Loads {
    const WORK: &'static str = "load";

    type Item = LoadKey;
    /// Rows that cannot be read are the trouble of whoever asked for them.
    type Answer = Result<Rows, StoreError>;

    fn changed(_: &LoadKey) -> Option<&SubjectId> {
        None
    }

    async fn serve(&self, batch: &[LoadKey]) -> Result<Vec<Self::Answer>, StoreError> {
        let loaded = within(self.patience, self.warm.fetch(postgres::load_all(batch)))
            .await
            .map_err(|error| nothing_written(&error))?;
        let mut in_order: Vec<Option<Self::Answer>> = batch.iter().map(|_| None).collect();
        for row in &loaded {
            let place = place(row).map_err(|error| nothing_written(&error))?;
            let rows = rows::rows(row, self.clock.as_deref());
            // Two rows for one key are a database that has lost a primary key.
            match in_order.get_mut(place) {
                Some(empty @ None) => *empty = Some(rows),
                _ => {
                    return Err(StoreError::Refused(
                        Fault::new("a load gave two rows").into(),
                    ));
                }
            }
        }
        let none = || Err(StoreError::Refused(Fault::new("a load gave no row").into()));
        Ok(in_order
            .into_iter()
            .map(|rows| rows.unwrap_or_else(none))
            .collect())
    }
}

/// An answer that was committed and cannot be understood.
fn strange(place: usize) -> StoreError {
    StoreError::OutcomeUnknown(Fault::new(format!("there is no place {place} in the batch")).into())
}

/// The place in the batch that a row belongs to.
fn place(row: &QueryResult) -> Result<usize, DbErr> {
    let number: i64 = row.try_get("", "n")?;
    usize::try_from(number - 1).map_err(|_| DbErr::Type("a place is out of range".to_owned()))
}
