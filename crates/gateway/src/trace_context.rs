//! What a caller says about the trace that its request belongs to: W3C Trace Context, level 1.

use std::fmt;

use http::HeaderMap;
use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceState},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The header that names a trace.
const TRACEPARENT: &str = "traceparent";

/// The length of version 00, and of what later versions begin with.
const LENGTH: usize = 55;

/// Where a request comes from: a `traceparent` that was well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceParent {
    /// The trace: never all zeros.
    pub(crate) trace: TraceId,
    /// The caller's span: never all zeros.
    pub(crate) span: [u8; 8],
    /// Whether the caller records the trace.
    pub(crate) is_sampled: bool,
}

/// A trace, shown as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceId(pub(crate) [u8; 16]);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl TraceParent {
    /// What the headers say; nothing where they say nothing, nonsense, or more than one thing.
    pub(crate) fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let mut given = headers.get_all(TRACEPARENT).iter();
        match (given.next(), given.next()) {
            (Some(only), None) => Self::parse(only.as_bytes()),
            _ => None,
        }
    }

    /// Reads `00-` trace `-` span `-` flags. A later version begins in the same way, and what it
    /// has beyond that begins with a dash; there is no version ff.
    fn parse(text: &[u8]) -> Option<Self> {
        let (known, more) = text.split_at_checked(LENGTH)?;
        let mut parts = known.split(|byte| *byte == b'-');
        let [version] = bytes(parts.next()?)?;
        let trace = bytes(parts.next()?)?;
        let span = bytes(parts.next()?)?;
        let [flags] = bytes(parts.next()?)?;
        let is_whole = match version {
            0 => more.is_empty(),
            0xFF => false,
            _ => more.first().is_none_or(|byte| *byte == b'-'),
        };
        let is_right = is_whole && parts.next().is_none() && trace != [0; 16] && span != [0; 8];
        is_right.then_some(Self {
            trace: TraceId(trace),
            span,
            is_sampled: flags & 1 == 1,
        })
    }
}

/// Has a new span continue the caller's trace, if there is one, and says which trace it belongs to.
/// Without a caller's there is one only where traces are exported.
pub(crate) fn continue_trace(span: &Span, parent: Option<TraceParent>) -> Option<TraceId> {
    if let Some(parent) = parent {
        let flags = TraceFlags::default().with_sampled(parent.is_sampled);
        let (trace, span_id) = (
            opentelemetry::TraceId::from_bytes(parent.trace.0),
            SpanId::from_bytes(parent.span),
        );
        let remote = SpanContext::new(trace, span_id, flags, true, TraceState::NONE);
        // An error says that nothing is exported.
        let _ = span.set_parent(Context::new().with_remote_span_context(remote));
        return Some(parent.trace);
    }
    let context = span.context();
    let begun = context.span().span_context().clone();
    begun
        .is_valid()
        .then(|| TraceId(begun.trace_id().to_bytes()))
}

/// So many bytes, of exactly as many pairs of lower-case hexadecimal digits.
fn bytes<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

const fn digit(text: u8) -> Option<u8> {
    match text {
        b'0'..=b'9' => Some(text - b'0'),
        b'a'..=b'f' => Some(text - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const RIGHT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(text: &str) -> Option<TraceParent> {
        TraceParent::parse(text.as_bytes())
    }

    #[test]
    fn a_well_formed_header_is_taken_over() {
        let parent = read(RIGHT).unwrap();
        let trace = parent.trace.to_string();
        assert_eq!(trace, "0af7651916cd43dd8448eb211c80319c");
        let span = [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31];
        assert_eq!(parent.span, span);
        assert!(parent.is_sampled);
        let unsampled = RIGHT.replace("-01", "-00");
        assert!(!read(&unsampled).unwrap().is_sampled);
        // Flags that level 1 does not know are no reason to refuse the rest.
        assert!(read(&RIGHT.replace("-01", "-ff")).unwrap().is_sampled);
    }

    #[test]
    fn the_first_digits_of_a_trace_id_may_be_zeros() {
        let parent = read("00-0000000000000000000000000000000a-000000000000000b-00").unwrap();
        let trace = parent.trace.to_string();
        assert_eq!(trace, "0000000000000000000000000000000a");
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = RIGHT.replacen("00", "cc", 1);
        assert_eq!(read(&later), read(RIGHT));
        assert_eq!(read(&format!("{later}-what-comes")), read(RIGHT));
        assert_eq!(read(&format!("{later}.what-comes")), None);
    }

    #[test]
    fn nonsense_is_ignored() {
        let more = format!("{RIGHT}-00");
        let trailing = format!("{RIGHT} ");
        for nonsense in [
            "",
            "00",
            &RIGHT[..54],
            &more,
            &trailing,
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "0-0af7651916cd43dd8448eb211c80319cc-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
            "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-101",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0-",
            "00-\u{e9}0af7651916cd43dd8448eb211c8031-b7ad6b7169203331-01",
        ] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn two_headers_are_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(TraceParent::of_headers(&headers), None);
        headers.append(TRACEPARENT, HeaderValue::from_static(RIGHT));
        assert_eq!(TraceParent::of_headers(&headers), read(RIGHT));
        headers.append(TRACEPARENT, HeaderValue::from_static(RIGHT));
        assert_eq!(TraceParent::of_headers(&headers), None);
    }
}
