//! Files and folders that only their owner may read.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use countersign_keyring::{Keyring, generate_file, parse_file};
use countersign_mfa::{Entropy, SystemEntropy};
use countersign_primitives::{ExposeSecret, SecretString};

const OWNER_ONLY_FILE: u32 = 0o600;
const EVERYBODY_READS: u32 = 0o644;
const OWNER_ONLY_FOLDER: u32 = 0o700;
/// The rights of group and others.
const OTHERS: u32 = 0o077;

/// Makes a folder for its owner alone, or sees that it is one.
pub(crate) fn private_folder(path: &Path) -> Result<()> {
    let made = DirBuilder::new()
        .recursive(true)
        .mode(OWNER_ONLY_FOLDER)
        .create(path);
    made.with_context(|| format!("the folder {} cannot be made", path.display()))?;
    require_private(path, "700")
}

/// Makes a key file with new random keys.
///
/// # Errors
/// Above all when there is such a file already: it is never overwritten.
pub(crate) fn create_keys(path: &Path) -> Result<()> {
    let mut generator = SystemEntropy.generator()?;
    let text = generate_file(&mut generator);
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(OWNER_ONLY_FILE)
        .open(path);
    let mut file = match opened {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(
            "{} is there already and is left as it is: whoever loses keys loses what they sealed. \
             Name another file",
            path.display()
        ),
        opened => opened.with_context(|| format!("{} cannot be made", path.display()))?,
    };
    let written = file
        .write_all(text.expose_secret().as_bytes())
        .and_then(|()| file.sync_all());
    if let Err(error) = written {
        // Half a key file helps nobody, and would stand in the way of the next try.
        let _ = fs::remove_file(path);
        return Err(error).with_context(|| format!("{} cannot be written", path.display()));
    }
    Ok(())
}

/// Puts a file in the place of what was there, all at once: nobody reads half of it.
pub(crate) fn replace(path: &Path, text: &str) -> Result<()> {
    replace_with(path, text, EVERYBODY_READS)
}

/// As [`replace`], for its owner alone.
pub(crate) fn replace_private(path: &Path, text: &str) -> Result<()> {
    replace_with(path, text, OWNER_ONLY_FILE)
}

fn replace_with(path: &Path, text: &str, mode: u32) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    // One that was left behind may have any mode.
    let _ = fs::remove_file(&fresh);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&fresh)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written.with_context(|| format!("{} cannot be written", path.display()))
}

/// Reads a key file that nobody but its owner can read.
pub(crate) fn read_keys(path: &Path) -> Result<Keyring> {
    let file = open_keys(path)?;
    require_private(path, "600")?;
    parse_keys(file, path)
}

/// Reads a key file, whoever can read it beside us: to look at, not to seal with.
pub(crate) fn look_at_keys(path: &Path) -> Result<Keyring> {
    parse_keys(open_keys(path)?, path)
}

fn open_keys(path: &Path) -> Result<fs::File> {
    let shown = path.display();
    match fs::File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "there is no key file {shown}: bring the one that belongs to the database or, for a \
             new database, run `countersign keys init {shown}`"
        ),
        opened => opened.with_context(|| format!("the key file {shown} cannot be opened")),
    }
}

fn parse_keys(mut file: fs::File, path: &Path) -> Result<Keyring> {
    let shown = path.display();
    let mut text = String::new();
    file.read_to_string(&mut text)
        .with_context(|| format!("the key file {shown} cannot be read"))?;
    let text = SecretString::from(text);
    parse_file(text.expose_secret()).with_context(|| format!("the key file {shown} is of no use"))
}

/// The rights to a file or folder; `None` where it is not there.
pub(crate) fn mode(path: &Path) -> Option<u32> {
    let metadata = fs::metadata(path).ok()?;
    Some(metadata.permissions().mode() & 0o777)
}

/// That neither group nor others have any right to a file or folder.
fn require_private(path: &Path, mode: &str) -> Result<()> {
    let metadata = fs::metadata(path).with_context(|| path.display().to_string())?;
    let is_private = metadata.permissions().mode() & OTHERS == 0;
    let shown = path.display();
    ensure!(
        is_private,
        "{shown} can be read by other users of this machine: run `chmod {mode} {shown}`"
    );
    Ok(())
}

#[cfg(test)]
mod tests;
