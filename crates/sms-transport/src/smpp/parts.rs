//! Messages of several parts: what became of them all.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use countersign_primitives::MessageId;
use tokio::time::Instant;

use super::receipt::Fate;

/// How long after a message is of no use any more a receipt for it may come.
const GRACE: Duration = Duration::from_secs(600);
/// How many messages are remembered; the oldest are forgotten first.
const MOST: usize = 10_000;

/// Messages of several parts whose receipts may still come.
#[derive(Debug, Default)]
pub(super) struct Parts {
    messages: HashMap<MessageId, Message>,
    by_id: HashMap<String, (MessageId, usize)>,
    /// In the order in which they were given to the carrier.
    line: VecDeque<(Instant, MessageId)>,
}

#[derive(Debug)]
struct Message {
    until: Instant,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, Default)]
struct Part {
    is_taken: bool,
    id: Option<String>,
    fate: Option<Fate>,
}

/// What the answers to its parts come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// Some are missing, or nobody knows the message any more.
    Partly,
    /// The carrier took all of them, and calls the first so.
    Taken(Option<String>),
}

impl Parts {
    /// A message of so many parts is given to the carrier, perhaps again.
    pub(super) fn begin(&mut self, id: MessageId, count: usize, now: Instant, validity: Duration) {
        while let Some((until, _)) = self.line.front()
            && (*until < now || self.line.len() >= MOST)
        {
            self.forget_oldest();
        }
        self.forget(id);
        let parts = vec![Part::default(); count];
        let until = now + validity + GRACE;
        self.messages.insert(id, Message { until, parts });
        self.line.push_back((until, id));
    }

    /// The carrier took a part.
    pub(super) fn taken(&mut self, id: MessageId, index: usize, name: Option<String>) -> Answered {
        let Some(message) = self.messages.get_mut(&id) else {
            return Answered::Partly;
        };
        let Some(part) = message.parts.get_mut(index) else {
            return Answered::Partly;
        };
        part.is_taken = true;
        part.id.clone_from(&name);
        if let Some(name) = name {
            self.by_id.insert(name, (id, index));
        }
        if message.parts.iter().all(|part| part.is_taken) {
            Answered::Taken(message.parts[0].id.clone())
        } else {
            Answered::Partly
        }
    }

    /// A receipt came. None where it is for no part that is known; else what the message is called,
    /// and what became of it as a whole.
    pub(super) fn receipt(&mut self, name: &str, fate: Fate) -> Option<(Option<String>, Fate)> {
        let (id, index) = *self.by_id.get(name)?;
        let message = self.messages.get_mut(&id)?;
        let part = message.parts.get_mut(index)?;
        if part.fate != Some(Fate::Delivered) {
            part.fate = Some(fate);
        }
        let is = |wanted: Fate| move |part: &Part| part.fate == Some(wanted);
        let fate = if message.parts.iter().any(is(Fate::Failed)) {
            Fate::Failed
        } else if message.parts.iter().all(is(Fate::Delivered)) {
            Fate::Delivered
        } else {
            Fate::Open
        };
        Some((message.parts[0].id.clone(), fate))
    }

    fn forget_oldest(&mut self) {
        let Some((until, id)) = self.line.pop_front() else {
            return;
        };
        // One that was given to the carrier again has another place in the line.
        if self
            .messages
            .get(&id)
            .is_some_and(|message| message.until == until)
        {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: MessageId) {
        let message = self.messages.remove(&id);
        for part in message.into_iter().flat_map(|message| message.parts) {
            if let Some(name) = part.id {
                self.by_id.remove(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests;
