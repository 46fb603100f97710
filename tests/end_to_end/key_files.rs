//! Key files and data are their owner's alone, whatever the umask is, and are not used otherwise.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::{BIN, Backend, Database, GatewayProcess};
use tempfile::TempDir;

use crate::{campaign::CHEAP, harness::Suite};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.with(
        &[BIN],
        "key_files::data_and_keys_of_dev_are_their_owners_alone",
        dev_folder,
    );
    suite.with(
        &[BIN],
        "key_files::a_key_file_is_its_owners_alone_and_never_overwritten",
        new_keys,
    );
    suite.on_each_backend_with(
        &[BIN],
        "key_files::keys_that_others_can_read_or_of_another_database_are_refused",
        refused_keys,
    );
}

async fn dev_folder() -> Result<()> {
    let home = TempDir::new()?;
    let data = home.path().join("data");
    let mut dev = Dev::start(home.path(), &data)?;
    dev.wait_until_it_listens().await?;
    ensure!(mode(&data)? == 0o700, "the folder has {:o}", mode(&data)?);
    let mut names = Vec::new();
    for entry in fs::read_dir(&data)? {
        let path = entry?.path();
        ensure!(
            mode(&path)? == 0o600,
            "{} has {:o}",
            path.display(),
            mode(&path)?
        );
        names.push(
            path.file_name()
                .context("a name")?
                .to_string_lossy()
                .into_owned(),
        );
    }
    for name in ["keys.toml", "countersign.db", "countersign.db-wal"] {
        ensure!(
            names.iter().any(|other| other == name),
            "{name} is not in {names:?}"
        );
    }
    drop(dev);

    for (path, wrong) in [(data.join("keys.toml"), 0o640), (data.clone(), 0o755)] {
        let right = fs::metadata(&path)?.permissions();
        fs::set_permissions(&path, Permissions::from_mode(wrong))?;
        let mut dev = Dev::start(home.path(), &data)?;
        let said = dev.wait_until_it_ends().await?;
        ensure!(said.contains("can be read by other users"), "{said}");
        fs::set_permissions(&path, right)?;
    }
    let mut dev = Dev::start(home.path(), &data)?;
    dev.wait_until_it_listens().await
}

async fn new_keys() -> Result<()> {
    let home = TempDir::new()?;
    let keys = home.path().join("keys.toml");
    let init = || -> Result<bool> {
        let status = countersign()?
            .args(["keys", "init"])
            .arg(&keys)
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        Ok(status.success())
    };
    ensure!(init()?, "no keys");
    ensure!(mode(&keys)? == 0o600, "the keys have {:o}", mode(&keys)?);
    let before = fs::read(&keys)?;
    ensure!(!init()?, "keys were made again");
    ensure!(fs::read(&keys)? == before, "keys were overwritten");
    Ok(())
}

async fn refused_keys(backend: Backend) -> Result<()> {
    let database = Database::fresh(backend).await?;
    drop(GatewayProcess::start(&database, CHEAP).await?);
    let keys = database.folder().join("keys.toml");
    for wrong in [0o640, 0o604, 0o660] {
        fs::set_permissions(&keys, Permissions::from_mode(wrong))?;
        let error = require_refused(&database).await?;
        ensure!(error.contains("can be read by other users"), "{error}");
    }
    fs::remove_file(&keys)?;
    let error = require_refused(&database).await?;
    ensure!(
        error.contains("does not belong to this database"),
        "{error}"
    );
    Ok(())
}

async fn require_refused(database: &Database) -> Result<String> {
    match GatewayProcess::start(database, CHEAP).await {
        Ok(_) => bail!("the gateway has started"),
        Err(error) => Ok(error.to_string()),
    }
}

/// The binary, under a umask that takes nothing away.
fn countersign() -> Result<Command> {
    let mut command = Command::new("sh");
    command.args(["-c", "umask 0; exec \"$0\" \"$@\""]);
    command.arg(std::env::var_os(BIN).context(BIN)?);
    command.stdin(Stdio::null());
    Ok(command)
}

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

/// A `countersign dev`.
struct Dev {
    child: Child,
    log: std::path::PathBuf,
}

impl Dev {
    fn start(home: &Path, data: &Path) -> Result<Self> {
        let log = home.join("log");
        let file = File::create(&log)?;
        let child = countersign()?
            .args(["dev", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        Ok(Self { child, log })
    }

    async fn wait_until_it_listens(&mut self) -> Result<()> {
        for _ in 0..600 {
            let said = fs::read_to_string(&self.log)?;
            if said.contains("listening on") {
                return Ok(());
            }
            ensure!(self.child.try_wait()?.is_none(), "dev has ended: {said}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("dev does not listen");
    }

    async fn wait_until_it_ends(&mut self) -> Result<String> {
        for _ in 0..600 {
            let said = fs::read_to_string(&self.log)?;
            if let Some(status) = self.child.try_wait()? {
                ensure!(!status.success(), "dev has ended well: {said}");
                return Ok(fs::read_to_string(&self.log)?);
            }
            ensure!(!said.contains("listening on"), "dev has started: {said}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("dev does not end");
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
