//! The way of requests to the wire, and of answers back.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use countersign_mfa::Reason;
use countersign_primitives::SubjectId;
use countersign_testkit::{
    App, Client, TestPlatform, reason_of, retry_after,
    v1::{
        self, Purpose, confirmation_service_create_response::Outcome as Created,
        confirmation_service_submit_proof_response::Outcome as Submitted,
        identifier_service_set_purposes_request as purposes_request,
        identifier_service_set_purposes_response::Outcome as Switched,
        pin_service_change_request as change_request,
        pin_service_change_response::Outcome as Changed, pin_service_set_request as set_request,
        pin_service_set_response::Outcome as Set, proof::Authenticator, settings_change,
        stage_option::Authenticator as Offered,
        totp_service_confirm_enable_request as confirm_request,
        totp_service_confirm_enable_response::Outcome as Confirmed,
        totp_service_disable_request as disable_request,
        totp_service_disable_response::Outcome as Disabled,
    },
};
use tonic::Status;

use super::{
    Answer, Change, Millis, Operation, OptionView, Proofs, Request, StageView, View, Who, refused,
};

/// Sends a request. An app that was told a new seed comes along.
pub(crate) async fn send(
    platform: &TestPlatform,
    client: &Client,
    subject: &str,
    request_id: &str,
    request: &Request,
) -> Result<(Answer, Option<App>)> {
    let operator = |done: Result<(), countersign_mfa::Error>| match done {
        Ok(()) => Answer::Done,
        Err(error) => refused(&format!("{error:?}")),
    };
    let reason = Reason::parse("model test").context("a reason")?;
    let name = SubjectId::parse(subject)?;
    let answer = match request {
        Request::Unlock => operator(platform.platform.admin_unlock(&name, &reason).await),
        Request::ResetPin => operator(platform.platform.admin_reset_pin(&name, &reason).await),
        Request::OperatorDisable { id } => {
            let id = id.parse()?;
            operator(platform.platform.admin_disable(&name, id, &reason).await)
        }
        Request::Begin { label } => {
            let request = v1::TotpServiceBeginEnableRequest {
                subject_id: subject.to_owned(),
                request_id: request_id.to_owned(),
                label: label.clone(),
                ..Default::default()
            };
            return match client.totp().begin_enable(request).await {
                Err(status) => Ok((of_status(&status), None)),
                Ok(begun) => begun_of_wire(&begun.into_inner()),
            };
        }
        other => match over_the_wire(client, subject, request_id, other).await {
            Ok(answer) => answer.context("an answer without an outcome")?,
            Err(status) => of_status(&status),
        },
    };
    Ok((answer, None))
}

fn begun_of_wire(begun: &v1::TotpServiceBeginEnableResponse) -> Result<(Answer, Option<App>)> {
    let has_secret = !begun.secret_already_delivered;
    let answer = Answer::Begun {
        id: begun.identifier_id.clone(),
        until: millis(begun.expire_time.as_ref()).context("an end")?,
        has_secret,
    };
    let app = has_secret.then(|| App::told(begun)).transpose()?;
    Ok((answer, app))
}

