//! Serving: what `dev` and `serve` have in common.

use std::{
    io::ErrorKind,
    net::SocketAddr,
    process,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use countersign_gateway::{Gateway, Pages, serve_few, serve_pages};
use countersign_sms_transport::Providers;
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
    time::{Instant, timeout},
};

use crate::{
    compose::{Composed, Edge},
    output::say,
};

/// The exit status of a program that a second Ctrl-C ends: 128 and the number of SIGINT.
const INTERRUPTED: i32 = 130;

/// How long closing the connections to the database may take: one that has fallen silent would keep
/// the program for ever.
const GOODBYE: Duration = Duration::from_secs(2);

/// Runs a command that waits for things.
pub(crate) fn block_on<T>(command: impl Future<Output = Result<T>>) -> Result<T> {
    Runtime::new()
        .context("the runtime cannot be started")?
        .block_on(command)
}

/// Listens on an address, which `setting` chose.
pub(crate) async fn listen(address: SocketAddr, setting: &str) -> Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
            "{address} is in use, perhaps by another `countersign`: stop that one, or choose \
             another address with {setting}"
        ),
        Err(error) => Err(error).with_context(|| {
            format!("{address} cannot be listened on: choose another address with {setting}")
        }),
    }
}

/// Serves until SIGINT or SIGTERM, then lets requests in flight finish.
pub(crate) async fn serve(
    composed: &Composed,
    listener: TcpListener,
    edge: Edge,
    sms: Option<Carried>,
    pages: Option<TcpListener>,
    confirmations_kept: Duration,
) -> Result<()> {
    countersign_gateway::raise_file_limit();
    let signals = Signals::new()?;
    let address = listener.local_addr()?;
    say(format!("listening on {address}"));
    tracing::info!(address = %address, "countersign is ready");
    let is_measured = edge.metrics.is_some();
    let drain = edge.drain;
    let gateway = composed.gateway(edge);
    let pages = show_pages(&gateway, pages);
    let (stop_sending, stopped) = oneshot::channel();
    let sending = send(composed, sms, is_measured, async {
        // Dropped or told: either way it is over.
        stopped.await.unwrap_or_default()
    });
    let stopping_since = Arc::new(OnceLock::new());
    let serving = async {
        let since = Arc::clone(&stopping_since);
        let stop = async move {
            signals.stop().await;
            since.get_or_init(Instant::now);
        };
        let served = countersign_gateway::serve(gateway, listener, stop).await;
        // Requests and messages have it together.
        let used = stopping_since.get().map(Instant::elapsed);
        let _ = stop_sending.send(drain.saturating_sub(used.unwrap_or_default()));
        served
    };
    let serving = async { tokio::join!(serving, sending) };
    let served = tokio::select! {
        (served, sent) = serving => served.map_err(Into::into).and(sent),
        shown = pages => shown,
        () = composed.keep_swept(confirmations_kept) => Ok(()),
    };
    if timeout(GOODBYE, composed.close()).await.is_err() {
        tracing::warn!("the database does not answer: its connections are left as they are");
    }
    served?;
    tracing::info!("countersign has stopped");
    Ok(())
}

/// Who carries messages, and where they report.
pub(crate) struct Carried {
    pub(crate) providers: Providers,
    pub(crate) webhooks: Option<TcpListener>,
}

/// How many connections carriers may have for their reports.
const MOST_WEBHOOKS: usize = 128;

/// Sends messages, and takes what is reported of them, until `stop`, which says how long what is
/// under way then may still take.
async fn send(
    composed: &Composed,
    sms: Option<Carried>,
    is_measured: bool,
    stop: impl Future<Output = Duration> + Send,
) -> Result<()> {
    let Some(Carried {
        providers,
        webhooks,
    }) = sms
    else {
        return Ok(());
    };
    let reports = match webhooks {
        Some(listener) => {
            let router = countersign_sms_transport::router(&providers);
            tokio::spawn(serve_few(router, listener, MOST_WEBHOOKS))
        }
        None => tokio::spawn(std::future::pending()),
    };
    composed
        .keep_sending(Arc::new(providers), is_measured, stop)
        .await;
    reports.abort();
    Ok(())
}

/// Shows the pages for operators, if there are any, until the gateway has stopped.
fn show_pages(
    gateway: &Gateway,
    listener: Option<TcpListener>,
) -> impl Future<Output = Result<()>> + use<> {
    let pages = gateway.metrics.clone().map(|metrics| Pages {
        metrics,
        health: gateway.health.clone(),
        upkeep: Arc::clone(&gateway.upkeep),
    });
    async move {
        match pages.zip(listener) {
            Some((pages, listener)) => serve_pages(pages, listener)
                .await
                .context("the pages for operators failed"),
            None => std::future::pending().await,
        }
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Waits for the first signal. The next one ends the program at once, which loses nothing that
    /// was answered.
    async fn stop(mut self) {
        self.next().await;
        tracing::info!("stopping: requests in flight may finish; a second signal stops at once");
        tokio::spawn(async move {
            self.next().await;
            process::exit(INTERRUPTED);
        });
    }
}
