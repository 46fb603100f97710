//! Backup codes, from the first list to the last code.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Backend, Codes, Person, app_proof, new_request_id, pin_proof,
    v1::{self, ConfirmationState, IdentifierState, Purpose},
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    harness::Suite,
    world::{
        Created, MINUTE, World, accepted, login, outline, payout, precondition, refused, rejected,
        state,
    },
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("backup_codes::a_list_is_not_in_force_before_finish", finish);
    suite.on_each_backend(
        "backup_codes::the_step_that_makes_a_list_can_be_repeated",
        repeated,
    );
    suite.on_each_backend("backup_codes::a_list_is_shown_once", shown_once);
    suite.on_each_backend("backup_codes::a_list_lapses_after_15_minutes", lapse);
    suite.on_each_backend(
        "backup_codes::a_list_is_finished_by_the_caller_that_made_it",
        other_caller,
    );
    suite.on_each_backend(
        "backup_codes::a_list_lapses_when_an_identifier_is_enabled_or_the_pin_reset",
        overtaken,
    );
    suite.on_each_backend(
        "backup_codes::a_list_lapses_with_what_it_was_proved_with",
        revoked,
    );
    suite.on_each_backend(
        "backup_codes::where_no_list_can_be_made_no_proof_is_looked_at",
        no_room,
    );
    suite.on_each_backend("backup_codes::what_enabling_takes", enabling);
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
        "backup_codes::finish_voids_the_earlier_list_and_keeps_the_set",
        more,
    );
    suite.on_each_backend("backup_codes::a_code_that_made_a_list_is_held_by_it", held);
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

/// Somebody with a PIN and finished codes that are on for these purposes.
pub(crate) async fn holder(world: &World, purposes: &[Purpose]) -> Result<(Person, Codes)> {
    let anna = world.somebody().await?;
    let codes = anna.enrol_codes(&world.client, None).await?;
    if !purposes.is_empty() {
        let proofs = vec![codes.proof(0)];
        let on = anna.switch_by_id(&world.client, &codes.id, purposes, &[], proofs);
        on.await?.context("a right code was rejected")?;
    }
    Ok((anna, codes))
}

/// Logs in with the codes at these places.
pub(crate) async fn spend(
    world: &World,
    anna: &Person,
    codes: &Codes,
    places: impl IntoIterator<Item = usize>,
) -> Result<()> {
    for place in places {
        let id = anna
            .open(&world.client, login("desk"))
            .await?
            .confirmation_id;
        let answer = anna
            .submit(&world.client, &id, vec![codes.proof(place)])
            .await?;
        ensure!(
            state(&answer) == ConfirmationState::Approved,
            "code {place}"
        );
    }
    Ok(())
}

async fn left(world: &World, anna: &Person) -> Result<i32> {
    let status = anna.codes_status(&world.client).await?;
    let set = status.identifier.context("a set")?;
    set.codes_left.context("a number of codes")
}

/// Whether a code confirms a login.
async fn works(world: &World, anna: &Person, proof: v1::Proof) -> Result<bool> {
    let id = anna
        .open(&world.client, login("desk"))
        .await?
        .confirmation_id;
    let answer = anna.submit(&world.client, &id, vec![proof]).await?;
    if rejected(&answer) {
        anna.cancel(&world.client, &id).await?;
    }
    Ok(accepted(&answer))
}

fn reserved(status: &Status, left: &str) -> Result<()> {
    let info = status.get_details_error_info().context("an ErrorInfo")?;
    let said = info.metadata.get("codes_left").map(String::as_str);
    ensure!(said == Some(left), "codes_left is {said:?}");
    Ok(())
}

