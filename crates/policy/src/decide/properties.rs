//! What holds for every policy and every subject: nothing widens the policy.

use countersign_security_identifiers::{
    AuthenticatorRef, Path, Purpose, PurposeSet, Registry, Stage,
};
use proptest::{collection::vec, prelude::*, sample::select};

use super::{Case, Operation, Ruling};
use crate::{
    DEFAULT_POLICY, Policy,
    policy::Asked,
    sample::{self, Condition, Enrolled, Model, NOW},
};

const STAGES: [&str; 9] = [
    "[['any']]",
    "[['totp']]",
    "[['backup-codes']]",
    "[['backup-codes', 'totp']]",
    "[['pin'], ['any']]",
    "[['totp'], ['pin']]",
    "[['totp'], ['backup-codes']]",
    "[['pin'], ['backup-codes'], ['totp']]",
    "[['pin']]",
];

fn rule(name: &'static str) -> impl Strategy<Value = String> {
    (
        select(&["'login'", "'withdrawal'", "'custom'", "'login', 'custom:a'"]),
        select(&["", "callers = ['x']", "callers = ['x', 'y']"]),
        select(&STAGES),
        select(&[
            "",
            "when_off = 'allow'",
            "when_off = 'refuse'",
            "when_off = 'use'",
        ]),
        select(&["", "when_none = 'allow'", "when_none = 'refuse'"]),
    )
        .prop_map(move |(operations, callers, stages, off, none)| {
            let rest = if stages == "[['pin']]" {
                String::new()
            } else {
                format!("{off}\n{none}\n")
            };
            format!(
                "[[rules]]\nname = '{name}'\noperations = [{operations}]\n{callers}\n\
                 stages = {stages}\n{rest}"
            )
        })
}

fn settings_rule() -> impl Strategy<Value = String> {
    select(&STAGES).prop_map(|stages| {
        format!("[[rules]]\nname = 's'\noperations = ['settings-change']\nstages = {stages}\n")
    })
}

/// Policies, those left out that have a rule which is never reached.
fn policy() -> impl Strategy<Value = Policy> {
    let rules = (rule("a"), rule("b"), settings_rule());
    rules.prop_filter_map("unreachable", |(a, b, settings)| {
        let head = "version = 1\nstrength = ['totp', 'sms', 'backup-codes']";
        let policy = Policy::parse(&format!("{head}\n{a}{b}{settings}"));
        if let Err(error) = &policy {
            assert!(error.message.contains("never reached"), "{error}");
        }
        policy.ok()
    })
}

fn case() -> impl Strategy<Value = Case<'static>> {
    let operations = [
        Operation::Login,
        Operation::Withdrawal { payment_method: "" },
        Operation::Custom { kind: "a" },
        Operation::Custom { kind: "b" },
    ];
    let callers = ["x", "y", "z"];
    (select(callers.to_vec()), select(operations.to_vec()))
        .prop_map(|(caller, operation)| Case { caller, operation })
}

fn condition() -> impl Strategy<Value = Condition> {
    select(vec![Condition::Sound, Condition::Locked, Condition::Capped])
}

fn purposes() -> impl Strategy<Value = PurposeSet> {
    vec(select(Purpose::ALL.to_vec()), 0..4).prop_map(|purposes| purposes.into_iter().collect())
}

fn enrolled(model: impl Strategy<Value = Model>) -> impl Strategy<Value = Enrolled> {
    (model, condition(), purposes()).prop_map(|(model, condition, on)| Enrolled {
        model,
        condition,
        on,
    })
}

/// A PIN or none, up to three apps, and a set of codes or none.
#[derive(Clone, Debug)]
struct Subject {
    pin: Option<Condition>,
    enrolled: Vec<Enrolled>,
}

impl Subject {
    fn registry(&self) -> Registry {
        sample::registry(self.pin, &self.enrolled)
    }
}

