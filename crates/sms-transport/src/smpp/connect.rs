//! Connecting to a carrier, and staying connected.

use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use thiserror::Error;
use tokio::{
    net::TcpStream,
    sync::{Semaphore, mpsc, watch},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Link, Shared,
    session::{BindError, End, Io, Session, wire},
    settings::SmppSettings,
    status,
};

/// The pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause: a code lives for minutes.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The shortest pause after a bind was refused: most often somebody has to do something.
const REFUSED_PAUSE: Duration = Duration::from_secs(5);

/// Why a provider cannot be opened.
#[derive(Debug, Error)]
pub enum SmppError {
    /// The password cannot be one.
    #[error("password must be 1 to 8 ASCII characters")]
    Password,
    /// The file of `tls.ca` cannot be read.
    #[error("tls.ca names {}, which cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It has no certificates.
    #[error("tls.ca names {}, which must hold certificates in PEM", path.display())]
    NoCertificates {
        /// The file.
        path: PathBuf,
    },
    /// The settings of TLS do not fit together.
    #[error("tls cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// `tls.server_name`, or `host` in its place, is no name.
    #[error("tls.server_name must be a host name or an IP address")]
    ServerName,
}

/// How the connection is secured.
pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// TLS as the settings have it; none where they have none.
    pub(super) fn read(settings: &SmppSettings) -> Result<Option<Self>, SmppError> {
        let Some(tls) = &settings.tls else {
            return Ok(None);
        };
        let mut roots = RootCertStore::empty();
        match &tls.ca {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(path) => {
                let pem = fs::read(path).map_err(|error| SmppError::Unreadable {
                    path: path.clone(),
                    error,
                })?;
                let none = || SmppError::NoCertificates { path: path.clone() };
                for certificate in CertificateDer::pem_slice_iter(&pem) {
                    let certificate = certificate.map_err(|_| none())?;
                    roots.add(certificate).map_err(|_| none())?;
                }
                if roots.is_empty() {
                    return Err(none());
                }
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = tls.server_name.as_ref().unwrap_or(&settings.host);
        Ok(Some(Self {
            connector: TlsConnector::from(Arc::new(config)),
            name: ServerName::try_from(name.clone()).map_err(|_| SmppError::ServerName)?,
        }))
    }
}

/// Connects, and connects again whenever the connection is lost, until it is told to stop. Whoever
/// wants to send looks at the link.
pub(super) async fn keep_connected(
    shared: Arc<Shared>,
    tls: Option<Tls>,
    link: watch::Sender<Option<Link>>,
    stop: CancellationToken,
) {
    let provider = &shared.name;
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = tokio::select! {
            () = stop.cancelled() => return,
            begun = begin(&shared, tls.as_ref()) => begun,
        };
        match begun {
            Ok(session) => {
                tracing::info!(sms.provider = %provider, "bound to the carrier");
                let since = Instant::now();
                // A message waits for its place in the window, not in this line.
                let window = usize::from(shared.settings.window);
                let (sender, orders) = mpsc::channel(window);
                let places = Arc::new(Semaphore::new(window));
                link.send_replace(Some(Link {
                    places,
                    orders: sender,
                }));
                let end = session.run(orders, &stop).await;
                link.send_replace(None);
                match end {
                    End::Asked => return,
                    End::Lost(reason) => tracing::warn!(
                        sms.provider = %provider,
                        "the connection to the carrier was lost: {reason}"
                    ),
                }
                if since.elapsed() >= pause {
                    pause = FIRST_PAUSE;
                }
            }
            Err(BindError::Lost(reason)) => tracing::warn!(
                sms.provider = %provider,
                "the carrier cannot be reached: {reason}"
            ),
            Err(BindError::Refused(status)) => {
                tracing::error!(
                    sms.provider = %provider,
                    smpp.status = status::reason(status),
                    "the carrier refused the bind: {}",
                    status::of_bind(status)
                );
                pause = pause.max(REFUSED_PAUSE);
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(jittered(pause)) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A session that is bound.
async fn begin<'a>(shared: &'a Shared, tls: Option<&Tls>) -> Result<Session<'a>, BindError> {
    let most = shared.settings.response_timeout;
    let io = match timeout(most, connect(&shared.settings, tls)).await {
        Ok(connected) => connected.map_err(|error| BindError::Lost(error.to_string()))?,
        Err(_) => return Err(BindError::Lost("it takes too long to connect".to_owned())),
    };
    let mut session = Session::new(shared, wire(io));
    match timeout(most, session.bind()).await {
        Ok(bound) => bound.map(|()| session),
        Err(_) => Err(BindError::Lost("it takes too long to bind".to_owned())),
    }
}

async fn connect(settings: &SmppSettings, tls: Option<&Tls>) -> io::Result<Box<dyn Io>> {
    let tcp = TcpStream::connect((settings.host.as_str(), settings.port)).await?;
    tcp.set_nodelay(true)?;
    Ok(match tls {
        None => Box::new(tcp),
        Some(tls) => Box::new(tls.connector.connect(tls.name.clone(), tcp).await?),
    })
}

/// Half of the pause to all of it.
#[expect(
    clippy::disallowed_methods,
    reason = "gateways must not come back to a carrier all at once, and a pause is no secret"
)]
fn jittered(pause: Duration) -> Duration {
    let chance = f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX);
    pause.mul_f64(0.5 + chance / 2.0)
}
