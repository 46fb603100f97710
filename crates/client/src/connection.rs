//! What calls go over.

use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    task::{Context, Poll},
    time::Duration,
};

use tonic::{
    Status, TimeoutExpired,
    body::Body,
    codegen::{
        Service, StdError,
        http::{HeaderValue, Request, Response},
    },
    transport::Channel,
};

/// The metadata that names the caller on loopback without TLS.
const CALLER_METADATA: &str = "x-countersign-caller";
/// The header that says how long the caller waits.
const TIMEOUT: &str = "grpc-timeout";

/// The channel that new calls take. It can be exchanged while others are under way on the one
/// before, which ends with the last of them.
#[derive(Debug)]
pub(crate) struct Current(RwLock<Channel>);

impl Current {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(RwLock::new(channel))
    }

    pub(crate) fn get(&self) -> Channel {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set(&self, channel: Channel) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = channel;
    }
}

/// What calls go over: each has a deadline, and on loopback the caller's name.
#[derive(Clone)]
pub struct Connection {
    pub(crate) current: Arc<Current>,
    pub(crate) caller: Option<HeaderValue>,
    /// `None` for calls that are answered for as long as somebody listens.
    pub(crate) deadline: Option<Duration>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("caller", &self.caller)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Says who calls and how long it waits, where the request does not say it itself.
    fn complete(&self, request: &mut Request<Body>) {
        let headers = request.headers_mut();
        if let Some(name) = &self.caller {
            headers.insert(CALLER_METADATA, name.clone());
        }
        if let Some(deadline) = self.deadline {
            headers.entry(TIMEOUT).or_insert_with(|| timeout(deadline));
        }
    }
}

/// At most eight digits and a unit: more than 27 hours are said in seconds.
fn timeout(deadline: Duration) -> HeaderValue {
    let millis = deadline.as_millis();
    let text = if millis <= 99_999_999 {
        format!("{millis}m")
    } else {
        format!("{}S", deadline.as_secs().min(99_999_999))
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("0m"))
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Body>;
    type Error = StdError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        self.complete(&mut request);
        let mut channel = self.current.get();
        Box::pin(async move {
            poll_fn(|context| channel.poll_ready(context)).await?;
            channel.call(request).await.map_err(in_grpc_words)
        })
    }
}

/// What became of a call that has no answer, by the codes that every other gRPC client uses. One that
/// this side gave up has exceeded its deadline; the transport says that it was cancelled. Any other one
/// met a server that goes or a connection that was lost; the transport calls some of those cancelled or
/// internal errors.
fn in_grpc_words(error: tonic::transport::Error) -> StdError {
    let mut cause: Option<&dyn Error> = Some(&error);
    while let Some(found) = cause {
        if found.is::<TimeoutExpired>() {
            let text = "no answer came within the deadline, and what was asked for may be done";
            return Status::deadline_exceeded(text).into();
        }
        cause = found.source();
    }
    let mut status = Status::unavailable("the connection was lost, or the server goes");
    status.set_source(Arc::new(error));
    status.into()
}

#[cfg(test)]
mod tests {
    use tonic::transport::Endpoint;

    use super::*;

    fn completed(caller: Option<&'static str>, request: Request<Body>) -> Request<Body> {
        let channel = Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
        let connection = Connection {
            current: Arc::new(Current::new(channel)),
            caller: caller.map(HeaderValue::from_static),
            deadline: Some(Duration::from_secs(10)),
        };
        let mut request = request;
        connection.complete(&mut request);
        request
    }

    #[tokio::test]
    async fn a_caller_is_named_where_it_gave_a_name() {
        let request = completed(Some("login-service"), Request::default());
        assert_eq!(request.headers()[CALLER_METADATA], "login-service");
        let request = completed(None, Request::default());
        assert!(!request.headers().contains_key(CALLER_METADATA));
    }

    #[tokio::test]
    async fn every_call_has_a_deadline_and_keeps_one_of_its_own() {
        let request = completed(None, Request::default());
        assert_eq!(request.headers()[TIMEOUT], "10000m");
        let mut request = Request::<Body>::default();
        let own = HeaderValue::from_static("3S");
        request.headers_mut().insert(TIMEOUT, own);
        assert_eq!(completed(None, request).headers()[TIMEOUT], "3S");
    }

    #[test]
    fn a_deadline_has_at_most_eight_digits() {
        for (deadline, shown) in [
            (Duration::from_millis(1), "1m"),
            (Duration::from_millis(99_999_999), "99999999m"),
            (Duration::from_millis(100_000_000), "100000S"),
            (Duration::MAX, "99999999S"),
        ] {
            assert_eq!(timeout(deadline), shown);
        }
    }
}
