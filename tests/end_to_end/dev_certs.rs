//! What `countersign certs dev` makes works as it is, and is renewed under a server that runs.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::{BIN, Client, DevPlatform, Person, early_in_step, reason_of, v1};
use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinSet};
use tonic::Code;

use crate::harness::Suite;

const SERVICES: [&str; 3] = ["login-service", "portal", "withdrawal-service"];
/// Clients that call one time after the other.
const CALLERS: u32 = 8;
/// Calls that must come through in each state of the files.
const CALLS: u32 = 200;

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.with(
        &[BIN],
        "dev_certs::the_files_are_their_owners_alone_and_only_the_leaves_are_made_again",
        files,
    );
    suite.with(
        &[BIN],
        "dev_certs::nobody_elses_certificate_is_overwritten",
        others,
    );
    suite.with(
        &[BIN],
        "dev_certs::each_of_the_three_services_may_do_its_work_and_no_other",
        services,
    );
    suite.with(
        &[BIN],
        "dev_certs::a_client_trusts_its_bundle_and_the_id_that_it_expects",
        trust,
    );
    suite.with(
        &[BIN],
        "dev_certs::certificates_are_renewed_under_load_without_a_failed_call",
        renewal,
    );
    suite.with(
        &[BIN],
        "dev_certs::a_client_with_broken_files_goes_on_with_those_before_and_says_so",
        broken,
    );
}

/// `countersign certs dev certs` in a folder, under a umask that takes nothing away.
fn certs_dev(home: &Path, more: &[&str]) -> Result<Output> {
    let binary = std::env::var_os(BIN).context(BIN)?;
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 0; exec \"$0\" certs dev certs \"$@\""])
        .arg(binary)
        .args(more)
        .current_dir(home)
        .stdin(Stdio::null());
    Ok(command.output()?)
}

fn require(ran: &Output) -> Result<String> {
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "it failed: {said}");
    Ok(String::from_utf8(ran.stdout.clone())?)
}

fn refusal(ran: &Output) -> Result<String> {
    ensure!(!ran.status.success(), "it went well");
    Ok(String::from_utf8(ran.stderr.clone())?)
}

/// Every file of a folder: its mode and what it holds.
fn contents(folder: &Path) -> Result<BTreeMap<String, (u32, String)>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let mode = entry.metadata()?.permissions().mode() & 0o777;
        let name = entry.file_name().to_string_lossy().into_owned();
        found.insert(name, (mode, fs::read_to_string(entry.path())?));
    }
    Ok(found)
}

async fn files() -> Result<()> {
    let home = TempDir::new()?;
    let folder = home.path().join("certs");
    let said = require(&certs_dev(home.path(), &[])?)?;
    for part in [
        "keys init certs/keys.toml",
        "migrate --config",
        "serve --config",
    ] {
        ensure!(said.contains(part), "{part} is not in {said}");
    }
    let mode = fs::metadata(&folder)?.permissions().mode() & 0o777;
    ensure!(mode == 0o700, "the folder has {mode:o}");
    let first = contents(&folder)?;
    let mut expected = vec!["countersign.toml".to_owned()];
    for name in ["ca", "countersign"].iter().chain(&SERVICES) {
        expected.extend([format!("{name}.key"), format!("{name}.pem")]);
    }
    expected.sort();
    ensure!(first.keys().eq(&expected), "{:?}", first.keys());
    for (name, (mode, _)) in &first {
        let right = if name.ends_with(".key") { 0o600 } else { 0o644 };
        ensure!(*mode == right, "{name} has {mode:o}");
    }

    require(&certs_dev(
        home.path(),
        &["--service", "audit", "--host", "mfa.internal"],
    )?)?;
    let said = require(&certs_dev(home.path(), &[])?)?;
    ensure!(
        said.contains("mfa.internal"),
        "the host is forgotten: {said}"
    );
    let again = contents(&folder)?;
    ensure!(again.contains_key("audit.key"), "{:?}", again.keys());
    for (name, before) in &first {
        let is_kept = name.starts_with("ca.") || name == "countersign.toml";
        ensure!((again[name] == *before) == is_kept, "{name}");
    }
    Ok(())
}

