//! How requests end: one line in the log for each, when it is answered.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use countersign_mfa::Caller;
use http::{HeaderMap, Response};
use http_body::{Body as HttpBody, Frame};
use opentelemetry::trace::Status as TraceStatus;
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt as _;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::{Metrics, metrics::InFlight, target::Target};

/// A request that has not ended. Dropped, it was given up: its caller has gone.
pub(crate) struct Open {
    target: Target,
    caller: Option<Caller>,
    since: Instant,
    metrics: Option<Metrics>,
    in_flight: Option<InFlight>,
    has_ended: bool,
    /// Whether it took longer than the server lets a request: no doing of its caller.
    pub(crate) is_overdue: bool,
}

/// Whose doing an end is.
enum Fault {
    Nobodys,
    Callers,
    /// Ours, and it may pass by itself.
    Passing,
    Ours,
}

impl Open {
    /// One that has come just now. Of gRPC's own services nothing is counted.
    pub(crate) fn new(target: Target, caller: Option<Caller>, metrics: Option<Metrics>) -> Self {
        let metrics = metrics.filter(|_| !matches!(target, Target::Standard(_)));
        Self {
            target,
            caller,
            since: Instant::now(),
            in_flight: metrics.as_ref().map(|_| Metrics::came()),
            metrics,
            has_ended: false,
            is_overdue: false,
        }
    }

    /// Notes how it was answered. A stream is not over then: it takes the request along.
    pub(crate) fn answered(mut self, response: Response<Body>) -> Response<Body> {
        let code = code_of(response.headers());
        if code == Code::Ok && self.target.is_stream() {
            self.log_opened();
            // It waits for what may come in hours.
            self.in_flight = None;
            let span = Span::current();
            return response.map(|body| {
                Body::new(Stream {
                    body,
                    span,
                    open: self,
                })
            });
        }
        let status = response.extensions().get::<Status>();
        self.ended(code, status);
        response
    }

    fn log_opened(&self) {
        match self.target {
            Target::Ours(_) => tracing::info!("a stream was opened"),
            Target::Standard(_) | Target::Unknown(_) => tracing::debug!("a stream was opened"),
        }
    }

    /// Notes how it ended.
    fn ended(&mut self, code: Code, status: Option<&Status>) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let took = self.since.elapsed();
        let reason = reason_of(status);
        let reason = reason.as_deref();
        self.log(code, reason, status.and_then(Error::source), took);
        trace(code);
        self.count(code, reason, took);
    }

    /// Notes that it was refused before anything was made for it. It has no line of its own.
    pub(crate) fn turned_away(mut self, response: &Response<Body>) {
        self.has_ended = true;
        let reason = reason_of(response.extensions().get::<Status>());
        let code = code_of(response.headers());
        self.count(code, reason.as_deref(), self.since.elapsed());
    }

    fn count(&self, code: Code, reason: Option<&str>, took: Duration) {
        if let Some(metrics) = &self.metrics {
            metrics.ended(&self.target, self.caller.as_ref(), code, reason, took);
        }
    }

    /// What callers do wrong is told to them, and is no trouble of ours.
    fn log(
        &self,
        code: Code,
        reason: Option<&str>,
        error: Option<&(dyn Error + 'static)>,
        took: Duration,
    ) {
        let path = match &self.target {
            Target::Unknown(path) => Some(path.as_str()),
            Target::Ours(_) | Target::Standard(_) => None,
        };
        macro_rules! line {
            ($level:ident, $text:literal) => {
                tracing::$level!(
                    rpc.code = code_name(code),
                    rpc.reason = reason,
                    rpc.path = path,
                    duration.ms = in_millis(took),
                    error = error,
                    $text
                )
            };
        }
        let is_standard = matches!(self.target, Target::Standard(_));
        let is_given_up = code == Code::Cancelled;
        let fault = if self.is_overdue {
            Fault::Passing
        } else {
            fault(code)
        };
        match fault {
            Fault::Ours => line!(error, "a request failed"),
            Fault::Passing => line!(warn, "a request failed"),
            Fault::Callers if !is_given_up => line!(info, "a request was refused"),
            _ if self.target.is_stream() && is_standard => line!(debug, "a stream has ended"),
            _ if self.target.is_stream() => line!(info, "a stream has ended"),
            Fault::Callers => line!(info, "a request was given up"),
            Fault::Nobodys if is_standard => line!(debug, "a request was answered"),
            Fault::Nobodys => line!(info, "a request was answered"),
        }
    }
}

/// The stable reason of an error.
fn reason_of(status: Option<&Status>) -> Option<String> {
    let info = status?.get_details_error_info()?;
    Some(info.reason)
}

/// Adds the end to the trace, where one is recorded.
fn trace(code: Code) {
    let span = Span::current();
    span.set_attribute("rpc.grpc.status_code", i64::from(i32::from(code)));
    match fault(code) {
        Fault::Ours | Fault::Passing => span.set_status(TraceStatus::error(code_name(code))),
        Fault::Nobodys | Fault::Callers => {}
    }
}

const fn fault(code: Code) -> Fault {
    match code {
        Code::Ok => Fault::Nobodys,
        Code::Unknown | Code::Internal | Code::DataLoss => Fault::Ours,
        Code::Unavailable => Fault::Passing,
        Code::Cancelled
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => Fault::Callers,
    }
}

/// A code by the name that gRPC gives it.
pub(crate) const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The code of an error, which is answered in the headers; otherwise a stream went well so far.
pub(crate) fn code_of(headers: &HeaderMap) -> Code {
    headers
        .get(Status::GRPC_STATUS)
        .map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
}

/// Milliseconds, to the microsecond.
fn in_millis(duration: Duration) -> f64 {
    let micros = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    f64::from(micros) / 1000.0
}

/// The messages of a stream, and its end.
struct Stream {
    body: Body,
    span: Span,
    open: Open,
}

impl Stream {
    fn ended(&mut self, code: Code, status: Option<&Status>) {
        self.span.in_scope(|| self.open.ended(code, status));
    }
}

impl HttpBody for Stream {
    type Data = <Body as HttpBody>::Data;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    let status = Status::from_header_map(trailers);
                    self.ended(code_of(trailers), status.as_ref());
                }
            }
            Some(Err(status)) => self.ended(status.code(), Some(status)),
            None => self.ended(Code::Ok, None),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.ended(Code::Cancelled, None);
    }
}

impl Drop for Stream {
    /// Whoever goes away before the end gives the stream up.
    fn drop(&mut self) {
        self.ended(Code::Cancelled, None);
    }
}
