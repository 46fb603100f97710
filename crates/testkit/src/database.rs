//! A database of a test's own.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result, ensure};
use countersign_client::new_request_id;
use countersign_storage::{Settings, Storage};
use tempfile::TempDir;

use crate::cluster::PGBIN;

/// The address of a PostgreSQL server, without a database, in which tests may make databases.
pub const POSTGRES: &str = "COUNTERSIGN_TEST_POSTGRES";

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A file.
    Sqlite,
    /// A database of the server that [`POSTGRES`] names.
    Postgres,
}

impl Backend {
    /// The backends that can be used here.
    pub fn available() -> Vec<Self> {
        let mut backends = vec![Self::Sqlite];
        if std::env::var_os(POSTGRES).is_some() {
            backends.push(Self::Postgres);
        }
        backends
    }

    /// The name, as it stands before a test's.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// An empty database with the product's schema. A file goes when it is dropped; a PostgreSQL
/// database goes with its throwaway server.
pub struct Database {
    backend: Backend,
    url: String,
    folder: TempDir,
}

impl Database {
    /// A new one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn fresh(backend: Backend) -> Result<Self> {
        match backend {
            Backend::Sqlite => {
                let folder = TempDir::new()?;
                let path = folder.path().join("countersign.db");
                let url = format!("sqlite:{}", path.display());
                Self::migrated(backend, url, folder).await
            }
            Backend::Postgres => {
                let server = std::env::var(POSTGRES).context(POSTGRES)?;
                Self::fresh_on(&server).await
            }
        }
    }

    /// A new one on the PostgreSQL server at this address.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn fresh_on(server: &str) -> Result<Self> {
        // No process id: the server outlives processes, and their ids come again.
        let name = format!("test_{}", new_request_id().replace('-', "_"));
        let made = program("createdb")?
            .arg(format!("--maintenance-db={server}/postgres"))
            .arg(&name)
            .output()?;
        let said = String::from_utf8_lossy(&made.stderr);
        ensure!(made.status.success(), "createdb failed: {said}");
        let url = format!("{server}/{name}");
        Self::migrated(Backend::Postgres, url, TempDir::new()?).await
    }

    async fn migrated(backend: Backend, url: String, folder: TempDir) -> Result<Self> {
        Storage::migrate(&Settings::new(url.clone())).await?;
        Ok(Self {
            backend,
            url,
            folder,
        })
    }

    /// Its kind.
    pub const fn backend(&self) -> Backend {
        self.backend
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A folder that lives as long as it does.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where its server listens; for PostgreSQL only.
    ///
    /// # Errors
    /// When the address has no host and port.
    pub fn server(&self) -> Result<SocketAddr> {
        let host = self.url.split(['@', '/']).nth(3).unwrap_or_default();
        host.parse()
            .with_context(|| format!("{} names no host and port", self.url))
    }

    /// Its address by way of another host and port.
    ///
    /// # Errors
    /// When the address has no host and port.
    pub fn url_via(&self, other: SocketAddr) -> Result<String> {
        Ok(self
            .url
            .replace(&self.server()?.to_string(), &other.to_string()))
    }

    /// What `sql` returns, as text: a look behind the product, for tests of what is stored.
    ///
    /// # Errors
    /// When the statement fails.
    pub fn query(&self, sql: &str) -> Result<String> {
        Self::answer(self.asking(sql)?.output()?)
    }

    /// As [`Self::query`], for statements that take their time.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn query_slowly(&self, sql: &str) -> Result<String> {
        let mut command = self.asking(sql)?;
        Self::answer(tokio::task::spawn_blocking(move || command.output()).await??)
    }

    fn asking(&self, sql: &str) -> Result<Command> {
        Ok(match self.backend {
            Backend::Postgres => {
                let mut psql = program("psql")?;
                psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", &self.url, "-c", sql]);
                psql
            }
            Backend::Sqlite => {
                let mut python = Command::new("python3");
                python.args(["-c", SQLITE_QUERY]);
                python.arg(self.sqlite_file()).arg(sql);
                python
            }
        })
    }

    fn answer(output: Output) -> Result<String> {
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the statement failed: {said}");
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Everything that is stored: the bytes of the files, or a dump in plain text.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn dump(&self) -> Result<Vec<u8>> {
        match self.backend {
            Backend::Sqlite => {
                let mut bytes = Vec::new();
                for entry in std::fs::read_dir(self.folder.path())? {
                    let path = entry?.path();
                    if path.to_string_lossy().contains(".db") {
                        bytes.extend(std::fs::read(path)?);
                    }
                }
                Ok(bytes)
            }
            Backend::Postgres => {
                let output = program("pg_dump")?.args(["-d", &self.url]).output()?;
                let said = String::from_utf8_lossy(&output.stderr);
                ensure!(output.status.success(), "pg_dump failed: {said}");
                Ok(output.stdout)
            }
        }
    }

    fn sqlite_file(&self) -> PathBuf {
        self.folder.path().join("countersign.db")
    }
}

/// Runs one statement and prints its rows as `psql -At` does, bytes in hexadecimal.
const SQLITE_QUERY: &str = r#"
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
for row in db.execute(sys.argv[2]):
    print("|".join("" if v is None else "\\x" + v.hex() if isinstance(v, bytes) else str(v) for v in row))
"#;

fn program(name: &str) -> Result<Command> {
    let bin = std::env::var_os(PGBIN).with_context(|| format!("{PGBIN} is not set"))?;
    Ok(Command::new(PathBuf::from(bin).join(name)))
}
