//! Pages for operators, on a port of their own: metrics for Prometheus, and whether the gateway
//! lives and serves for whatever does not speak gRPC.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use countersign_mfa::ports::Upkeep;
use metrics::gauge;
use tokio::net::TcpListener;

use crate::{Health, HealthState, Metrics, limits::serve_few};

/// How often what was measured is sorted into its buckets, if nobody asks for it.
const UPKEEP: Duration = Duration::from_secs(5);

/// How many connections there may be to the pages: a Prometheus or two, and probes.
const MOST_CONNECTIONS: usize = 32;

/// What the pages show.
#[derive(Clone)]
pub struct Pages {
    /// The page `/metrics`.
    pub metrics: Metrics,
    /// What `/readyz` tells.
    pub health: Health,
    /// Whose connections are counted.
    pub upkeep: Arc<dyn Upkeep>,
}

/// Shows the pages on `listener`, for as long as it is polled.
///
/// # Errors
/// Those of the listener.
pub async fn serve_pages(pages: Pages, listener: TcpListener) -> std::io::Result<()> {
    let upkeep = async {
        let mut interval = tokio::time::interval(UPKEEP);
        loop {
            interval.tick().await;
            pages.metrics.page.run_upkeep();
        }
    };
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .with_state(pages.clone());
    tokio::select! {
        served = serve_few(router, listener, MOST_CONNECTIONS) => served,
        () = upkeep => Ok(()),
    }
}

async fn metrics(State(pages): State<Pages>) -> impl IntoResponse {
    let connections = pages.upkeep.connections();
    let set = |name: &'static str, count: usize| {
        gauge!(name).set(u32::try_from(count).unwrap_or(u32::MAX));
    };
    set("countersign_database_connections_open", connections.open);
    set("countersign_database_connections_busy", connections.busy);
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, kind)], pages.metrics.page.render())
}

async fn ready(State(pages): State<Pages>) -> impl IntoResponse {
    let away = StatusCode::SERVICE_UNAVAILABLE;
    match pages.health.state() {
        HealthState::Serving => (StatusCode::OK, "ready\n"),
        HealthState::Starting => (away, "not ready: the database has not answered yet\n"),
        HealthState::DatabaseAway => (away, "not ready: the database does not answer\n"),
        HealthState::Stopping => (away, "not ready: stopping\n"),
    }
}
