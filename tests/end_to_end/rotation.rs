//! Certificates and authorities are exchanged while the gateway serves: nobody notices but those who
//! are trusted no more.

use std::{
    fs,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    BIN, Backend, Database, GatewayProcess, TlsClient,
    certs::{Authority, GatewayFiles},
    v1,
    v1::identifier_service_client::IdentifierServiceClient,
};
use tokio::task::JoinSet;
use tonic::{Status, transport::Channel};

use crate::harness::Suite;

/// Connections that call one time after the other.
const CALLERS: u32 = 8;
/// Calls that must come through in each state of the files.
const CALLS: u32 = 200;

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.with(
        &[BIN],
        "rotation::certificates_and_authorities_are_exchanged_under_load_without_a_failed_call",
        exchange,
    );
    suite.with(
        &[BIN],
        "rotation::files_that_are_not_right_leave_those_before_in_force",
        broken,
    );
}

async fn list(channel: &Channel) -> Result<(), Status> {
    let request = v1::IdentifierServiceListRequest {
        subject_id: "anna".to_owned(),
        ..Default::default()
    };
    let mut client = IdentifierServiceClient::new(channel.clone());
    client.list(request).await.map(drop)
}

fn config(files: &GatewayFiles) -> String {
    let row = "[callers.\"spiffe://bank.example/portal\"]\nmethods = [\"IdentifierService.List\"]\n\
               requests_per_second = 100000\n";
    format!("{}{row}", files.config("1.3"))
}

const ANEW: &str = "certificates were read anew";

/// Callers under way, and how they are connected.
struct Load {
    client: Arc<RwLock<(u32, TlsClient)>>,
    calls: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    callers: JoinSet<Result<()>>,
}

impl Load {
    fn start(client: TlsClient, gateway: &GatewayProcess) -> Result<Self> {
        let mut load = Self {
            client: Arc::new(RwLock::new((0, client))),
            calls: Arc::default(),
            stop: Arc::default(),
            callers: JoinSet::new(),
        };
        let address = gateway.address()?;
        for _ in 0..CALLERS {
            let (client, calls) = (Arc::clone(&load.client), Arc::clone(&load.calls));
            let stop = Arc::clone(&load.stop);
            load.callers.spawn(async move {
                let mut open: Option<(u32, Channel)> = None;
                while !stop.load(Ordering::Relaxed) {
                    let (number, present) = client.read().map_err(|_| poisoned())?.clone();
                    let channel = match &open {
                        Some((with, channel)) if *with == number => channel.clone(),
                        _ => present.channel(address)?,
                    };
                    list(&channel)
                        .await
                        .with_context(|| format!("with certificate {number}"))?;
                    calls.fetch_add(1, Ordering::Relaxed);
                    open = Some((number, channel));
                }
                Ok(())
            });
        }
        Ok(load)
    }

    /// Gives every caller another certificate.
    fn renew(&self, client: TlsClient) -> Result<()> {
        let mut present = self.client.write().map_err(|_| poisoned())?;
        *present = (present.0 + 1, client);
        Ok(())
    }

    /// Lets so many more calls come through.
    async fn go_on(&mut self) -> Result<()> {
        let goal = self.calls.load(Ordering::Relaxed) + CALLS;
        while self.calls.load(Ordering::Relaxed) < goal {
            if let Some(ended) = self.callers.try_join_next() {
                ended??;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
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

fn poisoned() -> anyhow::Error {
    anyhow::anyhow!("another caller failed")
}

async fn exchange() -> Result<()> {
    let database = Database::fresh(Backend::Sqlite).await?;
    let (old, new) = (Authority::new("old")?, Authority::new("new")?);
    let both = format!("{}{}", old.pem(), new.pem());
    let files = GatewayFiles::write(database.folder(), &old)?;
    let gateway = GatewayProcess::start_mutual(&database, &config(&files)).await?;
    let client = |authority: &Authority| TlsClient::new(&both, Some(&authority.service("portal")?));
    let mut load = Load::start(client(&old)?, &gateway)?;
    load.go_on().await?;
    // Somebody who keeps the old certificate and the connection, and then the session.
    let laggard = client(&old)?;
    let kept = laggard.channel(gateway.address()?)?;
    list(&kept).await?;

    files.set_bundle(&both)?;
    gateway.has_said(ANEW, 1).await?;
    load.go_on().await?;
    files.renew(&new)?;
    gateway.has_said(ANEW, 2).await?;
    load.renew(client(&new)?)?;
    load.go_on().await?;
    list(&kept).await?;
    load.renew(client(&new)?)?;
    load.go_on().await?;
    files.set_bundle(&new.pem())?;
    gateway.has_said(ANEW, 3).await?;

    // On the connection that was open, and on another one by the same session.
    ensure!(
        list(&kept).await.is_err(),
        "the old authority still vouches"
    );
    let again = laggard.channel(gateway.address()?)?;
    ensure!(
        list(&again).await.is_err(),
        "the old authority still vouches"
    );
    gateway
        .has_said("no authority of its trust domain vouches", 1)
        .await?;
    load.go_on().await?;
    let calls = load.stop().await?;
    println!("rotation: {calls} calls over three changes of the files, none failed");
    Ok(())
}

async fn broken() -> Result<()> {
    let database = Database::fresh(Backend::Sqlite).await?;
    let own = Authority::new("own")?;
    let files = GatewayFiles::write(database.folder(), &own)?;
    let gateway = GatewayProcess::start_mutual(&database, &config(&files)).await?;
    let portal = TlsClient::new(&own.pem(), Some(&own.service("portal")?))?;
    let kept = portal.channel(gateway.address()?)?;
    list(&kept).await?;
    let not_right = "certificates have changed and are not right";
    let bundle = database.folder().join("bundle.pem");
    let pem = own.pem();
    for (times, text) in ["", "nonsense", &pem[..pem.len() / 2]]
        .into_iter()
        .enumerate()
    {
        fs::write(&bundle, text)?;
        gateway.has_said(not_right, times + 1).await?;
        list(&kept).await?;
        list(&portal.channel(gateway.address()?)?).await?;
        // Right again: what is wrong the next time is said again.
        fs::write(&bundle, &pem)?;
        gateway.has_said("are right again", times + 1).await?;
    }
    fs::remove_file(&bundle)?;
    gateway.has_said(not_right, 4).await?;
    list(&portal.channel(gateway.address()?)?).await?;
    // Another key than the certificate's: neither is taken.
    fs::write(&bundle, &pem)?;
    gateway.has_said("are right again", 4).await?;
    fs::write(database.folder().join("gateway.key"), own.service("x")?.key)?;
    gateway.has_said("cannot be used with the key", 1).await?;
    list(&portal.channel(gateway.address()?)?).await?;
    list(&kept).await?;
    // An authority that is gone is gone, whatever else is wrong.
    fs::write(&bundle, Authority::new("another")?.pem())?;
    gateway.has_said(ANEW, 1).await?;
    ensure!(list(&kept).await.is_err(), "the authority still vouches");
    ensure!(list(&portal.channel(gateway.address()?)?).await.is_err());
    Ok(())
}
