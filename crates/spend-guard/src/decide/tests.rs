//! What is decided of a message, limit by limit.

use std::collections::BTreeMap;

use super::*;
use crate::{MAX_SLOTS, Rates};

mod conversion;
mod enrolments;
mod interleaved;
mod properties;

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const HONEST: Conversion = Conversion {
    sent: 100,
    confirmed: 80,
};

/// Rows as a table has them.
#[derive(Clone, Debug, Default)]
struct Table(BTreeMap<RowKey, SpendRow>);

impl Table {
    fn read(&self, keys: &[RowKey]) -> Vec<SpendRow> {
        let rows = keys.iter().filter_map(|key| self.0.get(key));
        rows.cloned().collect()
    }

    fn write(&mut self, rows: Vec<SpendRow>) {
        for row in rows {
            self.0.insert(row.key.clone(), row);
        }
    }

    /// Looks and decides in one, over all slots.
    fn send(&mut self, rules: &SpendRules, send: &Send<'_>, now: Timestamp, pick: u64) -> Ruling {
        let keys = rules.keys(send);
        let ruling = rules.decide(send, &keys, &self.read(&keys), HONEST, now, pick);
        if let Ruling::Reserved(rows) = &ruling {
            self.write(rows.clone());
        }
        ruling
    }
}

fn subject(number: u32) -> SubjectId {
    SubjectId::parse(format!("client-{number}")).unwrap()
}

fn index(number: u32) -> [u8; 32] {
    let mut index = [0; 32];
    index[..4].copy_from_slice(&number.to_be_bytes());
    index
}

fn send<'a>(subject: &'a SubjectId, number: &'a [u8; 32]) -> Send<'a> {
    Send {
        subject,
        number,
        prefix: "7912",
        country: "RU",
        caller: "login",
        cost: 0,
        is_enrolment: false,
    }
}

fn rates(hour: u32, day: u32) -> Rates {
    Rates { hour, day }
}

/// Sends to ever new subjects and numbers until one is refused: how many passed, and the refusal.
fn until_refused(rules: &SpendRules, shape: &Send<'_>) -> (u32, Refusal) {
    let mut table = Table::default();
    for number in 0_u32.. {
        let (subject, index) = (subject(number), index(number));
        let send = Send {
            subject: &subject,
            number: &index,
            ..*shape
        };
        let pick = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        match table.send(rules, &send, START, pick) {
            Ruling::Reserved(_) => {}
            Ruling::Refused(refusal) => return (number, refusal),
            other => panic!("{other:?}"),
        }
    }
    unreachable!("a limit of nothing refuses nothing")
}

#[test]
fn a_message_is_counted_once_in_each_budget_in_the_order_of_locking() {
    let rules = SpendRules::default();
    let (subject, index) = (subject(1), index(1));
    let send = Send {
        is_enrolment: true,
        ..send(&subject, &index)
    };
    let Ruling::Reserved(rows) = Table::default().send(&rules, &send, START, 7) else {
        panic!("refused");
    };
    let scopes: Vec<&str> = rows.iter().map(|row| row.key.scope.as_str()).collect();
    let number = format!("number/00000001{}", "0".repeat(56));
    let expected = [
        "caller/login",
        "country/RU",
        "enrolments",
        &number,
        "prefix/7912",
        "prefix/7912/enrolments",
        "subject/client-1",
        "total",
    ];
    assert_eq!(scopes, expected);
    assert!(rows.is_sorted_by_key(|row| &row.key));
    assert!(rows.contains(&SpendRow {
        key: RowKey::subject(&subject),
        window: rows[0].window.clone(),
        closed_until: None,
    }));
    assert!(rows.iter().any(|row| row.key == RowKey::number(&index)));
    assert!(rows.iter().any(|row| row.key == RowKey::prefix("7912")));

    let keys = rules.keys(&send);
    assert!(keys.is_sorted());
    assert_eq!(keys.len(), 4 + 16 + 16 + 9 + 16);
    assert!(rows.iter().all(|row| keys.contains(&row.key)));
}

