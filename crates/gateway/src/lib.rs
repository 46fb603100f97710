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
mod methods;
mod services;
mod status;
mod tls;

use std::{future::Future, sync::Arc, time::Duration};

use countersign_mfa::{Entropy, Platform, ports::Upkeep};
use countersign_proto::{
    FILE_DESCRIPTOR_SET,
    v1::{
        backup_code_service_server::BackupCodeServiceServer,
        confirmation_service_server::ConfirmationServiceServer,
        identifier_service_server::IdentifierServiceServer, pin_service_server::PinServiceServer,
        totp_service_server::TotpServiceServer,
    },
};
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic_health::{ServingStatus, server::HealthReporter};
use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};

pub use caller::CALLER_METADATA;
pub use callers::{
    Amount, AmountError, Callers, Ceiling, OperationKind, OperationKindError, PaymentMethods, Row,
    Share, methods_of,
};
pub use methods::{METHODS, MethodLimits, MethodRow};
pub use tls::{
    BundleFound, ChainFound, Life, SpiffeId, SpiffeIdError, Tls, TlsError, TlsExamination,
    TlsFiles, TlsVersion, TrustDomain, Vouched,
};

use crate::{
    callers::Admission,
    edge::{EdgeLayer, Refusals},
    services::{
        backup_code::BackupCodes, confirmation::Confirmations, identifier::Identifiers, pin::Pins,
        totp::Totps,
    },
};

/// The largest request. The largest that means anything is a custom operation of 32 fields.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// How often the database is asked whether it answers, for the health service.
const HEALTH_INTERVAL: Duration = Duration::from_secs(2);

/// How long those who watch the health service have to hear that it stops.
const LAST_WORD: Duration = Duration::from_millis(100);

/// What the health service knows: the whole server, and each service.
const SERVICES: [&str; 6] = [
    "",
    "countersign.v1.BackupCodeService",
    "countersign.v1.ConfirmationService",
    "countersign.v1.IdentifierService",
    "countersign.v1.PinService",
    "countersign.v1.TotpService",
];

/// What the edge stands before.
#[derive(Clone)]
pub struct Gateway {
    /// The use cases.
    pub platform: Arc<Platform>,
    /// Whether the database answers, for the health service.
    pub upkeep: Arc<dyn Upkeep>,
    /// Where the ids of log lines come from.
    pub entropy: Arc<dyn Entropy>,
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
    let (reporter, health) = tonic_health::server::health_reporter();
    let refusals = Arc::new(Refusals::default());
    let watch = watch_health(
        reporter.clone(),
        Arc::clone(&gateway.upkeep),
        Arc::clone(&refusals),
    );
    let watch = tokio::spawn(watch);
    let reflection = gateway.reflection.then(reflection).transpose()?;
    let platform = &gateway.platform;
    let edge = EdgeLayer {
        entropy: Arc::clone(&gateway.entropy),
        platform: Arc::clone(platform),
        admission: Arc::new(Admission::new(gateway.callers)),
        deadline: gateway.deadline,
        refusals,
    };
    let router = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(60)))
        .layer(edge)
        .add_service(health)
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
            IdentifierServiceServer::new(Identifiers(Arc::clone(platform)))
                .max_decoding_message_size(MAX_REQUEST_BYTES),
        )
        .add_service(
            PinServiceServer::new(Pins(Arc::clone(platform)))
                .max_decoding_message_size(MAX_REQUEST_BYTES),
        )
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
        set_all(&reporter, ServingStatus::NotServing).await;
        tokio::time::sleep(LAST_WORD).await;
        // Ends the streams of those who watch, which would hold the stop for as long as it waits.
        for name in SERVICES {
            reporter.clone().clear_service_status(name).await;
        }
        let _ = stopping.send(());
    };
    let fresh = async {
        match &gateway.tls {
            Some(tls) => tls.keep_fresh().await,
            None => std::future::pending().await,
        }
    };
    let incoming = accept::incoming(listener, gateway.tls.clone());
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
async fn watch_health(reporter: HealthReporter, upkeep: Arc<dyn Upkeep>, refusals: Arc<Refusals>) {
    let mut interval = tokio::time::interval(HEALTH_INTERVAL);
    loop {
        interval.tick().await;
        refusals.log();
        let status = match upkeep.ping().await {
            Ok(()) => ServingStatus::Serving,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the database is away"
                );
                ServingStatus::NotServing
            }
        };
        set_all(&reporter, status).await;
    }
}

/// Sets the status of the whole server and of each service.
async fn set_all(reporter: &HealthReporter, status: ServingStatus) {
    for name in SERVICES {
        reporter.set_service_status(name, status).await;
    }
}
