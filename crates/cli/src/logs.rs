//! Logs, to standard error.

use std::{
    io::{self, IsTerminal},
    panic,
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tracing_subscriber::{
    EnvFilter, Layer as _, layer::SubscriberExt as _, registry, util::SubscriberInitExt as _,
};

use crate::traces::Traces;

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// What is logged where `RUST_LOG` says nothing. The migrator names its steps, and nobody asked.
const DEFAULT_FILTER: &str = "info,sea_orm_migration=warn";

const NO_STAGES: &str = "countersign::stage=off";

/// Starts logging: from `info` on, or as `RUST_LOG` says. Spans become traces, where those are sent.
pub(crate) fn start(format: Format, traces: Option<&Traces>) -> Result<()> {
    let wish = std::env::var("RUST_LOG").unwrap_or_default();
    let wish = if wish.is_empty() {
        DEFAULT_FILTER
    } else {
        &wish
    };
    let filter = EnvFilter::try_new(wish)
        .context("RUST_LOG is no filter; it must be like `info` or `countersign_mfa=debug,info`")?;
    // The stages of a request are for traces: here each line names the request.
    let filter = filter.add_directive(NO_STAGES.parse()?);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let lines = match format {
        Format::Text => lines.boxed(),
        Format::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    };
    let started = match traces {
        None => registry().with(lines).with(filter).try_init(),
        Some(traces) => registry()
            .with(lines.with_filter(filter))
            .with(traces.layer())
            .try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot be started: {error}"))?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Says where a thread panicked, and not with which words: those may hold what somebody typed.
fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    tracing::error!(
        panic.location = place,
        "a thread panicked; its message is kept out of the log"
    );
}
