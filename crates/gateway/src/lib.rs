//! The gRPC edge: decode, call, encode.
//!
//! [`serve`] answers on a listener until it is told to stop. A request reads in one line of files:
//! `services` decode by way of `convert`, call `countersign_mfa::Platform`, and encode; errors
//! become codes in `status`, and nowhere else.

mod accept;
mod caller;
mod callers;
mod convert;
mod deadline;
mod edge;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod health;
mod kept;
mod limits;
mod methods;
mod metrics;
mod outcome;
mod pages;
mod request_id;
mod services;
mod status;
mod target;
mod tls;
mod trace_context;

use std::{future::Future, sync::Arc, time::Duration};

use countersign_mfa::{Entropy, Feed, Platform, ports::Upkeep};
use countersign_proto::{
    FILE_DESCRIPTOR_SET,
    v1::{
        backup_code_service_server::BackupCodeServiceServer,
        confirmation_service_server::ConfirmationServiceServer,
        dev_service_server::DevServiceServer, event_service_server::EventServiceServer,
        identifier_service_server::IdentifierServiceServer, pin_service_server::PinServiceServer,
        sms_service_server::SmsServiceServer, totp_service_server::TotpServiceServer,
    },
};
use tokio::net::TcpListener;
use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};

pub use caller::CALLER_METADATA;
pub use callers::{
    Amount, AmountError, Callers, Ceiling, OperationKind, OperationKindError, PaymentMethods, Row,
    Share, methods_of,
};
pub use health::{Health, HealthState};
pub use limits::{raise_file_limit, serve_few};
pub use methods::{METHODS, MethodLimits, MethodRow};
pub use metrics::{Metrics, MetricsError};
pub use pages::{Pages, serve_pages};
pub use services::dev::{Inbox, InboxMessage};
pub use tls::{
    BundleFound, ChainFound, Life, SpiffeId, SpiffeIdError, Tls, TlsError, TlsExamination,
    TlsFiles, TlsVersion, TrustDomain, Vouched,
};

use crate::{
    callers::Admission,
    edge::{EdgeLayer, Refusals},
    limits::{BodyLayer, Connections},
    services::{
        backup_code::BackupCodes, confirmation::Confirmations, dev::Dev, event::Events,
        identifier::Identifiers, pin::Pins, sms::Phones, totp::Totps,
    },
};

/// The largest request. The largest that means anything is a custom operation of 32 fields.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// How often the database is asked whether it answers, for the health service.
const HEALTH_INTERVAL: Duration = Duration::from_secs(2);

/// What the edge stands before.
#[derive(Clone)]
pub struct Gateway {
    /// The use cases.
    pub platform: Arc<Platform>,
    /// The events that hosts act on.
    pub feed: Arc<Feed>,
    /// Whether the database answers, for the health service.
    pub upkeep: Arc<dyn Upkeep>,
    /// Where the ids of log lines come from.
    pub entropy: Arc<dyn Entropy>,
    /// Whether the gateway serves: kept true here, for others to see.
    pub health: Health,
    /// Where requests are counted, if they are.
    pub metrics: Option<Metrics>,
    /// The messages that would have been sent: for development only.
    pub inbox: Option<Arc<dyn Inbox>>,
    /// Whether reflection is offered: for development.
    pub reflection: bool,
    /// What connections prove who calls with; `None` is plaintext, and callers name themselves.
    pub tls: Option<Arc<Tls>>,
    /// Who may call what.
    pub callers: Callers,
    /// The longest that a request may take; a caller may ask for less.
    pub deadline: Duration,
    /// How long requests in flight may take after the stop was asked for.
    pub drain: Duration,
}

