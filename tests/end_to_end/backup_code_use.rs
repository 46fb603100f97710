//! Backup codes in use: each once, the last one never, and what they are good for beside logins.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Backend, Codes, Person, app_proof, pin_proof,
    v1::{self, ConfirmationState, IdentifierState, Purpose},
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    backup_codes::{left, spend, works},
    harness::Suite,
    world::{
        Created, MINUTE, World, accepted, login, payout, precondition, refused, rejected, state,
    },
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "backup_codes::each_code_confirms_once_however_it_is_typed",
        each_once,
    );
    suite.on_each_backend("backup_codes::few_codes_leave_an_event", few);
    suite.on_each_backend(
        "backup_codes::the_last_code_is_refused_for_login_and_withdrawal",
        last_code,
    );
    suite.on_each_backend(
        "backup_codes::the_last_code_is_refused_for_settings_too",
        last_code_in_settings,
    );
    suite.on_each_backend(
        "backup_codes::the_last_code_disables_the_codes_or_makes_more",
        last_code_serves,
    );
    suite.on_each_backend(
        "backup_codes::an_app_is_enabled_with_a_code_and_a_lost_one_replaced",
        lost_device,
    );
    suite.on_each_backend(
        "backup_codes::a_code_of_one_set_is_not_one_of_another",
        anothers,
    );
    suite.on_each_backend("backup_codes::failures_lock_and_cap_them_as_apps", capped);
    suite.on_each_backend(
        "backup_codes::each_service_disables_its_own_kind",
        wrong_kind,
    );
}

fn reserved(status: &Status, left: &str) -> Result<()> {
    let info = status.get_details_error_info().context("an ErrorInfo")?;
    let said = info.metadata.get("codes_left").map(String::as_str);
    ensure!(said == Some(left), "codes_left is {said:?}");
    Ok(())
}

async fn each_once(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, codes) =
        Person::with_codes(&world.client, &[Purpose::Login, Purpose::Withdrawal]).await?;
    ensure!(left(&world, &anna).await? == 9);
    ensure!(
        !works(&world, &anna, codes.proof(0)).await?,
        "it switched them on"
    );
    let spellings: [fn(&str) -> String; 3] = [
        |code| code.to_lowercase().replace('-', " "),
        |code| code.replace('-', ""),
        |code| {
            code.replace('0', "O")
                .replace('1', "l")
                .replace('-', " \u{2013} ")
        },
    ];
    for (place, spelling) in (1..).zip(spellings) {
        let typed = spelling(&codes.codes[place]);
        ensure!(works(&world, &anna, codes.typed(&typed)).await?, "{place}");
        ensure!(
            !works(&world, &anna, codes.proof(place)).await?,
            "{place} again"
        );
    }
    let id = anna.open(&world.client, payout(9)).await?.confirmation_id;
    let proofs = vec![pin_proof(&anna.pin), codes.proof(4)];
    let answer = anna.submit(&world.client, &id, proofs).await?;
    ensure!(state(&answer) == ConfirmationState::Approved);
    anna.redeem(&world.client, &id, payout(9)).await?;
    ensure!(left(&world, &anna).await? == 5);
    Ok(())
}

async fn few(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, codes) = Person::with_codes(&world.client, &[Purpose::Login]).await?;
    spend(&world, &anna, &codes, 1..6).await?;
    ensure!(!world.facts(&anna)?.contains("CODES_LOW"), "four are left");
    spend(&world, &anna, &codes, 6..9).await?;
    let facts = world.facts(&anna)?;
    for left in [3, 2, 1] {
        let low = format!("\"left\":{left}");
        ensure!(facts.contains(&low), "{left} left: {facts}");
    }
    ensure!(facts.matches("CODES_LOW").count() == 3);
    Ok(())
}

