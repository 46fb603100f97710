//! Settings changes as confirmations: listed, approved, and consumed by their methods.

use anyhow::{Result, ensure};
use countersign_testkit::{
    App, Backend, Person, new_request_id, pin_proof, v1,
    v1::{ConfirmationState, Purpose, settings_change::Change},
};
use tonic::Code;

use crate::{
    backup_codes::spend,
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
    suite.on_each_backend("settings_change::its_method_consumes_it_once", consumed);
    suite.on_each_backend("settings_change::every_method_takes_one", every_method);
    suite.on_each_backend(
        "settings_change::only_an_approved_one_authorizes",
        not_approved,
    );
    suite.on_each_backend(
        "settings_change::what_was_proved_must_still_be_enough",
        overtaken,
    );
    suite.on_each_backend(
        "settings_change::the_last_backup_code_confirms_none",
        last_code,
    );
    suite.on_each_backend(
        "settings_change::one_of_something_else_tries_no_codes",
        no_oracle,
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

/// A confirmation of a change that is approved.
async fn approved_for(
    world: &World,
    person: &Person,
    change: Change,
    proofs: Vec<v1::Proof>,
) -> Result<String> {
    let open = person.open(&world.client, settings(change)).await?;
    let id = open.confirmation_id;
    let answer = person.submit(&world.client, &id, proofs).await?;
    ensure!(state(&answer) == ConfirmationState::Approved);
    Ok(id)
}

fn disable_request(person: &Person, id: &str, confirmation: &str) -> v1::TotpServiceDisableRequest {
    use v1::totp_service_disable_request::Authorization;
    v1::TotpServiceDisableRequest {
        subject_id: person.subject.clone(),
        request_id: new_request_id(),
        identifier_id: id.to_owned(),
        confirm_last: true,
        authorization: Some(Authorization::ConfirmationId(confirmation.to_owned())),
    }
}

async fn consumed(backend: Backend) -> Result<()> {
    use v1::identifier_service_set_purposes_request::Authorization;
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[]).await?;
    let on = vec![Purpose::Login.into()];
    let change = Change::SetPurposes(v1::SetPurposesChange {
        identifier_id: app.id.clone(),
        switch_on: on.clone(),
        switch_off: Vec::new(),
    });
    let id = approved_for(&world, &anna, change, vec![world.right(&app)]).await?;
    let request = |switch_on: Vec<i32>| v1::IdentifierServiceSetPurposesRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        identifier_id: app.id.clone(),
        switch_on,
        switch_off: Vec::new(),
        authorization: Some(Authorization::ConfirmationId(id.clone())),
    };
    let mut identifiers = world.client.identifiers();
    // Another change than was confirmed, or by another caller: it stays approved.
    let other = request(vec![Purpose::Withdrawal.into()]);
    precondition(identifiers.set_purposes(other).await, "OPERATION_MISMATCH")?;
    ensure!(world.last_facts(&anna)?.contains("OPERATION_MISMATCH"));
    let stranger = world.platform.client("another-service").await?;
    let stolen = stranger
        .identifiers()
        .set_purposes(request(on.clone()))
        .await;
    refused(stolen, Code::NotFound, "CONFIRMATION_NOT_FOUND")?;

    let done = identifiers
        .set_purposes(request(on.clone()))
        .await?
        .into_inner();
    use v1::identifier_service_set_purposes_response::Outcome;
    let Some(Outcome::Done(shown)) = done.outcome else {
        anyhow::bail!("not done: {done:?}");
    };
    ensure!(shown.purposes[0].on);
    let facts = world.last_facts(&anna)?;
    ensure!(
        facts.contains("REDEEMED") && facts.contains("SWITCHED_ON"),
        "{facts}"
    );
    let again = identifiers.set_purposes(request(on)).await;
    precondition(again, "ALREADY_REDEEMED")?;
    let after = anna.get(&world.client, &id).await?;
    ensure!(after.state() == ConfirmationState::Redeemed);
    Ok(())
}

async fn every_method(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[]).await?;
    let code = enables_and_finishes_codes(&world, &anna, &app).await?;
    world.pass(60);
    enables_an_app(&world, &anna, &app).await?;
    world.pass(60);
    changes_the_pin(&world, &anna, &app).await?;
    disables_codes(&world, &anna, code).await
}

