//! Requests without a transport, for the fuzz target only.

use std::sync::Arc;

use countersign_mfa::{Feed, Platform};
use countersign_proto::v1::{
    backup_code_service_server::BackupCodeServiceServer,
    confirmation_service_server::ConfirmationServiceServer, dev_service_server::DevServiceServer,
    event_service_server::EventServiceServer, identifier_service_server::IdentifierServiceServer,
    pin_service_server::PinServiceServer, sms_service_server::SmsServiceServer,
    totp_service_server::TotpServiceServer,
};
use http::Request;
use http_body_util::Full;
use tonic::{Status, body::Body, codegen::Bytes};
use tower::ServiceExt as _;

use crate::{
    callers::Identified,
    edge,
    services::{
        backup_code::BackupCodes,
        confirmation::Confirmations,
        dev::{Dev, Inbox, InboxMessage},
        event::Events,
        identifier::Identifiers,
        pin::Pins,
        sms::Phones,
        totp::Totps,
    },
};

/// An inbox that nothing comes to.
struct NoMessages;

impl Inbox for NoMessages {
    fn messages(&self) -> Vec<InboxMessage> {
        Vec::new()
    }
}

/// What the method at `path` answers to a message of these bytes: decoded, converted, asked of the
/// platform, encoded, as a call over the wire is. `None` where the answer is no error.
///
/// # Panics
/// When no service is known by that path.
#[expect(
    clippy::panic,
    reason = "a service without a row here would not be tried"
)]
pub async fn call(
    (platform, feed): (&Arc<Platform>, &Arc<Feed>),
    path: &str,
    message: &[u8],
) -> Option<Status> {
    let mut frame = vec![0];
    frame.extend(
        u32::try_from(message.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
    );
    frame.extend(message);
    let mut request = Request::new(Body::new(Full::new(Bytes::from(frame))));
    *request.uri_mut() = path.parse().unwrap_or_default();
    request.extensions_mut().insert(Identified::local());
    let platform = Arc::clone(platform);
    let service = path.split(['.', '/']).rev().nth(1).unwrap_or_default();
    let answered = match service {
        "BackupCodeService" => {
            let server = BackupCodeServiceServer::new(BackupCodes(platform));
            server.oneshot(request).await
        }
        "ConfirmationService" => {
            let server = ConfirmationServiceServer::new(Confirmations(platform));
            server.oneshot(request).await
        }
        "DevService" => {
            let server = DevServiceServer::new(Dev(Arc::new(NoMessages)));
            server.oneshot(request).await
        }
        "EventService" => {
            let server = EventServiceServer::new(Events(Arc::clone(feed)));
            server.oneshot(request).await
        }
        "IdentifierService" => {
            let server = IdentifierServiceServer::new(Identifiers(platform));
            server.oneshot(request).await
        }
        "PinService" => PinServiceServer::new(Pins(platform)).oneshot(request).await,
        "SmsService" => {
            let server = SmsServiceServer::new(Phones(platform));
            server.oneshot(request).await
        }
        "TotpService" => {
            let server = TotpServiceServer::new(Totps(platform));
            server.oneshot(request).await
        }
        other => panic!("{other} is not among the services that are tried"),
    };
    let Ok(response) = answered;
    Status::from_header_map(edge::complete(response).headers())
}
