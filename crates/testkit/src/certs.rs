//! Certificates for tests: right ones, and odd ones of every kind.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use countersign_gateway::{TlsFiles, TlsVersion};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};

pub use rcgen;

/// A key that ring can use and not make.
const RSA_KEY: &str = include_str!("../data/rsa-for-tests-only.pem");

/// The trust domain of tests.
pub const TRUST_DOMAIN: &str = "bank.example";

/// An authority that signs certificates.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// The intermediate authorities above this one, nearest first: PEM.
    above: String,
}

/// A certificate chain, leaf first, and its key: PEM.
#[derive(Clone)]
pub struct Credentials {
    /// The chain.
    pub chain: String,
    /// The key.
    pub key: String,
}

/// A kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum KeyKind {
    P256,
    P384,
    Ed25519,
    Rsa,
}

impl KeyKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::P256, Self::P384, Self::Ed25519, Self::Rsa];

    fn make(self) -> Result<KeyPair> {
        Ok(match self {
            Self::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?,
            Self::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384)?,
            Self::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519)?,
            Self::Rsa => KeyPair::from_pem(RSA_KEY)?,
        })
    }
}

impl Authority {
    /// One that signs itself.
    ///
    /// # Errors
    /// Those of making certificates.
    pub fn new(name: &str) -> Result<Self> {
        let issuer = CertifiedIssuer::self_signed(Self::params(name), KeyPair::generate()?)?;
        Ok(Self {
            issuer,
            above: String::new(),
        })
    }

    /// One below this one.
    ///
    /// # Errors
    /// Those of making certificates.
    pub fn below(&self, name: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let issuer = CertifiedIssuer::signed_by(Self::params(name), key, &self.issuer)?;
        let above = format!("{}{}", issuer.pem(), self.above);
        Ok(Self { issuer, above })
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
    }

    /// Its own certificate: PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A right certificate for a service of the trust domain of tests.
    ///
    /// # Errors
    /// Those of making certificates.
    pub fn service(&self, name: &str) -> Result<Credentials> {
        let id = format!("spiffe://{TRUST_DOMAIN}/{name}");
        self.issue(KeyKind::P256, leaf(&id)?)
    }

    /// A certificate as these parameters say.
    ///
    /// # Errors
    /// Those of making certificates.
    pub fn issue(&self, key: KeyKind, params: CertificateParams) -> Result<Credentials> {
        let key = key.make()?;
        let leaf = params.signed_by(&key, &self.issuer)?;
        Ok(Credentials {
            chain: format!("{}{}", leaf.pem(), self.above),
            key: key.serialize_pem(),
        })
    }
}

/// What a right leaf for this id has. The gateway's own has names of the loopback address too.
///
/// # Errors
/// When the id is no ASCII.
pub fn leaf(id: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names.push(SanType::URI(id.try_into()?));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    Ok(params)
}

/// The files that a gateway reads.
pub struct GatewayFiles(PathBuf);

impl GatewayFiles {
    /// Writes a gateway's own certificate and key, and the bundle of the trust domain of tests.
    ///
    /// # Errors
    /// Those of making and writing them.
    pub fn write(folder: &Path, authority: &Authority) -> Result<Self> {
        let files = Self(folder.to_owned());
        files.renew(authority)?;
        files.set_bundle(&authority.pem())?;
        Ok(files)
    }

    /// Gives the gateway another certificate.
    ///
    /// # Errors
    /// Those of making and writing it.
    pub fn renew(&self, authority: &Authority) -> Result<()> {
        let own = authority.service("gateway")?;
        replace(&self.0.join("gateway.key"), &own.key)?;
        replace(&self.0.join("gateway.pem"), &own.chain)
    }

    /// Gives the trust domain of tests these authorities.
    ///
    /// # Errors
    /// Those of writing them.
    pub fn set_bundle(&self, pem: &str) -> Result<()> {
        replace(&self.0.join("bundle.pem"), pem)
    }

    /// The section of a configuration that names them.
    pub fn config(&self, min_version: &str) -> String {
        let folder = self.0.display();
        format!(
            "[tls]\ncertificate = \"{folder}/gateway.pem\"\nkey = \"{folder}/gateway.key\"\n\
             min_version = \"{min_version}\"\n\
             [tls.bundles]\n\"{TRUST_DOMAIN}\" = \"{folder}/bundle.pem\"\n"
        )
    }

    /// Where they are.
    ///
    /// # Errors
    /// Never: the name of the trust domain is right.
    pub fn tls(&self) -> Result<TlsFiles> {
        Ok(TlsFiles {
            certificate: self.0.join("gateway.pem"),
            key: self.0.join("gateway.key"),
            bundles: [(TRUST_DOMAIN.parse()?, self.0.join("bundle.pem"))].into(),
            min_version: TlsVersion::Tls13,
        })
    }
}

/// Writes a file beside, and puts it in the place of the old one: nobody reads half of it.
fn replace(path: &Path, text: &str) -> Result<()> {
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, text)?;
    Ok(fs::rename(fresh, path)?)
}
