//! Wire to domain with every violation at once, and domain to wire.

pub(crate) mod confirmation;
pub(crate) mod event;
pub(crate) mod identifier;
pub(crate) mod operation;
pub(crate) mod proofs;

use std::fmt::Display;

use countersign_mfa::{Call, Caller};
use countersign_primitives::{Label, RequestId, SecretBytes, SubjectId, Timestamp};
use countersign_proto::v1 as wire;
use countersign_security_identifiers::{Purpose, PurposeSet};
use prost::Message;
use tonic::Status;
use tonic_types::FieldViolation;

use crate::status;

/// The most violations that are told at once.
const MAX_VIOLATIONS: usize = 24;

/// The longest page token, in bytes: twice what a list gives.
const MAX_TOKEN_BYTES: usize = 192;

/// What is wrong with a page token.
pub(crate) const NO_TOKEN: &str = "is not one of this list";

/// Reads the fields of one request and keeps what is wrong with them.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    violations: Vec<FieldViolation>,
}

impl Reader {
    /// Notes what is wrong with a field. A request that is wrong all over is told a part of it:
    /// details travel in headers, which have their limits.
    pub(crate) fn violation(&mut self, field: &str, description: impl Display) {
        if self.violations.len() == MAX_VIOLATIONS {
            return;
        }
        self.violations
            .push(FieldViolation::new(field, description.to_string()));
    }

    /// The value of a field, or a violation.
    pub(crate) fn take<T, E: Display>(&mut self, field: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.violation(field, error)).ok()
    }

    /// The subject of a request.
    pub(crate) fn subject(&mut self, subject_id: &str) -> Option<SubjectId> {
        self.take("subject_id", SubjectId::parse(subject_id))
    }

    /// What every mutation has: its subject, its caller, its id and its body.
    pub(crate) fn call(
        &mut self,
        caller: Caller,
        subject_id: &str,
        request_id: &str,
        request: &impl Message,
    ) -> Option<Call> {
        let subject = self.subject(subject_id);
        let request_id = if request_id.is_empty() {
            Some(None)
        } else {
            let parsed = request_id.parse::<RequestId>();
            self.take("request_id", parsed).map(Some)
        };
        Some(Call {
            subject: subject?,
            caller,
            request: request_id?,
            body: SecretBytes::new(request.encode_to_vec()),
        })
    }

    /// A name that may be left out.
    pub(crate) fn label(&mut self, label: &str) -> Option<Option<Label>> {
        match label {
            "" => Some(None),
            label => self.take("label", Label::parse(label)).map(Some),
        }
    }

    /// How much a page is to hold.
    pub(crate) fn page_size(&mut self, size: i32) -> Option<usize> {
        let size = usize::try_from(size).map_err(|_| "must not be negative");
        self.take("page_size", size)
    }

    /// Where a page begins. The list itself knows whether the token is one of its own; what cannot be
    /// one is told with all else that is wrong.
    pub(crate) fn page_token(&mut self, token: &str) {
        if token.len() > MAX_TOKEN_BYTES || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.violation("page_token", NO_TOKEN);
        }
    }

    /// Purposes of a repeated field.
    pub(crate) fn purposes(&mut self, field: &str, purposes: &[i32]) -> PurposeSet {
        let mut set = Vec::new();
        if purposes.len() > Purpose::ALL.len() {
            self.violation(field, "must name each purpose at most once");
            return PurposeSet::NONE;
        }
        for (position, number) in purposes.iter().enumerate() {
            match purpose(*number) {
                Some(purpose) => set.push(purpose),
                None => self.violation(
                    &format!("{field}[{position}]"),
                    "must be PURPOSE_LOGIN, PURPOSE_WITHDRAWAL or PURPOSE_OTHER",
                ),
            }
        }
        set.into_iter().collect()
    }

    /// A text with a length in bytes and no control characters.
    pub(crate) fn text(
        &mut self,
        field: &str,
        text: &str,
        lengths: std::ops::RangeInclusive<usize>,
    ) -> String {
        if !lengths.contains(&text.len()) {
            let (least, most) = (lengths.start(), lengths.end());
            self.violation(field, format!("must have {least} to {most} bytes"));
        } else if text.chars().any(char::is_control) {
            self.violation(field, "must hold no control characters");
        }
        text.to_owned()
    }

    /// What was read, or the status with all violations.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Status> {
        match value {
            Some(value) if self.violations.is_empty() => Ok(value),
            _ => Err(status::invalid(self.violations)),
        }
    }
}

fn purpose(number: i32) -> Option<Purpose> {
    match wire::Purpose::try_from(number).ok()? {
        wire::Purpose::Unspecified => None,
        wire::Purpose::Login => Some(Purpose::Login),
        wire::Purpose::Withdrawal => Some(Purpose::Withdrawal),
        wire::Purpose::Other => Some(Purpose::Other),
    }
}

/// A purpose on the wire.
pub(crate) const fn purpose_to_wire(purpose: Purpose) -> wire::Purpose {
    match purpose {
        Purpose::Login => wire::Purpose::Login,
        Purpose::Withdrawal => wire::Purpose::Withdrawal,
        Purpose::Other => wire::Purpose::Other,
    }
}

/// An instant on the wire.
pub(crate) const fn time_to_wire(instant: Timestamp) -> prost_types::Timestamp {
    let millis = instant.as_millis();
    prost_types::Timestamp {
        seconds: millis.div_euclid(1000),
        // Less than 10⁹, so it fits.
        nanos: millis.rem_euclid(1000) as i32 * 1_000_000,
    }
}
