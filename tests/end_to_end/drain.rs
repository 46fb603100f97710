//! A gateway that is told to stop under load loses no call that it has accepted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use countersign_testkit::{
    BIN, Backend, Client, Database, GatewayProcess, free_port, new_request_id, retry_unavailable,
    v1,
};
use futures::future::join_all;
use tonic::{Code, Status};

use crate::harness::{Suite, rounds};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN],
        "drain::a_gateway_that_is_told_to_stop_answers_every_call_it_has_accepted",
        drained,
    );
}

/// Connections, and callers on each.
const CONNECTIONS: usize = 8;
const CALLERS: usize = 3;
/// How many calls are answered before the gateway is told to stop.
const BEFORE: usize = 60;

/// Hashes that cost something, so that calls are under way when the signal comes.
const HASHES: &str = "[hash]\nmemory_kib = 4096\npasses = 1\nlanes = 1\n";

/// A call of the load: a first PIN for somebody new.
fn request() -> v1::PinServiceSetRequest {
    v1::PinServiceSetRequest {
        subject_id: format!("person-{}", new_request_id()),
        request_id: new_request_id(),
        new_pin: "850374".to_owned(),
        authorization: None,
    }
}

async fn call(client: &Client, request: &v1::PinServiceSetRequest) -> Result<(), Status> {
    let answer = client.pins().set(request.clone()).await?.into_inner();
    match answer.outcome {
        Some(v1::pin_service_set_response::Outcome::Done(_)) => Ok(()),
        other => Err(Status::internal(format!("no PIN was set: {other:?}"))),
    }
}

/// What a caller sent, until it was refused.
struct Sent {
    answered: Vec<v1::PinServiceSetRequest>,
    refused: v1::PinServiceSetRequest,
    status: Status,
}

/// Calls until the gateway answers no more.
async fn send(client: Client, answered: Arc<AtomicUsize>) -> Sent {
    let mut sent = Vec::new();
    loop {
        let request = request();
        match call(&client, &request).await {
            Ok(()) => sent.push(request),
            // The machine is slow: nothing was done, and it asks for another one.
            Err(status) if status.code() == Code::ResourceExhausted => continue,
            Err(status) => {
                return Sent {
                    answered: sent,
                    refused: request,
                    status,
                };
            }
        }
        answered.fetch_add(1, Ordering::SeqCst);
    }
}

/// Who has an event, each once for each.
fn subjects(database: &Database) -> Result<Vec<String>> {
    let subjects = database.query("SELECT subject_id FROM event ORDER BY subject_id")?;
    Ok(subjects.lines().map(str::to_owned).collect())
}

async fn drained(backend: Backend) -> Result<()> {
    for _ in 0..rounds(2, 20) {
        once(backend).await?;
    }
    Ok(())
}

async fn once(backend: Backend) -> Result<()> {
    let database = Database::fresh(backend).await?;
    let (url, port) = (database.url(), free_port()?);
    let mut first = GatewayProcess::start_on(&database, url, port, HASHES).await?;
    let second = match backend {
        Backend::Postgres => Some(GatewayProcess::start(&database, HASHES).await?),
        Backend::Sqlite => None,
    };
    let answered = Arc::new(AtomicUsize::new(0));
    let mut callers = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = first.client("test").await?;
        for _ in 0..CALLERS {
            callers.push(tokio::spawn(send(client.clone(), Arc::clone(&answered))));
        }
    }
    while answered.load(Ordering::SeqCst) < BEFORE {
        ensure!(
            !callers.iter().any(tokio::task::JoinHandle::is_finished),
            "refused too early"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    first.terminate()?;
    let mut sent = Vec::new();
    for caller in join_all(callers).await {
        sent.push(caller?);
    }
    let status = first.wait().await?;
    ensure!(status.success(), "it ended with {status}: {}", first.log());

    // Every call was answered, and is there; or was refused before it was accepted, and is not.
    let mut there = subjects(&database)?;
    let mut acknowledged: Vec<_> = sent.iter().flat_map(|sent| &sent.answered).collect();
    acknowledged.sort_by(|one, other| one.subject_id.cmp(&other.subject_id));
    let acknowledged: Vec<_> = acknowledged
        .iter()
        .map(|call| call.subject_id.clone())
        .collect();
    ensure!(
        there == acknowledged,
        "{} are there, {} were answered",
        there.len(),
        acknowledged.len()
    );
    for Sent { status, .. } in &sent {
        ensure!(status.code() == Code::Unavailable, "{status:?}");
    }

    // Each that was refused is carried out once, by whoever answers now.
    let successor = match second {
        Some(second) => second,
        None => GatewayProcess::start_on(&database, url, port, HASHES).await?,
    };
    let client = successor.client("test").await?;
    for Sent { refused, .. } in &sent {
        for _ in 0..2 {
            let again = retry_unavailable(5, || call(&client, refused)).await;
            again.context("the successor refused it")?;
        }
        there.push(refused.subject_id.clone());
    }
    there.sort();
    let now = subjects(&database)?;
    if now != there {
        bail!("{} are there, {} should be", now.len(), there.len());
    }
    Ok(())
}
