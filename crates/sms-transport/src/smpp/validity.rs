//! For how long a message is worth delivering, as SMPP writes it.

use std::time::Duration;

/// The longest that the form has room for here: days up to 99, and no months.
const MOST_SECONDS: u64 = 100 * 86_400 - 1;

/// The relative form of SMPP 3.4, 7.1.1: `YYMMDDhhmmsstnnR`, no longer than the duration. None where
/// not a second is left.
pub(super) fn relative(validity: Duration) -> Option<String> {
    let seconds = validity.as_secs().min(MOST_SECONDS);
    if seconds == 0 {
        return None;
    }
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    Some(format!(
        "0000{days:02}{hours:02}{minutes:02}{seconds:02}000R"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validity_is_written_in_the_relative_form() {
        for (seconds, written) in [
            (1, "000000000001000R"),
            (300, "000000000500000R"),
            (599, "000000000959000R"),
            (3661, "000000010101000R"),
            (90_000, "000001010000000R"),
            (u64::MAX, "000099235959000R"),
        ] {
            assert_eq!(relative(Duration::from_secs(seconds)).unwrap(), written);
        }
    }

    #[test]
    fn what_is_begun_of_a_second_does_not_count() {
        let validity = Duration::from_millis(59_999);
        assert_eq!(relative(validity).unwrap(), "000000000059000R");
        assert_eq!(relative(Duration::from_millis(999)), None);
    }
}
