//! What the files of TLS hold, for an operator who asks before something goes wrong: each part for
//! itself, whatever the others are.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use countersign_primitives::Timestamp;
use tokio_rustls::rustls::{
    crypto::ring,
    pki_types::{CertificateDer, UnixTime},
};
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

use super::{
    files::{TlsError, TlsFiles, certificates, read},
    spiffe_id::{SpiffeId, TrustDomain},
    svid::Svid,
    trust::Trust,
};

/// What the files of TLS hold.
#[derive(Debug)]
pub struct TlsExamination {
    /// The gateway's own chain.
    pub chain: Result<ChainFound, TlsError>,
    /// Whether all files together make a server: above all whether the key is that of the chain.
    /// Told only where each of them can be read.
    pub whole: Option<Result<(), TlsError>>,
    /// Whether the key can be read.
    pub key: Result<(), TlsError>,
    /// The authorities of each trust domain.
    pub bundles: BTreeMap<TrustDomain, Result<BundleFound, TlsError>>,
}

/// A chain of certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainFound {
    /// How many there are.
    pub certificates: usize,
    /// When the leaf is valid.
    pub leaf: Life,
    /// The end of the one that ends first.
    pub first_end: Timestamp,
    /// Who the leaf says the gateway is, or why it is no X.509-SVID.
    pub id: Result<SpiffeId, String>,
    /// Whether the leaf has a DNS name or an address, for clients that check these.
    pub has_names: bool,
    /// Whether an authority of its trust domain vouches for it.
    pub vouched: Vouched,
}

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Its first second.
    pub from: Timestamp,
    /// Its last second.
    pub until: Timestamp,
}

/// Whether an authority vouches for a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vouched {
    /// One does.
    Yes,
    /// None does, for this reason.
    No(String),
    /// There is no bundle of its trust domain to ask, or none that can be read.
    NobodyToAsk,
}

/// A bundle of authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleFound {
    /// When each of them is valid; at least one.
    pub authorities: Vec<Life>,
}

impl TlsFiles {
    /// Looks at each file.
    pub fn examine(&self) -> TlsExamination {
        let bundles: BTreeMap<_, _> = self
            .bundles
            .iter()
            .map(|(domain, path)| (domain.clone(), chain_of(path)))
            .collect();
        let chain = chain_of(&self.certificate);
        let chain = chain.and_then(|chain| self.examine_chain(&chain, &bundles));
        let key = read(&self.key).map(drop);
        let bundles: BTreeMap<_, _> = bundles
            .into_iter()
            .map(|(domain, authorities)| {
                let path = &self.bundles[&domain];
                let lives = authorities.and_then(|all| lives(path, &all));
                (domain, lives.map(|authorities| BundleFound { authorities }))
            })
            .collect();
        let is_readable = chain.is_ok() && key.is_ok() && bundles.values().all(Result::is_ok);
        let whole = is_readable.then(|| self.load(&self.read()?).map(drop));
        TlsExamination {
            chain,
            whole,
            key,
            bundles,
        }
    }

    fn examine_chain(
        &self,
        chain: &[CertificateDer<'static>],
        bundles: &BTreeMap<TrustDomain, Result<Vec<CertificateDer<'static>>, TlsError>>,
    ) -> Result<ChainFound, TlsError> {
        let lives = lives(&self.certificate, chain)?;
        // A file without certificates is an error already.
        let (leaf, others) = chain.split_first().ok_or_else(|| self.no_chain())?;
        let leafs_life = *lives.first().ok_or_else(|| self.no_chain())?;
        let first_end = lives.iter().map(|life| life.until).min();
        let id = Svid::of_leaf(leaf).map(|svid| svid.id);
        let bundle = id.as_ref().ok().and_then(|id| {
            let mut bundles = bundles.iter();
            bundles.find(|(domain, _)| domain.as_str() == id.trust_domain())
        });
        let vouched = match bundle {
            Some((domain, Ok(authorities))) => {
                // At the end of the first that ends, so that a chain that has expired is told once, as
                // one that has expired.
                let end = first_end.unwrap_or(leafs_life.until).as_secs();
                let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(end));
                vouched(domain, authorities, leaf, others, at)
            }
            Some((_, Err(_))) | None => Vouched::NobodyToAsk,
        };
        Ok(ChainFound {
            certificates: chain.len(),
            leaf: leafs_life,
            first_end: first_end.unwrap_or(leafs_life.until),
            id: id.map_err(|error| error.to_string()),
            has_names: has_names(leaf),
            vouched,
        })
    }

    fn no_chain(&self) -> TlsError {
        TlsError::Empty {
            path: self.certificate.clone(),
            what: "certificate",
        }
    }
}

fn chain_of(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    certificates(path, &read(path)?)
}

fn vouched(
    domain: &TrustDomain,
    authorities: &[CertificateDer<'static>],
    leaf: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    at: UnixTime,
) -> Vouched {
    let bundles = [(domain.clone(), authorities.to_vec())].into();
    let Ok(trust) = Trust::new(&bundles, &Arc::new(ring::default_provider())) else {
        return Vouched::NobodyToAsk;
    };
    match trust.identify(leaf, others, at) {
        Ok(_) => Vouched::Yes,
        Err(error) => Vouched::No(error.to_string()),
    }
}

fn lives(path: &Path, certificates: &[CertificateDer<'_>]) -> Result<Vec<Life>, TlsError> {
    let life = |certificate: &CertificateDer<'_>| {
        let (_, certificate) =
            parse_x509_certificate(certificate).map_err(|error| TlsError::NotPem {
                path: path.to_owned(),
                why: format!("a certificate in it cannot be read: {error}"),
            })?;
        let validity = certificate.validity();
        let instant = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
        Ok(Life {
            from: instant(validity.not_before.timestamp()),
            until: instant(validity.not_after.timestamp()),
        })
    };
    certificates.iter().map(life).collect()
}

/// Whether a client that knows nothing of SPIFFE ids has something to compare with.
fn has_names(leaf: &CertificateDer<'_>) -> bool {
    let Ok((_, certificate)) = parse_x509_certificate(leaf) else {
        return false;
    };
    let names = certificate.subject_alternative_name().ok().flatten();
    names.is_some_and(|names| {
        let mut names = names.value.general_names.iter();
        names.any(|name| matches!(name, GeneralName::DNSName(_) | GeneralName::IPAddress(_)))
    })
}
