//! Connections to providers.

use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};

use reqwest::{Client, Url, redirect::Policy};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

use crate::settings::{Checked, Place};

/// How long a connection that is not used is kept. Shorter than what servers commonly do.
const IDLE: Duration = Duration::from_secs(30);

/// What requests are made with: TLS with ring, no redirects, no proxy, connections kept. The public
/// authorities are those that are built in, so that the image of a container needs none.
pub(super) fn client(ca_file: Option<&Path>, connect: Duration, place: &Place) -> Checked<Client> {
    let roots = match ca_file {
        Some(path) => authorities(path, &place.key("ca_file"))?,
        None => RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        },
    };
    let provider = Arc::new(ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut tls = tls
        .map_err(|_| place.wrong("cannot be reached: TLS is not available"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(connect)
        .pool_idle_timeout(IDLE)
        .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|_| place.wrong("cannot be reached: no HTTP client can be made"))
}

/// An address that a message may be sent to.
pub(crate) fn address(text: &str, place: &Place) -> Checked<Url> {
    let rule = "must be an address such as https://sms.example.com/v1/send";
    let url = Url::parse(text).map_err(|_| place.wrong(rule))?;
    let Some(host) = url.host_str() else {
        return Err(place.wrong(rule));
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if is_here => {}
        "http" => {
            let rule = "must be https: without TLS only this machine may be spoken to";
            return Err(place.wrong(rule));
        }
        _ => return Err(place.wrong(rule)),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(place.wrong("must have no name and password in it: use basic_auth"));
    }
    if url.fragment().is_some() {
        return Err(place.wrong("must have no # in it: what follows it is never sent"));
    }
    Ok(url)
}

fn authorities(path: &Path, place: &Place) -> Checked<RootCertStore> {
    let fault = |what: &str| {
        let rule = format!("names the file {}, which {what}", path.display());
        place.wrong(&rule)
    };
    let found = CertificateDer::pem_file_iter(path).map_err(|_| fault("cannot be read"))?;
    let mut roots = RootCertStore::empty();
    for certificate in found {
        let certificate = certificate.map_err(|_| fault("holds a broken certificate"))?;
        roots
            .add(certificate)
            .map_err(|_| fault("holds a certificate that is no authority's"))?;
    }
    if roots.is_empty() {
        return Err(fault("holds no certificate"));
    }
    Ok(roots)
}
