//! What a policy file may say, and what is said, and where, about one that is not right.

use countersign_security_identifiers::Kind;

use crate::{
    DEFAULT_POLICY, Policy,
    policy::{Asked, Matched, Names, WhenNone, WhenOff},
};

const HEAD: &str = "version = 1\nstrength = ['totp', 'sms', 'backup-codes']\n";
/// A rule to which conditions can be added.
const LOGINS: &str = "[[rules]]\nname = 'logins'\noperations = ['login']\nstages = [['any']]\n";

/// That the text is refused with this message, at the place where `»` stands in it.
#[track_caller]
fn refused(text: &str, message: &str) {
    let (before, after) = text.split_once('»').unwrap();
    let line = before.lines().count().max(1) + usize::from(before.ends_with('\n'));
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let error = Policy::parse(&format!("{before}{after}")).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("line {line}, column {column}: {message}"),
        "{text}"
    );
}

/// The same for a text after the head.
#[track_caller]
fn refused_rules(rules: &str, message: &str) {
    refused(&format!("{HEAD}{rules}"), message);
}

/// The same for stages.
#[track_caller]
fn refused_stages(stages: &str, message: &str) {
    let rules = format!("[[rules]]\nname = 'a'\noperations = ['login']\nstages = {stages}\n");
    refused_rules(&rules, message);
}

/// The same for the operations and purposes of a rule.
#[track_caller]
fn refused_conditions(conditions: &str, message: &str) {
    let rules = format!("[[rules]]\nname = 'a'\nstages = [['any']]\n{conditions}\n");
    refused_rules(&rules, message);
}

#[test]
fn the_built_in_policy_is_the_one_of_the_default_text() {
    assert_eq!(Policy::parse(DEFAULT_POLICY), Ok(Policy::default()));
}

#[test]
fn what_is_not_said_of_a_rule_is_the_safe_choice() {
    let policy = Policy::parse(&format!("{HEAD}{LOGINS}")).unwrap();
    assert_eq!(policy.strength, [Kind::Totp, Kind::Sms, Kind::BackupCodes]);
    let [rule] = &policy.rules[..] else {
        panic!("{policy:?}");
    };
    assert_eq!(rule.when_off, WhenOff::Use);
    assert_eq!(rule.when_none, WhenNone::Enrol);
    assert_eq!(
        (&rule.callers, &rule.payment_methods),
        (&Names::Any, &Names::Any)
    );
    assert_eq!(rule.stages, [Asked::CodeOf(Kind::ALL.to_vec())]);
}

#[test]
fn purposes_stand_for_the_operations_that_have_them() {
    let rule = "[[rules]]\nname = 'a'\npurposes = ['other', 'login']\nstages = [['pin']]";
    let policy = Policy::parse(&format!("{HEAD}{rule}")).unwrap();
    assert_eq!(
        policy.rules[0].operations,
        [Matched::Custom, Matched::Login]
    );
}

#[test]
fn rules_may_be_written_as_a_list_too() {
    let rule = "rules = [{ name = 'a', operations = ['login'], stages = [['any']] }]";
    assert!(Policy::parse(&format!("{HEAD}{rule}")).is_ok());
}

#[test]
fn a_text_that_is_not_toml_is_refused_where_it_goes_wrong() {
    let unclosed = Policy::parse("version = 1\nstrength = [").unwrap_err();
    assert_eq!((unclosed.line, unclosed.column), (2, 13), "{unclosed}");
    assert!(
        unclosed.message.starts_with("this is not TOML: "),
        "{unclosed}"
    );
    let word = Policy::parse("version = one").unwrap_err();
    assert_eq!((word.line, word.column), (1, 11), "{word}");
    refused(
        &format!("{HEAD}»strength = ['totp']\n"),
        "`strength` stands here for the second time",
    );
    refused_rules(
        &format!("{LOGINS}»name = 'b'\n"),
        "`name` stands here for the second time",
    );
}

#[test]
fn the_mark_that_some_editors_write_is_no_part_of_the_text() {
    let rules = format!("\u{feff}{HEAD}{LOGINS}");
    assert!(Policy::parse(&rules).is_ok());
    let error = Policy::parse("\u{feff}version = 2").unwrap_err();
    assert_eq!((error.line, error.column), (1, 11));
}

