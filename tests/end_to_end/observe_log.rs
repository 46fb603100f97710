//! What the log says of requests, and what nobody can make it say.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use countersign_mfa::ports::{
    Applied, Change, LoadKey, Lock, Rows, Store, StoreError, StoredEvent,
    sms::{SharedKey, SharedRows, StoredMessage},
};
use countersign_primitives::{MessageId, SubjectId};
use countersign_security_identifiers::Binding;
use countersign_testkit::{
    BIN, Backend, Database, GatewayProcess, Options, Person, Storage, TestClock, TestPlatform,
};
use serde_json::Value;
use tokio_stream::StreamExt as _;
use tonic::{
    Code, Request, Status, client::Grpc, codegen::http::uri::PathAndQuery, metadata::MetadataMap,
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};

use crate::{
    campaign::CHEAP,
    harness::Suite,
    observe::{bare, channel, lines, list, wait_for},
    world::{login, refused},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.with(
        &[BIN],
        "observe::the_callers_id_and_trace_stand_in_the_log_and_in_each_answer",
        taken_over,
    );
    suite.with(
        &[BIN],
        "observe::nobody_can_forge_a_line_or_lengthen_one",
        hostile,
    );
    suite.on_each_backend_with(
        &[BIN],
        "observe::each_failure_has_one_line_of_the_level_of_its_fault",
        failures,
    );
    suite.with(
        &[BIN],
        "observe::a_stream_has_a_line_when_it_is_opened_and_one_at_its_end",
        streams,
    );
    suite.with(
        &[BIN],
        "observe::serve_offers_reflection_only_where_it_is_asked_for",
        reflection,
    );
    suite.on_each_backend(
        "observe::a_panic_in_a_handler_is_an_internal_error_and_the_others_are_answered",
        panics,
    );
}

const JSON: &str = "[log]\nformat = \"json\"\n";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async fn json_gateway() -> Result<GatewayProcess> {
    let database = Database::fresh(Backend::Sqlite).await?;
    json_gateway_on(&database).await
}

async fn json_gateway_on(database: &Database) -> Result<GatewayProcess> {
    GatewayProcess::start(database, &format!("{CHEAP}{JSON}")).await
}

fn id_of(metadata: &MetadataMap) -> Result<String> {
    let mut ids = metadata.get_all("x-request-id").iter();
    let id = ids.next().context("an id")?.to_str()?.to_owned();
    ensure!(ids.next().is_none(), "two ids");
    Ok(id)
}

/// The lines about a request.
fn about(process: &GatewayProcess, id: &str) -> Result<Vec<Value>> {
    let mut lines = lines(process)?;
    lines.retain(|line| line["span"]["request.id"] == id);
    Ok(lines)
}

/// The line with which a request ended.
async fn end_of(process: &GatewayProcess, id: &str) -> Result<Value> {
    let is_end = |line: &Value| line["duration.ms"].is_number();
    wait_for("the line", async || {
        Ok(about(process, id)?.into_iter().find(is_end))
    })
    .await
}

async fn taken_over() -> Result<()> {
    let gateway = json_gateway().await?;
    let mut client = bare(gateway.endpoint()).await?;
    let caller: (&str, &[u8]) = ("x-countersign-caller", b"host-system");

    let id: (&str, &[u8]) = ("x-request-id", b"host/7:42");
    let request = list("anna", &[caller, id, ("traceparent", TRACEPARENT)])?;
    let answer = client.list(request).await?;
    ensure!(id_of(answer.metadata())? == "host/7:42");
    let line = end_of(&gateway, "host/7:42").await?;
    ensure!(line["level"] == "INFO", "{line}");
    ensure!(line["message"] == "a request was answered", "{line}");
    ensure!(line["rpc.code"] == "OK", "{line}");
    let span = &line["span"];
    ensure!(span["trace.id"] == TRACE, "{line}");
    ensure!(span["caller"] == "host-system", "{line}");
    let path = "/countersign.v1.IdentifierService/List";
    ensure!(span["rpc.method"] == path, "{line}");

    // The same on an error, and on one that is made by the transport.
    let id: (&str, &[u8]) = ("x-request-id", b"host/7:43");
    let status = client.list(list("", &[caller, id])?).await;
    let status = refused(status, Code::InvalidArgument, "INVALID_FIELD")?;
    ensure!(id_of(status.metadata())? == "host/7:43");
    let line = end_of(&gateway, "host/7:43").await?;
    ensure!(line["level"] == "INFO", "{line}");
    ensure!(line["rpc.reason"] == "INVALID_FIELD", "{line}");
    ensure!(line["span"]["trace.id"].is_null(), "{line}");

    let status = call(&gateway, "/no.Service/Method", b"host/7:44").await;
    ensure!(status.code() == Code::Unimplemented, "{status:?}");
    ensure!(id_of(status.metadata())? == "host/7:44");

    // Who gives none is given one.
    let answer = client.list(list("anna", &[])?).await?;
    let drawn = id_of(answer.metadata())?;
    ensure!(drawn.len() == 36, "{drawn}");
    end_of(&gateway, &drawn).await?;
    Ok(())
}

