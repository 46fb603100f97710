//! The page for Prometheus: the numbers are what was done, and tell of nobody.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    BIN, Backend, Client, Database, GatewayProcess, POSTGRES, Person, Proxy, app_proof,
    early_in_step, free_port, now, v1::Purpose,
};
use futures::future::join_all;
use tonic::{Code, Status};

use crate::{
    campaign::{CHEAP, enrolled, gives_code, login},
    harness::Suite,
    observe::{bare, list, page, wait_for},
    observe_page::{Series, read},
    world::refused,
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN],
        "observe_metrics::the_numbers_are_what_was_done_and_tell_of_nobody",
        numbers,
    );
    suite.on_each_backend_with(
        &[BIN],
        "observe_metrics::messages_that_wait_are_counted_with_the_age_of_the_oldest",
        messages,
    );
    suite.with(
        &[BIN, POSTGRES],
        "postgres::observe_metrics::only_a_change_that_was_written_is_counted_and_once",
        written,
    );
    suite.with(
        &[BIN, POSTGRES],
        "postgres::observe_metrics::gateways_count_together_what_the_database_has",
        together,
    );
    suite.with(
        &[BIN, POSTGRES],
        "postgres::observe_metrics::what_waits_and_what_is_refused_is_seen",
        full,
    );
    suite.with(
        &[BIN, POSTGRES],
        "postgres::observe_metrics::a_request_that_its_caller_gives_up_is_counted_and_logged",
        given_up,
    );
}

/// A provider that nobody answers for: nobody listens on port 1.
const AWAY: &str = "[sms.providers.away]\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\n\
                    form = { to = \"{number}\", text = \"{text}\" }\n";

/// A gateway that is counted, and its page.
struct Counted {
    process: GatewayProcess,
    port: u16,
    client: Client,
}

impl Counted {
    async fn start(database: &Database, url: &str, more: &str) -> Result<Self> {
        let port = free_port()?;
        let more = format!("{CHEAP}[metrics]\nlisten = \"127.0.0.1:{port}\"\n{more}");
        let process = GatewayProcess::start_on(database, url, free_port()?, &more).await?;
        let client = process.client("host-system").await?;
        Ok(Self {
            process,
            port,
            client,
        })
    }

    async fn series(&self) -> Result<Series> {
        let (status, page) = page(self.port, "/metrics").await?;
        ensure!(status == 200);
        read(&page)
    }

    /// Waits until so many requests are being answered.
    async fn in_flight(&self, count: usize) -> Result<()> {
        wait_for("the requests inside", async || {
            let in_flight = self.series().await?;
            let in_flight = in_flight.get("countersign_requests_in_flight")?;
            Ok((in_flight == f64::from(u32::try_from(count)?)).then_some(()))
        })
        .await
    }
}

fn set(expected: &[&str]) -> BTreeSet<String> {
    expected.iter().map(|&text| text.to_owned()).collect()
}

fn same(metric: &str, found: BTreeSet<String>, expected: &[&str]) -> Result<()> {
    let expected = set(expected);
    ensure!(
        found == expected,
        "{metric}: {found:#?} and not {expected:#?}"
    );
    Ok(())
}

async fn messages(backend: Backend) -> Result<()> {
    let database = Database::fresh(backend).await?;
    let gateway = Counted::start(&database, database.url(), AWAY).await?;
    let gauge = async |name: &str| -> Result<f64> {
        let name = format!("countersign_sms_{name}");
        gateway.series().await?.get(&name)
    };
    ensure!(gauge("waiting").await? == 0.0 && gauge("oldest_seconds").await? == 0.0);
    let anna = Person::new();
    anna.set_pin(&gateway.client).await?;
    anna.begin_phone(&gateway.client, "+79123456789").await?;
    wait_for("the message in the numbers", async || {
        let is_seen = gauge("waiting").await? == 1.0 && gauge("oldest_seconds").await? > 0.0;
        Ok(is_seen.then_some(()))
    })
    .await?;
    let (_, page) = page(gateway.port, "/metrics").await?;
    for name in ["waiting", "oldest_seconds"] {
        let help = format!("# HELP countersign_sms_{name} ");
        ensure!(page.contains(&help), "{help} is missing in {page}");
    }
    ensure!(!page.contains("9123456789"), "{page}");
    Ok(())
}

