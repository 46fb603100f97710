//! Whether the gateway serves, by the health protocol of gRPC.
//!
//! All services stand on one database, so they share one state. The whole server is the service
//! without a name.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_server::{Health as Service, HealthServer},
};

use crate::methods::METHODS;

/// The state of a gateway, shared by whoever wants to know.
#[derive(Clone, Debug)]
pub struct Health(Arc<watch::Sender<HealthState>>);

/// Whether a gateway serves, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthState {
    /// Not yet: the database has not answered.
    Starting,
    /// It does.
    Serving,
    /// The database does not answer.
    DatabaseAway,
    /// It was told to stop, and does not serve again.
    Stopping,
}

impl Default for Health {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(HealthState::Starting)))
    }
}

impl Health {
    /// The present state.
    pub fn state(&self) -> HealthState {
        *self.0.borrow()
    }

    /// Changes the state, unless the gateway was told to stop.
    pub(crate) fn set(&self, state: HealthState) {
        self.0.send_if_modified(|now| {
            let changes = *now != state && *now != HealthState::Stopping;
            if changes {
                *now = state;
            }
            changes
        });
    }

    /// The service that tells it.
    pub(crate) fn service(&self) -> HealthServer<impl Service + use<>> {
        HealthServer::new(Teller(self.clone()))
    }
}

impl HealthState {
    const fn status(self) -> ServingStatus {
        match self {
            Self::Serving => ServingStatus::Serving,
            Self::Starting | Self::DatabaseAway | Self::Stopping => ServingStatus::NotServing,
        }
    }
}

/// Whether there is such a service, or it is the whole server that is meant.
fn is_known(service: &str) -> bool {
    let has = |path: &str| {
        let (of, _) = path
            .trim_start_matches('/')
            .split_once('/')
            .unwrap_or_default();
        of == service
    };
    service.is_empty() || METHODS.iter().any(|method| has(method.path))
}

struct Teller(Health);

/// What a watcher has been told.
struct Watching {
    state: watch::Receiver<HealthState>,
    is_known: bool,
    told: Option<ServingStatus>,
}

impl Watching {
    /// The next that there is to tell: what is so at once, and then each change. After the last
    /// word the stream ends, so that it does not hold up the stop. A service that is not there
    /// may come with a later version: its watcher is told so, and may wait.
    async fn next(mut self) -> Option<(Result<HealthCheckResponse, Status>, Option<Self>)> {
        loop {
            let state = *self.state.borrow_and_update();
            let is_last = state == HealthState::Stopping;
            let status = if self.is_known {
                state.status()
            } else {
                ServingStatus::ServiceUnknown
            };
            if self.told != Some(status) {
                self.told = Some(status);
                return Some((Ok(answer(status)), (!is_last).then_some(self)));
            }
            if is_last || self.state.changed().await.is_err() {
                return None;
            }
        }
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

#[tonic::async_trait]
impl Service for Teller {
    type WatchStream =
        Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send + 'static>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if is_known(&request.get_ref().service) {
            Ok(Response::new(answer(self.0.state().status())))
        } else {
            Err(Status::not_found("there is no such service"))
        }
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let watching = Watching {
            state: self.0.0.subscribe(),
            is_known: is_known(&request.get_ref().service),
            told: None,
        };
        let told = stream::unfold(Some(watching), |watching| async { watching?.next().await });
        Ok(Response::new(Box::pin(told)))
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;

    use super::*;

    #[test]
    fn every_service_is_known_and_no_part_of_one() {
        for known in ["", "countersign.v1.PinService"] {
            assert!(is_known(known), "{known}");
        }
        for unknown in [
            "countersign.v1",
            "PinService",
            "countersign.v1.PinService/Set",
            "/",
        ] {
            assert!(!is_known(unknown), "{unknown}");
        }
    }

    #[test]
    fn who_was_told_to_stop_does_not_serve_again() {
        let health = Health::default();
        health.set(HealthState::Serving);
        health.set(HealthState::Stopping);
        health.set(HealthState::Serving);
        assert_eq!(health.state(), HealthState::Stopping);
    }

    #[tokio::test]
    async fn a_watcher_is_told_what_is_so_each_change_and_the_end() {
        let health = Health::default();
        let teller = Teller(health.clone());
        let watch = |service: &str| {
            let service = service.to_owned();
            teller.watch(Request::new(HealthCheckRequest { service }))
        };
        let mut known = watch("").await.unwrap().into_inner();
        let mut unknown = watch("no.Service").await.unwrap().into_inner();
        let status = |told: Option<Result<HealthCheckResponse, Status>>| {
            told.map(|answer| answer.unwrap().status())
        };
        assert_eq!(status(known.next().await), Some(ServingStatus::NotServing));
        let told = status(unknown.next().await);
        assert_eq!(told, Some(ServingStatus::ServiceUnknown));
        health.set(HealthState::Serving);
        assert_eq!(status(known.next().await), Some(ServingStatus::Serving));
        // To a watcher it is the same whether it is not there yet, any more, or for now.
        health.set(HealthState::DatabaseAway);
        assert_eq!(status(known.next().await), Some(ServingStatus::NotServing));
        assert!(futures::poll!(known.next()).is_pending());
        assert!(futures::poll!(unknown.next()).is_pending());
        health.set(HealthState::Stopping);
        assert_eq!(status(known.next().await), None);
        assert_eq!(status(unknown.next().await), None);

        let mut late = watch("").await.unwrap().into_inner();
        assert_eq!(status(late.next().await), Some(ServingStatus::NotServing));
        assert_eq!(status(late.next().await), None);
    }
}
