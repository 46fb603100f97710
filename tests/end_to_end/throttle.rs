//! Failures lock, and in the end disable; failing on purpose opens nothing.

use anyhow::{Result, bail, ensure};
use countersign_testkit::{
    App, Backend, Person, pin_proof,
    v1::{ConfirmationState, DenialReason, IdentifierState, Purpose, operation::Operation},
};

use crate::{
    harness::Suite,
    world::{
        Created, HOUR, MINUTE, World, accepted, custom, login, payout, precondition, rejected,
        state,
    },
};

const ALL: &[Purpose] = &[Purpose::Login, Purpose::Withdrawal, Purpose::Other];

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "throttle::five_failures_lock_and_locks_double_to_an_hour",
        locks,
    );
    suite.on_each_backend("throttle::a_lock_is_for_its_purpose_only", per_purpose);
    suite.on_each_backend("throttle::a_success_clears_its_own_purpose_only", success);
    suite.on_each_backend(
        "throttle::attempts_while_locked_are_not_checked",
        while_locked,
    );
    suite.on_each_backend("throttle::beginning_anew_resets_nothing", anew);
    suite.on_each_backend("throttle::a_hundred_failures_disable", cap);
    suite.on_each_backend("throttle::failing_on_purpose_opens_nothing", on_purpose);
    suite.on_each_backend(
        "throttle::a_capped_app_counts_until_a_code_closes_it",
        closed,
    );
    suite.on_each_backend("throttle::an_operator_unlocks", unlocked);
}

/// For how many seconds an operation is denied, if it is.
async fn denied(world: &World, person: &Person, operation: Operation) -> Result<Option<u64>> {
    match person.create(&world.client, operation).await? {
        Created::Confirmation(open) => {
            person.cancel(&world.client, &open.confirmation_id).await?;
            Ok(None)
        }
        Created::Denied(denial) if denial.reason() == DenialReason::TemporarilyLocked => {
            let at = denial.retry_at.map_or(0, |at| at.seconds);
            Ok(Some(u64::try_from(at - world.now().as_millis() / 1000)?))
        }
        other => bail!("neither open nor locked: {other:?}"),
    }
}

async fn recovery_required(world: &World, person: &Person, operation: Operation) -> Result<()> {
    let answer = person.create(&world.client, operation).await?;
    let Created::Denied(denial) = &answer else {
        bail!("not denied: {answer:?}");
    };
    ensure!(denial.reason() == DenialReason::RecoveryRequired && denial.retry_at.is_none());
    Ok(())
}

async fn log_in(world: &World, person: &Person, app: &App) -> Result<()> {
    let id = person
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    let answer = person
        .submit(&world.client, &id, vec![world.right(app)])
        .await?;
    ensure!(accepted(&answer), "the right code was refused");
    Ok(())
}

async fn locks(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    world.guess(&anna, &app, &login("phone"), 4).await?;
    ensure!(
        denied(&world, &anna, login("phone")).await?.is_none(),
        "four lock already"
    );
    world.guess(&anna, &app, &login("phone"), 1).await?;
    for minutes in [5, 10, 20, 40, 60, 60] {
        let wait = denied(&world, &anna, login("phone")).await?;
        ensure!(
            wait == Some(minutes * MINUTE),
            "{wait:?} instead of {minutes} minutes"
        );
        world.pass(minutes * MINUTE - 1);
        ensure!(denied(&world, &anna, login("phone")).await? == Some(1));
        world.pass(1);
        world.guess(&anna, &app, &login("phone"), 5).await?;
    }
    world.pass(HOUR);
    log_in(&world, &anna, &app).await?;
    world.guess(&anna, &app, &login("phone"), 5).await?;
    let wait = denied(&world, &anna, login("phone")).await?;
    ensure!(wait == Some(5 * MINUTE), "a success starts anew: {wait:?}");
    Ok(())
}

async fn per_purpose(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(ALL).await?;
    world.guess(&anna, &app, &login("phone"), 5).await?;
    ensure!(denied(&world, &anna, login("phone")).await?.is_some());
    ensure!(denied(&world, &anna, payout(1)).await?.is_none());
    ensure!(denied(&world, &anna, custom("all")).await?.is_none());
    let id = anna.open(&world.client, payout(1)).await?.confirmation_id;
    let proofs = vec![pin_proof(&anna.pin), world.right(&app)];
    ensure!(accepted(&anna.submit(&world.client, &id, proofs).await?));
    ensure!(
        denied(&world, &anna, login("phone")).await?.is_some(),
        "a withdrawal unlocked it"
    );
    let list = anna.list(&world.client).await?;
    let locked: Vec<bool> = list.identifiers[0]
        .purposes
        .iter()
        .map(|one| one.locked)
        .collect();
    ensure!(locked == [true, false, false], "{locked:?}");
    Ok(())
}

