//! The policy that a configuration names.

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use countersign_policy::{DEFAULT_POLICY, Policy as InForce};
use serde::{Deserialize, Serialize};

/// The section `policy`, with what stands in the file that it names.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Policy {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(skip)]
    text: Cow<'static, str>,
    #[serde(skip)]
    in_force: InForce,
}

impl Policy {
    /// Reads the file, if one is named; a relative path starts at `folder`.
    pub(super) fn read(&mut self, folder: &Path) -> Result<()> {
        if let Some(file) = &mut self.file
            && !file.as_os_str().is_empty()
        {
            *file = folder.join(&file);
            let (text, in_force) = read_policy(file)?;
            (self.text, self.in_force) = (Cow::Owned(text), in_force);
        }
        Ok(())
    }

    /// Whether a file is named by an empty path.
    pub(super) fn names_no_file(&self) -> bool {
        let file = self.file.as_ref();
        file.is_some_and(|file| file.as_os_str().is_empty())
    }

    /// The policy in force.
    pub(crate) const fn in_force(&self) -> &InForce {
        &self.in_force
    }

    /// Its text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The file it stands in; none where it is the one that is built in.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            file: None,
            text: Cow::Borrowed(DEFAULT_POLICY),
            in_force: InForce::default(),
        }
    }
}

/// Reads a policy file: its text, and the policy.
///
/// # Errors
/// Names the file and, where it says something wrong, the line and the column.
pub(crate) fn read_policy(path: &Path) -> Result<(String, InForce)> {
    let shown = path.display();
    let text =
        fs::read_to_string(path).with_context(|| format!("the policy {shown} cannot be read"))?;
    let policy =
        InForce::parse(&text).with_context(|| format!("the policy {shown} is not right"))?;
    Ok((text, policy))
}
