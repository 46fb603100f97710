//! A throwaway PostgreSQL, and the two ceilings that pgbench finds on it.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use countersign_testkit::{Cluster, PGBIN, PGOWNER};
use tempfile::TempDir;

use crate::load::Tally;

/// What an operator would set on such a machine; durability is as PostgreSQL ships it.
const SETTINGS: &str = "max_connections=200 shared_buffers=1GB min_wal_size=3GB \
                        max_wal_size=8GB";

/// As many segments of 16 MB as `min_wal_size` keeps.
const SEGMENTS: usize = 3 * 1024 / 16;

/// The server.
pub(crate) struct Server {
    cluster: Cluster,
    bin: PathBuf,
}

impl Server {
    /// Finds PostgreSQL's programs as `tests/run` does, and starts a server.
    pub(crate) fn start(root: &Path) -> Result<Self> {
        let (bin, owner) = match std::env::var_os(PGBIN) {
            Some(bin) => (PathBuf::from(bin), std::env::var(PGOWNER).ok()),
            None => find(root)?,
        };
        let owner = owner.filter(|owner| !owner.is_empty());
        let cluster = Cluster::start_with(bin.clone(), owner, SETTINGS)?;
        let server = Self { cluster, bin };
        server.age()?;
        Ok(server)
    }

    /// Has the server make the segments of its log, which it uses again and again from then on. One
    /// that is new makes them while it is measured, and stands still for each.
    fn age(&self) -> Result<()> {
        let segment = "SELECT pg_logical_emit_message(false, 'bench', ''); SELECT pg_switch_wal();";
        self.sql("postgres", &segment.repeat(SEGMENTS))?;
        self.sql("postgres", "CHECKPOINT")?;
        Ok(())
    }

    pub(crate) fn id(&self) -> Result<u32> {
        self.cluster.id()
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.cluster.url())
    }

    /// A copy of a database, page by page.
    pub(crate) fn copy(&self, from: &str, to: &str) -> Result<()> {
        self.sql(
            "postgres",
            &format!("CREATE DATABASE {to} TEMPLATE {from} STRATEGY file_copy"),
        )?;
        self.sql(to, "CHECKPOINT")?;
        Ok(())
    }

    pub(crate) fn create(&self, database: &str) -> Result<()> {
        self.sql("postgres", &format!("CREATE DATABASE {database}"))?;
        Ok(())
    }

    pub(crate) fn drop(&self, database: &str) -> Result<()> {
        self.sql(
            "postgres",
            &format!("DROP DATABASE {database} WITH (FORCE)"),
        )?;
        Ok(())
    }

    /// Runs statements, each for itself; what they answer.
    pub(crate) fn sql(&self, database: &str, statements: &str) -> Result<String> {
        let mut psql = self.psql(database)?;
        psql.input()?.write_all(statements.as_bytes())?;
        psql.finish()
    }

    /// A `psql` that reads statements and rows.
    pub(crate) fn psql(&self, database: &str) -> Result<Psql> {
        let child = Command::new(self.bin.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(self.url(database))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(Psql(child))
    }

    /// Runs a script of pgbench with so many clients for so many seconds.
    pub(crate) fn pgbench(
        &self,
        database: &str,
        script: &str,
        clients: usize,
        seconds: u64,
    ) -> Result<Tally> {
        let folder = TempDir::new()?;
        let file = folder.path().join("script.sql");
        fs::write(&file, script)?;
        let output = Command::new(self.bin.join("pgbench"))
            .args(["-n", "-M", "prepared", "-l", "--log-prefix=log"])
            .args([
                "-c",
                &clients.to_string(),
                "-j",
                &clients.min(2).to_string(),
            ])
            .args(["-T", &seconds.to_string(), "-f"])
            .arg(&file)
            .arg(self.url(database))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench failed: {said}");
        let printed = String::from_utf8_lossy(&output.stdout);
        let rate: f64 = printed
            .lines()
            .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
            .with_context(|| format!("pgbench told no rate: {printed}"))?;
        let mut tally = Tally::new()?;
        for entry in fs::read_dir(folder.path())? {
            let path = entry?.path();
            if path.file_name() == file.file_name() {
                continue;
            }
            for line in fs::read_to_string(&path)?.lines() {
                let micros = line
                    .split(' ')
                    .nth(2)
                    .and_then(|micros| micros.parse().ok());
                let micros: u64 = micros.with_context(|| format!("pgbench logged {line}"))?;
                tally.done.saturating_record(micros.max(1));
            }
        }
        tally.seconds = tally.done.len() as f64 / rate;
        Ok(tally)
    }
}

/// A `psql` that is being fed.
pub(crate) struct Psql(Child);

impl Psql {
    pub(crate) fn input(&mut self) -> Result<&mut ChildStdin> {
        self.0.stdin.as_mut().context("psql takes no input")
    }

    /// What it answered.
    pub(crate) fn finish(self) -> Result<String> {
        let output = self.0.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "psql failed: {said}");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

/// PostgreSQL's programs, and the user to run the server as.
fn find(root: &Path) -> Result<(PathBuf, Option<String>)> {
    let output = Command::new(root.join("tests/tools/find-postgres"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("tests/tools/find-postgres cannot be run")?;
    ensure!(output.status.success(), "PostgreSQL was not found");
    let said = String::from_utf8(output.stdout)?;
    let mut words = said.split_whitespace();
    let bin = words.next().context("no folder was found")?;
    Ok((bin.into(), words.next().map(str::to_owned)))
}
