//! Who may connect: a matrix of certificates, each refused for its reason in the log, and uniformly
//! outside.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::{
    BIN, Backend, Client, Database, GatewayProcess, TlsClient,
    certs::{
        Authority, Credentials, GatewayFiles, KeyKind, leaf,
        rcgen::{
            BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa,
            KeyUsagePurpose, SanType, date_time_ymd,
        },
    },
    reason_of, v1,
    v1::identifier_service_client::IdentifierServiceClient,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Code, Status, transport::Channel};

use crate::harness::Suite;

const PORTAL: &str = "spiffe://bank.example/portal";
const TABLE: &str =
    "[callers.\"spiffe://bank.example/portal\"]\nmethods = [\"IdentifierService.List\"]\n";
/// The line of the log for each connection that does not come about.
const REFUSED: &str = "a connection was refused";

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.with(
        &[BIN],
        "mutual_tls::a_certificate_that_is_not_right_is_refused_for_its_reason_and_uniformly_outside",
        matrix,
    );
    suite.with(
        &[BIN],
        "mutual_tls::without_tls_or_a_certificate_nobody_is_served",
        without,
    );
    suite.with(
        &[BIN],
        "mutual_tls::however_many_connect_and_say_nothing_others_are_served",
        silent,
    );
    suite.with(
        &[BIN],
        "mutual_tls::tls_1_2_is_spoken_only_where_that_was_asked_for",
        old_versions,
    );
    suite.with(
        &[BIN],
        "mutual_tls::a_service_that_is_proved_and_not_in_the_table_may_call_nothing",
        strangers,
    );
    suite.with(
        &[BIN],
        "mutual_tls::the_certificate_names_the_caller_whatever_the_metadata_says",
        metadata,
    );
}

/// What must become of a certificate.
#[derive(Clone, Copy)]
enum Fate {
    Taken,
    /// With this in the log.
    Refused(&'static str),
}

use Fate::{Refused, Taken};

/// A gateway of the trust domains of two banks, each with its authority.
struct Place {
    own: Authority,
    partner: Authority,
    foreign: Authority,
    gateway: GatewayProcess,
    _database: Database,
}

impl Place {
    async fn new(min_version: &str) -> Result<Self> {
        let database = Database::fresh(Backend::Sqlite).await?;
        let (own, partner) = (Authority::new("own")?, Authority::new("partner")?);
        let files = GatewayFiles::write(database.folder(), &own)?;
        let bundle = database.folder().join("partner.pem");
        std::fs::write(&bundle, partner.pem())?;
        let config = format!(
            "{}\"partner.example\" = \"{}\"\n{TABLE}",
            files.config(min_version),
            bundle.display()
        );
        Ok(Self {
            own,
            partner,
            foreign: Authority::new("own")?,
            gateway: GatewayProcess::start_mutual(&database, &config).await?,
            _database: database,
        })
    }

    fn channel(&self, own: &Credentials) -> Result<Channel> {
        TlsClient::new(&self.own.pem(), Some(own))?.channel(self.gateway.address()?)
    }

    /// The lines of the log about refused connections.
    fn refusals(&self) -> Vec<String> {
        let log = self.gateway.log();
        let lines = log.lines().filter(|line| line.contains(REFUSED));
        lines.map(str::to_owned).collect()
    }

