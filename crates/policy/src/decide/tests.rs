//! Which rule decides, and what it decides.

use countersign_security_identifiers::{
    AuthenticatorRef, Kind, Obstacle, Path, Purpose, PurposeSet, Registry, Stage,
};

use super::{Case, Missing, Operation, Ruling};
use crate::{
    Policy,
    sample::{Condition, Enrolled, Model, NOW, app, codes, of, registry},
};

const PIN: AuthenticatorRef = AuthenticatorRef::Pin;
const SOUND: Option<Condition> = Some(Condition::Sound);

fn policy(rules: &str) -> Policy {
    let head = "version = 1\nstrength = ['totp', 'sms', 'backup-codes']";
    Policy::parse(&format!("{head}\n{rules}")).unwrap()
}

/// A policy with one rule about logins that takes these stages.
fn logins(stages: &str, rest: &str) -> Policy {
    policy(&format!(
        "[[rules]]\nname = 'a'\noperations = ['login']\nstages = {stages}\n{rest}"
    ))
}

const fn by<'a>(caller: &'a str, operation: Operation<'static>) -> Case<'a> {
    Case { caller, operation }
}

const fn withdrawal(payment_method: &'static str) -> Operation<'static> {
    Operation::Withdrawal { payment_method }
}

const fn custom(kind: &'static str) -> Operation<'static> {
    Operation::Custom { kind }
}

fn login(policy: &Policy, registry: &Registry) -> Ruling {
    policy.rule(&by("any", Operation::Login), registry, NOW)
}

fn path(stages: &[&[AuthenticatorRef]]) -> Path {
    let stages = stages.iter().map(|options| Stage {
        options: options.to_vec(),
    });
    Path {
        stages: stages.collect(),
    }
}

fn required(stages: &[&[AuthenticatorRef]]) -> Ruling {
    Ruling::Required(vec![path(stages)])
}

fn missing(pin: bool, kinds: &[Kind]) -> Ruling {
    let kinds = kinds.to_vec();
    Ruling::EnrolmentRequired(Missing { pin, kinds })
}

#[test]
fn the_first_rule_that_matches_decides() {
    let policy = policy(
        "[[rules]]
        name = 'big'
        operations = ['withdrawal']
        payment_methods = ['crypto', '']
        stages = [['pin'], ['totp']]
        [[rules]]
        name = 'desk'
        operations = ['withdrawal', 'custom:export']
        callers = ['desk', 'spiffe://bank/desk']
        stages = [['totp']]
        [[rules]]
        name = 'rest'
        operations = ['withdrawal', 'custom']
        stages = [['backup-codes']]",
    );
    let registry = registry(SOUND, &[app(&[]), codes(&[])]);
    let rule = |caller, operation| policy.rule(&by(caller, operation), &registry, NOW);
    let big = required(&[&[PIN], &[of(1)]]);
    let (desk, rest) = (required(&[&[of(1)]]), required(&[&[of(2)]]));
    assert_eq!(rule("any", withdrawal("crypto")), big);
    assert_eq!(rule("desk", withdrawal("crypto")), big);
    assert_eq!(rule("any", withdrawal("")), big);
    assert_eq!(rule("any", withdrawal("Crypto")), rest);
    assert_eq!(rule("desk", withdrawal("card")), desk);
    assert_eq!(rule("spiffe://bank/desk", withdrawal("card")), desk);
    assert_eq!(rule("desk2", withdrawal("card")), rest);
    assert_eq!(rule("desk", custom("export")), desk);
    assert_eq!(rule("any", custom("export")), rest);
    assert_eq!(rule("desk", custom("exports")), rest);
}

#[test]
fn what_no_rule_matches_is_refused() {
    let policy = policy(
        "[[rules]]
        name = 'a'
        operations = ['custom:export']
        callers = ['desk']
        stages = [['any']]
        when_off = 'allow'
        when_none = 'allow'",
    );
    let registry = registry(SOUND, &[app(&Purpose::ALL)]);
    let rule = |caller, operation| policy.rule(&by(caller, operation), &registry, NOW);
    assert!(matches!(
        rule("desk", custom("export")),
        Ruling::Required(_)
    ));
    assert_eq!(rule("portal", custom("export")), Ruling::Refused);
    assert_eq!(rule("desk", custom("import")), Ruling::Refused);
    assert_eq!(rule("desk", Operation::Login), Ruling::Refused);
    assert_eq!(rule("desk", withdrawal("")), Ruling::Refused);
}

#[test]
fn where_none_is_switched_on_the_rule_says_what_happens() {
    let registry = registry(None, &[codes(&[]), app(&[Purpose::Other]), app(&[])]);
    let rule = |when_off| login(&logins("[['any']]", when_off), &registry);
    let all = required(&[&[of(2), of(3), of(1)]]);
    assert_eq!(rule(""), all);
    assert_eq!(rule("when_off = 'use'"), all);
    assert_eq!(rule("when_off = 'allow'"), Ruling::NotRequired);
    assert_eq!(rule("when_off = 'refuse'"), Ruling::Refused);
}

#[test]
fn where_none_is_enrolled_the_rule_says_what_happens() {
    let registry = registry(None, &[codes(&Purpose::ALL)]);
    let rule = |when_none| login(&logins("[['totp']]", when_none), &registry);
    assert_eq!(rule(""), missing(false, &[Kind::Totp]));
    assert_eq!(rule("when_none = 'enrol'"), missing(false, &[Kind::Totp]));
    assert_eq!(rule("when_none = 'allow'"), Ruling::NotRequired);
    assert_eq!(rule("when_none = 'refuse'"), Ruling::Refused);
}

#[test]
fn each_stage_is_decided_for_itself() {
    let two = |rest| logins("[['totp'], ['backup-codes']]", rest);
    let one_on = registry(None, &[app(&[]), codes(&[Purpose::Login])]);
    assert_eq!(login(&two(""), &one_on), required(&[&[of(1)], &[of(2)]]));
    let left_out = login(&two("when_off = 'allow'"), &one_on);
    assert_eq!(left_out, required(&[&[of(2)]]));
    let one_there = registry(None, &[app(&[Purpose::Login])]);
    let left_out = login(&two("when_none = 'allow'"), &one_there);
    assert_eq!(left_out, required(&[&[of(1)]]));
}

#[test]
fn all_that_is_missing_is_said_at_once_and_the_strongest_first() {
    let policy = logins("[['backup-codes'], ['pin'], ['totp']]", "");
    let nothing = missing(true, &[Kind::Totp, Kind::BackupCodes]);
    assert_eq!(login(&policy, &registry(None, &[])), nothing);
    let codes_there = missing(true, &[Kind::Totp]);
    assert_eq!(login(&policy, &registry(None, &[codes(&[])])), codes_there);
}

#[test]
fn nobody_enrols_for_what_is_refused_all_the_same() {
    let stages = "[['backup-codes'], ['totp']]";
    let policy = logins(stages, "when_off = 'refuse'\nwhen_none = 'enrol'");
    assert_eq!(
        login(&policy, &registry(None, &[app(&[])])),
        Ruling::Refused
    );
}

#[test]
fn a_pin_that_is_asked_for_is_never_left_out() {
    let stages = "[['pin'], ['any']]";
    let without = registry(None, &[]);
    let rule = |rest| login(&logins(stages, rest), &without);
    assert_eq!(rule(""), missing(true, &Kind::ALL));
    assert_eq!(rule("when_none = 'allow'"), missing(true, &[]));
    assert_eq!(rule("when_none = 'refuse'"), Ruling::Refused);
    let allow = logins(stages, "when_off = 'allow'\nwhen_none = 'allow'");
    let with = registry(SOUND, &[app(&[])]);
    assert_eq!(login(&allow, &with), required(&[&[PIN]]));
}

#[test]
fn failing_on_purpose_never_makes_a_stage_disappear() {
    let allow = logins("[['any']]", "when_off = 'allow'\nwhen_none = 'allow'");
    let login_only: PurposeSet = [Purpose::Login].into_iter().collect();
    for (model, condition) in [
        (Model::App, Condition::Capped),
        (Model::Codes(10), Condition::Capped),
        (Model::Codes(1), Condition::Sound),
        (Model::Codes(0), Condition::Sound),
    ] {
        let on = login_only;
        let failed = Enrolled {
            model,
            condition,
            on,
        };
        let denied = Ruling::Denied(Obstacle::RecoveryRequired);
        assert_eq!(
            login(&allow, &registry(None, &[failed])),
            denied,
            "{failed:?}"
        );
        // Nor does what is off take its place.
        let beside = registry(None, &[failed, app(&[])]);
        assert_eq!(login(&allow, &beside), denied, "{failed:?}");
    }
}

const SETTINGS: &str = "
    [[rules]]
    name = 'portal'
    operations = ['settings-change']
    callers = ['portal']
    stages = [['totp'], ['pin']]
    [[rules]]
    name = 'others'
    operations = ['settings-change']
    stages = [['any']]";

#[test]
fn a_settings_change_takes_the_stages_of_the_policy_too() {
    let registry = registry(SOUND, &[codes(&[]), app(&[]), app(&[])]);
    let by_codes = || vec![path(&[&[of(1)]])];
    let add = |caller| policy(SETTINGS).add_to_settings(caller, by_codes(), &registry);
    assert_eq!(add("portal"), [path(&[&[PIN], &[of(1)], &[of(2), of(3)]])]);
    assert_eq!(
        Policy::default().add_to_settings("portal", by_codes(), &registry),
        by_codes()
    );
}

#[test]
fn every_path_of_a_settings_change_gets_the_stages() {
    let registry = registry(SOUND, &[app(&[]), codes(&[])]);
    let paths = vec![path(&[&[of(2)]]), path(&[&[PIN], &[of(1)]]), path(&[])];
    let added = policy(SETTINGS).add_to_settings("portal", paths, &registry);
    let both = path(&[&[PIN], &[of(1)]]);
    let expected = [path(&[&[PIN], &[of(2)], &[of(1)]]), both.clone(), both];
    assert_eq!(added, expected);
    assert!(
        policy(SETTINGS)
            .add_to_settings("portal", Vec::new(), &registry)
            .is_empty()
    );
}

#[test]
fn a_stage_that_a_path_has_already_is_not_added() {
    let registry = registry(SOUND, &[app(&[]), app(&[]), codes(&[])]);
    let add = |path| policy(SETTINGS).add_to_settings("desk", vec![path], &registry);
    let any: &[AuthenticatorRef] = &[of(3), of(2), of(1)];
    assert_eq!(add(path(&[any])), [path(&[any])]);
    assert_eq!(add(path(&[&[of(2)]])), [path(&[&[of(2)]])]);
    let with_any = path(&[&[PIN], &[of(1), of(2), of(3)]]);
    assert_eq!(add(path(&[&[PIN]])), [with_any]);
    // Nothing passes a stage without options, so it stands for no other one.
    let dead_end: &[&[AuthenticatorRef]] = &[&[], &[of(1), of(2), of(3)]];
    assert_eq!(add(path(&[&[]])), [path(dead_end)]);
}

#[test]
fn what_is_not_enrolled_is_not_added_to_a_settings_change() {
    let policy = policy(SETTINGS);
    let nothing = registry(None, &[]);
    let first = vec![path(&[])];
    assert_eq!(
        policy.add_to_settings("portal", first.clone(), &nothing),
        first
    );
    let capped = Enrolled {
        condition: Condition::Capped,
        ..app(&[])
    };
    let capped = registry(None, &[capped]);
    let added = policy.add_to_settings("portal", first, &capped);
    assert_eq!(added, [path(&[&[of(1)]])]);
}
