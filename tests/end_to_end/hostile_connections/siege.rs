//! A gateway under siege: what it holds, and whether others are served.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use countersign_testkit::{Backend, Client, Database, GatewayProcess, Person};
use futures::future::join_all;

use crate::campaign::CHEAP;

/// How much more memory it may hold than before, in KiB: several times what it took here.
const MORE_MEMORY: u64 = 96 * 1024;
/// How many calls of others are made at once.
const CALLS: usize = 200;
/// How often it is looked whether something has come true: for a minute.
const LOOKS: u32 = 1200;
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Siege {
    pub(crate) process: GatewayProcess,
    pub(crate) anna: Person,
    _database: Database,
    clients: Vec<Client>,
    memory: u64,
    files: usize,
}

impl Siege {
    pub(crate) async fn begin() -> Result<Self> {
        let database = Database::fresh(Backend::Sqlite).await?;
        let process = GatewayProcess::start(&database, CHEAP).await?;
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(process.client("test").await?);
        }
        let anna = Person::new();
        anna.set_pin(&clients[0]).await?;
        let mut siege = Self {
            process,
            anna,
            _database: database,
            clients,
            memory: 0,
            files: 0,
        };
        // Once before, so that what is made for the first calls is there.
        siege.require_others_served().await?;
        siege.memory = siege.memory()?;
        siege.files = siege.files()?;
        Ok(siege)
    }

    pub(crate) fn endpoint(&self) -> &str {
        self.process.endpoint()
    }

    pub(crate) fn client(&self) -> &Client {
        &self.clients[0]
    }

    /// That every one of many ordinary calls is answered.
    pub(crate) async fn require_others_served(&self) -> Result<()> {
        let call = |number: usize| {
            let client = &self.clients[number % self.clients.len()];
            self.anna.list(client)
        };
        for begin in (0..CALLS).step_by(50) {
            for answer in join_all((begin..begin + 50).map(call)).await {
                answer.context("an ordinary call failed")?;
            }
        }
        Ok(())
    }

    /// That it has not taken much more memory.
    pub(crate) fn require_bounded(&self) -> Result<()> {
        let now = self.memory()?;
        let more = now.saturating_sub(self.memory);
        ensure!(more < MORE_MEMORY, "{more} KiB more than before are held");
        Ok(())
    }

    /// Waits until so many more files are open, at the least.
    pub(crate) async fn wait_for_files(&self, more: usize) -> Result<()> {
        for _ in 0..LOOKS {
            if self.files()? >= self.files + more {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("only {} files are open", self.files()?)
    }

    /// Waits until it has said something.
    pub(crate) async fn wait_for_log(&self, said: &str) -> Result<()> {
        for _ in 0..LOOKS {
            if self.process.log().contains(said) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("it never said: {said}")
    }

    /// That it lets go of every connection but the others'.
    pub(crate) async fn require_released(&self) -> Result<()> {
        for _ in 0..LOOKS {
            if self.files()? <= self.files {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!(
            "{} files are open, {} were before",
            self.files()?,
            self.files
        )
    }

    /// That it holds, all in all.
    pub(crate) async fn require_held(&self) -> Result<()> {
        self.require_others_served().await?;
        self.require_bounded()?;
        self.require_released().await?;
        let log = self.process.log();
        let panicked = log.lines().find(|line| line.contains("panicked"));
        ensure!(panicked.is_none(), "{panicked:?}");
        Ok(())
    }

    /// What it holds of memory, in KiB.
    fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("no VmRSS")?.parse()?)
    }

    /// How many files it has open.
    fn files(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.process.id()))?.count())
    }
}
