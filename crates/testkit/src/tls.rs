//! Connections by mutual TLS, with any certificates.

use std::{io, net::SocketAddr, sync::Arc};

use anyhow::Result;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore, SupportedProtocolVersion,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
        version::{TLS12, TLS13},
    },
};
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::certs::Credentials;

/// Whom to trust, and what to show.
#[derive(Clone)]
pub struct TlsClient(TlsConnector);

impl TlsClient {
    /// A client that trusts these authorities, PEM, shows the credentials if there are any, and
    /// speaks TLS 1.3.
    ///
    /// # Errors
    /// When the credentials cannot be used.
    pub fn new(trusted: &str, own: Option<&Credentials>) -> Result<Self> {
        Self::speaking(&TLS13, trusted, own)
    }

    /// As [`Self::new`], with TLS 1.2.
    ///
    /// # Errors
    /// When the credentials cannot be used.
    pub fn old(trusted: &str, own: Option<&Credentials>) -> Result<Self> {
        Self::speaking(&TLS12, trusted, own)
    }

    fn speaking(
        version: &'static SupportedProtocolVersion,
        trusted: &str,
        own: Option<&Credentials>,
    ) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(trusted.as_bytes()) {
            roots.add(authority?)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])?
            .with_root_certificates(roots);
        let mut config = match own {
            None => config.with_no_client_auth(),
            Some(own) => {
                let chain = CertificateDer::pem_slice_iter(own.chain.as_bytes());
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes())?;
                config.with_client_auth_cert(chain.collect::<Result<_, _>>()?, key)?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// A connection.
    ///
    /// # Errors
    /// Those of the handshake; with TLS 1.3 a server that refuses the certificate says so at the
    /// first read.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        self.0.connect(name, stream).await
    }

    /// A channel for calls, which connects with the first one.
    ///
    /// # Errors
    /// Never: the address is one.
    pub fn channel(&self, address: SocketAddr) -> Result<Channel> {
        let client = self.clone();
        let connector = service_fn(move |_: Uri| {
            let client = client.clone();
            async move { client.connect(address).await.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
        Ok(endpoint.connect_with_connector_lazy(connector))
    }
}