async fn last_code(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, codes) =
        Person::with_codes(&world.client, &[Purpose::Login, Purpose::Withdrawal]).await?;
    let early = anna
        .open(&world.client, login("desk"))
        .await?
        .confirmation_id;
    let paid = anna.open(&world.client, payout(1)).await?.confirmation_id;
    spend(&world, &anna, &codes, 1..9).await?;
    ensure!(left(&world, &anna).await? == 1);

    let before = world.rows("event", &anna)?;
    let runs = world.platform.pool.runs();
    let stranger = "ZZZZZ-ZZZZZ-ZZZZZ";
    for typed in [
        codes.codes[9].as_str(),
        codes.codes[3].as_str(),
        stranger,
        "x",
        "",
    ] {
        let answer = anna.submit(&world.client, &early, vec![codes.typed(typed)]);
        reserved(&precondition(answer.await, "LAST_CODE_RESERVED")?, "1")?;
        let proofs = vec![pin_proof(&anna.pin), codes.typed(typed)];
        let answer = anna.submit(&world.client, &paid, proofs).await;
        reserved(&precondition(answer, "LAST_CODE_RESERVED")?, "1")?;
    }
    ensure!(world.platform.pool.runs() == runs, "something was hashed");
    ensure!(
        world.rows("event", &anna)? == before,
        "something was written"
    );
    let open = anna.get(&world.client, &early).await?;
    ensure!(open.attempts_left == 5 && open.state() == ConfirmationState::Pending);

    // What counts is not switched off by being used up.
    let answer = anna.create(&world.client, login("desk")).await?;
    let Created::Denied(denial) = answer else {
        anyhow::bail!("not denied: {answer:?}");
    };
    ensure!(denial.reason() == v1::DenialReason::RecoveryRequired);
    Ok(())
}

async fn last_code_in_settings(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, codes) = Person::with_codes(&world.client, &[Purpose::Login]).await?;
    spend(&world, &anna, &codes, 1..9).await?;
    let last = || codes.proof(9);
    let client = &world.client;
    let (on, id) = ([Purpose::Withdrawal], &codes.id);
    for proofs in [vec![last()], Vec::new()] {
        let answer = anna
            .switch_by_id(client, id, &on, &[], proofs.clone())
            .await;
        precondition(answer, "LAST_CODE_RESERVED")?;
        let off = [Purpose::Login];
        let answer = anna.switch_by_id(client, id, &[], &off, proofs).await;
        precondition(answer, "LAST_CODE_RESERVED")?;
    }
    let app = anna.begin(client, "phone").await?;
    let proofs = vec![pin_proof(&anna.pin), last()];
    let code = app.code(world.now());
    let answer = anna.confirm_enable(client, &app, &code, &[], proofs).await;
    precondition(answer, "LAST_CODE_RESERVED")?;
    let proofs = vec![pin_proof(&anna.pin), last()];
    let answer = anna.change_pin(client, "94620571", proofs).await;
    precondition(answer, "LAST_CODE_RESERVED")?;
    ensure!(left(&world, &anna).await? == 1);
    Ok(())
}

async fn last_code_serves(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, codes) = Person::with_codes(&world.client, &[Purpose::Login]).await?;
    spend(&world, &anna, &codes, 1..9).await?;
    let last = || vec![codes.proof(9)];
    let wrong = vec![codes.proof(8)];
    ensure!(
        anna.create_more(&world.client, &codes, wrong)
            .await?
            .is_none()
    );
    let lost = anna.create_more(&world.client, &codes, last()).await?;
    lost.context("the last code was rejected")?;
    ensure!(left(&world, &anna).await? == 0);
    // The answer was lost: the step is repeated.
    let next = anna.create_more(&world.client, &codes, last()).await?;
    let next = next.context("the last code was rejected")?;
    anna.finish(&world.client, &next).await?;
    ensure!(left(&world, &anna).await? == 10);

    let (boris, codes) = Person::with_codes(&world.client, &[Purpose::Login]).await?;
    spend(&world, &boris, &codes, 1..9).await?;
    let last = || vec![codes.proof(9)];
    let unsure = boris
        .disable_codes(&world.client, &codes, false, last())
        .await;
    precondition(unsure, "LAST_IDENTIFIER")?;
    let gone = boris
        .disable_codes(&world.client, &codes, true, last())
        .await?;
    let gone = gone.context("the last code was rejected")?;
    ensure!(gone.state() == IdentifierState::Disabled && gone.codes_left.is_none());
    let answer = boris.create(&world.client, login("desk")).await?;
    ensure!(matches!(answer, Created::NotRequired(_)), "{answer:?}");
    Ok(())
}

