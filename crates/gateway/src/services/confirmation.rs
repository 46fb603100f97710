//! ConfirmationService.

use std::sync::Arc;

use countersign_mfa::{Create, Platform, Redeem, SendCode, SubmitProof};
use countersign_proto::v1::{
    self as wire, confirmation_service_server::ConfirmationService, operation::Operation as Wire,
};
use tonic::{Request, Response, Status};

use crate::{
    caller,
    convert::{
        Reader,
        confirmation::{created_to_wire, sent_to_wire, submitted_to_wire, to_wire},
    },
    status,
};

/// ConfirmationService over the use cases.
#[derive(Clone)]
pub(crate) struct Confirmations(pub(crate) Arc<Platform>);

#[tonic::async_trait]
impl ConfirmationService for Confirmations {
    async fn create(
        &self,
        request: Request<wire::ConfirmationServiceCreateRequest>,
    ) -> Result<Response<wire::ConfirmationServiceCreateResponse>, Status> {
        let from = caller::identified(&request)?;
        let caller = from.caller.clone();
        let request = request.into_inner();
        let mut reader = Reader::default();
        let call = reader.call(caller, &request.subject_id, &request.request_id, &request);
        let operation = reader.operation(request.operation.as_ref());
        let is_login = match request
            .operation
            .as_ref()
            .and_then(|of| of.operation.as_ref())
        {
            Some(Wire::Login(_)) | None => true,
            Some(Wire::Withdrawal(_) | Wire::SettingsChange(_) | Wire::Custom(_)) => false,
        };
        if request.redeem_on_approval && !is_login {
            reader.violation("redeem_on_approval", "can be set for a login only");
        }
        let (call, operation) = reader.finish(call.zip(operation))?;
        from.require_operation(&operation)?;
        if request.redeem_on_approval {
            from.require_method("ConfirmationService.Redeem")?;
        }
        let create = Create {
            operation,
            redeem_on_approval: request.redeem_on_approval,
        };
        let created = self.0.create(&call, &create).await;
        let created = created.map_err(status::of_error)?;
        Ok(Response::new(created_to_wire(created, &call.subject)))
    }

    async fn get(
        &self,
        request: Request<wire::ConfirmationServiceGetRequest>,
    ) -> Result<Response<wire::ConfirmationServiceGetResponse>, Status> {
        let caller = caller::of_request(&request)?;
        let request = request.into_inner();
        let mut reader = Reader::default();
        let subject = reader.subject(&request.subject_id);
        let id = reader.take("confirmation_id", request.confirmation_id.parse());
        let (subject, id) = reader.finish(subject.zip(id))?;
        let view = self.0.get(&subject, &caller, id).await;
        let view = view.map_err(status::of_error)?;
        Ok(Response::new(wire::ConfirmationServiceGetResponse {
            confirmation: Some(to_wire(view, &subject)),
        }))
    }

    async fn send_code(
        &self,
        request: Request<wire::ConfirmationServiceSendCodeRequest>,
    ) -> Result<Response<wire::ConfirmationServiceSendCodeResponse>, Status> {
        let caller = caller::of_request(&request)?;
        let request = request.into_inner();
        let mut reader = Reader::default();
        let call = reader.call(caller, &request.subject_id, &request.request_id, &request);
        let confirmation = reader.take("confirmation_id", request.confirmation_id.parse());
        let identifier = match request.identifier_id.as_str() {
            "" => Some(None),
            id => reader.identifier("identifier_id", id).map(Some),
        };
        let (call, (confirmation, identifier)) =
            reader.finish(call.zip(confirmation.zip(identifier)))?;
        let send = SendCode {
            confirmation,
            identifier,
        };
        let sent = self.0.send_code(&call, &send).await;
        let sent = sent.map_err(status::of_error)?;
        Ok(Response::new(wire::ConfirmationServiceSendCodeResponse {
            sent_code: Some(sent_to_wire(sent)),
        }))
    }

    async fn submit_proof(
        &self,
        request: Request<wire::ConfirmationServiceSubmitProofRequest>,
    ) -> Result<Response<wire::ConfirmationServiceSubmitProofResponse>, Status> {
        let caller = caller::of_request(&request)?;
        let request = request.into_inner();
        let mut reader = Reader::default();
        let call = reader.call(caller, &request.subject_id, &request.request_id, &request);
        let confirmation = reader.take("confirmation_id", request.confirmation_id.parse());
        let proofs = reader.proofs("proofs", &request.proofs);
        if request.proofs.is_empty() {
            reader.violation("proofs", "must hold a proof");
        }
        let (call, (confirmation, proofs)) = reader.finish(call.zip(confirmation.zip(proofs)))?;
        let submit = SubmitProof {
            confirmation,
            proofs,
        };
        let submitted = self.0.submit_proof(&call, &submit).await;
        let submitted = submitted.map_err(status::of_error)?;
        Ok(Response::new(submitted_to_wire(submitted, &call.subject)))
    }

    async fn cancel(
        &self,
        request: Request<wire::ConfirmationServiceCancelRequest>,
    ) -> Result<Response<wire::ConfirmationServiceCancelResponse>, Status> {
        let caller = caller::of_request(&request)?;
        let request = request.into_inner();
        let mut reader = Reader::default();
        let call = reader.call(caller, &request.subject_id, &request.request_id, &request);
        let id = reader.take("confirmation_id", request.confirmation_id.parse());
        let (call, id) = reader.finish(call.zip(id))?;
        let view = self.0.cancel(&call, id).await;
        let view = view.map_err(status::of_error)?;
        Ok(Response::new(wire::ConfirmationServiceCancelResponse {
            confirmation: Some(to_wire(view, &call.subject)),
        }))
    }

    async fn redeem(
        &self,
        request: Request<wire::ConfirmationServiceRedeemRequest>,
    ) -> Result<Response<wire::ConfirmationServiceRedeemResponse>, Status> {
        let from = caller::identified(&request)?;
        let caller = from.caller.clone();
        let request = request.into_inner();
        let mut reader = Reader::default();
        let call = reader.call(caller, &request.subject_id, &request.request_id, &request);
        let confirmation = reader.take("confirmation_id", request.confirmation_id.parse());
        let operation = reader.operation(request.operation.as_ref());
        let (call, (confirmation, operation)) =
            reader.finish(call.zip(confirmation.zip(operation)))?;
        from.require_operation(&operation)?;
        let redeem = Redeem {
            confirmation,
            operation,
        };
        let view = self.0.redeem(&call, &redeem).await;
        let view = view.map_err(status::of_error)?;
        Ok(Response::new(wire::ConfirmationServiceRedeemResponse {
            confirmation: Some(to_wire(view, &call.subject)),
        }))
    }
}
