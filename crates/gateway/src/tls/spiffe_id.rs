//! SPIFFE ids: who a service is, as a URI.
//!
//! The form is that of the SPIFFE-ID standard, section 2, and nothing more lenient: an id is
//! compared byte by byte, so there must be one way to write it.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// The longest id, in bytes: SPIFFE-ID section 2.3.
const MAX_ID_BYTES: usize = 2048;
/// The longest name of a trust domain, in bytes: SPIFFE-ID section 2.1.
const MAX_DOMAIN_BYTES: usize = 255;
const SCHEME: &str = "spiffe://";

/// The id of a workload: `spiffe://bank.example/login-service`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    id: String,
    /// Where the path begins.
    path: usize,
}

/// The name of a trust domain: `bank.example`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(String);

/// A text is no SPIFFE id of a workload, or no name of a trust domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SpiffeIdError {
    /// It is longer than an id may be.
    #[error("must have at most {MAX_ID_BYTES} bytes")]
    TooLong,
    /// It has another scheme, or none.
    #[error("must begin with `spiffe://`, in small letters")]
    Scheme,
    /// The trust domain has a character that it must not have, is empty or too long.
    #[error(
        "must have a trust domain of 1 to {MAX_DOMAIN_BYTES} small letters, digits and characters \
         of `.-_`, without a port or a user"
    )]
    TrustDomain,
    /// It names the trust domain itself, or its path ends in a slash.
    #[error("must have a path, such as /login-service, that does not end in `/`")]
    Path,
    /// A segment of the path is empty, `.` or `..`, or has a character that it must not have.
    #[error(
        "must have a path whose segments are letters, digits and characters of `.-_`, none of them \
         empty, `.` or `..`"
    )]
    Segment,
}

impl SpiffeId {
    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.id
    }

    /// The trust domain, whose certificates alone can vouch for the id.
    pub fn trust_domain(&self) -> &str {
        &self.id[SCHEME.len()..self.path]
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, SpiffeIdError> {
        if text.len() > MAX_ID_BYTES {
            return Err(SpiffeIdError::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeIdError::Scheme)?;
        let (domain, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        require_domain(domain)?;
        if path.len() < 2 || path.ends_with('/') {
            return Err(SpiffeIdError::Path);
        }
        if !path[1..].split('/').all(is_segment) {
            return Err(SpiffeIdError::Segment);
        }
        Ok(Self {
            id: text.to_owned(),
            path: SCHEME.len() + domain.len(),
        })
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

impl TrustDomain {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TrustDomain {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, SpiffeIdError> {
        require_domain(text)?;
        Ok(Self(text.to_owned()))
    }
}

fn require_domain(domain: &str) -> Result<(), SpiffeIdError> {
    let is_fit =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    let is_right = (1..=MAX_DOMAIN_BYTES).contains(&domain.len()) && domain.bytes().all(is_fit);
    is_right.then_some(()).ok_or(SpiffeIdError::TrustDomain)
}

fn is_segment(segment: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !matches!(segment, "" | "." | "..") && segment.bytes().all(is_fit)
}

#[cfg(test)]
mod tests {
    use countersign_primitives::is_caller_name;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_has_a_trust_domain_and_a_path() {
        let longest = format!("spiffe://{}/{}", "d".repeat(255), "p".repeat(2048 - 265));
        for (text, domain) in [
            ("spiffe://bank.example/login-service", "bank.example"),
            ("spiffe://a/b", "a"),
            ("spiffe://1.2.3.4/ns/prod/sa/Portal_2", "1.2.3.4"),
            ("spiffe://bank_x-y/...", "bank_x-y"),
            (&longest, &"d".repeat(255)),
        ] {
            let id: SpiffeId = text.parse().unwrap();
            assert_eq!((id.as_str(), id.trust_domain()), (text, domain));
        }
    }

    #[test]
    fn what_is_written_otherwise_is_refused_for_its_reason() {
        use SpiffeIdError::*;
        let long = format!("spiffe://a/{}", "p".repeat(2048));
        for (text, error) in [
            ("", Scheme),
            ("bank.example/login", Scheme),
            ("https://bank.example/login", Scheme),
            ("SPIFFE://bank.example/login", Scheme),
            ("spiffe:/bank.example/login", Scheme),
            (" spiffe://bank.example/login", Scheme),
            ("spiffe:///login", TrustDomain),
            ("spiffe://", TrustDomain),
            ("spiffe://Bank.example/login", TrustDomain),
            ("spiffe://bank.example:443/login", TrustDomain),
            ("spiffe://user@bank.example/login", TrustDomain),
            ("spiffe://b%61nk/login", TrustDomain),
            ("spiffe://bänk/login", TrustDomain),
            ("spiffe://bank.example?x/login", TrustDomain),
            ("spiffe://bank.example#x", TrustDomain),
            ("spiffe://bank.example", Path),
            ("spiffe://bank.example/", Path),
            ("spiffe://bank.example/login/", Path),
            ("spiffe://bank.example//login", Segment),
            ("spiffe://bank.example/a//b", Segment),
            ("spiffe://bank.example/./login", Segment),
            ("spiffe://bank.example/a/../login", Segment),
            ("spiffe://bank.example/..", Segment),
            ("spiffe://bank.example/log%69n", Segment),
            ("spiffe://bank.example/login?x=1", Segment),
            ("spiffe://bank.example/login#x", Segment),
            ("spiffe://bank.example/log in", Segment),
            ("spiffe://bank.example/login\0", Segment),
            ("spiffe://bank.example/log:in", Segment),
            (&long, TooLong),
        ] {
            assert_eq!(text.parse::<SpiffeId>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_taken_stays_as_it_was_written_and_names_a_caller(
            text in "(spiffe://)?[a-zA-Z0-9./:@%_-]{0,40}"
        ) {
            if let Ok(id) = text.parse::<SpiffeId>() {
                prop_assert_eq!(id.as_str(), &text);
                prop_assert!(is_caller_name(&text));
                let domain: TrustDomain = id.trust_domain().parse().unwrap();
                let path = format!("spiffe://{}/", domain.as_str());
                prop_assert!(text.starts_with(&path));
            }
        }
    }
}
