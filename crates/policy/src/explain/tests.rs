//! Explanations, as people read them.

use crate::{DEFAULT_POLICY, Policy};

fn explained(rules: &str) -> Vec<String> {
    let head = "version = 1\nstrength = ['totp', 'sms', 'backup-codes']";
    Policy::parse(&format!("{head}\n{rules}"))
        .unwrap()
        .explain()
}

#[test]
fn the_default_policy_is_explained_in_a_sentence_for_each_rule() {
    let sentences = Policy::parse(DEFAULT_POLICY).unwrap().explain();
    assert_eq!(
        sentences,
        [
            "logins: a login by any caller takes a code of any identifier that is switched on for \
             LOGIN; where none is switched on or none is enrolled, it goes on without a proof.",
            "withdrawals: a withdrawal by any caller takes the PIN, then a code of any identifier \
             that is switched on for WITHDRAWAL; where none is switched on, any of them that is \
             enrolled serves; where none is enrolled, one has to be enrolled first; where no PIN is \
             set, one has to be set first.",
            "custom operations: a custom operation by any caller takes a code of any identifier that \
             is switched on for OTHER; where none is switched on or none is enrolled, it goes on \
             without a proof.",
            "the first rule that matches an operation decides about it; what the others say of it does \
             not count.",
            "every login, withdrawal and custom operation has a rule.",
            "a settings change takes what the platform itself asks for, and nothing more.",
        ]
    );
}

#[test]
fn conditions_stand_in_the_sentence() {
    let sentences = explained(
        "[[rules]]
        name = 'crypto'
        operations = ['withdrawal']
        payment_methods = ['crypto', 'stablecoin', '']
        callers = ['payouts']
        stages = [['pin'], ['totp'], ['backup-codes']]
        when_off = 'refuse'
        when_none = 'refuse'
        [[rules]]
        name = 'support'
        operations = ['custom:change-address', 'login']
        callers = ['desk', 'portal']
        stages = [['totp', 'sms', 'backup-codes'], ['pin']]
        when_off = 'allow'
        [[rules]]
        name = 'settings'
        operations = ['settings-change']
        callers = ['portal']
        stages = [['totp'], ['pin']]",
    );
    assert_eq!(
        sentences,
        [
            "crypto: a withdrawal asked for by \"payouts\", by the payment method \"crypto\" or \
             \"stablecoin\" or without a payment method, takes the PIN, then a code of an \
             authenticator app that is switched on for WITHDRAWAL, then a code of a set of backup \
             codes that is switched on for WITHDRAWAL; for each of these codes, where none is \
             switched on or none is enrolled, it is refused; where no PIN is set, it is refused.",
            "support: a custom operation of the kind \"change-address\" or a login asked for by \
             \"desk\" or \"portal\" takes a code of any identifier that is switched on for the \
             purpose of the operation, then the PIN; where none is switched on, it goes on without \
             that code; where none is enrolled, one has to be enrolled first; where no PIN is set, \
             one has to be set first.",
            "the first rule that matches an operation decides about it; what the others say of it does \
             not count.",
            "a login, a withdrawal or a custom operation that no rule matches is refused.",
            "settings: a settings change asked for by \"portal\" takes, beside what the platform \
             itself asks for, a code of an authenticator app and the PIN; what is enrolled serves, on \
             or off, and what is not enrolled is not asked for.",
        ]
    );
}

#[test]
fn a_rule_that_may_ask_for_nothing_says_so() {
    let sentences = explained(
        "[[rules]]
        name = 'logins'
        operations = ['login']
        stages = [['totp'], ['backup-codes']]
        when_off = 'allow'
        when_none = 'allow'",
    );
    let end = "it goes on without that code; where all are left out, it goes on without a proof.";
    assert!(sentences[0].ends_with(end), "{}", sentences[0]);
}

#[test]
fn a_rule_about_the_pin_alone_says_nothing_of_switches() {
    let sentences = explained(
        "[[rules]]
        name = 'payouts'
        purposes = ['withdrawal', 'other']
        stages = [['pin']]",
    );
    assert_eq!(
        sentences[..2],
        [
            "payouts: a withdrawal or a custom operation by any caller takes the PIN; where no PIN is \
             set, one has to be set first.",
            "a login that no rule matches is refused.",
        ]
    );
}
