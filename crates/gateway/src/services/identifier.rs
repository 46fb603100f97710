//! IdentifierService.

use std::sync::Arc;

use countersign_mfa::{Outcome, Platform, SetPurposes};
use countersign_primitives::Label;
use countersign_proto::v1::{
    self as wire, identifier_service_server::IdentifierService,
    identifier_service_set_purposes_response::Outcome as SetOutcome,
};
use tonic::{Request, Response, Status};

use crate::{
    caller,
    convert::{
        Reader,
        event::event_to_wire,
        identifier::{pin_to_wire, to_wire},
    },
    status,
};

/// IdentifierService over the use cases.
#[derive(Clone)]
pub(crate) struct Identifiers(pub(crate) Arc<Platform>);

#[tonic::async_trait]
impl IdentifierService for Identifiers {
    async fn list(
        &self,
        request: Request<wire::IdentifierServiceListRequest>,
    ) -> Result<Response<wire::IdentifierServiceListResponse>, Status> {
        let caller = caller::of_request(&request)?;
        let request = request.into_inner();
        let mut reader = Reader::default();
        let subject = reader.subject(&request.subject_id);
        let size = reader.page_size(request.page_size);
        reader.page_token(&request.page_token);
        let (subject, size) = reader.finish(subject.zip(size))?;
        let page = self
            .0
            .list(
                &subject,
                &caller,
                request.show_disabled,
                size,
                &request.page_token,
            )
            .await
            .map_err(status::of_error)?;
        Ok(Response::new(wire::IdentifierServiceListResponse {
            identifiers: page.identifiers.into_iter().map(to_wire).collect(),
            next_page_token: page.next,
            pin: Some(pin_to_wire(page.pin)),
        }))
    }

    async fn get(
        &self,
        request: Request<wire::IdentifierServiceGetRequest>,
    ) -> Result<Response<wire::IdentifierServiceGetResponse>, Status> {
        let request = request.into_inner();
        let mut reader = Reader::default();
        let subject = reader.subject(&request.subject_id);
        let identifier = reader.identifier("identifier_id", &request.identifier_id);
        let (subject, identifier) = reader.finish(subject.zip(identifier))?;
        let view = self.0.identifier(&subject, identifier).await;
        let view = view.map_err(status::of_error)?;
        Ok(Response::new(wire::IdentifierServiceGetResponse {
            identifier: Some(to_wire(view)),
        }))
    }

    async fn set_purposes(
        &self,
        request: Request<wire::IdentifierServiceSetPurposesRequest>,
    ) -> Result<Response<wire::IdentifierServiceSetPurposesResponse>, Status> {
        let from = caller::identified(&request)?;
        let caller = from.caller.clone();
        let request = request.into_inner();
        let mut reader = Reader::default();
        let call = reader.call(caller, &request.subject_id, &request.request_id, &request);
        let identifier = reader.identifier("identifier_id", &request.identifier_id);
        let (on, off) = reader.switches("", &request.switch_on, &request.switch_off);
        let authorization = reader.authorization(request.authorization.as_ref());
        let given = identifier.zip(authorization);
        let (call, (identifier, authorization)) = reader.finish(call.zip(given))?;
        from.require_purposes(on.with(off))?;
        let set = SetPurposes {
            identifier,
            on,
            off,
            authorization,
        };
        let outcome = self.0.set_purposes(&call, &set).await;
        let outcome = match outcome.map_err(status::of_error)? {
            Outcome::Done(view) => SetOutcome::Done(to_wire(view)),
            Outcome::Rejected => SetOutcome::Rejected(wire::Rejected {}),
        };
        Ok(Response::new(wire::IdentifierServiceSetPurposesResponse {
            outcome: Some(outcome),
        }))
    }

    async fn rename(
        &self,
        request: Request<wire::IdentifierServiceRenameRequest>,
    ) -> Result<Response<wire::IdentifierServiceRenameResponse>, Status> {
        let caller = caller::of_request(&request)?;
        let request = request.into_inner();
        let mut reader = Reader::default();
        let call = reader.call(caller, &request.subject_id, &request.request_id, &request);
        let identifier = reader.identifier("identifier_id", &request.identifier_id);
        let label = reader.take("label", Label::parse(&request.label));
        let (call, (identifier, label)) = reader.finish(call.zip(identifier.zip(label)))?;
        let view = self.0.rename(&call, identifier, label).await;
        let view = view.map_err(status::of_error)?;
        Ok(Response::new(wire::IdentifierServiceRenameResponse {
            identifier: Some(to_wire(view)),
        }))
    }

    async fn list_events(
        &self,
        request: Request<wire::IdentifierServiceListEventsRequest>,
    ) -> Result<Response<wire::IdentifierServiceListEventsResponse>, Status> {
        let caller = caller::of_request(&request)?;
        let request = request.into_inner();
        let mut reader = Reader::default();
        let subject = reader.subject(&request.subject_id);
        let size = reader.page_size(request.page_size);
        reader.page_token(&request.page_token);
        let (subject, size) = reader.finish(subject.zip(size))?;
        let page = self
            .0
            .list_events(&subject, &caller, size, &request.page_token)
            .await
            .map_err(status::of_error)?;
        Ok(Response::new(wire::IdentifierServiceListEventsResponse {
            events: page.events.into_iter().map(event_to_wire).collect(),
            next_page_token: page.next,
        }))
    }
}
