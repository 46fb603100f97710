//! Without its database a gateway says so and decides nothing; with it again, it goes on.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::{
    BIN, Backend, Cluster, Database, PGBIN, POSTGRES, Proxy, new_request_id, retry_after,
    retry_unavailable, v1, v1::Purpose,
};
use futures::future::join_all;
use tonic::{Code, transport::Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    campaign::{Gateways, enrolled, login},
    harness::{Suite, rounds},
    ledger::Ledger,
    load::Load,
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.with(
        &[BIN, PGBIN],
        "postgres::fail_closed::a_stopped_database_means_retryable_errors_and_right_answers_after",
        stopped,
    );
    suite.with(
        &[BIN, POSTGRES],
        "postgres::fail_closed::connections_cut_under_load_lose_and_double_nothing",
        cut,
    );
    suite.with(
        &[BIN, POSTGRES],
        "postgres::fail_closed::a_silent_database_is_said_to_be_away_while_the_client_still_listens",
        silent,
    );
}

const PEOPLE: usize = 8;
/// How often they are told to come again before the database is back.
const REFUSALS: u64 = 250;

async fn stopped() -> Result<()> {
    let cluster = Cluster::start()?.context(PGBIN)?;
    let database = Database::fresh_on(&cluster.url()).await?;
    let url = database.url().to_owned();
    let gateways = Gateways::over(database, vec![url.clone(), url]).await?;
    let load = Load::new(gateways.clients(), false);
    let work = load.start(PEOPLE);
    for _ in 0..rounds(3, 20) {
        load.wait_for(100).await?;
        cluster.crash()?;
        load.set_down(true);
        for number in 0..gateways.clients().len() {
            wait_for_health(gateways.endpoint(number), ServingStatus::NotServing).await?;
        }
        // Nobody is answered, so each of them comes again and again.
        load.wait_for_refusals(REFUSALS).await?;
        load.set_down(false);
        cluster.resume()?;
        for number in 0..gateways.clients().len() {
            wait_for_health(gateways.endpoint(number), ServingStatus::Serving).await?;
        }
    }
    load.wait_for(100).await?;
    load.end();
    join_all(work).await;
    load.check(&gateways.database).await
}

/// Each gateway has a proxy of its own, which cuts a change off before or behind its commit.
async fn cut() -> Result<()> {
    let database = Database::fresh(Backend::Postgres).await?;
    let mut proxies = Vec::new();
    let mut urls = Vec::new();
    for _ in 0..2 {
        let proxy = Proxy::start(database.server()?).await?;
        urls.push(database.url_via(proxy.address())?);
        proxies.push(proxy);
    }
    let gateways = Gateways::over(database, urls).await?;
    let load = Load::new(gateways.clients(), false);
    let work = load.start(PEOPLE);
    for round in 0..rounds(60, 600) {
        let proxy = &proxies[round as usize % 2];
        if round % 4 < 2 {
            proxy.cut_before_next_commit();
        } else {
            proxy.cut_behind_next_commit();
        }
        load.wait_for(10).await?;
    }
    load.end();
    join_all(work).await;
    let cuts: u64 = proxies.iter().map(Proxy::cuts).sum();
    ensure!(cuts > 30, "only {cuts} connections were cut");
    load.check(&gateways.database).await
}

/// Silent before the load, and before the change. The client of this project waits ten seconds.
async fn silent() -> Result<()> {
    let database = Database::fresh(Backend::Postgres).await?;
    let proxy = Proxy::start(database.server()?).await?;
    let url = database.url_via(proxy.address())?;
    let gateways = Gateways::over(database, vec![url]).await?;
    let client = gateways.client(0);
    let (anna, _) = enrolled(client, &[Purpose::Login]).await?;
    let silences: [fn(&Proxy); 2] = [Proxy::fall_silent, Proxy::fall_silent_at_next_commit];
    for fall_silent in silences {
        let request = v1::ConfirmationServiceCreateRequest {
            subject_id: anna.subject.clone(),
            request_id: new_request_id(),
            operation: Some(v1::Operation {
                operation: Some(login()),
            }),
            redeem_on_approval: false,
        };
        fall_silent(&proxy);
        let answer = client.confirmations().create(request.clone()).await;
        proxy.speak_again();
        let status = answer.err().context("an answer without a database")?;
        ensure!(
            status.code() == Code::Unavailable && retry_after(&status).is_some(),
            "{status:?}"
        );
        let again = || {
            let (mut confirmations, request) = (client.confirmations(), request.clone());
            async move { confirmations.create(request).await }
        };
        retry_unavailable(20, again).await?;
    }
    Ledger::read(&gateways.database)?;
    Ok(())
}

async fn wait_for_health(endpoint: &str, expected: ServingStatus) -> Result<()> {
    let channel = Endpoint::from_shared(endpoint.to_owned())?
        .connect()
        .await?;
    let mut health = HealthClient::new(channel);
    for _ in 0..600 {
        let service = "countersign.v1.ConfirmationService".to_owned();
        let answer = health.check(HealthCheckRequest { service }).await?;
        if answer.into_inner().status() == expected {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("the health is never {expected:?}");
}
