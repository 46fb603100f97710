//! Connections by mutual TLS, and how they come to have new certificates.

use std::{
    error::Error,
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream, rustls::pki_types::ServerName};
use tonic::{
    Request, Status,
    client::Grpc,
    codegen::{
        Service, StdError,
        http::{Uri, uri::PathAndQuery},
    },
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

use crate::{
    CONNECT_TIMEOUT, CredentialsError,
    connection::Current,
    credentials::{Contents, Files},
};

/// How often the files are looked at. A file that was replaced counts within this time.
const LOOK: Duration = Duration::from_secs(1);
/// What every server of gRPC is asked to see whether it is there.
const HEALTH: PathAndQuery = PathAndQuery::from_static("/grpc.health.v1.Health/Check");

/// What is told whenever certificates were exchanged, or could not be.
pub(crate) type OnReload = Arc<dyn Fn(Result<(), &ReloadError>) + Send + Sync>;

/// Certificates have changed, and calls go on with those before.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// The files are not right.
    #[error("certificates have changed and are not right: those read before stay in use")]
    Credentials(#[from] CredentialsError),
    /// With what they hold, no connection comes about.
    #[error("no connection comes about with the new certificates: those read before stay in use")]
    Refused(#[source] StdError),
}

/// How to connect.
#[derive(Clone)]
pub(crate) struct Mutual {
    pub(crate) endpoint: Endpoint,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) name: ServerName<'static>,
    pub(crate) files: Files,
    pub(crate) server_id: Option<String>,
    pub(crate) on_reload: OnReload,
}

impl fmt::Debug for Mutual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutual")
            .field("endpoint", &self.endpoint)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Mutual {
    /// A channel that connects with the first call.
    pub(crate) fn lazily(&self, contents: &Contents) -> Result<Channel, CredentialsError> {
        let connector = self.connector(contents)?;
        Ok(self.endpoint.connect_with_connector_lazy(connector))
    }

    /// A channel over which the server has answered. With TLS 1.3 a client learns only then whether
    /// its certificate was taken.
    pub(crate) async fn connected(&self, contents: &Contents) -> Result<Channel, ReloadError> {
        let connector = self.connector(contents)?;
        let connecting = self.endpoint.connect_with_connector(connector).await;
        let channel = connecting.map_err(|error| ReloadError::Refused(error.into()))?;
        answered(channel.clone())
            .await
            .map_err(|status| ReloadError::Refused(status.into()))?;
        Ok(channel)
    }

    fn connector(&self, contents: &Contents) -> Result<Connector, CredentialsError> {
        let config = self.files.load(contents, self.server_id.as_deref())?;
        Ok(Connector {
            tls: TlsConnector::from(Arc::new(config)),
            host: self.host.clone(),
            port: self.port,
            name: self.name.clone(),
        })
    }

    /// Looks at the files again and again, for as long as somebody has the connection. New calls go
    /// over a new connection once the server has answered there.
    pub(crate) async fn keep_fresh(self, mut contents: Contents, current: Weak<Current>) {
        let mut last_fault = String::new();
        loop {
            tokio::time::sleep(LOOK).await;
            if current.strong_count() == 0 {
                return;
            }
            let fresh = self.refreshed(&contents).await;
            let Some(current) = current.upgrade() else {
                return;
            };
            match fresh {
                Ok(None) => last_fault.clear(),
                Ok(Some((fresh, channel))) => {
                    current.set(channel);
                    contents = fresh;
                    last_fault.clear();
                    (self.on_reload)(Ok(()));
                }
                Err(error) => {
                    // Once, not every second.
                    let fault = in_full(&error);
                    if fault != last_fault {
                        last_fault = fault;
                        (self.on_reload)(Err(&error));
                    }
                }
            }
        }
    }

    async fn refreshed(
        &self,
        contents: &Contents,
    ) -> Result<Option<(Contents, Channel)>, ReloadError> {
        let fresh = self.files.read()?;
        if fresh == *contents {
            return Ok(None);
        }
        let channel = self.connected(&fresh).await?;
        Ok(Some((fresh, channel)))
    }
}

/// That the server answers, whatever it says: a failure of the transport has a source.
async fn answered(channel: Channel) -> Result<(), Status> {
    let mut client = Grpc::new(channel);
    client
        .ready()
        .await
        .map_err(|error| Status::from_error(error.into()))?;
    let mut request = Request::new(());
    request.set_timeout(CONNECT_TIMEOUT);
    let asked = client.unary(request, HEALTH, ProstCodec::<(), ()>::default());
    match asked.await {
        Err(status) if status.source().is_some() => Err(status),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// An error with everything behind it.
pub(crate) fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(found) = cause {
        text = format!("{text}: {found}");
        cause = found.source();
    }
    text
}

/// Makes connections.
#[derive(Clone)]
struct Connector {
    tls: TlsConnector,
    host: String,
    port: u16,
    name: ServerName<'static>,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let stream = TcpStream::connect((this.host, this.port)).await?;
            stream.set_nodelay(true)?;
            let stream = this.tls.connect(this.name, stream).await?;
            Ok(TokioIo::new(stream))
        })
    }
}
