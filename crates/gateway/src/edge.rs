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
    callers::Admission,
    deadline, kept,
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
    pub(crate) admission: Arc<Admission>,
    /// The longest that a request may take.
    pub(crate) deadline: Duration,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) metrics: Option<Metrics>,
}

/// How many requests were refused for want of room, or since their caller had its whole share at
/// work, since that was last logged: a line for each would take the time that there is too little of.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    for_room: AtomicU64,
    for_share: AtomicU64,
}

impl Refusals {
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

type Answer<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

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
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let id = request_id::of_headers(request.headers(), &*self.layer.entropy);
        let caller = caller::of_http(&request);
        let target = Target::at(request.uri().path());
        let trace = TraceParent::of_headers(request.headers());
        let named_caller = caller.as_ref().ok().cloned();
        let mut open = Open::new(target.clone(), named_caller, self.layer.metrics.clone());
        // Whatever else is asked for is let in, or not, as a method of ours is.
        let is_ours = !matches!(target, Target::Standard(_));
        if is_ours && self.layer.platform.is_full() {
            // Before anything is made for it: most of the work of a flood must be saved.
            self.layer.refusals.for_room.fetch_add(1, Ordering::Relaxed);
            return turn_away(request.into_body(), status::server_busy(), open, id);
        }
        let span = span(&target, caller.as_ref().ok(), id.as_ref(), trace);
        let place = match caller.and_then(|caller| self.layer.admission.admit(caller, &target)) {
            Ok(admitted) => {
                // Services of ours find it there; without it they answer nobody.
                if let Some(identified) = admitted.identified {
                    request.extensions_mut().insert(identified);
                }
                admitted.place
            }
            Err(status) if status.code() == Code::ResourceExhausted => {
                self.layer
                    .refusals
                    .for_share
                    .fetch_add(1, Ordering::Relaxed);
                return turn_away(request.into_body(), status, open, id);
            }
            Err(status) => {
                let answer = async move {
                    let response = refuse(request.into_body(), status).await;
                    Ok(named(open.answered(response), id))
                };
                return Box::pin(answer.instrument(span));
            }
        };
        // Created before the transport's own, so that ours ends first and says more.
        let given = deadline::of_headers(request.headers(), self.layer.deadline);
        let is_our_own = given == self.layer.deadline;
        let deadline = tokio::time::sleep(given);
        let answered = span.in_scope(|| self.inner.call(request));
        let answer = async move {
            // In a task of its own: a caller that goes away, or has waited as long as it would, must
            // not stop a change half way, which would cost a connection to the database. And where
            // it panics, the process goes on; the panic hook has logged that it did.
            let held = place.clone();
            let handling = async move {
                let answered = answered.await;
                drop(held);
                answered
            };
            let handled = tokio::spawn(handling.in_current_span());
            let response = tokio::select! {
                biased;
                handled = handled => match handled {
                    Ok(answered) => complete(answered?),
                    Err(_) => status::internal().into_http(),
                },
                () = deadline => {
                    open.is_overdue = is_our_own;
                    status::deadline_exceeded().into_http()
                }
            };
            let response = kept::until_read(open.answered(response), place);
            Ok(named(response, id))
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

/// Refuses a request that there is no room for, without a line in the log.
fn turn_away<B, E>(body: B, status: Status, open: Open, id: Option<HeaderValue>) -> Answer<E>
where
    B: http_body::Body + Unpin + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    Box::pin(async move {
        let response = refuse(body, status).await;
        open.turned_away(&response);
        Ok(named(response, id))
    })
}

/// The longest that is waited for the rest of a request that is refused.
const REST: Duration = Duration::from_secs(1);

/// Refuses a request before it is decoded. What is left of it is read, within the limits of a
/// request: a stream that is given up half-way must be reset, and a connection with too many of
/// those is closed.
pub(crate) async fn refuse<B>(body: B, status: Status) -> Response<Body>
where
    B: http_body::Body + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut rest = Limited::new(body, MAX_REQUEST_BYTES);
    let read = async { while let Some(Ok(_)) = rest.frame().await {} };
    // Whoever takes longer is answered all the same.
    let _ = timeout(REST, read).await;
    status.into_http()
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