fn subject() -> impl Strategy<Value = Subject> {
    let apps = vec(enrolled(Just(Model::App)), 0..4);
    let codes = enrolled((0_usize..4).prop_map(Model::Codes));
    (
        proptest::option::of(condition()),
        apps,
        proptest::option::of(codes),
    )
        .prop_map(|(pin, apps, codes)| {
            let enrolled = codes.into_iter().chain(apps).collect();
            Subject { pin, enrolled }
        })
}

/// Whether every option of a stage is what the rule asks for there.
fn is_within(stage: &Stage, asked: &Asked, registry: &Registry) -> bool {
    !stage.options.is_empty()
        && stage.options.iter().all(|option| match (option, asked) {
            (AuthenticatorRef::Pin, Asked::Pin) => true,
            (AuthenticatorRef::Identifier(id), Asked::CodeOf(kinds)) => {
                let identifier = registry.identifier(*id);
                identifier.is_some_and(|known| kinds.contains(&known.kind()))
            }
            _ => false,
        })
}

fn asked_of<'p>(policy: &'p Policy, case: &Case<'_>) -> &'p [Asked] {
    let mut rules = policy.rules.iter();
    rules
        .find(|rule| rule.matches(case))
        .map_or(&[], |rule| &rule.stages)
}

/// How many stages a ruling has; `None` where the operation does not go on at all.
fn stages_of(ruling: &Ruling) -> Option<usize> {
    match ruling {
        Ruling::NotRequired => Some(0),
        Ruling::Required(paths) => paths.iter().map(|path| path.stages.len()).min(),
        Ruling::EnrolmentRequired(_) | Ruling::Denied(_) | Ruling::Refused => None,
    }
}

