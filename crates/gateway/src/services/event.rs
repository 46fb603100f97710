//! EventService.

use std::{pin::Pin, sync::Arc};

use countersign_mfa::{Action, Feed, Told, Watcher};
use countersign_proto::v1::{self as wire, event_service_server::EventService};
use futures::{Stream, stream};
use tonic::{Request, Response, Status};

use crate::{convert::event::event_to_wire, status};

/// EventService over the feed.
#[derive(Clone)]
pub(crate) struct Events(pub(crate) Arc<Feed>);

type Answers = Pin<Box<dyn Stream<Item = Result<wire::EventServiceWatchResponse, Status>> + Send>>;

#[tonic::async_trait]
impl EventService for Events {
    type WatchStream = Answers;

    async fn watch(
        &self,
        request: Request<wire::EventServiceWatchRequest>,
    ) -> Result<Response<Answers>, Status> {
        let token = request.into_inner().resume_token;
        let watcher = self.0.watch(&token).await.map_err(status::of_error)?;
        Ok(Response::new(Box::pin(stream::unfold(
            Some(watcher),
            answer,
        ))))
    }
}

/// The next answer; an error is the last.
async fn answer(
    watcher: Option<Watcher>,
) -> Option<(
    Result<wire::EventServiceWatchResponse, Status>,
    Option<Watcher>,
)> {
    let mut watcher = watcher?;
    Some(match watcher.next().await {
        Ok(told) => (Ok(to_wire(told)), Some(watcher)),
        Err(error) => (Err(status::of_error(error)), None),
    })
}

fn to_wire(told: Told) -> wire::EventServiceWatchResponse {
    let mut answer = wire::EventServiceWatchResponse {
        resume_token: told.token,
        ..Default::default()
    };
    if let Some((subject, event, actions)) = told.news {
        subject.as_str().clone_into(&mut answer.subject_id);
        answer.event = Some(event_to_wire(event));
        let actions = actions.into_iter().map(action_to_wire);
        answer.actions = actions.map(i32::from).collect();
    }
    answer
}

const fn action_to_wire(action: Action) -> wire::HostAction {
    match action {
        Action::NotifySubject => wire::HostAction::NotifySubject,
        Action::EndSessions => wire::HostAction::EndSessions,
        Action::NoteLock => wire::HostAction::NoteLock,
        Action::Investigate => wire::HostAction::Investigate,
    }
}
