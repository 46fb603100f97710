//! What is said of each thing that can be found.

use countersign_storage::RoundTrips;

use super::{
    super::report::Status::{self, Ok as Sound, Warning, Wrong},
    *,
};

fn sound() -> PostgresFound {
    PostgresFound {
        version: "17.2".to_owned(),
        major: 17,
        fsync: true,
        synchronous_commit: "on".to_owned(),
        full_page_writes: true,
        is_in_recovery: false,
        most_connections: 97,
        clock_ahead_millis: 3,
        round_trips: RoundTrips {
            count: 20,
            median: Duration::from_micros(1250),
            worst: Duration::from_millis(40),
        },
    }
}

/// What is not sound, with what was found and what is advised.
fn complaints(found: &PostgresFound) -> Vec<(String, Status, String)> {
    let lines = postgres(found, "postgres://db/x", 16).into_iter();
    let lines = lines.filter(|line| line.status != Sound);
    lines
        .map(|line| {
            let said = format!("{} -> {}", line.found, line.advice.unwrap_or_default());
            (line.check, line.status, said)
        })
        .collect()
}

fn require_one(found: &PostgresFound, check: &str, status: Status, parts: &[&str]) {
    let complaints = complaints(found);
    let [(its_check, its_status, said)] = complaints.as_slice() else {
        panic!("{complaints:?}");
    };
    assert_eq!((its_check.as_str(), *its_status), (check, status));
    for part in parts {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
}

#[test]
fn a_sound_server_gets_no_complaint() {
    assert_eq!(complaints(&sound()), []);
    let lines = postgres(&sound(), "postgres://db/x", 16);
    let said: Vec<&str> = lines.iter().map(|line| line.found.as_str()).collect();
    assert!(said.contains(&"1.25 ms in the median and 40.00 ms at worst, of 20"));
    assert!(said.contains(&"0.003 s ahead of that of this machine"));
}

#[test]
fn each_setting_that_would_lose_changes_is_told() {
    let found = PostgresFound {
        fsync: false,
        ..sound()
    };
    require_one(&found, DURABILITY, Wrong, &["-> set `fsync = on`"]);
    let found = PostgresFound {
        synchronous_commit: "off".to_owned(),
        ..sound()
    };
    require_one(&found, DURABILITY, Wrong, &["is `off`", "pooler"]);
    let found = PostgresFound {
        full_page_writes: false,
        ..sound()
    };
    require_one(
        &found,
        DURABILITY,
        Warning,
        &["-> set `full_page_writes = on`"],
    );
    let found = PostgresFound {
        is_in_recovery: true,
        ..sound()
    };
    require_one(&found, DATABASE, Wrong, &["standby", "primary"]);
    let found = PostgresFound {
        major: 14,
        version: "14.9".to_owned(),
        ..sound()
    };
    require_one(&found, DATABASE, Wrong, &["14.9", "15 or later"]);
}

#[test]
fn too_few_connections_are_told() {
    for (most_connections, status) in [
        (15, Some(Wrong)),
        (16, Some(Warning)),
        (31, Some(Warning)),
        (32, None),
    ] {
        let found = PostgresFound {
            most_connections,
            ..sound()
        };
        match status {
            Some(status) => {
                let parts = ["database.max_connections"];
                require_one(&found, "database connections", status, &parts);
            }
            None => assert_eq!(complaints(&found), []),
        }
    }
}

#[test]
fn clocks_that_are_apart_are_told() {
    for (ahead, status) in [
        (-1000, Sound),
        (1000, Sound),
        (1001, Warning),
        (-1001, Warning),
        (30_000, Warning),
        (30_001, Wrong),
        (-30_001, Wrong),
        (i64::MIN, Wrong),
    ] {
        let line = clock(ahead);
        assert_eq!(line.status, status, "{ahead}");
        let direction = if ahead < 0 { "behind" } else { "ahead" };
        assert!(line.found.contains(direction), "{line:?}");
    }
}

#[test]
fn a_server_that_is_far_away_is_told() {
    let mut found = sound();
    found.round_trips.median = ROUND_TRIP;
    assert_eq!(complaints(&found), []);
    found.round_trips.median = ROUND_TRIP + Duration::from_micros(10);
    require_one(
        &found,
        "database round trip",
        Warning,
        &["5.01 ms", "nearer"],
    );
}

#[test]
fn each_state_of_the_schema_says_what_to_run() {
    for (state, status, advice) in [
        (SchemaState::Current, Sound, ""),
        (
            SchemaState::Absent,
            Wrong,
            "run `countersign migrate --config a.toml`",
        ),
        (
            SchemaState::Older,
            Wrong,
            "run `countersign migrate --config a.toml`",
        ),
        (
            SchemaState::Newer,
            Wrong,
            "run that version of `countersign`",
        ),
        (
            SchemaState::Foreign,
            Wrong,
            "name a database of its own in `database.url`",
        ),
    ] {
        let line = schema(&Ok(state), "a.toml");
        assert_eq!(line.status, status, "{state:?}");
        assert!(
            line.advice.unwrap_or_default().contains(advice),
            "{state:?}"
        );
    }
    let fault = StoreError::Refused("SQLSTATE 42P01".into());
    let line = schema(&Err(fault), "a.toml");
    assert_eq!(line.status, Wrong);
    assert!(line.found.contains("42P01"), "{line:?}");
}

#[test]
fn a_foreign_key_file_is_wrong_and_a_new_key_is_not() {
    for (noted, new, part) in [
        (0, 3, "first start"),
        (3, 0, "belongs"),
        (3, 1, "1 new in it"),
    ] {
        let line = keys(&Ok(KeysFound::Belongs { noted, new }));
        assert_eq!(line.status, Sound);
        assert!(line.found.contains(part), "{line:?}");
    }
    let key_id = "0011223344556677".to_owned();
    let line = keys(&Ok(KeysFound::Foreign { key_id }));
    assert_eq!(line.status, Wrong);
    assert!(line.found.contains("0011223344556677"), "{line:?}");
}

#[test]
fn an_sqlite_file_that_is_not_synchronous_is_wrong() {
    for (is_wal, synchronous, status) in [(true, 2, Sound), (false, 2, Sound), (true, 1, Wrong)] {
        let found = SqliteFound {
            version: "3.50.2".to_owned(),
            file: "a.db".into(),
            is_wal,
            synchronous,
        };
        let line = sqlite(&found, "sqlite:a.db").pop().unwrap();
        assert_eq!((line.check.as_str(), line.status), (DURABILITY, status));
    }
}