async fn numbers(backend: Backend) -> Result<()> {
    let database = Database::fresh(backend).await?;
    let gateway = Counted::start(&database, database.url(), "").await?;
    let client = &gateway.client;
    let begun = gateway.series().await?;
    for metric in [
        "proofs",
        "locks",
        "disabled_by_cap",
        "confirmations",
        "requests",
    ] {
        let metric = format!("countersign_{metric}_total");
        same(&metric, begun.of(&metric), &[])?;
    }
    // Those that an alarm waits for are there before the first time.
    begun.get("countersign_locks_total{authenticator=\"totp\",purpose=\"login\"}")?;
    begun.get("countersign_requests_refused_total{reason=\"server_busy\"}")?;

    // Each code is right the first time, or there would be more to count.
    let at = early_in_step().await;
    let (anna, app) = enrolled(client, &[Purpose::Login]).await?;
    let first = anna.open(client, login()).await?.confirmation_id;
    gives_code(&anna, client, &first, &app, &app.wrong_code(at)).await?;
    ensure!(gives_code(&anna, client, &first, &app, &app.code(at)).await?);
    anna.redeem(client, &first, login()).await?;
    // The same code once more, and then wrong ones until the app is locked for logins.
    let second = anna.open(client, login()).await?.confirmation_id;
    gives_code(&anna, client, &second, &app, &app.code(at)).await?;
    for _ in 0..4 {
        gives_code(&anna, client, &second, &app, &app.wrong_code(at)).await?;
    }
    let denied = anna.create(client, login()).await?;
    ensure!(
        matches!(denied, crate::world::Created::Denied(_)),
        "{denied:?}"
    );
    let nobody = Person::new().create(client, login()).await?;
    ensure!(
        matches!(nobody, crate::world::Created::NotRequired(_)),
        "{nobody:?}"
    );
    let mut bare = bare(gateway.process.endpoint()).await?;
    let caller: (&str, &[u8]) = ("x-countersign-caller", b"no name");
    let id: (&str, &[u8]) = ("x-request-id", b"metric-of-7");
    let answer = bare.list(list(&anna.subject, &[caller, id])?).await;
    refused(answer, Code::InvalidArgument, "INVALID_FIELD")?;

    let series = gateway.series().await?;
    let metric = "countersign_proofs_total";
    same(
        metric,
        series.of(metric),
        &[
            "authenticator=pin,purpose=other,outcome=accepted 1",
            "authenticator=totp,purpose=enrolment,outcome=accepted 1",
            "authenticator=totp,purpose=login,outcome=accepted 1",
            "authenticator=totp,purpose=login,outcome=replayed 1",
            "authenticator=totp,purpose=login,outcome=wrong 5",
        ],
    )?;
    let metric = "countersign_locks_total";
    let locked = ["authenticator=totp,purpose=login 1"];
    same(metric, series.of(metric), &locked)?;
    let metric = "countersign_confirmations_total";
    same(
        metric,
        series.of(metric),
        &[
            "outcome=approved 1",
            "outcome=created 2",
            "outcome=denied 1",
            "outcome=failed 1",
            "outcome=not_required 1",
            "outcome=redeemed 1",
        ],
    )?;
    let metric = "countersign_requests_total";
    same(
        metric,
        series.of(metric),
        &[
            "method=ConfirmationService.Create,caller=host-system,code=OK 4",
            "method=ConfirmationService.Redeem,caller=host-system,code=OK 1",
            "method=ConfirmationService.SubmitProof,caller=host-system,code=OK 7",
            "method=IdentifierService.List,caller=unknown,code=INVALID_ARGUMENT 1",
            "method=PinService.Set,caller=host-system,code=OK 1",
            "method=TotpService.BeginEnable,caller=host-system,code=OK 1",
            "method=TotpService.ConfirmEnable,caller=host-system,code=OK 1",
        ],
    )?;
    let metric = "countersign_request_duration_seconds_count";
    same(
        metric,
        series.of(metric),
        &[
            "method=ConfirmationService.Create,caller=host-system 4",
            "method=ConfirmationService.Redeem,caller=host-system 1",
            "method=ConfirmationService.SubmitProof,caller=host-system 7",
            "method=IdentifierService.List,caller=unknown 1",
            "method=PinService.Set,caller=host-system 1",
            "method=TotpService.BeginEnable,caller=host-system 1",
            "method=TotpService.ConfirmEnable,caller=host-system 1",
        ],
    )?;
    // One for the PIN that was set, and one for the PIN that the enrolment took.
    ensure!(series.get("countersign_hash_runs_total")? == 2.0);
    ensure!(series.get("countersign_hash_wait_seconds_count")? == 2.0);
    ensure!(series.get("countersign_hash_queue_length")? == 0.0);
    ensure!(series.get("countersign_requests_in_flight")? == 0.0);
    ensure!(series.get("countersign_database_up")? == 1.0);
    let version = env!("CARGO_PKG_VERSION");
    series.get(&format!("countersign_build_info{{version=\"{version}\"}}"))?;

    let (_, page) = page(gateway.port, "/metrics").await?;
    for canary in [
        anna.subject.as_str(),
        &anna.pin,
        &app.id,
        &app.code(at),
        &first,
        &second,
        "192.0.2.7",
        "metric-of-7",
        "no name",
    ] {
        ensure!(!page.contains(canary), "{canary} is on the page");
    }
    Ok(())
}

