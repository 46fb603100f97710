//! Traces, to a collector that takes OTLP over gRPC.
//!
//! What happens to them never harms a request: they wait in a queue of bounded length, and what
//! finds it full or is not taken is lost.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use opentelemetry::{
    KeyValue, Value,
    trace::{SpanKind, TracerProvider as _},
};
use opentelemetry_otlp::{SpanExporter as OtlpExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Sampler, SdkTracerProvider, SpanData, SpanEvents, SpanExporter},
};
use tracing::Subscriber;
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use crate::config::TraceTarget;

/// What this program is called where traces of many are collected.
const NAME: &str = "countersign";

/// How long the collector has to take a batch.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it has to take the last one, when the gateway stops.
const LAST_WORD: Duration = Duration::from_secs(2);

/// At least so long between two lines that say that traces are lost.
const SILENCE: Duration = Duration::from_secs(60);

/// The span of a whole request.
const REQUEST: &str = "request";

/// What of a span leaves. What is recorded in a span for the log, now or one day, does not leave
/// unless it is named here: never a subject, and nothing that somebody typed.
const ATTRIBUTES: [&str; 4] = ["rpc.method", "rpc.grpc.status_code", "caller", "request.id"];

/// Traces that are sent.
#[derive(Debug)]
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to send. Must be called within the runtime.
    pub(crate) fn start(target: &TraceTarget<'_>) -> Result<Self> {
        let exporter = OtlpExporter::builder()
            .with_tonic()
            .with_endpoint(target.endpoint)
            .with_timeout(PATIENCE)
            .build()
            .context("traces cannot be sent: see `traces.endpoint`")?;
        let resource = Resource::builder_empty()
            .with_service_name(NAME)
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        // A caller that records its trace wants ours in it, and one that does not, does not.
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(target.sample)));
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_resource(resource)
            .with_batch_exporter(Discreet::new(exporter))
            .build();
        Ok(Self(provider))
    }

    /// What makes traces of our spans, and of nothing else: the lines of the log stay out of them.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(NAME))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|metadata| {
                metadata.is_span() && metadata.target().starts_with(NAME)
            }))
    }

    /// Sends what waits, for as long as that may take at the end.
    pub(crate) async fn stop(self) {
        // It blocks; whether it was heard has been logged.
        let stop = move || drop(self.0.shutdown_with_timeout(LAST_WORD));
        let _ = tokio::task::spawn_blocking(stop).await;
    }
}

/// An exporter that lets out only what may leave, and says now and then when nobody takes it.
#[derive(Debug)]
struct Discreet<E> {
    exporter: E,
    lost: AtomicU64,
    said: Mutex<Option<Instant>>,
}

impl<E> Discreet<E> {
    const fn new(exporter: E) -> Self {
        Self {
            exporter,
            lost: AtomicU64::new(0),
            said: Mutex::new(None),
        }
    }

    fn note(&self, spans: usize, error: &dyn std::error::Error) {
        let spans = u64::try_from(spans).unwrap_or(u64::MAX);
        self.lost.fetch_add(spans, Ordering::Relaxed);
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_some_and(|at| at.elapsed() < SILENCE) {
            return;
        }
        *said = Some(Instant::now());
        tracing::warn!(
            spans.lost = self.lost.swap(0, Ordering::Relaxed),
            error = %error,
            "the collector takes no traces"
        );
    }
}

impl<E: SpanExporter> SpanExporter for Discreet<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        batch.iter_mut().for_each(trim);
        let spans = batch.len();
        let sent = self.exporter.export(batch).await;
        if let Err(error) = &sent {
            self.note(spans, error);
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Takes from a span what does not leave. A whole request is called by its method.
fn trim(span: &mut SpanData) {
    span.events = SpanEvents::default();
    span.attributes
        .retain(|attribute| ATTRIBUTES.contains(&attribute.key.as_str()));
    if span.name == REQUEST {
        span.span_kind = SpanKind::Server;
        let method = |attribute: &KeyValue| match &attribute.value {
            Value::String(path) if attribute.key.as_str() == "rpc.method" => {
                Some(path.as_str().trim_start_matches('/').to_owned())
            }
            _ => None,
        };
        if let Some(method) = span.attributes.iter().find_map(method) {
            span.name = method.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use opentelemetry::{
        InstrumentationScope, SpanId,
        trace::{Event, SpanContext, Status},
    };
    use opentelemetry_sdk::trace::SpanLinks;

    use super::*;

    fn span(name: &'static str, attributes: Vec<KeyValue>) -> SpanData {
        let mut events = SpanEvents::default();
        let said = KeyValue::new("message", "a line of the log");
        events
            .events
            .push(Event::new("event", SystemTime::UNIX_EPOCH, vec![said], 0));
        SpanData {
            span_context: SpanContext::NONE,
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: SystemTime::UNIX_EPOCH,
            end_time: SystemTime::UNIX_EPOCH,
            attributes,
            dropped_attributes_count: 0,
            events,
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    #[test]
    fn only_what_may_leave_does() {
        let path = "/countersign.v1.PinService/Set";
        let may = vec![
            KeyValue::new("rpc.method", path),
            KeyValue::new("caller", "portal"),
            KeyValue::new("request.id", "7"),
            KeyValue::new("rpc.grpc.status_code", 0),
        ];
        let may_not = vec![
            KeyValue::new("subject", "anna"),
            KeyValue::new("error", "a text with a value in it"),
        ];
        let mut request = span("request", [may_not, may.clone()].concat());
        trim(&mut request);
        assert_eq!(request.attributes, may);
        assert!(request.events.events.is_empty());
        assert_eq!(request.name, "countersign.v1.PinService/Set");
        assert_eq!(request.span_kind, SpanKind::Server);

        let mut stage = span("hash", vec![KeyValue::new("pin", "739105")]);
        trim(&mut stage);
        assert!(stage.attributes.is_empty() && stage.events.events.is_empty());
        assert_eq!(stage.name, "hash");
        assert_eq!(stage.span_kind, SpanKind::Internal);
    }
}
