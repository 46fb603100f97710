//! Every status that the gateway can make, as `docs/errors.md` lists them.

mod page;
mod samples;

use std::collections::BTreeSet;

use countersign_mfa::ports::StoreError;

use super::*;
use page::{Retry, advice};
use samples::{OF_TRANSPORT, every_error, of_transport};

/// A status, and what it is the answer to.
struct Sample {
    what: String,
    status: Status,
}

/// Every status: of the use cases, of the edge, and of the transport.
fn samples() -> Vec<Sample> {
    let sample = |what: &str, status| Sample {
        what: what.to_owned(),
        status,
    };
    let violation = |field: &str| FieldViolation::new(field, "must be given");
    let mut all = vec![
        sample("one wrong field", invalid(vec![violation("amount")])),
        sample(
            "several wrong fields",
            invalid(vec![violation("amount"), violation("subject_id")]),
        ),
        sample("a full room", server_busy()),
        sample("a panic", internal()),
        sample("a caller with its share at work", caller_busy(SOON)),
        sample("a deadline", deadline_exceeded()),
    ];
    all.extend(Lacks::ALL.map(|lacks| {
        let what = format!("a caller that lacks `{}`", lacks.key());
        sample(&what, not_permitted(lacks))
    }));
    all.extend(every_error().map(|error| {
        let variant = format!("{error:?}");
        let name = variant.split(['(', ' ']).next().unwrap_or_default();
        let inner = match &error {
            Error::Denied(obstacle, _) => format!("{obstacle:?}"),
            Error::ConfirmationNotPending(state) | Error::ConfirmationNotApproved(state) => {
                format!("{state:?}")
            }
            _ => String::new(),
        };
        let inner = inner.split(' ').next().unwrap_or_default().to_owned();
        let what = if inner.is_empty() {
            format!("`{name}`")
        } else {
            format!("`{name}`, `{inner}`")
        };
        Sample {
            what,
            status: of_error(error),
        }
    }));
    all.extend(OF_TRANSPORT.map(|(what, code, text)| sample(what, of_transport(code, text))));
    all
}

/// The details of a status: their types, in their order.
fn types(status: &Status) -> Vec<String> {
    let details = pb::Status::decode(status.details()).unwrap().details;
    let name = |url: &str| url.rsplit(['/', '.']).next().unwrap().to_owned();
    details
        .iter()
        .map(|detail| name(&detail.type_url))
        .collect()
}

/// The reason of a status, and its place in the enum.
fn reason(status: &Status) -> (String, ErrorReason) {
    let text = status.get_details_error_info().unwrap().reason;
    let reason = ErrorReason::from_str_name(&format!("ERROR_REASON_{text}"));
    (text, reason.unwrap())
}

#[test]
fn every_status_has_an_error_info_of_our_domain_and_each_detail_once() {
    for Sample { what, status } in samples() {
        let info = status.get_details_error_info().expect(&what);
        assert_eq!(info.domain, DOMAIN, "{what}");
        let types = types(&status);
        let once: BTreeSet<_> = types.iter().collect();
        assert_eq!(once.len(), types.len(), "{what}: {types:?}");
        let decoded = pb::Status::decode(status.details()).unwrap();
        assert_eq!(decoded.code, i32::from(status.code()), "{what}");
        assert_eq!(decoded.message, status.message(), "{what}");
        assert!(
            status.message().len() < 200 && !status.message().is_empty(),
            "{what}"
        );
        assert!(!types.contains(&"DebugInfo".to_owned()), "{what}");
    }
}

/// AIP-193.
#[test]
fn reasons_and_the_keys_of_metadata_have_the_right_form() {
    let is_reason = |text: &str| {
        let bytes = text.as_bytes();
        let inner = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
        (3..=63).contains(&bytes.len())
            && bytes[0].is_ascii_uppercase()
            && bytes[bytes.len() - 1] != b'_'
            && bytes.iter().all(inner)
    };
    for number in 0..1000 {
        if let Ok(reason) = ErrorReason::try_from(number) {
            assert!(is_reason(name(reason)), "{reason:?}");
        }
    }
    for Sample { what, status } in samples() {
        for (key, value) in status.get_details_error_info().unwrap().metadata {
            let bytes = key.as_bytes();
            let inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
            assert!((2..=64).contains(&bytes.len()), "{what}: {key}");
            assert!(
                bytes[0].is_ascii_lowercase() && bytes.iter().all(inner),
                "{what}: {key}"
            );
            assert!(!value.is_empty(), "{what}: {key}");
        }
    }
}

