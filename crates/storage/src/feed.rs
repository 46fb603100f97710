//! The feed: the events of all subjects, in an order in which none comes late.
//!
//! # Why none is missed
//! On PostgreSQL an event's place is the number of the transaction that wrote it, or a higher one that
//! was given before. A reader takes what is below the lowest number that is still under way
//! (`pg_snapshot_xmin`), in the same snapshot: whatever is below was written by a transaction that has
//! ended, and is seen, or never will be. So what commits late is not jumped over; it holds up what
//! comes after it, which is why a transaction that stays open, in any database of the server, delays the
//! feed. A reader goes on behind the last event that it has read, not behind that number: numbers of
//! transactions that wrote nothing may be given again after a crash, those of durable events may not.
//!
//! # Why a subject's events keep their order
//! A change that is written at once was decided on rows that were loaded before. Whoever wrote those had
//! committed, and has a lower number than this transaction, which gets its own when it first writes. That
//! holds for each change of a batch: a row that somebody writes is skipped there. A transaction that
//! waits for a row may get its number while it waits, and others that overtake it higher ones. So the
//! statement that may run in such a one (`apply`) takes the place of the event before its own, where that
//! is the higher one.
//!
//! SQLite has one writer, which counts.

use async_trait::async_trait;
use countersign_mfa::ports::{FeedItem, FeedPage, FeedPlace, FeedSource, StoreError};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryResult, Statement, Value};

use crate::{
    Storage,
    dialect::Dialect,
    entities::incarnation,
    error::{committed_or_not, nothing_written},
    rows,
    storage::within,
};

/// The lowest number under way, and the events below it from a place on. Without events there is a row
/// all the same.
const POSTGRES: &str = "SELECT h.head, e.* FROM \
     (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS head) AS h \
     LEFT JOIN LATERAL (SELECT place, subject_id, version, at, caller, method, facts FROM event \
     WHERE place >= $1 AND place < h.head ORDER BY place, subject_id, version \
     OFFSET $2 LIMIT $3) AS e ON true";

const SQLITE: &str = "SELECT h.head, e.* FROM \
     (SELECT coalesce(max(place), 0) + 1 AS head FROM event) AS h \
     LEFT JOIN (SELECT place, subject_id, version, at, caller, method, facts FROM event \
     WHERE place >= $1 ORDER BY place, subject_id, version LIMIT $3 OFFSET $2) AS e ON true";

/// The place of the last event that can be read, and how many have it. Those of before a restore count
/// as none.
const END_POSTGRES: &str = "SELECT max(place) AS place, count(*) AS within FROM event \
     WHERE place = (SELECT max(place) FROM event \
     WHERE place > 0 AND place < pg_snapshot_xmin(pg_current_snapshot())::text::bigint)";
const END_SQLITE: &str = "SELECT max(place) AS place, count(*) AS within FROM event \
     WHERE place = (SELECT max(place) FROM event WHERE place > 0)";

/// Events of before a restore: moved to the beginning, some at a time.
const REWIND_POSTGRES: &str = "UPDATE event SET place = 0 WHERE ctid = ANY (ARRAY(\
     SELECT ctid FROM event WHERE place > 0 LIMIT 5000))";
const REWIND_SQLITE: &str = "UPDATE event SET place = 0 WHERE (subject_id, version) IN \
     (SELECT subject_id, version FROM event WHERE place > 0 LIMIT 5000)";

const REBORN_POSTGRES: &str = "UPDATE incarnation SET id = uuid_send(gen_random_uuid())";
const REBORN_SQLITE: &str = "UPDATE incarnation SET id = randomblob(16)";

/// Whether events have places that no transaction has come to.
const AHEAD: &str = "SELECT coalesce(max(place), 0) >= \
     pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS is_ahead FROM event";

impl Storage {
    /// Begins the feed anew where the database was moved to another server, whose transactions have
    /// lower numbers: new events would have places among the old ones. Says whether it did.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn mend_feed(&self) -> Result<bool, StoreError> {
        if self.dialect == Dialect::Sqlite {
            return Ok(false);
        }
        let statement = Statement::from_string(self.read.get_database_backend(), AHEAD);
        let row = within(self.patience, self.read.query_one_raw(statement))
            .await
            .map_err(|error| nothing_written(&error))?;
        let is_ahead = row.is_some_and(|row| row.try_get("", "is_ahead").unwrap_or(false));
        if is_ahead {
            self.begin_feed_anew().await?;
        }
        Ok(is_ahead)
    }
}

