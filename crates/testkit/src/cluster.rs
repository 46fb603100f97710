//! A PostgreSQL server of a test's own, to be stopped and started.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::free_port;

/// Where the server's programs are.
pub const PGBIN: &str = "COUNTERSIGN_TEST_PGBIN";
/// The user that runs servers, where the tests run as root.
pub const PGOWNER: &str = "COUNTERSIGN_TEST_PGOWNER";

/// A throwaway server on a port of its own.
pub struct Cluster {
    bin: PathBuf,
    owner: Option<String>,
    folder: TempDir,
    port: u16,
    settings: String,
}

impl Cluster {
    /// Makes and starts a server; `None` where the programs are not named.
    ///
    /// # Errors
    /// When the server does not start.
    pub fn start() -> Result<Option<Self>> {
        let Some(bin) = std::env::var_os(PGBIN).map(PathBuf::from) else {
            return Ok(None);
        };
        let owner = std::env::var(PGOWNER).ok();
        let owner = owner.filter(|owner| !owner.is_empty());
        Self::start_with(bin, owner, "max_connections=200").map(Some)
    }

    /// As [`Self::start`], with programs, user and settings of choice: `name=value`, separated by
    /// spaces.
    ///
    /// # Errors
    /// When the server does not start.
    pub fn start_with(bin: PathBuf, owner: Option<String>, settings: &str) -> Result<Self> {
        let cluster = Self {
            bin,
            owner,
            folder: TempDir::new()?,
            port: free_port()?,
            settings: settings
                .split_whitespace()
                .map(|setting| format!(" -c {setting}"))
                .collect(),
        };
        if let Some(owner) = &cluster.owner {
            let status = Command::new("chown")
                .arg(owner)
                .arg(cluster.folder.path())
                .status()?;
            ensure!(status.success(), "chown failed");
        }
        let data = cluster.data();
        cluster.run("initdb", |command| {
            command.arg("-D").arg(&data);
            command.args(["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"]);
        })?;
        cluster.resume()?;
        Ok(cluster)
    }

    /// The process id of the server, whose children do its work.
    ///
    /// # Errors
    /// When it does not run.
    pub fn id(&self) -> Result<u32> {
        let file = fs::read_to_string(self.data().join("postmaster.pid"))?;
        Ok(file.lines().next().unwrap_or_default().parse()?)
    }

    /// The address, without a database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }

    /// Stops the server at once, as if the power had failed.
    ///
    /// # Errors
    /// When it cannot be stopped.
    pub fn crash(&self) -> Result<()> {
        self.control("stop", &["-m", "immediate"])
    }

    /// Starts the server again on the same port.
    ///
    /// # Errors
    /// When it does not start.
    pub fn resume(&self) -> Result<()> {
        let log = self.folder.path().join("log");
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={}",
            self.port, self.settings
        );
        let log = log.to_string_lossy();
        self.control("start", &["-w", "-l", &log, "-o", &options])
    }

    fn control(&self, action: &str, arguments: &[&str]) -> Result<()> {
        let data = self.data();
        self.run("pg_ctl", |command| {
            command.arg(action).arg("-D").arg(&data).args(arguments);
        })
    }

    fn run(&self, program: &str, arguments: impl FnOnce(&mut Command)) -> Result<()> {
        let program = self.bin.join(program);
        let mut command = match &self.owner {
            Some(owner) => {
                let mut command = Command::new("runuser");
                command.args(["-u", owner, "--"]).arg(&program);
                command
            }
            None => Command::new(&program),
        };
        arguments(&mut command);
        let output = self.folder.path().join("output");
        let file = fs::File::create(&output)?;
        let status = command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .status()
            .with_context(|| format!("{} did not start", program.display()))?;
        let said = fs::read_to_string(&output).unwrap_or_default();
        ensure!(status.success(), "{} failed: {said}", program.display());
        Ok(())
    }

    fn data(&self) -> PathBuf {
        Path::join(self.folder.path(), "data")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may be stopped already, by the test.
        let _ = self.crash();
    }
}