async fn finish(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let proofs = || vec![pin_proof(&anna.pin)];
    let codes = anna.enable_codes(&world.client, proofs()).await?;
    let codes = codes.context("the PIN was rejected")?;
    ensure!(codes.codes.len() == 10);
    for code in &codes.codes {
        let groups: Vec<usize> = code.split('-').map(str::len).collect();
        ensure!(groups == [5, 5, 5], "{code}");
    }
    let pending = anna.codes_status(&world.client).await?;
    ensure!(pending.pending_list_id == codes.list && pending.codes_total == 0);
    let shown = pending.identifier.context("a set")?;
    ensure!(shown.state() == IdentifierState::Pending && shown.codes_left.is_none());
    let answer = anna.create(&world.client, payout(1)).await?;
    ensure!(
        matches!(answer, Created::EnrolmentRequired(_)),
        "{answer:?}"
    );

    let set = anna.finish(&world.client, &codes).await?;
    ensure!(set.identifier_id == codes.id && set.state() == IdentifierState::Enabled);
    ensure!(set.codes_left == Some(10) && set.label == "Backup codes");
    ensure!(set.purposes.iter().all(|setting| !setting.on));
    let again = anna.finish(&world.client, &codes).await;
    refused(again, Code::NotFound, "CODE_LIST_NOT_FOUND")?;
    let second = anna.enable_codes(&world.client, proofs()).await;
    precondition(second, "BACKUP_CODES_ENABLED")?;
    let status = anna.codes_status(&world.client).await?;
    ensure!(status.codes_total == 10 && status.pending_list_id.is_empty());
    Ok(())
}

async fn repeated(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let enable = || anna.enable_codes(&world.client, vec![pin_proof(&anna.pin)]);
    let lost = enable().await?.context("a list")?;
    let found = enable().await?.context("a list")?;
    ensure!(lost.id == found.id && lost.list != found.list && lost.codes != found.codes);
    let gone = anna.finish(&world.client, &lost).await;
    refused(gone, Code::NotFound, "CODE_LIST_NOT_FOUND")?;
    anna.finish(&world.client, &found).await?;
    let on = [Purpose::Login];
    let with_lost = vec![lost.proof(0)];
    let switched = anna.switch_by_id(&world.client, &found.id, &on, &[], with_lost);
    ensure!(
        switched.await?.is_none(),
        "a code of the list that was lost"
    );
    let with_found = vec![found.proof(0)];
    let switched = anna.switch_by_id(&world.client, &found.id, &on, &[], with_found);
    ensure!(switched.await?.is_some());
    let all = anna.list(&world.client).await?.identifiers;
    ensure!(all.len() == 1, "{all:?}");
    Ok(())
}

async fn shown_once(backend: Backend) -> Result<()> {
    use v1::backup_code_service_enable_response::Outcome;
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let proofs = vec![pin_proof(&anna.pin)];
    let request = v1::BackupCodeServiceEnableRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        label: "paper".to_owned(),
        authorization: Some(
            v1::backup_code_service_enable_request::Authorization::Proofs(v1::Proofs { proofs }),
        ),
    };
    let mut lists = Vec::new();
    for _ in 0..2 {
        let answer = world.client.backup_codes().enable(request.clone()).await?;
        match answer.into_inner().outcome {
            Some(Outcome::List(list)) => lists.push(list),
            other => anyhow::bail!("no list: {other:?}"),
        }
    }
    let (first, second) = (&lists[0], &lists[1]);
    ensure!(!first.secret_already_delivered && first.codes.len() == 10);
    ensure!(second.secret_already_delivered && second.codes.is_empty());
    ensure!(first.list_id == second.list_id && first.expire_time == second.expire_time);
    ensure!(world.facts(&anna)?.matches("ENROLMENT_BEGUN").count() == 1);
    Ok(())
}

async fn lapse(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let enable = || anna.enable_codes(&world.client, vec![pin_proof(&anna.pin)]);
    let codes = enable().await?.context("a list")?;
    world.pass(15 * MINUTE);
    let late = anna.finish(&world.client, &codes).await;
    refused(late, Code::NotFound, "CODE_LIST_NOT_FOUND")?;
    ensure!(anna.codes_status(&world.client).await?.identifier.is_none());
    let codes = enable().await?.context("a list")?;
    world.pass(15 * MINUTE - 1);
    anna.finish(&world.client, &codes).await?;
    Ok(())
}

async fn other_caller(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let codes = anna
        .enable_codes(&world.client, vec![pin_proof(&anna.pin)])
        .await?
        .context("a list")?;
    let other = world.platform.client("another-service").await?;
    let stolen = anna.finish(&other, &codes).await;
    refused(stolen, Code::NotFound, "CODE_LIST_NOT_FOUND")?;
    anna.finish(&world.client, &codes).await?;
    Ok(())
}