#[test]
fn every_reason_is_given_by_something() {
    let given: BTreeSet<_> = samples()
        .iter()
        .map(|sample| reason(&sample.status).0)
        .collect();
    let never: Vec<_> = (1..1000)
        .filter_map(|number| ErrorReason::try_from(number).ok())
        .filter(|reason| !given.contains(name(*reason)))
        .collect();
    assert!(never.is_empty(), "no sample has {never:?}");
}

#[test]
fn a_wait_is_named_exactly_where_waiting_helps() {
    for Sample { what, status } in samples() {
        let wait = status
            .get_details_retry_info()
            .and_then(|info| info.retry_delay);
        // After a deadline there is nothing to wait for: whoever asks again has waited.
        let has_waited = matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled);
        let helps = advice(reason(&status).1).0 == Retry::AfterTheWait && !has_waited;
        assert_eq!(wait.is_some(), helps, "{what}");
        assert!(wait.is_none_or(|wait| !wait.is_zero()), "{what}");
        if status.code() == Code::Unavailable {
            assert!(helps, "{what}: a caller is told to try again, and not when");
        }
    }
}

#[test]
fn what_is_wrong_with_fields_is_told_wherever_fields_could_be_read() {
    for Sample { what, status } in samples() {
        let is_ours =
            reason(&status).1 == ErrorReason::InvalidField && !what.starts_with("the transport");
        let bad = status.get_details_bad_request();
        assert_eq!(bad.is_some(), is_ours, "{what}");
        assert!(
            bad.is_none_or(|bad| !bad.field_violations.is_empty()),
            "{what}"
        );
    }
}

/// What nobody outside may read.
const CANARIES: [&str; 4] = [
    "SELECT secrets FROM subject",
    "db-7.internal.example",
    "/etc/countersign/keys.toml",
    "password=hunter2",
];

#[derive(Debug, thiserror::Error)]
#[error("{}", CANARIES.join(" at "))]
struct Canary(#[source] Option<Box<Canary>>);

fn canary() -> Box<dyn std::error::Error + Send + Sync> {
    Box::new(Canary(Some(Box::new(Canary(None)))))
}

#[test]
fn what_went_wrong_inside_stays_inside() {
    let text = CANARIES.join(" ");
    let codes = (0..17).map(Code::from_i32);
    // What the transport says of bytes that it could not read is about those bytes.
    let is_inside = |code: &Code| {
        let of_bytes = [
            Code::Ok,
            Code::Internal,
            Code::OutOfRange,
            Code::InvalidArgument,
        ];
        !of_bytes.contains(code) && *code != Code::Unimplemented
    };
    let of_transport = codes
        .filter(is_inside)
        .map(|code| with_details(&Status::new(code, &text)));
    let of_store = [
        StoreError::Unavailable(canary()),
        StoreError::OutcomeUnknown(canary()),
        StoreError::Refused(canary()),
        StoreError::Inconsistent {
            table: CANARIES[0],
            column: CANARIES[1],
        },
    ];
    let of_errors = of_store
        .map(Error::from)
        .into_iter()
        .chain([Error::Internal(canary())]);
    for status in of_errors.map(of_error).chain(of_transport) {
        let response = status.clone().into_http::<()>();
        let headers = format!("{:?}", response.headers());
        let details = String::from_utf8_lossy(status.details()).into_owned();
        for canary in CANARIES {
            for shown in [status.message(), &details, &headers] {
                let plain = shown.replace("%20", " ");
                assert!(!plain.contains(canary), "{:?} shows {plain}", status.code());
            }
        }
    }
}

#[test]
fn the_page_of_errors_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md");
    let fresh = page::of(&samples());
    if std::env::var_os("COUNTERSIGN_REGENERATE").is_some() {
        std::fs::write(path, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == fresh,
        "docs/errors.md is stale: run `COUNTERSIGN_REGENERATE=1 cargo test -p countersign-gateway`"
    );
}
