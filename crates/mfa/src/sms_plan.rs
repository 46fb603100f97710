//! What a decision does about messages, numbers and budgets.

use countersign_primitives::{MessageId, Timestamp};
use countersign_security_identifiers::{Kind, SecurityIdentifier};
use countersign_sms_codes::TargetId;

use crate::{
    letter::Letter,
    ports::sms::{MessageMark, SpendRow},
};

/// What a decision does about messages and budgets. The numbers that a subject begins or ceases to
/// use follow from its registry.
#[derive(Debug, Default)]
pub(crate) struct SmsPlan {
    /// A message that is to be sent.
    pub(crate) message: Option<Box<NewMessage>>,
    /// The confirmation or the identifier whose messages are not wanted any more, where no carrier was
    /// given them yet.
    pub(crate) withdrawn: Option<TargetId>,
    /// The message whose code was accepted.
    pub(crate) confirmed: Option<MessageId>,
    /// What became of a message.
    pub(crate) mark: Option<MessageMark>,
    /// Budgets, as they are from now on.
    pub(crate) spend: Vec<SpendRow>,
}

/// A message that is to be sent.
#[derive(Debug)]
pub(crate) struct NewMessage {
    pub(crate) letter: Letter,
    pub(crate) expires_at: Timestamp,
}

impl SmsPlan {
    /// Nothing.
    pub(crate) const NONE: Self = Self {
        message: None,
        withdrawn: None,
        confirmed: None,
        mark: None,
        spend: Vec::new(),
    };

    /// For an identifier that is disabled: a phone is sent nothing more.
    pub(crate) fn disabling(disabled: &SecurityIdentifier) -> Self {
        let is_phone = disabled.kind() == Kind::Sms;
        Self {
            withdrawn: is_phone.then(|| *disabled.id.as_bytes()),
            ..Self::NONE
        }
    }
}
