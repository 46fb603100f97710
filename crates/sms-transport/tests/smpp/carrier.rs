//! The carrier of `tests/smsc`: an SMPP server that nobody here wrote, in a process of its own.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use countersign_mfa::ports::sms::{Outgoing, ProviderName, Report};
use countersign_primitives::{MessageId, SecretString};
use countersign_sms_codes::{Countries, PhoneNumber};
use countersign_sms_transport::smpp::{Smpp, SmppSettings};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, Command},
    sync::mpsc,
    time::timeout,
};

/// The folder in which the packages of `tests/smsc` are installed.
const SMSC: &str = "COUNTERSIGN_TEST_SMSC";
const REQUIRE_ALL: &str = "COUNTERSIGN_TEST_REQUIRE_ALL";

/// The longest that anything is waited for. Nothing takes nearly as long.
const LONGEST: Duration = Duration::from_secs(60);

pub(crate) const NUMBER: &str = "+79123456789";
pub(crate) const PASSWORD: &str = "s3cret";

/// A carrier, and everything that it said so far.
pub(crate) struct Carrier {
    child: Child,
    stdin: ChildStdin,
    lines: mpsc::UnboundedReceiver<Value>,
    folder: PathBuf,
    pub(crate) events: Vec<Value>,
    pub(crate) port: u16,
}

/// The folder that the carrier needs; none where it was not set up, which is said, and refused where
/// nothing may be left out.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os(SMSC).map(PathBuf::from);
    if folder.is_none() {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        eprintln!("{test} is left out: {SMSC} is not set, which tests/run sets up");
        assert!(
            std::env::var_os(REQUIRE_ALL).is_none(),
            "{test} was left out"
        );
    }
    folder
}

impl Carrier {
    /// Starts one on a free port.
    pub(crate) async fn start(folder: &Path) -> Self {
        Self::start_with(folder, json!({})).await
    }

    /// Starts one with further options.
    pub(crate) async fn start_with(folder: &Path, more: Value) -> Self {
        let (child, stdin, lines) = spawn(folder, &more);
        let mut carrier = Self {
            child,
            stdin,
            lines,
            folder: folder.to_owned(),
            events: Vec::new(),
            port: 0,
        };
        carrier.port = carrier.listening().await;
        carrier
    }

    /// Kills it as a crash would, and starts it again on the same port after a while.
    pub(crate) async fn crash(&mut self, down: Duration) {
        self.child.kill().await.unwrap();
        while let Some(event) = self.lines.recv().await {
            self.events.push(event);
        }
        tokio::time::sleep(down).await;
        let first_id = 1000 * (2 + self.all("listening").len());
        let more = json!({ "port": self.port, "first_id": first_id });
        let folder = self.folder.clone();
        (self.child, self.stdin, self.lines) = spawn(&folder, &more);
        self.listening().await;
    }

    async fn listening(&mut self) -> u16 {
        let before = self.all("listening").len();
        self.until("the carrier listens", |carrier| {
            carrier.all("listening").len() > before
        })
        .await;
        let port = self.all("listening")[before]["port"].as_u64().unwrap();
        port.try_into().unwrap()
    }

    /// Says what it is to do from now on, and waits until it knows.
    pub(crate) async fn tell(&mut self, what: Value) {
        let before = self.all("done").len();
        let line = format!("{what}\n");
        self.stdin.write_all(line.as_bytes()).await.unwrap();
        self.until("the carrier obeys", |carrier| {
            carrier.all("done").len() > before
        })
        .await;
    }