#[async_trait]
impl FeedSource for Storage {
    async fn read_feed(&self, from: Option<FeedPlace>, most: u64) -> Result<FeedPage, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let (events, end) = match self.dialect {
            Dialect::Postgres => (POSTGRES, END_POSTGRES),
            Dialect::Sqlite => (SQLITE, END_SQLITE),
        };
        let backend = self.read.get_database_backend();
        let read = async {
            // First: what is read of a life that ends in between would belong to the next one.
            let incarnation = incarnation::Entity::find().one(&self.read).await?;
            let from = match from {
                Some(from) => from,
                None => {
                    let end = Statement::from_string(backend, end);
                    last_place(self.read.query_one_raw(end).await?.as_ref())?
                }
            };
            let values: [Value; 3] = [from.place.into(), from.within.into(), most.into()];
            let events = Statement::from_sql_and_values(backend, events, values);
            Ok((incarnation, from, self.read.query_all_raw(events).await?))
        };
        let (incarnation, from, found) = within(self.patience, read)
            .await
            .map_err(|error| nothing_written(&error))?;
        let incarnation = incarnation.and_then(|row| <[u8; 16]>::try_from(row.id).ok());
        let incarnation = incarnation.ok_or(StoreError::Inconsistent {
            table: "incarnation",
            column: "id",
        })?;
        page(incarnation, from, most, &found)
    }

    async fn begin_feed_anew(&self) -> Result<(), StoreError> {
        let (rewind, reborn) = match self.dialect {
            Dialect::Postgres => (REWIND_POSTGRES, REBORN_POSTGRES),
            Dialect::Sqlite => (REWIND_SQLITE, REBORN_SQLITE),
        };
        loop {
            let batch = self.write.execute_unprepared(rewind);
            let moved = within(self.patience, batch)
                .await
                .map_err(|error| committed_or_not(&error))?;
            if moved.rows_affected() == 0 {
                break;
            }
        }
        within(self.patience, self.write.execute_unprepared(reborn))
            .await
            .map_err(|error| committed_or_not(&error))?;
        Ok(())
    }
}

/// Behind the last event; at the first place there is, where there is none.
fn last_place(end: Option<&QueryResult>) -> Result<FeedPlace, DbErr> {
    let first = FeedPlace {
        place: 1,
        within: 0,
    };
    let Some(row) = end else {
        return Ok(first);
    };
    Ok(match row.try_get("", "place")? {
        Some(place) => FeedPlace {
            place,
            within: row.try_get("", "within")?,
        },
        None => first,
    })
}

/// What was read. The place of an event within its number is counted from where the reading began.
fn page(
    incarnation: [u8; 16],
    from: FeedPlace,
    most: i64,
    found: &[QueryResult],
) -> Result<FeedPage, StoreError> {
    let wrong = |column: &'static str| {
        move |_: DbErr| StoreError::Inconsistent {
            table: "event",
            column,
        }
    };
    let mut head = 0;
    let mut items: Vec<FeedItem> = Vec::new();
    let mut next = from;
    for row in found {
        head = row.try_get("", "head").map_err(wrong("place"))?;
        let Some(place) = row.try_get("", "place").map_err(wrong("place"))? else {
            continue;
        };
        let at = FeedPlace {
            place,
            within: if place == next.place { next.within } else { 0 },
        };
        next = at.next();
        let subject: String = row.try_get("", "subject_id").map_err(wrong("subject_id"))?;
        items.push(FeedItem {
            at,
            subject: rows::subject(subject)?,
            event: rows::event_of(row).map_err(wrong("version"))?,
        });
    }
    let is_last = i64::try_from(items.len()).unwrap_or(i64::MAX) < most;
    Ok(FeedPage {
        incarnation,
        items,
        next,
        head,
        is_last,
    })
}
