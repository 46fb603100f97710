//! What the tests of logs, metrics, traces and health share.

use std::{future::Future, time::Duration};

use anyhow::{Context, Result, ensure};
use countersign_testkit::{GatewayProcess, v1, v1::identifier_service_client};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{
    Request,
    metadata::AsciiMetadataValue,
    transport::{Channel, Endpoint},
};

/// A connection without a caller's name or anything else in the metadata.
pub(crate) async fn channel(endpoint: &str) -> Result<Channel> {
    Ok(Endpoint::from_shared(endpoint.to_owned())?
        .connect()
        .await?)
}

/// A client without a caller's name.
pub(crate) async fn bare(
    endpoint: &str,
) -> Result<identifier_service_client::IdentifierServiceClient<Channel>> {
    let channel = channel(endpoint).await?;
    Ok(identifier_service_client::IdentifierServiceClient::new(
        channel,
    ))
}

/// A request that only reads, with these metadata.
pub(crate) fn list(
    subject: &str,
    metadata: &[(&'static str, &[u8])],
) -> Result<Request<v1::IdentifierServiceListRequest>> {
    let mut request = Request::new(v1::IdentifierServiceListRequest {
        subject_id: subject.to_owned(),
        ..Default::default()
    });
    for (key, value) in metadata {
        let value = AsciiMetadataValue::try_from(*value)?;
        request.metadata_mut().append(*key, value);
    }
    Ok(request)
}

/// The lines of a log of JSON.
pub(crate) fn lines(process: &GatewayProcess) -> Result<Vec<Value>> {
    let log = process.log();
    let lines = log.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// Waits until a question has an answer.
pub(crate) async fn wait_for<T, F>(what: &str, mut ask: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    for _ in 0..600 {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("{what} did not come")
}

/// The status and the body of a page.
pub(crate) async fn page(port: u16, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("a head")?;
    let status = head.split(' ').nth(1).context("a status")?.parse()?;
    let length = format!("content-length: {}", body.len());
    ensure!(head.contains(&length), "{head}");
    Ok((status, body.to_owned()))
}
