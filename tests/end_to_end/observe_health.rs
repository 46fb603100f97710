//! The health protocol of gRPC, and the pages that say the same.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    BIN, Backend, Database, GatewayProcess, POSTGRES, Person, Proxy, free_port,
};
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tonic::{Code, Streaming, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_client::HealthClient,
};

use crate::{
    campaign::{CHEAP, login},
    harness::Suite,
    observe::{channel, page, wait_for},
    world::{World, refused},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "observe_health::an_unknown_service_is_not_found_and_its_watcher_may_wait",
        unknown,
    );
    suite.with(
        &[BIN, POSTGRES],
        "postgres::observe_health::a_watcher_is_told_at_once_and_of_each_change_until_the_last_word",
        watched,
    );
}

/// More than it takes to find out that the database is silent.
const PATIENCE: Duration = Duration::from_secs(30);

async fn watch(
    health: &mut HealthClient<Channel>,
    service: &str,
) -> Result<Streaming<HealthCheckResponse>> {
    let service = service.to_owned();
    let watch = health.watch(HealthCheckRequest { service }).await?;
    Ok(watch.into_inner())
}

/// What a watcher is told next; nothing at the end.
async fn told(watch: &mut Streaming<HealthCheckResponse>) -> Result<Option<ServingStatus>> {
    let next = timeout(PATIENCE, watch.next()).await.context("silence")?;
    let next = next.transpose()?;
    Ok(next.map(|answer| answer.status()))
}

async fn unknown(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let channel = channel(world.platform.endpoint()).await?;
    let mut health = HealthClient::new(channel);
    for service in ["countersign.v1.NoService", "PinService", " "] {
        let service = service.to_owned();
        let request = HealthCheckRequest { service };
        let checked = health.check(request).await;
        ensure!(checked.err().context("an error")?.code() == Code::NotFound);
    }
    let mut watch = watch(&mut health, "countersign.v1.NoService").await?;
    ensure!(told(&mut watch).await? == Some(ServingStatus::ServiceUnknown));
    // It stays open until the server stops, which it does not hold up.
    world.platform.stop().await;
    ensure!(told(&mut watch).await?.is_none());
    Ok(())
}

async fn watched() -> Result<()> {
    let database = Database::fresh(Backend::Postgres).await?;
    let proxy = Proxy::start(database.server()?).await?;
    let url = database.url_via(proxy.address())?;
    let pages = free_port()?;
    let more = format!("{CHEAP}[metrics]\nlisten = \"127.0.0.1:{pages}\"\n");
    let gateway = GatewayProcess::start_on(&database, &url, free_port()?, &more).await?;
    let mut health = HealthClient::new(channel(gateway.endpoint()).await?);
    let ready = async |code: u16, text: &str| {
        wait_for(text, async || {
            let (status, body) = page(pages, "/readyz").await?;
            Ok((status == code && body.contains(text)).then_some(()))
        })
        .await
    };
    let up = async |is_up: u32| {
        let (_, body) = page(pages, "/metrics").await?;
        let line = format!("countersign_database_up {is_up}");
        ensure!(body.lines().any(|found| found == line), "{body}");
        Ok(())
    };

    ready(200, "ready").await?;
    let mut whole = watch(&mut health, "").await?;
    let mut pins = watch(&mut health, "countersign.v1.PinService").await?;
    for watch in [&mut whole, &mut pins] {
        ensure!(told(watch).await? == Some(ServingStatus::Serving));
    }
    up(1).await?;

    proxy.fall_silent();
    for watch in [&mut whole, &mut pins] {
        ensure!(told(watch).await? == Some(ServingStatus::NotServing));
    }
    ready(503, "the database does not answer").await?;
    up(0).await?;
    ensure!(page(pages, "/livez").await? == (200, "alive\n".to_owned()));
    proxy.speak_again();
    for watch in [&mut whole, &mut pins] {
        ensure!(told(watch).await? == Some(ServingStatus::Serving));
    }
    ready(200, "ready").await?;
    ensure!(page(pages, "/").await?.0 == 404);

    // A request that the silence holds keeps the gateway from ending; it does not serve meanwhile.
    let client = gateway.client("test").await?;
    let anna = Person::new();
    anna.create(&client, login()).await?;
    proxy.fall_silent();
    let held = tokio::spawn(async move { anna.create(&client, login()).await });
    wait_for("the request", async || {
        let (_, body) = page(pages, "/metrics").await?;
        let line = "countersign_requests_in_flight 1";
        Ok(body.lines().any(|found| found == line).then_some(()))
    })
    .await?;
    gateway.terminate()?;
    for watch in [&mut whole, &mut pins] {
        ensure!(told(watch).await? == Some(ServingStatus::NotServing));
        ensure!(told(watch).await?.is_none());
    }
    ready(503, "stopping").await?;
    refused(held.await?, Code::Unavailable, "STORAGE_UNAVAILABLE")?;
    // The database is still silent: its connections cannot be closed as they should.
    wait_for("the end", async || {
        Ok(gateway
            .log()
            .contains("countersign has stopped")
            .then_some(()))
    })
    .await
}
