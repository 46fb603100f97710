//! What `countersign certs dev` makes, served.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use countersign_client::{Builder, Client};
use tempfile::TempDir;

use crate::{
    Database, free_port,
    process::{BIN, listening},
};

/// A `countersign serve` that was begun word for word as `countersign certs dev` says.
pub struct DevPlatform {
    child: Child,
    home: TempDir,
    port: u16,
}

impl DevPlatform {
    /// Makes certificates, keys and database, and starts a server on a free port.
    ///
    /// # Errors
    /// When a step fails, or it does not begin to listen.
    pub async fn start() -> Result<Self> {
        Self::start_over(None).await
    }

    /// As [`Self::start`], over another database than its own.
    ///
    /// # Errors
    /// When a step fails, or it does not begin to listen.
    pub async fn start_over(database: Option<&Database>) -> Result<Self> {
        let home = TempDir::new()?;
        run(home.path(), &["certs", "dev", "certs"])?;
        run(home.path(), &["keys", "init", "certs/keys.toml"])?;
        let config = ["--config", "certs/countersign.toml"];
        run(home.path(), &[&["migrate"], &config[..]].concat())?;
        let port = free_port()?;
        let log = File::create(home.path().join("log"))?;
        let mut serve = countersign(home.path())?;
        if let Some(database) = database {
            serve.env("COUNTERSIGN_SET_DATABASE__URL", database.url());
        }
        let child = serve
            .args([&["serve"], &config[..]].concat())
            .env("COUNTERSIGN_SET_LISTEN", format!("127.0.0.1:{port}"))
            // In the place of phones, with the shortest wait that there may be.
            .env("COUNTERSIGN_SET_SMS__PROVIDERS__STAGING__KIND", "file")
            .env("COUNTERSIGN_SET_SMS__PROVIDERS__STAGING__DIRECTORY", "sms")
            .env("COUNTERSIGN_SET_SMS__RESEND_SECONDS", "10")
            // As many as a test makes, however fast the machine.
            .env(
                "COUNTERSIGN_SET_LIMITS__CALLER_REQUESTS_PER_SECOND",
                "100000",
            )
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut platform = Self { child, home, port };
        listening(&mut platform.child, &platform.home.path().join("log")).await?;
        Ok(platform)
    }

    /// Runs `countersign certs dev` again.
    ///
    /// # Errors
    /// When it fails.
    pub fn renew(&self) -> Result<()> {
        run(self.home.path(), &["certs", "dev", "certs"])
    }

    /// The folder with the certificates.
    pub fn certs(&self) -> PathBuf {
        self.home.path().join("certs")
    }

    /// The messages that it has sent so far, the latest last, as the JSON that stands for them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn messages(&self) -> Result<Vec<String>> {
        let folder = self.certs().join("sms");
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                let at = fs::metadata(&path)?.modified()?;
                found.push((at, fs::read_to_string(path)?));
            }
        }
        found.sort();
        Ok(found.into_iter().map(|(_, text)| text).collect())
    }

    /// Where it answers.
    pub fn endpoint(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// A client with the certificate of this service, to be connected.
    pub fn builder(&self, service: &str) -> Builder {
        let certs = self.certs();
        let own = |ending| certs.join(format!("{service}.{ending}"));
        Client::builder(&self.endpoint())
            .identity(own("pem"), own("key"))
            .trust(certs.join("ca.pem"))
    }

    /// What it has printed and logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}

impl Drop for DevPlatform {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the binary in a folder.
fn run(folder: &Path, arguments: &[&str]) -> Result<()> {
    let ran = countersign(folder)?.args(arguments).output()?;
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "{arguments:?} failed: {said}");
    Ok(())
}

fn countersign(folder: &Path) -> Result<Command> {
    let mut command = Command::new(std::env::var_os(BIN).context(BIN)?);
    command.current_dir(folder).stdin(Stdio::null());
    Ok(command)
}