async fn others() -> Result<()> {
    let home = TempDir::new()?;
    require(&certs_dev(home.path(), &[])?)?;
    let folder = home.path().join("certs");
    // A certificate of another id under the name of a service.
    fs::copy(folder.join("portal.pem"), folder.join("audit.pem"))?;
    let before = contents(&folder)?;
    let said = refusal(&certs_dev(home.path(), &["--service", "audit"])?)?;
    ensure!(said.contains("audit.pem is no certificate of"), "{said}");
    ensure!(
        contents(&folder)?["audit.pem"] == before["audit.pem"],
        "overwritten"
    );
    fs::copy(folder.join("portal.key"), folder.join("ca.key"))?;
    let said = refusal(&certs_dev(home.path(), &[])?)?;
    ensure!(said.contains("do not belong together"), "{said}");
    fs::remove_file(folder.join("ca.key"))?;
    let before = contents(&folder)?;
    let said = refusal(&certs_dev(home.path(), &[])?)?;
    ensure!(said.contains("and no authority"), "{said}");
    ensure!(contents(&folder)? == before, "something was written");
    Ok(())
}

fn login() -> v1::operation::Operation {
    v1::operation::Operation::Login(v1::Login::default())
}

fn withdrawal(euros: i64) -> v1::operation::Operation {
    v1::operation::Operation::Withdrawal(v1::Withdrawal {
        source_account: "trading-1001".to_owned(),
        amount: Some(v1::Money {
            currency_code: "EUR".to_owned(),
            units: euros,
            nanos: 0,
        }),
        destination: "DE89370400440532013000".to_owned(),
        payment_method: "sepa".to_owned(),
    })
}

async fn services() -> Result<()> {
    let platform = DevPlatform::start().await?;
    let mut clients = Vec::new();
    for service in SERVICES {
        clients.push(platform.builder(service).connect().await?);
    }
    let [logins, portal, withdrawals] = clients.try_into().map_err(|_| anyhow::anyhow!("three"))?;
    let person = Person::new();
    person.set_pin(&portal).await?;
    let purposes = [v1::Purpose::Login, v1::Purpose::Withdrawal];
    person
        .enrol(&portal, &purposes, early_in_step().await)
        .await?;
    person.open(&logins, login()).await?;
    person.open(&withdrawals, withdrawal(250)).await?;
    // The portal enrols phones, and has codes sent for what it confirms.
    person.begin_phone(&portal, "+79123456789").await?;
    let unknown = v1::Confirmation {
        confirmation_id: countersign_testkit::new_request_id(),
        ..Default::default()
    };
    let refused = person.send_code(&portal, &unknown, None).await;
    let status = refused.err().context("there is no such confirmation")?;
    ensure!(reason_of(&status) == "CONFIRMATION_NOT_FOUND", "{status:?}");
    let refused = person.begin_phone(&logins, "+79123456789").await;
    let status = refused.err().context("a login service may not enrol")?;
    ensure!(reason_of(&status) == "CALLER_NOT_PERMITTED", "{status:?}");
    for (client, operation) in [
        (&logins, withdrawal(250)),
        (&withdrawals, login()),
        (&withdrawals, withdrawal(10_001)),
        (&portal, login()),
    ] {
        let refused = person.create(client, operation).await;
        let status = refused.err().context("it was let in")?;
        ensure!(reason_of(&status) == "CALLER_NOT_PERMITTED", "{status:?}");
        ensure!(status.code() == Code::PermissionDenied, "{status:?}");
    }
    Ok(())
}

async fn trust() -> Result<()> {
    let platform = DevPlatform::start().await?;
    let gateway = "spiffe://countersign.dev/gateway";
    let by_id = platform
        .builder("portal")
        .server_id(gateway)
        .connect()
        .await?;
    list(&by_id).await?;
    let other = "spiffe://countersign.dev/portal";
    let refused = platform.builder("portal").server_id(other).connect().await;
    ensure!(refused.is_err(), "a gateway of another id was taken");
    // Another authority, which neither side knows.
    let home = TempDir::new()?;
    require(&certs_dev(home.path(), &[])?)?;
    let foreign = home.path().join("certs");
    let builder = platform.builder("portal").trust(foreign.join("ca.pem"));
    ensure!(
        builder.connect().await.is_err(),
        "a foreign server was taken"
    );
    let builder = platform.builder("portal");
    let builder = builder.identity(foreign.join("portal.pem"), foreign.join("portal.key"));
    ensure!(
        builder.connect().await.is_err(),
        "a foreign client was taken"
    );
    Ok(())
}

async fn list(client: &Client) -> Result<()> {
    let request = v1::IdentifierServiceListRequest {
        subject_id: "anna".to_owned(),
        ..Default::default()
    };
    client.identifiers().list(request).await?;
    Ok(())
}

