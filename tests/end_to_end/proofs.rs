//! Several proofs in one call: all are looked at, each counts by itself, none is used up alone.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Backend, Person, pin_proof, v1,
    v1::{ConfirmationState, Purpose},
};

use crate::{
    harness::Suite,
    world::{MINUTE, World, login, payout, rejected, state, stranger, wrong_fields},
};

const WRONG_PIN: &str = "111222";

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "proofs::each_wrong_one_counts_on_its_own_throttle",
        own_throttle,
    );
    suite.on_each_backend(
        "proofs::a_right_one_beside_a_wrong_one_is_not_used_up",
        unused,
    );
    suite.on_each_backend(
        "proofs::a_right_pin_beside_a_wrong_code_ends_no_run",
        no_run_ends,
    );
    suite.on_each_backend(
        "proofs::a_locked_one_takes_the_others_with_it",
        beside_locked,
    );
    suite.on_each_backend("proofs::at_most_four_each_by_another_authenticator", form);
}

/// How the PIN and the app are locked.
async fn locked(world: &World, person: &Person) -> Result<(bool, bool)> {
    let list = person.list(&world.client).await?;
    let pin = list.pin.context("a PIN")?.locked;
    let app = list.identifiers[0]
        .purposes
        .iter()
        .any(|setting| setting.locked);
    Ok((pin, app))
}

async fn submit(
    world: &World,
    person: &Person,
    proofs: Vec<v1::Proof>,
) -> Result<v1::ConfirmationServiceSubmitProofResponse> {
    let id = person.open(&world.client, payout(1)).await?.confirmation_id;
    let answer = person.submit(&world.client, &id, proofs).await?;
    person.cancel(&world.client, &id).await?;
    Ok(answer)
}

async fn own_throttle(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Withdrawal]).await?;
    for _ in 0..4 {
        let both = vec![pin_proof(WRONG_PIN), world.wrong(&app)];
        ensure!(rejected(&submit(&world, &anna, both).await?));
    }
    ensure!(locked(&world, &anna).await? == (false, false));
    let (boris, other) = world.owner(&[Purpose::Withdrawal]).await?;
    for _ in 0..4 {
        let both = vec![pin_proof(WRONG_PIN), world.wrong(&other)];
        ensure!(rejected(&submit(&world, &boris, both).await?));
    }
    // Both stand at four: the fifth wrong one of either locks that one, and only that one.
    let id = anna.open(&world.client, payout(1)).await?.confirmation_id;
    let proofs = vec![pin_proof(WRONG_PIN), world.right(&app)];
    ensure!(rejected(&anna.submit(&world.client, &id, proofs).await?));
    ensure!(locked(&world, &anna).await? == (true, false));
    let proofs = vec![pin_proof(&boris.pin), world.wrong(&other)];
    ensure!(rejected(&submit(&world, &boris, proofs).await?));
    ensure!(locked(&world, &boris).await? == (false, true));
    let facts = world.last_facts(&anna)?;
    ensure!(
        facts.contains("PROOF_UNUSED") && facts.contains("PROOF_REJECTED"),
        "{facts}"
    );
    Ok(())
}

async fn unused(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Withdrawal]).await?;
    let id = anna.open(&world.client, payout(1)).await?.confirmation_id;
    let code = world.right(&app);
    for pin in [WRONG_PIN, "", "85037"] {
        let proofs = vec![pin_proof(pin), code.clone()];
        ensure!(rejected(&anna.submit(&world.client, &id, proofs).await?));
    }
    // Nor did the right PIN of such a call pass its stage.
    let proofs = vec![pin_proof(&anna.pin), world.wrong(&app)];
    let answer = anna.submit(&world.client, &id, proofs).await?;
    let after = answer.confirmation.context("a confirmation")?;
    ensure!(after.paths[0].stages.iter().all(|stage| !stage.passed));
    ensure!(
        after.attempts_left == 1,
        "each call is one attempt: {}",
        after.attempts_left
    );
    let proofs = vec![pin_proof(&anna.pin), code];
    let answer = anna.submit(&world.client, &id, proofs).await?;
    ensure!(
        state(&answer) == ConfirmationState::Approved,
        "the code was used up"
    );
    Ok(())
}

async fn no_run_ends(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Withdrawal]).await?;
    let wrong = || vec![pin_proof(WRONG_PIN)];
    for _ in 0..4 {
        submit(&world, &anna, wrong()).await?;
    }
    let mixed = vec![pin_proof(&anna.pin), world.wrong(&app)];
    ensure!(rejected(&submit(&world, &anna, mixed).await?));
    let id = anna.open(&world.client, payout(1)).await?.confirmation_id;
    anna.submit(&world.client, &id, wrong()).await?;
    ensure!(
        locked(&world, &anna).await?.0,
        "a rejected call ended the run of the PIN"
    );
    // One that is accepted does end it.
    world.pass(5 * MINUTE);
    submit(&world, &anna, vec![pin_proof(&anna.pin)]).await?;
    for _ in 0..4 {
        submit(&world, &anna, wrong()).await?;
    }
    ensure!(
        !locked(&world, &anna).await?.0,
        "an accepted PIN did not end its run"
    );
    Ok(())
}

async fn beside_locked(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Withdrawal]).await?;
    let id = anna.open(&world.client, payout(1)).await?.confirmation_id;
    world.guess(&anna, &app, &payout(1), 5).await?;
    let proofs = || vec![pin_proof(&anna.pin), world.right(&app)];
    ensure!(rejected(&anna.submit(&world.client, &id, proofs()).await?));
    // By itself the right PIN passes.
    let answer = anna
        .submit(&world.client, &id, vec![pin_proof(&anna.pin)])
        .await?;
    ensure!(!rejected(&answer) && state(&answer) == ConfirmationState::Pending);
    Ok(())
}

async fn form(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let id = anna
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    let unknown = || world.wrong(&stranger(&app));
    let five = (0..5).map(|_| unknown()).collect();
    let twice = vec![world.wrong(&app), world.right(&app)];
    let pins = vec![pin_proof(&anna.pin), pin_proof(WRONG_PIN)];
    for proofs in [five, twice, pins, vec![]] {
        let answer = anna.submit(&world.client, &id, proofs).await;
        ensure!(wrong_fields(answer)? == ["proofs"]);
    }
    let mut upper = world.right(&app);
    let capitals = app.id.to_uppercase();
    upper.authenticator = Some(v1::proof::Authenticator::IdentifierId(capitals));
    let twice = vec![world.wrong(&app), upper];
    let answer = anna.submit(&world.client, &id, twice).await;
    ensure!(
        wrong_fields(answer)? == ["proofs"],
        "one id in two spellings"
    );
    ensure!(anna.get(&world.client, &id).await?.attempts_left == 5);
    let four = (0..4).map(|_| unknown()).collect();
    ensure!(rejected(&anna.submit(&world.client, &id, four).await?));
    Ok(())
}
