//! Which files a client takes, and which servers.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use tempfile::TempDir;

use super::*;

const GATEWAY: &str = "spiffe://bank.example/gateway";

/// An authority, and whoever it vouches for.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// A leaf with these URIs: the certificate and its key.
    fn leaf(&self, ids: &[&str]) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        for id in ids {
            let id = (*id).try_into().unwrap();
            params.subject_alt_names.push(SanType::URI(id));
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

/// The files of a client, on disk.
fn files(folder: &TempDir, authority: &Authority) -> Files {
    let (certificate, key) = authority.leaf(&["spiffe://bank.example/portal"]);
    let files = Files {
        certificate: folder.path().join("own.pem"),
        key: folder.path().join("own.key"),
        bundle: folder.path().join("ca.pem"),
    };
    fs::write(&files.certificate, certificate.pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    fs::write(&files.bundle, authority.0.pem()).unwrap();
    files
}

fn error(files: &Files) -> String {
    let loaded = files
        .read()
        .and_then(|contents| files.load(&contents, None).map(drop));
    loaded.unwrap_err().to_string()
}

#[test]
fn files_that_belong_together_are_taken() {
    let folder = TempDir::new().unwrap();
    let files = files(&folder, &Authority::new());
    let contents = files.read().unwrap();
    let config = files.load(&contents, Some(GATEWAY)).unwrap();
    assert_eq!(config.alpn_protocols, [b"h2"]);
}

#[test]
fn each_file_that_is_not_right_is_named() {
    let authority = Authority::new();
    let (_, other) = authority.leaf(&[]);
    for (name, text, said) in [
        ("own.pem", "nonsense", "holds no certificates"),
        ("own.key", "nonsense", "holds no private key"),
        (
            "own.key",
            &other.serialize_pem(),
            "cannot be used with the key",
        ),
        ("ca.pem", "", "holds no certificates"),
    ] {
        let folder = TempDir::new().unwrap();
        let files = files(&folder, &authority);
        fs::write(folder.path().join(name), text).unwrap();
        let error = error(&files);
        assert!(error.contains(said) && error.contains(name), "{error}");
        fs::remove_file(folder.path().join(name)).unwrap();
        let error = self::error(&files);
        assert!(error.contains("cannot be read"), "{error}");
    }
}

#[test]
fn a_server_is_taken_by_the_one_id_that_it_must_have() {
    let (own, foreign) = (Authority::new(), Authority::new());
    let mut roots = RootCertStore::empty();
    roots.add(own.0.der().clone()).unwrap();
    let verifier = IdVerifier {
        roots,
        provider: Arc::new(ring::default_provider()),
        id: GATEWAY.to_owned(),
    };
    let judged = |authority: &Authority, ids: &[&str]| {
        let (leaf, _) = authority.leaf(ids);
        let name = ServerName::try_from("elsewhere.example").unwrap();
        let now = UnixTime::now();
        verifier
            .verify_server_cert(leaf.der(), &[], &name, &[], now)
            .is_ok()
    };
    assert!(judged(&own, &[GATEWAY]));
    assert!(!judged(&foreign, &[GATEWAY]), "another authority's");
    assert!(!judged(&own, &[]), "no id");
    assert!(!judged(&own, &["spiffe://bank.example/portal"]), "another");
    assert!(!judged(&own, &[GATEWAY, "https://bank.example"]), "two");
}