/// Clients under way, each with its own connection.
struct Load {
    calls: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    callers: JoinSet<Result<()>>,
    reloads: mpsc::UnboundedReceiver<Result<(), String>>,
}

impl Load {
    async fn start(platform: &DevPlatform) -> Result<Self> {
        let (told, reloads) = mpsc::unbounded_channel();
        let mut load = Self {
            calls: Arc::default(),
            stop: Arc::default(),
            callers: JoinSet::new(),
            reloads,
        };
        for _ in 0..CALLERS {
            let told = told.clone();
            let client = platform.builder("portal").on_reload(move |reloaded| {
                let _ = told.send(reloaded.map_err(ToString::to_string));
            });
            let client = client.connect().await?;
            let (calls, stop) = (Arc::clone(&load.calls), Arc::clone(&load.stop));
            load.callers.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let (one, other) = tokio::join!(list(&client), list(&client));
                    one.and(other)?;
                    calls.fetch_add(2, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        Ok(load)
    }

    /// Lets so many more calls come through.
    async fn go_on(&mut self) -> Result<()> {
        let goal = self.calls.load(Ordering::Relaxed) + CALLS;
        while self.calls.load(Ordering::Relaxed) < goal {
            if let Some(ended) = self.callers.try_join_next() {
                ended??;
                bail!("a caller has ended");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Waits until every client has gone over to new certificates.
    async fn reloaded(&mut self) -> Result<()> {
        let mut left = CALLERS;
        while left > 0 {
            if let Some(ended) = self.callers.try_join_next() {
                ended??;
                bail!("a caller has ended");
            }
            let told = tokio::time::timeout(Duration::from_secs(60), self.reloads.recv());
            // Half of a pair is no fault that stays: certificate and key are two files.
            if told.await?.context("the clients are gone")?.is_ok() {
                left -= 1;
            }
        }
        Ok(())
    }

    async fn stop(mut self) -> Result<u32> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.callers.join_next().await {
            ended??;
        }
        Ok(self.calls.load(Ordering::Relaxed))
    }
}

async fn renewal() -> Result<()> {
    let platform = DevPlatform::start().await?;
    let mut load = Load::start(&platform).await?;
    load.go_on().await?;
    for renewals in 1..=3 {
        platform.renew()?;
        load.reloaded().await?;
        let server = async {
            let said = "certificates were read anew";
            while platform.log().matches(said).count() < renewals {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let done = tokio::time::timeout(Duration::from_secs(60), server).await;
        done.context("the server has not read its files anew")?;
        load.go_on().await?;
    }
    let calls = load.stop().await?;
    println!("dev_certs: {calls} calls over three renewals of both sides, none failed");
    Ok(())
}

async fn broken() -> Result<()> {
    let platform = DevPlatform::start().await?;
    let (told, mut reloads) = mpsc::unbounded_channel();
    let client = platform.builder("portal").on_reload(move |reloaded| {
        let _ = told.send(reloaded.map_err(|error| format!("{error:?}")));
    });
    let client = client.connect().await?;
    let mut next = async || {
        let told = tokio::time::timeout(Duration::from_secs(60), reloads.recv());
        told.await?.context("the client is gone")
    };
    let home = TempDir::new()?;
    require(&certs_dev(home.path(), &[])?)?;
    let foreign = home.path().join("certs");
    let own = platform.certs().join("portal.key");
    for (text, said) in [
        ("nonsense".to_owned(), "private key"),
        (fs::read_to_string(foreign.join("portal.key"))?, "Pair"),
    ] {
        fs::write(&own, text)?;
        let error = next().await?.err().context("nonsense was taken")?;
        ensure!(error.contains(said), "{error}");
        list(&client).await?;
    }
    // A pair that goes together, and that the server does not take.
    fs::copy(
        foreign.join("portal.pem"),
        platform.certs().join("portal.pem"),
    )?;
    let error = next().await?.err().context("a foreign pair was taken")?;
    ensure!(error.contains("Refused"), "{error}");
    list(&client).await?;
    for ending in ["pem", "key"] {
        fs::remove_file(platform.certs().join(format!("portal.{ending}")))?;
    }
    // It may have been refused once more before.
    while !next()
        .await?
        .err()
        .context("nothing was taken")?
        .contains("Unreadable")
    {}
    list(&client).await?;
    platform.renew()?;
    while next().await?.is_err() {}
    list(&client).await
}
