//! What a login or withdrawal service links: the typed client of every service.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use countersign_client::{Client, mutate, v1};
//!
//! let client = &Client::builder("https://mfa.internal:50051")
//!     .identity("certs/login-service.pem", "certs/login-service.key")
//!     .trust("certs/ca.pem")
//!     .connect()
//!     .await?;
//! let mut request = v1::ConfirmationServiceCreateRequest {
//!     subject_id: "anna".to_owned(),
//!     ..Default::default()
//! };
//! let created = mutate(&mut request, |request| async move {
//!     client.confirmations().create(request).await
//! })
//! .await?;
//! # let _ = created;
//! # Ok(())
//! # }
//! ```
//!
//! Every call has a deadline, which the server is told. Send what changes something by [`mutate`]: a
//! call whose answer was lost then has one effect all the same. [`CallError`] reads a status. Whole
//! services are in `examples`.

mod builder;
mod call_error;
mod connection;
mod credentials;
mod errors;
mod mutation;
mod mutual;
mod retry;

use std::{net::IpAddr, sync::Arc, time::Duration};

use countersign_proto::v1::{
    backup_code_service_client::BackupCodeServiceClient,
    confirmation_service_client::ConfirmationServiceClient, dev_service_client::DevServiceClient,
    event_service_client::EventServiceClient, identifier_service_client::IdentifierServiceClient,
    pin_service_client::PinServiceClient, sms_service_client::SmsServiceClient,
    totp_service_client::TotpServiceClient,
};
use thiserror::Error;
use tonic::{
    codegen::{StdError, http::HeaderValue},
    transport::{Channel, Endpoint},
};
use uuid::Uuid;

use crate::connection::Current;

pub use builder::Builder;
pub use call_error::{CallError, FieldViolation};
pub use connection::Connection;
pub use countersign_proto::v1;
pub use credentials::CredentialsError;
pub use errors::{reason, retry_after, step_up_paths};
pub use mutation::{Mutation, mutate};
pub use mutual::ReloadError;
pub use retry::retry_unavailable;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the server lets a request take, so that its own answer is heard.
const CALL_TIMEOUT: Duration = Duration::from_secs(12);
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A connection to Countersign, for one caller. Cloning it shares the connection.
#[derive(Clone, Debug)]
pub struct Client {
    connection: Connection,
}

/// The connection could not be made.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The endpoint is no address such as `http://127.0.0.1:50051`.
    #[error(
        "`{0}` is no endpoint: it must be like http://127.0.0.1:50051; without TLS only this machine is \
         spoken to"
    )]
    Endpoint(String),
    /// The endpoint is none for mutual TLS.
    #[error("`{0}` is no endpoint: with certificates it must be like https://localhost:50051")]
    TlsEndpoint(String),
    /// Certificate, key or bundle cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// No connection by mutual TLS comes about: nobody answers, or one side does not take the
    /// certificate of the other.
    #[error("no connection by mutual TLS to {endpoint} comes about")]
    Refused {
        /// The endpoint.
        endpoint: String,
        /// What the transport says.
        source: StdError,
    },
    /// The caller's name cannot stand in metadata.
    #[error("the caller's name must be visible ASCII")]
    Caller,
    /// Nobody answers there.
    #[error("nobody answers at {endpoint}")]
    Unreachable {
        /// The endpoint.
        endpoint: String,
        /// What the transport says.
        source: tonic::transport::Error,
    },
}

impl Client {
    /// Describes a client by mutual TLS, for an endpoint such as `https://mfa.internal:50051`.
    pub fn builder(endpoint: &str) -> Builder {
        Builder::new(endpoint)
    }

