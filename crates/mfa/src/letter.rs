//! A message as it waits to be sent: everything but its text, which is made when it is sent.

use countersign_primitives::{Digest, SubjectId};
use countersign_security_identifiers::Purpose;
use countersign_sms_codes::{Binding, Challenge, PhoneNumber, TargetId};
use countersign_sms_text::{Locale, Template, Text, Texts};
use minicbor::{CborLen, Decode, Encode};

/// A message as it waits to be sent: to be sealed.
#[derive(Clone, Debug, Encode, Decode, CborLen)]
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
