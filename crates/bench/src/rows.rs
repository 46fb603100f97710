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
use clap::ValueEnum;
use countersign_keyring::{Keyring, parse_file};
use countersign_testkit::free_port;
use tempfile::TempDir;

use crate::{
    ceilings,
    crowd::{Crowd, Ready},
    gateway::{self, Gateway},
    load::{Span, Tally},
    people::{self, Size},
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
    started: Instant,
    _folder: TempDir,
    own: Option<Own>,
    report: Report,
}

/// What pgbench does with the product's own statements.
#[derive(Clone, Copy)]
struct Own {
    /// Transactions a second, with 32 clients.
    rate: f64,
    /// Microseconds for one, with one client.
    median_alone: f64,
}

/// A part of what is measured, with what it is compared to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Right and wrong codes of authenticator apps.
    Totp,
    /// PINs.
    Pin,
    /// Memory, and how soon a gateway serves.
    Gateway,
    /// Codes on SQLite.
    Sqlite,
    /// Logins from the request to the approval.
    Logins,
    /// Codes beside a flood of PINs.
    Flood,
    /// Everybody at one subject.
    Subject,
    /// More than there is room for.
    Overload,
    /// A hundred times the subjects.
    Growth,
}

impl Part {
    /// What a short run measures.
    pub(crate) const QUICK: [Self; 4] = [Self::Totp, Self::Pin, Self::Gateway, Self::Sqlite];
}

/// The database of people that every measurement begins with a copy of.
const PEOPLE: &str = "people";
const COUNT: u64 = 300_000;

impl Bench {
    pub(crate) async fn start(root: &Path, binary: PathBuf, is_all: bool) -> Result<Self> {
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
            started: Instant::now(),
            _folder: folder,
            own: None,
            report: Report::default(),
        })
    }

    /// Measures, and says what was measured although something could not be.
    pub(crate) async fn run(mut self, parts: &[Part]) -> (Report, Result<()>) {
        let measured = self.measure(parts).await;
        (self.report, measured)
    }

    async fn measure(&mut self, parts: &[Part]) -> Result<()> {
        let size = Size {
            people: COUNT,
            logins: 0,
            open: 1,
        };
        let ready = self.people(PEOPLE, size).await?;
        for part in parts {
            // Each has a copy of the database, in which nobody has had their turn yet.
            let everybody = || Crowd::new(ready.clone());
            match part {
                Part::Totp => self.totp(&everybody()).await?,
                Part::Pin => self.pins(&everybody()).await?,
                Part::Gateway => self.footprint(&everybody()).await?,
                Part::Sqlite => self.sqlite().await?,
                Part::Logins => self.logins(&everybody()).await?,
                Part::Flood => self.flood_of_pins(&everybody()).await?,
                Part::Subject => self.one_subject(&everybody()).await?,
                Part::Overload => self.overload(&everybody()).await?,
                Part::Growth => self.growth().await?,
            }
        }
        Ok(())
    }

    /// Measured once for all that are compared to it.
    fn own(&mut self) -> Result<Own> {
        if let Some(own) = self.own {
            return Ok(own);
        }
        self.server.copy(PEOPLE, "own")?;
        ceilings::prepare_own(&self.server, "own")?;
        let script = ceilings::own_script(&self.keyring, COUNT)?;
        let many = self.server.pgbench("own", &script, 32, self.seconds())?;
        self.add(Row::new("pgbench own, 32 clients", &many));
        let alone = self.server.pgbench("own", &script, 1, 4)?;
        self.add(Row::new("pgbench own, 1 client", &alone));
        self.server.drop("own")?;
        let own = Own {
            rate: many.rate(),
            median_alone: median(&alone),
        };
        self.own = Some(own);
        Ok(own)
    }

    /// Transactions a second.
    fn least(&mut self) -> Result<f64> {
        self.server.create("least")?;
        let script = ceilings::prepare_least(&self.server, "least", COUNT)?;
        let least = self.server.pgbench("least", &script, 32, self.seconds())?;
        self.add(Row::new("pgbench least, 32 clients", &least));
        self.server.drop("least")?;
        Ok(least.rate())
    }

    /// Microseconds of a call that does nothing, one in flight.
    async fn empty_call(&mut self) -> Result<f64> {
        let nothing = Nothing::start().await?;
        let span = Span::seconds(1, 3);
        let many = ceilings::empty_calls(nothing.port, 32, span).await?;
        self.add(Row::new("empty call, 32 in flight", &many));
        let alone = ceilings::empty_calls(nothing.port, 1, span).await?;
        self.add(Row::new("empty call, 1 in flight", &alone));
        Ok(median(&alone))
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
    async fn people(&self, database: &str, size: Size) -> Result<Vec<Ready>> {
        self.say(&format!("loading {} subjects", size.people));
        self.server.create(database)?;
        gateway::migrate(&self.binary, &self.server.url(database), &self.keys)?;
        people::load(&self.server, database, &self.keyring, size)
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

/// In microseconds.
fn median(tally: &Tally) -> f64 {
    tally.done.value_at_quantile(0.5) as f64
}

/// In microseconds.
fn p99(tally: &Tally) -> f64 {
    tally.done.value_at_quantile(0.99) as f64
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
