//! What an SQLite file is like.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use sea_orm::{
    DatabaseConnection, SqlxError, SqlxSqliteConnector,
    sqlx::{
        self, ConnectOptions, Connection, Row, SqliteConnection,
        sqlite::{SqlitePoolOptions, SqliteSynchronous},
    },
};

use super::SqliteFound;
use crate::{ConnectError, SchemaState, Settings, dialect::sqlite, error::Fault};

/// What the file begins with: <https://www.sqlite.org/fileformat2.html>, section 1.3.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Where it says by which journal it is written, and read: 2 is the log.
const VERSIONS: std::ops::Range<usize> = 18..20;

/// What the file is like, and a connection to look further.
pub(super) async fn examine(
    settings: &Settings,
) -> Result<(SqliteFound, DatabaseConnection), ConnectError> {
    let options = sqlite::options(settings)?;
    let file = options.get_filename().to_owned();
    if !file.exists() {
        return Err(ConnectError::Schema(SchemaState::Absent));
    }
    let is_wal = is_wal(&file).map_err(|error| {
        let why = format!("{} cannot be read: {error}", file.display());
        ConnectError::Unreachable(Fault::new(why))
    })?;
    // A reader of a database with a log makes the log where there is none, and leaves it there:
    // then the gateway might not be allowed to write it. Without one nobody has the database open.
    let is_at_rest = !log_of(&file).exists();
    let options = options
        .create_if_missing(false)
        .read_only(true)
        .immutable(is_at_rest)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(settings.statement_timeout)
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(|e| unreachable(&e))?;
    let settings_found = look(&mut connection).await;
    let (version, synchronous) = settings_found.map_err(|error| unreachable(&error))?;
    connection.close().await.map_err(|e| unreachable(&e))?;
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(settings.connect_timeout)
        .connect_lazy_with(options);
    let found = SqliteFound {
        version,
        file,
        is_wal,
        synchronous,
    };
    Ok((found, SqlxSqliteConnector::from_sqlx_sqlite_pool(pool)))
}

fn unreachable(error: &SqlxError) -> ConnectError {
    ConnectError::Unreachable(Fault::while_connecting(error))
}

async fn look(connection: &mut SqliteConnection) -> Result<(String, i64), SqlxError> {
    let version = sqlx::query("SELECT sqlite_version()")
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    let synchronous = sqlx::query("PRAGMA synchronous")
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    Ok((version, synchronous))
}

fn log_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Whether the file says of itself that it has a log. An empty one says nothing.
fn is_wal(path: &Path) -> io::Result<bool> {
    let mut header = Vec::new();
    File::open(path)?.take(100).read_to_end(&mut header)?;
    let is_empty = header.is_empty();
    if !is_empty && !header.starts_with(MAGIC) {
        return Err(io::Error::other("it is no SQLite database"));
    }
    Ok(header
        .get(VERSIONS)
        .is_some_and(|versions| versions == [2, 2]))
}
