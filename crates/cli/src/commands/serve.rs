//! `countersign serve`: the platform as a configuration describes it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Result;
use clap::Args;
use countersign_gateway::Metrics;
use countersign_primitives::{HashCost, SystemClock};
use countersign_sms_transport::Providers;

use crate::{
    compose::Parts,
    config::Config,
    files, logs,
    output::say,
    server::{self, Carried},
    traces::Traces,
};

/// Run the platform as a configuration file describes it, on PostgreSQL or SQLite.
///
/// It speaks mutual TLS: who calls is the SPIFFE id of its certificate, and the table of callers in
/// the configuration says what it may call; `countersign certs dev` and `countersign callers check`
/// help with both. The files of `tls` are read again when they change. Any number of gateways may
/// serve one PostgreSQL.
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
  listen = \"0.0.0.0:50051\"
  [database]
  url = \"postgres://countersign@127.0.0.1/countersign\"    # or \"sqlite:countersign.db\"
  [keys]
  file = \"keys.toml\"             # made by `countersign keys init`
  [tls]
  certificate = \"gateway.pem\"    # chain, leaf first
  key = \"gateway.key\"
  [tls.bundles]                   # whose services may call: trust domain and authorities
  \"bank.example\" = \"bank.pem\"
  [callers.\"spiffe://bank.example/login-service\"]
  methods = [\"ConfirmationService.*\"]
  operations = [\"login\"]

On this machine alone, without TLS, callers taken at their word:
  insecure = true                 # in place of listen, tls and callers

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

    /// The carriers of the configuration, if it has any.
    async fn carriers(&self, config: &Config) -> Result<Option<Carried>> {
        if config.sms.providers.is_empty() {
            return Ok(None);
        }
        let folder = self.config.parent().unwrap_or(Path::new(""));
        let providers = Providers::open(&config.sms.providers, folder, Arc::new(SystemClock))?;
        let webhooks = match config.sms.webhooks() {
            Some(address) => {
                let setting = format!("`sms.webhooks.listen` in {}", self.config.display());
                let listener = server::listen(address, &setting).await?;
                say(format!(
                    "webhooks of carriers on {}",
                    listener.local_addr()?
                ));
                Some(listener)
            }
            None if providers.take_webhooks() => {
                tracing::warn!(
                    "a provider reports by webhook, and `sms.webhooks.listen` names no address: \
                     what becomes of its messages will not be known"
                );
                None
            }
            None => None,
        };
        Ok(Some(Carried {
            providers,
            webhooks,
        }))
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
        let edge = config.edge(metrics)?;
        if edge.tls.is_none() {
            tracing::warn!("plaintext on loopback: callers are taken at their word");
        }
        let sms = self.carriers(config).await?;
        let composed = Parts::of_config(config, keyring, migrate).compose().await?;
        let setting = format!("`listen` in {}", self.config.display());
        let listener = server::listen(config.listen, &setting).await?;
        let kept = config.confirmations_kept();
        server::serve(&composed, listener, edge, sms, pages, kept).await
    }
}