async fn overtaken(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    // An identifier that was enabled meanwhile was not asked for a code.
    let anna = world.somebody().await?;
    let codes = anna
        .enable_codes(&world.client, vec![pin_proof(&anna.pin)])
        .await?
        .context("a list")?;
    let app = anna.enrol(&world.client, &[], world.now()).await?;
    let late = anna.finish(&world.client, &codes).await;
    refused(late, Code::NotFound, "CODE_LIST_NOT_FOUND")?;
    ensure!(anna.codes_status(&world.client).await?.identifier.is_none());
    // Nor one that was made with the PIN that an operator has removed.
    let proofs = vec![pin_proof(&anna.pin), world.right(&app)];
    let codes = anna.enable_codes(&world.client, proofs).await?;
    let codes = codes.context("a list")?;
    world.platform.reset_pin(&anna).await?;
    let late = anna.finish(&world.client, &codes).await;
    refused(late, Code::NotFound, "CODE_LIST_NOT_FOUND")?;
    // A waiting list of codes that are in force goes alone.
    let (boris, codes) = holder(&world, &[Purpose::Login]).await?;
    let next = boris
        .create_more(&world.client, &codes, vec![codes.proof(1)])
        .await?
        .context("a list")?;
    world.platform.reset_pin(&boris).await?;
    let late = boris.finish(&world.client, &next).await;
    refused(late, Code::NotFound, "CODE_LIST_NOT_FOUND")?;
    ensure!(
        works(&world, &boris, codes.proof(1)).await?,
        "it is free again"
    );
    Ok(())
}

/// A thief's list does not outlive the owner's disabling of the app, or change of the PIN, that made
/// it.
async fn revoked(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let client = &world.client;
    let (anna, stolen) = world.owner(&[]).await?;
    let own = world.another(&anna, &stolen, "own", &[]).await?;
    let proofs = vec![pin_proof(&anna.pin), world.right(&stolen)];
    let made = anna.enable_codes(client, proofs).await?.context("a list")?;
    let proofs = vec![pin_proof(&anna.pin), world.right(&own)];
    let gone = anna.disable(client, &stolen, false, proofs).await?;
    ensure!(gone.is_some());
    let late = anna.finish(client, &made).await;
    refused(late, Code::NotFound, "CODE_LIST_NOT_FOUND")?;

    world.pass(MINUTE);
    let proofs = vec![pin_proof(&anna.pin), world.right(&own)];
    let made = anna.enable_codes(client, proofs).await?.context("a list")?;
    world.pass(MINUTE);
    let proofs = vec![pin_proof(&anna.pin), world.right(&own)];
    let changed = anna.change_pin(client, "94620571", proofs).await?;
    ensure!(changed.is_some());
    let late = anna.finish(client, &made).await;
    refused(late, Code::NotFound, "CODE_LIST_NOT_FOUND")?;
    Ok(())
}

/// Else right proofs would be told from wrong ones with nothing written.
async fn no_room(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[]).await?;
    for label in ["one", "two", "three"] {
        anna.begin(&world.client, label).await?;
    }
    let runs = world.platform.pool.runs();
    let events = world.rows("event", &anna)?;
    for (pin, code) in [
        (anna.pin.as_str(), world.right(&app)),
        ("604829", world.wrong(&app)),
    ] {
        let proofs = vec![pin_proof(pin), code];
        let answer = anna.enable_codes(&world.client, proofs).await;
        refused(
            answer,
            Code::ResourceExhausted,
            "TOO_MANY_PENDING_ENROLMENTS",
        )?;
    }
    ensure!(world.platform.pool.runs() == runs, "something was hashed");
    ensure!(world.rows("event", &anna)? == events);
    world.pass(10 * MINUTE);
    let proofs = vec![pin_proof(&anna.pin), world.right(&app)];
    let first = anna.enable_codes(&world.client, proofs).await?;
    ensure!(first.is_some());
    // A set that was begun takes no room when it is begun anew.
    for label in ["one", "two"] {
        anna.begin(&world.client, label).await?;
    }
    world.pass(MINUTE);
    let proofs = vec![pin_proof(&anna.pin), world.right(&app)];
    ensure!(anna.enable_codes(&world.client, proofs).await?.is_some());
    Ok(())
}