    /// Listens to it until something is so.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        self.hear();
        let listen = async {
            while !is_so(self) {
                let event = self.lines.recv().await.expect("the carrier runs");
                self.events.push(event);
            }
        };
        if timeout(LONGEST, listen).await.is_err() {
            panic!("not so: {what}; the carrier said {:#?}", self.events);
        }
    }

    /// What it said meanwhile.
    pub(crate) fn hear(&mut self) {
        while let Ok(event) = self.lines.try_recv() {
            self.events.push(event);
        }
    }

    /// Everything of one kind that it said.
    pub(crate) fn all(&self, kind: &str) -> Vec<&Value> {
        let is_it = |event: &&Value| event["event"] == kind;
        self.events.iter().filter(is_it).collect()
    }

    /// Waits until so many of a kind are said, and returns them all.
    pub(crate) async fn wait(&mut self, kind: &str, count: usize) -> Vec<Value> {
        self.until(&format!("{count} times {kind}"), |carrier| {
            carrier.all(kind).len() >= count
        })
        .await;
        self.all(kind).into_iter().cloned().collect()
    }

    /// A provider that sends through it, once it is bound; and the reports of that provider.
    pub(crate) async fn open(&mut self, more: Value) -> (Smpp, mpsc::Receiver<Report>) {
        let bound = self.accepted_binds();
        let (smpp, reports) = self.open_unbound(more);
        self.bound(&smpp, bound + 1).await;
        (smpp, reports)
    }

    /// A provider that may not be bound yet.
    pub(crate) fn open_unbound(&self, more: Value) -> (Smpp, mpsc::Receiver<Report>) {
        let (sender, reports) = mpsc::channel(100);
        (open(self.port, more, sender), reports)
    }

    /// Waits until it has let somebody in so many times, and the provider knows.
    pub(crate) async fn bound(&mut self, smpp: &Smpp, times: usize) {
        self.until("bound", |carrier| carrier.accepted_binds() >= times)
            .await;
        let known = async {
            while !smpp.is_bound() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONGEST, known)
            .await
            .expect("the provider is bound");
    }

    pub(crate) fn accepted_binds(&self) -> usize {
        let binds = self.all("bind");
        binds.iter().filter(|bind| bind["accepted"] == true).count()
    }
}

fn spawn(folder: &Path, more: &Value) -> (Child, ChildStdin, mpsc::UnboundedReceiver<Value>) {
    let mut options = json!({ "system_id": "shop", "password": PASSWORD });
    let more = more.as_object().unwrap().clone();
    options.as_object_mut().unwrap().extend(more);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/smsc/server.js");
    let mut child = Command::new("node")
        .arg(script)
        .arg(options.to_string())
        .env("NODE_PATH", folder.join("node_modules"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node starts");
    let stdin = child.stdin.take().unwrap();
    let mut read = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, lines) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok(Some(line)) = read.next_line().await {
            let _ = sender.send(serde_json::from_str(&line).unwrap());
        }
    });
    (child, stdin, lines)
}

/// A provider at a port.
pub(crate) fn open(port: u16, more: Value, reports: mpsc::Sender<Report>) -> Smpp {
    let mut settings = json!({
        "host": "127.0.0.1",
        "port": port,
        "system_id": "shop",
        "source": "Example",
        "response_timeout_seconds": 5,
    });
    let more = more.as_object().unwrap().clone();
    settings.as_object_mut().unwrap().extend(more);
    let password = settings.as_object_mut().unwrap().remove("password");
    let password = password
        .as_ref()
        .and_then(Value::as_str)
        .unwrap_or(PASSWORD);
    let settings: SmppSettings = serde_json::from_value(settings).unwrap();
    Smpp::open(provider(), settings, password.into(), reports).unwrap()
}

pub(crate) fn provider() -> ProviderName {
    "first".parse().unwrap()
}

/// A message with a text, for five minutes.
pub(crate) fn message(id: u64, text: &str) -> Outgoing {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&id.to_be_bytes());
    Outgoing {
        id: MessageId::from_bytes(bytes),
        number: PhoneNumber::parse(NUMBER, &Countries::All).unwrap(),
        text: SecretString::from(text),
        validity: Duration::from_secs(300),
    }
}

/// The next report, which must come.
pub(crate) async fn next(reports: &mut mpsc::Receiver<Report>) -> Report {
    let report = timeout(LONGEST, reports.recv()).await;
    report.expect("a report comes").unwrap()
}