async fn success(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(ALL).await?;
    world.guess(&anna, &app, &login("phone"), 4).await?;
    world.guess(&anna, &app, &payout(1), 4).await?;
    log_in(&world, &anna, &app).await?;
    world.guess(&anna, &app, &login("phone"), 4).await?;
    ensure!(
        denied(&world, &anna, login("phone")).await?.is_none(),
        "the login's run went on"
    );
    world.guess(&anna, &app, &payout(1), 1).await?;
    ensure!(
        denied(&world, &anna, payout(1)).await?.is_some(),
        "a login cleared the withdrawal's"
    );
    Ok(())
}

async fn while_locked(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let id = anna
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    world.guess(&anna, &app, &login("phone"), 5).await?;
    for left in [4, 3, 2, 1, 0] {
        let proof = if left % 2 == 0 {
            world.right(&app)
        } else {
            world.wrong(&app)
        };
        let answer = anna.submit(&world.client, &id, vec![proof]).await?;
        ensure!(rejected(&answer), "a locked app was checked");
        ensure!(
            answer
                .confirmation
                .is_some_and(|after| after.attempts_left == left)
        );
    }
    let ended = anna.get(&world.client, &id).await?.state();
    ensure!(ended == ConfirmationState::Failed);
    let wait = denied(&world, &anna, login("phone")).await?;
    ensure!(
        wait == Some(5 * MINUTE),
        "attempts while locked made it {wait:?}"
    );
    // Neither counted nor used up: the fifth failure from here locks for the second time.
    world.pass(5 * MINUTE);
    world.guess(&anna, &app, &login("phone"), 4).await?;
    ensure!(denied(&world, &anna, login("phone")).await?.is_none());
    world.guess(&anna, &app, &login("phone"), 1).await?;
    let wait = denied(&world, &anna, login("phone")).await?;
    ensure!(wait == Some(10 * MINUTE), "{wait:?}");
    Ok(())
}

async fn anew(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    for _ in 0..5 {
        ensure!(denied(&world, &anna, login("phone")).await?.is_none());
        // Each in a confirmation of its own, with an enrolment begun between.
        world.guess(&anna, &app, &login("phone"), 1).await?;
        anna.begin(&world.client, "new").await?;
    }
    ensure!(denied(&world, &anna, login("phone")).await?.is_some());
    let other = world.platform.client("another-service").await?;
    let answer = anna.create(&other, login("phone")).await?;
    ensure!(
        matches!(answer, Created::Denied(_)),
        "another caller has another counter"
    );
    Ok(())
}

/// Types wrong codes for this many rounds of five for each purpose, an hour apart.
async fn fail(world: &World, person: &Person, app: &App, rounds: u32) -> Result<()> {
    for _ in 0..rounds {
        for operation in [login("phone"), payout(1)] {
            world.guess(person, app, &operation, 5).await?;
        }
        world.pass(HOUR);
    }
    Ok(())
}

async fn cap(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(ALL).await?;
    fail(&world, &anna, &app, 9).await?;
    world.guess(&anna, &app, &custom("all"), 5).await?;
    world.guess(&anna, &app, &payout(1), 4).await?;
    let list = anna.list(&world.client).await?;
    ensure!(
        list.identifiers[0].state() == IdentifierState::Enabled,
        "99 disabled it"
    );
    let facts = world.facts(&anna)?;
    ensure!(facts.matches("CAP_NEAR").count() == 2, "two warnings");
    ensure!(facts.contains("\"failures\":50") && facts.contains("\"failures\":80"));
    ensure!(!facts.contains("DISABLED_BY_CAP"));

    world.guess(&anna, &app, &login("phone"), 1).await?;
    ensure!(world.last_facts(&anna)?.contains("CANCELLED"));
    ensure!(world.facts(&anna)?.matches("DISABLED_BY_CAP").count() == 1);
    let list = anna.list(&world.client).await?;
    let shown = &list.identifiers[0];
    ensure!(shown.state() == IdentifierState::Disabled && shown.disabled_by_cap);
    let states = "SELECT state FROM identifier";
    ensure!(
        world.database.query(states)? == "CAPPED",
        "{}",
        world.database.query(states)?
    );
    for operation in [login("phone"), payout(1), custom("all")] {
        recovery_required(&world, &anna, operation).await?;
    }
    world.platform.unlock(&anna).await?;
    recovery_required(&world, &anna, login("phone")).await?;
    Ok(())
}

