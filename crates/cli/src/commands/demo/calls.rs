//! The calls of the story, each with a request id of its own.

pub(super) mod sms;

use countersign_client::{
    Client, new_request_id, reason,
    v1::{
        self, confirmation_service_submit_proof_response::Outcome as Submitted,
        operation::Operation, pin_service_set_response::Outcome as PinSet, proof::Authenticator,
        stage_option::Authenticator as Offered, totp_service_confirm_enable_request::Authorization,
        totp_service_confirm_enable_response::Outcome as Enabled,
    },
};
use tonic::{Response, Status};

/// What a service answered.
pub(super) type Answer<T> = Result<T, Status>;

/// Whether proofs were accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Rejected,
}

/// One caller, about one subject.
pub(super) struct Service {
    client: Client,
    subject_id: String,
}

impl Service {
    pub(super) fn new(client: &Client, subject: &str) -> Self {
        Self {
            client: client.clone(),
            subject_id: subject.to_owned(),
        }
    }

    pub(super) async fn set_pin(&self, new_pin: &str) -> Answer<Verdict> {
        let request = v1::PinServiceSetRequest {
            subject_id: self.subject_id.clone(),
            request_id: new_request_id(),
            new_pin: new_pin.to_owned(),
            authorization: None,
        };
        let response = self.client.pins().set(request).await?.into_inner();
        Ok(match response.outcome {
            Some(PinSet::Done(_)) => Verdict::Accepted,
            Some(PinSet::Rejected(_)) | None => Verdict::Rejected,
        })
    }

    pub(super) async fn begin_totp(&self) -> Answer<v1::TotpServiceBeginEnableResponse> {
        let request = v1::TotpServiceBeginEnableRequest {
            subject_id: self.subject_id.clone(),
            request_id: new_request_id(),
            label: "Phone".to_owned(),
            account_name: "demo".to_owned(),
            ..Default::default()
        };
        let response = self.client.totp().begin_enable(request).await;
        response.map(Response::into_inner)
    }

    pub(super) async fn confirm_totp(
        &self,
        identifier: &str,
        code: &str,
        proofs: Vec<v1::Proof>,
    ) -> Answer<Verdict> {
        let purposes = [v1::Purpose::Login, v1::Purpose::Withdrawal];
        let request = v1::TotpServiceConfirmEnableRequest {
            subject_id: self.subject_id.clone(),
            request_id: new_request_id(),
            identifier_id: identifier.to_owned(),
            code: code.to_owned(),
            purposes: purposes.map(i32::from).to_vec(),
            authorization: Some(Authorization::Proofs(v1::Proofs { proofs })),
        };
        let response = self.client.totp().confirm_enable(request).await?;
        Ok(match response.into_inner().outcome {
            Some(Enabled::Done(_)) => Verdict::Accepted,
            Some(Enabled::Rejected(_)) | None => Verdict::Rejected,
        })
    }

    /// Disables an app.
    pub(super) async fn disable_totp(
        &self,
        identifier: &str,
        proofs: Vec<v1::Proof>,
    ) -> Answer<Verdict> {
        use v1::totp_service_disable_request::Authorization;
        use v1::totp_service_disable_response::Outcome;
        let request = v1::TotpServiceDisableRequest {
            subject_id: self.subject_id.clone(),
            request_id: new_request_id(),
            identifier_id: identifier.to_owned(),
            confirm_last: false,
            authorization: Some(Authorization::Proofs(v1::Proofs { proofs })),
        };
        let response = self.client.totp().disable(request).await?;
        Ok(match response.into_inner().outcome {
            Some(Outcome::Done(_)) => Verdict::Accepted,
            Some(Outcome::Rejected(_)) | None => Verdict::Rejected,
        })
    }

    /// Makes a first list of backup codes.
    pub(super) async fn enable_codes(
        &self,
        proofs: Vec<v1::Proof>,
    ) -> Answer<Option<v1::BackupCodeList>> {
        use v1::backup_code_service_enable_request::Authorization;
        use v1::backup_code_service_enable_response::Outcome;
        let request = v1::BackupCodeServiceEnableRequest {
            subject_id: self.subject_id.clone(),
            request_id: new_request_id(),
            label: String::new(),
            authorization: Some(Authorization::Proofs(v1::Proofs { proofs })),
        };
        let response = self.client.backup_codes().enable(request).await?;
        Ok(match response.into_inner().outcome {
            Some(Outcome::List(list)) => Some(list),
            Some(Outcome::Rejected(_)) | None => None,
        })
    }