    /// Connects to `endpoint` on this machine, such as `http://127.0.0.1:50051`, without TLS and as
    /// `caller`, who is taken at its word. The connection is made now, and again by itself whenever
    /// it is lost.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(endpoint: &str, caller: Option<&str>) -> Result<Self, ConnectError> {
        let caller = named(caller)?;
        let connecting = parse(endpoint)?.connect().await;
        let channel = connecting.map_err(|source| ConnectError::Unreachable {
            endpoint: endpoint.to_owned(),
            source,
        })?;
        Ok(Self::over(channel, caller))
    }

    /// As [`Self::connect`], but the connection is made with the first call.
    ///
    /// # Errors
    /// [`ConnectError`], never [`ConnectError::Unreachable`]. Must be called inside a Tokio runtime.
    pub fn connect_lazy(endpoint: &str, caller: Option<&str>) -> Result<Self, ConnectError> {
        let caller = named(caller)?;
        Ok(Self::over(parse(endpoint)?.connect_lazy(), caller))
    }

    fn over(channel: Channel, caller: Option<HeaderValue>) -> Self {
        let connection = Connection {
            current: Arc::new(Current::new(channel)),
            caller,
            deadline: Some(CALL_TIMEOUT),
        };
        Self { connection }
    }

    /// ConfirmationService.
    pub fn confirmations(&self) -> ConfirmationServiceClient<Connection> {
        ConfirmationServiceClient::new(self.connection.clone())
    }

    /// EventService. Watching has no deadline.
    pub fn events(&self) -> EventServiceClient<Connection> {
        let connection = Connection {
            deadline: None,
            ..self.connection.clone()
        };
        EventServiceClient::new(connection)
    }

    /// IdentifierService.
    pub fn identifiers(&self) -> IdentifierServiceClient<Connection> {
        IdentifierServiceClient::new(self.connection.clone())
    }

    /// PinService.
    pub fn pins(&self) -> PinServiceClient<Connection> {
        PinServiceClient::new(self.connection.clone())
    }

    /// BackupCodeService.
    pub fn backup_codes(&self) -> BackupCodeServiceClient<Connection> {
        BackupCodeServiceClient::new(self.connection.clone())
    }

    /// SmsService.
    pub fn sms(&self) -> SmsServiceClient<Connection> {
        SmsServiceClient::new(self.connection.clone())
    }

    /// DevService, which only `countersign dev` has.
    pub fn dev(&self) -> DevServiceClient<Connection> {
        DevServiceClient::new(self.connection.clone())
    }

    /// TotpService.
    pub fn totp(&self) -> TotpServiceClient<Connection> {
        TotpServiceClient::new(self.connection.clone())
    }
}

fn named(caller: Option<&str>) -> Result<Option<HeaderValue>, ConnectError> {
    let name = caller.map(HeaderValue::try_from).transpose();
    name.map_err(|_| ConnectError::Caller)
}

fn parse(endpoint: &str) -> Result<Endpoint, ConnectError> {
    let parsed = Endpoint::from_shared(endpoint.to_owned());
    let parsed = parsed.map_err(|_| ConnectError::Endpoint(endpoint.to_owned()))?;
    if !is_of_this_machine(parsed.uri().host().unwrap_or_default()) {
        return Err(ConnectError::Endpoint(endpoint.to_owned()));
    }
    Ok(endpoint_of(parsed))
}

/// Whether nobody on the way can read along.
fn is_of_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
    host == "localhost" || address.parse().is_ok_and(is_loopback)
}

/// What every endpoint has.
fn endpoint_of(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE)
}

/// An id for one request: give each mutation one, and a retry of it the same.
#[expect(
    clippy::disallowed_methods,
    reason = "a caller's process has no generator of ours; the id is no secret"
)]
pub fn new_request_id() -> String {
    Uuid::new_v4().to_string()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use tonic::Code;

    use super::*;

    #[test]
    fn a_name_that_cannot_stand_in_metadata_is_refused() {
        assert!(matches!(
            named(Some("two\nlines")),
            Err(ConnectError::Caller)
        ));
    }

    #[test]
    fn an_endpoint_that_is_none_is_refused() {
        for endpoint in [
            "not an endpoint",
            "http://192.0.2.1:1",
            "http://mfa.internal:1",
            "/",
        ] {
            let refused = parse(endpoint);
            assert!(
                matches!(refused, Err(ConnectError::Endpoint(_))),
                "{endpoint}"
            );
        }
        for endpoint in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"] {
            parse(endpoint).unwrap();
        }
    }

    #[tokio::test]
    async fn a_call_that_gets_no_answer_ends_with_its_deadline() {
        // It takes connections, and never says a word.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", silent.local_addr().unwrap());
        let mut client = Client::connect_lazy(&endpoint, None).unwrap();
        client.connection.deadline = Some(Duration::from_millis(20));
        let request = v1::IdentifierServiceListRequest::default();
        let status = client.identifiers().list(request).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(CallError::from(status).may_be_done());
    }

    #[test]
    fn every_request_id_is_another_uuid() {
        let (one, other) = (new_request_id(), new_request_id());
        assert!(Uuid::try_parse(&one).is_ok());
        assert_ne!(one, other);
    }
}
