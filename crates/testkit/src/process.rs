//! The real binary, to be killed.

use std::{
    fs::{self, File},
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use countersign_client::Client;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{Database, free_port};

/// The path of the `countersign` binary.
pub const BIN: &str = "COUNTERSIGN_TEST_BIN";

/// What a gateway under test logs, as a filter.
pub const LOG: &str = "debug,h2=info,hyper=info,tower=info";

/// A `countersign serve` over a database.
pub struct GatewayProcess {
    child: Child,
    folder: TempDir,
    endpoint: String,
}

impl GatewayProcess {
    /// Starts one on a free port, with the key file of the database's folder, which is made where
    /// it is not there. `more` is added to the configuration.
    ///
    /// # Errors
    /// When it does not begin to answer.
    pub async fn start(database: &Database, more: &str) -> Result<Self> {
        Self::start_on(database, database.url(), free_port()?, more).await
    }

    /// As [`Self::start`], on a port of choice and by another way to the database.
    ///
    /// # Errors
    /// When it does not begin to answer.
    pub async fn start_on(database: &Database, url: &str, port: u16, more: &str) -> Result<Self> {
        Self::start_logging(database, url, port, more, LOG).await
    }

    /// As [`Self::start_on`], and what is logged is of choice too.
    ///
    /// # Errors
    /// When it does not begin to answer.
    pub async fn start_logging(
        database: &Database,
        url: &str,
        port: u16,
        more: &str,
        log_filter: &str,
    ) -> Result<Self> {
        let more = format!("insecure = true\n{more}");
        let mut process = Self::launch(database, url, port, &more, log_filter)?;
        process.wait_until_it_answers().await?;
        Ok(process)
    }

    /// Starts one on a free port that speaks mutual TLS, with a configuration that says how, and
    /// does not wait until it answers.
    ///
    /// # Errors
    /// When it does not begin to listen.
    pub async fn start_mutual(database: &Database, more: &str) -> Result<Self> {
        let mut process = Self::launch(database, database.url(), free_port()?, more, LOG)?;
        listening(&mut process.child, &process.folder.path().join("log")).await?;
        Ok(process)
    }

    fn launch(
        database: &Database,
        url: &str,
        port: u16,
        more: &str,
        log_filter: &str,
    ) -> Result<Self> {
        let keys = database.folder().join("keys.toml");
        if !keys.exists() {
            let made = Command::new(binary()?)
                .args(["keys", "init"])
                .arg(&keys)
                .output()?;
            let said = String::from_utf8_lossy(&made.stderr);
            ensure!(made.status.success(), "keys init failed: {said}");
        }
        let folder = TempDir::new()?;
        let config = folder.path().join("countersign.toml");
        let mut file = File::create(&config)?;
        write!(
            file,
            "listen = \"127.0.0.1:{port}\"\n{more}\n\
             [database]\nurl = \"{url}\"\n[keys]\nfile = \"{}\"\n",
            keys.display()
        )?;
        let log = File::create(folder.path().join("log"))?;
        let child = Command::new(binary()?)
            .args(["serve", "--config"])
            .arg(&config)
            .env("RUST_LOG", log_filter)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let endpoint = format!("http://127.0.0.1:{port}");
        Ok(Self {
            child,
            folder,
            endpoint,
        })
    }

    async fn wait_until_it_answers(&mut self) -> Result<()> {
        for _ in 0..600 {
            if let Some(status) = self.child.try_wait()? {
                bail!("the gateway ended with {status}: {}", self.log());
            }
            if self.log().contains("listening on") && self.client("test").await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the gateway does not answer: {}", self.log())
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// Never: the endpoint has one.
    pub fn address(&self) -> Result<SocketAddr> {
        let address = self.endpoint.trim_start_matches("http://");
        Ok(address.parse()?)
    }

    /// Where it answers.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A client of it, as this caller.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn client(&self, caller: &str) -> Result<Client> {
        Ok(Client::connect(&self.endpoint, Some(caller)).await?)
    }

    /// What it has printed and logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Waits until it has said something so many times.
    ///
    /// # Errors
    /// When it does not.
    pub async fn has_said(&self, what: &str, times: usize) -> Result<()> {
        for _ in 0..1500 {
            if self.log().matches(what).count() >= times {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("it did not say {what:?} {times} times: {}", self.log())
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to stop, as an operator does.
    ///
    /// # Errors
    /// When it has ended.
    pub fn terminate(&self) -> Result<()> {
        let id = i32::try_from(self.child.id())?;
        let id = Pid::from_raw(id).context("no process id")?;
        Ok(kill_process(id, Signal::TERM)?)
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        for _ in 0..600 {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the gateway does not end: {}", self.log())
    }

    /// Ends it at once, as if the machine had failed.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for GatewayProcess {
    fn drop(&mut self) {
        // It may have been killed already, by the test.
        let _ = self.kill();
    }
}

fn binary() -> Result<PathBuf> {
    std::env::var_os(BIN)
        .map(PathBuf::from)
        .with_context(|| format!("{BIN} is not set"))
}

/// Waits until a gateway says in its log that it listens.
pub(crate) async fn listening(child: &mut Child, log: &Path) -> Result<()> {
    let said = || fs::read_to_string(log).unwrap_or_default();
    for _ in 0..600 {
        if let Some(status) = child.try_wait()? {
            bail!("the gateway ended with {status}: {}", said());
        }
        if said().contains("listening on") {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the gateway does not listen: {}", said())
}
