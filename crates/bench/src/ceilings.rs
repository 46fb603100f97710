//! The limits of the machine, each measured without the product.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use countersign_keyring::Keyring;
use countersign_mfa::ports::Change;
use countersign_primitives::{Clock, HashCost, HashMemory, Salt, SubjectId, SystemClock};
use countersign_storage::hot;
use countersign_totp::Step;
use countersign_workload::{Maker, PIN};
use rand::{SeedableRng, rngs::StdRng};
use tokio::net::TcpListener;
use tonic::transport::{Channel, Endpoint, Server as GrpcServer};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    gateway::CALLER,
    load::{self, Reply, Span, Tally},
    people::{self, FIRST},
    server::Server,
};

/// Gives every confirmation of a copy an id that pgbench can work out: it knows no arithmetic on
/// bytes. Everything else stays as the product wrote it.
pub(crate) fn prepare_own(server: &Server, database: &str) -> Result<()> {
    server.sql(
        database,
        "CREATE UNLOGGED TABLE kept AS SELECT DISTINCT ON (subject_id) * FROM confirmation; \
         TRUNCATE confirmation; \
         INSERT INTO confirmation (subject_id, confirmation_id, created_at, state, body) SELECT \
         subject_id, decode(lpad(subject_id, 32, '0'), 'hex'), created_at, state, body FROM kept; \
         DROP TABLE kept",
    )?;
    server.sql(database, "VACUUM (ANALYZE)")?;
    server.sql(database, "CHECKPOINT")?;
    Ok(())
}

/// The product's hot statements, on people of this many, for pgbench.
pub(crate) fn own_script(keyring: &Keyring, people: u64) -> Result<String> {
    let change = right_code(keyring)?;
    let confirmation = change.confirmation.as_ref().context("no confirmation")?;
    let request = change.request.as_ref().context("no request")?;
    let id = |name: &str| format!("decode(lpad(:{name}::text, 32, '0'), 'hex')");
    let load = [
        ":subject::text".to_owned(),
        id("subject"),
        quoted(CALLER),
        quoted(request.key.method.name()),
        id("request"),
    ];
    let now = ":now::bigint".to_owned();
    let apply = [
        ":subject::text".to_owned(),
        ":version::bigint".to_owned(),
        now.clone(),
        "NULL::bytea".to_owned(),
        bytes(&change.counters),
        quoted(change.event.caller.as_str()),
        quoted(change.event.method.name()),
        quoted(&change.event.facts),
        id("subject"),
        now,
        quoted(confirmation.state),
        bytes(&confirmation.body),
        id("request"),
        bytes(&request.record.mac),
        bytes(&request.record.answer),
        ":now::bigint + 86400000".to_owned(),
    ];
    Ok(format!(
        "\\set subject {FIRST} + random(0, {})\n\\set request random(1, 1000000000000000)\n{} \
         \\gset\n{};\n",
        people - 1,
        with_parameters(hot::LOAD_ALL, &load),
        with_parameters(hot::APPLY_ALL, &apply),
    ))
}

/// The least durable work that a check needs: a row read by its key, then in one statement a
/// guarded update with one row for the event.
pub(crate) fn prepare_least(server: &Server, database: &str, people: u64) -> Result<String> {
    server.sql(
        database,
        &format!(
            "CREATE TABLE least_subject (subject_id text COLLATE \"C\" PRIMARY KEY, \
             version bigint NOT NULL, last_step bigint NOT NULL) WITH (fillfactor = 60); \
             CREATE TABLE least_event (subject_id text COLLATE \"C\", version bigint, \
             at bigint NOT NULL, kind text NOT NULL, PRIMARY KEY (subject_id, version)); \
             INSERT INTO least_subject SELECT ({FIRST} + n)::text, 1, 0 \
             FROM generate_series(0, {}) AS n",
            people - 1
        ),
    )?;
    server.sql(database, "VACUUM (ANALYZE)")?;
    server.sql(database, "CHECKPOINT")?;
    Ok(format!(
        "\\set subject {FIRST} + random(0, {})\n\
         SELECT version, last_step FROM least_subject WHERE subject_id = :subject::text \\gset\n\
         WITH g AS (UPDATE least_subject SET version = version + 1, last_step = last_step + 1 \
         WHERE subject_id = :subject::text AND version = :version RETURNING version), \
         e AS (INSERT INTO least_event (subject_id, version, at, kind) \
         SELECT :subject::text, version, 1800000000000, 'APPROVED' FROM g) \
         SELECT version FROM g;\n",
        people - 1
    ))
}