#[test]
fn another_version_is_refused_before_anything_else() {
    let hint = "a policy needs `version`: a policy begins with `version = 1`";
    refused("»", hint);
    refused("»strength = ['totp', 'sms', 'backup-codes']", hint);
    refused(
        "holds = 1\nversion = »2",
        "`version` is 2, and this program knows version 1 only",
    );
    refused("version = »'1'", "`version` must be 1, and is a text");
}

#[test]
fn an_unknown_key_is_refused_with_those_there_are() {
    refused(
        &format!("{HEAD}»port = 1"),
        "unknown key \"port\": a policy has the keys version, strength and rules",
    );
    refused(
        &format!("{HEAD}[»rule]\n"),
        "unknown key \"rule\": a policy has the keys version, strength and rules",
    );
    refused_rules(
        &format!("{LOGINS}  »when_of = 'allow'\nand = 1"),
        "unknown key \"when_of\": a rule has the keys name, operations, purposes, payment_methods, \
         callers, stages, when_off and when_none",
    );
}

#[test]
fn strength_lists_every_kind_once_and_backup_codes_last() {
    let hint = "it lists every kind once, the strongest first: totp, sms, backup-codes";
    let refused = |strength: &str, message: &str| {
        refused(
            &format!("version = 1\nstrength = {strength}\n{LOGINS}"),
            message,
        );
    };
    refused("»[]", "`strength` is empty: it must list at least one");
    refused(
        "»'totp'",
        "`strength` must be a list of kinds, and is a text",
    );
    refused(
        "»['totp', 'sms']",
        &format!("`strength` leaves out \"backup-codes\": {hint}"),
    );
    refused("['totp', »'totp']", "\"totp\" stands in this list twice");
    refused(
        "['totp', »'fax']",
        "unknown kind \"fax\": it must be one of totp, sms, backup-codes",
    );
    refused(
        "['totp', »3]",
        "a kind must be a text in quotes, and is a number",
    );
    refused(
        "[»'backup-codes', 'totp', 'sms']",
        "\"backup-codes\" must come last: each is a code less for an emergency",
    );
    super::tests::refused(
        &format!("»version = 1\n{LOGINS}"),
        &format!("a policy needs `strength`: {hint}"),
    );
}

#[test]
fn a_policy_without_rules_is_refused() {
    let hint = "without rules it would refuse every operation: each begins with `[[rules]]`";
    refused(
        &format!("»{HEAD}"),
        &format!("a policy needs `rules`: {hint}"),
    );
    refused_rules("rules = »[]", &format!("`rules` is empty: {hint}"));
    let shape = "`rules` must be a list of rules, each of which begins with `[[rules]]`";
    refused_rules("rules = »3", shape);
    refused_rules("»[rules]\nname = 'a'", shape);
    refused_rules(
        "rules = [»'login']",
        "each of `rules` must be a table that begins with `[[rules]]`, and this is a text",
    );
}

#[test]
fn a_rule_has_a_name_of_its_own() {
    refused_rules(
        "»[[rules]]\noperations = ['login']\nstages = [['any']]",
        "a rule needs `name`: explanations call the rule by it",
    );
    let form = "`name` must have 1 to 64 bytes, no control characters, and no spaces around it";
    for name in [
        "''",
        "' a'",
        "\"a\\u0007\"",
        &format!("'{}'", "x".repeat(65)),
    ] {
        let rules = format!("[[rules]]\nname = »{name}\noperations = ['login']");
        refused_rules(&rules, form);
    }
    refused_rules(
        "[[rules]]\nname = »true",
        "`name` must be a text in quotes, and is true or false",
    );
    let again = LOGINS.replace("'logins'", "»'logins'");
    refused_rules(
        &format!("{LOGINS}{again}"),
        "another rule has the name \"logins\" already",
    );
}

