//! A withdrawal: the PIN, then a code, then once and only as it was confirmed.

use anyhow::{Result, ensure};
use countersign_testkit::{
    Backend, Person, pin_proof, v1,
    v1::{ConfirmationState, IdentifierKind, Purpose, operation::Operation},
};

use crate::{
    harness::Suite,
    world::{Created, World, accepted, outline, payout, precondition, rejected, state},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("withdrawal::pin_then_code_then_redeemed_once", story);
    suite.on_each_backend("withdrawal::with_none_on_any_enabled_app_serves", none_on);
    suite.on_each_backend("withdrawal::with_some_on_only_those_serve", some_on);
    suite.on_each_backend("withdrawal::what_is_missing_has_to_be_enrolled", missing);
    suite.on_each_backend("withdrawal::pin_and_code_may_come_in_one_call", one_call);
    suite.on_each_backend(
        "withdrawal::a_code_before_the_pin_counts_nothing",
        wrong_stage,
    );
    suite.on_each_backend("withdrawal::every_field_is_bound", bound);
}

async fn story(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Withdrawal]).await?;
    let open = anna.open(&world.client, payout(100)).await?;
    ensure!(open.purpose() == Purpose::Withdrawal);
    ensure!(outline(&open.paths) == format!("PIN > {}", app.id));
    let id = &open.confirmation_id;
    let early = anna.redeem(&world.client, id, payout(100)).await;
    precondition(early, "CONFIRMATION_NOT_APPROVED")?;

    let pin = anna
        .submit(&world.client, id, vec![pin_proof(&anna.pin)])
        .await?;
    ensure!(accepted(&pin) && state(&pin) == ConfirmationState::Pending);
    let stages = pin.confirmation.map(|after| after.paths[0].stages.clone());
    let passed = stages.map(|stages| stages.iter().map(|stage| stage.passed).collect::<Vec<_>>());
    ensure!(passed == Some(vec![true, false]), "{passed:?}");
    let code = anna
        .submit(&world.client, id, vec![world.right(&app)])
        .await?;
    ensure!(accepted(&code) && state(&code) == ConfirmationState::Approved);

    let redeemed = anna.redeem(&world.client, id, payout(100)).await?;
    ensure!(redeemed.state() == ConfirmationState::Redeemed && redeemed.redeem_time.is_some());
    let again = anna.redeem(&world.client, id, payout(100)).await;
    precondition(again, "ALREADY_REDEEMED")?;
    let late = anna
        .submit(&world.client, id, vec![pin_proof(&anna.pin)])
        .await;
    precondition(late, "CONFIRMATION_NOT_PENDING")?;
    Ok(())
}

async fn none_on(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, first) = world.owner(&[Purpose::Login]).await?;
    let second = world.another(&anna, &first, "spare", &[]).await?;
    let open = anna.open(&world.client, payout(1)).await?;
    let shown = outline(&open.paths);
    ensure!(
        shown.contains(&first.id) && shown.contains(&second.id),
        "{shown}"
    );
    let proofs = vec![pin_proof(&anna.pin), world.right(&second)];
    let answer = anna
        .submit(&world.client, &open.confirmation_id, proofs)
        .await?;
    ensure!(state(&answer) == ConfirmationState::Approved);
    Ok(())
}

async fn some_on(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, on) = world.owner(&[Purpose::Withdrawal]).await?;
    let off = world
        .another(&anna, &on, "spare", &[Purpose::Login])
        .await?;
    let open = anna.open(&world.client, payout(1)).await?;
    ensure!(outline(&open.paths) == format!("PIN > {}", on.id));
    let id = &open.confirmation_id;
    let proofs = vec![pin_proof(&anna.pin), world.right(&off)];
    let answer = anna.submit(&world.client, id, proofs).await?;
    ensure!(
        rejected(&answer),
        "an app that is off confirmed a withdrawal"
    );
    let proofs = vec![pin_proof(&anna.pin), world.right(&on)];
    let answer = anna.submit(&world.client, id, proofs).await?;
    ensure!(state(&answer) == ConfirmationState::Approved);
    Ok(())
}

