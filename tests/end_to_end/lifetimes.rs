//! The life of a confirmation: how it ends, and how many there may be.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    App, Backend, Person, pin_proof, retry_after,
    v1::{ConfirmationState, Purpose},
};
use tonic::Code;

use crate::{
    harness::Suite,
    world::{MINUTE, World, accepted, login, payout, precondition, refused, rejected, state},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "confirmation::pending_it_expires_after_five_minutes",
        pending,
    );
    suite.on_each_backend(
        "confirmation::approved_it_expires_after_five_minutes",
        approved,
    );
    suite.on_each_backend("confirmation::cancelled_it_is_over", cancelled);
    suite.on_each_backend("confirmation::the_fifth_wrong_call_ends_it", failed);
    suite.on_each_backend("confirmation::several_are_independent", independent);
    suite.on_each_backend("confirmation::ten_may_be_pending", ten);
    suite.on_each_backend(
        "confirmation::an_approval_ends_with_its_authenticators",
        void,
    );
}

async fn pending(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let open = anna.open(&world.client, login("phone")).await?;
    let id = &open.confirmation_id;
    world.pass(5 * MINUTE - 1);
    ensure!(anna.get(&world.client, id).await?.state() == ConfirmationState::Pending);
    world.pass(1);
    let over = anna.get(&world.client, id).await?;
    ensure!(over.state() == ConfirmationState::Expired);
    ensure!(over.expire_time.map(|time| time.seconds * 1000) == Some(world.now().as_millis()));
    let late = anna
        .submit(&world.client, id, vec![world.right(&app)])
        .await;
    precondition(late, "CONFIRMATION_EXPIRED")?;
    precondition(
        anna.redeem(&world.client, id, login("phone")).await,
        "CONFIRMATION_EXPIRED",
    )?;
    precondition(anna.cancel(&world.client, id).await, "CONFIRMATION_EXPIRED")?;
    // The code that came too late was not used up.
    approve(&world, &anna, &app).await?;
    Ok(())
}

/// A login that is approved.
async fn approve(world: &World, person: &Person, app: &App) -> Result<String> {
    let id = person
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    let answer = person
        .submit(&world.client, &id, vec![world.right(app)])
        .await?;
    ensure!(accepted(&answer), "the right code was refused");
    Ok(id)
}

async fn approved(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let in_time = approve(&world, &anna, &app).await?;
    world.pass(30);
    let too_late = approve(&world, &anna, &app).await?;
    world.pass(5 * MINUTE - 31);
    anna.redeem(&world.client, &in_time, login("phone")).await?;
    world.pass(31);
    let late = anna.redeem(&world.client, &too_late, login("phone")).await;
    precondition(late, "CONFIRMATION_EXPIRED")?;
    let over = anna.get(&world.client, &too_late).await?;
    ensure!(over.state() == ConfirmationState::Expired && over.approve_time.is_some());
    Ok(())
}

async fn cancelled(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let pending = anna
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    for _ in 0..2 {
        let over = anna.cancel(&world.client, &pending).await?;
        ensure!(
            over.state() == ConfirmationState::Cancelled,
            "cancelling is idempotent"
        );
    }
    let late = anna
        .submit(&world.client, &pending, vec![world.right(&app)])
        .await;
    let status = precondition(late, "CONFIRMATION_NOT_PENDING")?;
    ensure!(status.message().contains("CANCELLED"));

    let approved = approve(&world, &anna, &app).await?;
    anna.cancel(&world.client, &approved).await?;
    let late = anna.redeem(&world.client, &approved, login("phone")).await;
    precondition(late, "CONFIRMATION_NOT_APPROVED")?;

    world.pass(30);
    let redeemed = approve(&world, &anna, &app).await?;
    anna.redeem(&world.client, &redeemed, login("phone"))
        .await?;
    let late = anna.cancel(&world.client, &redeemed).await;
    precondition(late, "CONFIRMATION_NOT_PENDING")?;
    let again = anna.redeem(&world.client, &redeemed, login("phone")).await;
    precondition(again, "ALREADY_REDEEMED")?;
    Ok(())
}