/// The change of a login that a right code approves.
pub(crate) fn right_code(keyring: &Keyring) -> Result<Change> {
    // Apart from this program's runtime, since a maker has one of its own.
    let decided = thread::scope(|scope| scope.spawn(|| decide_right_code(keyring)).join());
    decided.map_err(|_| anyhow!("a decision panicked"))?
}

fn decide_right_code(keyring: &Keyring) -> Result<Change> {
    let now = SystemClock.now();
    let mut maker = Maker::new(keyring.clone(), people::settings(), CALLER)?;
    let (person, row) = maker.person(SubjectId::parse(FIRST.to_string())?, now)?;
    let opened = maker.open(&person, row.clone(), now)?;
    let rows = opened.rows(&row, now);
    let code = person.app.code(Step::at(now));
    let (accepted, change) = maker.submit(&person, rows, opened.confirmation, code)?;
    accepted.then_some(change).context("the code was rejected")
}

/// Puts arrays of one value where a statement has `$1`, `$2`, …: one check a transaction.
fn with_parameters(statement: &str, values: &[String]) -> String {
    let mut text = statement.to_owned();
    // From the last, so that `$1` is not found in `$12`.
    for (position, value) in values.iter().enumerate().rev() {
        text = text.replace(&format!("${}", position + 1), &format!("ARRAY[{value}]"));
    }
    text
}

/// A text as a literal. pgbench would take what follows a colon for a variable.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('\'', "''");
    format!("E'{}'::text", text.replace(':', "\\x3a"))
}

fn bytes(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("'\\x{hex}'::bytea")
}

/// Argon2 runs a second at the default cost, on all cores.
pub(crate) fn argon2(measured: Duration) -> Result<f64> {
    let cores = thread::available_parallelism()?.get();
    let end = Instant::now() + measured;
    let runs = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores)
            .map(|seed| {
                scope.spawn(move || {
                    let salt = Salt::random(&mut StdRng::seed_from_u64(seed as u64));
                    let mut memory = HashMemory::default();
                    let mut runs = 0_u64;
                    while Instant::now() < end {
                        memory.run(PIN.as_bytes(), &salt, HashCost::OWASP)?;
                        runs += 1;
                    }
                    anyhow::Ok(runs)
                })
            })
            .collect();
        let mut runs = 0;
        for thread in threads {
            runs += thread.join().map_err(|_| anyhow!("a thread panicked"))??;
        }
        anyhow::Ok(runs)
    })?;
    Ok(runs as f64 / measured.as_secs_f64())
}

/// A server that does nothing: the health service without anything around it. Runs until it is
/// killed.
pub(crate) async fn serve_nothing(port: u16) -> Result<()> {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    GrpcServer::builder()
        .add_service(health)
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

/// Calls that do nothing.
pub(crate) async fn empty_calls(port: u16, in_flight: usize, span: Span) -> Result<Tally> {
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?.tcp_nodelay(true);
    let mut channels: Vec<Channel> = Vec::new();
    for _ in 0..in_flight.min(crate::CONNECTIONS) {
        channels.push(endpoint.connect().await?);
    }
    load::closed(in_flight, span, move |worker| {
        let channel = channels[worker % channels.len()].clone();
        async move {
            let request = HealthCheckRequest::default();
            match HealthClient::new(channel).check(request).await {
                Ok(_) => Reply::Done,
                Err(status) => Reply::Failed(status.to_string()),
            }
        }
    })
    .await
}