/// The edge could not be set up, or failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The transport failed.
    #[error("the gRPC server failed")]
    Transport(#[from] tonic::transport::Error),
    /// The description of the services cannot be offered by reflection.
    #[error("the description of the services cannot be read")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Answers on `listener` until `stop` is ready, then lets requests in flight finish.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(
    gateway: Gateway,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let health = gateway.health.clone();
    let refusals = Arc::new(Refusals::default());
    let watch = watch_health(
        health.clone(),
        Arc::clone(&gateway.upkeep),
        Arc::clone(&refusals),
    );
    let reflection = gateway.reflection.then(reflection).transpose()?;
    let watch = tokio::spawn(watch);
    let platform = &gateway.platform;
    let edge = EdgeLayer {
        entropy: Arc::clone(&gateway.entropy),
        platform: Arc::clone(platform),
        deadline: gateway.deadline,
        refusals: Arc::clone(&refusals),
        metrics: gateway
            .metrics
            .clone()
            .map(|metrics| match &gateway.callers {
                Callers::AtTheirWord => metrics,
                Callers::Table(rows) => metrics.for_callers(rows.keys().map(String::as_str)),
            }),
        admission: Arc::new(Admission::new(gateway.callers)),
    };
    let router = limits::builder()
        .layer(edge)
        .layer(BodyLayer::new())
        .add_service(health.service())
        .add_optional_service(reflection)
        .add_service(
            BackupCodeServiceServer::new(BackupCodes(Arc::clone(platform)))
                .max_decoding_message_size(MAX_REQUEST_BYTES),
        )
        .add_service(
            ConfirmationServiceServer::new(Confirmations(Arc::clone(platform)))
                .max_decoding_message_size(MAX_REQUEST_BYTES),
        )
        .add_service(
            EventServiceServer::new(Events(Arc::clone(&gateway.feed)))
                .max_decoding_message_size(MAX_REQUEST_BYTES),
        )
        .add_service(
            IdentifierServiceServer::new(Identifiers(Arc::clone(platform)))
                .max_decoding_message_size(MAX_REQUEST_BYTES),
        )
        .add_service(
            PinServiceServer::new(Pins(Arc::clone(platform)))
                .max_decoding_message_size(MAX_REQUEST_BYTES),
        )
        .add_service(
            SmsServiceServer::new(Phones(Arc::clone(platform)))
                .max_decoding_message_size(MAX_REQUEST_BYTES),
        )
        .add_optional_service(gateway.inbox.map(|inbox| {
            DevServiceServer::new(Dev(inbox)).max_decoding_message_size(MAX_REQUEST_BYTES)
        }))
        .add_service(
            TotpServiceServer::new(Totps(Arc::clone(platform)))
                .max_decoding_message_size(MAX_REQUEST_BYTES),
        );

    let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
    let drained = async {
        // An error means that serving ended without a stop: then there is nothing to wait for.
        if stopped.await.is_ok() {
            tokio::time::sleep(gateway.drain).await;
            tracing::warn!("requests in flight were given up after {:?}", gateway.drain);
        } else {
            std::future::pending::<()>().await;
        }
    };
    let shutdown = async {
        stop.await;
        watch.abort();
        refusals.log();
        // Whoever watches hears of it, and its stream ends, which would hold up the stop.
        health.set(HealthState::Stopping);
        gateway.feed.stop();
        let _ = stopping.send(());
    };
    let fresh = async {
        match &gateway.tls {
            Some(tls) => tls.keep_fresh().await,
            None => std::future::pending().await,
        }
    };
    let incoming = accept::incoming(listener, gateway.tls.clone());
    let incoming = Connections::new(incoming);
    let serving = router.serve_with_incoming_shutdown(incoming, shutdown);
    tokio::select! {
        served = serving => Ok(served?),
        () = drained => Ok(()),
        () = fresh => Ok(()),
    }
}

/// The description of the services, for callers that have none.
fn reflection() -> Result<ServerReflectionServer<impl ServerReflection>, ServeError> {
    Ok(tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?)
}

/// Keeps the health service in step with the database, and the log with what was refused.
async fn watch_health(health: Health, upkeep: Arc<dyn Upkeep>, refusals: Arc<Refusals>) {
    let mut interval = tokio::time::interval(HEALTH_INTERVAL);
    loop {
        interval.tick().await;
        refusals.log();
        let state = match upkeep.ping().await {
            Ok(()) => HealthState::Serving,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the database is away"
                );
                HealthState::DatabaseAway
            }
        };
        let is_up = state == HealthState::Serving;
        ::metrics::gauge!("countersign_database_up").set(u32::from(is_up));
        health.set(state);
    }
}
