//! A message as it waits to be sent: everything but its text, which is made when it is sent.

use std::fmt;

use countersign_primitives::{Digest, SubjectId};
use countersign_security_identifiers::Purpose;
use countersign_sms_codes::{Binding, Challenge, PhoneNumber, TargetId};
use countersign_sms_text::{Locale, Template, Text, Texts};
use countersign_spend_guard::RowKey;
use minicbor::{CborLen, Decode, Encode};

/// A message as it waits to be sent: to be sealed. Its word is hidden from `Debug`.
#[derive(Clone, Encode, Decode, CborLen)]
pub(crate) struct Letter {
    #[n(0)]
    pub(crate) number: PhoneNumber,
    #[n(1)]
    pub(crate) locale: Locale,
    #[n(2)]
    pub(crate) word: Option<String>,
    #[n(3)]
    pub(crate) template: Template,
    #[n(4)]
    pub(crate) challenge: Challenge,
    /// What the code is for.
    #[n(5)]
    pub(crate) target: TargetId,
    /// The purpose of the confirmation; none of an enrolment.
    #[n(6)]
    pub(crate) purpose: Option<Purpose>,
    /// The digest of the operation.
    #[n(7)]
    pub(crate) operation: Option<Digest>,
}

impl Letter {
    /// Whether it is for an enrolment.
    pub(crate) const fn is_enrolment(&self) -> bool {
        self.purpose.is_none()
    }

    /// The scope that it is judged with: the messages to its prefix that are for the same.
    pub(crate) fn prefix_scope(&self) -> String {
        RowKey::judging(&self.number.prefix(), self.is_enrolment()).scope
    }

    /// Its text, with the code in it.
    pub(crate) fn render(&self, texts: &Texts, subject: &SubjectId) -> Text {
        let binding = binding(
            subject,
            self.target,
            &self.number,
            self.purpose,
            self.operation,
        );
        let code = self.challenge.code(&binding);
        texts.render(&self.locale, self.word.as_deref(), &self.template, &code)
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter")
            .field("locale", &self.locale)
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}

/// What a code is bound to.
pub(crate) fn binding<'a>(
    subject: &'a SubjectId,
    target: TargetId,
    number: &'a PhoneNumber,
    purpose: Option<Purpose>,
    operation: Option<Digest>,
) -> Binding<'a> {
    Binding {
        subject,
        target,
        number: number.e164(),
        purpose: purpose.map_or("ENROLMENT", Purpose::name),
        operation,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use countersign_primitives::{IdentifierId, MessageId, Timestamp};
    use countersign_sms_codes::Countries;
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn nothing_of_a_message_is_shown() {
        let (id, now) = (IdentifierId::from_bytes([1; 16]), Timestamp::from_millis(0));
        let message = MessageId::from_bytes([2; 16]);
        let (life, rng) = (Duration::from_secs(300), &mut StdRng::seed_from_u64(1));
        let letter = Letter {
            number: PhoneNumber::parse("+79123456789", &Countries::All).unwrap(),
            locale: Texts::parse_locale("en").unwrap(),
            word: Some("heron".to_owned()),
            template: Template::Withdrawal {
                amount: "12345".to_owned(),
                currency: "EUR".to_owned(),
                destination: "DE0012".to_owned(),
            },
            challenge: Challenge::generate(id, message, life, now.plus(life), now, rng),
            target: [3; 16],
            purpose: None,
            operation: None,
        };
        let shown = format!("{letter:?}");
        for secret in ["heron", "3456789", "12345", "DE0012"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
