//! Somebody with a PIN and authenticator apps.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use countersign_client::{Client, new_request_id, reason, v1};
use countersign_primitives::{Clock, ExposeSecret, SecretBytes, SystemClock, Timestamp};
use countersign_totp::{Algorithm, Authenticator, Digits, Step};
use tonic::Status;

/// The present instant of the machine.
pub fn now() -> Timestamp {
    SystemClock.now()
}

/// The present instant, once an app's code has some seconds left: what is computed now is taken then,
/// and so is the code before it.
pub async fn early_in_step() -> Timestamp {
    const STEP: i64 = 30_000;
    const LEFT: i64 = 10_000;
    let left = STEP - now().as_millis().rem_euclid(STEP);
    if left < LEFT {
        let rest = Duration::from_millis(left.unsigned_abs());
        tokio::time::sleep(rest).await;
    }
    now()
}

/// The reason of an error; empty where it has none.
pub fn reason_of(status: &Status) -> String {
    reason(status).unwrap_or_default()
}

/// A proof by the PIN.
pub fn pin_proof(pin: &str) -> v1::Proof {
    v1::Proof {
        authenticator: Some(v1::proof::Authenticator::Pin(v1::Pin {})),
        code: pin.to_owned(),
    }
}

/// A proof by an app.
pub fn app_proof(app: &App, code: &str) -> v1::Proof {
    v1::Proof {
        authenticator: Some(v1::proof::Authenticator::IdentifierId(app.id.clone())),
        code: code.to_owned(),
    }
}

/// An authenticator app.
#[derive(Clone, Debug)]
pub struct App {
    /// The identifier's id.
    pub id: String,
    /// The seed, as it was shown.
    pub secret_base32: String,
    authenticator: Authenticator,
}

impl App {
    /// The app that was told this at the beginning of an enrolment.
    ///
    /// # Errors
    /// When the seed is no base32.
    pub fn told(begun: &v1::TotpServiceBeginEnableResponse) -> Result<Self> {
        let seed = data_encoding::BASE32_NOPAD.decode(begun.secret_base32.as_bytes())?;
        let algorithm = match seed.len() {
            20 => Algorithm::Sha1,
            32 => Algorithm::Sha256,
            64 => Algorithm::Sha512,
            length => bail!("a seed of {length} bytes"),
        };
        let digits = if begun.otpauth_uri.contains("digits=8") {
            Digits::Eight
        } else {
            Digits::Six
        };
        Ok(Self {
            id: begun.identifier_id.clone(),
            secret_base32: begun.secret_base32.clone(),
            authenticator: Authenticator::new(algorithm, digits, SecretBytes::new(seed)),
        })
    }

    /// The code that it shows at an instant.
    pub fn code(&self, at: Timestamp) -> String {
        let code = self.authenticator.code(Step::at(at));
        code.expose_secret().to_owned()
    }

    /// The code that it shows one step later: the server takes it already.
    pub fn next_code(&self, at: Timestamp) -> String {
        self.code(Step::at(at).next().begins())
    }

    /// The code that it showed one step before: the server still takes it.
    pub fn earlier_code(&self, at: Timestamp) -> String {
        let before = Timestamp::from_millis(at.as_millis() - 30_000);
        self.code(before)
    }

    /// A code of the right form that is none of those the server takes.
    pub fn wrong_code(&self, at: Timestamp) -> String {
        let right = [self.earlier_code(at), self.code(at), self.next_code(at)];
        let length = right[0].len();
        (0..)
            .map(|number: u32| format!("{number:0length$}"))
            .find(|code| !right.contains(code))
            .unwrap_or_default()
    }
}

/// Somebody who has an account with the host system.
#[derive(Clone, Debug)]
pub struct Person {
    /// The subject id.
    pub subject: String,
    /// The PIN that they choose.
    pub pin: String,
}

impl Person {
    /// Somebody new.
    pub fn new() -> Self {
        Self {
            subject: format!("person-{}", new_request_id()),
            pin: "850374".to_owned(),
        }
    }