    /// The next of those lines, once there were so many.
    async fn next_refusal(&self, before: usize) -> Result<String> {
        self.gateway.has_said(REFUSED, before + 1).await?;
        let refusals = self.refusals();
        refusals.get(before).cloned().context("a whole line")
    }
}

async fn list(channel: Channel) -> Result<(), Status> {
    let request = v1::IdentifierServiceListRequest {
        subject_id: "anna".to_owned(),
        ..Default::default()
    };
    IdentifierServiceClient::new(channel)
        .list(request)
        .await
        .map(drop)
}

/// What a client without a valid certificate gets to hear.
async fn refusal(client: &TlsClient, gateway: &GatewayProcess) -> Result<String> {
    let mut stream = match client.connect(gateway.address()?).await {
        Err(error) => return Ok(error.to_string()),
        Ok(stream) => stream,
    };
    // TLS 1.3: the client is done before the server has looked.
    let _ = stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    match stream.read(&mut [0; 1]).await {
        Err(error) => Ok(error.to_string()),
        Ok(_) => bail!("it was let in"),
    }
}

/// A leaf for the portal that differs in one thing.
fn with(change: impl FnOnce(&mut CertificateParams)) -> Result<CertificateParams> {
    let mut params = leaf(PORTAL)?;
    change(&mut params);
    Ok(params)
}

/// A key usage extension that is not critical: digitalSignature.
fn usage_not_critical() -> CustomExtension {
    CustomExtension::from_oid_content(&[2, 5, 29, 15], vec![0x03, 0x02, 0x07, 0x80])
}

/// The content of an extension with these URIs.
fn names_of(uris: &[&[u8]]) -> Vec<u8> {
    let mut names = Vec::new();
    for uri in uris {
        names.extend([0x86, u8::try_from(uri.len()).unwrap_or(0)]);
        names.extend(*uri);
    }
    let mut content = vec![0x30, u8::try_from(names.len()).unwrap_or(0)];
    content.extend(names);
    content
}

/// Every sort of certificate that differs in one thing from a right one.
fn sorts() -> Result<Vec<(String, CertificateParams, Fate)>> {
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    use KeyUsagePurpose as Usage;
    let uri = |text: &str| -> Result<SanType> { Ok(SanType::URI(text.try_into()?)) };
    let mut sorts = Vec::new();
    let mut sort = |name: &str, params: CertificateParams, fate| {
        sorts.push((name.to_owned(), params, fate));
    };
    sort("right", leaf(PORTAL)?, Taken);
    let only = |names: Vec<SanType>| with(|leaf| leaf.subject_alt_names = names);
    sort("URI alone", only(vec![uri(PORTAL)?])?, Taken);
    sort("no SAN", only(Vec::new())?, Refused("has no URI"));
    let dns = SanType::DnsName("portal.bank.example".try_into()?);
    sort("DNS alone", only(vec![dns])?, Refused("has no URI"));
    let other = uri("spiffe://bank.example/login")?;
    sort(
        "two ids",
        only(vec![uri(PORTAL)?, other])?,
        Refused("has 2 URIs"),
    );
    let other = uri("https://bank.example/portal")?;
    sort(
        "id and URL",
        only(vec![uri(PORTAL)?, other])?,
        Refused("has 2 URIs"),
    );
    sort(
        "id twice",
        only(vec![uri(PORTAL)?, uri(PORTAL)?])?,
        Refused("has 2 URIs"),
    );

    // A second URI that is no text, and so easily overlooked.
    let unreadable = with(|leaf| {
        leaf.subject_alt_names = Vec::new();
        leaf.custom_extensions = vec![CustomExtension::from_oid_content(
            &[2, 5, 29, 17],
            names_of(&[PORTAL.as_bytes(), b"spiffe://bank.example/\xFF\xFE"]),
        )];
    })?;
    sort("an id and no text", unreadable, Refused("cannot be read"));

    let authority = with(|leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))?;
    sort("authority", authority, Refused("CA:TRUE"));
    let usages = |usages: Vec<Usage>| with(|leaf| leaf.key_usages = usages);
    sort("no key usage", usages(Vec::new())?, Refused("says nothing"));
    let encipher = usages(vec![Usage::KeyEncipherment])?;
    sort(
        "no signatures",
        encipher,
        Refused("may not make digital signatures"),
    );
    let signs = usages(vec![Usage::DigitalSignature, Usage::KeyCertSign])?;
    sort("signs certificates", signs, Refused("may sign"));
    let signs = usages(vec![Usage::DigitalSignature, Usage::CrlSign])?;
    sort("signs lists", signs, Refused("may sign"));
    let more = usages(vec![
        Usage::DigitalSignature,
        Usage::KeyEncipherment,
        Usage::KeyAgreement,
    ])?;
    sort("more usages", more, Taken);
    let lax = with(|leaf| {
        leaf.key_usages = Vec::new();
        leaf.custom_extensions = vec![usage_not_critical()];
    })?;
    sort("usage not critical", lax, Refused("not marked as critical"));
    let extended = |usages| with(|leaf| leaf.extended_key_usages = usages);
    sort("no extended usage", extended(Vec::new())?, Taken);
    sort(
        "client only",
        extended(vec![ClientAuth])?,
        Refused("one side"),
    );
    sort(
        "server only",
        extended(vec![ServerAuth])?,
        Refused("one side"),
    );
    let code = extended(vec![ExtendedKeyUsagePurpose::CodeSigning])?;
    sort("code signing", code, Refused("one side"));
    let old = with(|leaf| {
        leaf.not_before = date_time_ymd(2020, 1, 1);
        leaf.not_after = date_time_ymd(2021, 1, 1);
    })?;
    sort("expired", old, Refused("expired"));
    let early = with(|leaf| {
        leaf.not_before = date_time_ymd(2090, 1, 1);
        leaf.not_after = date_time_ymd(2091, 1, 1);
    })?;
    sort("not yet valid", early, Refused("not valid yet"));

