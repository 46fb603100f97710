//! The carrier of `tests/smsc`: an SMPP server that nobody here wrote, in a process of its own.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    task::JoinHandle,
};

use crate::free_port;

/// The folder in which the packages of `tests/smsc` are installed.
pub const SMSC: &str = "COUNTERSIGN_TEST_SMSC";

/// Who binds to the carrier.
pub const SYSTEM_ID: &str = "shop";
/// With what.
pub const PASSWORD: &str = "s3cret";

/// How often it is looked whether something is so, and for how long. Nothing takes nearly as long.
const LOOKS: u32 = 6_000;
const PAUSE: Duration = Duration::from_millis(10);

type Events = Arc<Mutex<Vec<Value>>>;

/// A carrier, and everything that it said so far, over all its lives.
pub struct Smsc {
    process: tokio::sync::Mutex<Running>,
    events: Events,
    port: u16,
}

struct Running {
    child: Child,
    stdin: ChildStdin,
    listening: JoinHandle<()>,
}

impl Smsc {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When it does not begin to listen.
    pub async fn start() -> Result<Self> {
        Self::start_with(&json!({})).await
    }

    /// Starts one with further options.
    ///
    /// # Errors
    /// When it does not begin to listen.
    pub async fn start_with(more: &Value) -> Result<Self> {
        let events = Events::default();
        let port = free_port()?;
        let mut options = more.clone();
        options["port"] = port.into();
        let smsc = Self {
            process: tokio::sync::Mutex::new(spawn(&options, &events)?),
            events,
            port,
        };
        smsc.until("it listens", |smsc| !smsc.all("listening").is_empty())
            .await?;
        Ok(smsc)
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Kills it as a crash would.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(&self) -> Result<()> {
        let mut process = self.process.lock().await;
        process.child.kill().await?;
        // All that it said before is heard.
        let _ = (&mut process.listening).await;
        Ok(())
    }

    /// Starts it again where it was, to do as it is told here and nothing that it was told before.
    /// Its ids are others.
    ///
    /// # Errors
    /// When it does not begin to listen.
    pub async fn restart(&self, what: &Value) -> Result<()> {
        let lives = self.all("listening").len();
        let first_id = 100_000 * (1 + lives);
        let again = json!({ "port": self.port, "first_id": first_id, "state": what });
        *self.process.lock().await = spawn(&again, &self.events)?;
        let is_up = |smsc: &Self| smsc.all("listening").len() > lives;
        self.until("it listens again", is_up).await
    }

    /// Says what it is to do from now on, and waits until it knows.
    ///
    /// # Errors
    /// When it does not obey.
    pub async fn tell(&self, what: &Value) -> Result<()> {
        let mut process = self.process.lock().await;
        let before = self.all("done").len();
        let line = format!("{what}\n");
        process.stdin.write_all(line.as_bytes()).await?;
        let obeys = |smsc: &Self| smsc.all("done").len() > before;
        self.until("it obeys", obeys).await
    }

    /// Waits until something is so.
    ///
    /// # Errors
    /// When it does not come to be.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) -> Result<()> {
        for _ in 0..LOOKS {
            if is_so(self) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("not so: {what}; the carrier said {:#?}", *self.held())
    }

    /// Waits until so many of a kind are said, and returns them all.
    ///
    /// # Errors
    /// When they are not.
    pub async fn wait(&self, kind: &str, count: usize) -> Result<Vec<Value>> {
        let what = format!("{count} times {kind}");
        self.until(&what, |smsc| smsc.all(kind).len() >= count)
            .await?;
        Ok(self.all(kind))
    }

    /// Everything of one kind that it said.
    pub fn all(&self, kind: &str) -> Vec<Value> {
        let events = self.held();
        let is_it = |event: &&Value| event["event"] == kind;
        events.iter().filter(is_it).cloned().collect()
    }

    /// The texts that came whole to a number: + and its digits.
    pub fn texts_to(&self, number: &str) -> Vec<String> {
        let number = number.trim_start_matches('+');
        let mut messages = self.all("message");
        messages.retain(|message| message["to"] == number);
        let text = |message: &Value| message["text"].as_str().unwrap_or_default().to_owned();
        messages.iter().map(text).collect()
    }

    /// How often it let somebody in.
    pub fn binds(&self) -> usize {
        let mut binds = self.all("bind");
        binds.retain(|bind| bind["accepted"] == true);
        binds.len()
    }

    fn held(&self) -> MutexGuard<'_, Vec<Value>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spawn(more: &Value, events: &Events) -> Result<Running> {
    let folder = std::env::var_os(SMSC).map(PathBuf::from).context(SMSC)?;
    let mut options = json!({ "system_id": SYSTEM_ID, "password": PASSWORD });
    for (key, value) in more.as_object().context("options")? {
        options[key] = value.clone();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/smsc/server.js");
    let mut child = Command::new("node")
        .arg(script)
        .arg(options.to_string())
        .env("NODE_PATH", folder.join("node_modules"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdin = child.stdin.take().context("its standard input")?;
    let stdout = child.stdout.take().context("its standard output")?;
    let mut lines = BufReader::new(stdout).lines();
    let events = Arc::clone(events);
    let listening = tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
            let mut events = events.lock().unwrap_or_else(PoisonError::into_inner);
            events.push(event);
        }
    });
    Ok(Running {
        child,
        stdin,
        listening,
    })
}