    /// Sets their first PIN.
    ///
    /// # Errors
    /// When it is not set.
    pub async fn set_pin(&self, client: &Client) -> Result<()> {
        let request = v1::PinServiceSetRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            new_pin: self.pin.clone(),
            authorization: None,
        };
        let answer = client.pins().set(request).await?.into_inner();
        match answer.outcome.context("an outcome")? {
            v1::pin_service_set_response::Outcome::Done(_) => Ok(()),
            v1::pin_service_set_response::Outcome::Rejected(_) => bail!("rejected"),
        }
    }

    /// Begins to enrol an app.
    ///
    /// # Errors
    /// When it does not begin.
    pub async fn begin(&self, client: &Client, label: &str) -> Result<App> {
        let request = v1::TotpServiceBeginEnableRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            label: label.to_owned(),
            ..Default::default()
        };
        let begun = client.totp().begin_enable(request).await?.into_inner();
        App::told(&begun)
    }

    /// Ends an enrolment with the app's code of the step before `at`, so that the present one and
    /// the next are still there to be used.
    ///
    /// # Errors
    /// When it is not enabled.
    pub async fn confirm(
        &self,
        client: &Client,
        app: &App,
        purposes: &[v1::Purpose],
        at: Timestamp,
        more: Option<v1::Proof>,
    ) -> Result<()> {
        let proofs = std::iter::once(pin_proof(&self.pin)).chain(more).collect();
        let request = v1::TotpServiceConfirmEnableRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            identifier_id: app.id.clone(),
            code: app.earlier_code(at),
            purposes: purposes.iter().map(|purpose| *purpose as i32).collect(),
            authorization: Some(
                v1::totp_service_confirm_enable_request::Authorization::Proofs(v1::Proofs {
                    proofs,
                }),
            ),
        };
        let answer = client.totp().confirm_enable(request).await?.into_inner();
        match answer.outcome.context("an outcome")? {
            v1::totp_service_confirm_enable_response::Outcome::Done(_) => Ok(()),
            v1::totp_service_confirm_enable_response::Outcome::Rejected(_) => bail!("rejected"),
        }
    }

    /// Enrols a first app.
    ///
    /// # Errors
    /// When it is not enabled.
    pub async fn enrol(
        &self,
        client: &Client,
        purposes: &[v1::Purpose],
        at: Timestamp,
    ) -> Result<App> {
        let app = self.begin(client, "").await?;
        self.confirm(client, &app, purposes, at, None).await?;
        Ok(app)
    }

    /// Has an operation decided about.
    ///
    /// # Errors
    /// The status.
    pub async fn create(
        &self,
        client: &Client,
        operation: v1::operation::Operation,
    ) -> Result<v1::confirmation_service_create_response::Outcome, Status> {
        let request = v1::ConfirmationServiceCreateRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            operation: Some(v1::Operation {
                operation: Some(operation),
            }),
            redeem_on_approval: false,
        };
        let answer = client.confirmations().create(request).await?.into_inner();
        answer
            .outcome
            .ok_or_else(|| Status::internal("an answer without an outcome"))
    }

    /// Has an operation decided about that has to be confirmed.
    ///
    /// # Errors
    /// When it has not.
    pub async fn open(
        &self,
        client: &Client,
        operation: v1::operation::Operation,
    ) -> Result<v1::Confirmation> {
        match self.create(client, operation).await? {
            v1::confirmation_service_create_response::Outcome::Confirmation(open) => Ok(open),
            other => bail!("nothing to confirm: {other:?}"),
        }
    }

    /// Gives proofs for a confirmation.
    ///
    /// # Errors
    /// The status.
    pub async fn submit(
        &self,
        client: &Client,
        confirmation: &str,
        proofs: Vec<v1::Proof>,
    ) -> Result<v1::ConfirmationServiceSubmitProofResponse, Status> {
        let request = v1::ConfirmationServiceSubmitProofRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            confirmation_id: confirmation.to_owned(),
            proofs,
        };
        let answer = client.confirmations().submit_proof(request).await?;
        Ok(answer.into_inner())
    }

    /// Redeems a confirmation.
    ///
    /// # Errors
    /// The status.
    pub async fn redeem(
        &self,
        client: &Client,
        confirmation: &str,
        operation: v1::operation::Operation,
    ) -> Result<v1::Confirmation, Status> {
        let request = v1::ConfirmationServiceRedeemRequest {
            subject_id: self.subject.clone(),
            request_id: new_request_id(),
            confirmation_id: confirmation.to_owned(),
            operation: Some(v1::Operation {
                operation: Some(operation),
            }),
        };
        let answer = client.confirmations().redeem(request).await?.into_inner();
        answer
            .confirmation
            .ok_or_else(|| Status::internal("an answer without a confirmation"))
    }
}

impl Default for Person {
    fn default() -> Self {
        Self::new()
    }
}
