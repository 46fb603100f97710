//! Settings changes that are proved by a phone: always by a confirmation, never in one call.

use anyhow::{Context, Result, ensure};
use countersign_mfa::Reason;
use countersign_primitives::SubjectId;
use countersign_testkit::{
    Backend, Person, Phone, app_proof, new_request_id, pin_proof, v1,
    v1::{
        IdentifierState, Purpose, identifier_service_set_purposes_request as set_purposes,
        settings_change::Change, sms_service_disable_request::Authorization,
    },
};

use crate::{
    harness::Suite,
    sms_world::{ALL, FIRST_WAIT, disable, disable_last, number, unreachable, with_app_and_phone},
    world::{Created, World, accepted, login, payout, precondition, settings},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "sms_settings::a_phone_is_disabled_by_a_code_that_was_sent_to_it",
        disables,
    );
    suite.on_each_backend(
        "sms_settings::where_only_a_phone_is_an_app_takes_its_code",
        app_beside,
    );
    suite.on_each_backend(
        "sms_settings::a_phone_is_switched_on_and_off_by_codes",
        switches,
    );
    suite.on_each_backend(
        "sms_settings::proofs_by_a_phone_in_the_call_itself_are_refused_uncounted",
        inline,
    );
    suite.on_each_backend(
        "sms_settings::what_is_withdrawn_or_approved_sends_nothing_more",
        withdrawn,
    );
}

fn switch(id: &str, on: &[Purpose], off: &[Purpose]) -> Change {
    let numbers = |purposes: &[Purpose]| purposes.iter().map(|one| (*one).into()).collect();
    Change::SetPurposes(v1::SetPurposesChange {
        identifier_id: id.to_owned(),
        switch_on: numbers(on),
        switch_off: numbers(off),
    })
}

/// Makes a switch that a confirmation has approved.
async fn apply(
    world: &World,
    person: &Person,
    change: Change,
    confirmation: &str,
) -> Result<v1::SecurityIdentifier> {
    let Change::SetPurposes(change) = change else {
        anyhow::bail!("no switch");
    };
    let request = v1::IdentifierServiceSetPurposesRequest {
        subject_id: person.subject.clone(),
        request_id: new_request_id(),
        identifier_id: change.identifier_id,
        switch_on: change.switch_on,
        switch_off: change.switch_off,
        authorization: Some(set_purposes::Authorization::ConfirmationId(
            confirmation.to_owned(),
        )),
    };
    let answer = world.client.identifiers().set_purposes(request).await?;
    match answer.into_inner().outcome {
        Some(v1::identifier_service_set_purposes_response::Outcome::Done(done)) => Ok(done),
        other => anyhow::bail!("not switched: {other:?}"),
    }
}

/// Switches a phone on by codes of itself and of another one.
pub(crate) async fn switch_on(
    world: &World,
    person: &Person,
    phone: &Phone,
    other: &Phone,
    purpose: Purpose,
) -> Result<()> {
    let change = switch(&phone.id, &[purpose], &[]);
    let open = person.open(&world.client, settings(change.clone())).await?;
    for phone in [phone, other] {
        let code = world.sent(person, &open, phone).await?;
        ensure!(world.takes(person, &open, phone, &code).await?);
    }
    let done = apply(world, person, change, &open.confirmation_id).await?;
    let is_on = |it: &v1::PurposeSetting| it.purpose() == purpose && it.on;
    ensure!(done.purposes.iter().any(is_on), "{done:?}");
    Ok(())
}

async fn disables(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, phone) = world.phoned(&number(1), ALL).await?;
    let change = |confirm_last| {
        settings(Change::DisableIdentifier(v1::DisableIdentifierChange {
            identifier_id: phone.id.clone(),
            confirm_last,
        }))
    };
    let last = anna.create(&world.client, change(false)).await;
    precondition(last, "LAST_IDENTIFIER")?;
    disable_last(&world, &anna, &phone).await?;
    let text = &world.carrier().messages()[1].text;
    ensure!(text.contains("change security settings"), "{text:?}");
    let list = anna.list(&world.client).await?;
    ensure!(list.identifiers[0].state() == IdentifierState::Disabled);
    // Nothing is left of the number.
    ensure!(list.identifiers[0].masked_number.is_empty());
    let answer = anna.create(&world.client, login("tablet")).await?;
    ensure!(!matches!(answer, Created::Confirmation(_)), "{answer:?}");

    // Lost, where an app is there: the PIN and a code of the app, in one call.
    let (boris, app, phone) = with_app_and_phone(&world, &number(2), ALL).await?;
    let proofs = vec![pin_proof(&boris.pin), world.right(&app)];
    let by = Authorization::Proofs(v1::Proofs { proofs });
    ensure!(disable(&boris, &world, &phone, false, by).await?.is_some());
    Ok(())
}

