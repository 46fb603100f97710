//! The files of mutual TLS, and what connections are made with.

use std::{fs, io, path::PathBuf, sync::Arc};

use thiserror::Error;
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{self, CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
    version::TLS13,
};

/// Where certificate, key and bundle are: PEM.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// The own chain, leaf first.
    pub(crate) certificate: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
    /// Whom to trust.
    pub(crate) bundle: PathBuf,
}

/// What the files hold at one time.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    bundle: Vec<u8>,
}

/// Certificate, key or bundle cannot be used.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// A file cannot be read.
    #[error("{path} cannot be read")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds nothing of what it should hold.
    #[error("{path} holds no {what} in PEM")]
    Empty {
        /// Which.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// An authority of the bundle cannot be used.
    #[error("the bundle {path} cannot be used")]
    Bundle {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// Certificate and key do not go together.
    #[error("the certificate {certificate} cannot be used with the key {key}")]
    Pair {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

impl Files {
    pub(crate) fn read(&self) -> Result<Contents, CredentialsError> {
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|source| CredentialsError::Unreadable {
                path: path.clone(),
                source,
            })
        };
        Ok(Contents {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
            bundle: read(&self.bundle)?,
        })
    }

    /// What connections are made with: TLS 1.3, HTTP/2, and this certificate. Where the server's id
    /// is given, it is that which its certificate must have, and not the name it was called by.
    pub(crate) fn load(
        &self,
        contents: &Contents,
        server_id: Option<&str>,
    ) -> Result<ClientConfig, CredentialsError> {
        let provider = Arc::new(ring::default_provider());
        let pair = |source| CredentialsError::Pair {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            source,
        };
        let roots = self.roots(&contents.bundle)?;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(pair)?;
        let builder = match server_id {
            None => builder.with_root_certificates(roots),
            Some(id) => {
                let id = id.to_owned();
                let verifier = IdVerifier {
                    roots,
                    provider,
                    id,
                };
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(verifier))
            }
        };
        let chain = certificates(&self.certificate, &contents.certificate)?;
        let key =
            PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| CredentialsError::Empty {
                path: self.key.clone(),
                what: "private key",
            })?;
        let mut config = builder.with_client_auth_cert(chain, key).map_err(pair)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // A session that goes on would be one of the certificate that it began with.
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    fn roots(&self, bundle: &[u8]) -> Result<RootCertStore, CredentialsError> {
        let mut roots = RootCertStore::empty();
        for authority in certificates(&self.bundle, bundle)? {
            roots
                .add(authority)
                .map_err(|source| CredentialsError::Bundle {
                    path: self.bundle.clone(),
                    source,
                })?;
        }
        Ok(roots)
    }
}

fn certificates(
    path: &std::path::Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(CredentialsError::Empty {
            path: path.to_owned(),
            what: "certificates",
        }),
    }
}

/// Takes a server whose certificate the bundle vouches for and whose one URI is this id.
#[derive(Debug)]
struct IdVerifier {
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
    id: String,
}

impl ServerCertVerifier for IdVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let parsed = ParsedCertificate::try_from(leaf)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, others, now, algorithms)?;
        let leaf = webpki::EndEntityCert::try_from(leaf)
            .map_err(|_| rustls::Error::InvalidCertificate(CertificateError::BadEncoding))?;
        if leaf.valid_uri_names().eq([self.id.as_str()]) {
            Ok(ServerCertVerified::assertion())
        } else {
            let error = CertificateError::NotValidForName;
            Err(rustls::Error::InvalidCertificate(error))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
