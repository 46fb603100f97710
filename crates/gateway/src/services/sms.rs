//! SmsService.

use std::sync::Arc;

use countersign_mfa::{BeginSms, BegunSms, ConfirmSms, Disable, Outcome, Platform};
use countersign_proto::v1::{
    self as wire, sms_service_confirm_enable_response::Outcome as ConfirmOutcome,
    sms_service_disable_response::Outcome as DisableOutcome, sms_service_server::SmsService,
};
use countersign_security_identifiers::Kind;
use countersign_sms_codes::{Countries, PhoneNumber};
use countersign_sms_text::{Texts, parse_word};
use tonic::{Request, Response, Status};

use crate::{
    caller,
    convert::{Reader, confirmation::sent_to_wire, identifier::to_wire, time_to_wire},
    status,
};

/// SmsService over the use cases.
#[derive(Clone)]
pub(crate) struct Phones(pub(crate) Arc<Platform>);

#[tonic::async_trait]
impl SmsService for Phones {
    async fn begin_enable(
        &self,
        request: Request<wire::SmsServiceBeginEnableRequest>,
    ) -> Result<Response<wire::SmsServiceBeginEnableResponse>, Status> {
        let caller = caller::of_request(&request)?;
        let request = request.into_inner();
        let mut reader = Reader::default();
        let call = reader.call(caller, &request.subject_id, &request.request_id, &request);
        let begin = self.begin(&mut reader, &request);
        let (call, begin) = reader.finish(call.zip(begin))?;
        let begun = self.0.begin_sms(&call, &begin).await;
        let begun = begun.map_err(status::of_error)?;
        Ok(Response::new(begun_to_wire(begun)))
    }

    async fn confirm_enable(
        &self,
        request: Request<wire::SmsServiceConfirmEnableRequest>,
    ) -> Result<Response<wire::SmsServiceConfirmEnableResponse>, Status> {
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
        let confirm = ConfirmSms {
            identifier,
            code,
            purposes,
            authorization,
        };
        let outcome = self.0.confirm_sms(&call, &confirm).await;
        let outcome = match outcome.map_err(status::of_error)? {
            Outcome::Done(view) => ConfirmOutcome::Done(to_wire(view)),
            Outcome::Rejected => ConfirmOutcome::Rejected(wire::Rejected {}),
        };
        Ok(Response::new(wire::SmsServiceConfirmEnableResponse {
            outcome: Some(outcome),
        }))
    }

    async fn disable(
        &self,
        request: Request<wire::SmsServiceDisableRequest>,
    ) -> Result<Response<wire::SmsServiceDisableResponse>, Status> {
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
            kind: Kind::Sms,
            confirm_last: request.confirm_last,
            authorization,
        };
        let outcome = self.0.disable(&call, &disable).await;
        let outcome = match outcome.map_err(status::of_error)? {
            Outcome::Done(view) => DisableOutcome::Done(to_wire(view)),
            Outcome::Rejected => DisableOutcome::Rejected(wire::Rejected {}),
        };
        Ok(Response::new(wire::SmsServiceDisableResponse {
            outcome: Some(outcome),
        }))
    }
}

impl Phones {
    fn begin(
        &self,
        reader: &mut Reader,
        request: &wire::SmsServiceBeginEnableRequest,
    ) -> Option<BeginSms> {
        let sms = self.0.settings().sms.as_deref();
        let countries = sms.map_or(&Countries::All, |sms| &sms.countries);
        let number = PhoneNumber::parse(&request.phone_number, countries);
        let number = reader.take("phone_number", number);
        let locale = match (request.locale.as_str(), sms) {
            ("", Some(sms)) => Some(sms.texts.fallback().clone()),
            // Nothing is sent there, so no language is needed.
            ("", None) => reader.take("locale", Texts::parse_locale("en")),
            (locale, _) => reader.take("locale", Texts::parse_locale(locale)),
        };
        let word = match request.word.as_str() {
            "" => Some(None),
            word => reader.take("word", parse_word(word)).map(Some),
        };
        let label = reader.label(&request.label);
        Some(BeginSms {
            label: label?,
            number: number?,
            locale: locale?,
            word: word?,
        })
    }
}

fn begun_to_wire(begun: BegunSms) -> wire::SmsServiceBeginEnableResponse {
    wire::SmsServiceBeginEnableResponse {
        identifier_id: begun.sent.identifier.to_string(),
        expire_time: Some(time_to_wire(begun.lapses_at)),
        sent_code: Some(sent_to_wire(begun.sent)),
    }
}
