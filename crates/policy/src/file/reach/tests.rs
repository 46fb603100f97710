//! Rules that can, and cannot, be reached.

use crate::{Policy, PolicyError};

/// A policy whose rules are named a, b, c and so on, and have these conditions, parted by `; `.
fn parsed(conditions: &[&str]) -> Result<Policy, PolicyError> {
    let mut text = "version = 1\nstrength = ['totp', 'sms', 'backup-codes']\n".to_owned();
    for (name, conditions) in ('a'..).zip(conditions) {
        let conditions = conditions.replace("; ", "\n");
        text.push_str(&format!(
            "[[rules]]\nname = '{name}'\nstages = [['any']]\n{conditions}\n"
        ));
    }
    Policy::parse(&text)
}

#[track_caller]
fn unreachable(conditions: &[&str], deciding: &str) {
    let error = parsed(conditions).unwrap_err();
    let (last, earlier) = conditions.split_last().unwrap();
    let name = ('a'..).nth(earlier.len()).unwrap();
    let message = format!(
        "the rule \"{name}\" is never reached: whatever it matches is decided before it by {deciding}"
    );
    assert_eq!(error.message, message, "{last}");
    // Two lines of head, then of each rule three and one for each condition.
    let lines = earlier
        .iter()
        .map(|conditions| 3 + conditions.split("; ").count());
    assert_eq!(
        (error.line, error.column),
        (3 + lines.sum::<usize>(), 1),
        "{last}"
    );
}

#[track_caller]
fn reachable(conditions: &[&str]) {
    parsed(conditions).unwrap();
}

const LOGIN: &str = "operations = ['login']";
const WITHDRAWAL: &str = "operations = ['withdrawal']";
const CUSTOM: &str = "operations = ['custom']";

#[test]
fn a_rule_after_one_that_matches_as_much_is_never_reached() {
    unreachable(&[LOGIN, LOGIN], "\"a\"");
    unreachable(&[LOGIN, "operations = ['login']; callers = ['x']"], "\"a\"");
    unreachable(
        &[
            WITHDRAWAL,
            "operations = ['withdrawal']; payment_methods = ['card']",
        ],
        "\"a\"",
    );
    unreachable(&["purposes = ['login']", LOGIN], "\"a\"");
    unreachable(&[WITHDRAWAL, LOGIN, "purposes = ['login']"], "\"b\"");
}

#[test]
fn a_rule_after_one_that_matches_less_is_reached() {
    reachable(&["operations = ['login']; callers = ['x']", LOGIN]);
    reachable(&[
        "operations = ['withdrawal']; payment_methods = ['card']",
        WITHDRAWAL,
    ]);
    reachable(&[
        "operations = ['login']; callers = ['x']",
        "operations = ['login']; callers = ['x', 'y']",
    ]);
    reachable(&[LOGIN, "operations = ['login', 'withdrawal']"]);
    reachable(&[LOGIN, WITHDRAWAL, CUSTOM]);
}

#[test]
fn custom_operations_of_every_kind_cover_those_of_one() {
    unreachable(&[CUSTOM, "operations = ['custom:transfer']"], "\"a\"");
    reachable(&["operations = ['custom:transfer']", CUSTOM]);
    reachable(&[
        "operations = ['custom:transfer']",
        "operations = ['custom:export']",
    ]);
}

#[test]
fn several_rules_together_can_leave_nothing() {
    unreachable(
        &[LOGIN, WITHDRAWAL, "operations = ['withdrawal', 'login']"],
        "\"b\" and \"a\"",
    );
    unreachable(
        &[
            "operations = ['login']; callers = ['x']",
            "operations = ['login']; callers = ['y']",
            "operations = ['login']; callers = ['x', 'y']",
        ],
        "\"a\" and \"b\"",
    );
    let both = "operations = ['withdrawal']; callers = ['x', 'y']; payment_methods = ['card', '']";
    let card = "operations = ['withdrawal']; payment_methods = ['card']";
    let of_x = "operations = ['withdrawal']; callers = ['x']";
    let of_y = "operations = ['withdrawal']; callers = ['y']; payment_methods = ['']";
    reachable(&[card, of_x, both]);
    unreachable(&[card, of_x, of_y, both], "\"a\", \"b\" and \"c\"");
}

#[test]
fn rules_about_settings_changes_stand_apart() {
    let settings = "operations = ['settings-change']";
    reachable(&[CUSTOM, settings]);
    reachable(&[settings, CUSTOM]);
    reachable(&[
        "operations = ['settings-change']; callers = ['portal']",
        settings,
    ]);
    unreachable(
        &[
            settings,
            CUSTOM,
            "operations = ['settings-change']; callers = ['portal']",
        ],
        "\"a\"",
    );
}
