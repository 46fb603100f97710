//! DevService, which only a server for development has.

use std::sync::Arc;

use countersign_primitives::{ExposeSecret, MessageId, SecretString, Timestamp};
use countersign_proto::v1::{self as wire, dev_service_server::DevService};
use tonic::{Request, Response, Status};

use crate::convert::{Reader, time_to_wire};

/// Messages that would have been sent: what a server for development has in place of a carrier.
pub trait Inbox: Send + Sync {
    /// The messages, the latest first.
    fn messages(&self) -> Vec<InboxMessage>;
}

/// A message that would have been sent.
#[derive(Clone, Debug)]
pub struct InboxMessage {
    /// Its id.
    pub id: MessageId,
    /// The number.
    pub number: SecretString,
    /// The text, code included.
    pub text: SecretString,
    /// When it came.
    pub at: Timestamp,
}

/// DevService over an inbox.
#[derive(Clone)]
pub(crate) struct Dev(pub(crate) Arc<dyn Inbox>);

#[tonic::async_trait]
impl DevService for Dev {
    async fn list_inbox(
        &self,
        request: Request<wire::DevServiceListInboxRequest>,
    ) -> Result<Response<wire::DevServiceListInboxResponse>, Status> {
        let typed = request.into_inner().phone_number;
        let mut reader = Reader::default();
        let is_fit = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '(' | ')');
        let rest = typed.strip_prefix('+').unwrap_or_default();
        let is_beginning = (1..=40).contains(&rest.len()) && rest.chars().all(is_fit);
        if !typed.is_empty() && !is_beginning {
            let rule = "must be a number such as +79123456789, its beginning, or empty for all";
            reader.violation("phone_number", rule);
        }
        reader.finish(Some(()))?;
        let asked: String = typed.chars().filter(char::is_ascii_digit).collect();
        let messages = self.0.messages().into_iter();
        let messages = messages
            .filter(|message| {
                let number = message.number.expose_secret().trim_start_matches('+');
                number.starts_with(&asked)
            })
            .map(|message| wire::InboxMessage {
                message_id: message.id.to_string(),
                phone_number: message.number.expose_secret().to_owned(),
                text: message.text.expose_secret().to_owned(),
                time: Some(time_to_wire(message.at)),
            });
        Ok(Response::new(wire::DevServiceListInboxResponse {
            messages: messages.collect(),
        }))
    }
}
