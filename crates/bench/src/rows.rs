//! What is measured, in which order.

mod footprint;
mod growth;
mod one_subject;
mod overload;
mod pin;
mod sqlite;
mod totp;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use anyhow::Result;
use countersign_keyring::{Keyring, parse_file};
use countersign_testkit::free_port;
use tempfile::TempDir;

use crate::{
    crowd::{self, Crowd, Size},
    gateway::{self, Gateway},
    load::{Span, Tally},
    report::{Report, Row},
    server::Server,
    usage::Watch,
};

/// What all rows share.
pub(crate) struct Bench {
    binary: PathBuf,
    server: Server,
    keys: PathBuf,
    keyring: Keyring,
    is_all: bool,
    only: Option<String>,
    started: Instant,
    _folder: TempDir,
    ceilings: Ceilings,
    report: Report,
}

/// What the machine can do at most, as far as it was measured.
#[derive(Default)]
struct Ceilings {
    own: Option<Tally>,
    own_alone: Option<Tally>,
    least: Option<Tally>,
    empty: Option<Tally>,
    empty_alone: Option<Tally>,
}

/// The database of people that every measurement begins with a copy of.
const PEOPLE: &str = "people";
const COUNT: u64 = 300_000;

impl Bench {
    pub(crate) async fn start(
        root: &Path,
        binary: PathBuf,
        is_all: bool,
        only: Option<String>,
    ) -> Result<Self> {
        let folder = TempDir::new()?;
        let keys = folder.path().join("keys.toml");
        gateway::make_keys(&binary, &keys)?;
        let keyring = parse_file(&std::fs::read_to_string(&keys)?)?;
        Ok(Self {
            binary,
            server: Server::start(root)?,
            keys,
            keyring,
            is_all,
            only,
            started: Instant::now(),
            _folder: folder,
            ceilings: Ceilings::default(),
            report: Report::default(),
        })
    }

    /// Measures, and says what was measured although something could not be.
    pub(crate) async fn run(mut self) -> (Report, Result<()>) {
        let measured = self.measure().await;
        (self.report, measured)
    }

    async fn measure(&mut self) -> Result<()> {
        let size = Size {
            people: COUNT,
            logins: 0,
            open: 1,
        };
        let ready = self.people(PEOPLE, size).await?;
        // Each row has a copy of the database, in which nobody has had their turn yet.
        let everybody = || Crowd::new(ready.clone());
        if self.wants("totp") {
            self.database_ceilings()?;
            self.empty_calls().await?;
            self.totp(&everybody()).await?;
        }
        if self.wants("pin") {
            self.pins(&everybody()).await?;
        }
        if self.wants("gateway") {
            self.footprint(&everybody()).await?;
        }
        if self.wants("sqlite") {
            self.sqlite().await?;
        }
        if self.is_all && self.wants("create") {
            self.create_and_decide(&everybody()).await?;
        }
        if self.is_all && self.wants("flood") {
            self.flood_of_pins(&everybody()).await?;
        }
        if self.is_all && self.wants("subject") {
            self.one_subject(&everybody()).await?;
        }
        if self.is_all && self.wants("overload") {
            self.overload(&everybody()).await?;
        }
        if self.is_all && self.wants("growth") {
            self.growth().await?;
        }
        Ok(())
    }

    /// How long to measure in a short run; a long one takes longer.
    fn span(&self) -> Span {
        if self.is_all {
            Span::seconds(3, 12)
        } else {
            Span::seconds(2, 8)
        }
    }

    fn seconds(&self) -> u64 {
        self.span().measured.as_secs()
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|part| name.contains(part))
    }

    /// Says what is being done now.
    fn say(&self, what: &str) {
        eprintln!("[{:>4} s] {what}", self.started.elapsed().as_secs());
    }

    fn add(&mut self, row: Row) {
        self.say(&format!(
            "{}: {}",
            row.name,
            row.rate
                .map_or_else(String::new, |rate| format!("{rate:.0}/s"))
        ));
        self.report.rows.push(row);
    }

    /// Makes a database of people.
    async fn people(&self, database: &str, size: Size) -> Result<Vec<crowd::Ready>> {
        self.say(&format!("loading {} subjects", size.people));
        self.server.create(database)?;
        gateway::migrate(&self.binary, &self.server.url(database), &self.keys)?;
        crowd::load(&self.server, database, &self.keyring, size)
    }

    async fn gateway(&self, database: &str) -> Result<Gateway> {
        Gateway::start(&self.binary, &self.server.url(database), &self.keys).await
    }

    fn watch(&self, gateway: &Gateway) -> Result<Watch> {
        Ok(Watch::start(&[
            ("gateway", gateway.id()),
            ("postgresql", self.server.id()?),
            ("load", std::process::id()),
        ]))
    }
}

/// The empty server in a process of its own.
struct Nothing {
    child: Child,
    port: u16,
}

impl Nothing {
    async fn start() -> Result<Self> {
        let port = free_port()?;
        let child = Command::new(std::env::current_exe()?)
            .args(["serve-nothing", &port.to_string()])
            .spawn()?;
        let nothing = Self { child, port };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_ok()
            {
                return Ok(nothing);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::bail!("the empty server does not answer")
    }
}

impl Drop for Nothing {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