async fn written() -> Result<()> {
    let database = Database::fresh(Backend::Postgres).await?;
    let proxy = Proxy::start(database.server()?).await?;
    let url = database.url_via(proxy.address())?;
    let gateway = Counted::start(&database, &url, "").await?;
    let client = &gateway.client;
    let (anna, app) = enrolled(client, &[Purpose::Login]).await?;
    let id = anna.open(client, login()).await?.confirmation_id;
    let wrong = || vec![app_proof(&app, &app.wrong_code(now()))];
    let counted = async || {
        let series = gateway.series().await?;
        series.get(
            "countersign_proofs_total{authenticator=\"totp\",purpose=\"login\",outcome=\"wrong\"}",
        )
    };
    ensure!(counted().await? == 0.0);
    // The change is written, and its answer is lost: it is found again.
    proxy.cut_behind_next_commit();
    anna.submit(client, &id, wrong()).await?;
    ensure!(proxy.cuts() == 1);
    ensure!(counted().await? == 1.0);
    // The change is lost: nothing was written, and nobody can know.
    proxy.cut_before_next_commit();
    let answer = anna.submit(client, &id, wrong()).await;
    refused(answer, Code::Unavailable, "OUTCOME_UNKNOWN")?;
    ensure!(proxy.cuts() == 2);
    ensure!(counted().await? == 1.0);
    anna.submit(client, &id, wrong()).await?;
    ensure!(counted().await? == 2.0);
    Ok(())
}

