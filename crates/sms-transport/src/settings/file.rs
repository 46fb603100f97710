//! A folder that messages are written into.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The settings of kind `file`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileSettings {
    /// The folder; it is made where there is none.
    pub(crate) directory: PathBuf,
}
