//! What PostgreSQL has of its own.

use std::time::{Duration, Instant};

use countersign_mfa::ports::{Applied, LoadKey, Store, StoreError, Upkeep};
use sea_orm::{ConnectionTrait, DbBackend, Statement, sqlx};

use super::support::{Database, TestDb, connect, subject_id};
use crate::{ConnectError, Settings, Storage, TimeSource, storage::Hot};

async fn ask(connection: &impl ConnectionTrait, sql: &str) -> String {
    let statement =
        Statement::from_string(DbBackend::Postgres, format!("SELECT ({sql})::text AS v"));
    let row = connection.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get("", "v").unwrap()
}

/// The same on the hot path's connections.
async fn ask_warm(storage: &Storage, sql: &str) -> String {
    let Hot::Postgres { warm, .. } = &storage.hot else {
        panic!("not PostgreSQL")
    };
    let query = sqlx::AssertSqlSafe(format!("SELECT ({sql})::text AS v"));
    let rows = warm.fetch(sqlx::query(query)).await.unwrap();
    rows.first().unwrap().try_get("", "v").unwrap()
}

#[tokio::test]
async fn commits_are_synchronous_whatever_the_role_says() {
    let Some(database) = Database::create().await else {
        return;
    };
    let role = format!("{}_role", database.name);
    database.run(&format!("CREATE ROLE {role} LOGIN")).await;
    for setting in [
        "synchronous_commit = off",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_read_only = on",
    ] {
        database
            .run(&format!("ALTER ROLE {role} SET {setting}"))
            .await;
    }
    let name = &database.name;
    database
        .run(&format!("ALTER DATABASE {name} OWNER TO {role}"))
        .await;
    let url = database.url().replace("postgres@", &format!("{role}@"));
    assert_eq!(
        ask(&connect(&url), "current_setting('synchronous_commit')").await,
        "off"
    );

    for url in [
        url.clone(),
        format!("{url}?options=-c%20synchronous_commit%3Doff"),
    ] {
        let settings = Settings::new(url);
        let _ = Storage::migrate(&settings).await.unwrap();
        let storage = Storage::connect(&settings).await.unwrap();
        for (setting, value) in [
            ("synchronous_commit", "on"),
            ("transaction_isolation", "read committed"),
            ("transaction_read_only", "off"),
            ("statement_timeout", "3s"),
        ] {
            let sql = format!("current_setting('{setting}')");
            assert_eq!(ask(&storage.read, &sql).await, value);
            assert_eq!(ask_warm(&storage, &sql).await, value);
        }
        storage.close().await;
    }
    database.drop_database().await;
    database.run(&format!("DROP ROLE {role}")).await;
}

/// The server's answers are put in its mouth: functions of the same name that come first.
#[tokio::test]
async fn a_server_that_would_lose_changes_is_refused() {
    let Some(database) = Database::create().await else {
        return;
    };
    let mut settings = Settings::new(database.url());
    settings.connect_timeout = Duration::from_millis(300);
    let _ = Storage::migrate(&settings).await.unwrap();
    let before = Storage::connect(&settings).await.unwrap();

    let owner = connect(&database.url());
    owner
        .execute_unprepared("CREATE SCHEMA fake")
        .await
        .unwrap();
    let fake_setting = |name: &str, value: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION fake.current_setting(name text) RETURNS text LANGUAGE sql \
             AS $$ SELECT CASE WHEN name = '{name}' THEN '{value}' \
             ELSE pg_catalog.current_setting(name) END $$"
        )
    };
    let set_path = format!(
        "ALTER DATABASE {} SET search_path = fake, pg_catalog, public",
        database.name
    );
    owner
        .execute_unprepared(&fake_setting("fsync", "off"))
        .await
        .unwrap();
    owner.execute_unprepared(&set_path).await.unwrap();
    let refused = Storage::connect(&settings).await.err();
    assert!(
        matches!(refused, Some(ConnectError::FsyncOff)),
        "{refused:?}"
    );
    let refused = Storage::migrate(&settings).await.err();
    assert!(
        matches!(refused, Some(ConnectError::FsyncOff)),
        "{refused:?}"
    );

    owner
        .execute_unprepared(&fake_setting("server_version_num", "140012"))
        .await
        .unwrap();
    let refused = Storage::connect(&settings).await.err();
    assert!(
        matches!(refused, Some(ConnectError::TooOld { least: 15, .. })),
        "{refused:?}"
    );

    owner
        .execute_unprepared("DROP FUNCTION fake.current_setting")
        .await
        .unwrap();
    let in_recovery = "CREATE FUNCTION fake.pg_is_in_recovery() RETURNS bool LANGUAGE sql \
                       AS 'SELECT true'";
    owner.execute_unprepared(in_recovery).await.unwrap();
    let refused = Storage::connect(&settings).await.err();
    assert!(
        matches!(refused, Some(ConnectError::InRecovery)),
        "{refused:?}"
    );

    // A connection made later looks too, as after a failover. Those that were cut come first.
    cut_all(&owner).await;
    let key = LoadKey {
        subject: subject_id("anna"),
        confirmation: None,
        request: None,
    };
    for _ in 0..5 {
        let ping = before.ping().await;
        assert!(matches!(ping, Err(StoreError::Unavailable(_))));
        let load = before.load(&key).await;
        assert!(matches!(load, Err(StoreError::Unavailable(_))));
    }
    owner
        .execute_unprepared("DROP FUNCTION fake.pg_is_in_recovery")
        .await
        .unwrap();
    before.ping().await.unwrap();
    let _ = before.load(&key).await.unwrap();
    before.close().await;
    let _ = owner.close().await;
    database.drop_database().await;
}