    for path in [
        "/ns/prod/sa/portal",
        "/portal.v2",
        "/Portal",
        "/p_-.1",
        "/...",
    ] {
        sort(path, leaf(&format!("spiffe://bank.example{path}"))?, Taken);
    }
    let long = format!("spiffe://bank.example/{}", "p".repeat(2048 - 22));
    sort("the longest id", leaf(&long)?, Taken);
    sort(
        "an id that is too long",
        leaf(&format!("{long}p"))?,
        Refused("at most 2048"),
    );
    for id in [
        "spiffe://bank.example",
        "spiffe://bank.example/",
        "spiffe://bank.example/portal/",
        "spiffe://bank.example//portal",
        "spiffe://bank.example/./portal",
        "spiffe://bank.example/../portal",
        "spiffe://bank.example/port%61l",
        "spiffe://bank.example/portal?x=1",
        "spiffe://bank.example/portal#x",
        "spiffe://bank.example/por tal",
        "spiffe://bank.example/portal\n",
        "spiffe://Bank.example/portal",
        "spiffe://bank.example:443/portal",
        "spiffe://x@bank.example/portal",
        "SPIFFE://bank.example/portal",
        "https://bank.example/portal",
        "bank.example/portal",
        "",
    ] {
        sort(id, leaf(id)?, Refused("is no SPIFFE id"));
    }
    for id in [
        "spiffe://other.example/portal",
        "spiffe://sub.bank.example/portal",
        "spiffe://bank.example.evil/portal",
        "spiffe://bank/portal",
    ] {
        sort(id, leaf(id)?, Refused("no bundle is configured"));
    }
    let partner = leaf("spiffe://partner.example/portal")?;
    sort(
        "a partner's id by our authority",
        partner,
        Refused("no authority of its trust domain"),
    );
    Ok(sorts)
}

async fn matrix() -> Result<()> {
    let place = Place::new("1.2").await?;
    let mut certificates = Vec::new();
    for key in KeyKind::ALL {
        for (name, params, fate) in sorts()? {
            certificates.push((
                format!("{name} {key:?}"),
                place.own.issue(key, params)?,
                fate,
            ));
        }
        let below = place.own.below("below")?;
        certificates.push((
            format!("by way of another {key:?}"),
            below.issue(key, leaf(PORTAL)?)?,
            Taken,
        ));
        let mut cut = below.issue(key, leaf(PORTAL)?)?;
        let end = cut
            .chain
            .find("-----END CERTIFICATE-----")
            .context("a certificate")?;
        cut.chain
            .truncate(end + "-----END CERTIFICATE-----\n".len());
        let unknown = Refused("no authority of its trust domain");
        certificates.push((format!("without the one between {key:?}"), cut, unknown));
        // The authority has the same name as ours, and the id is the same.
        let foreign = place.foreign.issue(key, leaf(PORTAL)?)?;
        certificates.push((format!("foreign authority {key:?}"), foreign, unknown));
        let partner = place
            .partner
            .issue(key, leaf("spiffe://partner.example/portal")?)?;
        certificates.push((format!("a partner {key:?}"), partner, Taken));
        let claims = place.partner.issue(key, leaf(PORTAL)?)?;
        certificates.push((
            format!("our id by a partner's authority {key:?}"),
            claims,
            unknown,
        ));
    }
    let mut outside = BTreeSet::new();
    let (mut taken, mut refused) = (0, 0);
    for (name, credentials, fate) in &certificates {
        for client in [
            TlsClient::new(&place.own.pem(), Some(credentials))?,
            TlsClient::old(&place.own.pem(), Some(credentials))?,
        ] {
            match fate {
                Taken => {
                    let answer = list(client.channel(place.gateway.address()?)?).await;
                    // Those that are in no row are answered by the gateway all the same.
                    let is_let_in = match &answer {
                        Ok(()) => true,
                        Err(status) => {
                            ["CALLER_NOT_PERMITTED", "CALLER_BUSY"].contains(&&*reason_of(status))
                        }
                    };
                    ensure!(is_let_in, "{name}: {answer:?}");
                    taken += 1;
                }
                Refused(why) => {
                    let before = place.refusals().len();
                    let said = refusal(&client, &place.gateway).await;
                    outside.insert(said.with_context(|| name.clone())?);
                    let line = place.next_refusal(before).await?;
                    ensure!(line.contains(why), "{name}: {line}");
                    refused += 1;
                }
            }
        }
    }
    ensure!(
        outside.len() == 1,
        "refusals can be told apart: {outside:?}"
    );
    ensure!(taken > 50 && refused > 200, "{taken} {refused}");
    println!("certificates: {taken} handshakes taken, {refused} refused, all alike outside");
    Ok(())
}