async fn failed(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let id = anna
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    for left in [4, 3, 2, 1, 0] {
        let answer = anna
            .submit(&world.client, &id, vec![world.wrong(&app)])
            .await?;
        ensure!(rejected(&answer));
        let after = answer.confirmation.context("a confirmation")?;
        ensure!(after.attempts_left == left);
        let ended = after.state() == ConfirmationState::Failed;
        ensure!(
            ended == (left == 0),
            "with {left} left it is {:?}",
            after.state()
        );
    }
    let late = anna
        .submit(&world.client, &id, vec![world.right(&app)])
        .await;
    let status = precondition(late, "CONFIRMATION_NOT_PENDING")?;
    ensure!(status.message().contains("FAILED"));
    let late = anna.redeem(&world.client, &id, login("phone")).await;
    precondition(late, "CONFIRMATION_NOT_APPROVED")?;
    precondition(
        anna.cancel(&world.client, &id).await,
        "CONFIRMATION_NOT_PENDING",
    )?;
    Ok(())
}

async fn independent(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Withdrawal, Purpose::Login]).await?;
    let small = anna.open(&world.client, payout(1)).await?.confirmation_id;
    let large = anna
        .open(&world.client, payout(1_000_000))
        .await?
        .confirmation_id;
    let login_id = anna
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    anna.cancel(&world.client, &login_id).await?;
    // The PIN given for one is not given for the other.
    anna.submit(&world.client, &small, vec![pin_proof(&anna.pin)])
        .await?;
    let early = anna
        .submit(&world.client, &large, vec![world.right(&app)])
        .await;
    precondition(early, "WRONG_STAGE")?;
    let wrong = anna
        .submit(&world.client, &small, vec![world.wrong(&app)])
        .await?;
    ensure!(rejected(&wrong));
    ensure!(anna.get(&world.client, &large).await?.attempts_left == 5);
    let answer = anna
        .submit(&world.client, &small, vec![world.right(&app)])
        .await?;
    ensure!(state(&answer) == ConfirmationState::Approved);
    ensure!(anna.get(&world.client, &large).await?.state() == ConfirmationState::Pending);
    let swapped = anna.redeem(&world.client, &large, payout(1)).await;
    precondition(swapped, "CONFIRMATION_NOT_APPROVED")?;
    let swapped = anna.redeem(&world.client, &small, payout(1_000_000)).await;
    precondition(swapped, "OPERATION_MISMATCH")?;
    Ok(())
}

async fn ten(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let (boris, _) = world.owner(&[Purpose::Login]).await?;
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(
            anna.open(&world.client, login("phone"))
                .await?
                .confirmation_id,
        );
        world.pass(1);
    }
    let eleventh = anna.create(&world.client, login("phone")).await;
    let reason = "TOO_MANY_PENDING_CONFIRMATIONS";
    let status = refused(eleventh, Code::ResourceExhausted, reason)?;
    ensure!(retry_after(&status) == Some(Duration::from_secs(5 * MINUTE - 10)));
    boris.open(&world.client, login("phone")).await?;

    // One that ends makes room for one: cancelled, approved, failed, expired.
    anna.cancel(&world.client, &open[1]).await?;
    open.push(
        anna.open(&world.client, login("phone"))
            .await?
            .confirmation_id,
    );
    anna.submit(&world.client, &open[2], vec![world.right(&app)])
        .await?;
    anna.open(&world.client, login("phone")).await?;
    for _ in 0..5 {
        anna.submit(&world.client, &open[3], vec![world.wrong(&app)])
            .await?;
    }
    // Locked now: nothing opens, and the place stays free.
    world.pass(5 * MINUTE - 11);
    let pending = anna.get(&world.client, &open[0]).await?.state();
    ensure!(pending == ConfirmationState::Pending, "{pending:?}");
    world.pass(60);
    for _ in 0..8 {
        anna.open(&world.client, login("phone")).await?;
    }
    Ok(())
}

async fn void(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    for reset_pin in [false, true] {
        let (anna, app) = world.owner(&[Purpose::Withdrawal]).await?;
        let id = anna.open(&world.client, payout(1)).await?.confirmation_id;
        let proofs = vec![pin_proof(&anna.pin), world.right(&app)];
        anna.submit(&world.client, &id, proofs).await?;
        world.pass(1);
        if reset_pin {
            world.platform.reset_pin(&anna).await?;
            let proofs = vec![countersign_testkit::app_proof(
                &app,
                &app.next_code(world.now()),
            )];
            anna.set_first_pin(&world.client, &anna.pin, proofs).await?;
        } else {
            world.platform.disable(&anna, &app).await?;
        }
        let answer = anna.redeem(&world.client, &id, payout(1)).await;
        precondition(answer, "AUTHENTICATOR_CHANGED")?;
        ensure!(world.last_facts(&anna)?.contains("REDEEM_REFUSED"));
    }
    Ok(())
}
