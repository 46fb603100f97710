//! Somebody's phone, and what they do with codes that come to it.

use anyhow::{Context, Result};
use countersign_client::{Client, new_request_id, v1};
use tonic::Status;

use crate::{FakeCarrier, Person, pin_proof};

/// A phone number that somebody enrolled, or begins to.
#[derive(Clone, Debug)]
pub struct Phone {
    /// The identifier's id.
    pub id: String,
    /// The number: + and its digits.
    pub number: String,
}

impl Phone {
    /// A proof by a code that was sent to it.
    pub fn proof(&self, code: &str) -> v1::Proof {
        v1::Proof {
            authenticator: Some(v1::proof::Authenticator::IdentifierId(self.id.clone())),
            code: code.to_owned(),
        }
    }
}

impl Person {
    /// Begins to enrol a number, with everything of the answer.
    ///
    /// # Errors
    /// The status.
    pub async fn begin_sms(
        &self,
        client: &Client,
        request: v1::SmsServiceBeginEnableRequest,
    ) -> Result<v1::SmsServiceBeginEnableResponse, Status> {
        let request = v1::SmsServiceBeginEnableRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            ..request
        };
        Ok(client.sms().begin_enable(request).await?.into_inner())
    }

    /// Begins to enrol a number.
    ///
    /// # Errors
    /// The status.
    pub async fn begin_phone(&self, client: &Client, number: &str) -> Result<Phone, Status> {
        let request = v1::SmsServiceBeginEnableRequest {
            phone_number: number.to_owned(),
            ..Default::default()
        };
        let begun = self.begin_sms(client, request).await?;
        Ok(Phone {
            id: begun.identifier_id,
            number: number.to_owned(),
        })
    }

    /// Ends an enrolment. `None` is the answer to what was rejected.
    ///
    /// # Errors
    /// The status.
    pub async fn confirm_phone(
        &self,
        client: &Client,
        phone: &Phone,
        code: &str,
        purposes: &[v1::Purpose],
        proofs: Vec<v1::Proof>,
    ) -> Result<Option<v1::SecurityIdentifier>, Status> {
        use v1::sms_service_confirm_enable_request::Authorization;
        use v1::sms_service_confirm_enable_response::Outcome;
        let request = v1::SmsServiceConfirmEnableRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            identifier_id: phone.id.clone(),
            code: code.to_owned(),
            purposes: purposes.iter().map(|purpose| (*purpose).into()).collect(),
            authorization: Some(Authorization::Proofs(v1::Proofs { proofs })),
        };
        let answer = client.sms().confirm_enable(request).await?.into_inner();
        match answer.outcome {
            Some(Outcome::Done(identifier)) => Ok(Some(identifier)),
            Some(Outcome::Rejected(v1::Rejected {})) => Ok(None),
            None => Err(Status::internal("an answer without an outcome")),
        }
    }

    /// Enrols a first number with the code that comes to it, and switches it on for these purposes.
    /// The PIN must be set, and nothing else enrolled.
    ///
    /// # Errors
    /// When it is not enrolled.
    pub async fn enrol_phone(
        &self,
        client: &Client,
        carrier: &FakeCarrier,
        number: &str,
        purposes: &[v1::Purpose],
    ) -> Result<Phone> {
        let before = carrier.messages_to(number).len();
        let phone = self.begin_phone(client, number).await?;
        let code = carrier.nth_message_to(number, before + 1).await.code();
        let proofs = vec![pin_proof(&self.pin)];
        let done = self.confirm_phone(client, &phone, &code, purposes, proofs);
        done.await?.context("the number was not enabled")?;
        Ok(phone)
    }

    /// Has a code sent for a confirmation.
    ///
    /// # Errors
    /// The status.
    pub async fn send_code(
        &self,
        client: &Client,
        confirmation: &v1::Confirmation,
        phone: Option<&Phone>,
    ) -> Result<v1::SentCode, Status> {
        let request = v1::ConfirmationServiceSendCodeRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            confirmation_id: confirmation.confirmation_id.clone(),
            identifier_id: phone.map_or_else(String::new, |phone| phone.id.clone()),
        };
        let answer = client.confirmations().send_code(request).await?;
        let sent = answer.into_inner().sent_code;
        sent.ok_or_else(|| Status::internal("an answer without a code"))
    }
}
