//! `countersign doctor`: what is wrong with an installation, and what to do about it.
//!
//! This file gathers; each file of the folder judges what was found, and is pure.

mod callers;
mod certificates;
mod database;
mod files;
mod report;
mod sms;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use countersign_keyring::Keyring;
use countersign_primitives::{Clock, ExposeSecret, SystemClock};
use countersign_storage::{Engine, Storage};

use self::report::{Line, Report};
use crate::{
    compose,
    config::Config,
    database_url,
    files::{look_at_keys, mode},
    output::say,
};

/// Say what is wrong with an installation, and what to do about it.
///
/// Looks at the configuration, the key file, the certificates, the table of callers, what carries
/// SMS and the database, and changes none of them. Each line is `ok`, `warning` or `wrong`. What can be looked
/// at is, whatever is wrong with the rest. No password and no key is shown.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 nothing is wrong, though there may be warnings; 1 something is wrong.

Run it as the user that serves: whether files can be read depends on who reads.

Examples:
  countersign doctor --config countersign.toml
  countersign doctor --config countersign.toml --json")]
pub(crate) struct Doctor {
    /// The configuration, TOML.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print one JSON document, for monitoring.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Looks, and says what it has found.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let report = self.examine().await;
        say(if self.json {
            report.json()?
        } else {
            report.text()
        });
        Ok(if report.is_sound() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    async fn examine(&self) -> Report {
        let (config, faults) = Config::examine(&self.config);
        let faults: Vec<String> = faults.iter().map(|fault| format!("{fault:#}")).collect();
        let path = self.config.display().to_string();
        let mut report = Report::default();
        report.extend(files::configuration(&path, &faults, &Config::variables()));
        let Some(config) = config else {
            return report;
        };
        report.push(files::policy(config.policy.file()));
        let keyring = examine_keys(&config, &mut report);
        report.extend(callers::judge(&config));
        report.extend(sms::judge(&config));
        examine_certificates(&config, &mut report);
        examine_database(&config, &path, keyring.as_ref(), &mut report).await;
        report
    }
}

fn examine_keys(config: &Config, report: &mut Report) -> Option<Keyring> {
    let path = &config.keys.file;
    // Where none is named the configuration has been found wrong.
    if path.as_os_str().is_empty() {
        return None;
    }
    let keyring = look_at_keys(path);
    report.push(files::key_file(path, keyring.as_ref().err()));
    report.extend(mode(path).map(|mode| files::key_file_mode(path, mode)));
    keyring.ok()
}

fn examine_certificates(config: &Config, report: &mut Report) {
    let Some(files) = config.tls_files() else {
        return;
    };
    let found = files.examine();
    report.extend(certificates::judge(&found, &files, SystemClock.now()));
    report.extend(mode(&files.key).map(|mode| files::tls_key_mode(&files.key, mode)));
}

async fn examine_database(
    config: &Config,
    path: &str,
    keyring: Option<&Keyring>,
    report: &mut Report,
) {
    let url = config.database.url.expose_secret();
    if url.is_empty() {
        return;
    }
    let place = database_url::masked(url);
    let checks = keyring.map(Keyring::checks);
    let settings = compose::database(&config.database);
    let found = match Storage::examine(&settings, checks.as_deref()).await {
        Ok(found) => found,
        Err(error) => {
            report.push(database::out_of_reach(&error, &place, path));
            return;
        }
    };
    match &found.engine {
        Engine::Postgres(server) => {
            report.extend(database::postgres(server, &place, settings.max_connections));
        }
        Engine::Sqlite(file) => {
            report.extend(database::sqlite(file, &place));
            let folder = files::folder_of(&file.file);
            report.extend(files::database_modes(
                &file.file,
                mode(&file.file),
                mode(folder),
            ));
        }
    }
    report.push(database::schema(&found.schema, path));
    report.extend(found.keys.as_ref().map(database::keys));
    if let Some(messages) = &found.sms {
        let is_on = !config.sms.providers.is_empty();
        report.extend(sms::messages(messages, is_on));
    }
}
