//! What surrounds every request: an id in each log line, a line when it is answered, an answer when
//! its handling panics, and details on statuses that were made elsewhere.

use std::{
    error::Error,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use countersign_mfa::{Entropy, Platform};
use countersign_primitives::RequestId;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};
use tracing::{Instrument, Span, field};

use crate::{
    MAX_REQUEST_BYTES, caller,
    callers::{Admission, Admitted},
    deadline, status,
};

/// The header of gRPC that holds the details of a status.
const DETAILS: &str = "grpc-status-details-bin";

/// Surrounds requests; see the module.
#[derive(Clone)]
pub(crate) struct EdgeLayer {
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) platform: Arc<Platform>,
    pub(crate) admission: Arc<Admission>,
    /// The longest that a request may take.
    pub(crate) deadline: Duration,
    pub(crate) refusals: Arc<Refusals>,
}

/// How many requests were refused for want of room, or since their caller had its whole share at
/// work, since that was last logged: a line for each would take the time that there is too little of.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    for_room: AtomicU64,
    for_share: AtomicU64,
}

impl Refusals {
    /// Notes that a request was not let in.
    fn note(&self, status: &Status) {
        if status.code() == Code::ResourceExhausted {
            self.for_share.fetch_add(1, Ordering::Relaxed);
        } else {
            tracing::warn!(rpc.code = ?status.code(), reason = status.message(), "a caller was refused");
        }
    }

    /// Logs how many there were, if any.
    pub(crate) fn log(&self) {
        let refused = self.for_room.swap(0, Ordering::Relaxed);
        if refused > 0 {
            tracing::warn!(requests.refused = refused, "there was no room for requests");
        }
        let refused = self.for_share.swap(0, Ordering::Relaxed);
        if refused > 0 {
            tracing::warn!(
                requests.refused = refused,
                "callers had their whole share of the server at work"
            );
        }
    }
}

/// A service that is surrounded.
#[derive(Clone)]
pub(crate) struct Edge<S> {
    inner: S,
    layer: EdgeLayer,
}

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Edge<S> {
        let layer = self.clone();
        Edge { inner, layer }
    }
}

impl<S, B> Service<Request<B>> for Edge<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: http_body::Body + Unpin + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // Others are streams, of health and reflection, which are not over when they are answered.
        let is_ours = request.uri().path().starts_with("/countersign.");
        if is_ours && self.layer.platform.is_full() {
            // Before anything is made for it: most of the work of a flood must be saved.
            self.layer.refusals.for_room.fetch_add(1, Ordering::Relaxed);
            return Box::pin(refuse(request.into_body(), status::server_busy()));
        }
        let span = self.span(&request);
        let place = if is_ours {
            match self.layer.admission.admit(&request) {
                Ok(Admitted { identified, place }) => {
                    request.extensions_mut().insert(identified);
                    place
                }
                Err(status) => {
                    span.in_scope(|| self.layer.refusals.note(&status));
                    return Box::pin(refuse(request.into_body(), status));
                }
            }
        } else {
            None
        };
        // Created before the transport's own, so that ours ends first and says more.
        let deadline = deadline::of_headers(request.headers(), self.layer.deadline);
        let deadline = tokio::time::sleep(deadline);
        let answered = span.in_scope(|| self.inner.call(request));
        let answer = async move {
            // In a task of its own: a caller that goes away, or has waited as long as it would, must
            // not stop a change half way, which would cost a connection to the database. And where
            // it panics, the process goes on; the panic hook has logged that it did.
            let handling = async move {
                let answered = answered.await;
                drop(place);
                answered
            };
            let handled = tokio::spawn(handling.in_current_span());
            let response = tokio::select! {
                biased;
                handled = handled => match handled {
                    Ok(answered) => complete(answered?),
                    Err(_) => status::internal().into_http(),
                },
                () = deadline => status::deadline_exceeded().into_http(),
            };
            let code = code_of(response.headers());
            match code {
                Code::Unknown | Code::Internal | Code::Unavailable | Code::DataLoss => {
                    tracing::warn!(rpc.code = ?code, "a request was answered");
                }
                _ if is_ours => tracing::info!(rpc.code = ?code, "a request was answered"),
                _ => tracing::debug!(rpc.code = ?code, "a stream was opened"),
            }
            Ok(response)
        };
        Box::pin(answer.instrument(span))
    }
}

impl<S> Edge<S> {
    fn span<B>(&self, request: &Request<B>) -> Span {
        let span = tracing::info_span!(
            "request",
            request.id = field::Empty,
            rpc.method = request.uri().path(),
            caller = field::Empty,
        );
        if let Ok(caller) = caller::of_http(request) {
            span.record("caller", field::display(caller));
        }
        if let Ok(mut generator) = self.layer.entropy.generator() {
            let id = RequestId::random(&mut generator);
            span.record("request.id", field::display(id));
        }
        span
    }
}

/// The longest that is waited for the rest of a request that is refused.
const REST: Duration = Duration::from_secs(1);

/// Refuses a request before it is decoded. What is left of it is read, within the limits of a
/// request: a stream that is given up half-way must be reset, and a connection with too many of
/// those is closed.
pub(crate) async fn refuse<B, E>(body: B, status: Status) -> Result<Response<Body>, E>
where
    B: http_body::Body + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut rest = Limited::new(body, MAX_REQUEST_BYTES);
    let read = async { while let Some(Ok(_)) = rest.frame().await {} };
    // Whoever takes longer is answered all the same.
    let _ = timeout(REST, read).await;
    Ok(status.into_http())
}

/// Adds details to an error that has none: tonic's own for an unknown method or a bad message.
pub(crate) fn complete(response: Response<Body>) -> Response<Body> {
    let headers = response.headers();
    let is_bare = code_of(headers) != Code::Ok && !headers.contains_key(DETAILS);
    match Status::from_header_map(headers).filter(|_| is_bare) {
        Some(bare) => status::with_details(&bare).into_http(),
        None => response,
    }
}

/// The code of an error, which is answered in the headers; otherwise a stream went well so far.
fn code_of(headers: &HeaderMap) -> Code {
    headers
        .get(Status::GRPC_STATUS)
        .map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
}
