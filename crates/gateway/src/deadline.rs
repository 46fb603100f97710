//! How long a request may take.

use std::time::Duration;

use http::HeaderMap;

/// The header in which a caller says how long it waits.
const TIMEOUT: &str = "grpc-timeout";

/// The time that the caller gives, at most the server's own.
pub(crate) fn of_headers(headers: &HeaderMap, most: Duration) -> Duration {
    let given = headers
        .get(TIMEOUT)
        .and_then(|value| parse(value.as_bytes()));
    given.map_or(most, |given| given.min(most))
}

/// One to eight digits and a unit; what is written otherwise says nothing.
fn parse(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(count * 60 * 60),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const MOST: Duration = Duration::from_secs(10);

    fn of(value: &'static str) -> Duration {
        let mut headers = HeaderMap::new();
        headers.insert(TIMEOUT, HeaderValue::from_static(value));
        of_headers(&headers, MOST)
    }

    #[test]
    fn a_caller_waits_as_long_as_it_says_and_no_longer_than_the_server_lets_it() {
        assert_eq!(of("3S"), Duration::from_secs(3));
        assert_eq!(of("250m"), Duration::from_millis(250));
        assert_eq!(of("0n"), Duration::ZERO);
        for value in ["11S", "1M", "99999999H", "10000001u"] {
            assert_eq!(of(value), MOST, "{value}");
        }
    }

    #[test]
    fn without_a_deadline_that_can_be_read_the_servers_own_applies() {
        assert_eq!(of_headers(&HeaderMap::new(), MOST), MOST);
        for value in ["", "S", "1", "1s", "-1S", "1.5S", "123456789S", "S1", " 1S"] {
            assert_eq!(of(value), MOST, "{value}");
        }
    }
}
