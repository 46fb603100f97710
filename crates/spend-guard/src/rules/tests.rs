//! Which limits make sense.

use super::*;

fn refused(change: impl FnOnce(&mut SpendRules)) -> String {
    let mut rules = SpendRules::default();
    change(&mut rules);
    rules
        .check()
        .map_or_else(|error| error.to_string(), |()| "fine".to_owned())
}

fn refused_money(per_day: u64, enrolments_per_day: u64, dearest: u64) -> String {
    refused(|rules| {
        rules.money = Some(MoneyRules {
            per_day,
            enrolments_per_day,
            dearest,
        });
    })
}

#[test]
fn the_defaults_make_sense() {
    assert_eq!(SpendRules::default().check(), Ok(()));
    assert_eq!(refused_money(300_000_000, 60_000_000, 250_000), "fine");
}

#[test]
fn no_limit_is_nothing() {
    assert_eq!(
        refused(|rules| rules.subject.hour = 0),
        "subject.hour must be at least 1"
    );
    assert_eq!(
        refused(|rules| rules.total = Rates { hour: 0, day: 0 }),
        "total.hour must be at least 1"
    );
}

#[test]
fn a_day_is_not_less_than_an_hour() {
    assert_eq!(
        refused(|rules| rules.number.day = 7),
        "number.day must be at least number.hour, which is 8"
    );
    assert_eq!(refused(|rules| rules.number.day = 8), "fine");
}

#[test]
fn enrolments_leave_something_to_confirmations() {
    assert_eq!(
        refused(|rules| rules.enrolments.hour = 3_000),
        "enrolments.day must be at least enrolments.hour, which is 3000"
    );
    assert_eq!(
        refused(|rules| rules.enrolments = rules.total),
        "enrolments.hour must be below total.hour, which is 3000: the rest is for confirmations"
    );
    assert_eq!(
        refused(|rules| rules.enrolments.day = 20_000),
        "enrolments.day must be below total.day, which is 20000: the rest is for confirmations"
    );
}

#[test]
fn money_pays_for_messages() {
    assert_eq!(refused_money(10, 5, 0), "money.dearest must be more than 0");
    assert_eq!(
        refused_money(10, 5, 6),
        "money.enrolments_per_day must pay for one message, which may cost 6 millionths"
    );
    assert_eq!(
        refused_money(10, 10, 1),
        "money.enrolments_per_day must be below money.per_day, which is 10 millionths"
    );
    assert_eq!(refused_money(10, 9, 9), "fine");
}

#[test]
fn conversion_can_be_judged() {
    type Change = fn(&mut ConversionRules);
    let cases: [(Change, &str); 7] = [
        (
            |rules| rules.window = Duration::ZERO,
            "conversion.window must be longer than 0",
        ),
        (
            |rules| rules.enough = 0,
            "conversion.enough must be at least 1",
        ),
        (
            |rules| rules.latest = 29,
            "conversion.latest must be at least conversion.enough, which is 30",
        ),
        (
            |rules| rules.floor_percent = 0,
            "conversion.floor_percent must be 1 to 100",
        ),
        (
            |rules| rules.floor_percent = 101,
            "conversion.floor_percent must be 1 to 100",
        ),
        (|rules| rules.floor_percent = 100, "fine"),
        (
            |rules| rules.closed_for = Duration::ZERO,
            "conversion.closed_for must be longer than 0",
        ),
    ];
    for (change, expected) in cases {
        assert_eq!(refused(|rules| change(&mut rules.conversion)), expected);
    }
}
