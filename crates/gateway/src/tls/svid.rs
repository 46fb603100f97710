//! Certificates of callers: what the X.509-SVID standard asks of a leaf, beyond a valid path.

use thiserror::Error;
use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, parse_x509_certificate};

use super::spiffe_id::{SpiffeId, SpiffeIdError};

/// What a leaf says, once it says it in the right form. Nothing of it is proved yet.
#[derive(Clone, Debug)]
pub(crate) struct Svid {
    /// Who it is.
    pub(crate) id: SpiffeId,
}

/// A leaf is no X.509-SVID. For the log: outside, all refusals are the same.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum SvidError {
    #[error("the certificate cannot be read")]
    Unreadable,
    #[error("the certificate has no URI among its alternative names")]
    NoId,
    #[error("the certificate has {0} URIs among its alternative names, and must have one")]
    SeveralIds(usize),
    #[error("the URI of the certificate is no SPIFFE id: it {0}")]
    Id(#[from] SpiffeIdError),
    #[error("the certificate is one of an authority (CA:TRUE)")]
    Authority,
    #[error("the certificate says nothing about what its key may be used for (key usage)")]
    NoKeyUsage,
    #[error("the key usage of the certificate is not marked as critical")]
    KeyUsageNotCritical,
    #[error("the key of the certificate may sign certificates or revocation lists (key usage)")]
    MaySign,
    #[error("the key of the certificate may not make digital signatures (key usage)")]
    NoDigitalSignature,
    #[error("the certificate is for one side of a connection only (extended key usage)")]
    OneSided,
}

impl Svid {
    /// Reads a leaf by the rules of X.509-SVID, sections 2, 4 and 5.2.
    pub(crate) fn of_leaf(leaf: &CertificateDer<'_>) -> Result<Self, SvidError> {
        let (rest, certificate) =
            parse_x509_certificate(leaf).map_err(|_| SvidError::Unreadable)?;
        if !rest.is_empty() {
            return Err(SvidError::Unreadable);
        }
        let id = only_uri(&certificate)?.parse()?;
        require_leaf(&certificate)?;
        Ok(Self { id })
    }
}

/// The last second of a certificate's life, in seconds since the epoch.
pub(super) fn end_of(certificate: &CertificateDer<'_>) -> Result<u64, SvidError> {
    let (_, certificate) =
        parse_x509_certificate(certificate).map_err(|_| SvidError::Unreadable)?;
    let end = certificate.validity().not_after.timestamp();
    Ok(u64::try_from(end).unwrap_or(0))
}

fn only_uri<'a>(certificate: &'a X509Certificate<'_>) -> Result<&'a str, SvidError> {
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| SvidError::Unreadable)?;
    let names = names.map_or(&[][..], |names| &names.value.general_names);
    // One that cannot be read is left out of what follows, and may be another id.
    if names
        .iter()
        .any(|name| matches!(name, GeneralName::Invalid(..)))
    {
        return Err(SvidError::Unreadable);
    }
    let uris: Vec<&str> = names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        })
        .collect();
    match uris.as_slice() {
        [] => Err(SvidError::NoId),
        [uri] => Ok(uri),
        several => Err(SvidError::SeveralIds(several.len())),
    }
}

fn require_leaf(certificate: &X509Certificate<'_>) -> Result<(), SvidError> {
    if certificate.is_ca() {
        return Err(SvidError::Authority);
    }
    let usage = certificate.key_usage().map_err(|_| SvidError::Unreadable)?;
    let usage = usage.ok_or(SvidError::NoKeyUsage)?;
    if usage.value.key_cert_sign() || usage.value.crl_sign() {
        return Err(SvidError::MaySign);
    }
    if !usage.value.digital_signature() {
        return Err(SvidError::NoDigitalSignature);
    }
    if !usage.critical {
        return Err(SvidError::KeyUsageNotCritical);
    }
    let extended = certificate
        .extended_key_usage()
        .map_err(|_| SvidError::Unreadable)?;
    match extended {
        Some(usage) if !(usage.value.server_auth && usage.value.client_auth) => {
            Err(SvidError::OneSided)
        }
        _ => Ok(()),
    }
}