/// Ends all other connections to the database.
async fn cut_all(owner: &impl ConnectionTrait) {
    let cut = "SELECT count(pg_terminate_backend(pid)) AS n FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    owner.execute_unprepared(cut).await.unwrap();
}

#[tokio::test]
async fn the_time_is_the_databases_own() {
    let Some(mut db) = TestDb::postgres().await else {
        return;
    };
    db.settings.time = TimeSource::Database;
    let storage = db.another().await;
    let rows = storage.load(&db.key("anna")).await.unwrap();
    let now = ask(
        &storage.read,
        "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
    )
    .await;
    let apart = now.parse::<i64>().unwrap() - rows.now.as_millis();
    assert!((0..10_000).contains(&apart), "{apart}");

    // Swept by the database's clock too: a record of 2027 has not lapsed, one of 1970 has.
    let mut old = db.change("berta", None);
    if let Some(request) = &mut old.request {
        request.expires_at = countersign_primitives::Timestamp::from_millis(1);
    }
    let _ = storage.apply(old).await.unwrap();
    let _ = storage.apply(db.change("anna", None)).await.unwrap();
    let a_century = Duration::from_secs(100 * 365 * 24 * 3600);
    assert_eq!(storage.sweep(a_century).await.unwrap(), 1);
    db.drop_database().await;
}

#[tokio::test]
async fn a_connection_that_is_cut_while_idle_leaves_no_doubt_behind() {
    let Some(db) = TestDb::postgres().await else {
        return;
    };
    let _ = db
        .storage
        .apply(db.small_change("anna", None))
        .await
        .unwrap();
    let owner = connect(&db.url());
    cut_all(&owner).await;
    // The server has said goodbye to a connection over which the change is then sent: whether it
    // came first, only the server knows.
    let first = db.storage.apply(db.small_change("anna", Some(1))).await;
    assert!(
        matches!(first, Err(StoreError::OutcomeUnknown(_))),
        "{first:?}"
    );
    let mut version = 1;
    for _ in 0..20 {
        match db
            .storage
            .apply(db.small_change("anna", Some(version)))
            .await
        {
            Ok(applied) => {
                assert_eq!(applied, Applied::Written);
                version += 1;
            }
            Err(error) => {
                assert!(
                    matches!(
                        error,
                        StoreError::OutcomeUnknown(_) | StoreError::Unavailable(_)
                    ),
                    "{error:?}"
                );
                version = loop {
                    if let Ok(rows) = db.storage.load(&db.key("anna")).await {
                        break rows.subject.unwrap().version;
                    }
                };
            }
        }
    }
    assert!(version >= 18, "{version}");
    let _ = owner.close().await;
    db.drop_database().await;
}

