//! The PIN: set once, changed with itself and a code, removed by an operator only.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Backend, Person, pin_proof, step_up_paths, v1,
    v1::{DenialReason, Purpose},
};
use tonic_types::StatusExt;

use crate::{
    harness::Suite,
    world::{
        Created, HOUR, MINUTE, World, outline, payout, precondition, rejected, state, wrong_fields,
    },
};

const OTHER_PIN: &str = "604829";

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("pin::it_is_set_once", once);
    suite.on_each_backend(
        "pin::after_a_reset_it_takes_a_code_of_what_exists",
        after_reset,
    );
    suite.on_each_backend("pin::changing_it_takes_it_and_a_code", change);
    suite.on_each_backend("pin::without_an_app_it_changes_by_itself", change_alone);
    suite.on_each_backend("pin::a_weak_one_is_refused_with_guidance", weak);
    suite.on_each_backend("pin::it_has_one_counter_for_everything", one_counter);
    suite.on_each_backend("pin::at_its_cap_only_an_operator_helps", capped);
}

async fn once(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = Person::new();
    let done = anna
        .set_first_pin(&world.client, &anna.pin, vec![])
        .await?
        .context("done")?;
    ensure!(done.set && !done.locked && !done.capped);
    for proofs in [vec![], vec![pin_proof(&anna.pin)]] {
        let again = anna.set_first_pin(&world.client, OTHER_PIN, proofs).await;
        precondition(again, "PIN_ALREADY_SET")?;
    }
    ensure!(world.last_facts(&anna)?.contains("PIN_SET"));
    Ok(())
}

async fn after_reset(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[]).await?;
    world.platform.reset_pin(&anna).await?;
    let facts = world.last_facts(&anna)?;
    ensure!(
        facts.contains("PIN_RESET") && facts.contains("ticket 4711"),
        "{facts}"
    );
    ensure!(!anna.list(&world.client).await?.pin.context("a PIN")?.set);

    let without = anna.set_first_pin(&world.client, OTHER_PIN, vec![]).await;
    let status = precondition(without, "STEP_UP_REQUIRED")?;
    let paths = step_up_paths(&status).context("paths")?;
    ensure!(outline(&paths) == app.id, "{}", outline(&paths));
    let old = vec![pin_proof(&anna.pin)];
    ensure!(!matches!(
        anna.set_first_pin(&world.client, OTHER_PIN, old).await,
        Ok(Some(_))
    ));
    let proofs = vec![world.wrong(&app)];
    ensure!(
        anna.set_first_pin(&world.client, OTHER_PIN, proofs)
            .await?
            .is_none()
    );
    let proofs = vec![world.right(&app)];
    let done = anna.set_first_pin(&world.client, OTHER_PIN, proofs).await?;
    ensure!(done.is_some_and(|status| status.set));
    Ok(())
}

async fn change(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (mut anna, app) = world.owner(&[]).await?;
    for proofs in [vec![], vec![pin_proof(&anna.pin)], vec![world.right(&app)]] {
        let answer = anna.change_pin(&world.client, OTHER_PIN, proofs).await;
        let status = precondition(answer, "STEP_UP_REQUIRED")?;
        let paths = step_up_paths(&status).context("paths")?;
        ensure!(
            outline(&paths) == format!("PIN > {}", app.id),
            "{}",
            outline(&paths)
        );
    }
    for proofs in [
        vec![pin_proof("111222"), world.right(&app)],
        vec![pin_proof(&anna.pin), world.wrong(&app)],
    ] {
        ensure!(
            anna.change_pin(&world.client, OTHER_PIN, proofs)
                .await?
                .is_none()
        );
    }
    let proofs = vec![pin_proof(&anna.pin), world.right(&app)];
    ensure!(
        anna.change_pin(&world.client, OTHER_PIN, proofs)
            .await?
            .is_some()
    );
    ensure!(world.last_facts(&anna)?.contains("PIN_CHANGED"));

    world.pass(MINUTE);
    let id = anna.open(&world.client, payout(1)).await?.confirmation_id;
    let old = anna
        .submit(&world.client, &id, vec![pin_proof(&anna.pin)])
        .await?;
    ensure!(rejected(&old), "the old PIN still works");
    OTHER_PIN.clone_into(&mut anna.pin);
    let proofs = vec![pin_proof(&anna.pin), world.right(&app)];
    let answer = anna.submit(&world.client, &id, proofs).await?;
    ensure!(state(&answer) == v1::ConfirmationState::Approved);
    Ok(())
}

async fn change_alone(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let nobody = Person::new();
    let answer = nobody.change_pin(&world.client, OTHER_PIN, vec![]).await;
    precondition(answer, "PIN_NOT_SET")?;
    let anna = world.somebody().await?;
    // To itself it is no change; nothing is looked at, so that this is no way to guess it.
    let runs = world.platform.pool.runs();
    for same in [&*anna.pin, OTHER_PIN] {
        let answer = anna
            .change_pin(&world.client, same, vec![pin_proof(same)])
            .await;
        ensure!(wrong_fields(answer)? == ["new_pin"]);
    }
    ensure!(world.platform.pool.runs() == runs);
    let wrong = vec![pin_proof("111222")];
    ensure!(
        anna.change_pin(&world.client, OTHER_PIN, wrong)
            .await?
            .is_none()
    );
    let right = vec![pin_proof(&anna.pin)];
    ensure!(
        anna.change_pin(&world.client, OTHER_PIN, right)
            .await?
            .is_some()
    );
    Ok(())
}

