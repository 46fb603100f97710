//! What a login or withdrawal service links: the typed client of every service.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use countersign_client::{Client, new_request_id, v1};
//!
//! let client = Client::connect("http://127.0.0.1:50051", Some("login-service")).await?;
//! let created = client
//!     .confirmations()
//!     .create(v1::ConfirmationServiceCreateRequest {
//!         subject_id: "anna".to_owned(),
//!         request_id: new_request_id(),
//!         ..Default::default()
//!     })
//!     .await?;
//! # let _ = created;
//! # Ok(())
//! # }
//! ```

mod errors;
mod retry;

use std::time::Duration;

use countersign_proto::v1::{
    backup_code_service_client::BackupCodeServiceClient,
    confirmation_service_client::ConfirmationServiceClient,
    event_service_client::EventServiceClient, identifier_service_client::IdentifierServiceClient,
    pin_service_client::PinServiceClient, totp_service_client::TotpServiceClient,
};
use thiserror::Error;
use tonic::{
    Request, Status,
    metadata::{AsciiMetadataValue, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};
use uuid::Uuid;

pub use countersign_proto::v1;
pub use errors::{reason, retry_after, step_up_paths};
pub use retry::retry_unavailable;

/// The metadata that names the caller on loopback without TLS.
const CALLER_METADATA: &str = "x-countersign-caller";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the server lets a hash wait for its turn.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A connection to Countersign, for one caller. Cloning it shares the connection.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
    naming: Naming,
}

/// A channel whose requests name their caller.
pub type NamedChannel = InterceptedService<Channel, Naming>;

/// The connection could not be made.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The endpoint is no address such as `http://127.0.0.1:50051`.
    #[error("`{0}` is no endpoint: it must be like http://127.0.0.1:50051")]
    Endpoint(String),
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
    /// Connects to `endpoint`, such as `http://127.0.0.1:50051`, as `caller`. The connection is made
    /// now, and again by itself whenever it is lost.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(endpoint: &str, caller: Option<&str>) -> Result<Self, ConnectError> {
        let naming = Naming::new(caller)?;
        let connecting = parse(endpoint)?.connect().await;
        let channel = connecting.map_err(|source| ConnectError::Unreachable {
            endpoint: endpoint.to_owned(),
            source,
        })?;
        Ok(Self { channel, naming })
    }

    /// As [`Self::connect`], but the connection is made with the first call.
    ///
    /// # Errors
    /// [`ConnectError`], never [`ConnectError::Unreachable`]. Must be called inside a Tokio runtime.
    pub fn connect_lazy(endpoint: &str, caller: Option<&str>) -> Result<Self, ConnectError> {
        let naming = Naming::new(caller)?;
        let channel = parse(endpoint)?.connect_lazy();
        Ok(Self { channel, naming })
    }

    /// ConfirmationService.
    pub fn confirmations(&self) -> ConfirmationServiceClient<NamedChannel> {
        ConfirmationServiceClient::new(self.named())
    }

    /// EventService.
    pub fn events(&self) -> EventServiceClient<NamedChannel> {
        EventServiceClient::new(self.named())
    }

    /// IdentifierService.
    pub fn identifiers(&self) -> IdentifierServiceClient<NamedChannel> {
        IdentifierServiceClient::new(self.named())
    }

    /// PinService.
    pub fn pins(&self) -> PinServiceClient<NamedChannel> {
        PinServiceClient::new(self.named())
    }

    /// BackupCodeService.
    pub fn backup_codes(&self) -> BackupCodeServiceClient<NamedChannel> {
        BackupCodeServiceClient::new(self.named())
    }

    /// TotpService.
    pub fn totp(&self) -> TotpServiceClient<NamedChannel> {
        TotpServiceClient::new(self.named())
    }

    fn named(&self) -> NamedChannel {
        InterceptedService::new(self.channel.clone(), self.naming.clone())
    }
}

fn parse(endpoint: &str) -> Result<Endpoint, ConnectError> {
    let parsed = Endpoint::from_shared(endpoint.to_owned());
    let endpoint = parsed.map_err(|_| ConnectError::Endpoint(endpoint.to_owned()))?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(CALL_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE))
}

/// Names the caller in every request.
#[derive(Clone, Debug)]
pub struct Naming(Option<AsciiMetadataValue>);

impl Naming {
    fn new(caller: Option<&str>) -> Result<Self, ConnectError> {
        let name = caller.map(MetadataValue::try_from).transpose();
        name.map(Self).map_err(|_| ConnectError::Caller)
    }
}

impl Interceptor for Naming {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(name) = &self.0 {
            request.metadata_mut().insert(CALLER_METADATA, name.clone());
        }
        Ok(request)
    }
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
    use super::*;

    fn named(caller: Option<&str>) -> Option<String> {
        let mut naming = Naming::new(caller).unwrap();
        let request = naming.call(Request::new(())).unwrap();
        let name = request.metadata().get(CALLER_METADATA)?;
        Some(name.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_caller_is_named_where_it_gave_a_name() {
        assert_eq!(
            named(Some("login-service")).as_deref(),
            Some("login-service")
        );
        assert_eq!(named(None), None);
    }

    #[test]
    fn a_name_that_cannot_stand_in_metadata_is_refused() {
        assert!(matches!(
            Naming::new(Some("two\nlines")),
            Err(ConnectError::Caller)
        ));
    }

    #[test]
    fn an_endpoint_that_is_none_is_refused() {
        assert!(matches!(
            parse("not an endpoint"),
            Err(ConnectError::Endpoint(_))
        ));
    }

    #[test]
    fn every_request_id_is_another_uuid() {
        let (one, other) = (new_request_id(), new_request_id());
        assert!(Uuid::try_parse(&one).is_ok());
        assert_ne!(one, other);
    }
}
