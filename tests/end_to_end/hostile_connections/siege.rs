//! A gateway under siege: what it holds, and whether others are served.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use countersign_testkit::{Backend, Client, Database, GatewayProcess, Person, v1};
use futures::future::join_all;
use prost::Message as _;
use tokio::sync::Mutex;

use crate::{
    campaign::CHEAP,
    raw::{HEADERS, Outcome, Raw, framed},
};

/// How much more memory it may hold than before, in KiB: several times what it took here.
const MORE_MEMORY: u64 = 96 * 1024;
/// The connections of others, and how many calls they make together.
const OTHERS: usize = 8;
const CALLS: usize = 200;

/// A method that anybody may call often.
pub(crate) const LIST: &str = "/countersign.v1.IdentifierService/List";

/// A call of it.
pub(crate) fn list(subject: &str) -> Vec<u8> {
    let request = v1::IdentifierServiceListRequest {
        subject_id: subject.to_owned(),
        ..Default::default()
    };
    framed(&request.encode_to_vec())
}

/// What becomes of a call that is answered.
pub(crate) fn served() -> Outcome {
    Outcome::Grpc("0".to_owned())
}

/// How often it is looked whether something has come true: for a minute.
const LOOKS: u32 = 1200;
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Siege {
    pub(crate) process: GatewayProcess,
    pub(crate) anna: Person,
    _database: Database,
    client: Client,
    /// Those who are to be served meanwhile.
    others: Vec<Mutex<Raw>>,
    memory: u64,
    sockets: usize,
}

impl Siege {
    pub(crate) async fn begin() -> Result<Self> {
        let database = Database::fresh(Backend::Sqlite).await?;
        let process = GatewayProcess::start(&database, CHEAP).await?;
        let client = process.client("test").await?;
        let mut others = Vec::new();
        for _ in 0..OTHERS {
            others.push(Mutex::new(Raw::connect(process.endpoint()).await?));
        }
        let anna = Person::new();
        anna.set_pin(&client).await?;
        let mut siege = Self {
            process,
            anna,
            _database: database,
            client,
            others,
            memory: 0,
            sockets: 0,
        };
        // Once before, so that what is made for the first calls is there.
        siege.require_others_served().await?;
        siege.memory = siege.memory()?;
        siege.sockets = siege.sockets()?;
        Ok(siege)
    }

    pub(crate) fn endpoint(&self) -> &str {
        self.process.endpoint()
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// That every one of many ordinary calls is answered, however slow the machine is.
    pub(crate) async fn require_others_served(&self) -> Result<()> {
        let call = list(&self.anna.subject);
        // By a name of their own, so that the log tells them from those who besiege.
        let headers = [HEADERS[0], HEADERS[1], ("x-countersign-caller", "others")];
        let served = self.others.iter().map(|other| async {
            let mut other = other.lock().await;
            for _ in 0..CALLS / OTHERS {
                let outcome = other.call(LIST, &headers, call.clone()).await;
                ensure!(outcome == served(), "an ordinary call: {outcome:?}");
            }
            Ok(())
        });
        join_all(served).await.into_iter().collect()
    }

    /// That it has not taken much more memory.
    pub(crate) fn require_bounded(&self) -> Result<()> {
        let now = self.memory()?;
        let more = now.saturating_sub(self.memory);
        ensure!(more < MORE_MEMORY, "{more} KiB more than before are held");
        Ok(())
    }

    /// Waits until so many more connections are open, at the least.
    pub(crate) async fn wait_for_sockets(&self, more: usize) -> Result<()> {
        for _ in 0..LOOKS {
            if self.sockets()? >= self.sockets + more {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("only {} connections are open", self.sockets()?)
    }

    /// Waits until it has said something.
    pub(crate) async fn wait_for_log(&self, said: &str) -> Result<()> {
        self.process.has_said(said, 1).await
    }

    /// That it lets go of every connection but the others'.
    pub(crate) async fn require_released(&self) -> Result<()> {
        for _ in 0..LOOKS {
            if self.sockets()? <= self.sockets {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!(
            "{} connections are open, {} were before",
            self.sockets()?,
            self.sockets
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

    /// How many connections it has open. SQLite's files are none.
    fn sockets(&self) -> Result<usize> {
        let mut sockets = 0;
        for file in fs::read_dir(format!("/proc/{}/fd", self.process.id()))? {
            // One that was closed meanwhile is none.
            let link = fs::read_link(file?.path()).unwrap_or_default();
            sockets += usize::from(link.to_string_lossy().starts_with("socket:"));
        }
        Ok(sockets)
    }
}
