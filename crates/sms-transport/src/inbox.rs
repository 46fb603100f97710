//! An inbox in memory, in the place of phones. For development only.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use countersign_mfa::ports::sms::Outgoing;
use countersign_primitives::{Clock, MessageId, SecretString, Timestamp};

/// How many messages are kept: the latest.
const KEPT: usize = 100;

/// The latest messages that were sent, for whoever may read them all.
#[derive(Clone)]
pub struct Inbox {
    clock: Arc<dyn Clock>,
    messages: Arc<Mutex<VecDeque<InboxMessage>>>,
}

/// A message in the inbox.
#[derive(Clone, Debug)]
pub struct InboxMessage {
    /// Its id.
    pub id: MessageId,
    /// The number that it went to, such as `+79123456789`.
    pub number: SecretString,
    /// The text, code included.
    pub text: SecretString,
    /// When it came.
    pub at: Timestamp,
}

impl Inbox {
    /// An empty one, whose messages come by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            messages: Arc::default(),
        }
    }

    /// The messages to a number, or to all, the latest first.
    pub fn list(&self, number: Option<&str>) -> Vec<InboxMessage> {
        use countersign_primitives::ExposeSecret as _;
        let is_wanted = |message: &&InboxMessage| {
            number.is_none_or(|number| number == message.number.expose_secret())
        };
        let messages = self.messages();
        messages.iter().rev().filter(is_wanted).cloned().collect()
    }

    /// Takes a message. One that comes again is there once.
    pub(crate) fn put(&self, message: &Outgoing) {
        let new = InboxMessage {
            id: message.id,
            number: SecretString::from(message.number.e164()),
            text: message.text.clone(),
            at: self.clock.now(),
        };
        let mut messages = self.messages();
        messages.retain(|old| old.id != new.id);
        if messages.len() == KEPT {
            messages.pop_front();
        }
        messages.push_back(new);
    }

    fn messages(&self) -> MutexGuard<'_, VecDeque<InboxMessage>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
