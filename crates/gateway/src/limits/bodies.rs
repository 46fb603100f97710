//! How many requests may be under way to us, how long one may take to arrive, and that it is one of
//! gRPC at all.

use std::{
    error::Error,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body::{Frame, SizeHint};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Sleep, sleep},
};
use tonic::{Status, body::Body, codegen::Bytes};
use tower::{Layer, Service};

use crate::{edge::refuse, status};

/// The most requests that may be under way to us: begun, and not read to their end. Each can hold
/// the memory of the largest request, so all of them hold 64 MiB.
const MAX_ARRIVING: usize = 1024;

/// The longest that a request may take to arrive, from its headers on. It is one message of a few
/// hundred bytes, sent at once.
const ARRIVAL: Duration = Duration::from_secs(10);

/// Limits what arrives; see the module.
#[derive(Clone)]
pub(crate) struct BodyLayer {
    places: Arc<Semaphore>,
}

impl BodyLayer {
    pub(crate) fn new() -> Self {
        let places = Arc::new(Semaphore::new(MAX_ARRIVING));
        Self { places }
    }
}

/// A service whose requests have to arrive in time.
#[derive(Clone)]
pub(crate) struct Bodies<S> {
    inner: S,
    layer: BodyLayer,
}

impl<S> Layer<S> for BodyLayer {
    type Service = Bodies<S>;

    fn layer(&self, inner: S) -> Bodies<S> {
        let layer = self.clone();
        Bodies { inner, layer }
    }
}

type Answer<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

impl<S, B> Service<Request<B>> for Bodies<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !is_grpc(request.headers()) {
            return Box::pin(async { Ok(unsupported()) });
        }
        // Reflection's requests are streams that stay open; it is for development.
        if request.uri().path().starts_with("/grpc.reflection.") {
            return Box::pin(self.inner.call(request.map(Body::new)));
        }
        let Ok(place) = Arc::clone(&self.layer.places).try_acquire_owned() else {
            let body = request.into_body();
            return Box::pin(async { Ok(refuse(body, status::server_busy()).await) });
        };
        let arriving = request.map(|body| {
            Body::new(Arriving {
                body,
                end: Box::pin(sleep(ARRIVAL)),
                _place: place,
            })
        });
        Box::pin(self.inner.call(arriving))
    }
}

/// Whether a request says that it is one of gRPC, with messages of protobuf. The transport does not
/// look, and would answer what a form in a browser sends.
fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let rest = content_type.and_then(|name| name.strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+proto") || rest[0] == b';')
}

/// The answer to what is not: 415, so that nobody takes it for an answer who knows no gRPC.
fn unsupported() -> Response<Body> {
    let text = "the content type must be application/grpc";
    let mut response = status::with_details(&Status::invalid_argument(text)).into_http();
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}

/// A request that has to arrive in time. Its place is free when it was read, or given up.
struct Arriving<B> {
    body: B,
    end: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl<B> http_body::Body for Arriving<B>
where
    B: http_body::Body + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = B::Data;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        if self.end.as_mut().poll(context).is_ready() {
            // The edge gives it the form of an error of ours.
            let late = Status::invalid_argument("the request did not arrive within 10 seconds");
            return Poll::Ready(Some(Err(late.into())));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
