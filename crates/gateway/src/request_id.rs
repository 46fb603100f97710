//! What a request is called in the log and in its answer: not the `request_id` of its body, by
//! which a repetition is known.

use countersign_mfa::Entropy;
use countersign_primitives::RequestId;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The metadata that has it, of requests and of answers.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest that is taken over.
const LONGEST: usize = 64;

/// The caller's own, where it gave exactly one that is fit to stand in a log, or else a new one.
/// None where there is no randomness, without which no request is carried out.
pub(crate) fn of_headers(headers: &HeaderMap, entropy: &dyn Entropy) -> Option<HeaderValue> {
    let mut given = headers.get_all(X_REQUEST_ID).iter();
    match (given.next(), given.next()) {
        (Some(only), None) if is_fit(only.as_bytes()) => Some(only.clone()),
        _ => {
            let mut generator = entropy.generator().ok()?;
            let drawn = RequestId::random(&mut generator).to_string();
            HeaderValue::try_from(drawn).ok()
        }
    }
}

/// Nothing that could end a field or a line of a log, or look like another.
fn is_fit(text: &[u8]) -> bool {
    let is_safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:~+/@".contains(byte);
    (1..=LONGEST).contains(&text.len()) && text.iter().all(is_safe)
}

#[cfg(test)]
mod tests {
    use countersign_mfa::SystemEntropy;

    use super::*;

    fn of(given: &[&[u8]]) -> String {
        let mut headers = HeaderMap::new();
        for value in given {
            headers.append(X_REQUEST_ID, HeaderValue::from_bytes(value).unwrap());
        }
        let id = of_headers(&headers, &SystemEntropy).unwrap();
        id.to_str().unwrap().to_owned()
    }

    #[test]
    fn an_id_that_is_fit_is_taken_over() {
        let longest = [b'x'; LONGEST];
        for fit in [
            b"a".as_slice(),
            b"4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
            b"host/7:8_9~a+b.c@d",
            &longest,
        ] {
            assert_eq!(of(&[fit]).as_bytes(), fit);
        }
    }

    #[test]
    fn no_header_holds_the_end_of_a_line() {
        for end in [b"a\r\nb".as_slice(), b"a\nb", b"a\rb", b"a\0b"] {
            HeaderValue::from_bytes(end).unwrap_err();
            assert!(!is_fit(end));
        }
    }

    #[test]
    fn any_other_is_replaced_by_one_that_is_drawn() {
        let too_long = [b'x'; LONGEST + 1];
        let others: [&[&[u8]]; 12] = [
            &[],
            &[b""],
            &[&too_long],
            &[b"two words"],
            &[b"a\tb"],
            &[b"a\"b"],
            &[b"a'b"],
            &[b"a=b"],
            &[b"a{b}"],
            &[b"a\\nb"],
            &[b"\xc3\xa9"],
            &[b"one", b"two"],
        ];
        for other in others {
            let drawn = of(other);
            assert_ne!(drawn, of(other), "drawn anew");
            drawn.parse::<RequestId>().unwrap();
        }
    }
}