#[test]
fn each_limit_refuses_exactly_at_its_number_and_says_which_it_is() {
    let wide = SpendRules {
        subject: rates(1_000, 2_000),
        number: rates(1_000, 2_000),
        prefix: rates(2_000, 4_000),
        country: rates(1_000, 2_000),
        caller: rates(1_000, 2_000),
        enrolments: rates(1_000, 2_000),
        total: rates(1_001, 2_001),
        money: None,
        conversion: ConversionRules::default(),
    };
    type Change = fn(&mut SpendRules, Rates);
    let cases: [(Change, Limit, Limit); 5] = [
        (
            |rules, rates| rules.prefix = rates,
            Limit::PrefixHour,
            Limit::PrefixDay,
        ),
        (
            |rules, rates| rules.country = rates,
            Limit::CountryHour,
            Limit::CountryDay,
        ),
        (
            |rules, rates| rules.caller = rates,
            Limit::CallerHour,
            Limit::CallerDay,
        ),
        (
            |rules, rates| rules.enrolments = rates,
            Limit::EnrolmentsHour,
            Limit::EnrolmentsDay,
        ),
        (
            |rules, rates| rules.total = rates,
            Limit::TotalHour,
            Limit::TotalDay,
        ),
    ];
    let (subject, index) = (subject(1), index(1));
    let hour = START.plus(Duration::from_secs(3_600));
    let day = START.plus(Duration::from_secs(86_400));
    for (change, hourly, daily) in cases {
        let shape = Send {
            is_enrolment: hourly == Limit::EnrolmentsHour,
            ..send(&subject, &index)
        };
        for most in [5, 100, 333, 777] {
            let mut rules = wide.clone();
            change(&mut rules, rates(most, most + 1));
            let refusal = Refusal {
                limit: hourly,
                retry_at: hour,
            };
            assert_eq!(until_refused(&rules, &shape), (most, refusal));
            change(&mut rules, rates(most, most));
            let refusal = Refusal {
                limit: daily,
                retry_at: day,
            };
            assert_eq!(until_refused(&rules, &shape), (most, refusal));
        }
    }
}

