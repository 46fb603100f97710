//! What the details of a status say.

use std::time::Duration;

use countersign_proto::v1::{Path, StepUpRequired};
use tonic::Status;
use tonic_types::{StatusExt, pb};

/// The stable reason of an error, such as `OPERATION_MISMATCH`: see `ErrorReason` in the proto.
pub fn reason(status: &Status) -> Option<String> {
    let info = status.get_details_error_info()?;
    (info.domain == "countersign").then_some(info.reason)
}

/// How long to wait before trying again, where waiting helps.
pub fn retry_after(status: &Status) -> Option<Duration> {
    status.get_details_retry_info()?.retry_delay
}

/// What would do, where more has to be proved.
pub fn step_up_paths(status: &Status) -> Option<Vec<Path>> {
    use prost::Message;

    let details = pb::Status::decode(status.details()).ok()?.details;
    let is_ours = |url: &str| url.ends_with("/countersign.v1.StepUpRequired");
    let detail = details.iter().find(|detail| is_ours(&detail.type_url))?;
    Some(StepUpRequired::decode(detail.value.as_slice()).ok()?.paths)
}
