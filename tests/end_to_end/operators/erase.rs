//! What is left of a person that an operator erased.

use anyhow::{Context, Result, bail, ensure};
use countersign_mfa::Imported;
use countersign_security_identifiers::Purpose as Own;
use countersign_testkit::{
    App, Backend, Person, pin_proof, reason_of, v1,
    v1::{IdentifierState, Purpose, operation::Operation},
};
use tonic::Code;

use super::{
    SHARED, TABLES,
    import::{SEEDS, import},
};
use crate::{
    harness::Suite,
    observe::wait_for,
    world::{Created, MINUTE, World, accepted, login, payout, refused},
};

/// Adds the tests of this file.
pub(super) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "operators::an_erased_person_is_in_no_table_and_the_events_stay",
        erased,
    );
    suite.on_each_backend(
        "operators::an_erased_person_is_like_one_never_heard_of",
        erased_and_back,
    );
}

/// What must not be found of an erased person. The operators' reason is that of the test kit.
const CANARIES: [&str; 4] = [
    "canary-label",
    "203.0.113.77",
    "canary-agent",
    "ticket 4711",
];

fn login_with_canaries() -> Operation {
    Operation::Login(v1::Login {
        ip_address: "203.0.113.77".to_owned(),
        user_agent: "canary-agent \"1.0\"".to_owned(),
        device_id: "phone".to_owned(),
    })
}

/// Somebody of whom everything is stored that can be.
async fn known_well(world: &World) -> Result<(Person, App)> {
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    for label in ["canary-label gone", "canary-label kept"] {
        let more = world.another(&anna, &app, label, &[]).await?;
        if label.ends_with("gone") {
            let proofs = vec![world.right(&more)];
            anna.disable(&world.client, &more, false, proofs).await?;
        }
    }
    anna.begin(&world.client, "canary-label begun").await?;
    world.pass(MINUTE);
    let proof = Some(world.right(&app));
    anna.enrol_codes(&world.client, proof).await?;
    world.pass(MINUTE);
    let open = anna.open(&world.client, login_with_canaries()).await?;
    let proofs = vec![world.wrong(&app)];
    anna.submit(&world.client, &open.confirmation_id, proofs)
        .await?;
    let proofs = vec![world.right(&app)];
    anna.submit(&world.client, &open.confirmation_id, proofs)
        .await?;
    anna.open(&world.client, login_with_canaries()).await?;
    world.platform.unlock(&anna).await?;
    Ok((anna, app))
}

/// A phone, whose message is sent and noted; an event for each of the two.
async fn enrol_phone(world: &World, person: &Person, app: &App) -> Result<()> {
    world.pass(MINUTE);
    let number = "+79123456789";
    let phone = person.begin_phone(&world.client, number).await?;
    let code = world
        .platform
        .carrier
        .nth_message_to(number, 1)
        .await
        .code();
    wait_for("the message noted", async || {
        let state = world.database.query("SELECT state FROM message")?;
        Ok((state == "SENT").then_some(()))
    })
    .await?;
    let proofs = vec![pin_proof(&person.pin), world.right(app)];
    let done = person.confirm_phone(&world.client, &phone, &code, &[], proofs);
    done.await?.context("the phone was not enabled")?;
    for table in ["message", "number_user"] {
        ensure!(world.rows(table, person)? == 1, "{table} has no row");
    }
    ensure!(budgets(world, person)? != "0", "nothing was spent");
    Ok(())
}

/// How many budgets of its own a subject has.
fn budgets(world: &World, person: &Person) -> Result<String> {
    world.database.query(&format!(
        "SELECT count(*) FROM spend WHERE scope = 'subject/{}'",
        person.subject
    ))
}

/// Every row of every table, as text.
fn everything(world: &World) -> Result<String> {
    let mut all = String::new();
    for table in TABLES.into_iter().chain([SHARED]) {
        all += &world.database.query(&format!("SELECT * FROM {table}"))?;
    }
    Ok(all)
}