async fn weak(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    for (pin, guidance) in [
        ("", "6 to 12 digits"),
        ("85037", "6 to 12 digits"),
        ("8503748503748", "6 to 12 digits"),
        ("85037a", "6 to 12 digits"),
        ("٨٥٠٣٧٤", "6 to 12 digits"),
        (" 850374", "6 to 12 digits"),
        ("000000", "easy to guess"),
        ("123456", "easy to guess"),
        ("121212", "easy to guess"),
        ("147258", "easy to guess"),
        ("250186", "easy to guess"),
    ] {
        let somebody = Person::new();
        let set = somebody.set_first_pin(&world.client, pin, vec![]).await;
        let changed = anna
            .change_pin(&world.client, pin, vec![pin_proof(&anna.pin)])
            .await;
        for answer in [set, changed] {
            let said = answer
                .as_ref()
                .err()
                .and_then(StatusExt::get_details_bad_request);
            ensure!(wrong_fields(answer)? == ["new_pin"], "{pin}");
            let said = said.context("a BadRequest")?.field_violations;
            let description = &said[0].description;
            ensure!(description.contains(guidance), "{pin}: {description}");
            ensure!(
                pin.is_empty() || !description.contains(pin),
                "it shows the PIN"
            );
        }
    }
    Ok(())
}

async fn one_counter(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[]).await?;
    let id = anna.open(&world.client, payout(1)).await?.confirmation_id;
    let wrong = || pin_proof("111222");
    for _ in 0..2 {
        ensure!(rejected(
            &anna.submit(&world.client, &id, vec![wrong()]).await?
        ));
    }
    // The code beside the PIN is right each time, and is not used up.
    for _ in 0..3 {
        let proofs = vec![wrong(), world.right(&app)];
        ensure!(
            anna.change_pin(&world.client, OTHER_PIN, proofs)
                .await?
                .is_none()
        );
    }
    let status = anna.list(&world.client).await?.pin.context("a PIN")?;
    let until = world.now().as_millis() / 1000 + 300;
    ensure!(status.locked && status.locked_until.is_some_and(|at| at.seconds == until));
    let answer = anna.create(&world.client, payout(1)).await?;
    let Created::Denied(denial) = answer else {
        anyhow::bail!("a locked PIN did not deny: {answer:?}");
    };
    ensure!(denial.reason() == DenialReason::TemporarilyLocked);
    ensure!(
        denial.retry_at.is_some_and(|at| at.seconds == until),
        "{denial:?}"
    );
    // The open confirmation is answered as ever, and the right PIN is not looked at.
    let runs = world.platform.pool.runs();
    let answer = anna
        .submit(&world.client, &id, vec![pin_proof(&anna.pin)])
        .await?;
    ensure!(
        rejected(&answer) && world.platform.pool.runs() == runs,
        "a locked PIN was hashed"
    );
    world.pass(5 * MINUTE);
    let proofs = vec![pin_proof(&anna.pin), world.right(&app)];
    ensure!(
        anna.change_pin(&world.client, OTHER_PIN, proofs)
            .await?
            .is_some()
    );
    Ok(())
}

async fn capped(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Withdrawal]).await?;
    for number in 1..=100 {
        let proofs = vec![pin_proof("111222"), world.right(&app)];
        ensure!(
            anna.change_pin(&world.client, OTHER_PIN, proofs)
                .await?
                .is_none()
        );
        let status = anna.list(&world.client).await?.pin.context("a PIN")?;
        ensure!(
            status.set && status.capped == (number == 100),
            "{number}: {status:?}"
        );
        if number % 5 == 0 {
            world.pass(HOUR);
        }
    }
    let facts = world.facts(&anna)?;
    ensure!(
        facts.matches("CAP_NEAR").count() == 2 && facts.matches("DISABLED_BY_CAP").count() == 1
    );
    let answer = anna.create(&world.client, payout(1)).await?;
    let Created::Denied(denial) = answer else {
        anyhow::bail!("a capped PIN did not deny: {answer:?}");
    };
    ensure!(denial.reason() == DenialReason::RecoveryRequired && denial.retry_at.is_none());
    let answer = anna.change_pin(&world.client, OTHER_PIN, vec![]).await;
    precondition(answer, "RECOVERY_REQUIRED")?;
    let proofs = vec![pin_proof(&anna.pin), world.right(&app)];
    ensure!(
        anna.change_pin(&world.client, OTHER_PIN, proofs)
            .await?
            .is_none()
    );
    let answer = anna
        .set_first_pin(&world.client, OTHER_PIN, vec![world.right(&app)])
        .await;
    precondition(answer, "PIN_ALREADY_SET")?;
    world.platform.unlock(&anna).await?;
    let status = anna.list(&world.client).await?.pin.context("a PIN")?;
    ensure!(status.capped, "an unlock is no reset");

    world.platform.reset_pin(&anna).await?;
    let proofs = vec![world.right(&app)];
    ensure!(
        anna.set_first_pin(&world.client, OTHER_PIN, proofs)
            .await?
            .is_some()
    );
    anna.open(&world.client, payout(1)).await?;
    Ok(())
}
