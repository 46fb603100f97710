//! `countersign admin after-restore`: makes a restored database safe.

use std::process::ExitCode;

use anyhow::{Context, Error as Failure, Result, ensure};
use clap::Args;
use countersign_mfa::Platform;
use countersign_primitives::SubjectId;

use super::{
    Why,
    many::{Progress, ends_everything, for_each},
};
use crate::{compose::Composed, output::say};

/// How many subjects are read at a time.
const PAGE: u64 = 500;
/// The exit status where some subjects could not be dealt with.
const SOME_FAILED: u8 = 3;

/// Make a database safe that was restored from a backup.
///
/// A backup does not know what was used after it was made, and would let it be used again. For every
/// subject this voids what could be: confirmations that are pending or approved; enrolments that have
/// begun; codes of apps up to half a minute from now; all lists of backup codes; messages that wait to be
/// sent. Each subject gets an event that says so, and whoever watches events (`EventService.Watch`) is
/// told to read the state of the subjects anew. People notice it by operations that have to be asked for
/// again, by the wait for their app's next code but one, and above all by backup codes that are void.
///
/// The whole procedure:
///
/// 1. Stop every gateway (`countersign serve`), so that nothing is accepted in between.
///
/// 2. Restore the database. The key file stays: a backup of the database is of no use without it.
///
/// 3. Run `countersign migrate` if the backup is that of an earlier version.
///
/// 4. Run this. Interrupted, it can be run again from the beginning.
///
/// 5. Start the gateways.
///
/// People with backup codes and an app disable the codes with PIN and a code of the app, and enable
/// them anew. Those with backup codes only have nothing left to prove themselves with: once you know
/// who they are, `countersign admin disable` ends the old set, and they enrol anew.
///
/// What was changed since the backup is as it was before: a PIN that was changed is the earlier one,
/// an identifier that was disabled, such as that of a stolen phone, is enabled again, and whoever was
/// erased is back. Where you know of such a change, make it again with `countersign admin reset-pin`,
/// `disable` and `erase` before you start the gateways. Whoever enrolled, or switched on, since the
/// backup has nothing enrolled or switched on now, and may log in without a code where the policy lets
/// those: tell them to enrol. Failures, locks and caps are those of the backup too.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  countersign admin after-restore --reason 'restored the backup of 03:00' --yes
  countersign admin after-restore --reason 'incident 12' --yes --config countersign.toml

Exit status: 0 when every subject is done, 3 when some could not be and the others are, 1 when it
could not go on.")]
pub(super) struct AfterRestore {
    #[command(flatten)]
    why: Why,
    /// Do it. Backup codes do not come back.
    #[arg(long)]
    yes: bool,
}

impl AfterRestore {
    /// Does it, and reports.
    pub(super) async fn run(&self, composed: &Composed) -> Result<ExitCode> {
        ensure!(
            self.yes,
            "this voids the backup codes and the open confirmations of every subject, and nothing was \
             changed: run it again with --yes. `countersign admin after-restore --help` has the whole \
             procedure"
        );
        // First, so that what is done now is news in the new life.
        let feed = composed.begin_feed_anew().await;
        feed.context("the feed of events cannot begin anew: run it again")?;
        // No code of before may reach a phone: what it would confirm is void.
        let withdrawn = composed.withdraw_messages().await;
        let withdrawn =
            withdrawn.context("the messages that wait cannot be withdrawn: run it again")?;
        let platform = &*composed.platform;
        let mut progress = Progress::of("subjects");
        let mut failures = Vec::new();
        let done = self.all(platform, &mut progress, &mut failures).await;
        for failure in &failures {
            say(format!("failed: {failure}"));
        }
        say(format!("{:17}{}", "subjects", progress.done()));
        say(format!("{:17}{}", "failed", failures.len()));
        say(format!("{:17}{withdrawn}", "messages voided"));
        done.context("it could not go on: run it again, from the beginning")?;
        Ok(if failures.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(SOME_FAILED)
        })
    }

    /// Goes through every subject, page by page.
    async fn all(
        &self,
        platform: &Platform,
        progress: &mut Progress,
        failures: &mut Vec<String>,
    ) -> Result<()> {
        let mut last = None;
        loop {
            let page = platform.admin_subjects(last.as_ref(), PAGE).await?;
            let Some(end) = page.last() else {
                return Ok(());
            };
            last = Some(end.clone());
            let work = |subject| self.distrust(platform, subject);
            let done = for_each(page, work, |failure| {
                progress.add(1);
                failures.extend(failure);
            });
            done.await?;
        }
    }

    /// Deals with one subject; says what went wrong where that is about this subject alone.
    async fn distrust(&self, platform: &Platform, subject: SubjectId) -> Result<Option<String>> {
        match platform
            .admin_after_restore(&subject, &self.why.reason)
            .await
        {
            Ok(()) => Ok(None),
            Err(error) if ends_everything(&error) => Err(error.into()),
            Err(error) => Ok(Some(format!(
                "subject {subject}: {:#}",
                Failure::from(error)
            ))),
        }
    }
}
