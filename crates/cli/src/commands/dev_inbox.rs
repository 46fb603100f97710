//! `countersign dev-inbox`: what `countersign dev` would have sent by SMS.

use std::{collections::HashSet, time::Duration};

use anyhow::{Result, anyhow};
use clap::Args;
use countersign_client::{Client, v1};
use countersign_primitives::Timestamp;
use tonic::{Code, Status};

use crate::{
    endpoint::{self, connect, endpoint},
    output::{instant, note, say},
};

/// Show the messages that `countersign dev` would have sent by SMS, codes included.
///
/// Nothing is sent for development: each message goes to an inbox in the memory of `countersign dev`,
/// which keeps the last 100 until it stops. This prints them, the latest last: when each came, the
/// number, and under them the text as a phone would show it. No other server has an inbox.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  countersign dev-inbox
  countersign dev-inbox --to +79123456789       # of one number, or of all that begin so
  countersign dev-inbox --follow                # beside a client that asks for codes
  countersign dev-inbox --endpoint http://127.0.0.1:6000

What a message looks like:
  2026-11-26T09:15:00Z  +79123456789
    123456 is your Countersign login code. Never tell it to anyone.")]
pub(crate) struct DevInbox {
    /// Where `countersign dev` answers.
    #[arg(long, value_name = "URL", default_value = endpoint::DEFAULT, value_parser = endpoint)]
    endpoint: String,
    /// Only messages to this number, with its country code; the first digits will do.
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    to: Option<String>,
    /// Go on with those that come, until Ctrl-C.
    #[arg(long)]
    follow: bool,
}

/// How often it is looked for new ones.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl DevInbox {
    /// Prints what there is, and what comes.
    pub(crate) async fn run(self) -> Result<()> {
        let client = connect(&self.endpoint, "dev-inbox").await?;
        let mut shown = HashSet::new();
        let mut messages = self.list(&client).await?;
        if messages.is_empty() {
            note(self.emptiness());
        }
        loop {
            for message in messages.iter().rev() {
                if !shown.contains(&message.message_id) {
                    say(told(message));
                }
            }
            if !self.follow {
                return Ok(());
            }
            // What has left the inbox does not come back.
            shown = messages.into_iter().map(|it| it.message_id).collect();
            tokio::time::sleep(LOOK_EVERY).await;
            messages = self.list(&client).await?;
        }
    }

    async fn list(&self, client: &Client) -> Result<Vec<v1::InboxMessage>> {
        match messages(client, self.to.as_deref().unwrap_or_default()).await {
            Ok(messages) => Ok(messages),
            Err(status) if has_no_inbox(&status) => Err(anyhow!(
                "the server at {} has no inbox: only `countersign dev` does, and what another server \
                 sends goes to phones",
                self.endpoint
            )),
            Err(status) => Err(anyhow!(
                "the inbox of the server at {} cannot be read, as if no `countersign dev` were there \
                 any more: {} ({:?})",
                self.endpoint,
                status.message(),
                status.code()
            )),
        }
    }

    fn emptiness(&self) -> String {
        let whose = match &self.to {
            Some(number) => format!(" to {number}"),
            None => String::new(),
        };
        let next = if self.follow {
            "it is waited for one (Ctrl-C ends)"
        } else {
            "`--follow` waits for one"
        };
        format!("no message{whose} yet: {next}")
    }
}

/// The messages to a number, or to all, the latest first.
pub(super) async fn messages(client: &Client, to: &str) -> Result<Vec<v1::InboxMessage>, Status> {
    let request = v1::DevServiceListInboxRequest {
        phone_number: to.to_owned(),
    };
    Ok(client
        .dev()
        .list_inbox(request)
        .await?
        .into_inner()
        .messages)
}

/// Whether a server says that it is not one for development.
pub(super) fn has_no_inbox(status: &Status) -> bool {
    status.code() == Code::Unimplemented
}

fn told(message: &v1::InboxMessage) -> String {
    let seconds = message.time.as_ref().map_or(0, |time| time.seconds);
    let at = instant(Timestamp::from_millis(seconds * 1000));
    shown(&at, &message.phone_number, &message.text)
}

fn shown(at: &str, number: &str, text: &str) -> String {
    let mut told = format!("{at}  {number}");
    for line in text.lines() {
        told.push_str("\n  ");
        told.push_str(line);
    }
    told
}

fn number(text: &str) -> Result<String, String> {
    let is_of_number = |character: char| character.is_ascii_digit() || "+-() .".contains(character);
    if text.chars().all(is_of_number) && text.chars().any(|character| character.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("it must be a number with its country code, such as +79123456789".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_told_with_every_line_of_its_text() {
        let text = "Broker: code 123456.\n@broker.example #123456";
        assert_eq!(
            shown("2023-11-14T22:13:20Z", "+79123456789", text),
            "2023-11-14T22:13:20Z  +79123456789\n  Broker: code 123456.\n  @broker.example #123456"
        );
    }

    #[test]
    fn a_number_may_be_typed_as_people_do_and_nothing_else_may() {
        for text in ["+79123456789", "7912", "+7 (912) 345-67-89"] {
            assert_eq!(number(text).unwrap(), text);
        }
        for text in ["", "+", "anna", "+7912x"] {
            number(text).unwrap_err();
        }
    }
}
