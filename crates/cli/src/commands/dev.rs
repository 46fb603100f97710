//! `countersign dev`: everything on the embedded database, in one process.

use std::{
    fs::{File, OpenOptions, TryLockError},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use countersign_gateway::Callers;
use countersign_mfa::Settings;
use countersign_primitives::SystemClock;
use countersign_sms_transport::{Inbox, Providers};

use crate::{
    compose::{self, Edge, Parts},
    config::{Config, DEFAULT_LISTEN, DRAIN, Hash, REQUEST, Sms},
    database_url, files,
    inbox::Shown,
    logs,
    output::{program, say},
    server::{self, Carried},
};

/// Run the whole platform for development: its data and keys in a folder, nothing else needed.
///
/// Makes the folder, keys and an SQLite database when they are not there, and goes on with them
/// when they are. It answers gRPC on loopback only, with reflection and health, and takes callers
/// at their word (metadata `x-countersign-caller`). Nothing is sent by SMS: messages go to an inbox
/// that `countersign dev-inbox` shows, and the next may follow after 5 seconds, not 30 as elsewhere.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  countersign dev
  countersign dev --data ./mfa-data --listen 127.0.0.1:6000 --issuer 'My Broker'
  RUST_LOG=debug countersign dev

Then, in another terminal:
  countersign demo")]
pub(crate) struct Dev {
    /// The folder for the database and the keys.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,
    /// The loopback address to answer on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value_t = DEFAULT_LISTEN, value_parser = loopback)]
    listen: SocketAddr,
    /// The name that authenticator apps show above the account.
    #[arg(long, value_name = "NAME", value_parser = issuer)]
    issuer: Option<String>,
}

/// The folder of `countersign dev` where none is named.
pub(crate) const DATA: &str = "./countersign-data";

/// What is in the folder.
#[derive(Debug)]
pub(crate) struct Folder<'a>(pub(crate) &'a Path);

impl Dev {
    /// Serves until it is told to stop.
    pub(crate) async fn run(self) -> Result<()> {
        logs::start(logs::Format::Text, None)?;
        let folder = Folder(&self.data);
        files::private_folder(folder.0)?;
        let _lock = folder.lock()?;
        let listener = server::listen(self.listen, "--listen").await?;

        if !folder.keys().exists() {
            if folder.database().exists() {
                bail!(
                    "{} is missing, and without it the data beside it cannot be read: bring it \
                     back, or begin anew in another folder with --data",
                    folder.keys().display()
                );
            }
            files::create_keys(&folder.keys())?;
        }
        let mut settings = Settings::default();
        if let Some(issuer) = &self.issuer {
            settings.issuer.clone_from(issuer);
        }
        let inbox = Inbox::new(Arc::new(SystemClock));
        settings.sms = Some(Arc::new(Sms::of_dev(&settings.issuer)?));
        let database = compose::database_at(database_url::of_sqlite(&folder.database())?);
        compose::migrate(&database).await?;
        let parts = Parts {
            database,
            keyring: files::read_keys(&folder.keys())?,
            settings,
            hash_threads: Hash::default_threads(),
            migrate: folder.remake(),
        };
        let composed = parts.compose().await?;
        self.explain(&folder, listener.local_addr()?);
        let kept = Config::default().confirmations_kept();
        let edge = Edge {
            tls: None,
            callers: Callers::AtTheirWord,
            metrics: None,
            reflection: true,
            deadline: REQUEST,
            drain: DRAIN,
            inbox: Some(Arc::new(Shown(inbox.clone()))),
        };
        let carried = Carried {
            providers: Providers::inbox(inbox, Arc::new(SystemClock)),
            webhooks: None,
        };
        server::serve(&composed, listener, edge, Some(carried), None, kept).await
    }

    /// Says what is where, and what to try next.
    fn explain(&self, folder: &Folder<'_>, address: SocketAddr) {
        let (program, version) = (program(), env!("CARGO_PKG_VERSION"));
        let endpoint = if address == DEFAULT_LISTEN {
            String::new()
        } else {
            format!(" --endpoint http://{address}")
        };
        let data = if self.data == Path::new(DATA) {
            String::new()
        } else {
            format!(" --data {}", self.data.display())
        };
        let commands = [
            (format!("demo{endpoint}"), "a client plays the whole story"),
            (
                format!("demo --interactive{endpoint}"),
                "the same, with the authenticator app on your phone",
            ),
            (
                format!("dev-inbox{endpoint}"),
                "the messages that would have been sent by SMS",
            ),
            (
                format!("admin show SUBJECT{data}"),
                "what is known of a subject",
            ),
        ];
        let width = commands
            .iter()
            .map(|(command, _)| command.len())
            .max()
            .unwrap_or(0);
        let commands =
            commands.map(|(command, does)| format!("  {program} {command:width$}   {does}\n"));
        say(format!(
            "\
Countersign {version} for development: everything in this one process

  gRPC   http://{address}   (on loopback only, with reflection and health)
  data   {}
  keys   {}   (keep the two together: neither is of use alone)
  log    on standard error; RUST_LOG=debug says more

Try next, in another terminal:
{}
Ctrl-C stops it, and the data stays.
",
            folder.database().display(),
            folder.keys().display(),
            commands.concat(),
        ));
    }
}

impl Folder<'_> {
    /// The database.
    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("countersign.db")
    }

    /// The keys.
    pub(crate) fn keys(&self) -> PathBuf {
        self.0.join("keys.toml")
    }

    /// The command that makes the database, or gives it the schema of this version.
    pub(crate) fn remake(&self) -> String {
        format!("countersign dev --data {}", self.0.display())
    }

    /// Takes the folder for this process, for as long as the file is open.
    fn lock(&self) -> Result<File> {
        let path = self.0.join("lock");
        let opened = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path);
        let file = opened.with_context(|| format!("{} cannot be made", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => bail!(
                "another process uses the data folder {}: stop it, or choose another folder with \
                 --data",
                self.0.display()
            ),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{} cannot be locked", path.display()))
            }
        }
    }
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "it must be an address and a port, such as 127.0.0.1:50051".to_owned())?;
    if address.ip().to_canonical().is_loopback() {
        Ok(address)
    } else {
        Err(
            "`dev` takes callers at their word, so it answers on loopback only: choose \
             127.0.0.1 or [::1]"
                .to_owned(),
        )
    }
}

fn issuer(text: &str) -> Result<String, String> {
    let is_plain = !text.chars().any(char::is_control);
    if (1..=64).contains(&text.trim().len()) && is_plain {
        Ok(text.to_owned())
    } else {
        Err("it must have 1 to 64 bytes and no control characters".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_listened_on() {
        for address in ["127.0.0.1:0", "[::1]:50051", "127.9.9.9:1"] {
            loopback(address).unwrap();
        }
        for address in [
            "0.0.0.0:50051",
            "[::]:50051",
            "192.0.2.1:50051",
            "localhost",
            "127.0.0.1",
        ] {
            loopback(address).unwrap_err();
        }
    }

    #[test]
    fn a_data_folder_is_used_by_one_process_at_a_time() {
        let folder = tempfile::TempDir::new().unwrap();
        let folder = Folder(folder.path());
        let lock = folder.lock().unwrap();
        let error = folder.lock().unwrap_err().to_string();
        assert!(error.contains("--data"), "{error}");
        drop(lock);
        folder.lock().unwrap();
    }
}