/// Calls a method by its path.
async fn call(gateway: &GatewayProcess, path: &str, id: &[u8]) -> Status {
    let answer = async {
        let mut grpc = Grpc::new(channel(gateway.endpoint()).await?);
        grpc.ready().await?;
        let request = list("anna", &[("x-request-id", id)])?.map(drop);
        let path = PathAndQuery::try_from(path)?;
        let codec = ProstCodec::<(), ()>::default();
        anyhow::Ok(grpc.unary(request, path, codec).await)
    };
    match answer.await {
        Ok(Err(status)) => status,
        other => Status::unknown(format!("{other:?}")),
    }
}

async fn hostile() -> Result<()> {
    let database = Database::fresh(Backend::Sqlite).await?;
    let json = json_gateway_on(&database).await?;
    let text = GatewayProcess::start(&database, CHEAP).await?;
    let long = "forged".repeat(200);
    let values: [&[u8]; 9] = [
        b"forged\" rpc.code=\"OK",
        b"forged line",
        b"forged\tline",
        b"{\"forged\":1}",
        b"forged%0d%0aINFO forged",
        b"forged\\nINFO",
        b"forged=\xff\xfe",
        b"forged\xe2\x80\xa8line",
        long.as_bytes(),
    ];
    let mut asked = 0;
    for gateway in [&json, &text] {
        let mut client = bare(gateway.endpoint()).await?;
        for value in values {
            let metadata = [("x-request-id", value), ("traceparent", value)];
            let answer = client.list(list("anna", &metadata)?).await?;
            let drawn = id_of(answer.metadata())?;
            ensure!(drawn.len() == 36, "{drawn}");
            asked += 1;
        }
        // A name of letters only is one, however long.
        for value in &values[..values.len() - 1] {
            let metadata = [("x-countersign-caller", *value)];
            let nameless = client.list(list("anna", &metadata)?).await;
            refused(nameless, Code::InvalidArgument, "INVALID_FIELD")?;
            asked += 1;
        }
        // Two of them are none.
        let twice: [(&str, &[u8]); 2] =
            [("x-request-id", b"forged-1"), ("x-request-id", b"forged-2")];
        client.list(list("anna", &twice)?).await?;
        asked += 1;
        for path in ["/forged\"x/y", "/forged%0aINFO/y", &format!("/{long}/y")] {
            let status = call(gateway, path, b"path").await;
            ensure!(status.code() == Code::Unimplemented, "{status:?}");
            asked += 1;
        }
    }
    let ends = async || {
        let ends = |log: String| {
            let lines = log.lines();
            lines.filter(|line| line.contains("duration.ms")).count()
        };
        Ok((ends(json.log()) + ends(text.log()) == asked).then_some(()))
    };
    wait_for("a line for each", ends).await?;
    for line in lines(&json)? {
        ensure!(line["forged"].is_null(), "{line}");
        let mut rest = line.clone();
        let path = rest["rpc.path"].take();
        let path = path.as_str().unwrap_or_default();
        ensure!(path.len() <= 128, "{path}");
        ensure!(!rest.to_string().contains("forged"), "{rest}");
    }
    for line in text.log().lines().filter(|line| line.contains("forged")) {
        ensure!(line.len() < 600, "{line}");
        ensure!(line.contains(" rpc.path=\"/forged"), "{line}");
        ensure!(
            !line.starts_with("forged") && !line.starts_with("INFO"),
            "{line}"
        );
        // What was a quote is one within quotes.
        ensure!(!line.contains("forged\"x"), "{line}");
    }
    Ok(())
}

async fn failures(backend: Backend) -> Result<()> {
    let database = Database::fresh(backend).await?;
    let gateway = json_gateway_on(&database).await?;
    let mut client = bare(gateway.endpoint()).await?;
    let anna = Person::new();
    anna.set_pin(&gateway.client("test").await?).await?;

    database.query("ALTER TABLE subject RENAME TO elsewhere")?;
    let request = list(&anna.subject, &[("x-request-id", b"ours")])?;
    let status = client.list(request).await;
    database.query("ALTER TABLE elsewhere RENAME TO subject")?;
    let status = refused(status, Code::Internal, "INTERNAL")?;
    ensure!(id_of(status.metadata())? == "ours");
    let request = list("", &[("x-request-id", b"theirs")])?;
    ensure!(client.list(request).await.is_err());

    let line = end_of(&gateway, "ours").await?;
    ensure!(line["level"] == "ERROR", "{line}");
    ensure!(line["message"] == "a request failed", "{line}");
    ensure!(line["rpc.code"] == "INTERNAL" && line["rpc.reason"] == "INTERNAL");
    let error = line["error"].as_str().context("what lay behind it")?;
    ensure!(error.contains("refused a statement"), "{line}");
    let line = end_of(&gateway, "theirs").await?;
    ensure!(line["level"] == "INFO", "{line}");
    ensure!(line["message"] == "a request was refused", "{line}");
    for id in ["ours", "theirs"] {
        let mut about = about(&gateway, id)?;
        about.retain(|line| line["level"] != "DEBUG");
        ensure!(about.len() == 1, "{about:?}");
    }
    Ok(())
}