async fn app_beside(backend: Backend) -> Result<()> {
    use v1::totp_service_confirm_enable_request::Authorization;
    let world = World::new(backend).await?;
    let (anna, phone) = world.phoned(&number(1), ALL).await?;
    let app = anna.begin(&world.client, "app").await?;
    let pin = vec![pin_proof(&anna.pin)];
    let code = app.code(world.now());
    let alone = anna.confirm_enable(&world.client, &app, &code, ALL, pin.clone());
    precondition(alone.await, "STEP_UP_REQUIRED")?;

    let numbers: Vec<i32> = ALL.iter().map(|purpose| (*purpose).into()).collect();
    let change = settings(Change::EnableTotp(v1::EnableTotpChange {
        identifier_id: app.id.clone(),
        purposes: numbers.clone(),
    }));
    let open = anna.open(&world.client, change).await?;
    let id = &open.confirmation_id;
    ensure!(accepted(&anna.submit(&world.client, id, pin).await?));
    let code = world.sent(&anna, &open, &phone).await?;
    ensure!(world.takes(&anna, &open, &phone, &code).await?);
    let request = v1::TotpServiceConfirmEnableRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        identifier_id: app.id.clone(),
        code: app.code(world.now()),
        purposes: numbers,
        authorization: Some(Authorization::ConfirmationId(id.clone())),
    };
    let again = v1::TotpServiceConfirmEnableRequest {
        request_id: new_request_id(),
        ..request.clone()
    };
    let answer = world.client.totp().confirm_enable(request).await?;
    let outcome = answer.into_inner().outcome;
    use v1::totp_service_confirm_enable_response::Outcome;
    ensure!(matches!(outcome, Some(Outcome::Done(_))), "{outcome:?}");
    ensure!(world.client.totp().confirm_enable(again).await.is_err());
    Ok(())
}

async fn switches(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app, phone) = with_app_and_phone(&world, &number(1), &[Purpose::Login]).await?;
    // On, for something that nothing is on for: its own code, then one of another.
    let change = switch(&phone.id, &[Purpose::Withdrawal], &[]);
    let open = anna.open(&world.client, settings(change.clone())).await?;
    let code = world.sent(&anna, &open, &phone).await?;
    ensure!(world.takes(&anna, &open, &phone, &code).await?);
    let over = anna.send_code(&world.client, &open, None).await;
    precondition(over, "NOTHING_TO_SEND")?;
    let id = &open.confirmation_id;
    let proofs = vec![world.right(&app)];
    ensure!(accepted(&anna.submit(&world.client, id, proofs).await?));
    let other = switch(&phone.id, &[Purpose::Other], &[]);
    ensure!(
        apply(&world, &anna, other, id).await.is_err(),
        "another change"
    );
    let done = apply(&world, &anna, change, id).await?;
    let on = |done: &v1::SecurityIdentifier| -> Vec<bool> {
        done.purposes.iter().map(|purpose| purpose.on).collect()
    };
    ensure!(on(&done) == [true, true, false], "{:?}", on(&done));
    anna.open(&world.client, payout(3)).await?;

    // Off: a code of its own is enough.
    world.pass(FIRST_WAIT);
    let change = switch(&phone.id, &[], &[Purpose::Login, Purpose::Withdrawal]);
    let open = anna.open(&world.client, settings(change.clone())).await?;
    let code = world.sent(&anna, &open, &phone).await?;
    ensure!(world.takes(&anna, &open, &phone, &code).await?);
    world.pass(FIRST_WAIT);
    let done = apply(&world, &anna, change, &open.confirmation_id).await?;
    ensure!(on(&done) == [false; 3], "{:?}", on(&done));
    let open = anna.open(&world.client, login("tablet")).await?;
    let sent = anna.send_code(&world.client, &open, None).await;
    precondition(sent, "NOTHING_TO_SEND")?;
    Ok(())
}

