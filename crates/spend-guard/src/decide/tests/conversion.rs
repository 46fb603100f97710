//! Prefixes over time: messages are sent, some of their codes are accepted, and the latest are
//! counted as a store would.

use proptest::prelude::*;

use super::*;

const LIFE: Duration = Duration::from_secs(300);

/// A prefix: its messages, and when the code of each was accepted.
struct Prefix {
    rules: SpendRules,
    table: Table,
    messages: Vec<(Timestamp, Option<Timestamp>)>,
    closings: Vec<Timestamp>,
}

impl Prefix {
    fn new() -> Self {
        let rules = SpendRules::default();
        Self {
            // What is under test is the conversion alone.
            rules: SpendRules {
                prefix: rules.total,
                country: rules.total,
                caller: rules.total,
                ..rules
            },
            table: Table::default(),
            messages: Vec::new(),
            closings: Vec::new(),
        }
    }

    fn count(&self, now: Timestamp) -> Conversion {
        let key = self.rules.conversion_key("7912", false, LIFE, now);
        let row = self.table.0.get(&key.row);
        let opened = row.and_then(|row| row.closed_until);
        let is_judged = |at: Timestamp| {
            key.since < at && at <= key.until && opened.is_none_or(|opened| opened <= at)
        };
        let judged = self.messages.iter().rev().filter(|(at, _)| is_judged(*at));
        let mut conversion = Conversion::default();
        for (_, confirmed) in judged.take(key.most as usize) {
            conversion.sent += 1;
            conversion.confirmed += u64::from(confirmed.is_some_and(|at| at <= now));
        }
        conversion
    }

    /// Sends a message to a fresh subject, whose code is accepted so much later, if ever. Whether it
    /// was sent.
    fn send(&mut self, now: Timestamp, accepted_after: Option<Duration>) -> bool {
        let number = u32::try_from(self.messages.len()).unwrap();
        let (subject, index) = (subject(number), index(number));
        let send = send(&subject, &index);
        let keys = self.rules.keys(&send);
        let rows = self.table.read(&keys);
        let conversion = self.count(now);
        match self.rules.decide(&send, &keys, &rows, conversion, now, 0) {
            Ruling::Reserved(rows) => {
                self.table.write(rows);
                let accepted = accepted_after.map(|after| now.plus(after));
                self.messages.push((now, accepted));
                true
            }
            Ruling::PrefixCloses { row, .. } => {
                self.table.write(vec![row]);
                self.closings.push(now);
                false
            }
            Ruling::Refused(refusal) => {
                assert_eq!(refusal.limit, Limit::PrefixClosed);
                false
            }
            Ruling::LookAgain => panic!("all were looked at"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_attack_is_let_through_so_often_and_no_more(every in 1_000..60_000_u64) {
        let mut prefix = Prefix::new();
        let rules = prefix.rules.conversion;
        let mut now = START;
        let end = START.plus(Duration::from_secs(6 * 3_600));
        while now < end {
            prefix.send(now, None);
            now = now.plus(Duration::from_millis(every));
        }
        // Those that are judged, and those that come while the last of them may yet be accepted.
        let life = u64::try_from(LIFE.as_millis()).unwrap();
        let most = u64::from(rules.enough) + life / every + 1;
        let opened = START.until(end).as_millis() / rules.closed_for.as_millis() + 1;
        let sent = prefix.messages.len() as u64;
        prop_assert!(sent <= most * u64::try_from(opened).unwrap(), "{sent}");
        prop_assert!(prefix.closings.len() >= 2);
        let first = prefix.messages.iter().filter(|(at, _)| *at < prefix.closings[0]);
        prop_assert!((u64::from(rules.enough)..=most).contains(&(first.count() as u64)));
        for closing in &prefix.closings {
            let is_closed = |at: Timestamp| *closing <= at && at < closing.plus(rules.closed_for);
            prop_assert!(!prefix.messages.iter().any(|(at, _)| is_closed(*at)));
        }
    }

    #[test]
    fn honest_users_are_never_closed_out_however_many_come_at_once(
        bursts in proptest::collection::vec((1..60_u32, 0..600_u64), 1..20),
        one_in in 1..=4_u32,
        seconds in 1..300_u64,
    ) {
        let mut prefix = Prefix::new();
        let mut now = START;
        let mut number = 0_u32;
        for (users, pause) in bursts {
            for _ in 0..users {
                let is_right = number.is_multiple_of(one_in);
                let accepted = is_right.then_some(Duration::from_secs(seconds));
                prop_assert!(prefix.send(now, accepted));
                number += 1;
            }
            now = now.plus(Duration::from_secs(pause));
        }
    }
}

#[test]
fn an_attack_on_a_prefix_of_honest_users_is_seen_within_a_hundred_judged() {
    let mut prefix = Prefix::new();
    let mut now = START;
    for _ in 0..1_000 {
        assert!(prefix.send(now, Some(Duration::from_secs(20))));
        now = now.plus(Duration::from_secs(30));
    }
    let mut attack = 0;
    while prefix.send(now, None) {
        now = now.plus(Duration::from_secs(6));
        attack += 1;
    }
    // 81 of the latest hundred are judged, and 49 are younger than a code's life.
    assert_eq!(attack, 81 + 49);
}
