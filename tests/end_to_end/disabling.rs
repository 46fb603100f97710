//! Disabling an app: with its own code, or having lost it.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Backend, pin_proof, step_up_paths,
    v1::{IdentifierState, Purpose},
};
use tonic::Code;

use crate::{
    harness::Suite,
    world::{
        Created, MINUTE, World, login, outline, payout, precondition, refused, rejected, stranger,
    },
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("disabling::it_takes_a_code_of_its_own", own_code);
    suite.on_each_backend("disabling::a_lost_app_takes_the_pin_and_another_code", lost);
    suite.on_each_backend("disabling::neither_pin_nor_another_code_is_enough", halves);
    suite.on_each_backend("disabling::the_last_needs_confirm_last", last);
    suite.on_each_backend("disabling::what_is_disabled_is_over", over);
    suite.on_each_backend(
        "disabling::the_history_keeps_everything_ever_bound",
        history,
    );
    suite.on_each_backend("disabling::an_operator_can_too", operator);
}

async fn own_code(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[]).await?;
    world.another(&anna, &app, "spare", &[]).await?;
    let proofs = vec![world.wrong(&app)];
    ensure!(
        anna.disable(&world.client, &app, false, proofs)
            .await?
            .is_none()
    );
    let proofs = vec![world.right(&app)];
    let done = anna
        .disable(&world.client, &app, false, proofs)
        .await?
        .context("done")?;
    ensure!(done.state() == IdentifierState::Disabled && !done.disabled_by_cap);
    ensure!(done.disable_time.map(|at| at.seconds * 1000) == Some(world.now().as_millis()));
    let facts = world.last_facts(&anna)?;
    ensure!(
        facts.contains("\"DISABLED\"") && !facts.contains("LOST_ACCESS"),
        "{facts}"
    );
    Ok(())
}

async fn lost(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, gone) = world.owner(&[Purpose::Login]).await?;
    let spare = world.another(&anna, &gone, "spare", &[]).await?;
    let proofs = vec![pin_proof("111222"), world.right(&spare)];
    ensure!(
        anna.disable(&world.client, &gone, false, proofs)
            .await?
            .is_none()
    );
    let proofs = vec![pin_proof(&anna.pin), world.wrong(&spare)];
    ensure!(
        anna.disable(&world.client, &gone, false, proofs)
            .await?
            .is_none()
    );
    let proofs = vec![pin_proof(&anna.pin), world.right(&spare)];
    ensure!(
        anna.disable(&world.client, &gone, false, proofs)
            .await?
            .is_some()
    );
    let facts = world.last_facts(&anna)?;
    ensure!(facts.contains("LOST_ACCESS"), "{facts}");
    Ok(())
}

async fn halves(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[]).await?;
    let spare = world.another(&anna, &app, "spare", &[]).await?;
    for proofs in [
        vec![],
        vec![pin_proof(&anna.pin)],
        vec![world.right(&spare)],
    ] {
        let answer = anna.disable(&world.client, &app, false, proofs).await;
        let status = precondition(answer, "STEP_UP_REQUIRED")?;
        let paths = step_up_paths(&status).context("paths")?;
        let expected = format!("{} | PIN > {}", app.id, spare.id);
        ensure!(outline(&paths) == expected, "{}", outline(&paths));
    }
    // The only one has no other way than its own code.
    let (boris, only) = world.owner(&[]).await?;
    let proofs = vec![pin_proof(&boris.pin)];
    let answer = boris.disable(&world.client, &only, true, proofs).await;
    precondition(answer, "STEP_UP_REQUIRED")?;
    Ok(())
}

async fn last(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    anna.begin(&world.client, "unfinished").await?;
    let proofs = vec![world.right(&app)];
    let answer = anna
        .disable(&world.client, &app, false, proofs.clone())
        .await;
    precondition(answer, "LAST_IDENTIFIER")?;
    ensure!(
        anna.disable(&world.client, &app, true, proofs)
            .await?
            .is_some()
    );
    // None is left by choice.
    let answer = anna.create(&world.client, login("phone")).await?;
    ensure!(matches!(answer, Created::NotRequired(_)), "{answer:?}");
    let answer = anna.create(&world.client, payout(1)).await?;
    ensure!(
        matches!(answer, Created::EnrolmentRequired(_)),
        "{answer:?}"
    );
    Ok(())
}

