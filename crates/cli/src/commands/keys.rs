//! `countersign keys`: makes key files.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::{files, output::say};

/// Make key files.
#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Make a file with new random keys, for its owner alone.
    ///
    /// A file that is there is never overwritten: whoever loses keys loses what they sealed.
    #[command(after_help = "\
Example:
  countersign keys init keys.toml")]
    Init {
        /// The file to make.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

impl Keys {
    /// Makes the file.
    pub(crate) fn run(self) -> Result<()> {
        let Deed::Init { file } = self.deed;
        files::create_keys(&file)?;
        say(format!(
            "made {}: name it as `keys.file` in the configuration, and keep a copy apart from the \
             copies of the database",
            file.display()
        ));
        Ok(())
    }
}
