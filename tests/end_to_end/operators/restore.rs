//! What is accepted after the database was restored from a backup.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Backend, Person, app_proof, pin_proof,
    v1::{ConfirmationState, Purpose},
};

use super::{SHARED, TABLES};
use crate::{
    harness::Suite,
    world::{MINUTE, World, accepted, login, precondition, rejected, state},
};

/// Adds the tests of this file.
pub(super) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "operators::what_was_used_after_a_backup_is_not_accepted_again_once_it_is_restored",
        restored,
    );
    suite.on_each_backend(
        "operators::after_a_restore_nothing_that_was_open_can_go_on",
        confirmations_restored,
    );
    suite.on_each_backend(
        "operators::after_a_restore_codes_used_before_are_refused",
        codes_restored,
    );
    suite.on_each_backend(
        "operators::after_a_restore_backup_codes_are_void_and_can_be_made_anew",
        lists_restored,
    );
}

fn back_up(world: &World) -> Result<()> {
    for table in TABLES.into_iter().chain([SHARED]) {
        let sql = format!("CREATE TABLE backup_of_{table} AS SELECT * FROM {table}");
        world.database.query(&sql)?;
    }
    Ok(())
}

fn restore(world: &World) -> Result<()> {
    for table in TABLES.into_iter().chain([SHARED]) {
        world.database.query(&format!("DELETE FROM {table}"))?;
        let sql = format!("INSERT INTO {table} SELECT * FROM backup_of_{table}");
        world.database.query(&sql)?;
    }
    Ok(())
}

/// A PIN that nobody has yet.
const NEW_PIN: &str = "94620571";

async fn restored(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let proof = Some(world.right(&app));
    let codes = anna.enrol_codes(&world.client, proof).await?;
    world.pass(MINUTE);
    let early = anna.open(&world.client, login("phone")).await?;
    back_up(&world)?;

    // All of this the backup does not know.
    let code = vec![world.right(&app)];
    let confirm = async |id: &str| -> Result<bool> {
        let answer = anna.submit(&world.client, id, code.clone()).await?;
        Ok(accepted(&answer))
    };
    let early = early.confirmation_id;
    ensure!(confirm(&early).await?, "the code was refused at first");
    anna.redeem(&world.client, &early, login("phone")).await?;
    let pin = |place| vec![pin_proof(&anna.pin), codes.proof(place)];
    let changed = anna.change_pin(&world.client, NEW_PIN, pin(0)).await?;
    ensure!(changed.is_some(), "the backup code was refused at first");

    // Restored and no more, it would let everything happen again.
    restore(&world)?;
    ensure!(confirm(&early).await?, "the danger is another one");
    anna.redeem(&world.client, &early, login("phone")).await?;
    let changed = anna.change_pin(&world.client, NEW_PIN, pin(0)).await?;
    ensure!(changed.is_some(), "the danger is another one");

    restore(&world)?;
    world.platform.after_restore(&anna).await?;
    world.pass(1);
    let shown = anna.get(&world.client, &early).await?;
    ensure!(shown.state() == ConfirmationState::Cancelled, "{shown:?}");
    let answer = anna.redeem(&world.client, &early, login("phone")).await;
    precondition(answer, "CONFIRMATION_NOT_APPROVED")?;
    let again = anna.open(&world.client, login("phone")).await?;
    let is_accepted = confirm(&again.confirmation_id).await?;
    ensure!(!is_accepted, "the code was accepted twice");
    for place in 0..10 {
        let answer = anna.change_pin(&world.client, NEW_PIN, pin(place)).await;
        precondition(answer, "LAST_CODE_RESERVED")?;
    }
    Ok(())
}