async fn on_purpose(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let mut waits = Vec::new();
    for _ in 0..20 {
        world.guess(&anna, &app, &login("phone"), 5).await?;
        match anna.create(&world.client, login("phone")).await? {
            Created::Denied(denial) => waits.push(denial.reason()),
            other => bail!("failing on purpose led to {other:?}"),
        }
        world.pass(HOUR);
    }
    ensure!(waits.pop() == Some(DenialReason::RecoveryRequired));
    ensure!(
        waits
            .iter()
            .all(|reason| *reason == DenialReason::TemporarilyLocked)
    );
    // Days later, and from every side.
    world.pass(100 * 24 * HOUR);
    recovery_required(&world, &anna, login("phone")).await?;
    recovery_required(&world, &anna, payout(1)).await?;
    let pin = || vec![pin_proof(&anna.pin)];
    let new = anna.begin(&world.client, "new").await?;
    let code = new.code(world.now());
    let answer = anna
        .confirm_enable(&world.client, &new, &code, ALL, pin())
        .await;
    precondition(answer, "RECOVERY_REQUIRED")?;
    let answer = anna.disable(&world.client, &app, true, pin()).await;
    precondition(answer, "RECOVERY_REQUIRED")?;
    let answer = anna
        .switch(&world.client, &app, &[], &[Purpose::Login], vec![])
        .await;
    precondition(answer, "RECOVERY_REQUIRED")?;
    let proofs = vec![pin_proof(&anna.pin), world.right(&app)];
    let answer = anna
        .confirm_enable(&world.client, &new, &code, ALL, proofs)
        .await?;
    ensure!(answer.is_none(), "a capped app proved something");
    world.platform.reset_pin(&anna).await?;
    let answer = anna.set_first_pin(&world.client, "604829", vec![]).await;
    precondition(answer, "RECOVERY_REQUIRED")?;
    // An operator closes it: now there is none, and the subject chooses anew.
    world.platform.disable(&anna, &app).await?;
    let answer = anna.create(&world.client, login("phone")).await?;
    ensure!(matches!(answer, Created::NotRequired(_)), "{answer:?}");
    Ok(())
}

async fn closed(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let spare = world.another(&anna, &app, "spare", &[]).await?;
    for _ in 0..20 {
        world.guess(&anna, &app, &login("phone"), 5).await?;
        world.pass(HOUR);
    }
    recovery_required(&world, &anna, login("phone")).await?;
    let id = anna.open(&world.client, payout(1)).await?.confirmation_id;
    let proofs = vec![pin_proof(&anna.pin), world.right(&spare)];
    ensure!(state(&anna.submit(&world.client, &id, proofs).await?) == ConfirmationState::Approved);
    world.pass(MINUTE);
    // Neither its own code nor the PIN closes it; one code of the other does.
    for proofs in [vec![world.right(&app)], vec![pin_proof(&anna.pin)]] {
        let answer = anna.disable(&world.client, &app, false, proofs).await;
        ensure!(!matches!(answer, Ok(Some(_))), "{answer:?}");
    }
    let proofs = vec![world.right(&spare)];
    ensure!(
        anna.disable(&world.client, &app, false, proofs)
            .await?
            .is_some()
    );
    let answer = anna.create(&world.client, login("phone")).await?;
    ensure!(matches!(answer, Created::NotRequired(_)), "{answer:?}");
    Ok(())
}

async fn unlocked(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(ALL).await?;
    world.guess(&anna, &app, &login("phone"), 5).await?;
    world.guess(&anna, &app, &payout(1), 5).await?;
    world.platform.unlock(&anna).await?;
    ensure!(denied(&world, &anna, login("phone")).await?.is_none());
    ensure!(denied(&world, &anna, payout(1)).await?.is_none());
    let facts = world.facts(&anna)?;
    ensure!(facts.contains("UNLOCKED") && facts.contains("ticket 4711"));
    log_in(&world, &anna, &app).await?;
    Ok(())
}
