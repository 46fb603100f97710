//! Lists of backup codes: made, finished, replaced, lapsed.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Backend, Codes, Person, new_request_id, pin_proof,
    v1::{self, ConfirmationState, IdentifierState, Purpose},
};
use tonic::Code;

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
        "backup_codes::finish_voids_the_earlier_list_and_keeps_the_set",
        more,
    );
    suite.on_each_backend("backup_codes::a_code_that_made_a_list_is_held_by_it", held);
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

pub(crate) async fn left(world: &World, anna: &Person) -> Result<i32> {
    let status = anna.codes_status(&world.client).await?;
    let set = status.identifier.context("a set")?;
    set.codes_left.context("a number of codes")
}

/// Whether a code confirms a login.
pub(crate) async fn works(world: &World, anna: &Person, proof: v1::Proof) -> Result<bool> {
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
    let (boris, codes) = Person::with_codes(&world.client, &[Purpose::Login]).await?;
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

async fn more(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, codes) = Person::with_codes(&world.client, &[Purpose::Login]).await?;
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
    let (anna, codes) = Person::with_codes(&world.client, &[Purpose::Login]).await?;
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