async fn confirmations_restored(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let open = async || -> Result<String> {
        let open = anna.open(&world.client, login("phone")).await?;
        Ok(open.confirmation_id)
    };
    let (approved, pending) = (open().await?, open().await?);
    let proofs = vec![world.right(&app)];
    let answer = anna.submit(&world.client, &approved, proofs).await?;
    ensure!(state(&answer) == ConfirmationState::Approved);

    world.platform.after_restore(&anna).await?;
    let facts = world.last_facts(&anna)?;
    ensure!(
        facts.contains("\"RESTORED\"") && facts.contains("ticket 4711"),
        "{facts}"
    );
    for id in [&approved, &pending] {
        let shown = anna.get(&world.client, id).await?;
        ensure!(shown.state() == ConfirmationState::Cancelled, "{shown:?}");
    }
    let answer = anna.redeem(&world.client, &approved, login("phone")).await;
    precondition(answer, "CONFIRMATION_NOT_APPROVED")?;
    world.pass(MINUTE);
    let proofs = vec![world.right(&app)];
    let answer = anna.submit(&world.client, &pending, proofs).await;
    precondition(answer, "CONFIRMATION_NOT_PENDING")?;
    // What is opened from now on goes on, and there is room for it.
    for _ in 0..9 {
        open().await?;
    }
    let fresh = open().await?;
    let proofs = vec![world.right(&app)];
    anna.submit(&world.client, &fresh, proofs).await?;
    let redeemed = anna.redeem(&world.client, &fresh, login("phone")).await?;
    ensure!(redeemed.state() == ConfirmationState::Redeemed);

    let stranger = world.platform.after_restore(&Person::new()).await;
    ensure!(stranger.is_err(), "somebody unknown was dealt with");
    Ok(())
}

async fn codes_restored(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    anna.begin(&world.client, "unfinished").await?;
    // Both codes may have been used after the backup, which does not know of it.
    let (present, next) = (app.code(world.now()), app.next_code(world.now()));
    let expected = world.now().as_millis() / 1000 + 60;
    world.platform.after_restore(&anna).await?;
    world.platform.after_restore(&anna).await?;
    world.pass(1);
    let open = anna.open(&world.client, login("phone")).await?;
    let option = &open.paths[0].stages[0].options[0];
    let usable_from = option.usable_from.as_ref().context("a wait is announced")?;
    ensure!(usable_from.seconds == expected, "{usable_from:?}");
    for code in [present, next] {
        let proofs = vec![app_proof(&app, &code)];
        let answer = anna
            .submit(&world.client, &open.confirmation_id, proofs)
            .await?;
        ensure!(rejected(&answer), "{code} was accepted");
    }
    world.pass(MINUTE);
    let proofs = vec![world.right(&app)];
    let answer = anna
        .submit(&world.client, &open.confirmation_id, proofs)
        .await?;
    ensure!(accepted(&answer), "a later code was refused");
    let list = anna.list(&world.client).await?.identifiers;
    ensure!(list.len() == 1, "the enrolment goes on: {list:?}");
    Ok(())
}

/// How many codes the list in force has, and how many of them are left.
async fn count(world: &World, person: &Person) -> Result<(i32, Option<i32>)> {
    let status = person.codes_status(&world.client).await?;
    let left = status.identifier.and_then(|set| set.codes_left);
    Ok((status.codes_total, left))
}

async fn lists_restored(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let proof = Some(world.right(&app));
    let codes = anna.enrol_codes(&world.client, proof).await?;
    ensure!(count(&world, &anna).await? == (10, Some(10)));
    let sight = world.platform.show(&anna).await?;
    let left: Vec<_> = sight
        .identifiers
        .iter()
        .map(|(one, _)| one.codes_left)
        .collect();
    ensure!(left == [None, Some(10)], "{left:?}");

    world.platform.after_restore(&anna).await?;
    ensure!(count(&world, &anna).await? == (0, Some(0)));
    // No code of the old list does anything, be it for making more.
    let proofs = vec![codes.proof(0)];
    let more = anna.create_more(&world.client, &codes, proofs).await;
    precondition(more, "LAST_CODE_RESERVED")?;
    let proofs = vec![pin_proof(&anna.pin), codes.proof(1)];
    let answer = anna.change_pin(&world.client, "94620571", proofs).await;
    precondition(answer, "LAST_CODE_RESERVED")?;

    // Whoever has an app too gets along alone.
    world.pass(MINUTE);
    let proofs = vec![pin_proof(&anna.pin), world.right(&app)];
    let done = anna
        .disable_codes(&world.client, &codes, false, proofs)
        .await?;
    ensure!(done.is_some(), "not disabled");
    world.pass(MINUTE);
    let proof = Some(world.right(&app));
    anna.enrol_codes(&world.client, proof).await?;
    ensure!(count(&world, &anna).await? == (10, Some(10)));
    Ok(())
}
