//! The carrier of `tests/smsc`: an SMPP server that nobody here wrote, in a process of its own.

use std::time::Duration;

use countersign_mfa::ports::sms::{Outgoing, ProviderName, Report};
use countersign_primitives::{MessageId, SecretString};
use countersign_sms_codes::{Countries, PhoneNumber};
use countersign_sms_transport::smpp::{Smpp, SmppSettings};
use countersign_testkit::{PASSWORD, SMSC, SYSTEM_ID, Smsc};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};

const REQUIRE_ALL: &str = "COUNTERSIGN_TEST_REQUIRE_ALL";

/// The longest that anything is waited for. Nothing takes nearly as long.
const LONGEST: Duration = Duration::from_secs(60);

pub(crate) const NUMBER: &str = "+79123456789";

/// A carrier, and the providers that send through it.
pub(crate) struct Carrier {
    smsc: Smsc,
    pub(crate) port: u16,
}

/// Whether the carrier was set up; where not, it is said, and refused where nothing may be left out.
pub(crate) fn is_set_up() -> bool {
    let is_set_up = std::env::var_os(SMSC).is_some();
    if !is_set_up {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        eprintln!("{test} is left out: {SMSC} is not set, which tests/run sets up");
        assert!(
            std::env::var_os(REQUIRE_ALL).is_none(),
            "{test} was left out"
        );
    }
    is_set_up
}

impl Carrier {
    /// Starts one on a free port.
    pub(crate) async fn start() -> Self {
        Self::start_with(json!({})).await
    }

    /// Starts one with further options.
    pub(crate) async fn start_with(more: Value) -> Self {
        let smsc = Smsc::start_with(&more).await.unwrap();
        let port = smsc.port();
        Self { smsc, port }
    }

    /// Kills it as a crash would, and starts it again on the same port after a while, to do as it is
    /// told here.
    pub(crate) async fn crash(&self, down: Duration, what: &Value) {
        self.smsc.kill().await.unwrap();
        tokio::time::sleep(down).await;
        self.smsc.restart(what).await.unwrap();
    }

    /// Says what it is to do from now on, and waits until it knows.
    pub(crate) async fn tell(&self, what: Value) {
        self.smsc.tell(&what).await.unwrap();
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let is_so = |_: &Smsc| is_so(self);
        self.smsc.until(what, is_so).await.unwrap();
    }

    /// Everything of one kind that it said.
    pub(crate) fn all(&self, kind: &str) -> Vec<Value> {
        self.smsc.all(kind)
    }

    /// Waits until so many of a kind are said, and returns them all.
    pub(crate) async fn wait(&self, kind: &str, count: usize) -> Vec<Value> {
        self.smsc.wait(kind, count).await.unwrap()
    }

    /// A provider that sends through it, once it is bound; and the reports of that provider.
    pub(crate) async fn open(&self, more: Value) -> (Smpp, mpsc::Receiver<Report>) {
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
    pub(crate) async fn bound(&self, smpp: &Smpp, times: usize) {
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
        self.smsc.binds()
    }
}

/// A provider at a port.
pub(crate) fn open(port: u16, more: Value, reports: mpsc::Sender<Report>) -> Smpp {
    let mut settings = json!({
        "host": "127.0.0.1",
        "port": port,
        "system_id": SYSTEM_ID,
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