/// The number and the names of the facts of each event, without where something was asked for.
fn history(world: &World, person: &Person) -> Result<Vec<(i64, Vec<String>)>> {
    let sql = format!(
        "SELECT version, facts FROM event WHERE subject_id = '{}' ORDER BY version",
        person.subject
    );
    let mut history = Vec::new();
    for line in world.database.query(&sql)?.lines() {
        let (version, facts) = line.split_once('|').context("two columns")?;
        let facts: Vec<serde_json::Value> = serde_json::from_str(facts)?;
        let names = facts.iter().filter_map(|fact| fact["fact"].as_str());
        let names = names.filter(|name| *name != "ASKED_FROM");
        history.push((version.parse()?, names.map(str::to_owned).collect()));
    }
    Ok(history)
}

async fn erased(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = known_well(&world).await?;
    enrol_phone(&world, &anna, &app).await?;
    let before = everything(&world)?;
    for canary in CANARIES {
        ensure!(before.contains(canary), "{canary} is nowhere to begin with");
    }
    let mut told = history(&world, &anna)?;

    world.platform.erase(&anna, "request 12").await?;
    let after = everything(&world)?;
    for canary in CANARIES {
        ensure!(!after.contains(canary), "{canary} is still there: {after}");
    }
    for table in ["confirmation", "request", "message", "number_user"] {
        ensure!(world.rows(table, &anna)? == 0, "{table} has rows");
    }
    ensure!(budgets(&world, &anna)? == "0", "a budget is left");
    let names = ["ERASED", "BY_OPERATOR"].map(str::to_owned).to_vec();
    told.push((told.len() as i64 + 1, names));
    ensure!(
        history(&world, &anna)? == told,
        "the history is another one"
    );
    let facts = world.facts(&anna)?;
    ensure!(
        facts.contains("\"request 12\"") && facts.contains("\"erased\""),
        "{facts}"
    );
    let states = world.database.query(&format!(
        "SELECT DISTINCT state, label FROM identifier WHERE subject_id = '{}'",
        anna.subject
    ))?;
    ensure!(states == "DISABLED|erased", "{states}");

    // Done again, it takes the earlier reason too.
    world.platform.erase(&anna, "request 13").await?;
    ensure!(!world.facts(&anna)?.contains("request 12"));
    let stranger = world.platform.erase(&Person::new(), "request 14").await;
    ensure!(stranger.is_err(), "somebody unknown was erased");
    Ok(())
}

async fn erased_and_back(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = known_well(&world).await?;
    let (boris, other) = world.owner(&[Purpose::Login]).await?;
    import(&world, &anna, &[Own::Login]).await?;
    let open = anna.open(&world.client, login("phone")).await?;
    world.platform.erase(&anna, "request 12").await?;

    let list = anna.list(&world.client).await?;
    let is_gone = |one: &v1::SecurityIdentifier| {
        one.state() == IdentifierState::Disabled && one.label == "erased"
    };
    ensure!(list.identifiers.iter().all(is_gone), "{list:?}");
    ensure!(list.pin.is_some_and(|pin| !pin.set), "the PIN is there");
    let answer = anna.create(&world.client, login("phone")).await?;
    ensure!(matches!(answer, Created::NotRequired(_)), "{answer:?}");
    let answer = anna.create(&world.client, payout(1)).await?;
    ensure!(
        matches!(answer, Created::EnrolmentRequired(_)),
        "{answer:?}"
    );
    let none = anna.get(&world.client, &open.confirmation_id).await;
    refused(none, Code::NotFound, "CONFIRMATION_NOT_FOUND")?;
    world.pass(MINUTE);
    let proofs = vec![world.right(&app)];
    match anna.disable(&world.client, &app, true, proofs).await {
        Ok(None) => {}
        Ok(Some(done)) => bail!("a code of an erased app was accepted: {done:?}"),
        Err(status) => ensure!(reason_of(&status) == "IDENTIFIER_NOT_FOUND", "{status:?}"),
    }
    let again = world
        .platform
        .import(&anna, &SEEDS[..1], "Old broker", &[], false)
        .await?;
    ensure!(again == [Imported::DisabledSince], "{again:?}");

    // They can begin anew, and nobody else has noticed.
    anna.set_pin(&world.client).await?;
    anna.enrol(&world.client, &[Purpose::Login], world.now())
        .await?;
    let id = boris
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    let proofs = vec![world.right(&other)];
    let answer = boris.submit(&world.client, &id, proofs).await?;
    ensure!(accepted(&answer), "somebody else was touched");
    Ok(())
}
