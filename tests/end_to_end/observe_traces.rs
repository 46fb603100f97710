//! What a collector is told of requests, and that it can be away.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    BIN, Backend, Database, GatewayProcess, Person, app_proof, free_port, now, v1::Purpose,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    trace::v1::{Span, span::SpanKind},
};
use prost::Message as _;
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

use crate::{
    campaign::{CHEAP, confirm, login},
    harness::Suite,
    observe::{bare, lines, list, wait_for},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN],
        "observe_traces::a_request_goes_on_with_its_callers_trace_and_tells_of_nobody",
        continued,
    );
    suite.with(
        &[BIN],
        "observe_traces::what_waits_is_sent_when_the_gateway_stops",
        flushed,
    );
    suite.with(
        &[BIN],
        "observe_traces::a_collector_that_is_away_harms_no_request_and_is_said_once",
        away,
    );
}

const TRACE: [u8; 16] = *b"\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c";
const CALLERS_SPAN: [u8; 8] = *b"\xb7\xad\x6b\x71\x69\x20\x33\x31";
const SAMPLED: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED: &[u8] = b"00-1111111111111111111111111111111c-b7ad6b7169203331-00";

/// A collector, until it is dropped.
struct Collector {
    port: u16,
    taken: Taken,
    serving: JoinHandle<()>,
}

#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Taken {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let taken = Taken::default();
        let service = TraceServiceServer::new(taken.clone());
        let serving = tokio::spawn(async move {
            let router = Server::builder().add_service(service);
            let _ = router
                .serve_with_incoming(TcpIncoming::from(listener))
                .await;
        });
        Ok(Self {
            port,
            taken,
            serving,
        })
    }

    fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        let taken = self.taken.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.clone()
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.requests().into_iter();
        requests
            .flat_map(|request| request.resource_spans)
            .flat_map(|of_resource| of_resource.scope_spans)
            .flat_map(|of_scope| of_scope.spans)
            .collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn gateway(database: &Database, port: u16, more: &str) -> Result<GatewayProcess> {
    let traces = format!("[traces]\nendpoint = \"http://127.0.0.1:{port}\"\n{more}\n");
    let json = "[log]\nformat = \"json\"\n";
    GatewayProcess::start(database, &format!("{CHEAP}{json}{traces}")).await
}

