//! `countersign admin import-totp`: takes authenticator apps over from another system.

mod records;

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Error as Failure, Result, ensure};
use clap::Args;
use countersign_mfa::{Imported, Platform};
use countersign_security_identifiers::{Purpose, PurposeSet};

use self::records::{AppsOfSubject, Records, Refusal};
use super::{
    Why,
    many::{Progress, ends_everything, for_each},
};
use crate::output::say;

/// The exit status of an import that refused records and took the others over.
const SOME_REFUSED: u8 = 3;

/// Take over the authenticator apps of another system, so that nobody has to scan a new QR code.
///
/// Each app is enabled at once and asks its owner for nothing. The code that it shows now and the
/// next one are refused, since the other system may have accepted them a moment ago. Withdrawals ask
/// for a PIN too, which its owner sets with a code of the app.
///
/// FILE has one app a line, in one of two forms:
///
/// (a) CSV. The first line names the columns, in any order: subject, secret (base32), and where
/// wanted label, algorithm (SHA1, SHA256, SHA512; SHA1 where it is left out), digits (6 or 8; 6) and
/// period (30). In place of secret there may be a column otpauth.
///
/// (b) otpauth://totp/ISSUER:ACCOUNT?secret=... The account is the subject's id, the issuer the app's
/// label.
///
/// Empty lines and lines that begin with # are passed over.
///
/// Without --apply nothing is written, and the report says what would be done. Every record that is
/// refused is reported with its line and subject, never with its secret: a period other than 30
/// seconds, a secret under 128 bits, codes that are not time-based, a secret that stands there before,
/// be it another subject's, more than 5 apps of one subject. The others are taken over.
///
/// The same file can be given again, such as after an interruption: apps that are there are left as
/// they are, and those that were disabled since do not come back.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  countersign admin import-totp seeds.csv --reason 'move from the old 2FA'
  countersign admin import-totp seeds.csv --reason 'move from the old 2FA' --apply
  export-seeds | countersign admin import-totp - --purposes login --reason 'ticket 77' --apply

A file such as:
  subject,secret,label
  anna,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,Old broker
or:
  otpauth://totp/Old%20broker:anna?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ

Exit status: 0 when no record was refused, 3 when some were and the others are done, 1 when it could
not go on. Whoever has FILE has the codes of everybody in it: destroy it afterwards.")]
pub(super) struct ImportTotp {
    /// The file, or `-` for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What the apps are switched on for. All three by default: the other system asked for their
    /// codes.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "login,withdrawal,other",
        value_parser = purpose
    )]
    purposes: Vec<Purpose>,
    #[command(flatten)]
    why: Why,
    /// Write. Without it this is a dry run.
    #[arg(long)]
    apply: bool,
}

/// What became of the records.
#[derive(Default)]
struct Tally {
    new: usize,
    already_there: usize,
    refusals: Vec<Refusal>,
}

impl ImportTotp {
    /// Does it, and reports.
    pub(super) async fn run(&self, platform: &Platform) -> Result<ExitCode> {
        let Records {
            subjects, refusals, ..
        } = self.read()?;
        let mut tally = Tally {
            refusals,
            ..Tally::default()
        };
        let mut progress = Progress::of("records");
        let work = |of_subject| async move {
            let outcomes = self.import(platform, &of_subject).await?;
            Ok((of_subject, outcomes))
        };
        let imported = for_each(subjects, work, |(of_subject, outcomes)| {
            progress.add(of_subject.apps.len());
            tally.add(&of_subject, outcomes);
        });
        let imported = imported.await;
        tally.report(self.apply);
        imported.context(
            "it could not go on: run it again, what was taken over is there and is left as it is",
        )?;
        if !self.apply {
            say("nothing was written; run again with --apply");
        }
        Ok(if tally.refusals.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(SOME_REFUSED)
        })
    }

    fn read(&self) -> Result<Records> {
        let shown = self.file.display();
        let input: Box<dyn Read> = if self.file == Path::new("-") {
            Box::new(io::stdin())
        } else {
            let file = File::open(&self.file);
            Box::new(file.with_context(|| format!("{shown} cannot be opened"))?)
        };
        let purposes: PurposeSet = self.purposes.iter().copied().collect();
        let records = records::read(input, purposes).with_context(|| shown.to_string())?;
        let has_any = !records.subjects.is_empty() || !records.refusals.is_empty();
        ensure!(has_any, "{shown} has no records");
        Ok(records)
    }

    /// What became of the apps of one subject; the reason where all of them are refused.
    async fn import(
        &self,
        platform: &Platform,
        AppsOfSubject { subject, apps, .. }: &AppsOfSubject,
    ) -> Result<Result<Vec<Imported>, String>> {
        let imported = platform
            .admin_import(subject, apps, &self.why.reason, !self.apply)
            .await;
        match imported {
            Ok(outcomes) => Ok(Ok(outcomes)),
            Err(error) if ends_everything(&error) => Err(error.into()),
            Err(error) => Ok(Err(format!("{:#}", Failure::from(error)))),
        }
    }
}

impl Tally {
    fn add(&mut self, of_subject: &AppsOfSubject, outcomes: Result<Vec<Imported>, String>) {
        let AppsOfSubject { subject, lines, .. } = of_subject;
        let mut refuse = |line, why: &str| {
            self.refusals.push(Refusal {
                line,
                subject: Some(subject.clone()),
                why: why.to_owned(),
            });
        };
        match outcomes {
            Err(why) => lines.iter().for_each(|line| refuse(*line, &why)),
            Ok(outcomes) => {
                for (line, outcome) in lines.iter().zip(outcomes) {
                    match outcome {
                        Imported::New(_) => self.new += 1,
                        Imported::AlreadyThere => self.already_there += 1,
                        Imported::DisabledSince => refuse(
                            *line,
                            "it was taken over before and has been disabled since: its owner \
                             enrols an app anew",
                        ),
                        Imported::NoRoom => {
                            refuse(*line, "the subject has as many identifiers as are allowed")
                        }
                    }
                }
            }
        }
    }

    fn report(&mut self, is_applied: bool) {
        self.refusals.sort_by_key(|refusal| refusal.line);
        for Refusal { line, subject, why } in &self.refusals {
            let of_whom = subject
                .as_ref()
                .map(|subject| format!(", subject {subject}"));
            say(format!(
                "refused: line {line}{}: {why}",
                of_whom.unwrap_or_default()
            ));
        }
        let taken_over = if is_applied {
            "taken over"
        } else {
            "to be taken over"
        };
        say(format!("{taken_over:17}{}", self.new));
        say(format!("{:17}{}", "already there", self.already_there));
        say(format!("{:17}{}", "refused", self.refusals.len()));
    }
}

fn purpose(name: &str) -> Result<Purpose, String> {
    Purpose::ALL
        .into_iter()
        .find(|purpose| purpose.name().eq_ignore_ascii_case(name.trim()))
        .ok_or_else(|| "it must be login, withdrawal or other".to_owned())
}
