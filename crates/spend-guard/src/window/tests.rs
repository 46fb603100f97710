//! Windows against a log of every entry.

use proptest::{collection::vec, prelude::*};

use super::*;

/// How far the clock goes between two messages: not at all, a little, about a cell, about a window.
fn step() -> impl Strategy<Value = u64> {
    let minute = 60_000;
    let about = |millis: u64| (millis - 2)..=(millis + 2);
    prop_oneof![
        4 => Just(0),
        8 => 1..2_000_u64,
        8 => 0..10 * minute,
        2 => about(5 * minute),
        2 => about(60 * minute),
        1 => about(24 * 60 * minute),
        1 => 0..26 * 60 * minute,
    ]
}

fn share() -> impl Strategy<Value = Share> {
    let limits = (1..80_u64, 0..200_u64);
    (limits, proptest::option::of(1..2_000_u64)).prop_map(|((hour, more), money)| Share {
        hour,
        day: hour + more,
        money,
    })
}

/// What was spent, message by message: the truth that a window is held against.
#[derive(Default)]
struct Log(Vec<(Timestamp, u64)>);

impl Log {
    /// How many messages, and what they cost, in a window and so much more before `now`.
    fn within(&self, window: Duration, more: i64, now: Timestamp) -> (u64, u64) {
        let is_in = |at: Timestamp| at.plus(window).as_millis() + more > now.as_millis();
        let spent = self.0.iter().filter(|(at, _)| is_in(*at));
        spent.fold((0, 0), |(messages, money), (_, cost)| {
            (messages + 1, money + cost)
        })
    }

    /// Whether a message keeps within the share where an hour and a day are so much longer.
    fn has_room(&self, share: &Share, cost: u64, more: [i64; 2], now: Timestamp) -> bool {
        let (hour, _) = self.within(HOUR, more[0], now);
        let (day, money) = self.within(DAY, more[1], now);
        let pays = share.money.is_none_or(|limit| money + cost <= limit);
        hour < share.hour && day < share.day && pays
    }
}

