//! Switching an app on and off for purposes.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{Backend, pin_proof, step_up_paths, v1, v1::Purpose};
use tonic::Code;

use crate::{
    harness::Suite,
    world::{MINUTE, World, login, outline, precondition, refused, stranger, wrong_fields},
};

const LOGIN: &[Purpose] = &[Purpose::Login];
const WITHDRAWAL: &[Purpose] = &[Purpose::Withdrawal];

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("purposes::the_only_app_takes_its_own_code", only_one);
    suite.on_each_backend("purposes::on_takes_its_own_code_and_one_that_is_on", on);
    suite.on_each_backend("purposes::where_none_is_on_any_other_code_does", none_on);
    suite.on_each_backend("purposes::off_takes_its_own_code_or_one_that_is_on", off);
    suite.on_each_backend("purposes::the_pin_switches_nothing", pin_alone);
    suite.on_each_backend("purposes::a_rejected_change_changes_nothing", rejected);
    suite.on_each_backend("purposes::what_is_no_change_is_refused", invalid);
    suite.on_each_backend("purposes::what_is_not_enabled_is_not_switched", not_enabled);
}

/// The purposes that an identifier is on for.
fn on_for(identifier: &v1::SecurityIdentifier) -> Vec<Purpose> {
    let on = identifier.purposes.iter().filter(|setting| setting.on);
    on.map(v1::PurposeSetting::purpose).collect()
}

async fn only_one(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[]).await?;
    let none = anna.switch(&world.client, &app, LOGIN, &[], vec![]).await;
    let status = precondition(none, "STEP_UP_REQUIRED")?;
    let paths = step_up_paths(&status).context("paths")?;
    ensure!(outline(&paths) == app.id, "{}", outline(&paths));
    let proofs = vec![world.right(&app)];
    let done = anna.switch(&world.client, &app, LOGIN, &[], proofs).await?;
    ensure!(on_for(&done.context("done")?) == LOGIN);
    world.pass(MINUTE);
    // On and off in one call, by one code.
    let proofs = vec![world.right(&app)];
    let done = anna
        .switch(&world.client, &app, WITHDRAWAL, LOGIN, proofs)
        .await?;
    ensure!(on_for(&done.context("done")?) == WITHDRAWAL);
    let facts = world.last_facts(&anna)?;
    ensure!(
        facts.contains("SWITCHED_ON") && facts.contains("SWITCHED_OFF"),
        "{facts}"
    );
    // What stood so before has not happened.
    world.pass(MINUTE);
    let proofs = vec![world.right(&app)];
    anna.switch(&world.client, &app, WITHDRAWAL, LOGIN, proofs)
        .await?;
    let facts = world.last_facts(&anna)?;
    ensure!(!facts.contains("SWITCHED"), "{facts}");
    Ok(())
}

async fn on(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, a) = world.owner(LOGIN).await?;
    let b = world.another(&anna, &a, "b", WITHDRAWAL).await?;
    let c = world.another(&anna, &a, "c", &[]).await?;
    // Its own alone, one that is on alone, and its own with one that is on for something else.
    for proofs in [
        vec![world.right(&c)],
        vec![world.right(&a)],
        vec![world.right(&c), world.right(&b)],
        vec![world.right(&c), pin_proof(&anna.pin)],
    ] {
        let answer = anna.switch(&world.client, &c, LOGIN, &[], proofs).await;
        let status = precondition(answer, "STEP_UP_REQUIRED")?;
        let paths = step_up_paths(&status).context("paths")?;
        ensure!(
            outline(&paths) == format!("{} > {}", c.id, a.id),
            "{}",
            outline(&paths)
        );
    }
    // For both purposes at once, a code of one that is on for each.
    let both = [Purpose::Login, Purpose::Withdrawal];
    let proofs = vec![world.right(&c), world.right(&a)];
    let answer = anna.switch(&world.client, &c, &both, &[], proofs).await;
    precondition(answer, "STEP_UP_REQUIRED")?;
    // What was refused so far used nothing up.
    let proofs = vec![world.right(&c), world.right(&a), world.right(&b)];
    let done = anna.switch(&world.client, &c, &both, &[], proofs).await?;
    ensure!(on_for(&done.context("done")?) == both);
    Ok(())
}

async fn none_on(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, a) = world.owner(LOGIN).await?;
    let b = world.another(&anna, &a, "b", &[]).await?;
    let alone = vec![world.right(&b)];
    let answer = anna.switch(&world.client, &b, WITHDRAWAL, &[], alone).await;
    precondition(answer, "STEP_UP_REQUIRED")?;
    let proofs = vec![world.right(&b), world.right(&a)];
    let done = anna
        .switch(&world.client, &b, WITHDRAWAL, &[], proofs)
        .await?;
    ensure!(on_for(&done.context("done")?) == WITHDRAWAL);
    Ok(())
}

