//! The product's release binary as a server under test.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use countersign_client::Client;
use countersign_testkit::free_port;
use tempfile::TempDir;

/// Who calls.
pub(crate) const CALLER: &str = "bench";

/// A `countersign serve`, logging as it does by default, to a file.
pub(crate) struct Gateway {
    child: Child,
    folder: TempDir,
    endpoint: String,
    pub(crate) started_in: Duration,
}

impl Gateway {
    /// Starts one over a database. Every confirmation may be approved for an hour, so that people
    /// who were loaded in bulk are still there when it is their turn; everything else is as it is
    /// by default.
    pub(crate) async fn start(binary: &Path, url: &str, keys: &Path) -> Result<Self> {
        let folder = TempDir::new()?;
        let config = folder.path().join("countersign.toml");
        let port = free_port()?;
        write!(
            File::create(&config)?,
            "listen = \"127.0.0.1:{port}\"\ninsecure = true\n\
             [confirmation]\napprove_within_seconds = 3600\n\
             [database]\nurl = \"{url}\"\n[keys]\nfile = \"{}\"\n",
            keys.display()
        )?;
        let log = File::create(folder.path().join("log"))?;
        let start = Instant::now();
        let child = Command::new(binary)
            .args(["serve", "--config"])
            .arg(&config)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} did not start", binary.display()))?;
        let mut gateway = Self {
            child,
            folder,
            endpoint: format!("http://127.0.0.1:{port}"),
            started_in: Duration::ZERO,
        };
        loop {
            if let Some(status) = gateway.child.try_wait()? {
                bail!("the gateway ended with {status}: {}", gateway.log());
            }
            if gateway.client().await.is_ok() {
                gateway.started_in = start.elapsed();
                return Ok(gateway);
            }
            let patience = Duration::from_secs(20);
            ensure!(start.elapsed() < patience, "the gateway does not answer");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(crate) async fn client(&self) -> Result<Client> {
        Ok(Client::connect(&self.endpoint, Some(CALLER)).await?)
    }

    /// Several connections, as several services would have.
    pub(crate) async fn clients(&self, count: usize) -> Result<Vec<Client>> {
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(self.client().await?);
        }
        Ok(clients)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has the product's release binary built, as it is shipped, and says where it is.
pub(crate) fn build(root: &Path) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--locked",
            "--package",
            "countersign-cli",
        ])
        .current_dir(root)
        .status()
        .context("cargo cannot be run: name the product's binary with --binary")?;
    ensure!(status.success(), "the product does not build");
    let own = std::env::current_exe()?;
    let target = own
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists())
        .context("this program is not in a target folder: name the product's with --binary")?;
    Ok(target.join("release/countersign"))
}

/// Makes a key file.
pub(crate) fn make_keys(binary: &Path, keys: &Path) -> Result<()> {
    run(Command::new(binary).args(["keys", "init"]).arg(keys))
}

/// Gives a database the product's schema.
pub(crate) fn migrate(binary: &Path, url: &str, keys: &Path) -> Result<()> {
    let folder = TempDir::new()?;
    let config = folder.path().join("countersign.toml");
    let text = format!(
        "insecure = true\n[database]\nurl = \"{url}\"\n[keys]\nfile = \"{}\"\n",
        keys.display()
    );
    fs::write(&config, text)?;
    run(Command::new(binary)
        .args(["migrate", "--config"])
        .arg(&config))
}

/// Runs a program to its end, and tells what it said where it failed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {said}");
    Ok(())
}
