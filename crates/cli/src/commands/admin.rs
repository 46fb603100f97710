//! `countersign admin`: what an operator can do on the server's own machine.

mod after_restore;
mod erase;
mod import_totp;
mod many;
mod show;

use std::{num::NonZeroUsize, path::PathBuf, process::ExitCode};

use anyhow::{Context, Error as Failure, Result, anyhow, bail, ensure};
use clap::{Args, Subcommand};
use countersign_mfa::{Error, Reason, Settings};
use countersign_primitives::{IdentifierId, SubjectId};

use self::{after_restore::AfterRestore, erase::Erase, import_totp::ImportTotp, show::show};
use super::dev::{DATA, Folder};
use crate::{
    compose::{self, Composed, Parts},
    config::Config,
    database_url, files,
    output::say,
};

/// Look at a subject, end its locks, disable an identifier, or remove its PIN; take over apps of
/// another system, remove a person, or make a restored database safe.
///
/// Works on the database itself, also while a server runs. Nobody, operators included, sees a PIN
/// or a secret, and nobody but the subject chooses a PIN. Each change leaves an event with its
/// reason.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  countersign admin show anna
  countersign admin unlock anna --reason 'called in, identity checked' --config countersign.toml
  countersign admin disable anna 2c5ea4c0-4067-4fe9-8bad-9b1deb4d3b7d --reason 'phone stolen'
  countersign admin reset-pin anna --reason 'ticket 1234' --data ./mfa-data
  countersign admin import-totp seeds.csv --reason 'move from the old 2FA'
  countersign admin erase anna --reason 'ticket 1235'
  countersign admin after-restore --reason 'restored the backup of 03:00' --yes

`countersign help admin COMMAND` says more of each.")]
pub(crate) struct Admin {
    #[command(subcommand)]
    deed: Deed,
    /// The data folder of `countersign dev`.
    #[arg(long, value_name = "DIR", default_value = DATA, global = true, conflicts_with = "config")]
    data: PathBuf,
    /// The configuration of `countersign serve`, in place of --data.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Show the PIN's state, identifiers, purposes, locks, codes left and the latest events of a
    /// subject.
    Show {
        /// The subject's id.
        #[arg(value_parser = subject)]
        subject: SubjectId,
    },
    /// End the locks of a subject. What the failure cap disabled stays disabled.
    Unlock {
        /// The subject's id.
        #[arg(value_parser = subject)]
        subject: SubjectId,
        #[command(flatten)]
        why: Why,
    },
    /// Disable an identifier, or close one that the failure cap disabled.
    Disable {
        /// The subject's id.
        #[arg(value_parser = subject)]
        subject: SubjectId,
        /// The identifier's id, as `admin show` lists it.
        identifier: IdentifierId,
        #[command(flatten)]
        why: Why,
    },
    /// Remove the PIN, so that the subject can set a new one.
    ResetPin {
        /// The subject's id.
        #[arg(value_parser = subject)]
        subject: SubjectId,
        #[command(flatten)]
        why: Why,
    },
    ImportTotp(ImportTotp),
    Erase(Erase),
    AfterRestore(AfterRestore),
}

#[derive(Debug, Args)]
struct Why {
    /// Why it is done; stands in the event.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Reason,
}

impl Admin {
    /// Does it. Says with which status the program is to end.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let composed = self.composed().await?;
        let done = self.deed.run(&composed).await;
        composed.close().await;
        done
    }

    /// The platform on what is there; nothing is made.
    async fn composed(&self) -> Result<Composed> {
        // An operator's change hashes nothing.
        let hash_threads = NonZeroUsize::MIN;
        let parts = match &self.config {
            Some(path) => {
                let config = Config::read(path)?;
                let keyring = files::read_keys(&config.keys.file)?;
                let migrate = format!("countersign migrate --config {}", path.display());
                Parts {
                    hash_threads,
                    ..Parts::of_config(&config, keyring, migrate)
                }
            }
            None => {
                let folder = Folder(&self.data);
                ensure!(
                    folder.database().exists(),
                    "there is no database {}: name the folder of `countersign dev` with --data, \
                     or the configuration of `countersign serve` with --config",
                    folder.database().display()
                );
                Parts {
                    database: compose::database_at(database_url::of_sqlite(&folder.database())?),
                    keyring: files::read_keys(&folder.keys())?,
                    settings: Settings::default(),
                    hash_threads,
                    migrate: folder.remake(),
                }
            }
        };
        parts.compose().await
    }
}

impl Deed {
    async fn run(&self, composed: &Composed) -> Result<ExitCode> {
        let platform = &*composed.platform;
        match self {
            Self::Show { subject } => {
                let sight = platform.admin_show(subject).await?;
                if !sight.is_known {
                    return Err(never_heard_of(subject));
                }
                show(subject, &sight);
            }
            Self::Unlock { subject, why } => {
                match platform.admin_unlock(subject, &why.reason).await {
                    Err(Error::IdentifierNotFound) => return Err(never_heard_of(subject)),
                    done => done?,
                }
                say(format!("the locks of {subject} have ended"));
            }
            Self::Disable {
                subject,
                identifier,
                why,
            } => {
                let done = platform
                    .admin_disable(subject, *identifier, &why.reason)
                    .await;
                match done {
                    Err(Error::IdentifierNotFound) => bail!(
                        "{subject} has no identifier {identifier} that could be disabled; \
                         `countersign admin show {subject}` lists those there are"
                    ),
                    done => done?,
                }
                say(format!("identifier {identifier} of {subject} is disabled"));
            }
            Self::ResetPin { subject, why } => {
                platform
                    .admin_reset_pin(subject, &why.reason)
                    .await
                    .with_context(|| format!("subject {subject}"))?;
                say(format!(
                    "the PIN of {subject} is removed; a new one can be set"
                ));
            }
            Self::ImportTotp(import) => return import.run(platform).await,
            Self::Erase(erase) => erase.run(platform).await?,
            Self::AfterRestore(after_restore) => return after_restore.run(composed).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn never_heard_of(subject: &SubjectId) -> Failure {
    anyhow!("the subject {subject} was never heard of here")
}

fn subject(text: &str) -> Result<SubjectId, String> {
    SubjectId::parse(text).map_err(|error| error.to_string())
}

fn reason(text: &str) -> Result<Reason, String> {
    Reason::parse(text)
        .ok_or_else(|| "it must have 1 to 256 bytes and no control characters".to_owned())
}
