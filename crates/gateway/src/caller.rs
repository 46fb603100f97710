//! Who calls.

use countersign_mfa::{Caller, CallerError};
use http::HeaderMap;
use tonic::{Request, Status};
use tonic_types::FieldViolation;

use crate::status;

/// The metadata that names the caller on loopback without TLS. With mutual TLS the certificate
/// names it, and this is ignored.
pub const CALLER_METADATA: &str = "x-countersign-caller";

/// The caller of a request; `local` where it gave no name.
pub(crate) fn of_request<T>(request: &Request<T>) -> Result<Caller, Status> {
    of_headers(request.metadata().as_ref()).map_err(|error| {
        let violation = FieldViolation::new(CALLER_METADATA, error.to_string());
        status::invalid(vec![violation])
    })
}

/// The caller that headers name.
pub(crate) fn of_headers(headers: &HeaderMap) -> Result<Caller, CallerError> {
    headers.get(CALLER_METADATA).map_or_else(
        || Ok(Caller::local()),
        |name| Caller::parse(name.to_str().unwrap_or_default()),
    )
}
