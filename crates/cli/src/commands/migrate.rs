//! `countersign migrate`: gives a database the schema of this version.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::{compose, config::Config, output::say};

/// Give the database of a configuration the schema of this version.
///
/// It may be run twice, and while an earlier version serves. A database with the schema of a later
/// version or of another program is left alone.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  countersign migrate --config countersign.toml")]
pub(crate) struct Migrate {
    /// The configuration, TOML.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Migrate {
    /// Migrates.
    pub(crate) async fn run(self) -> Result<()> {
        let config = Config::read(&self.config)?;
        say(compose::migrate(&compose::database(&config.database)).await?);
        Ok(())
    }
}
