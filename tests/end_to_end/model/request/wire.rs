//! The way of requests to the wire, and of answers back.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use countersign_mfa::Reason;
use countersign_primitives::SubjectId;
use countersign_testkit::{
    App, Client, TestPlatform, reason_of, retry_after,
    v1::{
        self, Purpose, confirmation_service_create_response::Outcome as Created,
        confirmation_service_submit_proof_response::Outcome as Submitted, proof::Authenticator,
        stage_option::Authenticator as Offered,
    },
};
use tonic::Status;
use tonic_types::StatusExt;

use super::{
    super::player::World, Answer, By, Change, CodesSeen, Millis, Operation, OptionView, Proofs,
    Request, Settings, StageView, Told, View, Who, refused,
};

mod settings;

/// Sends a request. What the answer shows only once comes along.
pub(crate) async fn send(
    world: &World,
    subject: &str,
    request_id: &str,
    request: &Request,
) -> Result<(Answer, Told)> {
    let call = (subject.to_owned(), request_id.to_owned());
    let answered = match request {
        request if request.is_by_operator() => {
            let answer = operate(&world.platform, subject, request).await?;
            return Ok((answer, Told::Nothing));
        }
        Request::Begin { label } => begin(&world.client, call, label).await,
        Request::Settings(asked) => {
            let is_stranger = matches!(
                asked.by,
                By::Confirmation {
                    by_stranger: true,
                    ..
                }
            );
            let client = world.client_for(is_stranger);
            settings::change(client, call, asked).await
        }
        Request::Finish { list, by_stranger } => {
            finish(world.client_for(*by_stranger), call, list).await
        }
        other => over_the_wire(&world.client, call, other)
            .await
            .map(|answer| (answer, Told::Nothing)),
    };
    match answered {
        Ok((answer, told)) => Ok((answer.context("an answer without an outcome")?, told)),
        Err(status) => Ok((of_status(&status)?, Told::Nothing)),
    }
}

/// What is shown of the backup codes.
pub(crate) async fn codes_seen(client: &Client, subject: &str) -> Result<CodesSeen> {
    let request = v1::BackupCodeServiceGetStatusRequest {
        subject_id: subject.to_owned(),
    };
    let status = client
        .backup_codes()
        .get_status(request)
        .await?
        .into_inner();
    let until = millis(status.pending_expire_time.as_ref());
    ensure!(
        until.is_some() != status.pending_list_id.is_empty(),
        "a list and its end come together: {status:?}"
    );
    Ok(CodesSeen {
        set: status.identifier.map(|set| set.identifier_id),
        total: usize::try_from(status.codes_total)?,
        waiting: until.map(|until| (status.pending_list_id, until)),
    })
}

async fn operate(platform: &TestPlatform, subject: &str, request: &Request) -> Result<Answer> {
    let reason = Reason::parse("model test").context("a reason")?;
    let name = SubjectId::parse(subject)?;
    let platform = &platform.platform;
    let done = match request {
        Request::OperatorDisable { id } => {
            platform.admin_disable(&name, id.parse()?, &reason).await
        }
        Request::ResetPin => platform.admin_reset_pin(&name, &reason).await,
        _ => platform.admin_unlock(&name, &reason).await,
    };
    Ok(match done {
        Ok(()) => Answer::Done,
        Err(error) => refused(&format!("{error:?}")),
    })
}

async fn begin(
    client: &Client,
    (subject_id, request_id): (String, String),
    label: &str,
) -> Result<(Option<Answer>, Told), Status> {
    let request = v1::TotpServiceBeginEnableRequest {
        subject_id,
        request_id,
        label: label.to_owned(),
        ..Default::default()
    };
    let begun = client.totp().begin_enable(request).await?.into_inner();
    let has_secret = !begun.secret_already_delivered;
    let until = millis(begun.expire_time.as_ref());
    let answer = until.map(|until| Answer::Begun {
        id: begun.identifier_id.clone(),
        until,
        has_secret,
    });
    let told = match App::told(&begun) {
        Ok(app) if has_secret => Told::App(app),
        _ => Told::Nothing,
    };
    Ok((answer, told))
}

async fn finish(
    client: &Client,
    (subject_id, request_id): (String, String),
    list: &str,
) -> Result<(Option<Answer>, Told), Status> {
    let request = v1::BackupCodeServiceFinishRequest {
        subject_id,
        request_id,
        list_id: list.to_owned(),
    };
    let answer = client.backup_codes().finish(request).await?.into_inner();
    Ok((answer.identifier.map(|_| Answer::Done), Told::Nothing))
}

async fn over_the_wire(
    client: &Client,
    (subject_id, request_id): (String, String),
    request: &Request,
) -> Result<Option<Answer>, Status> {
    let mut confirmations = client.confirmations();
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
            let created = confirmations.create(request).await?.into_inner();
            created.outcome.as_ref().and_then(created_of_wire)
        }
        Request::Submit { id, proofs } => {
            let request = v1::ConfirmationServiceSubmitProofRequest {
                subject_id,
                request_id,
                confirmation_id: id,
                proofs: to_wire(&proofs),
            };
            let answer = confirmations.submit_proof(request).await?.into_inner();
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
            let answer = confirmations.redeem(request).await?.into_inner();
            let view = answer.confirmation.as_ref().and_then(view_of_wire);
            view.map(Answer::Now)
        }
        Request::Cancel { id } => {
            let request = v1::ConfirmationServiceCancelRequest {
                subject_id,
                request_id,
                confirmation_id: id,
            };
            let answer = confirmations.cancel(request).await?.into_inner();
            let view = answer.confirmation.as_ref().and_then(view_of_wire);
            view.map(Answer::Now)
        }
        Request::Settings(_)
        | Request::Begin { .. }
        | Request::Finish { .. }
        | Request::Unlock
        | Request::OperatorDisable { .. }
        | Request::ResetPin => None,
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
                change: change.to_wire(),
            }),
        };
        v1::Operation {
            operation: Some(operation),
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
            Who::Identifier(id) => Authenticator::IdentifierId(id.clone()),
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
        Offered::Identifier(identifier) => Who::Identifier(identifier.identifier_id.clone()),
    };
    let view = OptionView {
        usable: option.usable,
        usable_from: millis(option.usable_from.as_ref()),
    };
    Some((who, view))
}

fn of_status(status: &Status) -> Result<Answer> {
    let reason = reason_of(status);
    if reason == "LAST_CODE_RESERVED" {
        let info = status.get_details_error_info().context("an ErrorInfo")?;
        let left = info.metadata.get("codes_left").context("codes_left")?;
        return Ok(Answer::Reserved {
            left: left.parse()?,
        });
    }
    Ok(Answer::Refused {
        reason,
        retry_in: retry_after(status).and_then(|wait| i64::try_from(wait.as_millis()).ok()),
    })
}

/// An instant of the wire.
pub(crate) fn millis(instant: Option<&prost_types::Timestamp>) -> Option<Millis> {
    instant.map(|instant| instant.seconds * 1000 + i64::from(instant.nanos) / 1_000_000)
}