/// Spends what passes. Every other refused message comes again as soon as it is said to pass.
fn spend_all(
    share: &Share,
    steps: &[(u64, u64)],
    mut check: impl FnMut(&Window, &Log, u64, Timestamp),
) -> Log {
    let mut window = Window::default();
    let mut log = Log::default();
    let mut now = Timestamp::from_millis(1_700_000_000_000);
    for (place, (step, cost)) in steps.iter().enumerate() {
        now = now.plus(Duration::from_millis(*step));
        check(&window, &log, *cost, now);
        if let Err((_, at)) = window.room(share, *cost, now)
            && place % 2 == 0
        {
            now = at;
        }
        if window.room(share, *cost, now).is_ok() {
            window.spend(*cost, now);
            log.0.push((now, *cost));
        }
    }
    log
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_hour_and_no_day_has_more_than_the_limit(
        share in share(),
        steps in vec((step(), 0..60_u64), 1..400),
    ) {
        let log = spend_all(&share, &steps, |_, _, _, _| {});
        for (start, _) in &log.0 {
            let from_start = |window| {
                let of = log.0.iter().filter(|(at, _)| at >= start && *at < start.plus(window));
                of.fold((0, 0), |(messages, money), (_, cost)| (messages + 1, money + cost))
            };
            let ((hour, _), (day, money)) = (from_start(HOUR), from_start(DAY));
            prop_assert!(hour <= share.hour, "{hour} in an hour of {}", share.hour);
            prop_assert!(day <= share.day, "{day} in a day of {}", share.day);
            prop_assert!(share.money.is_none_or(|limit| money <= limit));
        }
    }

    #[test]
    fn nothing_is_refused_once_a_window_and_a_cell_have_passed(
        share in share(),
        steps in vec((step(), 0..60_u64), 1..400),
    ) {
        spend_all(&share, &steps, |window, log, cost, now| {
            if log.has_room(&share, cost, [SHORT_CELL, LONG_CELL], now) {
                assert_eq!(window.room(&share, cost, now), Ok(()));
            }
        });
    }

    #[test]
    fn a_limit_of_forty_or_fewer_a_day_is_counted_exactly(
        share in share(),
        day in 1..=40_u64,
        steps in vec((step(), 0..60_u64), 1..400),
    ) {
        let share = Share { day, ..share };
        spend_all(&share, &steps, |window, log, cost, now| {
            let has_room = log.has_room(&share, cost, [0, 0], now);
            assert_eq!(window.room(&share, cost, now).is_ok(), has_room);
        });
    }

    #[test]
    fn what_is_refused_passes_at_the_instant_named_and_not_before(
        share in share(),
        steps in vec((step(), 0..60_u64), 1..400),
    ) {
        spend_all(&share, &steps, |window, _, cost, now| {
            let Err((_, at)) = window.room(&share, cost, now) else {
                return;
            };
            assert!(at > now);
            let just_before = Timestamp::from_millis(at.as_millis() - 1);
            assert!(window.room(&share, cost, just_before).is_err());
            let can_be = share.money.is_none_or(|money| cost <= money);
            assert_eq!(window.room(&share, cost, at).is_ok(), can_be);
        });
    }

    #[test]
    fn a_clock_that_goes_back_frees_nothing(
        share in share(),
        steps in vec((step(), any::<bool>()), 1..200),
    ) {
        let mut window = Window::default();
        let mut now = Timestamp::from_millis(1_700_000_000_000);
        let mut spent = Vec::new();
        for (step, is_back) in steps {
            let step = i64::try_from(step).unwrap() * if is_back { -1 } else { 1 };
            now = Timestamp::from_millis(now.as_millis() + step);
            if window.room(&share, 0, now).is_ok() {
                window.spend(0, now);
                spent.push(window.time(now));
            }
        }
        prop_assert!(spent.is_sorted());
        for start in &spent {
            let hour = spent.iter().filter(|at| *at >= start && **at < start.plus(HOUR));
            prop_assert!(hour.count() as u64 <= share.hour);
        }
    }

    #[test]
    fn a_window_stays_small_and_is_read_back_as_it_was(
        share in share(),
        steps in vec((step(), 0..60_u64), 1..400),
    ) {
        spend_all(&share, &steps, |window, _, _, _| {
            assert!(window.entries.len() <= MAX_EXACT);
            let bytes = minicbor::to_vec(window).unwrap();
            assert_eq!(bytes.len(), minicbor::len(window));
            assert_eq!(&minicbor::decode::<Window>(&bytes).unwrap(), window);
        });
    }

    #[test]
    fn any_window_that_can_be_is_read_back(
        entries in vec((any::<i64>(), any::<u32>(), any::<u64>()), 0..50),
    ) {
        let mut entries: Vec<Entry> = entries
            .into_iter()
            .map(|(at, messages, cost)| Entry { at: Timestamp::from_millis(at), messages, cost })
            .collect();
        entries.sort_by_key(|entry| entry.at);
        let window = Window { entries };
        let bytes = minicbor::to_vec(&window).unwrap();
        prop_assert_eq!(minicbor::decode::<Window>(&bytes).unwrap(), window);
    }

    #[test]
    fn no_bytes_and_no_instants_are_too_odd(
        bytes in vec(any::<u8>(), 0..80),
        share in (any::<u64>(), any::<u64>(), any::<Option<u64>>()),
        cost: u64,
        now: i64,
    ) {
        let now = Timestamp::from_millis(now);
        let share = Share { hour: share.0, day: share.1, money: share.2 };
        let stored = minicbor::to_vec(Stored { entries: bytes.clone() }).unwrap();
        let _ = minicbor::decode::<Window>(&bytes);
        if let Ok(mut window) = minicbor::decode::<Window>(&stored) {
            let _ = window.room(&share, cost, now);
            window.spend(cost, now);
            prop_assert!(minicbor::decode::<Window>(&minicbor::to_vec(&window).unwrap()).is_ok());
        }
    }
}

#[test]
fn a_row_of_a_busy_day_takes_under_400_bytes() {
    // A slot of a total of 20,000 messages and 2,000 units of money a day, spent evenly.
    let share = Share {
        hour: 188,
        day: 1_250,
        money: Some(125_000_000),
    };
    let mut longest = 0;
    spend_all(&share, &[(70_000, 100_000); 3_000], |window, _, _, _| {
        longest = longest.max(minicbor::len(window));
    });
    assert!((300..400).contains(&longest), "{longest} bytes");
}

#[test]
fn stored_windows_stay_readable() {
    let mut window = Window::default();
    window.spend(70_000, Timestamp::from_millis(1_700_000_000_000));
    window.spend(0, Timestamp::from_millis(1_700_000_000_200));
    let bytes = [
        0x81, 0x4e, 0x80, 0xd0, 0x95, 0xff, 0xbc, 0x31, 0x01, 0xf0, 0xa2, 0x04, 0xc8, 0x01, 0x01,
        0x00,
    ];
    assert_eq!(minicbor::to_vec(&window).unwrap(), bytes);
}

#[test]
fn bytes_that_are_no_window_are_refused() {
    let broken: [&[u8]; 6] = [
        &[0x80],       // an instant without an end
        &[0x01, 0x01], // no cost
        &[
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x03, 1, 0,
        ], // 65 bits
        &[0xff; 12],   // more bits than a number has
        &[
            5, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1, 0,
        ], // goes back
        &[1, 0xff, 0xff, 0xff, 0xff, 0x7f, 0], // more messages than can be counted
    ];
    for entries in broken {
        let stored = Stored {
            entries: entries.to_vec(),
        };
        let bytes = minicbor::to_vec(stored).unwrap();
        assert!(minicbor::decode::<Window>(&bytes).is_err(), "{entries:?}");
    }
}