async fn lost_device(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, codes) = Person::with_codes(&world.client, &[]).await?;
    let client = &world.client;
    let app = anna.begin(client, "phone").await?;
    let code = app.earlier_code(world.now());
    let pin_only = vec![pin_proof(&anna.pin)];
    let answer = anna
        .confirm_enable(client, &app, &code, &[Purpose::Login], pin_only)
        .await;
    precondition(answer, "STEP_UP_REQUIRED")?;
    let proofs = vec![pin_proof(&anna.pin), codes.proof(0)];
    let enabled = anna
        .confirm_enable(client, &app, &code, &[Purpose::Login], proofs)
        .await?;
    ensure!(enabled.is_some());

    // The phone is lost.
    let code_only = vec![codes.proof(1)];
    let answer = anna.disable(client, &app, false, code_only).await;
    precondition(answer, "STEP_UP_REQUIRED")?;
    let proofs = vec![pin_proof(&anna.pin), codes.proof(1)];
    let gone = anna.disable(client, &app, false, proofs).await?;
    ensure!(gone.is_some());
    ensure!(world.last_facts(&anna)?.contains("LOST_ACCESS"));
    let next = anna.begin(client, "new phone").await?;
    let proofs = vec![pin_proof(&anna.pin), codes.proof(2)];
    let code = next.earlier_code(world.now());
    let enabled = anna
        .confirm_enable(client, &next, &code, &[Purpose::Login], proofs)
        .await?;
    ensure!(enabled.is_some());
    let id = anna.open(client, login("desk")).await?.confirmation_id;
    let answer = anna.submit(client, &id, vec![world.right(&next)]).await?;
    ensure!(accepted(&answer));
    ensure!(left(&world, &anna).await? == 7);
    Ok(())
}

async fn anothers(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, codes) = Person::with_codes(&world.client, &[Purpose::Login]).await?;
    let (_, others) = Person::with_codes(&world.client, &[Purpose::Login]).await?;
    ensure!(!works(&world, &anna, codes.typed(&others.codes[1])).await?);
    ensure!(works(&world, &anna, codes.proof(1)).await?);
    Ok(())
}

async fn capped(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, codes) = Person::with_codes(&world.client, &[Purpose::Login]).await?;
    let mut wrong = 0;
    while wrong < 100 {
        let id = anna
            .open(&world.client, login("desk"))
            .await?
            .confirmation_id;
        for _ in 0..5 {
            let typed = vec![codes.typed(countersign_testkit::NO_CODE)];
            let answer = anna.submit(&world.client, &id, typed).await?;
            ensure!(rejected(&answer));
            wrong += 1;
        }
        if wrong == 5 {
            let answer = anna.create(&world.client, login("desk")).await?;
            let Created::Denied(denial) = answer else {
                anyhow::bail!("not locked: {answer:?}");
            };
            ensure!(denial.reason() == v1::DenialReason::TemporarilyLocked);
        }
        world.pass(61 * MINUTE);
    }
    let set = anna.codes_status(&world.client).await?.identifier;
    ensure!(set.context("a set")?.disabled_by_cap);
    let answer = anna.create(&world.client, login("desk")).await?;
    ensure!(matches!(answer, Created::Denied(_)), "{answer:?}");
    let answer = anna.create_more(&world.client, &codes, vec![codes.proof(5)]);
    precondition(answer.await, "IDENTIFIER_NOT_ENABLED")?;
    Ok(())
}

async fn wrong_kind(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[]).await?;
    let code = world.right(&app);
    let codes = anna.enrol_codes(&world.client, Some(code)).await?;
    let mut app_of_codes = app.clone();
    app_of_codes.id.clone_from(&codes.id);
    let answer = anna
        .disable(&world.client, &app_of_codes, true, vec![codes.proof(0)])
        .await;
    refused(answer, Code::NotFound, "IDENTIFIER_NOT_FOUND")?;
    let codes_of_app = Codes {
        id: app.id.clone(),
        ..codes.clone()
    };
    let next = app_proof(&app, &app.next_code(world.now()));
    let answer = anna
        .disable_codes(&world.client, &codes_of_app, true, vec![next.clone()])
        .await;
    refused(answer, Code::NotFound, "IDENTIFIER_NOT_FOUND")?;
    let answer = anna.create_more(&world.client, &codes_of_app, vec![next]);
    ensure!(answer.await?.is_none(), "an app has no codes to renew");
    Ok(())
}
