//! A carrier in memory, which does as it is told.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "for tests alone: what is not there fails the test"
)]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use countersign_mfa::ports::sms::{
    Carriers, MessageState, Outgoing, ProviderName, Report, ReportedMessage, Submission,
};
use countersign_primitives::{ExposeSecret, MessageId};
use countersign_sms_codes::PhoneNumber;
use tokio::sync::mpsc;

/// A message that a carrier was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarriedMessage {
    /// The provider that was given it.
    pub provider: String,
    /// Its id.
    pub id: MessageId,
    /// The number: + and its digits.
    pub number: String,
    /// The text, code included.
    pub text: String,
}

impl CarriedMessage {
    /// The code in it: its last six digits in a row. An amount or a destination stands before it.
    ///
    /// # Panics
    /// When it has none.
    pub fn code(&self) -> String {
        let is_digit = |c: char| c.is_ascii_digit();
        let runs = self.text.split(|c: char| !is_digit(c));
        let code = runs.rev().find(|run| run.len() == 6);
        code.unwrap_or_else(|| panic!("no code in {:?}", self.text))
            .to_owned()
    }
}

type Script = Box<dyn FnMut(&CarriedMessage) -> Submission + Send>;

/// A carrier in memory. Clones are the same carrier, for several gateways.
#[derive(Clone)]
pub struct FakeCarrier(Arc<Inner>);

struct Inner {
    providers: Mutex<Vec<ProviderName>>,
    messages: Mutex<Vec<CarriedMessage>>,
    script: Mutex<Script>,
    reports: (
        mpsc::UnboundedSender<Report>,
        tokio::sync::Mutex<mpsc::UnboundedReceiver<Report>>,
    ),
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a carrier that works answers.
pub fn accepted(message: &CarriedMessage) -> Submission {
    Submission::Accepted {
        carrier_id: Some(format!("carrier-{}", message.id)),
    }
}

impl Default for FakeCarrier {
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let carrier = Self(Arc::new(Inner {
            providers: Mutex::default(),
            messages: Mutex::default(),
            script: Mutex::new(Box::new(accepted)),
            reports: (sender, tokio::sync::Mutex::new(receiver)),
        }));
        carrier.set_providers(&["fake"]);
        carrier
    }
}

impl FakeCarrier {
    /// The providers that there are, in the order in which they are tried.
    ///
    /// # Panics
    /// When one has no name that a provider can have.
    pub fn set_providers(&self, names: &[&str]) {
        let names = names.iter().map(|name| name.parse().expect("a name"));
        *held(&self.0.providers) = names.collect();
    }

    /// What is answered to each message from now on.
    pub fn set_script(&self, script: impl FnMut(&CarriedMessage) -> Submission + Send + 'static) {
        *held(&self.0.script) = Box::new(script);
    }

    /// Every message so far, whatever was answered to it.
    pub fn messages(&self) -> Vec<CarriedMessage> {
        held(&self.0.messages).clone()
    }

    /// Every message to a number so far.
    pub fn messages_to(&self, number: &str) -> Vec<CarriedMessage> {
        let mut messages = self.messages();
        messages.retain(|message| message.number == number);
        messages
    }

    /// Waits until a number has been sent so many messages, and returns the last of them.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn nth_message_to(&self, number: &str, count: usize) -> CarriedMessage {
        for _ in 0..6_000 {
            let messages = self.messages_to(number);
            if let Some(message) = messages.get(count - 1) {
                return message.clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("no message number {count} came to {number}");
    }

    /// Answers late for a message that no answer came to in time, and tells what it calls it.
    pub fn report_late(&self, message: &CarriedMessage, state: MessageState) {
        let name = format!("carrier-{}", message.id);
        let report = Report {
            provider: message.provider.parse().expect("a name"),
            about: ReportedMessage::Ours(message.id, Some(name)),
            state,
        };
        let _ = self.0.reports.0.send(report);
    }

    /// Reports what became of a message.
    pub fn report(&self, message: &CarriedMessage, state: MessageState) {
        let report = Report {
            provider: message.provider.parse().expect("a name"),
            about: ReportedMessage::ByCarrier(format!("carrier-{}", message.id)),
            state,
        };
        let _ = self.0.reports.0.send(report);
    }
}

#[async_trait]
impl Carriers for FakeCarrier {
    fn route(&self, _: &PhoneNumber, _: MessageId) -> Vec<ProviderName> {
        held(&self.0.providers).clone()
    }

    async fn submit(&self, provider: &ProviderName, message: &Outgoing) -> Submission {
        let message = CarriedMessage {
            provider: provider.to_string(),
            id: message.id,
            number: message.number.e164().to_owned(),
            text: message.text.expose_secret().to_owned(),
        };
        held(&self.0.messages).push(message.clone());
        held(&self.0.script)(&message)
    }

    async fn report(&self) -> Report {
        let mut reports = self.0.reports.1.lock().await;
        match reports.recv().await {
            Some(report) => report,
            None => std::future::pending().await,
        }
    }
}