async fn continued(backend: Backend) -> Result<()> {
    let collector = Collector::start().await?;
    let database = Database::fresh(backend).await?;
    // None but those that a caller records.
    let gateway = gateway(&database, collector.port, "sample = 0").await?;
    let client = gateway.client("test").await?;
    let anna = Person::new();
    anna.set_pin(&client).await?;
    let app = anna.begin(&client, "anna's own phone").await?;
    confirm(&anna, &client, &app, &[Purpose::Login], None).await?;
    let mut bare = bare(gateway.endpoint()).await?;
    let canary: (&str, &[u8]) = ("x-request-id", b"trace-of-7");
    let unsampled = list(&anna.subject, &[("traceparent", UNSAMPLED)])?;
    bare.list(unsampled).await?;
    let request = list(&anna.subject, &[("traceparent", SAMPLED), canary])?;
    bare.list(request).await?;
    let nonsense: (&str, &[u8]) = ("traceparent", b"00-nonsense");
    bare.list(list(&anna.subject, &[nonsense])?).await?;
    // One with every stage.
    let channel = crate::observe::channel(gateway.endpoint()).await?;
    let change = |metadata: &'static [u8]| {
        let request = countersign_testkit::v1::PinServiceChangeRequest {
            subject_id: anna.subject.clone(),
            request_id: countersign_testkit::new_request_id(),
            new_pin: "94620571".to_owned(),
            authorization: Some(
                countersign_testkit::v1::pin_service_change_request::Authorization::Proofs(
                    countersign_testkit::v1::Proofs {
                        proofs: vec![
                            countersign_testkit::pin_proof(&anna.pin),
                            app_proof(&app, &app.code(now())),
                        ],
                    },
                ),
            ),
        };
        let mut request = Request::new(request);
        let value = tonic::metadata::AsciiMetadataValue::try_from(metadata);
        value.map(|value| {
            request.metadata_mut().insert("traceparent", value);
            request
        })
    };
    let mut pins = countersign_testkit::v1::pin_service_client::PinServiceClient::new(channel);
    pins.change(change(SAMPLED)?).await?;

    let expected = "countersign.v1.PinService/Change";
    // What waits is sent at the end, and not after some seconds.
    gateway.terminate()?;
    let spans = wait_for("the last request", async || {
        let spans = collector.spans();
        let is_there = spans.iter().any(|span| span.name == expected);
        Ok(is_there.then_some(spans))
    })
    .await?;
    for span in &spans {
        ensure!(span.trace_id == TRACE, "{span:?}");
        ensure!(span.events.is_empty() && span.links.is_empty(), "{span:?}");
    }
    let requests: Vec<&Span> = spans
        .iter()
        .filter(|span| span.kind() == SpanKind::Server)
        .collect();
    let names: Vec<&str> = requests.iter().map(|span| span.name.as_str()).collect();
    ensure!(
        names == ["countersign.v1.IdentifierService/List", expected],
        "{names:?}"
    );
    for request in &requests {
        ensure!(request.parent_span_id == CALLERS_SPAN, "{request:?}");
    }
    let mut stages: Vec<&str> = spans
        .iter()
        .filter(|span| span.parent_span_id == requests[1].span_id)
        .map(|span| span.name.as_str())
        .collect();
    stages.sort_unstable();
    stages.dedup();
    ensure!(stages == ["apply", "decide", "hash", "load"], "{stages:?}");
    ensure!(spans.len() > requests.len(), "{spans:?}");

    let told: Vec<u8> = collector
        .requests()
        .iter()
        .flat_map(|request| request.encode_to_vec())
        .collect();
    let is_told = |text: &str| told.windows(text.len()).any(|told| told == text.as_bytes());
    ensure!(is_told("trace-of-7") && is_told("countersign"));
    for canary in [
        anna.subject.as_str(),
        &anna.pin,
        "94620571",
        &app.id,
        "own phone",
        &app.code(now()),
        &app.secret_base32,
    ] {
        ensure!(!is_told(canary), "{canary} is told");
    }
    Ok(())
}

async fn flushed() -> Result<()> {
    let collector = Collector::start().await?;
    let database = Database::fresh(Backend::Sqlite).await?;
    let gateway = gateway(&database, collector.port, "").await?;
    let client = gateway.client("test").await?;
    let anna = Person::new();
    anna.create(&client, login()).await?;
    gateway.terminate()?;
    // The next batch would go out within five seconds, and the process is gone before.
    wait_for("the end", async || {
        Ok(gateway
            .log()
            .contains("countersign has stopped")
            .then_some(()))
    })
    .await?;
    let span = wait_for("the span", async || {
        let mut spans = collector.spans().into_iter();
        Ok(spans.find(|span| span.name == "countersign.v1.ConfirmationService/Create"))
    })
    .await?;
    // The log has the trace that was begun here.
    let line = lines(&gateway)?
        .into_iter()
        .find(|line| line["message"] == "a request was answered")
        .context("a line")?;
    let trace: String = span
        .trace_id
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    ensure!(line["span"]["trace.id"] == trace, "{line}");
    Ok(())
}

async fn away() -> Result<()> {
    let database = Database::fresh(Backend::Sqlite).await?;
    let mut gateway = gateway(&database, free_port()?, "").await?;
    let client = gateway.client("test").await?;
    // A batch has 512 spans at most, and a request more than three.
    for _ in 0..400 {
        Person::new().create(&client, login()).await?;
    }
    gateway.terminate()?;
    // It is told of what was lost when what waits is sent, at the very end.
    gateway.wait().await?;
    let mut lost = lines(&gateway)?;
    lost.retain(|line| line["message"] == "the collector takes no traces");
    ensure!(lost.len() == 1, "{lost:?}");
    ensure!(lost[0]["level"] == "WARN", "{lost:?}");
    Ok(())
}
