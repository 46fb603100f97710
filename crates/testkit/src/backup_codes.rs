//! What somebody does with backup codes. `None` is the answer to proofs that were rejected.

use anyhow::{Context, Result};
use countersign_client::{Client, new_request_id, v1};
use tonic::Status;

use crate::{Person, pin_proof};

/// A printed list of backup codes.
#[derive(Clone, Debug)]
pub struct Codes {
    /// The identifier's id.
    pub id: String,
    /// The id of the list.
    pub list: String,
    /// The codes as they are printed; empty where they were delivered before.
    pub codes: Vec<String>,
}

impl Codes {
    /// A proof by the code at this place.
    pub fn proof(&self, place: usize) -> v1::Proof {
        self.typed(&self.codes[place])
    }

    /// A proof by whatever was typed.
    pub fn typed(&self, typed: &str) -> v1::Proof {
        v1::Proof {
            authenticator: Some(v1::proof::Authenticator::IdentifierId(self.id.clone())),
            code: typed.to_owned(),
        }
    }

    fn shown(list: v1::BackupCodeList) -> Self {
        Self {
            id: list.identifier_id,
            list: list.list_id,
            codes: list.codes,
        }
    }
}

/// A code of the right form that is on no list but by a chance of one in 2^75.
pub const NO_CODE: &str = "00000-11111-22222";

impl Person {
    /// Has a first list made.
    ///
    /// # Errors
    /// The status.
    pub async fn enable_codes(
        &self,
        client: &Client,
        proofs: Vec<v1::Proof>,
    ) -> Result<Option<Codes>, Status> {
        use v1::backup_code_service_enable_request::Authorization;
        use v1::backup_code_service_enable_response::Outcome;
        let request = v1::BackupCodeServiceEnableRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            label: String::new(),
            authorization: Some(Authorization::Proofs(v1::Proofs { proofs })),
        };
        match client
            .backup_codes()
            .enable(request)
            .await?
            .into_inner()
            .outcome
        {
            Some(Outcome::List(list)) => Ok(Some(Codes::shown(list))),
            Some(Outcome::Rejected(v1::Rejected {})) => Ok(None),
            None => Err(Status::internal("an answer without an outcome")),
        }
    }

    /// Has another list made.
    ///
    /// # Errors
    /// The status.
    pub async fn create_more(
        &self,
        client: &Client,
        codes: &Codes,
        proofs: Vec<v1::Proof>,
    ) -> Result<Option<Codes>, Status> {
        use v1::backup_code_service_create_more_response::Outcome;
        let request = v1::BackupCodeServiceCreateMoreRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            identifier_id: codes.id.clone(),
            proofs: Some(v1::Proofs { proofs }),
        };
        let answer = client.backup_codes().create_more(request).await?;
        match answer.into_inner().outcome {
            Some(Outcome::List(list)) => Ok(Some(Codes::shown(list))),
            Some(Outcome::Rejected(v1::Rejected {})) => Ok(None),
            None => Err(Status::internal("an answer without an outcome")),
        }
    }

    /// Puts a list in force.
    ///
    /// # Errors
    /// The status.
    pub async fn finish(
        &self,
        client: &Client,
        codes: &Codes,
    ) -> Result<v1::SecurityIdentifier, Status> {
        let request = v1::BackupCodeServiceFinishRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            list_id: codes.list.clone(),
        };
        let answer = client.backup_codes().finish(request).await?.into_inner();
        answer
            .identifier
            .ok_or_else(|| Status::internal("an answer without an identifier"))
    }

    /// Disables the codes.
    ///
    /// # Errors
    /// The status.
    pub async fn disable_codes(
        &self,
        client: &Client,
        codes: &Codes,
        confirm_last: bool,
        proofs: Vec<v1::Proof>,
    ) -> Result<Option<v1::SecurityIdentifier>, Status> {
        use v1::backup_code_service_disable_request::Authorization;
        use v1::backup_code_service_disable_response::Outcome;
        let request = v1::BackupCodeServiceDisableRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            identifier_id: codes.id.clone(),
            confirm_last,
            authorization: Some(Authorization::Proofs(v1::Proofs { proofs })),
        };
        match client
            .backup_codes()
            .disable(request)
            .await?
            .into_inner()
            .outcome
        {
            Some(Outcome::Done(identifier)) => Ok(Some(identifier)),
            Some(Outcome::Rejected(v1::Rejected {})) => Ok(None),
            None => Err(Status::internal("an answer without an outcome")),
        }
    }

    /// Looks at the codes.
    ///
    /// # Errors
    /// The status.
    pub async fn codes_status(
        &self,
        client: &Client,
    ) -> Result<v1::BackupCodeServiceGetStatusResponse, Status> {
        let request = v1::BackupCodeServiceGetStatusRequest {
            subject_id: self.subject.clone(),
        };
        let answer = client.backup_codes().get_status(request).await?;
        Ok(answer.into_inner())
    }

    /// Somebody new with a PIN and finished codes. Where they are on for a purpose, the first code is
    /// used up: it switched them on.
    ///
    /// # Errors
    /// When they are not enabled, or not switched on.
    pub async fn with_codes(client: &Client, purposes: &[v1::Purpose]) -> Result<(Self, Codes)> {
        let person = Self::new();
        person.set_pin(client).await?;
        let codes = person.enrol_codes(client, None).await?;
        if !purposes.is_empty() {
            let proofs = vec![codes.proof(0)];
            let switched = person.switch_by_id(client, &codes.id, purposes, &[], proofs);
            switched.await?.context("a right code was rejected")?;
        }
        Ok((person, codes))
    }

    /// Enrols backup codes with the PIN and, where an identifier exists, a code of it.
    ///
    /// # Errors
    /// When they are not enabled.
    pub async fn enrol_codes(&self, client: &Client, more: Option<v1::Proof>) -> Result<Codes> {
        let proofs = std::iter::once(pin_proof(&self.pin)).chain(more).collect();
        let codes = self.enable_codes(client, proofs).await?;
        let codes = codes.context("the proofs were rejected")?;
        self.finish(client, &codes).await?;
        Ok(codes)
    }
}
