//! Who calls.

use countersign_mfa::Caller;
use http::Request;
use tonic::Status;
use tonic_types::FieldViolation;

use crate::{callers::Identified, status, tls::Peer};

/// The metadata that names the caller on loopback without TLS. With mutual TLS the certificate
/// names it, and this is ignored.
pub const CALLER_METADATA: &str = "x-countersign-caller";

/// The caller of a request that was let in.
pub(crate) fn of_request<T>(request: &tonic::Request<T>) -> Result<Caller, Status> {
    identified(request).map(|identified| identified.caller.clone())
}

/// The caller of a request that was let in, and what it may do.
pub(crate) fn identified<T>(request: &tonic::Request<T>) -> Result<Identified, Status> {
    let found = request.extensions().get::<Identified>();
    found.cloned().ok_or_else(status::internal)
}

/// The caller that the connection proves or, where it is one on this machine without TLS, that the
/// request names: `local` where it gives no name.
pub(crate) fn of_http<B>(request: &Request<B>) -> Result<Caller, Status> {
    match request.extensions().get::<Peer>() {
        Some(Peer::Proved(caller)) => Ok(caller.clone()),
        Some(Peer::Local) => match request.headers().get(CALLER_METADATA) {
            None => Ok(Caller::local()),
            Some(name) => Caller::parse(name.to_str().unwrap_or_default()).map_err(|error| {
                let violation = FieldViolation::new(CALLER_METADATA, error.to_string());
                status::invalid(vec![violation])
            }),
        },
        None => Err(status::internal()),
    }
}
