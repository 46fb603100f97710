//! Any rules, rows and instants.

use proptest::{collection::vec, prelude::*};

use super::*;

pub(super) fn any_rates() -> impl Strategy<Value = Rates> {
    let few = (1..4_u32, 0..4_u32).prop_map(|(hour, more)| rates(hour, hour + more));
    let many = (60..90_u32, 0..90_u32).prop_map(|(hour, more)| rates(hour, hour + more));
    prop_oneof![few, many]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_refused_message_passes_at_the_instant_named_and_not_before(
        limits in [any_rates(), any_rates(), any_rates(), any_rates()],
        sends in vec((0..3_u32, 0..3_u32, 0..30_u64, 0..900_000_u64, any::<u64>()), 1..150),
    ) {
        let [subjects, numbers, prefix, total] = limits;
        let rules = SpendRules {
            subject: subjects,
            number: numbers,
            prefix,
            total,
            money: Some(MoneyRules { per_day: 1_500, enrolments_per_day: 30, dearest: 30 }),
            ..SpendRules::default()
        };
        let mut table = Table::default();
        let mut now = START;
        for (one, number, cost, step, pick) in sends {
            now = now.plus(Duration::from_millis(step));
            let (subject, index) = (subject(one), index(number));
            let send = Send { cost, ..send(&subject, &index) };
            let Ruling::Refused(Refusal { retry_at, .. }) = table.send(&rules, &send, now, pick)
            else {
                continue;
            };
            prop_assert!(retry_at > now);
            let just_before = Timestamp::from_millis(retry_at.as_millis() - 1);
            let early = table.clone().send(&rules, &send, just_before, pick);
            prop_assert!(matches!(early, Ruling::Refused(_)));
            let there = table.clone().send(&rules, &send, retry_at, pick);
            prop_assert!(matches!(there, Ruling::Reserved(_)));
        }
    }

    #[test]
    fn no_rules_rows_or_instants_are_too_odd(
        limits in vec((any::<u32>(), any::<u32>()), 7),
        money: Option<(u64, u64, u64)>,
        rule: (u32, u32, u64),
        found: (u64, u64),
        rows in vec((0..9_usize, any::<u32>(), any::<i64>(), any::<u64>()), 0..20),
        strange: (i64, u64, u64),
        is_enrolment: bool,
    ) {
        let of = |place: usize| rates(limits[place].0, limits[place].1);
        let rules = SpendRules {
            subject: of(0),
            number: of(1),
            prefix: of(2),
            country: of(3),
            caller: of(4),
            enrolments: of(5),
            total: of(6),
            money: money.map(|(per_day, enrolments_per_day, dearest)| MoneyRules {
                per_day,
                enrolments_per_day,
                dearest,
            }),
            conversion: ConversionRules {
                window: Duration::from_millis(rule.2),
                latest: rule.0,
                enough: rule.0,
                floor_percent: rule.1,
                closed_for: Duration::from_secs(rule.2),
            },
        };
        let (subject, index) = (subject(1), index(1));
        let (now, cost, pick) = strange;
        let now = Timestamp::from_millis(now);
        let send = Send { cost, is_enrolment, ..send(&subject, &index) };
        let keys = rules.keys(&send);
        let row = |(place, slot, at, cost): (usize, u32, i64, u64)| {
            let mut key = keys[place % keys.len()].clone();
            key.slot = if at % 2 == 0 { slot } else { key.slot };
            let mut window = Window::default();
            window.spend(cost, Timestamp::from_millis(at));
            let closed_until = (place > 6).then_some(Timestamp::from_millis(at));
            SpendRow { key, window, closed_until }
        };
        let rows: Vec<SpendRow> = rows.into_iter().map(row).collect();
        let conversion = Conversion { sent: found.0, confirmed: found.1 };
        let _ = rules.check();
        rules.conversion_key("7912", is_enrolment, Duration::MAX, now);
        for seen in [&keys[..], &keys[..1], &[]] {
            rules.decide(&send, seen, &rows, conversion, now, pick);
        }
    }
}