async fn without() -> Result<()> {
    let place = Place::new("1.3").await?;
    let before = place.refusals().len();
    let plain = Client::connect_lazy(place.gateway.endpoint(), Some("portal"))?;
    let request = v1::IdentifierServiceListRequest {
        subject_id: "anna".to_owned(),
        ..Default::default()
    };
    let answer = plain.identifiers().list(request).await;
    ensure!(answer.is_err(), "plaintext was served: {answer:?}");
    place.next_refusal(before).await?;

    let before = place.refusals().len();
    let nobody = TlsClient::new(&place.own.pem(), None)?;
    let said = refusal(&nobody, &place.gateway).await?;
    ensure!(said.contains("CertificateRequired"), "{said}");
    place.next_refusal(before).await?;

    // Whoever says nothing is not waited for by others.
    let _silent = TcpStream::connect(place.gateway.address()?).await?;
    let portal = place.own.service("portal")?;
    list(place.channel(&portal)?).await?;
    Ok(())
}

async fn silent() -> Result<()> {
    let place = Place::new("1.3").await?;
    let address = place.gateway.address()?;
    let portal = place.own.service("portal")?;
    let mut held = Vec::new();
    for round in 0..4 {
        // More than there may be handshakes, in all, from the address that the portal has too.
        for _ in 0..200 {
            held.push(TcpStream::connect(address).await?);
        }
        list(place.channel(&portal)?)
            .await
            .with_context(|| format!("round {round}"))?;
    }
    ensure!(
        place
            .gateway
            .log()
            .contains("too many handshakes are under way")
    );
    Ok(())
}

/// The first bytes of a hello of an old version: a record of TLS 1.0, whose hello says `version` and
/// has no extensions.
fn old_hello(version: [u8; 2]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    // No session; two cipher suites of the time; no compression.
    body.extend([0, 0, 4, 0xC0, 0x13, 0x00, 0x2F, 1, 0]);
    let mut hello = vec![0x16, 3, 1];
    hello.extend(u16::try_from(body.len() + 4).unwrap_or(0).to_be_bytes());
    hello.extend([1, 0]);
    hello.extend(u16::try_from(body.len()).unwrap_or(0).to_be_bytes());
    hello.extend(body);
    hello
}

async fn old_versions() -> Result<()> {
    for (min_version, is_old_served) in [("1.3", false), ("1.2", true)] {
        let place = Place::new(min_version).await?;
        let portal = place.own.service("portal")?;
        let address = place.gateway.address()?;
        list(place.channel(&portal)?).await?;
        let old = TlsClient::old(&place.own.pem(), Some(&portal))?;
        let answer = list(old.channel(address)?).await;
        ensure!(answer.is_ok() == is_old_served, "{min_version}: {answer:?}");
        // SSL 3.0, TLS 1.0 and 1.1.
        for minor in [0, 1, 2] {
            let before = place.refusals().len();
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(&old_hello([3, minor])).await?;
            let mut said = Vec::new();
            let _ = stream.read_to_end(&mut said).await;
            // An alert, or nothing: never a hello of the server.
            ensure!(said.first().is_none_or(|kind| *kind == 0x15), "{said:?}");
            place.next_refusal(before).await?;
        }
    }
    Ok(())
}

async fn strangers() -> Result<()> {
    let place = Place::new("1.3").await?;
    let channel = place.channel(&place.own.service("mailer")?)?;
    for subject in ["anna", "nobody-at-all"] {
        let request = v1::IdentifierServiceListRequest {
            subject_id: subject.to_owned(),
            ..Default::default()
        };
        let answer = IdentifierServiceClient::new(channel.clone())
            .list(request)
            .await;
        let status = answer.err().context("a stranger was served")?;
        ensure!(status.code() == Code::PermissionDenied, "{status:?}");
        ensure!(reason_of(&status) == "CALLER_NOT_PERMITTED", "{status:?}");
    }
    ensure!(place.gateway.log().contains("spiffe://bank.example/mailer"));
    Ok(())
}

async fn metadata() -> Result<()> {
    let place = Place::new("1.3").await?;
    let named = |credentials: &Credentials, name: &'static str| -> Result<_> {
        let channel = place.channel(credentials)?;
        let interceptor = move |mut request: tonic::Request<()>| {
            let name = tonic::metadata::MetadataValue::from_static(name);
            request.metadata_mut().insert("x-countersign-caller", name);
            Ok(request)
        };
        Ok(IdentifierServiceClient::with_interceptor(
            channel,
            interceptor,
        ))
    };
    let request = || v1::IdentifierServiceListRequest {
        subject_id: "anna".to_owned(),
        ..Default::default()
    };
    let portal = place.own.service("portal")?;
    named(&portal, "spiffe://bank.example/mailer")?
        .list(request())
        .await?;
    let mailer = place.own.service("mailer")?;
    let answer = named(&mailer, PORTAL)?.list(request()).await;
    let status = answer.err().context("a stranger was taken at its word")?;
    ensure!(reason_of(&status) == "CALLER_NOT_PERMITTED", "{status:?}");
    Ok(())
}