#[test]
fn a_rule_says_which_operations_it_is_about() {
    refused_rules(
        "»[[rules]]\nname = 'a'\nstages = [['any']]",
        "a rule needs `operations` or `purposes`: they say what it is about",
    );
    refused_conditions(
        "operations = »[]",
        "`operations` is empty: it must list at least one",
    );
    refused_conditions(
        "operations = »'login'",
        "`operations` must be a list of operations, and is a text",
    );
    refused_conditions(
        "operations = [»1]",
        "an operation must be a text in quotes, and is a number",
    );
    refused_conditions(
        "operations = ['login', »'logout']",
        "unknown operation \"logout\": it must be one of login, withdrawal, custom, custom:KIND, \
         settings-change",
    );
    refused_conditions(
        "operations = ['login', »'login']",
        "\"login\" stands in this list twice",
    );
    refused_conditions(
        "operations = [»'custom:a', 'custom']",
        "\"custom:a\" is needless beside \"custom\"",
    );
    for kind in ["", "Transfer", "a b", "é", &"x".repeat(65)] {
        let message = format!(
            "no custom operation has the kind {kind:?}: it has 1 to 64 small letters, digits and \
             characters of `._-`"
        );
        refused_conditions(&format!("operations = [»'custom:{kind}']"), &message);
    }
}

#[test]
fn purposes_that_contradict_the_operations_are_refused() {
    refused_conditions(
        "operations = ['login']\npurposes = ['login', »'other']",
        "none of the `operations` has the purpose \"other\"",
    );
    refused_conditions(
        "operations = ['settings-change']\npurposes = [»'login']",
        "none of the `operations` has the purpose \"login\"",
    );
    refused_conditions(
        "operations = ['login', »'withdrawal']\npurposes = ['login']",
        "\"withdrawal\" has the purpose \"withdrawal\", which `purposes` leaves out",
    );
    refused_conditions(
        "purposes = »[]",
        "`purposes` is empty: it must list at least one",
    );
    refused_conditions(
        "purposes = ['other', »'other']",
        "\"other\" stands in this list twice",
    );
    refused_conditions(
        "purposes = [»'OTHER']",
        "unknown purpose \"OTHER\": it must be one of login, withdrawal, other",
    );
}

#[test]
fn names_that_nothing_can_have_are_refused() {
    refused_rules(
        &format!("{LOGINS}callers = »[]"),
        "`callers` is empty: it must list at least one",
    );
    refused_rules(
        &format!("{LOGINS}callers = ['portal', »'portal']"),
        "\"portal\" stands in this list twice",
    );
    for caller in ["", "the portal", "портал"] {
        let message = format!("nothing can have the name {caller:?} among the callers");
        refused_rules(&format!("{LOGINS}callers = [»'{caller}']"), &message);
    }
    refused_rules(
        &format!("{LOGINS}callers = [»[]]"),
        "each of `callers` must be a text in quotes, and is a list",
    );
    refused_conditions(
        "operations = ['withdrawal']\npayment_methods = [»\"a\\tb\"]",
        "nothing can have the name \"a\\tb\" among the payment methods",
    );
    refused_conditions(
        "operations = ['withdrawal']\npayment_methods = »{}",
        "`payment_methods` must be a list of payment methods, and is a table",
    );
}

#[test]
fn only_withdrawals_have_payment_methods() {
    let why = "`payment_methods` does not belong here: only withdrawals have one, so make them a rule \
               of their own";
    refused_rules(&format!("{LOGINS}»payment_methods = ['card']"), why);
    refused_conditions(
        "operations = ['withdrawal', 'login']\n»payment_methods = ['card']",
        why,
    );
    let rule = "[[rules]]\nname = 'a'\npurposes = ['withdrawal']\nstages = [['any']]\n";
    let text = format!("{HEAD}{rule}payment_methods = ['card', '']");
    assert!(Policy::parse(&text).is_ok());
}