async fn streams() -> Result<()> {
    let gateway = json_gateway().await?;
    let mut health = HealthClient::new(channel(gateway.endpoint()).await?);
    let mut request = Request::new(HealthCheckRequest::default());
    let metadata = request.metadata_mut();
    metadata.insert("x-request-id", "watcher".parse()?);
    let mut watch = health.watch(request).await?;
    ensure!(id_of(watch.metadata())? == "watcher");
    watch.get_mut().next().await.context("a first word")??;
    let said = |text: &'static str| {
        let gateway = &gateway;
        move || async move {
            let lines = about(gateway, "watcher")?;
            Ok(lines.into_iter().find(|line| line["message"] == text))
        }
    };
    wait_for("the first line", said("a stream was opened")).await?;
    ensure!(said("a stream has ended")().await?.is_none());
    drop(watch);
    let end = wait_for("the last line", said("a stream has ended")).await?;
    ensure!(end["rpc.code"] == "CANCELLED", "{end}");
    ensure!(end["span"]["rpc.method"] == "/grpc.health.v1.Health/Watch");
    Ok(())
}

async fn reflection() -> Result<()> {
    let database = Database::fresh(Backend::Sqlite).await?;
    for is_asked_for in [false, true] {
        let more = format!("reflection = {is_asked_for}\n{CHEAP}");
        let more = if is_asked_for { more } else { CHEAP.to_owned() };
        let gateway = GatewayProcess::start(&database, &more).await?;
        let mut client = ServerReflectionClient::new(channel(gateway.endpoint()).await?);
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let asked = tokio_stream::once(request);
        let answer = client.server_reflection_info(asked).await;
        if is_asked_for {
            let first = answer?.into_inner().next().await;
            first.context("an answer")??;
        } else {
            refused(answer.map(drop), Code::Unimplemented, "METHOD_UNKNOWN")?;
        }
    }
    Ok(())
}

/// A store that panics when it is asked about somebody of this name.
struct Panics(Arc<Storage>);
const PANIC: &str = "panic";

#[async_trait]
impl Store for Panics {
    async fn load(&self, key: &LoadKey) -> Result<Rows, StoreError> {
        if key.subject.as_str() == PANIC {
            // As `panic!`, and with nothing printed.
            std::panic::resume_unwind(Box::new("as it was asked to"));
        }
        self.0.load(key).await
    }
    async fn apply(&self, change: Change) -> Result<Applied, StoreError> {
        self.0.apply(change).await
    }
    async fn lock(&self, key: &LoadKey) -> Result<(Rows, Box<dyn Lock>), StoreError> {
        self.0.lock(key).await
    }
    async fn shared(&self, subject: &SubjectId, key: &SharedKey) -> Result<SharedRows, StoreError> {
        self.0.shared(subject, key).await
    }
    async fn message(
        &self,
        subject: &SubjectId,
        id: MessageId,
    ) -> Result<Option<StoredMessage>, StoreError> {
        self.0.message(subject, id).await
    }
    async fn bindings(&self, subject: &SubjectId) -> Result<Vec<Binding>, StoreError> {
        self.0.bindings(subject).await
    }
    async fn events(
        &self,
        subject: &SubjectId,
        before: Option<i64>,
        most: u64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.0.events(subject, before, most).await
    }
    async fn subjects(
        &self,
        after: Option<&SubjectId>,
        most: u64,
    ) -> Result<Vec<SubjectId>, StoreError> {
        self.0.subjects(after, most).await
    }
}

async fn panics(backend: Backend) -> Result<()> {
    let database = Database::fresh(backend).await?;
    let options = Options {
        store: |storage| Arc::new(Panics(storage)),
        ..Options::default()
    };
    let platform = TestPlatform::start(&database, &TestClock::default(), options).await?;
    let client = platform.client("test").await?;
    let anna = Person::new();
    let unlucky = Person {
        subject: PANIC.to_owned(),
        ..Person::new()
    };
    // More than the room holds: a place that a panic kept would be missed.
    for _ in 0..200 {
        let answer = unlucky.create(&client, login("phone")).await;
        let status = refused(answer, Code::Internal, "INTERNAL")?;
        ensure!(status.message() == "an internal error", "{status:?}");
        ensure!(id_of(status.metadata())?.len() == 36);
    }
    anna.set_pin(&client).await?;
    anna.create(&client, login("phone")).await?;
    Ok(())
}
