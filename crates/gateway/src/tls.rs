//! Mutual TLS: who connects is the one SPIFFE id of its certificate, vouched for by the authorities
//! of its own trust domain.
//!
//! [`Tls`] holds what connections are accepted with. The files are read again when they change: new
//! connections have the new ones, and those that the new bundles do not vouch for are cut at once.

mod connection;
mod examine;
mod files;
mod refusals;
mod spiffe_id;
mod svid;
mod trust;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak, atomic::AtomicU64},
    time::Duration,
};

use tokio_rustls::{TlsAcceptor, rustls::pki_types::UnixTime};

use self::{
    connection::Ticket,
    files::{Contents, Loaded},
    trust::Trust,
};
pub(crate) use self::{
    connection::{Connection, Peer},
    refusals::{HandshakeError, HandshakeRefusals},
};
pub use self::{
    examine::{BundleFound, ChainFound, Life, TlsExamination, Vouched},
    files::{TlsError, TlsFiles, TlsVersion},
    spiffe_id::{SpiffeId, SpiffeIdError, TrustDomain},
};

/// How often the files are looked at. A file that was replaced counts within this time.
const LOOK: Duration = Duration::from_secs(1);

/// What connections are accepted with, and those that are open.
pub struct Tls {
    files: TlsFiles,
    contents: Mutex<Contents>,
    loaded: RwLock<Loaded>,
    refusals: HandshakeRefusals,
    open: Mutex<HashMap<u64, Weak<Ticket>>>,
    next: AtomicU64,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`]: which file is not right, and why.
    pub fn read(files: TlsFiles) -> Result<Self, TlsError> {
        let contents = files.read()?;
        let loaded = files.load(&contents)?;
        Ok(Self {
            files,
            contents: Mutex::new(contents),
            loaded: RwLock::new(loaded),
            refusals: HandshakeRefusals::default(),
            open: Mutex::default(),
            next: AtomicU64::new(0),
        })
    }

    /// Looks at the files again and again, for as long as it is polled; ends connections whose
    /// certificates have come to their end.
    pub(crate) async fn keep_fresh(self: &Arc<Self>) {
        let mut interval = tokio::time::interval(LOOK);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last_fault = String::new();
        loop {
            interval.tick().await;
            // Files may be on a network, which may hang.
            let tls = Arc::clone(self);
            let Ok(looked) = tokio::task::spawn_blocking(move || tls.refresh()).await else {
                continue;
            };
            match looked {
                Ok(()) if last_fault.is_empty() => {}
                Ok(()) => {
                    last_fault.clear();
                    tracing::info!("the certificates' files are right again");
                }
                Err(error) => {
                    // Once, not every second.
                    if last_fault != error.to_string() {
                        last_fault = error.to_string();
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "certificates have changed and are not right: what was read before of \
                             this file stays in force"
                        );
                    }
                }
            }
            self.end_old(UnixTime::now());
        }
    }

    /// Reads the files again; what has changed and is right is in force from now on. An error says what
    /// is not right.
    fn refresh(&self) -> Result<(), TlsError> {
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, fault) = self.files.read_again(&contents);
        if *contents != next {
            let loaded = self.files.load(&next)?;
            let trust = Arc::clone(&loaded.trust);
            *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
            *contents = next;
            let now = UnixTime::now();
            let distrusted = self.cut(|ticket| ticket.identify(&trust, now).is_err());
            tracing::info!(connections.cut = distrusted, "certificates were read anew");
        }
        drop(contents);
        fault.map_or(Ok(()), Err)
    }

    fn end_old(&self, now: UnixTime) {
        let trust = self.trust();
        // A chain may have a certificate to spare.
        let is_over = |ticket: &Ticket| {
            ticket.first_end < now.as_secs() && ticket.identify(&trust, now).is_err()
        };
        let ended = self.cut(is_over);
        if ended > 0 {
            tracing::info!(
                connections.cut = ended,
                "connections whose certificates have expired were cut"
            );
        }
    }

    /// Cuts those of the open connections, and says how many.
    fn cut(&self, which: impl Fn(&Ticket) -> bool) -> usize {
        let tickets: Vec<_> = self.open().values().filter_map(Weak::upgrade).collect();
        tickets
            .iter()
            .filter(|ticket| which(ticket))
            .map(|ticket| ticket.cut())
            .count()
    }

    fn acceptor(&self) -> TlsAcceptor {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&loaded.server))
    }

    fn trust(&self) -> Arc<Trust> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&loaded.trust)
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Weak<Ticket>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn refusals(&self) -> &HandshakeRefusals {
        &self.refusals
    }
}