async fn over(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let spare = world
        .another(&anna, &app, "spare", &[Purpose::Login])
        .await?;
    let id = anna
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    let proofs = vec![world.right(&app)];
    ensure!(
        anna.disable(&world.client, &app, false, proofs)
            .await?
            .is_some()
    );
    world.pass(MINUTE);
    let answer = anna
        .submit(&world.client, &id, vec![world.right(&app)])
        .await?;
    ensure!(rejected(&answer), "a code of a disabled app was accepted");
    let none = anna.disable(&world.client, &app, true, vec![]).await;
    refused(none, Code::NotFound, "IDENTIFIER_NOT_FOUND")?;
    let proofs = vec![pin_proof(&anna.pin), world.right(&spare)];
    ensure!(
        anna.disable(&world.client, &app, true, proofs)
            .await?
            .is_none()
    );
    // It comes back only by enrolling anew.
    let code = app.code(world.now());
    let proofs = vec![pin_proof(&anna.pin), world.right(&spare)];
    let answer = anna
        .confirm_enable(&world.client, &app, &code, &[], proofs)
        .await?;
    ensure!(answer.is_none(), "a disabled app came back");
    let none = anna
        .disable(&world.client, &stranger(&app), true, vec![])
        .await;
    refused(none, Code::NotFound, "IDENTIFIER_NOT_FOUND")?;
    Ok(())
}

async fn history(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let begun = world.now().as_millis();
    let spare = world.another(&anna, &app, "spare", &[]).await?;
    let lapsed = anna.begin(&world.client, "never finished").await?;
    let ended = world.now().as_millis();
    let proofs = vec![world.right(&app)];
    anna.disable(&world.client, &app, false, proofs).await?;
    world.pass(60 * MINUTE);

    let list = anna.list(&world.client).await?;
    let shown: Vec<_> = list
        .identifiers
        .iter()
        .map(|one| (one.identifier_id.as_str(), one.state(), one.label.as_str()))
        .collect();
    let expected = [
        (app.id.as_str(), IdentifierState::Disabled, "Authenticator"),
        (spare.id.as_str(), IdentifierState::Enabled, "spare"),
    ];
    ensure!(shown == expected, "{shown:?}");
    ensure!(!shown.iter().any(|(id, ..)| *id == lapsed.id));
    let gone = &list.identifiers[0];
    ensure!(gone.purposes.is_empty() && gone.enable_time.is_some());
    let rows = world.database.query(&format!(
        "SELECT kind, label, state, created_at, enabled_at, disabled_at FROM identifier \
         WHERE subject_id = '{}' ORDER BY created_at",
        anna.subject
    ))?;
    let expected = format!("TOTP|Authenticator|DISABLED|{begun}|{begun}|{ended}");
    let mut rows = rows.lines();
    ensure!(rows.next() == Some(expected.as_str()), "{rows:?}");
    let second = rows.next().unwrap_or_default();
    ensure!(
        second.starts_with("TOTP|spare|ENABLED|") && second.ends_with('|'),
        "{second}"
    );
    ensure!(
        rows.next().is_none(),
        "an enrolment that lapsed was never bound"
    );
    Ok(())
}

async fn operator(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    world.platform.disable(&anna, &app).await?;
    let facts = world.last_facts(&anna)?;
    ensure!(
        facts.contains("\"DISABLED\"") && facts.contains("ticket 4711"),
        "{facts}"
    );
    ensure!(anna.list(&world.client).await?.identifiers[0].state() == IdentifierState::Disabled);
    ensure!(world.platform.disable(&anna, &app).await.is_err(), "twice");
    Ok(())
}
