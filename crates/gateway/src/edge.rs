//! What surrounds every request: an id and a trace in each log line, a line when it ends, an answer
//! when its handling panics, and details on statuses that were made elsewhere.

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

use countersign_mfa::{Caller, Entropy, Platform};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};
use tracing::{Instrument, Span, field};

use crate::{
    MAX_REQUEST_BYTES, Metrics, caller,
    outcome::{Open, code_of},
    request_id::{self, X_REQUEST_ID},
    status,
    target::Target,
    trace_context::{TraceParent, continue_trace},
};

/// The header of gRPC that holds the details of a status.
const DETAILS: &str = "grpc-status-details-bin";

/// Surrounds requests; see the module.
#[derive(Clone)]
pub(crate) struct EdgeLayer {
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) platform: Arc<Platform>,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) metrics: Option<Metrics>,
}

/// How many requests were refused for want of room since that was last logged: a line for each
/// would take the time that there is too little of.
#[derive(Debug, Default)]
pub(crate) struct Refusals(AtomicU64);

impl Refusals {
    /// Logs how many there were, if any.
    pub(crate) fn log(&self) {
        let refused = self.0.swap(0, Ordering::Relaxed);
        if refused > 0 {
            tracing::warn!(requests.refused = refused, "there was no room for requests");
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

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let id = request_id::of_headers(request.headers(), &*self.layer.entropy);
        let caller = caller::of_headers(request.headers()).ok();
        let target = Target::at(request.uri().path());
        let trace = TraceParent::of_headers(request.headers());
        let metrics = self.layer.metrics.clone();
        let is_ours = request.uri().path().starts_with("/countersign.");
        if is_ours && self.layer.platform.is_full() {
            // Before anything is made for it: most of the work of a flood must be saved.
            self.layer.refusals.0.fetch_add(1, Ordering::Relaxed);
            let open = Open::new(target, caller, metrics);
            return Box::pin(async move {
                let response = refuse(request.into_body()).await;
                open.turned_away(Code::ResourceExhausted, "SERVER_BUSY");
                Ok(named(response, id))
            });
        }
        let span = span(&target, caller.as_ref(), id.as_ref(), trace);
        let open = Open::new(target, caller, metrics);
        let answered = span.in_scope(|| self.inner.call(request));
        let answer = async move {
            // In a task of its own: a caller that goes away, or has waited as long as it would, must
            // not stop a change half way, which would cost a connection to the database. And where
            // it panics, the process goes on; the panic hook has logged that it did.
            let handled = tokio::spawn(answered.in_current_span()).await;
            let response = match handled {
                Ok(answered) => complete(answered?),
                Err(_) => status::internal().into_http(),
            };
            Ok(named(open.answered(response), id))
        };
        Box::pin(answer.instrument(span))
    }
}

/// What every log line of a request says of it. Of the highest level, so that no filter takes it
/// from those lines.
fn span(
    target: &Target,
    caller: Option<&Caller>,
    id: Option<&HeaderValue>,
    parent: Option<TraceParent>,
) -> Span {
    let id = id.and_then(|id| id.to_str().ok());
    let span = tracing::error_span!(
        "request",
        request.id = id.map(field::display),
        trace.id = field::Empty,
        rpc.method = target.path(),
        caller = caller.map(field::display),
    );
    if let Some(trace) = continue_trace(&span, parent) {
        span.record("trace.id", field::display(trace));
    }
    span
}

/// An answer with the id of its request.
fn named(mut response: Response<Body>, id: Option<HeaderValue>) -> Response<Body> {
    if let Some(id) = id {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    response
}

/// The longest that is waited for the rest of a request that is refused.
const REST: Duration = Duration::from_secs(1);

/// Refuses a request that came to a full room. What is left of it is read, within the limits of a
/// request: a stream that is given up half-way must be reset, and a connection with too many of
/// those is closed.
async fn refuse<B>(body: B) -> Response<Body>
where
    B: http_body::Body + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut rest = Limited::new(body, MAX_REQUEST_BYTES);
    let read = async { while let Some(Ok(_)) = rest.frame().await {} };
    // Whoever takes longer is answered all the same.
    let _ = timeout(REST, read).await;
    status::server_busy().into_http()
}

/// Adds details to an error that has none: tonic's own for an unknown method or a bad message.
fn complete(response: Response<Body>) -> Response<Body> {
    let headers = response.headers();
    let is_bare = code_of(headers) != Code::Ok && !headers.contains_key(DETAILS);
    match Status::from_header_map(headers).filter(|_| is_bare) {
        Some(bare) => status::with_details(&bare).into_http(),
        None => response,
    }
}
