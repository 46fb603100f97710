//! TotpService.

use std::sync::Arc;

use countersign_mfa::{BeginTotp, BegunTotp, ConfirmTotp, Disable, Outcome, Platform};
use countersign_primitives::ExposeSecret;
use countersign_proto::v1::{
    self as wire, totp_service_confirm_enable_response::Outcome as ConfirmOutcome,
    totp_service_disable_response::Outcome as DisableOutcome, totp_service_server::TotpService,
};
use countersign_security_identifiers::Kind;
use countersign_totp::{Algorithm, Digits};
use tonic::{Request, Response, Status};

use crate::{
    caller,
    convert::{Reader, identifier::to_wire, time_to_wire},
    status,
};

/// TotpService over the use cases.
#[derive(Clone)]
pub(crate) struct Totps(pub(crate) Arc<Platform>);

#[tonic::async_trait]
impl TotpService for Totps {
    async fn begin_enable(
        &self,
        request: Request<wire::TotpServiceBeginEnableRequest>,
    ) -> Result<Response<wire::TotpServiceBeginEnableResponse>, Status> {
        let caller = caller::of_request(&request)?;
        let request = request.into_inner();
        let mut reader = Reader::default();
        let call = reader.call(caller, &request.subject_id, &request.request_id, &request);
        let begin = begin(&mut reader, &request);
        let (call, begin) = reader.finish(call.zip(begin))?;
        let begun = self.0.begin_totp(&call, &begin).await;
        let begun = begun.map_err(status::of_error)?;
        Ok(Response::new(begun_to_wire(begun)))
    }

    async fn confirm_enable(
        &self,
        request: Request<wire::TotpServiceConfirmEnableRequest>,
    ) -> Result<Response<wire::TotpServiceConfirmEnableResponse>, Status> {
        let from = caller::identified(&request)?;
        let caller = from.caller.clone();
        let request = request.into_inner();
        let mut reader = Reader::default();
        let call = reader.call(caller, &request.subject_id, &request.request_id, &request);
        let identifier = reader.identifier("identifier_id", &request.identifier_id);
        let code = reader.code("code", &request.code);
        let purposes = reader.purposes("purposes", &request.purposes);
        let authorization = reader.authorization(request.authorization.as_ref());
        let given = identifier.zip(code).zip(authorization);
        let (call, ((identifier, code), authorization)) = reader.finish(call.zip(given))?;
        from.require_purposes(purposes)?;
        let confirm = ConfirmTotp {
            identifier,
            code,
            purposes,
            authorization,
        };
        let outcome = self.0.confirm_totp(&call, &confirm).await;
        let outcome = match outcome.map_err(status::of_error)? {
            Outcome::Done(view) => ConfirmOutcome::Done(to_wire(view)),
            Outcome::Rejected => ConfirmOutcome::Rejected(wire::Rejected {}),
        };
        Ok(Response::new(wire::TotpServiceConfirmEnableResponse {
            outcome: Some(outcome),
        }))
    }

    async fn disable(
        &self,
        request: Request<wire::TotpServiceDisableRequest>,
    ) -> Result<Response<wire::TotpServiceDisableResponse>, Status> {
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
            kind: Kind::Totp,
            confirm_last: request.confirm_last,
            authorization,
        };
        let outcome = self.0.disable(&call, &disable).await;
        let outcome = match outcome.map_err(status::of_error)? {
            Outcome::Done(view) => DisableOutcome::Done(to_wire(view)),
            Outcome::Rejected => DisableOutcome::Rejected(wire::Rejected {}),
        };
        Ok(Response::new(wire::TotpServiceDisableResponse {
            outcome: Some(outcome),
        }))
    }
}

fn begin(reader: &mut Reader, request: &wire::TotpServiceBeginEnableRequest) -> Option<BeginTotp> {
    let label = reader.label(&request.label);
    let algorithm = match wire::TotpAlgorithm::try_from(request.algorithm) {
        Ok(wire::TotpAlgorithm::Unspecified | wire::TotpAlgorithm::Sha1) => Ok(Algorithm::Sha1),
        Ok(wire::TotpAlgorithm::Sha256) => Ok(Algorithm::Sha256),
        Ok(wire::TotpAlgorithm::Sha512) => Ok(Algorithm::Sha512),
        Err(_) => Err("must be one of the algorithms, or unspecified for SHA-1"),
    };
    let algorithm = reader.take("algorithm", algorithm);
    let digits = match request.digits {
        0 | 6 => Ok(Digits::Six),
        8 => Ok(Digits::Eight),
        _ => Err("must be 6, 8, or 0 for 6"),
    };
    let digits = reader.take("digits", digits);
    let account = match request.account_name.as_str() {
        "" => None,
        account => Some(reader.text("account_name", account, 1..=128)),
    };
    Some(BeginTotp {
        label: label?,
        algorithm: algorithm?,
        digits: digits?,
        account,
    })
}

fn begun_to_wire(begun: BegunTotp) -> wire::TotpServiceBeginEnableResponse {
    let mut response = wire::TotpServiceBeginEnableResponse {
        identifier_id: begun.identifier.to_string(),
        expire_time: Some(time_to_wire(begun.expires_at)),
        secret_already_delivered: begun.provisioning.is_none(),
        ..Default::default()
    };
    if let Some(told) = begun.provisioning {
        response.secret_base32 = told.secret_base32.expose_secret().to_owned();
        response.otpauth_uri = told.otpauth_uri.expose_secret().to_owned();
        response.qr_png = told.qr_png.expose().to_vec();
    }
    response
}
