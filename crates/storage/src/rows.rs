//! From stored rows to the words of the ports.

use countersign_mfa::ports::{RequestRecord, Rows, StoreError, StoredEvent, SubjectRow};
use countersign_primitives::{Clock, IdentifierId, Label, SubjectId, Timestamp};
use countersign_security_identifiers::{Binding, BindingState, Kind};
use sea_orm::{DbErr, QueryResult, TryGetable};

use crate::entities::{event, identifier};

/// The rows of a load, as of the given clock or, without one, the database's.
pub(crate) fn rows(row: &QueryResult, clock: Option<&dyn Clock>) -> Result<Rows, StoreError> {
    let present = match clock {
        Some(clock) => clock.now(),
        None => Timestamp::from_millis(column(row, "(none)", "now")?),
    };
    let seen = column::<Option<i64>>(row, "subject", "updated_at")?.map(Timestamp::from_millis);
    let now = seen.map_or(present, |seen| seen.max(present));

    let subject = match column(row, "subject", "version")? {
        None => None,
        Some(version) => Some(SubjectRow {
            version,
            secrets: column(row, "subject", "secrets")?,
            counters: column(row, "subject", "counters")?,
        }),
    };
    let expires_at = column::<Option<i64>>(row, "request", "expires_at")?;
    let request = match expires_at.map(Timestamp::from_millis) {
        Some(expires_at) if now < expires_at => Some(RequestRecord {
            mac: column(row, "request", "mac")?,
            answer: column(row, "request", "answer")?,
        }),
        _ => None,
    };
    Ok(Rows {
        now,
        subject,
        confirmation: column(row, "confirmation", "body")?,
        request,
    })
}

pub(crate) fn column<T: TryGetable>(
    row: &QueryResult,
    table: &'static str,
    column: &'static str,
) -> Result<T, StoreError> {
    row.try_get("", column)
        .map_err(|_| StoreError::Inconsistent { table, column })
}

pub(crate) fn subject(id: String) -> Result<SubjectId, StoreError> {
    SubjectId::parse(id).map_err(|_| StoreError::Inconsistent {
        table: "subject",
        column: "subject_id",
    })
}

pub(crate) fn event(row: event::Model) -> StoredEvent {
    StoredEvent {
        version: row.version,
        at: Timestamp::from_millis(row.at),
        caller: row.caller,
        method: row.method,
        facts: row.facts,
    }
}

/// As [`event`], of a row that was read by hand.
pub(crate) fn event_of(row: &QueryResult) -> Result<StoredEvent, DbErr> {
    Ok(StoredEvent {
        version: row.try_get("", "version")?,
        at: Timestamp::from_millis(row.try_get("", "at")?),
        caller: row.try_get("", "caller")?,
        method: row.try_get("", "method")?,
        facts: row.try_get("", "facts")?,
    })
}

pub(crate) fn binding(row: &identifier::Model) -> Result<Binding, StoreError> {
    let wrong = |column| StoreError::Inconsistent {
        table: "identifier",
        column,
    };
    let id = <[u8; 16]>::try_from(row.identifier_id.as_slice());
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == row.kind);
    let state = STATES
        .into_iter()
        .find(|state| state_name(*state) == row.state);
    Ok(Binding {
        id: IdentifierId::from_bytes(id.map_err(|_| wrong("identifier_id"))?),
        kind: kind.ok_or_else(|| wrong("kind"))?,
        label: Label::parse(&row.label).map_err(|_| wrong("label"))?,
        state: state.ok_or_else(|| wrong("state"))?,
        created_at: Timestamp::from_millis(row.created_at),
        enabled_at: Timestamp::from_millis(row.enabled_at),
        disabled_at: row.disabled_at.map(Timestamp::from_millis),
    })
}

const STATES: [BindingState; 3] = [
    BindingState::Enabled,
    BindingState::Capped,
    BindingState::Disabled,
];

/// The state's name in stored rows.
pub(crate) const fn state_name(state: BindingState) -> &'static str {
    match state {
        BindingState::Enabled => "ENABLED",
        BindingState::Capped => "CAPPED",
        BindingState::Disabled => "DISABLED",
    }
}
