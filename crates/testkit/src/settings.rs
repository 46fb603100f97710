//! What somebody does in their personal area. `None` is the answer to proofs that were rejected.

use countersign_client::{Client, new_request_id, v1};
use tonic::Status;

use crate::{App, Person};

impl Person {
    /// Begins to enrol an app, with everything of the answer.
    ///
    /// # Errors
    /// The status.
    pub async fn begin_enable(
        &self,
        client: &Client,
        request: v1::TotpServiceBeginEnableRequest,
    ) -> Result<v1::TotpServiceBeginEnableResponse, Status> {
        let request = v1::TotpServiceBeginEnableRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            ..request
        };
        let answer = client.totp().begin_enable(request).await?;
        Ok(answer.into_inner())
    }

    /// Ends an enrolment.
    ///
    /// # Errors
    /// The status.
    pub async fn confirm_enable(
        &self,
        client: &Client,
        app: &App,
        code: &str,
        purposes: &[v1::Purpose],
        proofs: Vec<v1::Proof>,
    ) -> Result<Option<v1::SecurityIdentifier>, Status> {
        use v1::totp_service_confirm_enable_request::Authorization;
        use v1::totp_service_confirm_enable_response::Outcome;
        let request = v1::TotpServiceConfirmEnableRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            identifier_id: app.id.clone(),
            code: code.to_owned(),
            purposes: numbers(purposes),
            authorization: Some(Authorization::Proofs(v1::Proofs { proofs })),
        };
        let answer = client.totp().confirm_enable(request).await?.into_inner();
        match answer.outcome {
            Some(Outcome::Done(identifier)) => Ok(Some(identifier)),
            Some(Outcome::Rejected(v1::Rejected {})) => Ok(None),
            None => Err(Status::internal("an answer without an outcome")),
        }
    }

    /// Disables an app.
    ///
    /// # Errors
    /// The status.
    pub async fn disable(
        &self,
        client: &Client,
        app: &App,
        confirm_last: bool,
        proofs: Vec<v1::Proof>,
    ) -> Result<Option<v1::SecurityIdentifier>, Status> {
        use v1::totp_service_disable_request::Authorization;
        use v1::totp_service_disable_response::Outcome;
        let request = v1::TotpServiceDisableRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            identifier_id: app.id.clone(),
            confirm_last,
            authorization: Some(Authorization::Proofs(v1::Proofs { proofs })),
        };
        let answer = client.totp().disable(request).await?.into_inner();
        match answer.outcome {
            Some(Outcome::Done(identifier)) => Ok(Some(identifier)),
            Some(Outcome::Rejected(v1::Rejected {})) => Ok(None),
            None => Err(Status::internal("an answer without an outcome")),
        }
    }

    /// Switches an app on and off.
    ///
    /// # Errors
    /// The status.
    pub async fn switch(
        &self,
        client: &Client,
        app: &App,
        on: &[v1::Purpose],
        off: &[v1::Purpose],
        proofs: Vec<v1::Proof>,
    ) -> Result<Option<v1::SecurityIdentifier>, Status> {
        self.switch_by_id(client, &app.id, on, off, proofs).await
    }

    /// Switches an identifier on and off.
    ///
    /// # Errors
    /// The status.
    pub async fn switch_by_id(
        &self,
        client: &Client,
        id: &str,
        on: &[v1::Purpose],
        off: &[v1::Purpose],
        proofs: Vec<v1::Proof>,
    ) -> Result<Option<v1::SecurityIdentifier>, Status> {
        use v1::identifier_service_set_purposes_request::Authorization;
        use v1::identifier_service_set_purposes_response::Outcome;
        let request = v1::IdentifierServiceSetPurposesRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            identifier_id: id.to_owned(),
            switch_on: numbers(on),
            switch_off: numbers(off),
            authorization: Some(Authorization::Proofs(v1::Proofs { proofs })),
        };
        let answer = client.identifiers().set_purposes(request).await?;
        match answer.into_inner().outcome {
            Some(Outcome::Done(identifier)) => Ok(Some(identifier)),
            Some(Outcome::Rejected(v1::Rejected {})) => Ok(None),
            None => Err(Status::internal("an answer without an outcome")),
        }
    }

    /// Sets a first PIN.
    ///
    /// # Errors
    /// The status.
    pub async fn set_first_pin(
        &self,
        client: &Client,
        new_pin: &str,
        proofs: Vec<v1::Proof>,
    ) -> Result<Option<v1::PinStatus>, Status> {
        use v1::pin_service_set_request::Authorization;
        use v1::pin_service_set_response::Outcome;
        let request = v1::PinServiceSetRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            new_pin: new_pin.to_owned(),
            authorization: Some(Authorization::Proofs(v1::Proofs { proofs })),
        };
        match client.pins().set(request).await?.into_inner().outcome {
            Some(Outcome::Done(status)) => Ok(Some(status)),
            Some(Outcome::Rejected(v1::Rejected {})) => Ok(None),
            None => Err(Status::internal("an answer without an outcome")),
        }
    }

    /// Changes the PIN.
    ///
    /// # Errors
    /// The status.
    pub async fn change_pin(
        &self,
        client: &Client,
        new_pin: &str,
        proofs: Vec<v1::Proof>,
    ) -> Result<Option<v1::PinStatus>, Status> {
        use v1::pin_service_change_request::Authorization;
        use v1::pin_service_change_response::Outcome;
        let request = v1::PinServiceChangeRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            new_pin: new_pin.to_owned(),
            authorization: Some(Authorization::Proofs(v1::Proofs { proofs })),
        };
        match client.pins().change(request).await?.into_inner().outcome {
            Some(Outcome::Done(status)) => Ok(Some(status)),
            Some(Outcome::Rejected(v1::Rejected {})) => Ok(None),
            None => Err(Status::internal("an answer without an outcome")),
        }
    }

    /// Lists their identifiers, those disabled for good too, and their PIN.
    ///
    /// # Errors
    /// The status.
    pub async fn list(&self, client: &Client) -> Result<v1::IdentifierServiceListResponse, Status> {
        let request = v1::IdentifierServiceListRequest {
            subject_id: self.subject.clone(),
            show_disabled: true,
            ..Default::default()
        };
        let answer = client.identifiers().list(request).await?;
        Ok(answer.into_inner())
    }

    /// Lists what happened to them, the latest of it.
    ///
    /// # Errors
    /// The status.
    pub async fn events(&self, client: &Client) -> Result<Vec<v1::SecurityEvent>, Status> {
        let request = v1::IdentifierServiceListEventsRequest {
            subject_id: self.subject.clone(),
            ..Default::default()
        };
        let answer = client.identifiers().list_events(request).await?;
        Ok(answer.into_inner().events)
    }

    /// Looks at a confirmation.
    ///
    /// # Errors
    /// The status.
    pub async fn get(
        &self,
        client: &Client,
        confirmation: &str,
    ) -> Result<v1::Confirmation, Status> {
        let request = v1::ConfirmationServiceGetRequest {
            subject_id: self.subject.clone(),
            confirmation_id: confirmation.to_owned(),
        };
        let answer = client.confirmations().get(request).await?.into_inner();
        answer
            .confirmation
            .ok_or_else(|| Status::internal("an answer without a confirmation"))
    }

    /// Withdraws a confirmation.
    ///
    /// # Errors
    /// The status.
    pub async fn cancel(
        &self,
        client: &Client,
        confirmation: &str,
    ) -> Result<v1::Confirmation, Status> {
        let request = v1::ConfirmationServiceCancelRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            confirmation_id: confirmation.to_owned(),
        };
        let answer = client.confirmations().cancel(request).await?.into_inner();
        answer
            .confirmation
            .ok_or_else(|| Status::internal("an answer without a confirmation"))
    }
}

fn numbers(purposes: &[v1::Purpose]) -> Vec<i32> {
    purposes.iter().map(|purpose| *purpose as i32).collect()
}