#[test]
fn a_subject_has_its_own_share_and_a_number_one_for_all_its_subjects() {
    let rules = SpendRules::default();
    let mut table = Table::default();
    let subjects = [subject(1), subject(2), subject(3)];
    let (shared, other) = (index(1), index(2));
    let mut passed = 0;
    let mut refused = Vec::new();
    for round in 0..5 {
        for subject in &subjects {
            match table.send(&rules, &send(subject, &shared), START, round) {
                Ruling::Reserved(_) => passed += 1,
                Ruling::Refused(refusal) => refused.push(refusal.limit),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!((passed, refused), (8, vec![Limit::NumberHour; 7]));
    assert!(!Limit::NumberHour.is_own());

    // The first subject has had three of its ten.
    let mut passed = 0;
    let limit = loop {
        let number = if passed < 4 { &other } else { &index(3) };
        match table.send(&rules, &send(&subjects[0], number), START, 0) {
            Ruling::Reserved(_) => passed += 1,
            Ruling::Refused(refusal) => break refusal.limit,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((passed, limit), (7, Limit::SubjectHour));
    assert!(limit.is_own());
}

#[test]
fn enrolments_leave_confirmations_their_part() {
    let rules = SpendRules::default();
    let (subject, index) = (subject(1), index(1));
    let (passed, refusal) = until_refused(
        &SpendRules {
            prefix: rules.total,
            ..rules.clone()
        },
        &Send {
            is_enrolment: true,
            ..send(&subject, &index)
        },
    );
    assert_eq!((passed, refusal.limit), (300, Limit::EnrolmentsHour));

    let confirmation = send(&subject, &index);
    let keys = rules.keys(&confirmation);
    assert!(keys.iter().all(|key| key.scope != "enrolments"));
}

#[test]
fn enrolments_leave_a_number_half_of_its_share() {
    let (rules, index) = (SpendRules::default(), index(1));
    let mut table = Table::default();
    let mut passed = |is_enrolment| {
        let mut passed = 0;
        loop {
            let stranger = subject(passed + 1);
            let send = Send {
                is_enrolment,
                ..send(&stranger, &index)
            };
            match table.send(&rules, &send, START, 0) {
                Ruling::Reserved(_) => passed += 1,
                Ruling::Refused(refusal) => return (passed, refusal.limit),
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(passed(true), (4, Limit::NumberHour));
    assert_eq!(passed(false), (4, Limit::NumberHour));
}

#[test]
fn money_is_spent_to_the_last_message_that_it_can_pay_for() {
    let (subject, index) = (subject(1), index(1));
    // Shares that the price divides, so that nothing is left over in any slot.
    let rules = SpendRules {
        prefix: SpendRules::default().total,
        enrolments: rates(1_000, 2_000),
        money: Some(MoneyRules {
            per_day: 16_000_000,
            enrolments_per_day: 4_000_000,
            dearest: 50_000,
        }),
        ..SpendRules::default()
    };
    let dear = Send {
        cost: 50_000,
        ..send(&subject, &index)
    };
    let (passed, refusal) = until_refused(&rules, &dear);
    assert_eq!((passed, refusal.limit), (320, Limit::MoneyDay));
    let enrolment = Send {
        is_enrolment: true,
        ..dear
    };
    let (passed, refusal) = until_refused(&rules, &enrolment);
    assert_eq!((passed, refusal.limit), (80, Limit::EnrolmentsMoneyDay));
}

#[test]
fn of_two_limits_the_one_that_refuses_longer_is_named() {
    let rules = SpendRules {
        subject: rates(1, 5),
        number: rates(1, 1),
        ..SpendRules::default()
    };
    let (subject, index) = (subject(1), index(1));
    let mut table = Table::default();
    table.send(&rules, &send(&subject, &index), START, 0);
    let ruling = table.send(&rules, &send(&subject, &index), START, 0);
    let retry_at = START.plus(Duration::from_secs(86_400));
    let limit = Limit::NumberDay;
    assert_eq!(ruling, Ruling::Refused(Refusal { limit, retry_at }));
}

#[test]
fn a_full_slot_is_no_refusal_while_another_was_not_looked_at() {
    let rules = SpendRules {
        total: rates(64, 64),
        enrolments: rates(1, 1),
        ..SpendRules::default()
    };
    let mut table = Table::default();
    for number in 0..32 {
        let (subject, index) = (subject(number), index(number));
        let send = send(&subject, &index);
        let all = rules.keys(&send);
        let first: Vec<RowKey> = all
            .into_iter()
            .filter(|key| (&*key.scope, key.slot) != ("total", 1))
            .collect();
        let ruling = rules.decide(&send, &first, &table.read(&first), HONEST, START, 0);
        let Ruling::Reserved(rows) = ruling else {
            panic!("{ruling:?}")
        };
        table.write(rows);
    }
    let (subject, index) = (subject(99), index(99));
    let send = send(&subject, &index);
    let all = rules.keys(&send);
    let is_full = |key: &&RowKey| (&*key.scope, key.slot) != ("total", 1);
    let first: Vec<RowKey> = all.iter().filter(is_full).cloned().collect();
    let ruling = rules.decide(&send, &first, &table.read(&first), HONEST, START, 0);
    assert_eq!(ruling, Ruling::LookAgain);
    let ruling = rules.decide(&send, &all, &table.read(&all), HONEST, START, 0);
    assert!(matches!(ruling, Ruling::Reserved(_)), "{ruling:?}");
}

#[test]
fn picks_spread_over_all_slots_of_each_budget_by_themselves() {
    let rules = SpendRules::default();
    let (subject, index) = (subject(1), index(1));
    let send = send(&subject, &index);
    let mut seen: BTreeMap<(u32, u32), u32> = BTreeMap::new();
    let mut pick = 1_u64;
    for _ in 0..4_096 {
        pick ^= pick << 13;
        pick ^= pick >> 7;
        pick ^= pick << 17;
        let Ruling::Reserved(rows) = Table::default().send(&rules, &send, START, pick) else {
            panic!("refused");
        };
        let slot = |scope: &str| {
            rows.iter()
                .find(|row| row.key.scope == scope)
                .unwrap()
                .key
                .slot
        };
        *seen.entry((slot("country/RU"), slot("total"))).or_default() += 1;
    }
    // 256 pairs, 16 times each on average.
    assert_eq!(seen.len(), (MAX_SLOTS * MAX_SLOTS) as usize);
    assert!(seen.values().all(|times| *times < 48));
}

#[test]
fn a_prefix_below_its_floor_closes_and_opens_again() {
    let rules = SpendRules::default();
    let (subject, index) = (subject(1), index(1));
    let send = send(&subject, &index);
    let keys = rules.keys(&send);
    let mut table = Table::default();
    table.send(&rules, &send, START, 0);
    let decide = |table: &Table, keys: &[RowKey], sent, confirmed, now| {
        rules.decide(
            &send,
            keys,
            &table.read(keys),
            Conversion { sent, confirmed },
            now,
            0,
        )
    };
    let is_sent = |ruling| matches!(ruling, Ruling::Reserved(_));

    assert!(
        is_sent(decide(&table, &keys, 29, 0, START)),
        "too few to judge"
    );
    assert!(is_sent(decide(&table, &keys, 30, 6, START)), "at the floor");
    let retry_at = START.plus(Duration::from_secs(3_600));
    let refusal = Refusal {
        limit: Limit::PrefixClosed,
        retry_at,
    };
    let ruling = decide(&table, &keys, 30, 5, START);
    let mut row = table.0[&RowKey::prefix("7912")].clone();
    row.closed_until = Some(retry_at);
    assert_eq!(
        ruling,
        Ruling::PrefixCloses {
            row: row.clone(),
            refusal
        }
    );

    // Again under the lock of its row alone, which somebody else may have closed meanwhile; or the
    // last of the codes may have come in.
    let locked = [row.key.clone()];
    assert_eq!(decide(&table, &locked, 30, 5, START), ruling);
    assert_eq!(decide(&table, &locked, 30, 6, START), Ruling::LookAgain);
    table.write(vec![row]);
    assert_eq!(
        decide(&table, &locked, 30, 5, START),
        Ruling::Refused(refusal)
    );

    let just_before = Timestamp::from_millis(retry_at.as_millis() - 1);
    assert_eq!(
        decide(&table, &keys, 30, 0, just_before),
        Ruling::Refused(refusal)
    );
    assert!(is_sent(decide(&table, &keys, 0, 0, retry_at)));
    let again = decide(&table, &keys, 30, 0, retry_at);
    assert!(matches!(again, Ruling::PrefixCloses { .. }));
}

#[test]
fn only_messages_whose_code_has_had_its_time_are_judged() {
    let rules = SpendRules::default();
    let key = rules.conversion_key("7912", false, Duration::from_secs(300), START);
    let expected = ConversionKey {
        prefix: "prefix/7912".to_owned(),
        row: RowKey::prefix("7912"),
        since: Timestamp::from_millis(START.as_millis() - 86_700_000),
        until: Timestamp::from_millis(START.as_millis() - 300_000),
        most: 100,
    };
    assert_eq!(key, expected);
    let key = rules.conversion_key("7912", true, Duration::from_secs(300), START);
    let expected = ConversionKey {
        prefix: "prefix/7912/enrolments".to_owned(),
        row: RowKey::prefix_enrolments("7912"),
        ..expected
    };
    assert_eq!(key, expected);
}

#[test]
fn names_are_distinct() {
    let mut names: Vec<&str> = Limit::ALL.map(Limit::name).to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Limit::ALL.len());
    let own: Vec<Limit> = Limit::ALL
        .into_iter()
        .filter(|limit| limit.is_own())
        .collect();
    assert_eq!(own, [Limit::SubjectHour, Limit::SubjectDay]);
}
