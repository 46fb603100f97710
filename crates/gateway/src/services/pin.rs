//! PinService.

use std::sync::Arc;

use countersign_mfa::{Authorization, ChangePin, Outcome, PinView, Platform, SetPin};
use countersign_pin::NewPin;
use countersign_primitives::SecretString;
use countersign_proto::v1::{
    self as wire, pin_service_change_response::Outcome as ChangeOutcome,
    pin_service_server::PinService, pin_service_set_response::Outcome as SetOutcome,
};
use tonic::{Request, Response, Status};

use crate::{
    caller,
    convert::{Reader, identifier::pin_to_wire},
    status,
};

/// PinService over the use cases.
#[derive(Clone)]
pub(crate) struct Pins(pub(crate) Arc<Platform>);

impl Pins {
    fn new_pin(&self, reader: &mut Reader, typed: &str) -> Option<NewPin> {
        let rules = &self.0.settings().pin;
        reader.take("new_pin", NewPin::parse(SecretString::from(typed), rules))
    }
}

#[tonic::async_trait]
impl PinService for Pins {
    async fn set(
        &self,
        request: Request<wire::PinServiceSetRequest>,
    ) -> Result<Response<wire::PinServiceSetResponse>, Status> {
        let caller = caller::of_request(&request)?;
        let request = request.into_inner();
        let mut reader = Reader::default();
        let call = reader.call(caller, &request.subject_id, &request.request_id, &request);
        let new_pin = self.new_pin(&mut reader, &request.new_pin);
        let authorization = reader.authorization(request.authorization.as_ref());
        let given = new_pin.zip(authorization);
        let (call, (new_pin, authorization)) = reader.finish(call.zip(given))?;
        let set = SetPin {
            new_pin,
            authorization,
        };
        let outcome = self.0.set_pin(&call, &set).await;
        let outcome: Outcome<PinView> = outcome.map_err(status::of_error)?;
        let outcome = match outcome {
            Outcome::Done(view) => SetOutcome::Done(pin_to_wire(view)),
            Outcome::Rejected => SetOutcome::Rejected(wire::Rejected {}),
        };
        Ok(Response::new(wire::PinServiceSetResponse {
            outcome: Some(outcome),
        }))
    }

    async fn change(
        &self,
        request: Request<wire::PinServiceChangeRequest>,
    ) -> Result<Response<wire::PinServiceChangeResponse>, Status> {
        let caller = caller::of_request(&request)?;
        let request = request.into_inner();
        let mut reader = Reader::default();
        let call = reader.call(caller, &request.subject_id, &request.request_id, &request);
        let new_pin = self.new_pin(&mut reader, &request.new_pin);
        let authorization = reader.authorization(request.authorization.as_ref());
        let is_same = |authorization: &Authorization| match authorization {
            Authorization::Proofs(proofs) => proofs.has_pin(&request.new_pin),
            Authorization::Confirmation(_) => false,
        };
        if authorization.as_ref().is_some_and(is_same) {
            reader.violation("new_pin", "must be another than the present one");
        }
        let given = new_pin.zip(authorization);
        let (call, (new_pin, authorization)) = reader.finish(call.zip(given))?;
        let change = ChangePin {
            new_pin,
            authorization,
        };
        let outcome = self.0.change_pin(&call, &change).await;
        let outcome: Outcome<PinView> = outcome.map_err(status::of_error)?;
        let outcome = match outcome {
            Outcome::Done(view) => ChangeOutcome::Done(pin_to_wire(view)),
            Outcome::Rejected => ChangeOutcome::Rejected(wire::Rejected {}),
        };
        Ok(Response::new(wire::PinServiceChangeResponse {
            outcome: Some(outcome),
        }))
    }
}
