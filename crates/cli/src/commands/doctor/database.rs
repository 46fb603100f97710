//! The database: whether it keeps what it acknowledges, what time it has, and whose it is.

use std::{error::Error, fmt::Write as _, time::Duration};

use countersign_mfa::ports::StoreError;
use countersign_storage::{
    ConnectError, KeysFound, PostgresFound, SchemaState, SqliteFound, Storage,
};

use super::Line;

/// How far two clocks may be apart without a word, in milliseconds.
const CLOCK_WARNING: u64 = 1000;
/// How far they may be apart at all: a code of an authenticator is good for 30 seconds.
const CLOCK_WRONG: u64 = 30_000;
/// How long a round trip may take: every call takes two.
const ROUND_TRIP: Duration = Duration::from_millis(5);

const DATABASE: &str = "database";
const SCHEMA: &str = "database schema";
const KEYS: &str = "database keys";
const DURABILITY: &str = "database durability";

/// There is nothing to look at.
pub(super) fn out_of_reach(error: &ConnectError, place: &str, config: &str) -> Line {
    match error {
        ConnectError::Schema(state) => schema(&Ok(*state), config),
        ConnectError::Unreachable(_) => Line::wrong(
            DATABASE,
            format!("{place}: {}", chain(error)),
            "see that the server runs, and that `database.url` names its address, a database of \
             it, a user who may use it, and the right password",
        ),
        error => Line::wrong(
            DATABASE,
            format!("{place}: {}", chain(error)),
            "set `database.url` to `postgres://USER:PASSWORD@HOST/DATABASE` or `sqlite:FILE`",
        ),
    }
}

/// Judges a PostgreSQL server.
pub(super) fn postgres(found: &PostgresFound, place: &str, wanted: u32) -> Vec<Line> {
    let mut lines = vec![reached(found, place)];
    lines.extend(durability(found));
    lines.push(connections(found.most_connections, wanted));
    lines.push(clock(found.clock_ahead_millis));
    lines.push(round_trips(found));
    lines
}

fn reached(found: &PostgresFound, place: &str) -> Line {
    let version = format!("{place}: PostgreSQL {}", found.version);
    if found.is_in_recovery {
        return Line::wrong(
            DATABASE,
            format!("{version}, in recovery: a standby, which takes no changes"),
            "name the primary in `database.url`",
        );
    }
    let least = Storage::LEAST_POSTGRES;
    if found.major < least {
        return Line::wrong(
            DATABASE,
            format!("{version}, which is too old"),
            format!("run PostgreSQL {least} or later"),
        );
    }
    Line::ok(DATABASE, version)
}

fn durability(found: &PostgresFound) -> Vec<Line> {
    let mut lines = Vec::new();
    if !found.fsync {
        lines.push(Line::wrong(
            DURABILITY,
            "`fsync = off`: acknowledged changes would be lost in a crash, and used codes could be \
             used again",
            "set `fsync = on` in postgresql.conf and reload the server",
        ));
    }
    if found.synchronous_commit != "on" {
        lines.push(Line::wrong(
            DURABILITY,
            format!(
                "`synchronous_commit` is `{}` although our sessions set it to `on`",
                found.synchronous_commit
            ),
            "find what stands between us and the server and changes it, such as a pooler",
        ));
    }
    if !found.full_page_writes {
        lines.push(Line::warning(
            DURABILITY,
            "`full_page_writes = off`: a page that was half written in a crash could not be mended",
            "set `full_page_writes = on` in postgresql.conf and reload the server, unless its file \
             system never writes half a page",
        ));
    }
    if lines.is_empty() {
        lines.push(Line::ok(
            DURABILITY,
            "fsync, synchronous_commit and full_page_writes are on",
        ));
    }
    lines
}

fn connections(most: u32, wanted: u32) -> Line {
    let check = "database connections";
    let found = format!(
        "the server has {most} for us, and a gateway takes up to {wanted} (`database.max_connections`)"
    );
    match most / wanted.max(1) {
        0 => Line::wrong(
            check,
            found,
            format!(
                "set `database.max_connections` to at most {most}, or raise `max_connections` of \
                 the server or the limit of the role or database"
            ),
        ),
        1 => Line::warning(
            check,
            format!("{found}: there is room for one gateway, and none for a second"),
            "lower `database.max_connections`, or raise `max_connections` of the server or the \
             limit of the role or database",
        ),
        gateways => Line::ok(check, format!("{found}: room for {gateways} gateways")),
    }
}

