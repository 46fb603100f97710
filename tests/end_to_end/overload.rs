//! More requests than there is room for.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Backend, Client, Database, Options, POSTGRES, Person, Proxy, TestClock, TestPlatform, cheap,
    new_request_id, reason_of, retry_after, v1,
};
use futures::future::join_all;
use tonic::{Code, Status};

use crate::{campaign::login, harness::Suite};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.with(
        &[POSTGRES],
        "postgres::overload::what_comes_to_a_full_room_is_told_so_at_once_and_the_connection_lives",
        full_room,
    );
}

const ROOM: usize = 8;
/// More than a connection survives of streams that are reset.
const REFUSED: usize = 3000;

async fn create(client: &Client, subject: &str) -> Result<(), Status> {
    let request = v1::ConfirmationServiceCreateRequest {
        subject_id: subject.to_owned(),
        request_id: new_request_id(),
        operation: Some(v1::Operation {
            operation: Some(login()),
        }),
        redeem_on_approval: false,
    };
    client.confirmations().create(request).await.map(drop)
}

async fn full_room() -> Result<()> {
    let database = Database::fresh(Backend::Postgres).await?;
    let proxy = Proxy::start(database.server()?).await?;
    let mut settings = cheap();
    settings.requests_at_once = ROOM;
    let options = Options {
        settings,
        url: Some(database.url_via(proxy.address())?),
        patience: Duration::from_secs(8),
        ..Options::default()
    };
    let platform = TestPlatform::start(&database, &TestClock::default(), options).await?;
    let client = platform.client("test").await?;
    let anna = Person::new();
    anna.set_pin(&client).await?;

    // A database that says nothing keeps those inside where they are.
    proxy.fall_silent();
    let inside: Vec<_> = (0..ROOM)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move { create(&client, &format!("inside-{number}")).await })
        })
        .collect();
    while !platform.platform.is_full() {
        tokio::task::yield_now().await;
    }
    for _ in 0..REFUSED / 100 {
        let refused = join_all((0..100).map(|_| create(&client, &anna.subject))).await;
        for answer in refused {
            let status = answer.err().context("there was no room for it")?;
            ensure!(status.code() == Code::ResourceExhausted, "{status:?}");
            ensure!(reason_of(&status) == "SERVER_BUSY", "{status:?}");
            ensure!(retry_after(&status).is_some(), "{status:?}");
        }
    }
    proxy.speak_again();
    for inside in inside {
        // Away, since the silence cost their connections: but answered.
        let answer = inside.await?;
        let is_away = |status: &Status| status.code() == Code::Unavailable;
        ensure!(answer.as_ref().err().is_none_or(is_away), "{answer:?}");
    }
    create(&client, &anna.subject).await?;
    let events = database.query(&format!(
        "SELECT count(*) FROM event WHERE subject_id = '{}'",
        anna.subject
    ))?;
    ensure!(events == "2", "a refused request left something: {events}");
    Ok(())
}