/// Returns a proof by one of the codes.
async fn enables_and_finishes_codes(world: &World, anna: &Person, app: &App) -> Result<v1::Proof> {
    use v1::{
        backup_code_service_enable_request::Authorization,
        backup_code_service_enable_response::Outcome,
    };
    let change = Change::EnableBackupCodes(v1::EnableBackupCodesChange {});
    let proofs = vec![pin_proof(&anna.pin), world.right(app)];
    let id = approved_for(world, anna, change, proofs).await?;
    let enable = v1::BackupCodeServiceEnableRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        label: String::new(),
        authorization: Some(Authorization::ConfirmationId(id)),
    };
    let mut service = world.client.backup_codes();
    let enabled = service.enable(enable).await?.into_inner();
    let Some(Outcome::List(list)) = enabled.outcome else {
        anyhow::bail!("no list");
    };
    let finish = v1::BackupCodeServiceFinishRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        list_id: list.list_id,
    };
    service.finish(finish).await?;
    Ok(v1::Proof {
        authenticator: Some(v1::proof::Authenticator::IdentifierId(list.identifier_id)),
        code: list.codes[0].clone(),
    })
}

/// A wrong code of the new app leaves the confirmation approved.
async fn enables_an_app(world: &World, anna: &Person, app: &App) -> Result<()> {
    use v1::{
        totp_service_confirm_enable_request::Authorization,
        totp_service_confirm_enable_response::Outcome,
    };
    let client = &world.client;
    let second = anna.begin(client, "second").await?;
    let change = Change::EnableTotp(v1::EnableTotpChange {
        identifier_id: second.id.clone(),
        purposes: Vec::new(),
    });
    let proofs = vec![pin_proof(&anna.pin), world.right(app)];
    let id = approved_for(world, anna, change, proofs).await?;
    let confirm = async |code: String| -> Result<Option<Outcome>> {
        let request = v1::TotpServiceConfirmEnableRequest {
            subject_id: anna.subject.clone(),
            request_id: new_request_id(),
            identifier_id: second.id.clone(),
            code,
            purposes: Vec::new(),
            authorization: Some(Authorization::ConfirmationId(id.clone())),
        };
        let answer = client.totp().confirm_enable(request).await?;
        Ok(answer.into_inner().outcome)
    };
    let wrong = confirm(second.wrong_code(world.now())).await?;
    ensure!(matches!(wrong, Some(Outcome::Rejected(_))), "{wrong:?}");
    ensure!(anna.get(client, &id).await?.state() == ConfirmationState::Approved);
    let right = confirm(second.earlier_code(world.now())).await?;
    ensure!(matches!(right, Some(Outcome::Done(_))), "{right:?}");
    Ok(())
}

async fn changes_the_pin(world: &World, anna: &Person, app: &App) -> Result<()> {
    use v1::{pin_service_change_request::Authorization, pin_service_change_response::Outcome};
    let change = Change::ChangePin(v1::ChangePinChange {});
    let proofs = vec![pin_proof(&anna.pin), world.right(app)];
    let id = approved_for(world, anna, change, proofs).await?;
    let request = v1::PinServiceChangeRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        new_pin: "604829".to_owned(),
        authorization: Some(Authorization::ConfirmationId(id)),
    };
    let answer = world.client.pins().change(request).await?.into_inner();
    ensure!(matches!(answer.outcome, Some(Outcome::Done(_))));
    Ok(())
}

async fn disables_codes(world: &World, anna: &Person, code: v1::Proof) -> Result<()> {
    use v1::{
        backup_code_service_disable_request::Authorization,
        backup_code_service_disable_response::Outcome, proof::Authenticator,
    };
    let Some(Authenticator::IdentifierId(set)) = code.authenticator.clone() else {
        anyhow::bail!("no identifier");
    };
    let id = approved_for(world, anna, disable(&set, false), vec![code]).await?;
    let request = v1::BackupCodeServiceDisableRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        identifier_id: set,
        confirm_last: false,
        authorization: Some(Authorization::ConfirmationId(id)),
    };
    let answer = world.client.backup_codes().disable(request).await?;
    let outcome = answer.into_inner().outcome;
    ensure!(matches!(outcome, Some(Outcome::Done(_))), "{outcome:?}");
    Ok(())
}