async fn over_the_wire(
    client: &Client,
    subject: &str,
    request_id: &str,
    request: &Request,
) -> Result<Option<Answer>, Status> {
    let (subject_id, request_id) = (subject.to_owned(), request_id.to_owned());
    Ok(match request.clone() {
        Request::Create {
            operation,
            redeem_on_approval,
        } => {
            let request = v1::ConfirmationServiceCreateRequest {
                subject_id,
                request_id,
                operation: Some(operation.to_wire()),
                redeem_on_approval,
            };
            let created = client.confirmations().create(request).await?.into_inner();
            created.outcome.as_ref().and_then(created_of_wire)
        }
        Request::Submit { id, proofs } => {
            let request = v1::ConfirmationServiceSubmitProofRequest {
                subject_id,
                request_id,
                confirmation_id: id,
                proofs: to_wire(&proofs),
            };
            let answer = client
                .confirmations()
                .submit_proof(request)
                .await?
                .into_inner();
            let accepted = matches!(answer.outcome, Some(Submitted::Accepted(_)));
            let after = answer.confirmation.as_ref().and_then(view_of_wire);
            after.map(|after| Answer::Submitted { accepted, after })
        }
        Request::Redeem { id, operation } => {
            let request = v1::ConfirmationServiceRedeemRequest {
                subject_id,
                request_id,
                confirmation_id: id,
                operation: Some(operation.to_wire()),
            };
            let answer = client.confirmations().redeem(request).await?.into_inner();
            answer
                .confirmation
                .as_ref()
                .and_then(view_of_wire)
                .map(Answer::Now)
        }
        Request::Cancel { id } => {
            let request = v1::ConfirmationServiceCancelRequest {
                subject_id,
                request_id,
                confirmation_id: id,
            };
            let answer = client.confirmations().cancel(request).await?.into_inner();
            answer
                .confirmation
                .as_ref()
                .and_then(view_of_wire)
                .map(Answer::Now)
        }
        Request::Settings {
            change,
            typed,
            proofs,
        } => Some(settings(client, subject_id, request_id, change, typed, proofs).await?),
        Request::Begin { .. }
        | Request::Unlock
        | Request::OperatorDisable { .. }
        | Request::ResetPin => None,
    })
}

async fn settings(
    client: &Client,
    subject_id: String,
    request_id: String,
    change: Change,
    typed: String,
    proofs: Proofs,
) -> Result<Answer, Status> {
    let proofs = v1::Proofs {
        proofs: to_wire(&proofs),
    };
    let is_done = match change {
        Change::FirstPin => {
            let request = v1::PinServiceSetRequest {
                subject_id,
                request_id,
                new_pin: typed,
                authorization: Some(set_request::Authorization::Proofs(proofs)),
            };
            let answer = client.pins().set(request).await?.into_inner();
            matches!(answer.outcome, Some(Set::Done(_)))
        }
        Change::OtherPin => {
            let request = v1::PinServiceChangeRequest {
                subject_id,
                request_id,
                new_pin: typed,
                authorization: Some(change_request::Authorization::Proofs(proofs)),
            };
            let answer = client.pins().change(request).await?.into_inner();
            matches!(answer.outcome, Some(Changed::Done(_)))
        }
        Change::Enable { id, purposes } => {
            let request = v1::TotpServiceConfirmEnableRequest {
                subject_id,
                request_id,
                identifier_id: id,
                code: typed,
                purposes: numbers(&purposes),
                authorization: Some(confirm_request::Authorization::Proofs(proofs)),
            };
            let answer = client.totp().confirm_enable(request).await?.into_inner();
            matches!(answer.outcome, Some(Confirmed::Done(_)))
        }
        Change::Switch { id, on, off } => {
            let request = v1::IdentifierServiceSetPurposesRequest {
                subject_id,
                request_id,
                identifier_id: id,
                switch_on: numbers(&on),
                switch_off: numbers(&off),
                authorization: Some(purposes_request::Authorization::Proofs(proofs)),
            };
            let answer = client
                .identifiers()
                .set_purposes(request)
                .await?
                .into_inner();
            matches!(answer.outcome, Some(Switched::Done(_)))
        }
        Change::Disable { id, confirm_last } => {
            let request = v1::TotpServiceDisableRequest {
                subject_id,
                request_id,
                identifier_id: id,
                confirm_last,
                authorization: Some(disable_request::Authorization::Proofs(proofs)),
            };
            let answer = client.totp().disable(request).await?.into_inner();
            matches!(answer.outcome, Some(Disabled::Done(_)))
        }
    };
    Ok(if is_done {
        Answer::Done
    } else {
        Answer::Rejected
    })
}

impl Operation {
    fn to_wire(&self) -> v1::Operation {
        use v1::operation::Operation as Wire;
        let operation = match self {
            Self::Login(number) => Wire::Login(v1::Login {
                device_id: format!("device {number}"),
                ..Default::default()
            }),
            Self::Withdrawal(number) => Wire::Withdrawal(v1::Withdrawal {
                source_account: "main".to_owned(),
                amount: Some(v1::Money {
                    currency_code: "EUR".to_owned(),
                    units: i64::from(*number) + 1,
                    nanos: 0,
                }),
                destination: "DE02120300000000202051".to_owned(),
                payment_method: "sepa".to_owned(),
            }),
            Self::Custom(number) => Wire::Custom(v1::CustomOperation {
                kind: "api-key".to_owned(),
                fields: [("number".to_owned(), number.to_string())].into(),
            }),
            Self::Settings(change) => Wire::SettingsChange(v1::SettingsChange {
                change: Some(change.to_wire()),
            }),
        };
        v1::Operation {
            operation: Some(operation),
        }
    }
}

