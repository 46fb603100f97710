//! HTTP/2 by hand, for what no honest client sends.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use h2::{
    RecvStream, SendStream,
    client::{Builder, ResponseFuture, SendRequest},
};
use http::{Request, Response};
use prost::bytes::Bytes;
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};

/// The longest that an answer is waited for: far longer than the server waits for anybody.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection of somebody who may do anything.
pub(crate) struct Raw {
    sender: SendRequest<Bytes>,
    driver: JoinHandle<Result<(), h2::Error>>,
}

/// Where an endpoint such as `http://127.0.0.1:50051` is.
pub(crate) fn address(endpoint: &str) -> Result<SocketAddr> {
    let address = endpoint.strip_prefix("http://").context("no endpoint")?;
    Ok(address.parse()?)
}

impl Raw {
    pub(crate) async fn connect(endpoint: &str) -> Result<Self> {
        Self::connect_with(endpoint, &Builder::new()).await
    }

    pub(crate) async fn connect_with(endpoint: &str, builder: &Builder) -> Result<Self> {
        let stream = TcpStream::connect(address(endpoint)?).await?;
        let (sender, connection) = builder.handshake(stream).await?;
        Ok(Self {
            sender: sender.ready().await?,
            driver: tokio::spawn(connection),
        })
    }

    /// Begins a call: the headers, and where its body is written to.
    pub(crate) async fn begin(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let mut request = Request::post(format!("http://countersign{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        // Built of constants by the tests.
        let request = request.body(()).unwrap_or_default();
        let mut sender = self.sender.clone().ready().await?;
        sender.send_request(request, false)
    }

    /// Makes a call with this body, and says what became of it.
    pub(crate) async fn call(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Outcome {
        let call = async {
            let (response, mut stream) = self.begin(path, headers).await?;
            stream.send_data(body.into(), true)?;
            Ok::<_, h2::Error>(Outcome::of(response.await?).await)
        };
        match timeout(PATIENCE, call).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Outcome::Broken(error.to_string()),
            Err(_) => Outcome::Silent,
        }
    }

    /// Whether the other end has closed the connection.
    pub(crate) async fn is_closed(&self) -> bool {
        // A connection that lives has a stream to give, or will have one.
        let ready = self.sender.clone().ready();
        matches!(timeout(Duration::from_secs(1), ready).await, Ok(Err(_)))
            || self.driver.is_finished()
    }
}

/// What became of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A gRPC status.
    Grpc(String),
    /// An HTTP status that is not 200.
    Http(u16),
    /// The stream or the connection was reset.
    Broken(String),
    /// Nothing.
    Silent,
}

impl Outcome {
    async fn of(response: Response<RecvStream>) -> Self {
        if response.status() != 200 {
            return Self::Http(response.status().as_u16());
        }
        let code = |value: &http::HeaderValue| {
            Self::Grpc(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        if let Some(value) = response.headers().get("grpc-status") {
            return code(value);
        }
        let mut body = response.into_body();
        while let Some(chunk) = body.data().await {
            if let Err(error) = chunk {
                return Self::Broken(error.to_string());
            }
        }
        match body.trailers().await {
            Ok(Some(trailers)) => trailers.get("grpc-status").map_or(Self::Silent, code),
            Ok(None) => Self::Silent,
            Err(error) => Self::Broken(error.to_string()),
        }
    }
}

/// The headers of a call.
pub(crate) const HEADERS: [(&str, &str); 2] =
    [("content-type", "application/grpc"), ("te", "trailers")];

/// A message with the five bytes before it.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    frame(0, u32::try_from(message.len()).unwrap_or(u32::MAX), message)
}

/// Bytes behind a flag and a length of choice.
pub(crate) fn frame(flag: u8, length: u32, bytes: &[u8]) -> Vec<u8> {
    [&[flag][..], &length.to_be_bytes(), bytes].concat()
}
