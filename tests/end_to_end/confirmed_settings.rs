//! Settings changes as confirmations: listed and approved, and not consumed by a method yet.

use anyhow::{Result, ensure};
use countersign_testkit::{
    Backend, new_request_id, pin_proof, v1,
    v1::{ConfirmationState, Purpose, settings_change::Change},
};
use tonic::Code;

use crate::{
    harness::Suite,
    world::{Created, World, outline, precondition, refused, settings, state},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("settings_change::it_lists_the_paths_of_the_registry", paths);
    suite.on_each_backend(
        "settings_change::it_is_approved_and_never_redeemed",
        approved,
    );
    suite.on_each_backend(
        "settings_change::what_its_method_refuses_it_refuses",
        refusals,
    );
    suite.on_each_backend(
        "settings_change::no_method_takes_a_confirmation_yet",
        unavailable,
    );
}

fn disable(id: &str, confirm_last: bool) -> Change {
    Change::DisableIdentifier(v1::DisableIdentifierChange {
        identifier_id: id.to_owned(),
        confirm_last,
    })
}

async fn paths(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, a) = world.owner(&[Purpose::Login]).await?;
    let b = world.another(&anna, &a, "spare", &[]).await?;
    let c = anna.begin(&world.client, "third").await?;
    let switch = |on: Vec<i32>, off: Vec<i32>| {
        Change::SetPurposes(v1::SetPurposesChange {
            identifier_id: b.id.clone(),
            switch_on: on,
            switch_off: off,
        })
    };
    let enable = |purposes| {
        Change::EnableTotp(v1::EnableTotpChange {
            identifier_id: c.id.clone(),
            purposes,
        })
    };
    let (login, withdrawal) = (Purpose::Login.into(), Purpose::Withdrawal.into());
    let (a, b) = (&a.id, &b.id);
    let cases = [
        (disable(a, false), format!("{a} | PIN > {b}")),
        (switch(vec![login], vec![]), format!("{b} > {a}")),
        (switch(vec![withdrawal], vec![]), format!("{b} > {a}")),
        (switch(vec![], vec![login]), format!("{a}+{b}")),
        (switch(vec![], vec![withdrawal]), b.clone()),
        (enable(vec![]), format!("PIN > {a}+{b}")),
        (enable(vec![login]), format!("PIN > {a}")),
        (
            Change::ChangePin(v1::ChangePinChange {}),
            format!("PIN > {a}+{b}"),
        ),
    ];
    for (change, expected) in cases {
        let open = anna.open(&world.client, settings(change.clone())).await?;
        let shown = outline(&open.paths);
        ensure!(
            shown == expected,
            "{change:?} takes {shown}, not {expected}"
        );
        ensure!(open.purpose() == Purpose::Other);
    }
    let fresh = world.somebody().await?;
    world.platform.reset_pin(&fresh).await?;
    let set = settings(Change::SetPin(v1::SetPinChange {}));
    let answer = fresh.create(&world.client, set).await?;
    ensure!(matches!(answer, Created::NotRequired(_)), "{answer:?}");
    Ok(())
}

async fn approved(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, a) = world.owner(&[]).await?;
    let b = world.another(&anna, &a, "spare", &[]).await?;
    let operation = settings(disable(&a.id, false));
    let open = anna.open(&world.client, operation.clone()).await?;
    let id = &open.confirmation_id;
    let early = anna.redeem(&world.client, id, operation.clone()).await;
    precondition(early, "NOT_REDEEMABLE")?;
    // The second path: the PIN, and a code of the other one.
    let pin = anna
        .submit(&world.client, id, vec![pin_proof(&anna.pin)])
        .await?;
    ensure!(state(&pin) == ConfirmationState::Pending);
    let code = anna
        .submit(&world.client, id, vec![world.right(&b)])
        .await?;
    ensure!(state(&code) == ConfirmationState::Approved);
    let redeemed = anna.redeem(&world.client, id, operation).await;
    precondition(redeemed, "NOT_REDEEMABLE")?;
    let list = anna.list(&world.client).await?;
    ensure!(
        list.identifiers
            .iter()
            .all(|identifier| identifier.disable_time.is_none())
    );
    Ok(())
}

async fn refusals(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[]).await?;
    let create = |change| anna.create(&world.client, settings(change));
    let unknown = create(disable(&new_request_id(), true)).await;
    refused(unknown, Code::NotFound, "IDENTIFIER_NOT_FOUND")?;
    precondition(create(disable(&app.id, false)).await, "LAST_IDENTIFIER")?;
    ensure!(create(disable(&app.id, true)).await.is_ok());
    let set = create(Change::SetPin(v1::SetPinChange {})).await;
    precondition(set, "PIN_ALREADY_SET")?;
    let enabled = Change::EnableTotp(v1::EnableTotpChange {
        identifier_id: app.id.clone(),
        purposes: Vec::new(),
    });
    refused(
        create(enabled).await,
        Code::NotFound,
        "IDENTIFIER_NOT_FOUND",
    )?;
    world.platform.reset_pin(&anna).await?;
    let change = create(Change::ChangePin(v1::ChangePinChange {})).await;
    precondition(change, "PIN_NOT_SET")?;
    Ok(())
}

async fn unavailable(backend: Backend) -> Result<()> {
    use v1::{
        identifier_service_set_purposes_request::Authorization as OfPurposes,
        pin_service_change_request::Authorization as OfChange,
        pin_service_set_request::Authorization as OfSet,
        totp_service_confirm_enable_request::Authorization as OfConfirm,
        totp_service_disable_request::Authorization as OfDisable,
    };
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[]).await?;
    let confirmation = new_request_id();
    let subject_id = anna.subject.clone();
    let identifier_id = app.id.clone();
    let said = [
        world
            .client
            .pins()
            .set(v1::PinServiceSetRequest {
                subject_id: subject_id.clone(),
                new_pin: anna.pin.clone(),
                authorization: Some(OfSet::ConfirmationId(confirmation.clone())),
                ..Default::default()
            })
            .await
            .map(drop),
        world
            .client
            .pins()
            .change(v1::PinServiceChangeRequest {
                subject_id: subject_id.clone(),
                new_pin: anna.pin.clone(),
                authorization: Some(OfChange::ConfirmationId(confirmation.clone())),
                ..Default::default()
            })
            .await
            .map(drop),
        world
            .client
            .totp()
            .confirm_enable(v1::TotpServiceConfirmEnableRequest {
                subject_id: subject_id.clone(),
                identifier_id: identifier_id.clone(),
                code: "123456".to_owned(),
                authorization: Some(OfConfirm::ConfirmationId(confirmation.clone())),
                ..Default::default()
            })
            .await
            .map(drop),
        world
            .client
            .totp()
            .disable(v1::TotpServiceDisableRequest {
                subject_id: subject_id.clone(),
                identifier_id: identifier_id.clone(),
                authorization: Some(OfDisable::ConfirmationId(confirmation.clone())),
                ..Default::default()
            })
            .await
            .map(drop),
        world
            .client
            .identifiers()
            .set_purposes(v1::IdentifierServiceSetPurposesRequest {
                subject_id,
                identifier_id,
                switch_on: vec![Purpose::Login.into()],
                authorization: Some(OfPurposes::ConfirmationId(confirmation)),
                ..Default::default()
            })
            .await
            .map(drop),
    ];
    for answer in said {
        let reason = "CONFIRMATION_AUTHORIZATION_UNAVAILABLE";
        refused(answer, Code::Unimplemented, reason)?;
    }
    Ok(())
}