#[test]
fn stages_that_nothing_or_one_proof_would_pass_are_refused() {
    let hint = "it lists the stages, such as [[\"pin\"], [\"any\"]]";
    refused_stages(
        "»[]",
        &format!("`stages` is empty: {hint}; no rule can ask for nothing"),
    );
    refused_stages("»'any'", "`stages` must be a list of stages, and is a text");
    refused_rules(
        "»[[rules]]\nname = 'a'\noperations = ['login']",
        &format!("a rule needs `stages`: {hint}"),
    );
    refused_stages(
        "[['any'], »[]]",
        "the stage is empty, and nothing would pass it: it must name a kind, or be [\"any\"] or \
         [\"pin\"]",
    );
    refused_stages(
        "[»'any']",
        "each stage must be a list of kinds, such as [\"any\"], and this is a text",
    );
    refused_stages(
        "[['totp', »'fax']]",
        "unknown kind \"fax\": it must be one of totp, sms, backup-codes, any, pin",
    );
    refused_stages(
        "[[»1979-05-27]]",
        "a kind must be a text in quotes, and is a date or a time",
    );
    refused_stages("[['totp', »'totp']]", "\"totp\" stands in this stage twice");
    refused_stages(
        "[['totp', »'any']]",
        "\"any\" must stand alone: it is every kind already",
    );
    let alone = "\"pin\" must be a stage of its own: a PIN is no substitute for a code";
    refused_stages("[['totp', »'pin']]", alone);
    refused_stages("[['pin', »'totp']]", alone);
    refused_stages("[['pin', »'any']]", alone);
}

#[test]
fn two_stages_that_one_proof_would_pass_are_refused() {
    let twice = |stage, name: &str| {
        format!("stage {stage} takes {name:?} already: one proof would pass both stages")
    };
    refused_stages("[['pin'], [»'pin']]", &twice(1, "pin"));
    refused_stages("[['any'], [»'any']]", &twice(1, "any"));
    refused_stages("[['pin'], ['any'], [»'totp']]", &twice(2, "totp"));
    refused_stages("[['totp'], [»'any']]", &twice(1, "any"));
    refused_stages("[['totp'], ['backup-codes', »'totp']]", &twice(1, "totp"));
    let apart = "[['totp'], ['pin'], ['backup-codes']]";
    let text = format!("{HEAD}{}", LOGINS.replace("[['any']]", apart));
    assert!(Policy::parse(&text).is_ok());
}

#[test]
fn what_happens_without_an_identifier_is_one_of_three_words() {
    refused_rules(
        &format!("{LOGINS}when_off = »'enrol'"),
        "`when_off` must be one of allow, refuse, use, and is \"enrol\"",
    );
    refused_rules(
        &format!("{LOGINS}when_none = »'use'"),
        "`when_none` must be one of allow, refuse, enrol, and is \"use\"",
    );
    refused_rules(
        &format!("{LOGINS}when_none = »false"),
        "`when_none` must be a text in quotes, and is true or false",
    );
}

#[test]
fn the_pin_alone_can_neither_be_off_nor_left_out() {
    let pin = LOGINS.replace("[['any']]", "[['pin']]");
    refused_rules(
        &format!("{pin}»when_off = 'use'"),
        "`when_off` does not belong here: this rule asks for the PIN only, which cannot be switched \
         off",
    );
    refused_rules(
        &format!("{pin}»when_none = 'allow'"),
        "`when_none` does not belong here: the PIN is never left out: it must be \"enrol\" or \
         \"refuse\"",
    );
    assert!(Policy::parse(&format!("{HEAD}{pin}when_none = 'refuse'")).is_ok());
}

#[test]
fn to_a_settings_change_a_rule_only_adds_stages() {
    let settings = LOGINS.replace("'login'", "'settings-change'");
    for key in ["when_off", "when_none", "payment_methods"] {
        let value = match key {
            "when_off" => "'use'",
            "when_none" => "'enrol'",
            _ => "['card']",
        };
        let message = format!(
            "`{key}` does not belong here: to a settings change a rule only adds what is enrolled"
        );
        refused_rules(&format!("{settings}»{key} = {value}"), &message);
    }
    refused_conditions(
        "operations = ['login', »'settings-change']",
        "\"settings-change\" must stand alone: to a settings change a rule only adds stages, so make \
         it a rule of its own",
    );
    let policy = Policy::parse(&format!("{HEAD}{settings}callers = ['portal']")).unwrap();
    assert!(policy.rules.is_empty());
    assert_eq!(policy.settings_rules.len(), 1);
}
