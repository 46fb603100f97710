//! Changes of settings on the wire.

use countersign_testkit::{
    Client,
    v1::{
        self, backup_code_service_create_more_response::Outcome as More,
        backup_code_service_disable_request::Authorization as OfCodes,
        backup_code_service_disable_response::Outcome as CodesDisabled,
        backup_code_service_enable_request::Authorization as OfEnable,
        backup_code_service_enable_response::Outcome as Enabled,
        identifier_service_set_purposes_request::Authorization as OfSwitch,
        identifier_service_set_purposes_response::Outcome as Switched,
        pin_service_change_request::Authorization as OfChange,
        pin_service_change_response::Outcome as Changed,
        pin_service_set_request::Authorization as OfSet, pin_service_set_response::Outcome as Set,
        settings_change, totp_service_confirm_enable_request::Authorization as OfConfirm,
        totp_service_confirm_enable_response::Outcome as Confirmed,
        totp_service_disable_request::Authorization as OfApp,
        totp_service_disable_response::Outcome as AppDisabled,
    },
};
use tonic::Status;

use super::{
    super::{Factor, Told},
    Answer, By, Change, Settings, millis, numbers, to_wire,
};

/// Whose request, and its id.
type Call = (String, String);

type Answered = Result<(Option<Answer>, Told), Status>;

/// Asks for a change.
pub(super) async fn change(client: &Client, call: Call, asked: &Settings) -> Answered {
    match &asked.change {
        Change::EnableCodes => enable_codes(client, call, asked).await,
        Change::MoreCodes { id } => more_codes(client, call, id, asked).await,
        Change::FirstPin | Change::OtherPin => pin(client, call, asked).await,
        Change::EnableApp { .. } | Change::Switch { .. } | Change::Disable { .. } => {
            identifier(client, call, asked).await
        }
    }
}

async fn pin(client: &Client, (subject_id, request_id): Call, asked: &Settings) -> Answered {
    let new_pin = asked.typed.clone();
    let is_done = if asked.change == Change::FirstPin {
        let request = v1::PinServiceSetRequest {
            subject_id,
            request_id,
            new_pin,
            authorization: authorized(&asked.by, OfSet::Proofs, OfSet::ConfirmationId),
        };
        let answer = client.pins().set(request).await?.into_inner();
        matches!(answer.outcome, Some(Set::Done(_)))
    } else {
        let request = v1::PinServiceChangeRequest {
            subject_id,
            request_id,
            new_pin,
            authorization: authorized(&asked.by, OfChange::Proofs, OfChange::ConfirmationId),
        };
        let answer = client.pins().change(request).await?.into_inner();
        matches!(answer.outcome, Some(Changed::Done(_)))
    };
    Ok(done(is_done))
}

async fn identifier(client: &Client, (subject_id, request_id): Call, asked: &Settings) -> Answered {
    let by = &asked.by;
    let is_done = match asked.change.clone() {
        Change::EnableApp { id, purposes } => {
            let request = v1::TotpServiceConfirmEnableRequest {
                subject_id,
                request_id,
                identifier_id: id,
                code: asked.typed.clone(),
                purposes: numbers(&purposes),
                authorization: authorized(by, OfConfirm::Proofs, OfConfirm::ConfirmationId),
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
                authorization: authorized(by, OfSwitch::Proofs, OfSwitch::ConfirmationId),
            };
            let mut identifiers = client.identifiers();
            let answer = identifiers.set_purposes(request).await?.into_inner();
            matches!(answer.outcome, Some(Switched::Done(_)))
        }
        Change::Disable { id, confirm_last } if asked.service == Factor::App => {
            let request = v1::TotpServiceDisableRequest {
                subject_id,
                request_id,
                identifier_id: id,
                confirm_last,
                authorization: authorized(by, OfApp::Proofs, OfApp::ConfirmationId),
            };
            let answer = client.totp().disable(request).await?.into_inner();
            matches!(answer.outcome, Some(AppDisabled::Done(_)))
        }
        Change::Disable { id, confirm_last } => {
            let request = v1::BackupCodeServiceDisableRequest {
                subject_id,
                request_id,
                identifier_id: id,
                confirm_last,
                authorization: authorized(by, OfCodes::Proofs, OfCodes::ConfirmationId),
            };
            let answer = client.backup_codes().disable(request).await?.into_inner();
            matches!(answer.outcome, Some(CodesDisabled::Done(_)))
        }
        Change::FirstPin | Change::OtherPin | Change::EnableCodes | Change::MoreCodes { .. } => {
            return Ok((None, Told::Nothing));
        }
    };
    Ok(done(is_done))
}

async fn enable_codes(
    client: &Client,
    (subject_id, request_id): Call,
    asked: &Settings,
) -> Answered {
    let request = v1::BackupCodeServiceEnableRequest {
        subject_id,
        request_id,
        label: asked.typed.clone(),
        authorization: authorized(&asked.by, OfEnable::Proofs, OfEnable::ConfirmationId),
    };
    let answer = client.backup_codes().enable(request).await?.into_inner();
    Ok(match answer.outcome {
        Some(Enabled::List(list)) => listed(list),
        Some(Enabled::Rejected(_)) => done(false),
        None => (None, Told::Nothing),
    })
}

async fn more_codes(
    client: &Client,
    (subject_id, request_id): Call,
    id: &str,
    asked: &Settings,
) -> Answered {
    let By::Proofs(proofs) = &asked.by else {
        return Ok((None, Told::Nothing));
    };
    let request = v1::BackupCodeServiceCreateMoreRequest {
        subject_id,
        request_id,
        identifier_id: id.to_owned(),
        proofs: Some(v1::Proofs {
            proofs: to_wire(proofs),
        }),
    };
    let answer = client.backup_codes().create_more(request).await?;
    Ok(match answer.into_inner().outcome {
        Some(More::List(list)) => listed(list),
        Some(More::Rejected(_)) => done(false),
        None => (None, Told::Nothing),
    })
}

fn done(is_done: bool) -> (Option<Answer>, Told) {
    let answer = if is_done {
        Answer::Done
    } else {
        Answer::Rejected
    };
    (Some(answer), Told::Nothing)
}

fn listed(list: v1::BackupCodeList) -> (Option<Answer>, Told) {
    let answer = millis(list.expire_time.as_ref()).map(|until| Answer::Listed {
        list: list.list_id,
        id: list.identifier_id,
        until,
        has_codes: !list.secret_already_delivered,
    });
    let told = if list.codes.is_empty() {
        Told::Nothing
    } else {
        Told::Codes(list.codes)
    };
    (answer, told)
}

fn authorized<T>(
    by: &By,
    proofs: impl Fn(v1::Proofs) -> T,
    confirmation: impl Fn(String) -> T,
) -> Option<T> {
    Some(match by {
        By::Proofs(given) => proofs(v1::Proofs {
            proofs: to_wire(given),
        }),
        By::Confirmation { id, .. } => confirmation(id.clone()),
    })
}

impl Change {
    /// As what is to be confirmed; `None` where that cannot be.
    pub(super) fn to_wire(&self) -> Option<settings_change::Change> {
        use settings_change::Change as Wire;
        Some(match self {
            Self::FirstPin => Wire::SetPin(v1::SetPinChange {}),
            Self::OtherPin => Wire::ChangePin(v1::ChangePinChange {}),
            Self::EnableCodes => Wire::EnableBackupCodes(v1::EnableBackupCodesChange {}),
            Self::MoreCodes { .. } => return None,
            Self::EnableApp { id, purposes } => Wire::EnableTotp(v1::EnableTotpChange {
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
        })
    }
}
