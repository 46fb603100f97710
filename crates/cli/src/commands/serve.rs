//! `countersign serve`: the platform as a configuration describes it.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use countersign_gateway::Metrics;
use countersign_primitives::HashCost;

use crate::{
    compose::{Offer, Parts},
    config::Config,
    files, logs, server,
    traces::Traces,
};

/// Run the platform as a configuration file describes it, on PostgreSQL or SQLite.
///
/// For now it must be on loopback, with `insecure = true`: mutual TLS comes with a later version.
/// Any number of them may serve one PostgreSQL.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Serve {
    /// The configuration, TOML.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// A configuration to begin with.
pub(crate) const EXAMPLE: &str = "\
The least that FILE must say; `countersign config check` shows everything else it can:
  insecure = true
  [database]
  url = \"postgres://countersign@127.0.0.1/countersign\"    # or \"sqlite:countersign.db\"
  [keys]
  file = \"keys.toml\"             # made by `countersign keys init`

Relative paths start at the folder of FILE. A variable of the environment takes precedence:
  COUNTERSIGN_SET_DATABASE__URL=postgres://countersign:PASSWORD@127.0.0.1/countersign

Example:
  countersign serve --config countersign.toml";

impl Serve {
    /// Serves until it is told to stop.
    pub(crate) async fn run(self) -> Result<()> {
        let config = Config::read(&self.config)?;
        let traces = config.traces.target();
        let traces = traces.as_ref().map(Traces::start).transpose()?;
        logs::start(config.log.format, traces.as_ref())?;
        let served = self.serve(&config).await;
        if let Some(traces) = traces {
            traces.stop().await;
        }
        served
    }

    async fn serve(&self, config: &Config) -> Result<()> {
        let settings = config.settings();
        if settings.hash_cost.memory_kib < HashCost::OWASP.memory_kib {
            tracing::warn!(
                hash.memory_kib = settings.hash_cost.memory_kib,
                "PINs are hashed with less memory than OWASP advises"
            );
        }
        let keyring = files::read_keys(&config.keys.file)?;
        // Before anything is made that is counted.
        let (metrics, pages) = match config.metrics.listen() {
            Some(address) => {
                let setting = format!("`metrics.listen` in {}", self.config.display());
                let pages = server::listen(address, &setting).await?;
                (Some(Metrics::collect()?), Some(pages))
            }
            None => (None, None),
        };
        let migrate = format!("countersign migrate --config {}", self.config.display());
        let composed = Parts::of_config(config, keyring, migrate).compose().await?;
        let setting = format!("`listen` in {}", self.config.display());
        let listener = server::listen(config.listen, &setting).await?;
        let offer = Offer {
            metrics,
            reflection: config.reflection,
        };
        let kept = config.confirmations_kept();
        server::serve(&composed, listener, offer, pages, kept).await
    }
}
