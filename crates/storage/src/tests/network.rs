//! PostgreSQL behind a network that fails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use countersign_mfa::ports::{Applied, Store, StoreError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::support::TestDb;
use crate::{Settings, Storage};

const OPEN: u8 = 0;
/// The server hears, and its answer is lost with the connection.
const DEAF: u8 = 1;
/// Connections end, and no new one is had.
const AWAY: u8 = 2;
/// Nothing arrives, and nothing ends.
const FROZEN: u8 = 3;

/// A network between a storage and its server.
struct Network {
    state: Arc<AtomicU8>,
    /// How often the storage was the one to speak next.
    turns: Arc<AtomicU64>,
    storage: Storage,
}

impl Network {
    async fn of(db: &TestDb) -> Self {
        let server = std::env::var("COUNTERSIGN_TEST_POSTGRES").unwrap();
        let server = server
            .rsplit('@')
            .next()
            .unwrap()
            .trim_end_matches('/')
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap().to_string();
        let state = Arc::new(AtomicU8::new(OPEN));
        let turns = Arc::new(AtomicU64::new(0));
        tokio::spawn({
            let (state, turns, server) = (Arc::clone(&state), Arc::clone(&turns), server.clone());
            async move {
                while let Ok((near, _)) = listener.accept().await {
                    let (state, turns) = (Arc::clone(&state), Arc::clone(&turns));
                    tokio::spawn(carry(near, server.clone(), state, turns));
                }
            }
        });
        let settings = Settings {
            url: db.url().replace(&server, &here).into(),
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_millis(500),
            ..db.settings.clone()
        };
        let storage = Storage::connect(&settings).await.unwrap();
        Self {
            state,
            turns,
            storage,
        }
    }

    fn set(&self, state: u8) {
        self.state.store(state, Ordering::SeqCst);
    }
}

async fn carry(mut near: TcpStream, server: String, state: Arc<AtomicU8>, turns: Arc<AtomicU64>) {
    let mut far = TcpStream::connect(server).await.unwrap();
    let (mut question, mut answer) = (vec![0; 65536], vec![0; 65536]);
    let mut was_answered = true;
    loop {
        tokio::select! {
            read = near.read(&mut question) => {
                let Ok(length @ 1..) = read else { return };
                if state.load(Ordering::SeqCst) == FROZEN {
                    std::future::pending::<()>().await;
                }
                turns.fetch_add(u64::from(was_answered), Ordering::SeqCst);
                was_answered = false;
                far.write_all(&question[..length]).await.unwrap();
            }
            read = far.read(&mut answer) => {
                let Ok(length @ 1..) = read else { return };
                if state.load(Ordering::SeqCst) == DEAF {
                    return;
                }
                was_answered = true;
                near.write_all(&answer[..length]).await.unwrap();
            }
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
        if state.load(Ordering::SeqCst) == AWAY {
            return;
        }
    }
}

#[tokio::test]
async fn a_load_and_a_change_are_a_round_trip_each() {
    let Some(db) = TestDb::postgres().await else {
        return;
    };
    let network = Network::of(&db).await;
    let storage = &network.storage;
    let _ = storage.apply(db.change("anna", None)).await.unwrap();
    let _ = storage.load(&db.key("anna")).await.unwrap();
    let _ = storage.apply(db.change("anna", Some(1))).await.unwrap();
    // Warm from here on.
    let before = network.turns.load(Ordering::SeqCst);
    for version in 2..12 {
        let _ = storage.load(&db.key("anna")).await.unwrap();
        let applied = storage
            .apply(db.change("anna", Some(version)))
            .await
            .unwrap();
        assert_eq!(applied, Applied::Written);
    }
    assert_eq!(network.turns.load(Ordering::SeqCst) - before, 20);
    db.drop_database().await;
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_in_doubt() {
    let Some(db) = TestDb::postgres().await else {
        return;
    };
    let network = Network::of(&db).await;
    let storage = &network.storage;
    let _ = storage.apply(db.change("anna", None)).await.unwrap();
    let _ = storage.apply(db.change("anna", Some(1))).await.unwrap();
    network.set(DEAF);
    let lost = storage.apply(db.change("anna", Some(2))).await;
    assert!(
        matches!(lost, Err(StoreError::OutcomeUnknown(_))),
        "{lost:?}"
    );
    network.set(OPEN);
    // It was written, and a load says so.
    let rows = storage.load(&db.key("anna")).await.unwrap();
    assert_eq!(rows.subject.unwrap().version, 3);
    db.drop_database().await;
}

#[tokio::test]
async fn a_lock_whose_connection_is_lost_before_its_commit_writes_nothing() {
    let Some(db) = TestDb::postgres().await else {
        return;
    };
    let network = Network::of(&db).await;
    let storage = &network.storage;
    let _ = storage.apply(db.change("anna", None)).await.unwrap();
    let (_, lock) = storage.lock(&db.key("anna")).await.unwrap();
    network.set(DEAF);
    let lost = lock.apply(db.change("anna", Some(1))).await;
    // Its COMMIT was never sent, so nothing is in doubt.
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    assert_eq!(db.version("anna").await, Some(1));
    db.drop_database().await;
}

#[tokio::test]
async fn a_server_that_was_away_is_used_again() {
    let Some(db) = TestDb::postgres().await else {
        return;
    };
    let network = Network::of(&db).await;
    let storage = &network.storage;
    let _ = storage.apply(db.change("anna", None)).await.unwrap();
    network.set(AWAY);
    for _ in 0..3 {
        let load = storage.load(&db.key("anna")).await;
        assert!(matches!(load, Err(StoreError::Unavailable(_))), "{load:?}");
        let apply = storage.apply(db.change("anna", Some(1))).await;
        // Nothing was sent over a connection that could not be had.
        assert!(
            matches!(apply, Err(StoreError::Unavailable(_))),
            "{apply:?}"
        );
        assert!(storage.lock(&db.key("anna")).await.is_err());
    }
    network.set(OPEN);
    assert_eq!(
        storage
            .load(&db.key("anna"))
            .await
            .unwrap()
            .subject
            .unwrap()
            .version,
        1
    );
    let applied = storage.apply(db.change("anna", Some(1))).await.unwrap();
    assert_eq!(applied, Applied::Written);
    storage
        .lock(&db.key("anna"))
        .await
        .unwrap()
        .1
        .release()
        .await
        .unwrap();
    db.drop_database().await;
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let Some(db) = TestDb::postgres().await else {
        return;
    };
    let network = Network::of(&db).await;
    let storage = &network.storage;
    let _ = storage.apply(db.change("anna", None)).await.unwrap();
    network.set(FROZEN);
    let apply = storage.apply(db.change("anna", Some(1))).await;
    assert!(
        matches!(apply, Err(StoreError::OutcomeUnknown(_))),
        "{apply:?}"
    );
    let load = storage.load(&db.key("anna")).await;
    assert!(matches!(load, Err(StoreError::Unavailable(_))), "{load:?}");
    network.set(OPEN);
    let applied = storage.apply(db.change("anna", Some(1))).await.unwrap();
    assert_eq!(applied, Applied::Written);
    db.drop_database().await;
}