async fn together() -> Result<()> {
    let database = Database::fresh(Backend::Postgres).await?;
    let mut gateways = Vec::new();
    for _ in 0..2 {
        gateways.push(Counted::start(&database, database.url(), "").await?);
    }
    // Nobody has more than five attempts, whichever gateway counts them.
    let mut too_late = 0;
    for _ in 0..4 {
        let (anna, app) = enrolled(&gateways[0].client, &[Purpose::Login]).await?;
        let id = anna.open(&gateways[1].client, login()).await?;
        let answers = (0..12).map(|number| {
            let client = gateways[number % 2].client.clone();
            let (anna, app, id) = (&anna, &app, &id.confirmation_id);
            async move {
                let proofs = vec![app_proof(app, &app.wrong_code(now()))];
                anna.submit(&client, id, proofs).await
            }
        });
        let answers = join_all(answers).await;
        too_late += answers.iter().filter(|answer| answer.is_err()).count();
    }
    ensure!(too_late == 4 * 7, "{too_late}");
    for (metric, fact) in [
        (
            "countersign_proofs_total{authenticator=\"totp\",purpose=\"login\",outcome=\"wrong\"}",
            "WRONG",
        ),
        (
            "countersign_confirmations_total{outcome=\"created\"}",
            "CONFIRMATION_CREATED",
        ),
        (
            "countersign_confirmations_total{outcome=\"failed\"}",
            "\"FAILED\"",
        ),
        (
            "countersign_locks_total{authenticator=\"totp\",purpose=\"login\"}",
            "\"LOCKED\"",
        ),
    ] {
        let mut counted = 0.0;
        for gateway in &gateways {
            counted += gateway.series().await?.get(metric)?;
        }
        let facts = database.query(&format!(
            "SELECT count(*) FROM event WHERE facts LIKE '%{fact}%'"
        ))?;
        ensure!(
            facts.parse::<f64>()? == counted,
            "{metric}: {counted} and {facts}"
        );
    }
    Ok(())
}

const ROOM: usize = 16;

async fn full() -> Result<()> {
    let database = Database::fresh(Backend::Postgres).await?;
    let proxy = Proxy::start(database.server()?).await?;
    let url = database.url_via(proxy.address())?;
    let more = format!("[limits]\nrequests_at_once = {ROOM}\n");
    let gateway = Counted::start(&database, &url, &more).await?;
    let create = || {
        let client = gateway.client.clone();
        tokio::spawn(async move { Person::new().create(&client, login()).await })
    };
    create().await??;
    proxy.fall_silent();
    let inside: Vec<_> = (0..ROOM).map(|_| create()).collect();
    gateway.in_flight(ROOM).await?;
    for _ in 0..10 {
        let answer = create().await?;
        refused(answer, Code::ResourceExhausted, "SERVER_BUSY")?;
    }
    let series = gateway.series().await?;
    let metric = "countersign_requests_refused_total";
    same(metric, series.of(metric), &["reason=server_busy 10"])?;
    ensure!(series.get("countersign_database_connections_busy")? >= 1.0);
    proxy.speak_again();
    for inside in inside {
        let answer: Result<_, Status> = inside.await?;
        let is_away = |status: &Status| status.code() == Code::Unavailable;
        ensure!(answer.as_ref().err().is_none_or(is_away), "{answer:?}");
    }
    gateway.in_flight(0).await?;
    create().await??;
    let series = gateway.series().await?;
    ensure!(series.get("countersign_database_connections_busy")? == 0.0);
    ensure!(series.get("countersign_database_connections_open")? >= 1.0);
    let waits = series.get("countersign_database_wait_seconds_count{work=\"load\"}")?;
    ensure!(waits >= 2.0, "{waits}");
    Ok(())
}

async fn given_up() -> Result<()> {
    let database = Database::fresh(Backend::Postgres).await?;
    let proxy = Proxy::start(database.server()?).await?;
    let url = database.url_via(proxy.address())?;
    let gateway = Counted::start(&database, &url, "").await?;
    proxy.fall_silent();
    let client = gateway.client.clone();
    let asking = tokio::spawn(async move { Person::new().create(&client, login()).await });
    gateway.in_flight(1).await?;
    asking.abort();
    gateway.in_flight(0).await?;
    let series = gateway.series().await?;
    let metric = "countersign_requests_total";
    let given_up = "method=ConfirmationService.Create,caller=host-system,code=CANCELLED 1";
    same(metric, series.of(metric), &[given_up])?;
    let log = gateway.process.log();
    let line = log.lines().find(|line| line.contains("given up"));
    let line = line.context("a line")?;
    ensure!(line.contains("INFO request{request.id="), "{line}");
    ensure!(line.contains("rpc.code=\"CANCELLED\""), "{line}");
    Ok(())
}
