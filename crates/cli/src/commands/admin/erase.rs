//! `countersign admin erase`: removes a person.

use anyhow::{Result, bail};
use clap::Args;
use countersign_mfa::{Error, Platform};
use countersign_primitives::SubjectId;

use super::{Why, never_heard_of, subject};
use crate::output::say;

/// Remove a person: their secrets and their personal data, for good.
///
/// In one commit the PIN, all identifiers with their secrets, phone numbers and names, messages,
/// confirmations and records of requests are removed, and from the events IP addresses, user agents and
/// what operators wrote as reasons. The events stay, with their numbers and what happened, and one more says that this was
/// done. Its reason stays too: name a ticket, not the person. The subject's id stays as the name of
/// the history; it is the host system's, which knows whose it was.
///
/// It cannot be undone. Backups that were made before still have everything; a database may keep
/// removed bytes in its files until it uses their place again (SQLite's `VACUUM` and PostgreSQL's
/// `VACUUM FULL` end that). On SQLite other changes wait meanwhile: seconds for ten thousands of events.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  countersign admin erase anna --reason 'ticket 1234'
  countersign admin erase anna --reason 'ticket 1234' --yes --config countersign.toml")]
pub(super) struct Erase {
    /// The subject's id.
    #[arg(value_parser = subject)]
    subject: SubjectId,
    #[command(flatten)]
    why: Why,
    /// Do it. Without it this says what would be removed.
    #[arg(long)]
    yes: bool,
}

impl Erase {
    /// Does it, or says what it would do.
    pub(super) async fn run(&self, platform: &Platform) -> Result<()> {
        let subject = &self.subject;
        if !self.yes {
            return self.explain(platform).await;
        }
        match platform.admin_erase(subject, &self.why.reason).await {
            Err(Error::IdentifierNotFound) => return Err(never_heard_of(subject)),
            Err(Error::OutcomeUnknown) => bail!(
                "the connection to the database was lost: {subject} may be erased or not; run it again"
            ),
            done => done?,
        }
        say(format!(
            "{subject} is erased: what is left are events that name nobody"
        ));
        Ok(())
    }

    async fn explain(&self, platform: &Platform) -> Result<()> {
        let subject = &self.subject;
        let sight = platform.admin_show(subject).await?;
        if !sight.is_known {
            return Err(never_heard_of(subject));
        }
        say(format!("of {subject} would be removed, for good:"));
        if sight.pin.set {
            say("  the PIN");
        }
        say(match sight.identifiers.len() {
            1 => "  1 identifier, with its secret and name".to_owned(),
            count => format!("  {count} identifiers, with their secrets and names"),
        });
        say("  every confirmation, every message and every record of a request");
        say("  IP addresses, user agents and operators' reasons in the events");
        bail!("nothing was removed: it cannot be undone, so run it again with --yes")
    }
}
