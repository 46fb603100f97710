//! Which reports came before.

use std::time::Duration;

use super::*;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

#[test]
fn a_signature_is_known_for_as_long_as_its_report_is_fresh() {
    let mut seen = Seen::default();
    assert!(!seen.has(b"a", START));
    seen.note(b"a".to_vec(), START);
    assert!(seen.has(b"a", START));
    assert!(!seen.has(b"b", START));
    assert!(seen.has(b"a", START.plus(FRESH * 2)));
    assert!(!seen.has(b"a", START.plus(FRESH * 2 + Duration::from_millis(1))));
    assert!(seen.known.is_empty() && seen.line.is_empty());
}

#[test]
fn only_so_many_are_known() {
    let mut seen = Seen::default();
    for number in 0..=MOST {
        seen.note(number.to_be_bytes().to_vec(), START);
    }
    assert_eq!((seen.known.len(), seen.line.len()), (MOST, MOST));
    assert!(!seen.has(&0_usize.to_be_bytes(), START));
    assert!(seen.has(&1_usize.to_be_bytes(), START));
    assert!(seen.has(&MOST.to_be_bytes(), START));
}
