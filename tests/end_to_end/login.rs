//! A login: one code where an identifier is on for it.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Backend, Person, app_proof, new_request_id, v1,
    v1::{ConfirmationState, Purpose, operation::Operation},
};

use crate::{
    harness::Suite,
    world::{
        Created, MINUTE, World, accepted, custom, login, outline, payout, precondition, rejected,
        settings, state, wrong_fields,
    },
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("login::with_nothing_on_it_needs_nothing", nothing_on);
    suite.on_each_backend("login::with_one_on_it_prompts_for_it", one_on);
    suite.on_each_backend("login::with_several_on_the_person_picks", several_on);
    suite.on_each_backend("login::redeem_on_approval_is_one_commit", at_once);
    suite.on_each_backend("login::redeem_on_approval_is_for_logins_only", logins_only);
    suite.on_each_backend(
        "login::it_is_bound_to_the_device_and_not_to_context",
        device,
    );
    suite.on_each_backend("login::a_custom_operation_has_the_purpose_other", customs);
    suite.on_each_backend("login::a_used_code_is_refused", used_code);
    suite.on_each_backend(
        "login::only_the_present_code_and_its_neighbours_count",
        window,
    );
}

async fn nothing_on(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, _) = world.owner(&[Purpose::Withdrawal]).await?;
    for person in [Person::new(), anna] {
        let answer = person.create(&world.client, login("phone")).await?;
        ensure!(matches!(answer, Created::NotRequired(_)), "{answer:?}");
        let facts = world.last_facts(&person)?;
        ensure!(facts.contains("NOT_REQUIRED"), "the event says {facts}");
        ensure!(world.rows("confirmation", &person)? == 0);
    }
    Ok(())
}

async fn one_on(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    world
        .another(&anna, &app, "spare", &[Purpose::Withdrawal])
        .await?;

    let open = anna.open(&world.client, login("phone")).await?;
    ensure!(open.state() == ConfirmationState::Pending && open.attempts_left == 5);
    ensure!(open.purpose() == Purpose::Login && open.operation_digest.len() == 32);
    ensure!(outline(&open.paths) == app.id, "{:?}", open.paths);
    let option = &open.paths[0].stages[0].options[0];
    ensure!(option.usable && format!("{option:?}").contains("\"Authenticator\""));

    let proofs = vec![world.right(&app)];
    let answer = anna
        .submit(&world.client, &open.confirmation_id, proofs)
        .await?;
    ensure!(state(&answer) == ConfirmationState::Approved);
    let redeemed = anna
        .redeem(&world.client, &open.confirmation_id, login("phone"))
        .await?;
    ensure!(redeemed.state() == ConfirmationState::Redeemed);
    Ok(())
}

async fn several_on(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, first) = world.owner(&[Purpose::Login]).await?;
    let second = world
        .another(&anna, &first, "tablet", &[Purpose::Login])
        .await?;
    for app in [&second, &first] {
        let open = anna.open(&world.client, login("phone")).await?;
        let shown = outline(&open.paths);
        ensure!(
            open.paths.len() == 1 && open.paths[0].stages.len() == 1,
            "{shown}"
        );
        ensure!(
            shown.contains(&first.id) && shown.contains(&second.id),
            "{shown}"
        );
        let proofs = vec![world.right(app)];
        let answer = anna
            .submit(&world.client, &open.confirmation_id, proofs)
            .await?;
        ensure!(state(&answer) == ConfirmationState::Approved);
    }
    Ok(())
}

fn create_at_once(person: &Person, operation: Operation) -> v1::ConfirmationServiceCreateRequest {
    v1::ConfirmationServiceCreateRequest {
        subject_id: person.subject.clone(),
        request_id: new_request_id(),
        operation: Some(v1::Operation {
            operation: Some(operation),
        }),
        redeem_on_approval: true,
    }
}

async fn at_once(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let request = create_at_once(&anna, login("phone"));
    let created = world
        .client
        .confirmations()
        .create(request)
        .await?
        .into_inner();
    let Some(Created::Confirmation(open)) = created.outcome else {
        anyhow::bail!("nothing to confirm: {created:?}");
    };
    let proofs = vec![world.right(&app)];
    let answer = anna
        .submit(&world.client, &open.confirmation_id, proofs)
        .await?;
    ensure!(accepted(&answer) && state(&answer) == ConfirmationState::Redeemed);
    let after = answer.confirmation.context("a confirmation")?;
    ensure!(after.approve_time.is_some() && after.approve_time == after.redeem_time);
    let facts = world.last_facts(&anna)?;
    ensure!(
        facts.contains("APPROVED") && facts.contains("REDEEMED"),
        "{facts}"
    );
    let again = anna
        .redeem(&world.client, &open.confirmation_id, login("phone"))
        .await;
    precondition(again, "ALREADY_REDEEMED")?;
    Ok(())
}

