//! BackupCodeService.

use std::sync::Arc;

use countersign_mfa::{
    CodesView, CreateMoreCodes, Disable, EnableCodes, NewCodes, Outcome, Platform,
};
use countersign_primitives::ExposeSecret;
use countersign_proto::v1::{
    self as wire, backup_code_service_create_more_response::Outcome as MoreOutcome,
    backup_code_service_disable_response::Outcome as DisableOutcome,
    backup_code_service_enable_response::Outcome as EnableOutcome,
    backup_code_service_server::BackupCodeService,
};
use countersign_security_identifiers::Kind;
use tonic::{Request, Response, Status};

use crate::{
    caller,
    convert::{Reader, identifier::to_wire, time_to_wire},
    status,
};

/// BackupCodeService over the use cases.
#[derive(Clone)]
pub(crate) struct BackupCodes(pub(crate) Arc<Platform>);

#[tonic::async_trait]
impl BackupCodeService for BackupCodes {
    async fn enable(
        &self,
        request: Request<wire::BackupCodeServiceEnableRequest>,
    ) -> Result<Response<wire::BackupCodeServiceEnableResponse>, Status> {
        let caller = caller::of_request(&request)?;
        let request = request.into_inner();
        let mut reader = Reader::default();
        let call = reader.call(caller, &request.subject_id, &request.request_id, &request);
        let label = reader.label(&request.label);
        let authorization = reader.authorization(request.authorization.as_ref());
        let (call, (label, authorization)) = reader.finish(call.zip(label.zip(authorization)))?;
        let enable = EnableCodes {
            label,
            authorization,
        };
        let outcome = self.0.enable_codes(&call, &enable).await;
        let outcome = match outcome.map_err(status::of_error)? {
            Outcome::Done(codes) => EnableOutcome::List(list_to_wire(&codes)),
            Outcome::Rejected => EnableOutcome::Rejected(wire::Rejected {}),
        };
        Ok(Response::new(wire::BackupCodeServiceEnableResponse {
            outcome: Some(outcome),
        }))
    }

    async fn create_more(
        &self,
        request: Request<wire::BackupCodeServiceCreateMoreRequest>,
    ) -> Result<Response<wire::BackupCodeServiceCreateMoreResponse>, Status> {
        let caller = caller::of_request(&request)?;
        let request = request.into_inner();
        let mut reader = Reader::default();
        let call = reader.call(caller, &request.subject_id, &request.request_id, &request);
        let identifier = reader.identifier("identifier_id", &request.identifier_id);
        let proofs = reader.inline(request.proofs.as_ref());
        let (call, (identifier, proofs)) = reader.finish(call.zip(identifier.zip(proofs)))?;
        let more = CreateMoreCodes::new(identifier, proofs);
        let outcome = self.0.create_more_codes(&call, &more).await;
        let outcome = match outcome.map_err(status::of_error)? {
            Outcome::Done(codes) => MoreOutcome::List(list_to_wire(&codes)),
            Outcome::Rejected => MoreOutcome::Rejected(wire::Rejected {}),
        };
        Ok(Response::new(wire::BackupCodeServiceCreateMoreResponse {
            outcome: Some(outcome),
        }))
    }

    async fn finish(
        &self,
        request: Request<wire::BackupCodeServiceFinishRequest>,
    ) -> Result<Response<wire::BackupCodeServiceFinishResponse>, Status> {
        let caller = caller::of_request(&request)?;
        let request = request.into_inner();
        let mut reader = Reader::default();
        let call = reader.call(caller, &request.subject_id, &request.request_id, &request);
        let list = reader.take("list_id", request.list_id.parse());
        let (call, list) = reader.finish(call.zip(list))?;
        let view = self.0.finish_codes(&call, list).await;
        let view = view.map_err(status::of_error)?;
        Ok(Response::new(wire::BackupCodeServiceFinishResponse {
            identifier: Some(to_wire(view)),
        }))
    }

    async fn disable(
        &self,
        request: Request<wire::BackupCodeServiceDisableRequest>,
    ) -> Result<Response<wire::BackupCodeServiceDisableResponse>, Status> {
        let caller = caller::of_request(&request)?;
        let request = request.into_inner();
        let mut reader = Reader::default();
        let call = reader.call(caller, &request.subject_id, &request.request_id, &request);
        let identifier = reader.identifier("identifier_id", &request.identifier_id);
        let authorization = reader.authorization(request.authorization.as_ref());
        let given = identifier.zip(authorization);
        let (call, (identifier, authorization)) = reader.finish(call.zip(given))?;
        let disable = Disable {
            identifier,
            kind: Kind::BackupCodes,
            confirm_last: request.confirm_last,
            authorization,
        };
        let outcome = self.0.disable(&call, &disable).await;
        let outcome = match outcome.map_err(status::of_error)? {
            Outcome::Done(view) => DisableOutcome::Done(to_wire(view)),
            Outcome::Rejected => DisableOutcome::Rejected(wire::Rejected {}),
        };
        Ok(Response::new(wire::BackupCodeServiceDisableResponse {
            outcome: Some(outcome),
        }))
    }

    async fn get_status(
        &self,
        request: Request<wire::BackupCodeServiceGetStatusRequest>,
    ) -> Result<Response<wire::BackupCodeServiceGetStatusResponse>, Status> {
        let request = request.into_inner();
        let mut reader = Reader::default();
        let subject = reader.subject(&request.subject_id);
        let subject = reader.finish(subject)?;
        let view = self.0.codes(&subject).await;
        let view = view.map_err(status::of_error)?;
        Ok(Response::new(status_to_wire(view)))
    }
}

fn list_to_wire(codes: &NewCodes) -> wire::BackupCodeList {
    let printed = codes.codes.iter().map(|code| code.printed());
    wire::BackupCodeList {
        list_id: codes.list.to_string(),
        identifier_id: codes.identifier.to_string(),
        codes: printed
            .map(|code| code.expose_secret().to_owned())
            .collect(),
        expire_time: Some(time_to_wire(codes.expires_at)),
        secret_already_delivered: codes.codes.is_empty(),
    }
}

fn status_to_wire(view: CodesView) -> wire::BackupCodeServiceGetStatusResponse {
    let (list, lapses) = view.pending.unzip();
    wire::BackupCodeServiceGetStatusResponse {
        identifier: view.identifier.map(to_wire),
        codes_total: view.total.try_into().unwrap_or(i32::MAX),
        pending_list_id: list.map_or_else(String::new, |id| id.to_string()),
        pending_expire_time: lapses.map(time_to_wire),
    }
}
