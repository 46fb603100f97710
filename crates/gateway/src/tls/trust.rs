//! Whom we trust: for each trust domain the authorities that vouch for its ids, and for no other's.

use std::{collections::BTreeMap, sync::Arc};

use thiserror::Error;
use tokio_rustls::rustls::{
    self, CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use super::{
    refusals,
    spiffe_id::TrustDomain,
    svid::{Svid, SvidError},
};

/// The authorities of each trust domain.
#[derive(Debug)]
pub(crate) struct Trust {
    domains: BTreeMap<TrustDomain, Arc<dyn ClientCertVerifier>>,
}

/// A chain of certificates does not make a caller. For the log.
#[derive(Debug, Error)]
pub(crate) enum DistrustError {
    #[error(transparent)]
    Leaf(#[from] SvidError),
    #[error("no bundle is configured for the trust domain of {0}")]
    ForeignDomain(String),
    #[error("no authority of its trust domain vouches for {id}: {source}")]
    Path {
        id: String,
        #[source]
        source: rustls::Error,
    },
}

impl Trust {
    /// Trusts these authorities, for these domains.
    ///
    /// # Errors
    /// What is wrong with a bundle, and whose it is.
    pub(crate) fn new(
        bundles: &BTreeMap<TrustDomain, Vec<CertificateDer<'static>>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, (TrustDomain, String)> {
        let verifier = |authorities: &[CertificateDer<'static>]| {
            let mut roots = RootCertStore::empty();
            for authority in authorities {
                roots
                    .add(authority.clone())
                    .map_err(|error| error.to_string())?;
            }
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()
                .map_err(|error| error.to_string())
        };
        let domains = bundles.iter().map(|(domain, authorities)| {
            let made = verifier(authorities).map_err(|why| (domain.clone(), why))?;
            Ok((domain.clone(), made))
        });
        Ok(Self {
            domains: domains.collect::<Result<_, _>>()?,
        })
    }

    /// Who a chain of certificates proves its holder to be. The path is validated against the
    /// authorities of the leaf's own trust domain (X.509-SVID section 5.1, RFC 5280).
    pub(crate) fn identify(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Svid, DistrustError> {
        let svid = Svid::of_leaf(leaf)?;
        let id = || svid.id.to_string();
        let verifier = self
            .domains
            .iter()
            .find(|(domain, _)| domain.as_str() == svid.id.trust_domain())
            .map(|(_, verifier)| verifier)
            .ok_or_else(|| DistrustError::ForeignDomain(id()))?;
        verifier
            .verify_client_cert(leaf, others, now)
            .map_err(|source| DistrustError::Path { id: id(), source })?;
        Ok(svid)
    }
}

/// Checks the certificates of callers while they connect.
#[derive(Debug)]
pub(crate) struct CallerVerifier {
    pub(crate) trust: Arc<Trust>,
    pub(crate) provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for CallerVerifier {
    /// None: whoever connects learns nothing about whom we trust.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    /// The reason is for the log; outside, every refusal is the same alert.
    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        match self.trust.identify(leaf, others, now) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(error) => {
                refusals::note(error);
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
