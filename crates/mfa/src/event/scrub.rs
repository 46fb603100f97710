//! Events without what tells of a person.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// A fact by its name.
#[derive(Deserialize)]
struct Named {
    fact: String,
}

/// What is left of the fact that an operator did something.
const BY_OPERATOR: &str = r#"{"fact":"BY_OPERATOR","reason":"erased"}"#;

/// The facts of an event without what tells of a person: where an operation was asked for, the
/// digest of it, and what an operator wrote. Everything else stays as it is, byte for byte.
pub(crate) fn scrub(facts: &str) -> String {
    // What cannot be read could hold anything.
    let Ok(all) = serde_json::from_str::<Vec<&RawValue>>(facts) else {
        return "[]".to_owned();
    };
    let all: Vec<&str> = all.into_iter().map(RawValue::get).collect();
    let kept: Vec<Cow<'_, str>> = all.iter().filter_map(|fact| scrubbed(fact)).collect();
    if kept == all {
        return facts.to_owned();
    }
    format!("[{}]", kept.join(","))
}

/// The fact without one of its fields. An operation's digest, for one, is no secret: whoever guesses
/// account, amount and destination can tell.
fn without(fact: &str, field: &str) -> String {
    match serde_json::from_str::<Value>(fact) {
        Ok(Value::Object(mut fields)) if fields.contains_key(field) => {
            fields.remove(field);
            Value::Object(fields).to_string()
        }
        _ => fact.to_owned(),
    }
}

fn scrubbed(fact: &str) -> Option<Cow<'_, str>> {
    let named: Named = serde_json::from_str(fact).ok()?;
    match named.fact.as_str() {
        "ASKED_FROM" => None,
        "BY_OPERATOR" => Some(BY_OPERATOR.into()),
        "CONFIRMATION_CREATED" => Some(without(fact, "digest").into()),
        _ => Some(fact.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Fact;

    fn written(facts: &[Fact]) -> String {
        serde_json::to_string(facts).unwrap()
    }

    fn asked_from() -> Fact {
        Fact::AskedFrom {
            ip_address: "192.0.2.7".to_owned(),
            user_agent: "canary \"],[\" browser".to_owned(),
        }
    }

    fn by_operator(reason: &str) -> Fact {
        Fact::ByOperator {
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn an_address_a_user_agent_and_a_reason_are_gone() {
        let denied = || Fact::Denied {
            operation: "LOGIN".into(),
            reason: "TEMPORARILY_LOCKED".into(),
        };
        let before = written(&[asked_from(), denied(), by_operator("of Anna \\ \"Zoë\"")]);
        let after = written(&[denied(), by_operator("erased")]);
        assert_eq!(scrub(&before), after);
        assert_eq!(scrub(&after), after);
        assert_eq!(scrub(&written(&[asked_from()])), "[]");
    }

    #[test]
    fn what_tells_of_nobody_stays_byte_for_byte() {
        for facts in [
            "[]",
            r#" [ {"fact" : "UNLOCKED"} , {"z":1,"fact":"OF_A_LATER_VERSION","a":[{}]} ] "#,
            &written(&[Fact::Erased, by_operator("erased")]),
        ] {
            assert_eq!(scrub(facts), facts);
        }
    }

    #[test]
    fn a_digest_that_could_be_guessed_is_gone() {
        let created = r#"[{"fact":"CONFIRMATION_CREATED","confirmation":"c","operation":"LOGIN","digest":"00ff"}]"#;
        let scrubbed = scrub(created);
        assert!(
            !scrubbed.contains("00ff") && scrubbed.contains("LOGIN"),
            "{scrubbed}"
        );
        assert_eq!(scrub(&scrubbed), scrubbed);
    }

    #[test]
    fn facts_beside_those_that_go_keep_their_form() {
        let facts = r#"[{"z" : 1.50,"fact":"LATER"}, {"fact":"ASKED_FROM","ip_address":"x"}]"#;
        assert_eq!(scrub(facts), r#"[{"z" : 1.50,"fact":"LATER"}]"#);
    }

    #[test]
    fn nothing_is_kept_of_what_cannot_be_read() {
        for facts in ["", "192.0.2.7", r#"{"fact":"UNLOCKED"}"#] {
            assert_eq!(scrub(facts), "[]");
        }
        assert_eq!(
            scrub(r#"[{"fact":"UNLOCKED"},"192.0.2.7"]"#),
            r#"[{"fact":"UNLOCKED"}]"#
        );
    }
}
