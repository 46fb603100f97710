//! The authority that signs, and what a certificate says.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use countersign_primitives::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use time::OffsetDateTime;
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, pem::parse_x509_pem};

/// Whose services these are.
const TRUST_DOMAIN: &str = "countersign.dev";
/// How long a certificate is good.
const LEAF_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long the authority is.
const AUTHORITY_LIFE: Duration = Duration::from_secs(3650 * 24 * 60 * 60);
/// How far the clock of whoever looks at a certificate may be behind.
const BACKDATED: Duration = Duration::from_secs(5 * 60);

/// An authority, with its key.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key: PEM.
pub(super) struct Issued {
    pub(super) pem: String,
    pub(super) key: String,
}

/// What an earlier certificate says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Earlier {
    /// The URIs among its names.
    pub(super) ids: Vec<String>,
    /// The hosts among its names.
    pub(super) hosts: Vec<String>,
}

/// The SPIFFE id of this name.
pub(super) fn id_of(name: &str) -> String {
    format!("spiffe://{TRUST_DOMAIN}/{name}")
}

impl Authority {
    /// A new one.
    pub(super) fn new(now: Timestamp) -> Result<Self> {
        let mut params = params("Countersign development authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_life(&mut params, now, AUTHORITY_LIFE)?;
        let made = CertifiedIssuer::self_signed(params.clone(), KeyPair::generate()?)?;
        let pem = made.pem();
        let key = KeyPair::from_pem(&made.key().serialize_pem())?;
        Ok(Self {
            issuer: Issuer::new(params, key),
            pem,
        })
    }

    /// The one of these files, which must belong together and not have expired.
    pub(super) fn read(pem: &str, key: &str, now: Timestamp) -> Result<Self> {
        let key = KeyPair::from_pem(key).context("the key cannot be read")?;
        with_certificate(pem, |certificate| {
            let of_key = key.public_key_raw();
            let of_certificate = &certificate.public_key().subject_public_key.data;
            ensure!(
                of_key == of_certificate.as_ref(),
                "certificate and key do not belong together"
            );
            let until = certificate.validity().not_after.timestamp();
            ensure!(
                now.as_millis().div_euclid(1000) < until,
                "the certificate has expired"
            );
            Ok(())
        })?;
        Ok(Self {
            issuer: Issuer::from_ca_cert_pem(pem, key)?,
            pem: pem.to_owned(),
        })
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    pub(super) fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A certificate for this name, and for these hosts.
    pub(super) fn issue(&self, name: &str, hosts: &[String], now: Timestamp) -> Result<Issued> {
        let mut params = params(name);
        let id = id_of(name).as_str().try_into()?;
        params.subject_alt_names.push(SanType::URI(id));
        for host in hosts {
            params.subject_alt_names.push(match host.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(host.as_str().try_into()?),
            });
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        set_life(&mut params, now, LEAF_LIFE)?;
        let key = KeyPair::generate()?;
        Ok(Issued {
            pem: params.signed_by(&key, &self.issuer)?.pem(),
            key: key.serialize_pem(),
        })
    }
}

impl Earlier {
    /// Reads a certificate.
    pub(super) fn read(pem: &str) -> Result<Self> {
        with_certificate(pem, |certificate| {
            let names = certificate.subject_alternative_name()?;
            let names = names.map_or(&[][..], |extension| &extension.value.general_names);
            let mut read = Self {
                ids: Vec::new(),
                hosts: Vec::new(),
            };
            for name in names {
                match name {
                    GeneralName::URI(id) => read.ids.push((*id).to_owned()),
                    GeneralName::DNSName(host) => read.hosts.push((*host).to_owned()),
                    GeneralName::IPAddress(bytes) => read.hosts.extend(address(bytes)),
                    _ => {}
                }
            }
            Ok(read)
        })
    }
}

fn address(bytes: &[u8]) -> Option<String> {
    let address: IpAddr = match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok()?.into(),
        _ => <[u8; 16]>::try_from(bytes).ok()?.into(),
    };
    Some(address.to_string())
}

fn with_certificate<T>(
    pem: &str,
    then: impl FnOnce(&X509Certificate<'_>) -> Result<T>,
) -> Result<T> {
    let Ok((_, pem)) = parse_x509_pem(pem.as_bytes()) else {
        bail!("it is no PEM");
    };
    let certificate = pem.parse_x509().context("it is no certificate")?;
    then(&certificate)
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn set_life(params: &mut CertificateParams, now: Timestamp, life: Duration) -> Result<()> {
    let now = OffsetDateTime::from_unix_timestamp(now.as_millis().div_euclid(1000))?;
    params.not_before = now - BACKDATED;
    params.not_after = now + life;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn seconds_later(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_certificate_is_a_svid_of_thirty_days_and_backdated() {
        let authority = Authority::new(NOW).unwrap();
        let hosts = ["localhost", "::1", "192.0.2.1"].map(str::to_owned);
        let issued = authority.issue("gateway", &hosts, NOW).unwrap();
        let read = Earlier::read(&issued.pem).unwrap();
        assert_eq!(read.ids, ["spiffe://countersign.dev/gateway"]);
        assert_eq!(read.hosts, hosts);
        with_certificate(&issued.pem, |certificate| {
            let basic = certificate.basic_constraints()?.unwrap();
            assert!(!basic.value.ca);
            let usage = certificate.key_usage()?.unwrap();
            assert!(usage.critical && usage.value.flags == 1);
            let extended = certificate.extended_key_usage()?.unwrap().value;
            assert!(extended.client_auth && extended.server_auth && !extended.any);
            let validity = certificate.validity();
            let now = NOW.as_millis() / 1000;
            assert_eq!(validity.not_before.timestamp(), now - 300);
            assert_eq!(validity.not_after.timestamp(), now + 30 * 24 * 3600);
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn an_authority_that_was_read_signs_as_the_one_that_was_made() {
        let made = Authority::new(NOW).unwrap();
        let read = Authority::read(made.pem(), &made.key_pem(), NOW).unwrap();
        let signer = |authority: &Authority| {
            let issued = authority.issue("portal", &[], NOW).unwrap();
            with_certificate(&issued.pem, |certificate| {
                Ok((certificate.issuer().to_string(), key_id(certificate)))
            })
            .unwrap()
        };
        assert_eq!(signer(&made), signer(&read));
    }

    fn key_id(certificate: &X509Certificate<'_>) -> Vec<u8> {
        use x509_parser::extensions::ParsedExtension::AuthorityKeyIdentifier;
        let mut extensions = certificate.extensions().iter();
        extensions
            .find_map(|extension| match extension.parsed_extension() {
                AuthorityKeyIdentifier(id) => Some(id.key_identifier.as_ref()?.0.to_vec()),
                _ => None,
            })
            .unwrap()
    }

    #[test]
    fn an_authority_without_its_key_or_its_time_is_not_used() {
        let (one, other) = (Authority::new(NOW).unwrap(), Authority::new(NOW).unwrap());
        let refused = |key: &str, at| match Authority::read(one.pem(), key, at) {
            Ok(_) => panic!("it was taken"),
            Err(error) => error.to_string(),
        };
        assert!(refused(&other.key_pem(), NOW).contains("do not belong together"));
        assert!(refused("nonsense", NOW).contains("key cannot be read"));
        let last = AUTHORITY_LIFE.as_secs() - 1;
        assert!(Authority::read(one.pem(), &one.key_pem(), seconds_later(last)).is_ok());
        assert!(refused(&one.key_pem(), seconds_later(last + 1)).contains("has expired"));
    }
}