async fn inline(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app, phone) = with_app_and_phone(&world, &number(1), ALL).await?;
    let open = anna.open(&world.client, login("tablet")).await?;
    let right = world.sent(&anna, &open, &phone).await?;
    let rows = world.all_rows()?;
    for code in ["000000", "x", right.as_str()] {
        let proofs = || vec![pin_proof(&anna.pin), phone.proof(code)];
        let needs = "PROOF_NEEDS_CONFIRMATION";
        let change = anna.change_pin(&world.client, "94620571", proofs()).await;
        precondition(change, needs)?;
        let second = anna.begin_phone(&world.client, &number(2)).await;
        if let Ok(second) = second {
            world.carrier().nth_message_to(&second.number, 1).await;
        }
        let by = Authorization::Proofs(v1::Proofs { proofs: proofs() });
        precondition(disable(&anna, &world, &phone, true, by).await, needs)?;
        let off = anna.switch(&world.client, &app, &[], ALL, vec![phone.proof(code)]);
        precondition(off.await, needs)?;
    }
    let list = anna.list(&world.client).await?;
    ensure!(
        list.identifiers
            .iter()
            .all(|one| one.purposes.iter().all(|it| !it.locked))
    );
    let facts = world.facts(&anna)?;
    ensure!(!facts.contains("PROOF_REJECTED"), "{facts}");
    ensure!(world.all_rows()? != rows, "the second phone was begun");
    // Nor was the right one used up.
    ensure!(world.takes(&anna, &open, &phone, &right).await?);
    let proofs = vec![
        pin_proof(&anna.pin),
        app_proof(&app, &app.code(world.now())),
    ];
    ensure!(
        anna.change_pin(&world.client, "94620571", proofs)
            .await?
            .is_some()
    );
    Ok(())
}

async fn withdrawn(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app, phone) = with_app_and_phone(&world, &number(1), ALL).await?;
    world.carrier().set_script(unreachable);
    let cancelled = anna.open(&world.client, login("tablet")).await?;
    anna.send_code(&world.client, &cancelled, Some(&phone))
        .await?;
    world.carrier().nth_message_to(&phone.number, 2).await;
    world.states_become("QUEUED|1 SENT|1").await?;
    anna.cancel(&world.client, &cancelled.confirmation_id)
        .await?;
    world.states_become("SENT|1 WITHDRAWN|1").await?;

    world.pass(FIRST_WAIT);
    let approved = anna.open(&world.client, login("tablet")).await?;
    anna.send_code(&world.client, &approved, Some(&phone))
        .await?;
    world.carrier().nth_message_to(&phone.number, 3).await;
    world.states_become("QUEUED|1 SENT|1 WITHDRAWN|1").await?;
    let proofs = vec![world.right(&app)];
    let id = &approved.confirmation_id;
    ensure!(accepted(&anna.submit(&world.client, id, proofs).await?));
    world.states_become("SENT|1 WITHDRAWN|2").await?;

    // Nor to a phone that is not theirs any more.
    world.pass(4 * FIRST_WAIT);
    let open = anna.open(&world.client, login("tablet")).await?;
    anna.send_code(&world.client, &open, Some(&phone)).await?;
    world.carrier().nth_message_to(&phone.number, 4).await;
    world.states_become("QUEUED|1 SENT|1 WITHDRAWN|2").await?;
    let proofs = vec![pin_proof(&anna.pin), world.right(&app)];
    let by = Authorization::Proofs(v1::Proofs { proofs });
    disable(&anna, &world, &phone, false, by).await?;
    world.states_become("SENT|1 WITHDRAWN|3").await?;

    world.carrier().set_script(countersign_testkit::accepted);
    world.nothing_was_sent_since(4).await?;
    world.states_become("SENT|2 WITHDRAWN|3").await?;

    // Nor to one that an operator disabled.
    let (boris, _, lost) = with_app_and_phone(&world, &number(2), ALL).await?;
    world.carrier().set_script(unreachable);
    let open = boris.open(&world.client, login("tablet")).await?;
    boris.send_code(&world.client, &open, Some(&lost)).await?;
    world.carrier().nth_message_to(&lost.number, 2).await;
    world.states_become("QUEUED|1 SENT|3 WITHDRAWN|3").await?;
    let (subject, id) = (SubjectId::parse(&boris.subject)?, lost.id.parse()?);
    let platform = &world.platform.platform;
    let reason = Reason::parse("stolen").context("a reason")?;
    platform.admin_disable(&subject, id, &reason).await?;
    world.states_become("SENT|3 WITHDRAWN|4").await
}
