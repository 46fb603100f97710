//! Bytes that are no request at all.

use anyhow::{Result, ensure};
use countersign_testkit::{Backend, v1};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::gateway::{Answer, Gateway};
use crate::raw::{HEADERS, Outcome, Raw, address, frame, framed};

const SET: &str = "/countersign.v1.PinService/Set";

/// A right request, which would be stored.
fn right() -> Vec<u8> {
    let request = v1::PinServiceSetRequest {
        subject_id: "boris".to_owned(),
        new_pin: "850374".to_owned(),
        ..Default::default()
    };
    request.encode_to_vec()
}

/// Bytes that are refused with this gRPC code, or by the transport.
fn bodies() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let message = right();
    let length = u32::try_from(message.len()).unwrap_or_default();
    let noise: Vec<u8> = (0..1024_u32).map(|n| (n * n * 31 % 251) as u8).collect();
    vec![
        ("nothing", Vec::new(), "3"),
        ("a part of a frame's head", vec![0, 0], "3"),
        ("a truncated frame", frame(0, length, &message[..4]), "3"),
        (
            "a length that is too short",
            frame(0, length - 3, &message),
            "3",
        ),
        (
            "a length that is too long",
            frame(0, length + 3, &message),
            "3",
        ),
        ("an absurd length", frame(0, u32::MAX, &message), "3"),
        ("the flag of compression", frame(1, length, &message), "3"),
        ("a flag that there is not", frame(7, length, &message), "3"),
        ("garbage in a frame", framed(&noise), "3"),
        ("garbage", noise, "3"),
        ("a message of 5 MiB", framed(&vec![b'a'; 5 << 20]), "3"),
    ]
}

pub(crate) async fn refused(backend: Backend) -> Result<()> {
    let gateway = Gateway::start(backend).await?;
    let endpoint = gateway.process.endpoint();
    let before = gateway.rows()?;
    for (what, body, code) in bodies() {
        let outcome = Raw::connect(endpoint)
            .await?
            .call(SET, &HEADERS, body)
            .await;
        ensure!(
            outcome == Outcome::Grpc(code.to_owned()),
            "{what}: {outcome:?}"
        );
    }
    let gzip = [HEADERS[0], HEADERS[1], ("grpc-encoding", "gzip")];
    let body = framed(&right());
    let mut raw = Raw::connect(endpoint).await?;
    let outcome = raw.call(SET, &gzip, body.clone()).await;
    ensure!(
        outcome == Outcome::Grpc("12".to_owned()),
        "gzip: {outcome:?}"
    );
    for content_type in ["application/json", "text/html", "application/grpc-web", ""] {
        let headers = [("content-type", content_type), HEADERS[1]];
        let outcome = raw.call(SET, &headers, body.clone()).await;
        ensure!(outcome == Outcome::Http(415), "{content_type}: {outcome:?}");
    }
    // Over the ordinary client too, which is told what is wrong.
    let answer = gateway.call(SET, vec![b'a'; 5 << 20]).await;
    ensure!(
        matches!(&answer, Answer::Refused(fields) if fields.is_empty()),
        "{answer:?}"
    );
    for greeting in [
        &b"POST /countersign.v1.PinService/Set HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"[..],
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nThese are no settings, but a letter.",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    ] {
        let said = greeted(endpoint, greeting).await?;
        ensure!(!said.starts_with(b"HTTP/1.1 2"), "{greeting:?}: {said:?}");
    }
    ensure!(gateway.rows()? == before, "what is no request was stored");
    gateway.require_alive().await?;
    // Against a test that proves nothing: the same request in its right form is carried out.
    let outcome = raw.call(SET, &HEADERS, body).await;
    ensure!(outcome == Outcome::Grpc("0".to_owned()), "{outcome:?}");
    ensure!(gateway.rows()? != before, "a right request was not stored");
    Ok(())
}

/// What is said to whoever begins with these bytes, until the connection is closed.
async fn greeted(endpoint: &str, greeting: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address(endpoint)?).await?;
    stream.write_all(greeting).await?;
    let mut said = Vec::new();
    // A reset is a way of closing.
    let _ = stream.read_to_end(&mut said).await;
    Ok(said)
}
