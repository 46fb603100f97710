//! `countersign config`: looks at a configuration.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::serve::EXAMPLE;
use crate::{config, output::say};

/// Look at a configuration.
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Check a configuration, and show the settings in force without secrets.
    ///
    /// Reads the file, the environment and the policy file that they name, and nothing else:
    /// neither keys nor database.
    #[command(after_help = EXAMPLE)]
    Check {
        /// The configuration, TOML.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

impl Config {
    /// Checks.
    pub(crate) fn run(self) -> Result<()> {
        let Deed::Check { config } = self.deed;
        let shown = config::Config::read(&config)?.shown()?;
        say(format!(
            "# OK: {}. In force, with passwords masked:",
            config.display()
        ));
        say(shown.trim_end());
        Ok(())
    }
}