proptest! {
    #[test]
    fn every_option_is_of_a_kind_that_the_rule_names(
        policy in policy(), case in case(), subject in subject()
    ) {
        let registry = subject.registry();
        let asked = asked_of(&policy, &case);
        match policy.rule(&case, &registry, NOW) {
            Ruling::Required(paths) => for path in paths {
                // The stages are those of the rule in its order, some left out.
                let mut asked = asked.iter();
                for stage in &path.stages {
                    prop_assert!(asked.any(|asked| is_within(stage, asked, &registry)));
                }
                prop_assert!(!path.stages.is_empty());
            },
            Ruling::Refused | Ruling::NotRequired | Ruling::Denied(_) => {}
            Ruling::EnrolmentRequired(missing) => {
                prop_assert!(!missing.pin || asked.contains(&Asked::Pin));
                prop_assert!(missing.pin || !missing.kinds.is_empty());
                prop_assert!(missing.kinds.iter().all(|kind| asked.iter().any(
                    |asked| matches!(asked, Asked::CodeOf(kinds) if kinds.contains(kind))
                )));
            }
        }
    }

    #[test]
    fn switching_on_never_takes_a_stage_away(
        policy in policy(), case in case(), subject in subject(), which in 0_usize..4
    ) {
        let before = policy.rule(&case, &subject.registry(), NOW);
        let mut subject = subject;
        if let Some(enrolled) = subject.enrolled.get_mut(which) {
            enrolled.on = enrolled.on.with([case.purpose()].into_iter().collect());
        }
        let after = policy.rule(&case, &subject.registry(), NOW);
        if let Some(stages) = stages_of(&after) {
            prop_assert!(stages_of(&before).is_none_or(|before| before <= stages));
        }
    }

    #[test]
    fn switches_only_ever_choose_among_what_would_serve_with_all_of_them_off(
        policy in policy(), case in case(), subject in subject()
    ) {
        let Ruling::Required(paths) = policy.rule(&case, &subject.registry(), NOW) else {
            return Ok(());
        };
        let mut all_off = subject;
        for enrolled in &mut all_off.enrolled {
            enrolled.on = PurposeSet::NONE;
        }
        let widest = policy.rule(&case, &all_off.registry(), NOW);
        if let Ruling::Required(wide) = widest {
            for stage in &wide[0].stages {
                let narrow = paths[0].stages.iter().any(|narrow| {
                    narrow.options.iter().all(|option| stage.options.contains(option))
                });
                prop_assert!(narrow, "{stage:?} is not in {paths:?}");
            }
        }
    }

    #[test]
    fn failing_never_makes_a_proof_unnecessary(
        policy in policy(), case in case(), subject in subject(), failing in condition()
    ) {
        let mut failed = subject.clone();
        for enrolled in &mut failed.enrolled {
            enrolled.condition = failing;
        }
        let stages = |subject: &Subject| stages_of(&policy.rule(&case, &subject.registry(), NOW));
        let mut sound = subject;
        for enrolled in &mut sound.enrolled {
            enrolled.condition = Condition::Sound;
        }
        if let (Some(sound), Some(failed)) = (stages(&sound), stages(&failed)) {
            prop_assert_eq!(sound, failed);
        }
        let skipped = |subject: &Subject| stages(subject) == Some(0);
        prop_assert!(!skipped(&failed) || skipped(&sound) || stages(&sound).is_none());
    }

    #[test]
    fn a_settings_change_keeps_every_stage_of_the_registry(
        policy in policy(), subject in subject(), on in purposes()
    ) {
        let registry = subject.registry();
        let paths = registry.paths_to_enable(on);
        let added = policy.add_to_settings("x", paths.clone(), &registry);
        prop_assert_eq!(paths.len(), added.len());
        let asked = &policy.settings_rules[0].stages;
        for (before, after) in paths.iter().zip(&added) {
            let (kept, new): (Vec<&Stage>, Vec<&Stage>) =
                after.stages.iter().partition(|stage| before.stages.contains(stage));
            prop_assert_eq!(kept, before.stages.iter().collect::<Vec<_>>());
            for stage in new {
                prop_assert!(asked.iter().any(|asked| is_within(stage, asked, &registry)));
            }
            prop_assert!(!Path::clone(after).stages.iter().any(|stage| stage.options.is_empty()));
        }
    }

    #[test]
    fn no_text_makes_parsing_fail_otherwise_than_with_an_error_in_the_text(text in any_text()) {
        match Policy::parse(&text) {
            Ok(policy) => {
                prop_assert!(!policy.explain().is_empty());
            }
            Err(error) => {
                let lines: Vec<&str> = text.split('\n').collect();
                prop_assert!((1..=lines.len()).contains(&error.line), "{}", error);
                let columns = lines[error.line - 1].chars().count() + 1;
                prop_assert!((1..=columns).contains(&error.column), "{}", error);
                prop_assert!(!error.message.is_empty());
            }
        }
    }
}

/// Any text at all, words of the language in any order, and the default policy with a piece replaced.
fn any_text() -> impl Strategy<Value = String> {
    let words = select(vec![
        "[[rules]]",
        "rules",
        "version",
        "strength",
        "name",
        "operations",
        "stages",
        "purposes",
        "callers",
        "payment_methods",
        "when_off",
        "when_none",
        "=",
        "=",
        "=",
        "1",
        "'any'",
        "'pin'",
        "'totp'",
        "'backup-codes'",
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        ",",
        ".",
        "\n",
        "\n",
        "\r\n",
        "'login'",
        "'custom:a'",
        "'",
        "\"",
        "#",
        "é",
        "\u{feff}",
        "\u{0}",
        "'''",
        "1979-05-27",
    ]);
    let soup = vec(words, 0..40).prop_map(|words| words.join(" "));
    let places = (0..DEFAULT_POLICY.len(), 0_usize..60, ".{0,12}");
    let mangled = places.prop_map(|(at, length, piece)| {
        let end = at.saturating_add(length).min(DEFAULT_POLICY.len());
        let (before, after) = (DEFAULT_POLICY.get(..at), DEFAULT_POLICY.get(end..));
        format!(
            "{}{piece}{}",
            before.unwrap_or_default(),
            after.unwrap_or_default()
        )
    });
    prop_oneof![any::<String>(), soup, mangled]
}