impl Change {
    fn to_wire(&self) -> settings_change::Change {
        use settings_change::Change as Wire;
        match self {
            Self::FirstPin => Wire::SetPin(v1::SetPinChange {}),
            Self::OtherPin => Wire::ChangePin(v1::ChangePinChange {}),
            Self::Enable { id, purposes } => Wire::EnableTotp(v1::EnableTotpChange {
                identifier_id: id.clone(),
                purposes: numbers(purposes),
            }),
            Self::Switch { id, on, off } => Wire::SetPurposes(v1::SetPurposesChange {
                identifier_id: id.clone(),
                switch_on: numbers(on),
                switch_off: numbers(off),
            }),
            Self::Disable { id, confirm_last } => {
                Wire::DisableIdentifier(v1::DisableIdentifierChange {
                    identifier_id: id.clone(),
                    confirm_last: *confirm_last,
                })
            }
        }
    }
}

fn numbers(purposes: &BTreeSet<Purpose>) -> Vec<i32> {
    purposes.iter().map(|purpose| *purpose as i32).collect()
}

fn to_wire(proofs: &Proofs) -> Vec<v1::Proof> {
    let proof = |(who, typed): &(Who, String)| v1::Proof {
        authenticator: Some(match who {
            Who::Pin => Authenticator::Pin(v1::Pin {}),
            Who::App(id) => Authenticator::IdentifierId(id.clone()),
        }),
        code: typed.clone(),
    };
    proofs.iter().map(proof).collect()
}

fn created_of_wire(outcome: &Created) -> Option<Answer> {
    Some(match outcome {
        Created::Confirmation(open) => Answer::Opened(view_of_wire(open)?),
        Created::NotRequired(_) => Answer::NotRequired,
        Created::Denied(denial) => Answer::Denied {
            retry_at: millis(denial.retry_at.as_ref()),
        },
        Created::EnrolmentRequired(missing) => Answer::EnrolmentRequired {
            pin: missing.pin,
            identifier: !missing.kinds.is_empty(),
        },
    })
}

/// A confirmation of the wire in the model's words.
pub(crate) fn view_of_wire(confirmation: &v1::Confirmation) -> Option<View> {
    let stage = |stage: &v1::Stage| StageView {
        passed: stage.passed,
        options: stage.options.iter().filter_map(option_of_wire).collect(),
    };
    Some(View {
        id: confirmation.confirmation_id.clone(),
        state: confirmation.state(),
        purpose: confirmation.purpose(),
        attempts_left: confirmation.attempts_left,
        until: millis(confirmation.expire_time.as_ref())?,
        paths: confirmation
            .paths
            .iter()
            .map(|path| path.stages.iter().map(stage).collect())
            .collect(),
    })
}

fn option_of_wire(option: &v1::StageOption) -> Option<(Who, OptionView)> {
    let who = match option.authenticator.as_ref()? {
        Offered::Pin(_) => Who::Pin,
        Offered::Identifier(identifier) => Who::App(identifier.identifier_id.clone()),
    };
    let view = OptionView {
        usable: option.usable,
        usable_from: millis(option.usable_from.as_ref()),
    };
    Some((who, view))
}

fn of_status(status: &Status) -> Answer {
    Answer::Refused {
        reason: reason_of(status),
        retry_in: retry_after(status).and_then(|wait| i64::try_from(wait.as_millis()).ok()),
    }
}

/// An instant of the wire.
pub(crate) fn millis(instant: Option<&prost_types::Timestamp>) -> Option<Millis> {
    instant.map(|instant| instant.seconds * 1000 + i64::from(instant.nanos) / 1_000_000)
}
