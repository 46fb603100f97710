//! What a provider's answers mean.

use countersign_mfa::ports::sms::Submission;
use serde_json::Value;

use crate::settings::{Checked, Condition, HttpSettings, Place};

/// The longest code of an error that is told, in letters.
const LONGEST_CODE: usize = 40;

/// Codes of errors that are told are below this: a number with more digits may be of the message.
const CODES: u64 = 100_000;

/// The longest name that a provider may have for a message, in bytes.
const LONGEST_ID: usize = 255;

/// What a provider answered.
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// Whether it says when to come again.
    pub(super) says_when: bool,
    /// The body, where it is JSON and not too long.
    pub(super) body: Option<Value>,
}

/// Which answers mean what.
#[derive(Debug)]
pub(super) struct Meaning {
    message_id: Option<String>,
    error_code: Option<String>,
    bad_number: Vec<Condition>,
    throttled: Vec<Condition>,
    unclear: Vec<Condition>,
    refused: Vec<Condition>,
    knows_repetitions: bool,
}

impl Meaning {
    /// As the settings have it.
    pub(super) fn new(settings: &HttpSettings, place: &Place) -> Checked<Self> {
        for (key, pointer) in [
            ("message_id", &settings.message_id),
            ("error_code", &settings.error_code),
        ] {
            if let Some(pointer) = pointer {
                check_pointer(pointer, &place.key(key))?;
            }
        }
        for (key, conditions) in [
            ("bad_number", &settings.bad_number),
            ("throttled", &settings.throttled),
            ("unclear", &settings.unclear),
            ("refused", &settings.refused),
        ] {
            for condition in conditions {
                check(condition, &place.key(key))?;
            }
        }
        Ok(Self {
            message_id: settings.message_id.clone(),
            error_code: settings.error_code.clone(),
            bad_number: settings.bad_number.clone(),
            throttled: settings.throttled.clone(),
            unclear: settings.unclear.clone(),
            refused: settings.refused.clone(),
            knows_repetitions: settings.idempotency_header.is_some(),
        })
    }

    /// What an answer means: what the settings say of it, or else what its status says.
    pub(super) fn of(&self, answer: &Answer) -> Submission {
        let reason = self.reason(answer);
        let is = |conditions: &[Condition]| conditions.iter().any(|wanted| meets(answer, wanted));
        if is(&self.bad_number) {
            return Submission::BadNumber(reason);
        }
        if is(&self.throttled) {
            return Submission::Throttled(reason);
        }
        if is(&self.unclear) {
            return Submission::Cut(reason);
        }
        if is(&self.refused) {
            return Submission::Refused(reason);
        }
        match answer.status {
            200..=299 => self.accepted(answer, reason),
            429 => Submission::Throttled(reason),
            503 if answer.says_when => Submission::Throttled(reason),
            // The first of two equal requests may be what this one is in conflict with.
            409 if self.knows_repetitions => Submission::Cut(reason),
            // A server that fails may do so with the message in its hands.
            500.. => Submission::Cut(reason),
            // Redirects are not followed: a message goes to the configured address only.
            _ => Submission::Refused(reason),
        }
    }

    fn accepted(&self, answer: &Answer, reason: String) -> Submission {
        let Some(pointer) = &self.message_id else {
            return Submission::Accepted { carrier_id: None };
        };
        match answer.at(pointer).and_then(as_text) {
            Some(id) if is_id(&id) => Submission::Accepted {
                carrier_id: Some(id),
            },
            // Something answered that is not the API as it is configured: whether it has passed
            // the message on is not known.
            _ => Submission::Cut(format!("{reason} without the message's id")),
        }
    }

    /// The status, and the code of the error where it is surely nothing of the message.
    fn reason(&self, answer: &Answer) -> String {
        let status = answer.status;
        let code = self.error_code.as_deref();
        match code
            .and_then(|pointer| answer.at(pointer))
            .and_then(code_of)
        {
            Some(code) => format!("http {status}, code {code}"),
            None => format!("http {status}"),
        }
    }
}

impl Answer {
    fn at(&self, pointer: &str) -> Option<&Value> {
        let found = self.body.as_ref()?.pointer(pointer)?;
        (!found.is_null()).then_some(found)
    }
}

fn meets(answer: &Answer, wanted: &Condition) -> bool {
    let status = wanted.status.is_none_or(|status| status == answer.status);
    let value = wanted.at.as_deref().is_none_or(|pointer| {
        answer.at(pointer).is_some_and(|found| {
            let found = as_text(found);
            let is_it = |value: &Value| found.is_some() && as_text(value) == found;
            wanted.is.is_empty() || wanted.is.iter().any(is_it)
        })
    });
    status && value
}

/// Whether a text can be a provider's name for a message: it is kept, and compared.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A text, a number or a truth as text: some providers write numbers as texts, some do not.
pub(crate) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn code_of(value: &Value) -> Option<String> {
    let text = as_text(value)?;
    let is_number = text.parse::<u64>().is_ok_and(|number| number < CODES);
    let is_word = text.len() <= LONGEST_CODE
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    (!text.is_empty() && (is_number || is_word)).then_some(text)
}

/// That a text is a JSON pointer to something within.
pub(crate) fn check_pointer(pointer: &str, place: &Place) -> Checked<()> {
    if !pointer.starts_with('/') {
        return Err(place.wrong("must be a JSON pointer such as \"/messages/0/id\""));
    }
    Ok(())
}

fn check(condition: &Condition, place: &Place) -> Checked<()> {
    let Condition { status, at, is } = condition;
    match at {
        Some(pointer) => check_pointer(pointer, place)?,
        None if !is.is_empty() => return Err(place.wrong("says `is`, and not `at` which pointer")),
        None if status.is_none() => {
            return Err(place.wrong(
                "must be a list of { status = 429 }, { at = \"/code\", is = [7] } or both in one",
            ));
        }
        None => {}
    }
    if status.is_some_and(|status| !(200..=599).contains(&status)) {
        return Err(place.wrong("has a status that is none: 200 to 599"));
    }
    if is.iter().any(|value| as_text(value).is_none()) {
        return Err(place.wrong("may compare with texts, numbers and truths only"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
