//! Backup codes: each of their requests sent more than once.

use anyhow::{Result, bail, ensure};
use countersign_testkit::{
    Client, Codes, Person, new_request_id, pin_proof, v1,
    v1::{
        Purpose, backup_code_service_create_more_response::Outcome as More,
        backup_code_service_enable_response::Outcome as Enabled,
    },
};

use super::repeater::Repeater;

/// A list that is enabled and switched on, one that replaces it, and its end. Returns how many
/// requests that were.
pub(super) async fn prints(repeater: &mut Repeater, anna: &Person) -> Result<usize> {
    let first = enables(repeater, anna).await?;
    finishes(repeater, anna, &first).await?;
    switches(repeater, anna, &first).await?;
    let second = makes_more(repeater, anna, &first).await?;
    finishes(repeater, anna, &second).await?;
    disables(repeater, anna, &second).await?;
    Ok(6)
}

/// The one list of several answers, whose codes are shown in one of them.
fn one_list(lists: Vec<v1::BackupCodeList>) -> Result<Codes> {
    let of_one = |other: &v1::BackupCodeList| {
        (&other.list_id, &other.identifier_id, &other.expire_time)
            == (
                &lists[0].list_id,
                &lists[0].identifier_id,
                &lists[0].expire_time,
            )
    };
    ensure!(lists.iter().all(of_one), "several lists");
    let (told, repeated): (Vec<_>, Vec<_>) = lists
        .into_iter()
        .partition(|list| !list.secret_already_delivered);
    let [told] = told.as_slice() else {
        bail!("the codes were shown {} times", told.len());
    };
    ensure!(repeated.iter().all(|list| list.codes.is_empty()));
    Ok(Codes {
        id: told.identifier_id.clone(),
        list: told.list_id.clone(),
        codes: told.codes.clone(),
    })
}

async fn enables(repeater: &mut Repeater, anna: &Person) -> Result<Codes> {
    use v1::backup_code_service_enable_request::Authorization;
    // The app is disabled and the PIN is there: it alone is asked for.
    let proofs = vec![pin_proof(&anna.pin)];
    let enable = v1::BackupCodeServiceEnableRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        label: "paper".to_owned(),
        authorization: Some(Authorization::Proofs(v1::Proofs { proofs })),
    };
    let send = |client: Client, enable| async move {
        Ok(client.backup_codes().enable(enable).await?.into_inner())
    };
    let mut lists = Vec::new();
    for answer in repeater.answers(&enable, send).await? {
        match answer.outcome {
            Some(Enabled::List(list)) => lists.push(list),
            other => bail!("no list: {other:?}"),
        }
    }
    repeater
        .refuses_another(enable, |other| other.label = "another".to_owned(), send)
        .await?;
    one_list(lists)
}

async fn makes_more(repeater: &mut Repeater, anna: &Person, codes: &Codes) -> Result<Codes> {
    let proofs = vec![codes.proof(1)];
    let more = v1::BackupCodeServiceCreateMoreRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        identifier_id: codes.id.clone(),
        proofs: Some(v1::Proofs { proofs }),
    };
    let send = |client: Client, more| async move {
        Ok(client.backup_codes().create_more(more).await?.into_inner())
    };
    let mut lists = Vec::new();
    for answer in repeater.answers(&more, send).await? {
        match answer.outcome {
            Some(More::List(list)) => lists.push(list),
            other => bail!("no list: {other:?}"),
        }
    }
    repeater
        .refuses_another(more, |other| other.proofs = None, send)
        .await?;
    one_list(lists)
}

async fn finishes(repeater: &mut Repeater, anna: &Person, codes: &Codes) -> Result<()> {
    let finish = v1::BackupCodeServiceFinishRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        list_id: codes.list.clone(),
    };
    let answer =
        repeater
            .ask(
                finish,
                |other| other.list_id = new_request_id(),
                |client, finish| async move {
                    Ok(client.backup_codes().finish(finish).await?.into_inner())
                },
            )
            .await?;
    let left = answer.identifier.and_then(|set| set.codes_left);
    ensure!(left == Some(10), "{left:?} codes");
    Ok(())
}

async fn switches(repeater: &mut Repeater, anna: &Person, codes: &Codes) -> Result<()> {
    use v1::{
        identifier_service_set_purposes_request::Authorization,
        identifier_service_set_purposes_response::Outcome,
    };
    let proofs = vec![codes.proof(0)];
    let switch = v1::IdentifierServiceSetPurposesRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        identifier_id: codes.id.clone(),
        switch_on: vec![Purpose::Login.into()],
        switch_off: Vec::new(),
        authorization: Some(Authorization::Proofs(v1::Proofs { proofs })),
    };
    let answer = repeater
        .ask(
            switch,
            |other| other.switch_on = vec![Purpose::Other.into()],
            |client, switch| async move {
                Ok(client
                    .identifiers()
                    .set_purposes(switch)
                    .await?
                    .into_inner())
            },
        )
        .await?;
    match answer.outcome {
        Some(Outcome::Done(set)) => ensure!(set.codes_left == Some(9), "{set:?}"),
        other => bail!("not done: {other:?}"),
    }
    Ok(())
}

async fn disables(repeater: &mut Repeater, anna: &Person, codes: &Codes) -> Result<()> {
    use v1::{
        backup_code_service_disable_request::Authorization,
        backup_code_service_disable_response::Outcome,
    };
    let proofs = vec![codes.proof(0)];
    let disable = v1::BackupCodeServiceDisableRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        identifier_id: codes.id.clone(),
        confirm_last: true,
        authorization: Some(Authorization::Proofs(v1::Proofs { proofs })),
    };
    let answer = repeater
        .ask(
            disable,
            |other| other.confirm_last = false,
            |client, disable| async move {
                Ok(client.backup_codes().disable(disable).await?.into_inner())
            },
        )
        .await?;
    let is_done = matches!(answer.outcome, Some(Outcome::Done(_)));
    ensure!(is_done, "{answer:?}");
    Ok(())
}
