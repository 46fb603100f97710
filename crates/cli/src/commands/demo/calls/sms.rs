//! The calls that are about codes sent by SMS.

use countersign_client::{new_request_id, v1};
use tonic::{Response, Status};

use super::{super::super::dev_inbox, Answer, Service, Verdict};

impl Service {
    /// The messages to a number that would have been sent, the latest first.
    pub(in super::super) async fn inbox(&self, number: &str) -> Answer<Vec<v1::InboxMessage>> {
        dev_inbox::messages(&self.client, number).await
    }

    pub(in super::super) async fn begin_sms(
        &self,
        number: &str,
        word: &str,
    ) -> Answer<v1::SmsServiceBeginEnableResponse> {
        let request = v1::SmsServiceBeginEnableRequest {
            subject_id: self.subject_id.clone(),
            request_id: new_request_id(),
            label: "New phone".to_owned(),
            phone_number: number.to_owned(),
            locale: "en".to_owned(),
            word: word.to_owned(),
        };
        let response = self.client.sms().begin_enable(request).await;
        response.map(Response::into_inner)
    }

    pub(in super::super) async fn confirm_sms(
        &self,
        identifier: &str,
        code: &str,
        proofs: Vec<v1::Proof>,
    ) -> Answer<Verdict> {
        use v1::sms_service_confirm_enable_request::Authorization;
        use v1::sms_service_confirm_enable_response::Outcome;
        let purposes = [v1::Purpose::Login, v1::Purpose::Withdrawal];
        let request = v1::SmsServiceConfirmEnableRequest {
            subject_id: self.subject_id.clone(),
            request_id: new_request_id(),
            identifier_id: identifier.to_owned(),
            code: code.to_owned(),
            purposes: purposes.map(i32::from).to_vec(),
            authorization: Some(Authorization::Proofs(v1::Proofs { proofs })),
        };
        let response = self.client.sms().confirm_enable(request).await?;
        Ok(match response.into_inner().outcome {
            Some(Outcome::Done(_)) => Verdict::Accepted,
            Some(Outcome::Rejected(_)) | None => Verdict::Rejected,
        })
    }

    /// Disables a phone, the last identifier there is, by a confirmation of just that.
    pub(in super::super) async fn disable_sms(
        &self,
        identifier: &str,
        confirmation: &str,
    ) -> Answer<Verdict> {
        use v1::sms_service_disable_request::Authorization;
        use v1::sms_service_disable_response::Outcome;
        let request = v1::SmsServiceDisableRequest {
            subject_id: self.subject_id.clone(),
            request_id: new_request_id(),
            identifier_id: identifier.to_owned(),
            confirm_last: true,
            authorization: Some(Authorization::ConfirmationId(confirmation.to_owned())),
        };
        let response = self.client.sms().disable(request).await?;
        Ok(match response.into_inner().outcome {
            Some(Outcome::Done(_)) => Verdict::Accepted,
            Some(Outcome::Rejected(_)) | None => Verdict::Rejected,
        })
    }

    /// Has a code sent for a confirmation, to the one number that it takes a code of.
    pub(in super::super) async fn send_code(&self, confirmation: &str) -> Answer<v1::SentCode> {
        let request = v1::ConfirmationServiceSendCodeRequest {
            subject_id: self.subject_id.clone(),
            request_id: new_request_id(),
            confirmation_id: confirmation.to_owned(),
            identifier_id: String::new(),
        };
        let response = self.client.confirmations().send_code(request).await?;
        let sent = response.into_inner().sent_code;
        sent.ok_or_else(|| Status::internal("an answer without a code"))
    }
}

/// The change that disables an identifier, the last there is.
pub(in super::super) fn disabling(identifier: &str) -> v1::Operation {
    use v1::{operation::Operation, settings_change::Change};
    let change = v1::DisableIdentifierChange {
        identifier_id: identifier.to_owned(),
        confirm_last: true,
    };
    let change = v1::SettingsChange {
        change: Some(Change::DisableIdentifier(change)),
    };
    v1::Operation {
        operation: Some(Operation::SettingsChange(change)),
    }
}
