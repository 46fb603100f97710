//! A carrier over SMPP 3.4: one transceiver session that is kept up, in which messages go out and
//! receipts come in.
//!
//! [`Smpp::open`] starts to connect and returns at once. While there is no session, each
//! [`Smpp::submit`] is answered `Unreachable`.

mod attempt;
mod connect;
mod pace;
mod parts;
mod pdu;
mod receipt;
mod session;
mod settings;
mod status;
mod text;
mod validity;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use countersign_mfa::ports::sms::{Outgoing, ProviderName, Report, Submission};
use countersign_primitives::{ExposeSecret, SecretString};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::Instant,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::{
    attempt::{Attempt, Miss},
    connect::{Tls, keep_connected},
    pace::Pace,
    parts::Parts,
    session::{Order, Part},
    settings::{Address, MAX_PASSWORD, is_text},
};
pub use self::{connect::SmppError, settings::SmppSettings};

/// One carrier. Dropped, it takes leave of the carrier in the background.
pub struct Smpp {
    shared: Arc<Shared>,
    link: watch::Receiver<Option<Link>>,
    _stop: DropGuard,
}

/// What sessions have in common, one after the other.
struct Shared {
    name: ProviderName,
    settings: SmppSettings,
    password: SecretString,
    reports: mpsc::Sender<Report>,
    pace: Mutex<Pace>,
    parts: Mutex<Parts>,
}

/// The way into the session that is bound.
#[derive(Clone)]
struct Link {
    /// The window: how many messages may be unanswered.
    places: Arc<Semaphore>,
    orders: mpsc::Sender<Order>,
}

impl Smpp {
    /// Opens a carrier. Reports about its messages go to `reports`. Must be called within a runtime.
    ///
    /// # Errors
    /// [`SmppError`] says which field does not fit.
    pub fn open(
        name: ProviderName,
        settings: SmppSettings,
        password: SecretString,
        reports: mpsc::Sender<Report>,
    ) -> Result<Self, SmppError> {
        Self::check(&settings, &password)?;
        let tls = Tls::read(&settings)?;
        let pace = Pace::new(settings.requests_per_second, Instant::now());
        let shared = Arc::new(Shared {
            name,
            settings,
            password,
            reports,
            pace: Mutex::new(pace),
            parts: Mutex::default(),
        });
        let (sender, link) = watch::channel(None);
        let stop = CancellationToken::new();
        tokio::spawn(keep_connected(
            Arc::clone(&shared),
            tls,
            sender,
            stop.clone(),
        ));
        Ok(Self {
            shared,
            link,
            _stop: stop.drop_guard(),
        })
    }

    /// Whether a carrier can be opened so: its password, and what TLS is done with.
    pub(crate) fn check(settings: &SmppSettings, password: &SecretString) -> Result<(), SmppError> {
        let text = password.expose_secret();
        if text.is_empty() || !is_text(text, MAX_PASSWORD) {
            return Err(SmppError::Password);
        }
        Tls::read(settings).map(|_| ())
    }

    /// Gives a message to the carrier, once. Of a message of several parts that the carrier took a
    /// part of, and then not the rest, it is not known what the phone will show: `Cut`.
    pub async fn submit(&self, message: &Outgoing) -> Submission {
        let Some(link) = self.link.borrow().clone() else {
            return Miss::NoSession.submission(0);
        };
        let settings = &self.shared.settings;
        // A phone knows the parts by their reference: the same where they are sent again.
        let reference = message.id.as_bytes()[15];
        let text = message.text.expose_secret();
        let bodies = text::bodies(text, reference, settings.long, settings.default_alphabet);
        let Some(bodies) = bodies else {
            return Submission::Refused("too long".to_owned());
        };
        let destination = Address {
            kind: settings.destination,
            text: message.number.e164().trim_start_matches('+').to_owned(),
        };
        let (now, count) = (Instant::now(), bodies.len());
        let attempt = Attempt {
            shared: &self.shared,
            link,
            destination,
            until: now + message.validity,
        };
        if count > 1 {
            let mut parts = self.shared.parts();
            parts.begin(message.id, count, now, message.validity);
        }
        let (mut first, mut is_late) = (None, false);
        for (index, body) in bodies.into_iter().enumerate() {
            let part = Part {
                message: message.id,
                index,
                count,
            };
            if is_late {
                // Nobody waits: the answers that come are reported once there are all of them.
                let _ = attempt.send(part, &body).await;
                continue;
            }
            match attempt.give(part, &body).await {
                Ok(id) if index == 0 => first = id,
                Ok(_) => {}
                Err(Miss::Late) => is_late = true,
                Err(miss) => return miss.submission(index),
            }
        }
        if is_late {
            Submission::TimedOut
        } else {
            Submission::Accepted { carrier_id: first }
        }
    }

    /// Whether there is a session in which messages can go out.
    pub fn is_bound(&self) -> bool {
        self.link.borrow().is_some()
    }
}

impl Shared {
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Smpp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smpp")
            .field("name", &self.shared.name)
            .field("is_bound", &self.is_bound())
            .finish_non_exhaustive()
    }
}