async fn logins_only(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, _) = world.owner(&[Purpose::Other]).await?;
    let change = v1::settings_change::Change::ChangePin(v1::ChangePinChange {});
    for operation in [payout(1), custom("all"), settings(change)] {
        let request = create_at_once(&anna, operation);
        let answer = world.client.confirmations().create(request).await;
        let fields = wrong_fields(answer)?;
        ensure!(fields == ["redeem_on_approval"], "{fields:?}");
    }
    ensure!(world.rows("confirmation", &anna)? == 0);
    Ok(())
}

async fn device(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let open = anna.open(&world.client, login("phone")).await?;
    let id = &open.confirmation_id;
    anna.submit(&world.client, id, vec![world.right(&app)])
        .await?;
    let other = anna.redeem(&world.client, id, login("other phone")).await;
    precondition(other, "OPERATION_MISMATCH")?;
    let elsewhere = Operation::Login(v1::Login {
        ip_address: "198.51.100.9".to_owned(),
        user_agent: "curl".to_owned(),
        device_id: "phone".to_owned(),
    });
    let redeemed = anna.redeem(&world.client, id, elsewhere).await?;
    ensure!(redeemed.state() == ConfirmationState::Redeemed);
    let facts = world.facts(&anna)?;
    ensure!(facts.contains("192.0.2.7") && facts.contains("Mozilla/5.0"));
    Ok(())
}

async fn customs(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login, Purpose::Withdrawal]).await?;
    let answer = anna.create(&world.client, custom("all")).await?;
    ensure!(matches!(answer, Created::NotRequired(_)), "{answer:?}");

    let on = [Purpose::Other];
    let switched = anna
        .switch(&world.client, &app, &on, &[], vec![world.right(&app)])
        .await?;
    ensure!(switched.is_some());
    world.pass(MINUTE);
    let open = anna.open(&world.client, custom("all")).await?;
    ensure!(open.purpose() == Purpose::Other);
    let id = &open.confirmation_id;
    anna.submit(&world.client, id, vec![world.right(&app)])
        .await?;
    let other = anna.redeem(&world.client, id, custom("some")).await;
    precondition(other, "OPERATION_MISMATCH")?;
    anna.redeem(&world.client, id, custom("all")).await?;
    Ok(())
}

async fn used_code(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let used = app.code(world.now());
    let first = anna.open(&world.client, login("phone")).await?;
    let answer = anna
        .submit(
            &world.client,
            &first.confirmation_id,
            vec![app_proof(&app, &used)],
        )
        .await?;
    ensure!(accepted(&answer));

    let second = anna.open(&world.client, login("phone")).await?;
    let id = &second.confirmation_id;
    let option = &second.paths[0].stages[0].options[0];
    let wait = option.usable_from.context("usable_from")?;
    ensure!(wait.seconds * 1000 == world.now().as_millis() + 30_000);
    // The very code, and the one before it, which was never typed.
    for code in [used, app.earlier_code(world.now())] {
        let answer = anna
            .submit(&world.client, id, vec![app_proof(&app, &code)])
            .await?;
        ensure!(rejected(&answer), "a code was accepted twice");
    }
    world.pass(30);
    ensure!(
        anna.get(&world.client, id).await?.paths[0].stages[0].options[0]
            .usable_from
            .is_none()
    );
    let answer = anna
        .submit(&world.client, id, vec![world.right(&app)])
        .await?;
    ensure!(accepted(&answer));
    Ok(())
}

async fn window(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    world.pass(10 * MINUTE);
    let far = |steps: i64| {
        let millis = world.now().as_millis() + steps * 30_000;
        app.code(countersign_testkit::Timestamp::from_millis(millis))
    };
    let open = anna.open(&world.client, login("phone")).await?;
    for (code, fits) in [(far(-2), false), (far(2), false), (far(-1), true)] {
        let proofs = vec![app_proof(&app, &code)];
        let answer = anna
            .submit(&world.client, &open.confirmation_id, proofs)
            .await?;
        ensure!(accepted(&answer) == fits, "a code of another step");
    }
    let open = anna.open(&world.client, login("phone")).await?;
    let spaced = format!("{} {}", &far(1)[..3], &far(1)[3..]);
    let proofs = vec![app_proof(&app, &spaced)];
    let answer = anna
        .submit(&world.client, &open.confirmation_id, proofs)
        .await?;
    ensure!(
        accepted(&answer),
        "the next step, with a space as apps show it"
    );
    Ok(())
}