async fn missing(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let any = vec![
        i32::from(IdentifierKind::Totp),
        i32::from(IdentifierKind::Sms),
        i32::from(IdentifierKind::BackupCodes),
    ];
    let (without_pin, _) = world.owner(&[Purpose::Withdrawal]).await?;
    world.platform.reset_pin(&without_pin).await?;
    let cases = [
        (Person::new(), true, any.clone()),
        (world.somebody().await?, false, any),
        (without_pin, true, Vec::new()),
    ];
    for (person, pin, kinds) in cases {
        let answer = person.create(&world.client, payout(1)).await?;
        let expected = Created::EnrolmentRequired(v1::EnrolmentRequired { pin, kinds });
        ensure!(answer == expected, "{answer:?}");
        ensure!(world.last_facts(&person)?.contains("ENROLMENT_REQUIRED"));
        ensure!(world.rows("confirmation", &person)? == 0);
    }
    Ok(())
}

async fn one_call(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Withdrawal]).await?;
    // In either order: the stages have one, the proofs of a call have none.
    for code_first in [false, true] {
        let open = anna.open(&world.client, payout(1)).await?;
        let mut proofs = vec![pin_proof(&anna.pin), world.right(&app)];
        if code_first {
            proofs.reverse();
        }
        let answer = anna
            .submit(&world.client, &open.confirmation_id, proofs)
            .await?;
        ensure!(state(&answer) == ConfirmationState::Approved);
        world.pass(30);
    }
    Ok(())
}

async fn wrong_stage(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Withdrawal]).await?;
    let open = anna.open(&world.client, payout(1)).await?;
    let id = &open.confirmation_id;
    let events = world.rows("event", &anna)?;
    for _ in 0..6 {
        for proof in [world.right(&app), world.wrong(&app)] {
            let early = anna.submit(&world.client, id, vec![proof]).await;
            precondition(early, "WRONG_STAGE")?;
        }
    }
    ensure!(anna.get(&world.client, id).await?.attempts_left == 5);
    ensure!(
        world.rows("event", &anna)? == events,
        "something was written"
    );
    let proofs = vec![pin_proof(&anna.pin), world.right(&app)];
    let answer = anna.submit(&world.client, id, proofs).await?;
    ensure!(
        state(&answer) == ConfirmationState::Approved,
        "the code was used up"
    );
    Ok(())
}

/// The withdrawal with one thing changed, for each thing.
fn changed() -> Vec<Operation> {
    let change = |change: fn(&mut v1::Withdrawal, &mut v1::Money)| {
        let mut operation = payout(100);
        if let Operation::Withdrawal(withdrawal) = &mut operation {
            let mut amount = withdrawal.amount.take().unwrap_or_default();
            change(withdrawal, &mut amount);
            withdrawal.amount = Some(amount);
        }
        operation
    };
    vec![
        change(|withdrawal, _| withdrawal.source_account.push('1')),
        change(|withdrawal, _| withdrawal.destination.push('1')),
        change(|withdrawal, _| withdrawal.payment_method.clear()),
        change(|withdrawal, _| {
            std::mem::swap(&mut withdrawal.source_account, &mut withdrawal.destination)
        }),
        change(|withdrawal, _| {
            // The same characters in a row, parted elsewhere.
            withdrawal.destination.push_str("se");
            withdrawal.payment_method = "pa".to_owned();
        }),
        change(|_, amount| "USD".clone_into(&mut amount.currency_code)),
        change(|_, amount| amount.units += 1),
        change(|_, amount| amount.nanos += 1),
        change(|_, amount| amount.nanos = 0),
    ]
}

async fn bound(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Withdrawal]).await?;
    let open = anna.open(&world.client, payout(100)).await?;
    let id = &open.confirmation_id;
    let proofs = vec![pin_proof(&anna.pin), world.right(&app)];
    anna.submit(&world.client, id, proofs).await?;

    let others = changed();
    for (number, operation) in (1..).zip(&others) {
        let answer = anna.redeem(&world.client, id, operation.clone()).await;
        precondition(answer, "OPERATION_MISMATCH")?;
        let told = world
            .facts(&anna)?
            .matches("\"OPERATION_MISMATCH\"")
            .count();
        ensure!(told == number, "{told} events tell of {number} mismatches");
        let state = anna.get(&world.client, id).await?.state();
        ensure!(state == ConfirmationState::Approved, "{state:?}");
    }
    // The very same thing as another kind of operation, and for somebody else.
    let login = anna
        .redeem(&world.client, id, crate::world::login("main"))
        .await;
    precondition(login, "OPERATION_MISMATCH")?;
    let redeemed = anna.redeem(&world.client, id, payout(100)).await?;
    ensure!(redeemed.state() == ConfirmationState::Redeemed);
    Ok(())
}