    /// Makes another list of backup codes.
    pub(super) async fn create_more_codes(
        &self,
        identifier: &str,
        proof: v1::Proof,
    ) -> Answer<Option<v1::BackupCodeList>> {
        use v1::backup_code_service_create_more_response::Outcome;
        let request = v1::BackupCodeServiceCreateMoreRequest {
            subject_id: self.subject_id.clone(),
            request_id: new_request_id(),
            identifier_id: identifier.to_owned(),
            proofs: Some(v1::Proofs {
                proofs: vec![proof],
            }),
        };
        let response = self.client.backup_codes().create_more(request).await?;
        Ok(match response.into_inner().outcome {
            Some(Outcome::List(list)) => Some(list),
            Some(Outcome::Rejected(_)) | None => None,
        })
    }

    /// Puts a list in force. The answer is how many codes are left.
    pub(super) async fn finish_codes(&self, list: &str) -> Answer<i32> {
        let request = v1::BackupCodeServiceFinishRequest {
            subject_id: self.subject_id.clone(),
            request_id: new_request_id(),
            list_id: list.to_owned(),
        };
        let response = self.client.backup_codes().finish(request).await?;
        let identifier = response.into_inner().identifier.unwrap_or_default();
        Ok(identifier.codes_left.unwrap_or_default())
    }

    pub(super) async fn disable_codes(
        &self,
        identifier: &str,
        confirm_last: bool,
        proof: v1::Proof,
    ) -> Answer<Verdict> {
        use v1::backup_code_service_disable_request::Authorization;
        use v1::backup_code_service_disable_response::Outcome;
        let request = v1::BackupCodeServiceDisableRequest {
            subject_id: self.subject_id.clone(),
            request_id: new_request_id(),
            identifier_id: identifier.to_owned(),
            confirm_last,
            authorization: Some(Authorization::Proofs(v1::Proofs {
                proofs: vec![proof],
            })),
        };
        let response = self.client.backup_codes().disable(request).await?;
        Ok(match response.into_inner().outcome {
            Some(Outcome::Done(_)) => Verdict::Accepted,
            Some(Outcome::Rejected(_)) | None => Verdict::Rejected,
        })
    }

    /// Switches an identifier on for logins and withdrawals.
    pub(super) async fn switch_on(&self, identifier: &str, proof: v1::Proof) -> Answer<Verdict> {
        use v1::identifier_service_set_purposes_request::Authorization;
        use v1::identifier_service_set_purposes_response::Outcome;
        let purposes = [v1::Purpose::Login, v1::Purpose::Withdrawal];
        let request = v1::IdentifierServiceSetPurposesRequest {
            subject_id: self.subject_id.clone(),
            request_id: new_request_id(),
            identifier_id: identifier.to_owned(),
            switch_on: purposes.map(i32::from).to_vec(),
            switch_off: Vec::new(),
            authorization: Some(Authorization::Proofs(v1::Proofs {
                proofs: vec![proof],
            })),
        };
        let response = self.client.identifiers().set_purposes(request).await?;
        Ok(match response.into_inner().outcome {
            Some(Outcome::Done(_)) => Verdict::Accepted,
            Some(Outcome::Rejected(_)) | None => Verdict::Rejected,
        })
    }

    /// The latest events.
    pub(super) async fn events(&self, most: i32) -> Answer<Vec<v1::SecurityEvent>> {
        let request = v1::IdentifierServiceListEventsRequest {
            subject_id: self.subject_id.clone(),
            page_size: most,
            page_token: String::new(),
        };
        let response = self.client.identifiers().list_events(request).await?;
        Ok(response.into_inner().events)
    }

    pub(super) async fn create(
        &self,
        operation: v1::Operation,
    ) -> Answer<v1::ConfirmationServiceCreateResponse> {
        let request = v1::ConfirmationServiceCreateRequest {
            subject_id: self.subject_id.clone(),
            request_id: new_request_id(),
            operation: Some(operation),
            redeem_on_approval: false,
        };
        let response = self.client.confirmations().create(request).await;
        response.map(Response::into_inner)
    }

