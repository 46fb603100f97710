//! How a client by mutual TLS is described.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio_rustls::rustls::pki_types::ServerName;
use tonic::{
    codegen::http::Uri,
    transport::{Channel, Endpoint},
};

use crate::{
    CALL_TIMEOUT, Client, ConnectError, ReloadError,
    connection::{Connection, Current},
    credentials::{Contents, Files},
    endpoint_of,
    mutual::Mutual,
};

/// Describes a client by mutual TLS: see [`Client::builder`].
#[must_use = "it connects with `connect` or `connect_lazy`"]
pub struct Builder {
    endpoint: String,
    files: Files,
    server_id: Option<String>,
    deadline: Duration,
    on_reload: crate::mutual::OnReload,
}

impl Builder {
    pub(crate) fn new(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            files: Files::default(),
            server_id: None,
            deadline: CALL_TIMEOUT,
            on_reload: Arc::new(|_| {}),
        }
    }

    /// Who this is: a certificate chain, leaf first, and its key, PEM. The files are looked at every
    /// second; once they hold another certificate, new calls go over a connection with that one, and
    /// those under way come to their end.
    pub fn identity(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.files.certificate = certificate.into();
        self.files.key = key.into();
        self
    }

    /// Whom to trust: the certificates of authorities, PEM. Looked at like the identity.
    pub fn trust(mut self, bundle: impl Into<PathBuf>) -> Self {
        self.files.bundle = bundle.into();
        self
    }

    /// The SPIFFE id that the server must have, such as `spiffe://countersign.dev/gateway`. Without
    /// it the server's certificate must have the host name of the endpoint.
    pub fn server_id(mut self, id: impl Into<String>) -> Self {
        self.server_id = Some(id.into());
        self
    }

    /// How long a call may take that says nothing itself, by `Request::set_timeout`. The server is
    /// told; 10 seconds where this is not called.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Is told whenever calls go over to new certificates, and once for each reason why they cannot:
    /// then they go on with those before, which somebody should know.
    pub fn on_reload(
        mut self,
        told: impl Fn(Result<(), &ReloadError>) + Send + Sync + 'static,
    ) -> Self {
        self.on_reload = Arc::new(told);
        self
    }

    /// Connects, and sees that the server takes the certificate.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let (mutual, contents) = self.mutual()?;
        let channel = mutual
            .connected(&contents)
            .await
            .map_err(|error| match error {
                ReloadError::Credentials(error) => ConnectError::Credentials(error),
                ReloadError::Refused(source) => ConnectError::Refused {
                    endpoint: self.endpoint.clone(),
                    source,
                },
            })?;
        Ok(self.client(mutual, contents, channel))
    }

    /// As [`Self::connect`], but the connection is made with the first call.
    ///
    /// # Errors
    /// [`ConnectError`], about the endpoint and the files only. Must be called inside a Tokio runtime.
    pub fn connect_lazy(self) -> Result<Client, ConnectError> {
        let (mutual, contents) = self.mutual()?;
        let channel = mutual.lazily(&contents)?;
        Ok(self.client(mutual, contents, channel))
    }

    fn client(&self, mutual: Mutual, contents: Contents, channel: Channel) -> Client {
        let current = Arc::new(Current::new(channel));
        tokio::spawn(mutual.keep_fresh(contents, Arc::downgrade(&current)));
        Client {
            connection: Connection {
                current,
                caller: None,
                deadline: Some(self.deadline),
            },
        }
    }

    fn mutual(&self) -> Result<(Mutual, Contents), ConnectError> {
        let wrong = || ConnectError::TlsEndpoint(self.endpoint.clone());
        let uri = self.endpoint.parse::<Uri>().map_err(|_| wrong())?;
        let host = uri.host().filter(|_| uri.scheme_str() == Some("https"));
        let host = host.ok_or_else(wrong)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| wrong())?;
        // The connector has TLS of its own: tonic would look for one of tonic's.
        let plain = format!(
            "http://{}",
            uri.authority().map_or("", |place| place.as_str())
        );
        let endpoint = Endpoint::from_shared(plain).map_err(|_| wrong())?;
        let mutual = Mutual {
            endpoint: endpoint_of(endpoint).origin(uri.clone()),
            host,
            port: uri.port_u16().unwrap_or(443),
            name,
            files: self.files.clone(),
            server_id: self.server_id.clone(),
            on_reload: Arc::clone(&self.on_reload),
        };
        let contents = mutual.files.read()?;
        Ok((mutual, contents))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(builder: Builder) -> ConnectError {
        match builder.mutual() {
            Ok(_) => panic!("it was taken"),
            Err(error) => error,
        }
    }

    #[test]
    fn an_endpoint_without_tls_is_refused() {
        for endpoint in [
            "http://localhost:50051",
            "localhost:50051",
            "https://",
            "not one",
        ] {
            let error = refused(Client::builder(endpoint));
            assert!(matches!(error, ConnectError::TlsEndpoint(_)), "{error}");
        }
    }

    #[test]
    fn files_that_are_not_there_are_named() {
        let builder = Client::builder("https://[::1]:50051")
            .identity("no/such.pem", "no/such.key")
            .trust("no/such/ca.pem");
        let error = refused(builder).to_string();
        assert!(error.contains("no/such.pem"), "{error}");
    }
}
