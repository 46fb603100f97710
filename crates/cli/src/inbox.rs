//! The inbox of `countersign dev`, as the gateway shows it.

use countersign_gateway as gateway;
use countersign_sms_transport as transport;

/// What would have been sent.
pub(crate) struct Shown(pub(crate) transport::Inbox);

impl gateway::Inbox for Shown {
    fn messages(&self) -> Vec<gateway::InboxMessage> {
        let messages = self.0.list(None).into_iter();
        let shown = |message: transport::InboxMessage| gateway::InboxMessage {
            id: message.id,
            number: message.number,
            text: message.text,
            at: message.at,
        };
        messages.map(shown).collect()
    }
}
