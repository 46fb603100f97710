//! Whom a message is given to is who the authorities say it is.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::{
    Opened, Submission, accepted,
    server::{Manner, Server, answer},
};

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// What a server of this name accepts connections with.
    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// What comes of a message to a server that trusts this authority, or else the public ones.
async fn outcome(server: &Server, trusted: Option<&Authority>) -> Submission {
    let folder = tempfile::tempdir().unwrap();
    let ca_file = trusted.map_or("", |authority| {
        std::fs::write(folder.path().join("ca.pem"), &authority.pem).unwrap();
        "ca_file = 'ca.pem'"
    });
    let table = format!(
        "
        kind = 'http'
        url = 'https://localhost:{}/send'
        form = {{ to = '{{number}}', text = '{{text}}' }}
        message_id = '/id'
        {ca_file}
        ",
        server.port
    );
    Opened::within(&table, folder).submit().await
}

#[tokio::test]
async fn only_a_server_that_is_vouched_for_is_given_a_message() {
    let manner = || Manner::Answers(answer("200 OK", "{\"id\":\"m-1\"}"));
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = Server::start_with(manner(), Some(authority.acceptor("localhost"))).await;
    assert_eq!(outcome(&server, Some(&authority)).await, accepted("m-1"));
    assert_eq!(server.asked().len(), 1);

    let not_reached = Submission::Unreachable("no connection".to_owned());
    assert_eq!(outcome(&server, Some(&stranger)).await, not_reached);
    assert_eq!(outcome(&server, None).await, not_reached);
    assert_eq!(server.asked().len(), 1);

    let another = Server::start_with(manner(), Some(authority.acceptor("sms.example.com"))).await;
    assert_eq!(outcome(&another, Some(&authority)).await, not_reached);
    let plain = Server::start(Manner::SpeaksAnotherProtocol).await;
    assert_eq!(outcome(&plain, Some(&authority)).await, not_reached);
    assert!(another.asked().is_empty() && plain.asked().is_empty());
}