async fn off(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, a) = world.owner(LOGIN).await?;
    let b = world.another(&anna, &a, "b", LOGIN).await?;
    let c = world.another(&anna, &a, "c", WITHDRAWAL).await?;
    let proofs = vec![world.right(&c)];
    let answer = anna.switch(&world.client, &a, &[], LOGIN, proofs).await;
    precondition(answer, "STEP_UP_REQUIRED")?;
    let proofs = vec![world.right(&b)];
    let done = anna.switch(&world.client, &a, &[], LOGIN, proofs).await?;
    ensure!(on_for(&done.context("done")?).is_empty());
    // `a` is off now, and cannot switch `b` off any more; `b` can.
    world.pass(MINUTE);
    let proofs = vec![world.right(&a)];
    let answer = anna.switch(&world.client, &b, &[], LOGIN, proofs).await;
    precondition(answer, "STEP_UP_REQUIRED")?;
    let proofs = vec![world.right(&b)];
    let done = anna.switch(&world.client, &b, &[], LOGIN, proofs).await?;
    ensure!(on_for(&done.context("done")?).is_empty());
    ensure!(world.last_facts(&anna)?.contains("SWITCHED_OFF"));
    Ok(())
}

async fn pin_alone(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(LOGIN).await?;
    for (on, off) in [(WITHDRAWAL, &[][..]), (&[][..], LOGIN)] {
        let proofs = vec![pin_proof(&anna.pin)];
        let answer = anna.switch(&world.client, &app, on, off, proofs).await;
        precondition(answer, "STEP_UP_REQUIRED")?;
    }
    Ok(())
}

async fn rejected(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, a) = world.owner(LOGIN).await?;
    let b = world.another(&anna, &a, "b", &[]).await?;
    for proofs in [
        vec![world.wrong(&b), world.right(&a)],
        vec![world.right(&b), world.wrong(&a)],
    ] {
        let answer = anna.switch(&world.client, &b, LOGIN, &[], proofs).await?;
        ensure!(answer.is_none());
    }
    let list = anna.list(&world.client).await?;
    ensure!(on_for(&list.identifiers[1]).is_empty());
    // Settings proofs count on the throttle of OTHER: three more for `a` lock it there only.
    for _ in 0..4 {
        let proofs = vec![world.right(&b), world.wrong(&a)];
        ensure!(
            anna.switch(&world.client, &b, LOGIN, &[], proofs)
                .await?
                .is_none()
        );
    }
    let list = anna.list(&world.client).await?;
    let locked: Vec<Purpose> = list.identifiers[0]
        .purposes
        .iter()
        .filter(|setting| setting.locked)
        .map(v1::PurposeSetting::purpose)
        .collect();
    ensure!(locked == [Purpose::Other], "{locked:?}");
    anna.open(&world.client, login("phone")).await?;
    let proofs = vec![world.right(&b), world.right(&a)];
    let answer = anna.switch(&world.client, &b, LOGIN, &[], proofs).await?;
    ensure!(answer.is_none(), "a locked app proved something");
    let answer = anna.switch(&world.client, &b, LOGIN, &[], vec![]).await;
    precondition(answer, "TEMPORARILY_LOCKED")?;
    world.pass(5 * MINUTE);
    let proofs = vec![world.right(&b), world.right(&a)];
    ensure!(
        anna.switch(&world.client, &b, LOGIN, &[], proofs)
            .await?
            .is_some()
    );
    Ok(())
}

async fn invalid(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[]).await?;
    let nothing = anna.switch(&world.client, &app, &[], &[], vec![]).await;
    ensure!(wrong_fields(nothing)? == ["switch_on"]);
    let both = anna.switch(&world.client, &app, LOGIN, LOGIN, vec![]).await;
    ensure!(wrong_fields(both)? == ["switch_off"]);
    let unknown = [Purpose::Unspecified];
    let none = anna
        .switch(&world.client, &app, &unknown, &[], vec![])
        .await;
    ensure!(wrong_fields(none)? == ["switch_on[0]"]);
    let twice = [Purpose::Login, Purpose::Login];
    let proofs = vec![world.right(&app)];
    ensure!(
        anna.switch(&world.client, &app, &twice, &[], proofs)
            .await?
            .is_some()
    );
    Ok(())
}

async fn not_enabled(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[]).await?;
    let pending = anna.begin(&world.client, "pending").await?;
    for target in [pending, stranger(&app)] {
        let answer = anna
            .switch(&world.client, &target, LOGIN, &[], vec![])
            .await;
        refused(answer, Code::NotFound, "IDENTIFIER_NOT_FOUND")?;
        let proofs = vec![world.right(&target), world.right(&app)];
        let answer = anna
            .switch(&world.client, &target, LOGIN, &[], proofs)
            .await?;
        ensure!(answer.is_none(), "{:?} was switched on", target.id);
    }
    Ok(())
}