/// A confirmation that is not approved, has lapsed, or is none, authorizes nothing.
async fn not_approved(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[]).await?;
    let mut totp = world.client.totp();
    let nothing = disable_request(&anna, &app.id, &new_request_id());
    refused(
        totp.disable(nothing).await,
        Code::NotFound,
        "CONFIRMATION_NOT_FOUND",
    )?;
    let open = anna
        .open(&world.client, settings(disable(&app.id, true)))
        .await?;
    let id = &open.confirmation_id;
    let early = totp.disable(disable_request(&anna, &app.id, id)).await;
    precondition(early, "CONFIRMATION_NOT_APPROVED")?;
    anna.submit(&world.client, id, vec![world.right(&app)])
        .await?;
    world.pass(5 * 60);
    let late = totp.disable(disable_request(&anna, &app.id, id)).await;
    precondition(late, "CONFIRMATION_EXPIRED")?;
    let list = anna.list(&world.client).await?;
    ensure!(list.identifiers[0].disable_time.is_none());
    Ok(())
}

/// What was proved when less was enrolled is not enough any more.
async fn overtaken(backend: Backend) -> Result<()> {
    use v1::totp_service_confirm_enable_request::Authorization;
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let (first, second) = (
        anna.begin(&world.client, "first").await?,
        anna.begin(&world.client, "second").await?,
    );
    let change = Change::EnableTotp(v1::EnableTotpChange {
        identifier_id: first.id.clone(),
        purposes: Vec::new(),
    });
    let id = approved_for(&world, &anna, change, vec![pin_proof(&anna.pin)]).await?;
    anna.confirm(&world.client, &second, &[], world.now(), None)
        .await?;
    let request = v1::TotpServiceConfirmEnableRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        identifier_id: first.id.clone(),
        code: first.code(world.now()),
        purposes: Vec::new(),
        authorization: Some(Authorization::ConfirmationId(id)),
    };
    let answer = world.client.totp().confirm_enable(request).await;
    precondition(answer, "STEP_UP_REQUIRED")?;

    // Nor is what was proved with a PIN that was reset since.
    let (boris, app) = world.owner(&[]).await?;
    let spare = world.another(&boris, &app, "spare", &[]).await?;
    let proofs = vec![pin_proof(&boris.pin), world.right(&spare)];
    let id = approved_for(&world, &boris, disable(&app.id, true), proofs).await?;
    world.platform.reset_pin(&boris).await?;
    let request = disable_request(&boris, &app.id, &id);
    let answer = world.client.totp().disable(request).await;
    precondition(answer, "AUTHENTICATOR_CHANGED")?;
    Ok(())
}

/// A confirmation of something else is no way to try codes of an app past its own throttle.
async fn no_oracle(backend: Backend) -> Result<()> {
    use v1::totp_service_confirm_enable_request::Authorization;
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[]).await?;
    let change = disable(&app.id, true);
    let id = approved_for(&world, &anna, change, vec![world.right(&app)]).await?;
    for number in 0..12 {
        let request = v1::TotpServiceConfirmEnableRequest {
            subject_id: anna.subject.clone(),
            request_id: new_request_id(),
            identifier_id: app.id.clone(),
            code: format!("{number:06}"),
            purposes: Vec::new(),
            authorization: Some(Authorization::ConfirmationId(id.clone())),
        };
        let answer = world.client.totp().confirm_enable(request).await;
        precondition(answer, "OPERATION_MISMATCH")?;
    }
    anna.begin(&world.client, "no enrolment was throttled")
        .await?;
    Ok(())
}

async fn last_code(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, codes) = Person::with_codes(&world.client, &[Purpose::Login]).await?;
    let change = disable(&codes.id, true);
    let open = anna.open(&world.client, settings(change.clone())).await?;
    spend(&world, &anna, &codes, 1..9).await?;
    // A confirmation would use it up, and might never be consumed.
    let answer = anna
        .submit(&world.client, &open.confirmation_id, vec![codes.proof(9)])
        .await;
    precondition(answer, "LAST_CODE_RESERVED")?;
    let answer = anna.create(&world.client, settings(change)).await?;
    ensure!(matches!(answer, Created::Denied(_)), "{answer:?}");
    Ok(())
}
