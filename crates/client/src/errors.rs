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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use countersign_proto::v1::{Pin, Stage, StageOption, stage_option::Authenticator};
    use prost::Message;
    use tonic::Code;
    use tonic_types::ErrorDetails;

    use super::*;

    fn failed(domain: &str) -> Status {
        let mut details = ErrorDetails::with_error_info("SUBJECT_BUSY", domain, HashMap::new());
        details.set_retry_info(Some(Duration::from_secs(3)));
        Status::with_error_details(Code::ResourceExhausted, "busy", details)
    }

    #[test]
    fn the_reason_is_read_from_our_domain_only() {
        assert_eq!(
            reason(&failed("countersign")).as_deref(),
            Some("SUBJECT_BUSY")
        );
        assert_eq!(reason(&failed("proxy.example")), None);
    }

    #[test]
    fn the_wait_is_read_whoever_asks_for_it() {
        assert_eq!(
            retry_after(&failed("proxy.example")),
            Some(Duration::from_secs(3))
        );
    }

    #[test]
    fn the_paths_are_found_behind_other_details() {
        let pin = StageOption {
            authenticator: Some(Authenticator::Pin(Pin {})),
            usable: true,
            usable_from: None,
            masked_number: String::new(),
        };
        let stage = Stage {
            options: vec![pin],
            passed: false,
        };
        let paths = vec![Path {
            stages: vec![stage],
        }];
        let required = StepUpRequired {
            paths: paths.clone(),
        };
        let mut details = pb::Status::decode(failed("countersign").details()).unwrap();
        let mut detail = details.details[0].clone();
        detail.type_url = "type.googleapis.com/countersign.v1.StepUpRequired".to_owned();
        detail.value = required.encode_to_vec();
        details.details.push(detail);
        let status = Status::with_details(
            Code::FailedPrecondition,
            "more has to be proved",
            details.encode_to_vec().into(),
        );
        assert_eq!(step_up_paths(&status), Some(paths));
    }

    #[test]
    fn a_status_without_readable_details_has_none() {
        let unreadable = Status::with_details(Code::Unavailable, "gone", vec![0xff].into());
        for status in [Status::unavailable("gone"), unreadable] {
            assert_eq!(reason(&status), None);
            assert_eq!(retry_after(&status), None);
            assert_eq!(step_up_paths(&status), None);
        }
    }
}