async fn enabling(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let nobody = Person::new();
    nobody.set_pin(&world.client).await?;
    world.platform.reset_pin(&nobody).await?;
    let answer = nobody.enable_codes(&world.client, Vec::new()).await;
    precondition(answer, "PIN_NOT_SET")?;

    let (anna, app) = world.owner(&[]).await?;
    let pin_only = vec![pin_proof(&anna.pin)];
    let answer = anna.enable_codes(&world.client, pin_only).await;
    let status = precondition(answer, "STEP_UP_REQUIRED")?;
    let paths = countersign_testkit::step_up_paths(&status).context("paths")?;
    ensure!(outline(&paths) == format!("PIN > {}", app.id));
    let wrong = vec![pin_proof(&anna.pin), world.wrong(&app)];
    ensure!(anna.enable_codes(&world.client, wrong).await?.is_none());
    let right = vec![pin_proof(&anna.pin), world.right(&app)];
    ensure!(anna.enable_codes(&world.client, right).await?.is_some());
    Ok(())
}

async fn each_once(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, codes) = holder(&world, &[Purpose::Login, Purpose::Withdrawal]).await?;
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
    let (anna, codes) = holder(&world, &[Purpose::Login]).await?;
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
    let (anna, codes) = holder(&world, &[Purpose::Login, Purpose::Withdrawal]).await?;
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
    let (anna, codes) = holder(&world, &[Purpose::Login]).await?;
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
    let (anna, codes) = holder(&world, &[Purpose::Login]).await?;
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

    let (boris, codes) = holder(&world, &[Purpose::Login]).await?;
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

async fn more(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, codes) = holder(&world, &[Purpose::Login]).await?;
    let next = anna.create_more(&world.client, &codes, vec![codes.proof(1)]);
    let next = next.await?.context("a list")?;
    ensure!(next.id == codes.id && next.list != codes.list);
    let status = anna.codes_status(&world.client).await?;
    ensure!(status.pending_list_id == next.list);
    ensure!(
        works(&world, &anna, codes.proof(2)).await?,
        "still in force"
    );
    ensure!(
        !works(&world, &anna, next.proof(0)).await?,
        "not yet in force"
    );

    let set = anna.finish(&world.client, &next).await?;
    ensure!(set.codes_left == Some(10) && set.identifier_id == codes.id);
    let on: Vec<Purpose> = set
        .purposes
        .iter()
        .filter(|setting| setting.on)
        .map(v1::PurposeSetting::purpose)
        .collect();
    ensure!(on == [Purpose::Login], "{on:?}");
    for place in 0..10 {
        ensure!(
            !works(&world, &anna, codes.proof(place)).await?,
            "void: {place}"
        );
        if place % 4 == 3 {
            world.platform.unlock(&anna).await?;
        }
    }
    world.platform.unlock(&anna).await?;
    ensure!(works(&world, &anna, next.proof(0)).await?);
    Ok(())
}

async fn held(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, codes) = holder(&world, &[Purpose::Login]).await?;
    let make = |place| anna.create_more(&world.client, &codes, vec![codes.proof(place)]);
    make(1).await?.context("a list")?;
    ensure!(left(&world, &anna).await? == 8);
    ensure!(!works(&world, &anna, codes.proof(1)).await?, "a held code");
    ensure!(world.facts(&anna)?.contains("\"HELD\""));
    let disabled = anna.disable_codes(&world.client, &codes, true, vec![codes.proof(1)]);
    ensure!(disabled.await?.is_none(), "a held code");
    // Another list holds its own code alone.
    let second = make(2).await?.context("a list")?;
    ensure!(left(&world, &anna).await? == 8);
    ensure!(works(&world, &anna, codes.proof(1)).await?, "free again");
    world.pass(15 * MINUTE);
    ensure!(left(&world, &anna).await? == 8, "it has lapsed");
    let late = anna.finish(&world.client, &second).await;
    refused(late, Code::NotFound, "CODE_LIST_NOT_FOUND")?;
    ensure!(works(&world, &anna, codes.proof(2)).await?, "free again");
    ensure!(!works(&world, &anna, codes.proof(2)).await?, "used");
    Ok(())
}

async fn lost_device(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, codes) = holder(&world, &[]).await?;
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
    let (anna, codes) = holder(&world, &[Purpose::Login]).await?;
    let (_, others) = holder(&world, &[Purpose::Login]).await?;
    ensure!(!works(&world, &anna, codes.typed(&others.codes[1])).await?);
    ensure!(works(&world, &anna, codes.proof(1)).await?);
    Ok(())
}

async fn capped(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, codes) = holder(&world, &[Purpose::Login]).await?;
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
