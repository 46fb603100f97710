//! How fast a carrier is given messages, over simulated time.

use super::*;

/// A carrier that takes so many messages in each second and throttles the rest, fed as fast as the
/// pace allows: what it took and what it throttled in the last so many seconds.
fn feed(ceiling: Option<u32>, limit: u32, seconds: u64, last: u64) -> (u32, u32) {
    let start = Instant::now();
    let mut pace = Pace::new(ceiling, start);
    let (mut now, mut second, mut left) = (start, 0, limit);
    let (mut taken, mut throttled) = (0, 0);
    // Without a pace nothing waits; a carrier has an end of its own all the same.
    let travel = Duration::from_micros(500);
    while now - start < Duration::from_secs(seconds) {
        now = pace.turn(now, Duration::MAX).unwrap() + travel;
        if (now - start).as_secs() != second {
            (second, left) = ((now - start).as_secs(), limit);
        }
        let counts = u32::from(second >= seconds - last);
        if left == 0 {
            throttled += counts;
            pace.throttled(now);
        } else {
            left -= 1;
            taken += counts;
            pace.accepted();
        }
    }
    (taken, throttled)
}

#[test]
fn the_pace_settles_below_what_the_carrier_takes() {
    for limit in [5, 20, 100] {
        let (taken, throttled) = feed(None, limit, 600, 300);
        println!("limit {limit}/s: {taken} taken in 300 s, {throttled} throttled");
        assert!(throttled * 40 <= taken, "{throttled} throttled of {taken}");
        assert!(taken >= limit * 300 / 2, "{taken} at {limit}");
    }
}

#[test]
fn the_ceiling_is_never_exceeded() {
    let (taken, throttled) = feed(Some(10), 1000, 60, 60);
    assert_eq!(throttled, 0);
    assert!((590..=601).contains(&taken), "{taken}");
}

#[test]
fn without_a_pace_nothing_waits() {
    let now = Instant::now();
    let mut pace = Pace::new(None, now);
    for _ in 0..1000 {
        assert_eq!(pace.turn(now, Duration::ZERO), Some(now));
    }
}

#[test]
fn answers_to_one_burst_slow_down_once() {
    let now = Instant::now();
    let mut pace = Pace::new(Some(64), now);
    for _ in 0..10 {
        pace.throttled(now);
    }
    assert_eq!(pace.rate, Some(32.0));
    assert_eq!(pace.turn(now, Duration::ZERO), None);
    assert_eq!(pace.turn(now, BREAK), Some(now + BREAK));
}

#[test]
fn a_turn_that_is_not_waited_for_is_not_taken() {
    let now = Instant::now();
    let mut pace = Pace::new(Some(1), now);
    assert_eq!(pace.turn(now, Duration::ZERO), Some(now));
    for _ in 0..3 {
        assert_eq!(pace.turn(now, Duration::from_millis(500)), None);
    }
    let second = Duration::from_secs(1);
    assert_eq!(pace.turn(now, second), Some(now + second));
}
