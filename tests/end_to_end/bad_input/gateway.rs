//! A gateway that is sent any bytes, as a process of its own.

use anyhow::{Context as _, Result, ensure};
use countersign_testkit::{Backend, Client, Database, GatewayProcess, Person, reason_of};
use prost_reflect::DescriptorPool;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;

use crate::{campaign::CHEAP, world::well_formed};

/// A gateway over a database of its own.
pub(crate) struct Gateway {
    pub(crate) pool: DescriptorPool,
    pub(crate) process: GatewayProcess,
    database: Database,
    channel: Channel,
    client: Client,
    /// Somebody whose request is always right.
    anna: Person,
}

/// What is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Its form is wrong, in these fields.
    Refused(Vec<String>),
    /// Anything else: its form is right.
    Other(String),
}

impl Gateway {
    pub(crate) async fn start(backend: Backend) -> Result<Self> {
        let database = Database::fresh(backend).await?;
        let process = GatewayProcess::start(&database, CHEAP).await?;
        let endpoint = Endpoint::from_shared(process.endpoint().to_owned())?;
        let client = process.client("test").await?;
        let anna = Person::new();
        anna.set_pin(&client).await?;
        Ok(Self {
            pool: DescriptorPool::decode(countersign_proto::FILE_DESCRIPTOR_SET)?,
            channel: endpoint.connect().await?,
            process,
            database,
            client,
            anna,
        })
    }

    /// Sends bytes as the request of a method.
    pub(crate) async fn call(&self, path: &str, message: Vec<u8>) -> Answer {
        let status = match self.try_call(path, message).await {
            Ok(()) => return Answer::Other("an answer".to_owned()),
            Err(status) => status,
        };
        if let Err(error) = well_formed(&status) {
            return Answer::Other(format!("{error}"));
        }
        let reason = reason_of(&status);
        if status.code() != Code::InvalidArgument || reason != "INVALID_FIELD" {
            return Answer::Other(format!("{reason}: {}", status.message()));
        }
        let bad = status.get_details_bad_request();
        let violations = bad.map(|bad| bad.field_violations).unwrap_or_default();
        Answer::Refused(violations.into_iter().map(|found| found.field).collect())
    }

    async fn try_call(&self, path: &str, message: Vec<u8>) -> Result<(), Status> {
        let unknown = |error: String| Status::unknown(error);
        let path = PathAndQuery::try_from(path).map_err(|error| unknown(error.to_string()))?;
        let mut grpc = Grpc::new(self.channel.clone());
        let ready = grpc.ready().await;
        ready.map_err(|error| unknown(error.to_string()))?;
        // A stream of answers may be one, and may be longer than we wait for.
        let answer = grpc.server_streaming(Request::new(message), path, Raw);
        answer.await.map(drop)
    }

    /// How many rows each table has.
    pub(crate) fn rows(&self) -> Result<String> {
        let tables = match self.database.backend() {
            Backend::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            }
            Backend::Postgres => {
                "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
            }
        };
        let tables = self.database.query(tables)?;
        let counts: Vec<String> = tables
            .lines()
            .map(|table| format!("SELECT '{table}' AS name, count(*) FROM {table}"))
            .collect();
        ensure!(counts.len() >= 6, "only these tables: {tables}");
        self.database
            .query(&format!("{} ORDER BY 1", counts.join(" UNION ALL ")))
    }

    /// That it still runs, and answers a right request.
    pub(crate) async fn require_alive(&self) -> Result<()> {
        let listed = self.anna.list(&self.client).await?;
        ensure!(listed.pin.context("a PIN")?.set, "the PIN is gone");
        let log = self.process.log();
        let panicked = log.lines().find(|line| line.contains("panicked"));
        ensure!(panicked.is_none(), "{panicked:?}");
        Ok(())
    }
}

/// Messages as bytes.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        use prost::bytes::BufMut as _;
        buffer.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        use prost::bytes::Buf as _;
        buffer.advance(buffer.remaining());
        Ok(Some(()))
    }
}
