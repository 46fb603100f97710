//! `countersign demo`: a client that shows the platform at work.

mod app;
mod calls;
mod script;
mod terminal;

use anyhow::{Result, bail};
use clap::Args;
use countersign_client::{Client, new_request_id};
use tokio::time::Instant;

use crate::{
    endpoint::{self, connect, endpoint},
    output::program,
};

use self::{app::Who, script::Story, terminal::Terminal};

/// Play the whole story against a running platform, as three services in turn.
///
/// As personal area it sets a PIN, prints backup codes and enrols an authenticator app, as login
/// service it has logins confirmed, as withdrawal service a withdrawal; and it tries what must be
/// refused, such as the last backup code. Then a phone takes the place of the app, with codes by SMS:
/// they are read from the inbox of `countersign dev`, and with another server this part is left out.
/// Each run has a subject of its own. The exit status is 0 when every step answered as it must.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  countersign demo
  countersign demo --interactive                         # codes come from your own phone
  countersign demo --endpoint http://127.0.0.1:6000")]
pub(crate) struct Demo {
    /// Where the platform answers.
    #[arg(long, value_name = "URL", default_value = endpoint::DEFAULT, value_parser = endpoint)]
    endpoint: String,
    /// Wait for codes that you read off an authenticator app, and off messages that are shown.
    #[arg(long)]
    interactive: bool,
}

impl Demo {
    /// Plays the story.
    pub(crate) async fn run(self) -> Result<()> {
        let story = Story {
            subject: format!("demo-{}", new_request_id()),
            personal_area: self.connect("personal-area").await?,
            logins: self.connect("login-service").await?,
            withdrawals: self.connect("withdrawal-service").await?,
        };
        let who = if self.interactive {
            Who::Person
        } else {
            Who::Demo
        };
        let mut terminal = Terminal::new();
        let start = Instant::now();
        story.play(who, &mut terminal).await?;
        let steps = terminal.passed() + terminal.failed();
        if terminal.failed() > 0 {
            bail!(
                "{} of {steps} steps did not answer as they must",
                terminal.failed()
            );
        }
        terminal.say(format!(
            "\nAll {steps} steps answered as they must, in {:.1} s.",
            start.elapsed().as_secs_f64()
        ));
        terminal.say(format!(
            "What the platform wrote down, on its machine: {} admin show {}",
            program(),
            story.subject
        ));
        Ok(())
    }

    async fn connect(&self, caller: &str) -> Result<Client> {
        connect(&self.endpoint, caller).await
    }
}
