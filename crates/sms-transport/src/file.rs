//! A folder that messages are written into, for staging.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use countersign_mfa::ports::sms::{Outgoing, Submission};
use countersign_primitives::ExposeSecret as _;
use serde_json::json;

use crate::settings::{Checked, FileSettings, Place};

const OWNER_ONLY_FILE: u32 = 0o600;
const OWNER_ONLY_FOLDER: u32 = 0o700;

/// The folder.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Whether the settings name a folder.
    pub(crate) fn check(settings: &FileSettings, place: &Place) -> Checked<()> {
        if settings.directory.as_os_str().is_empty() {
            let place = place.key("directory");
            return Err(place.wrong("must be a folder that messages are written into"));
        }
        Ok(())
    }

    /// Makes the folder where there is none, and looks whether it can be written into.
    ///
    /// # Errors
    /// When it cannot be.
    pub(crate) fn open(settings: &FileSettings, folder: &Path, place: &Place) -> Checked<Self> {
        Self::check(settings, place)?;
        let place = place.key("directory");
        let path = folder.join(&settings.directory);
        let made = DirBuilder::new()
            .recursive(true)
            .mode(OWNER_ONLY_FOLDER)
            .create(&path);
        let probe = path.join(format!(".probe-{}", std::process::id()));
        made.and_then(|()| write(&probe, b""))
            .and_then(|()| fs::remove_file(&probe))
            .map_err(|error| {
                let rule = format!(
                    "names the folder {}, which cannot be written into: {}",
                    path.display(),
                    error.kind()
                );
                place.wrong(&rule)
            })?;
        Ok(Self(path))
    }

    /// Writes a message as `<id>.json`, all at once: nobody reads half of it. The same one again
    /// takes its place.
    pub(crate) async fn submit(&self, message: &Outgoing) -> Submission {
        let text = json!({
            "id": message.id.to_string(),
            "number": message.number.e164(),
            "text": message.text.expose_secret(),
            "validity_seconds": message.validity.as_secs(),
        });
        let path = self.0.join(format!("{}.json", message.id));
        let written = tokio::task::spawn_blocking(move || {
            let fresh = path.with_extension("new");
            write(&fresh, text.to_string().as_bytes())?;
            fs::rename(&fresh, &path)
        });
        match written.await {
            Ok(Ok(())) => Submission::Accepted { carrier_id: None },
            Ok(Err(error)) => Submission::Unreachable(error.kind().to_string()),
            Err(_) => Submission::Unreachable("the file was not written".to_owned()),
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // One that was left behind may have any mode.
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(OWNER_ONLY_FILE)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
