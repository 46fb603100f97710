//! `countersign admin show`: what there is to see of a subject.

use countersign_mfa::{IdentifierStateView, IdentifierView, Sight, ports::StoredEvent};
use countersign_primitives::{SubjectId, Timestamp};
use serde_json::{Map, Value};

use crate::output::{instant, say};

/// Says what there is to see of a subject.
pub(super) fn show(subject: &SubjectId, sight: &Sight) {
    say(format!("subject      {subject}"));
    say(format!("PIN          {}", pin(sight)));
    if sight.identifiers.is_empty() {
        say("identifiers  none");
    } else {
        say("identifiers");
    }
    for (identifier, failures) in &sight.identifiers {
        for line in identifier_lines(identifier, *failures) {
            say(line);
        }
    }
    say("events, the latest first");
    for event in &sight.events {
        say(event_line(event));
    }
}

fn pin(sight: &Sight) -> String {
    let view = sight.pin;
    if !view.set {
        return "not set".to_owned();
    }
    let mut words = vec!["set".to_owned()];
    if view.capped {
        words.push("reached the failure cap: only `countersign admin reset-pin` helps".to_owned());
    }
    if let Some(until) = view.locked_until {
        words.push(format!("locked until {}", instant(until)));
    }
    words.extend(failures(sight.pin_failures));
    words.join(", ")
}

fn failures(count: u32) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 failure since the last success".to_owned()),
        _ => Some(format!("{count} failures since the last success")),
    }
}

fn codes_left(count: usize) -> String {
    match count {
        1 => "1 code left, reserved for disabling the codes and making more".to_owned(),
        _ => format!("{count} codes left"),
    }
}

fn identifier_lines(identifier: &IdentifierView, failed: u32) -> Vec<String> {
    let since = |at: Option<_>| at.map_or(String::new(), |at| format!(" since {}", instant(at)));
    let state = match identifier.state {
        IdentifierStateView::Pending => {
            let until = identifier.expires_at.map_or(String::new(), instant);
            format!("enrolment begun, lapses {until}")
        }
        IdentifierStateView::Enabled => format!("enabled{}", since(identifier.enabled_at)),
        IdentifierStateView::Disabled => format!("disabled{}", since(identifier.disabled_at)),
        IdentifierStateView::Capped => {
            format!(
                "disabled by the failure cap{}",
                since(identifier.disabled_at)
            )
        }
    };
    let on: Vec<&str> = identifier
        .purposes
        .iter()
        .filter(|setting| setting.on)
        .map(|setting| setting.purpose.name())
        .collect();
    let on = if on.is_empty() {
        "nothing".to_owned()
    } else {
        on.join(", ")
    };
    let mut words = vec![state, format!("on for {on}")];
    words.extend(identifier.codes_left.map(codes_left));
    words.extend(failures(failed));
    let (kind, label) = (identifier.kind.name(), &identifier.label);
    let number = identifier.masked_number.as_ref();
    let number = number.map_or(String::new(), |number| format!(" {number}"));
    let mut lines = vec![
        format!("  {}  {kind} \"{label}\"{number}", identifier.id),
        format!("    {}", words.join(", ")),
    ];
    for setting in &identifier.purposes {
        if let Some(until) = setting.locked_until {
            let purpose = setting.purpose.name();
            lines.push(format!("    locked for {purpose} until {}", instant(until)));
        }
    }
    lines
}

fn event_line(event: &StoredEvent) -> String {
    let facts: Vec<Map<String, Value>> = serde_json::from_str(&event.facts).unwrap_or_default();
    let facts: Vec<String> = facts.iter().map(fact).collect();
    format!(
        "  {}  #{} {} by {}: {}",
        instant(event.at),
        event.version,
        event.method,
        event.caller,
        facts.join("; "),
    )
}

/// A fact as one phrase: its name, then what it names.
fn fact(fact: &Map<String, Value>) -> String {
    let name = fact.get("fact").and_then(Value::as_str).unwrap_or("?");
    let mut words = vec![name.to_owned()];
    for (key, value) in fact.iter().filter(|(key, _)| *key != "fact") {
        let value = match value {
            Value::String(text) if !text.contains([' ', '"']) => text.clone(),
            Value::Number(millis) if key == "until" => {
                instant(Timestamp::from_millis(millis.as_i64().unwrap_or_default()))
            }
            other => other.to_string(),
        };
        words.push(format!("{key}={value}"));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_readable_line() {
        let event = StoredEvent {
            version: 7,
            at: Timestamp::from_millis(1_700_000_000_000),
            caller: "(operator)".to_owned(),
            method: "countersign admin".to_owned(),
            facts: r#"[{"fact":"UNLOCKED"},{"fact":"BY_OPERATOR","reason":"called in"},
                {"fact":"LOCKED","authenticator":"PIN","purpose":"LOGIN","until":1700000300000}]"#
                .to_owned(),
        };
        assert_eq!(
            event_line(&event),
            "  2023-11-14T22:13:20Z  #7 countersign admin by (operator): UNLOCKED; \
             BY_OPERATOR reason=\"called in\"; \
             LOCKED authenticator=PIN purpose=LOGIN until=2023-11-14T22:18:20Z"
        );
    }
}
