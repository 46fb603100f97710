//! The files of TLS: read whole, checked whole, and read again when they change.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;
use tokio_rustls::rustls::{
    self, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::NoServerSessionStorage,
    version::{TLS12, TLS13},
};

use super::{
    spiffe_id::TrustDomain,
    trust::{CallerVerifier, Trust},
};

/// The largest file that is read, in bytes: a bundle of hundreds of authorities.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Where certificates, key and bundles are, and how old a protocol may be.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The gateway's own chain, leaf first: PEM.
    pub certificate: PathBuf,
    /// Its key: PEM.
    pub key: PathBuf,
    /// The authorities of each trust domain whose services may call: PEM.
    pub bundles: BTreeMap<TrustDomain, PathBuf>,
    /// The least version of TLS.
    pub min_version: TlsVersion,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2
    Tls12,
    /// 1.3
    #[default]
    Tls13,
}

/// What the files hold makes no server.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path} cannot be read")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is larger than any that means something.
    #[error("{0} has more than {MAX_FILE_BYTES} bytes")]
    TooLarge(PathBuf),
    /// A file holds nothing of what it should hold.
    #[error("{path} holds no {what} in PEM")]
    Empty {
        /// Which.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// A file is no PEM.
    #[error("{path} is no PEM: {why}")]
    NotPem {
        /// Which.
        path: PathBuf,
        /// What is said of it.
        why: String,
    },
    /// The authorities of a trust domain cannot be used.
    #[error("the bundle {path} of {domain} cannot be used: {why}")]
    Bundle {
        /// Which.
        path: PathBuf,
        /// Whose.
        domain: String,
        /// Why.
        why: String,
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

/// What all files hold at one time.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    bundles: BTreeMap<TrustDomain, Vec<u8>>,
}

/// A server's configuration, and whom it trusts.
pub(crate) struct Loaded {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) trust: Arc<Trust>,
}

impl TlsFiles {
    /// Reads every file.
    pub(crate) fn read(&self) -> Result<Contents, TlsError> {
        let bundles = self.bundles.iter();
        let bundles = bundles.map(|(domain, path)| Ok((domain.clone(), read(path)?)));
        Ok(Contents {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
            bundles: bundles.collect::<Result<_, TlsError>>()?,
        })
    }

    /// What is in force after another look, where `present` was before: own pair and bundles each by
    /// itself, so that an authority that is gone is gone, whatever else is wrong. And what is wrong.
    pub(crate) fn read_again(&self, present: &Contents) -> (Contents, Option<TlsError>) {
        let mut next = present.clone();
        let mut fault = None;
        let pair = || Ok((read(&self.certificate)?, read(&self.key)?));
        self.try_part(
            &mut next,
            &mut fault,
            pair(),
            |contents, (certificate, key)| {
                contents.certificate = certificate;
                contents.key = key;
            },
        );
        for (domain, path) in &self.bundles {
            self.try_part(&mut next, &mut fault, read(path), |contents, bundle| {
                contents.bundles.insert(domain.clone(), bundle);
            });
        }
        (next, fault)
    }

    /// Takes a part over, if all is right with it.
    fn try_part<T>(
        &self,
        contents: &mut Contents,
        fault: &mut Option<TlsError>,
        part: Result<T, TlsError>,
        set: impl FnOnce(&mut Contents, T),
    ) {
        let tried = part.and_then(|part| {
            let mut candidate = contents.clone();
            set(&mut candidate, part);
            if candidate != *contents {
                self.load(&candidate)?;
            }
            Ok(candidate)
        });
        match tried {
            Ok(candidate) => *contents = candidate,
            Err(error) => {
                fault.get_or_insert(error);
            }
        }
    }

    /// Makes of the contents what connections are accepted with.
    pub(crate) fn load(&self, contents: &Contents) -> Result<Loaded, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let trust = Arc::new(self.trust(contents, &provider)?);
        let chain = certificates(&self.certificate, &contents.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| TlsError::Empty {
            path: self.key.clone(),
            what: "private key",
        })?;
        let pair = |source| TlsError::Pair {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            source,
        };
        let versions: &[_] = match self.min_version {
            TlsVersion::Tls12 => &[&TLS13, &TLS12],
            TlsVersion::Tls13 => &[&TLS13],
        };
        let verifier = CallerVerifier {
            trust: Arc::clone(&trust),
            provider: Arc::clone(&provider),
        };
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(pair)?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_single_cert(chain, key)
            .map_err(pair)?;
        server.alpn_protocols = vec![b"h2".to_vec()];
        // Each connection proves itself anew, by what is trusted now.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Loaded {
            server: Arc::new(server),
            trust,
        })
    }

    fn trust(
        &self,
        contents: &Contents,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Trust, TlsError> {
        let bundles = contents.bundles.iter();
        let bundles = bundles.map(|(domain, pem)| {
            let authorities = certificates(&self.bundles[domain], pem)?;
            Ok((domain.clone(), authorities))
        });
        let bundles = bundles.collect::<Result<BTreeMap<_, _>, TlsError>>()?;
        Trust::new(&bundles, provider).map_err(|(domain, why)| TlsError::Bundle {
            path: self.bundles[&domain].clone(),
            domain: domain.as_str().to_owned(),
            why,
        })
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let found = fs::metadata(path).map_err(unreadable)?;
    if !found.is_file() {
        return Err(unreadable(io::ErrorKind::InvalidInput.into()));
    }
    if found.len() > MAX_FILE_BYTES {
        return Err(TlsError::TooLarge(path.to_owned()));
    }
    fs::read(path).map_err(unreadable)
}

pub(super) fn certificates(
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = read.map_err(|error| TlsError::NotPem {
        path: path.to_owned(),
        why: error.to_string(),
    })?;
    if found.is_empty() {
        return Err(TlsError::Empty {
            path: path.to_owned(),
            what: "certificate",
        });
    }
    Ok(found)
}
