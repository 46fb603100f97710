//! The files of a folder with certificates.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use countersign_primitives::Timestamp;

use super::authority::{Authority, Earlier, id_of};
use crate::files;

/// The name of the authority's files.
const AUTHORITY: &str = "ca";
/// The name of the gateway's files, and the end of its id.
pub(super) const GATEWAY: (&str, &str) = ("countersign", "gateway");

/// The folder.
pub(super) struct Folder<'a>(pub(super) &'a Path);

impl Folder<'_> {
    /// The authority of this folder, and whether it is new.
    pub(super) fn authority(&self, now: Timestamp) -> Result<(Authority, bool)> {
        let (pem, key) = (self.pem(AUTHORITY), self.key(AUTHORITY));
        let shown = self.0.display();
        if pem.exists() && key.exists() {
            let authority = Authority::read(&read(&pem)?, &read(&key)?, now);
            let authority = authority.with_context(|| {
                format!("the authority in {shown} is of no use: name another folder")
            })?;
            return Ok((authority, false));
        }
        // Whatever lies here was signed by somebody else, and may be needed.
        if let Some(other) = self.files(&["pem", "key"])?.first() {
            let name = other.file_name().unwrap_or_default().display();
            bail!(
                "{shown} has {name} and no authority, ca.pem and ca.key, that made it: name a \
                 folder without certificates"
            );
        }
        let authority = Authority::new(now)?;
        files::replace_private(&key, &authority.key_pem())?;
        files::replace(&pem, authority.pem())?;
        Ok((authority, true))
    }

    /// The services that have a certificate here, by the names of their files.
    pub(super) fn services(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for path in self.files(&["pem"])? {
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if let Some(name) = stem
                && let Ok(earlier) = Earlier::read(&read(&path)?)
                && earlier.ids == [id_of(name)]
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// What the gateway was called by, by the certificate that it has.
    pub(super) fn hosts(&self) -> Result<Vec<String>> {
        let pem = self.pem(GATEWAY.0);
        if !pem.exists() {
            return Ok(Vec::new());
        }
        let earlier = Earlier::read(&read(&pem)?);
        let earlier = earlier.with_context(|| pem.display().to_string())?;
        Ok(earlier.hosts)
    }

    /// Writes a certificate and its key, in the place of an earlier one of the same id.
    pub(super) fn issue(
        &self,
        authority: &Authority,
        (file, name): (&str, &str),
        hosts: &[String],
        now: Timestamp,
    ) -> Result<()> {
        let (pem, key) = (self.pem(file), self.key(file));
        if pem.exists() {
            let earlier = Earlier::read(&read(&pem)?);
            let is_ours = earlier.is_ok_and(|earlier| earlier.ids == [id_of(name)]);
            ensure!(
                is_ours,
                "{} is no certificate of {}, and is left as it is: name another folder",
                pem.display(),
                id_of(name)
            );
        }
        let issued = authority.issue(name, hosts, now)?;
        files::replace_private(&key, &issued.key)?;
        files::replace(&pem, &issued.pem)
    }

    /// The configuration.
    pub(super) fn config(&self) -> PathBuf {
        self.0.join("countersign.toml")
    }

    /// The keys that the configuration names.
    pub(super) fn keys(&self) -> PathBuf {
        self.0.join("keys.toml")
    }

    fn pem(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.pem"))
    }

    fn key(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.key"))
    }

    /// Every file here that ends in one of these.
    fn files(&self, endings: &[&str]) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(self.0);
        let entries = entries.with_context(|| format!("{} cannot be read", self.0.display()))?;
        let mut found = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let ending = path.extension().and_then(|ending| ending.to_str());
            if ending.is_some_and(|ending| endings.contains(&ending)) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}