#[tokio::test]
async fn a_statement_that_waits_too_long_is_rolled_back() {
    let Some(mut db) = TestDb::postgres().await else {
        return;
    };
    db.settings.statement_timeout = Duration::from_millis(200);
    let impatient = db.another().await;
    let _ = db.storage.apply(db.change("anna", None)).await.unwrap();
    let (_, lock) = db.storage.lock(&db.key("anna")).await.unwrap();
    let applied = impatient.apply(db.change("anna", Some(1))).await;
    assert!(
        matches!(applied, Err(StoreError::Unavailable(_))),
        "{applied:?}"
    );
    lock.release().await.unwrap();
    assert_eq!(db.counts().await, [1; 5]);
    db.drop_database().await;
}

#[tokio::test]
async fn a_dead_server_is_known_as_one_before_long() {
    let Some(_) = std::env::var_os("COUNTERSIGN_TEST_POSTGRES") else {
        return;
    };
    // Nothing listens on port 1.
    let started = Instant::now();
    let dead = Storage::connect(&Settings::new("postgres://canary:canary@127.0.0.1:1/x")).await;
    let Err(error @ ConnectError::Unreachable(_)) = dead else {
        panic!("connected")
    };
    assert!(started.elapsed() < Duration::from_secs(4));
    assert!(!format!("{error:?} {error}").contains("canary"));
}

#[tokio::test]
async fn updates_of_a_subject_stay_on_their_page() {
    let Some(db) = TestDb::postgres().await else {
        return;
    };
    let options = "SELECT array_to_string(reloptions, ' ') FROM pg_class WHERE relname = 'subject'";
    assert_eq!(ask(&db.storage.read, options).await, "fillfactor=60");
    let _ = db
        .storage
        .apply(db.small_change("anna", None))
        .await
        .unwrap();
    // As many as fit on the page, since other tests may hold up its cleaning.
    for version in 1..20 {
        let _ = db
            .storage
            .apply(db.small_change("anna", Some(version)))
            .await
            .unwrap();
    }
    // A connection reports what it did when it ends.
    db.storage.close().await;
    let owner = connect(&db.url());
    let sql = "SELECT n_tup_upd || ' ' || n_tup_hot_upd FROM pg_stat_user_tables \
               WHERE relname = 'subject'";
    let mut counts = String::new();
    while !counts.starts_with("19 ") {
        counts = ask(&owner, sql).await;
    }
    assert_eq!(counts, "19 19");
    let _ = owner.close().await;
    db.drop_database().await;
}

/// A database's locale may order, and even equate, what differs.
#[tokio::test]
async fn subjects_are_compared_byte_by_byte() {
    let Some(db) = TestDb::postgres().await else {
        return;
    };
    let sql = "SELECT string_agg(table_name, ' ' ORDER BY table_name) \
               FROM information_schema.columns \
               WHERE column_name = 'subject_id' AND collation_name = 'C'";
    let tables = ask(&db.storage.read, sql).await;
    assert_eq!(
        tables,
        "confirmation event identifier message number_user request subject"
    );
    db.drop_database().await;
}

/// The driver does not see a transaction whose beginning nobody waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_given_up_leaves_no_transaction_open() {
    let Some(db) = TestDb::postgres().await else {
        return;
    };
    let _ = db.storage.apply(db.change("anna", None)).await.unwrap();
    let key = db.key("anna");
    for pause in 0..300 {
        let pause = Duration::from_micros(pause * 5);
        let _ = tokio::time::timeout(pause, db.storage.lock(&key)).await;
        // Held up at its beginning, wherever that is.
        let mut lock = Box::pin(db.storage.lock(&key));
        for _ in 0..pause.as_micros() / 50 {
            let _ = futures::poll!(&mut lock);
            tokio::task::yield_now().await;
        }
    }
    let owner = connect(&db.url());
    let sql = "SELECT count(*) FROM pg_stat_activity \
               WHERE datname = current_database() AND state = 'idle in transaction'";
    let mut open = ask(&owner, sql).await;
    // Those that were given up last may still be on their way back.
    for _ in 0..1000 {
        if open == "0" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        open = ask(&owner, sql).await;
    }
    assert_eq!(open, "0");
    let _ = owner.close().await;
    db.drop_database().await;
}
