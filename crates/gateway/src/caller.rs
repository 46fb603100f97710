//! Who calls.

use countersign_mfa::Caller;
use tonic::{Request, Status, metadata::MetadataMap};
use tonic_types::FieldViolation;

use crate::status;

/// The metadata that names the caller on loopback without TLS. With mutual TLS the certificate
/// names it, and this is ignored.
pub const CALLER_METADATA: &str = "x-countersign-caller";

/// The caller of a request; `local` where it gave no name.
pub(crate) fn of_request<T>(request: &Request<T>) -> Result<Caller, Status> {
    of_metadata(request.metadata())
}

fn of_metadata(metadata: &MetadataMap) -> Result<Caller, Status> {
    let Some(name) = metadata.get(CALLER_METADATA) else {
        return Ok(Caller::local());
    };
    let name = name.to_str().unwrap_or_default();
    Caller::parse(name).map_err(|error| {
        status::invalid(vec![FieldViolation::new(
            CALLER_METADATA,
            error.to_string(),
        )])
    })
}