    pub(super) async fn submit(
        &self,
        confirmation: &str,
        proof: v1::Proof,
    ) -> Answer<(Verdict, v1::Confirmation)> {
        let request = v1::ConfirmationServiceSubmitProofRequest {
            subject_id: self.subject_id.clone(),
            request_id: new_request_id(),
            confirmation_id: confirmation.to_owned(),
            proofs: vec![proof],
        };
        let response = self
            .client
            .confirmations()
            .submit_proof(request)
            .await?
            .into_inner();
        let verdict = match response.outcome {
            Some(Submitted::Accepted(_)) => Verdict::Accepted,
            Some(Submitted::Rejected(_)) | None => Verdict::Rejected,
        };
        Ok((verdict, response.confirmation.unwrap_or_default()))
    }

    pub(super) async fn cancel(&self, confirmation: &str) -> Answer<v1::Confirmation> {
        let request = v1::ConfirmationServiceCancelRequest {
            subject_id: self.subject_id.clone(),
            request_id: new_request_id(),
            confirmation_id: confirmation.to_owned(),
        };
        let response = self.client.confirmations().cancel(request).await?;
        Ok(response.into_inner().confirmation.unwrap_or_default())
    }

    pub(super) async fn redeem(
        &self,
        confirmation: &str,
        operation: v1::Operation,
    ) -> Answer<v1::Confirmation> {
        let request = v1::ConfirmationServiceRedeemRequest {
            subject_id: self.subject_id.clone(),
            request_id: new_request_id(),
            confirmation_id: confirmation.to_owned(),
            operation: Some(operation),
        };
        let response = self.client.confirmations().redeem(request).await?;
        Ok(response.into_inner().confirmation.unwrap_or_default())
    }
}

/// A login from one place.
pub(super) fn login() -> v1::Operation {
    let login = v1::Login {
        ip_address: "203.0.113.7".to_owned(),
        user_agent: "countersign demo".to_owned(),
        device_id: "demo-device".to_owned(),
    };
    v1::Operation {
        operation: Some(Operation::Login(login)),
    }
}

/// A withdrawal of this many euros to one account.
pub(super) fn withdrawal(euros: i64) -> v1::Operation {
    let amount = v1::Money {
        currency_code: "EUR".to_owned(),
        units: euros,
        nanos: 0,
    };
    let withdrawal = v1::Withdrawal {
        source_account: "trading-1001".to_owned(),
        amount: Some(amount),
        destination: "DE89370400440532013000".to_owned(),
        payment_method: "bank-transfer".to_owned(),
    };
    v1::Operation {
        operation: Some(Operation::Withdrawal(withdrawal)),
    }
}

/// The PIN as a proof.
pub(super) fn proof_by_pin(pin: &str) -> v1::Proof {
    v1::Proof {
        code: pin.to_owned(),
        authenticator: Some(Authenticator::Pin(v1::Pin {})),
    }
}

/// An identifier's code as a proof.
pub(super) fn proof_by_code(identifier: &str, code: &str) -> v1::Proof {
    v1::Proof {
        code: code.to_owned(),
        authenticator: Some(Authenticator::IdentifierId(identifier.to_owned())),
    }
}

/// The stages of a confirmation's first path, in words.
pub(super) fn stages(confirmation: &v1::Confirmation) -> String {
    let options = |stage: &v1::Stage| {
        let options = stage
            .options
            .iter()
            .map(|option| match &option.authenticator {
                Some(Offered::Identifier(identifier)) => {
                    format!("a code of \"{}\"", identifier.label)
                }
                Some(Offered::Pin(_)) => "the PIN".to_owned(),
                None => "nothing known".to_owned(),
            });
        options.collect::<Vec<_>>().join(" or ")
    };
    let path = confirmation.paths.first();
    let stages = path.map(|path| path.stages.iter().map(options).collect::<Vec<_>>());
    stages.unwrap_or_default().join(", then ")
}

/// A status in a few words.
pub(super) fn status_in_words(status: &Status) -> String {
    match reason(status) {
        Some(reason) => format!("{reason} ({})", status.message()),
        None => format!("{:?} ({})", status.code(), status.message()),
    }
}