fn clock(ahead_millis: i64) -> Line {
    let check = "database clock";
    let apart = ahead_millis.unsigned_abs();
    let direction = if ahead_millis < 0 {
        "behind"
    } else {
        "ahead of"
    };
    let found = format!("{} {direction} that of this machine", seconds(apart));
    let advice = "keep the clocks of both machines by NTP; codes are checked by the database's";
    if apart <= CLOCK_WARNING {
        return Line::ok(check, found);
    }
    if apart <= CLOCK_WRONG {
        return Line::warning(check, found, advice);
    }
    Line::wrong(
        check,
        format!("{found}: if the database's is the wrong one, right codes are refused"),
        advice,
    )
}

fn round_trips(found: &PostgresFound) -> Line {
    let trips = found.round_trips;
    let said = format!(
        "{} in the median and {} at worst, of {}",
        millis(trips.median),
        millis(trips.worst),
        trips.count
    );
    let check = "database round trip";
    if trips.median > ROUND_TRIP {
        return Line::warning(
            check,
            said,
            "put the gateway nearer to the database: every call takes two round trips",
        );
    }
    Line::ok(check, said)
}

/// Judges an SQLite file.
pub(super) fn sqlite(found: &SqliteFound, place: &str) -> Vec<Line> {
    let mut lines = vec![
        Line::ok(DATABASE, format!("{place}: SQLite {}", found.version)),
        Line::ok("database clock", "that of this machine: keep it by NTP"),
    ];
    lines.push(if found.synchronous != 2 {
        Line::wrong(
            DURABILITY,
            format!(
                "`synchronous` is {} although our connections set it to 2, FULL",
                found.synchronous
            ),
            "put the file on a local disk, and use the SQLite that is built in",
        )
    } else if found.is_wal {
        Line::ok(
            DURABILITY,
            "changes go to a log (WAL) and are synchronous (FULL)",
        )
    } else {
        Line::ok(
            DURABILITY,
            "changes are synchronous (FULL); the log (WAL) is switched on when a gateway starts",
        )
    });
    lines
}

/// Judges the schema.
pub(super) fn schema(found: &Result<SchemaState, StoreError>, config: &str) -> Line {
    let migrate = format!("run `countersign migrate --config {config}`");
    match found {
        Ok(SchemaState::Current) => Line::ok(SCHEMA, "that of this version"),
        Ok(SchemaState::Absent) => Line::wrong(SCHEMA, "there is none yet", migrate),
        Ok(SchemaState::Older) => Line::wrong(SCHEMA, "that of an earlier version", migrate),
        Ok(SchemaState::Newer) => Line::wrong(
            SCHEMA,
            "that of a later version",
            "run that version of `countersign`",
        ),
        Ok(SchemaState::Foreign) => Line::wrong(
            SCHEMA,
            "that of another program",
            format!("name a database of its own in `database.url`, then {migrate}"),
        ),
        Err(error) => Line::wrong(
            SCHEMA,
            chain(error),
            "see that the user of `database.url` may read the tables, and that a restore was \
             finished: a migration is noted and a table is missing",
        ),
    }
}

/// Judges whether the key file is that of the database.
pub(super) fn keys(found: &Result<KeysFound, StoreError>) -> Line {
    match found {
        Ok(KeysFound::Belongs { noted: 0, .. }) => Line::ok(
            KEYS,
            "the database has seen none: those of the key file are noted at the first start",
        ),
        Ok(KeysFound::Belongs { new: 0, .. }) => {
            Line::ok(KEYS, "the key file belongs to this database")
        }
        Ok(KeysFound::Belongs { new, .. }) => Line::ok(
            KEYS,
            format!(
                "the key file belongs to this database; {new} new in it, noted at the next start"
            ),
        ),
        Ok(KeysFound::Foreign { key_id }) => Line::wrong(
            KEYS,
            format!(
                "the key file does not belong to this database, which was written with a key \
                 {key_id} that the file lacks or has another value of"
            ),
            "name the key file that was made for this database as `keys.file`",
        ),
        Err(error) => Line::wrong(
            KEYS,
            chain(error),
            "see that the user of `database.url` may read the table key_check",
        ),
    }
}

/// An error with what lies behind it.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let _ = write!(said, ": {error}");
        next = error.source();
    }
    said
}

fn seconds(millis: u64) -> String {
    format!("{}.{:03} s", millis / 1000, millis % 1000)
}

fn millis(duration: Duration) -> String {
    let micros = duration.as_micros();
    format!("{}.{:02} ms", micros / 1000, micros % 1000 / 10)
}

#[cfg(test)]
mod tests;
