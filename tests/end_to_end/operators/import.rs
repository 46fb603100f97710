//! Apps that an operator takes over from another system.

use anyhow::{Result, ensure};
use countersign_mfa::Imported;
use countersign_security_identifiers::Purpose as Own;
use countersign_testkit::{
    App, Backend, Person, app_proof,
    v1::{ConfirmationState, IdentifierState},
};

use super::TABLES;
use crate::{
    harness::Suite,
    world::{Created, MINUTE, World, accepted, login, payout, rejected, state},
};

/// Seeds of 160 bits.
pub(super) const SEEDS: [&str; 6] = [
    "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
    "MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK",
    "NBSWY3DPEB3W64TMMQQGQZLMNRXSA53P",
    "ONSWG4TFOQQHGZLDOJSXIIDTMVRXEZLU",
    "PJSWS3RAPJSWS3RAPJSWS3RAPJSWS3RA",
    "MFZWIZRAMFZWIZRAMFZWIZRAMFZWIZRA",
];

/// Adds the tests of this file.
pub(super) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "operators::a_code_from_before_an_import_is_refused_and_a_later_one_accepted",
        imported,
    );
    suite.on_each_backend(
        "operators::a_seed_that_is_there_is_left_as_it_is",
        imported_again,
    );
    suite.on_each_backend(
        "operators::an_app_that_was_disabled_does_not_come_back_by_an_import",
        imported_and_disabled,
    );
    suite.on_each_backend(
        "operators::a_dry_run_decides_the_same_and_writes_nothing",
        dry_run,
    );
}

/// Has an app of somebody taken over.
pub(super) async fn import(world: &World, person: &Person, purposes: &[Own]) -> Result<App> {
    let taken = world
        .platform
        .import(person, &SEEDS[..1], "Old broker", purposes, false)
        .await?;
    App::imported(taken[0], SEEDS[0])
}

async fn imported(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = Person::new();
    let app = import(&world, &anna, &[Own::Login]).await?;
    let listed = &anna.list(&world.client).await?.identifiers[0];
    ensure!(listed.identifier_id == app.id && listed.label == "Old broker");
    ensure!(listed.state() == IdentifierState::Enabled);
    let facts = world.last_facts(&anna)?;
    for part in ["\"IMPORTED\"", "SWITCHED_ON", "LOGIN", "ticket 4711"] {
        ensure!(facts.contains(part), "{facts}");
    }
    ensure!(!facts.contains("WITHDRAWAL"), "{facts}");

    // The other system may have accepted these a moment ago.
    let open = anna.open(&world.client, login("phone")).await?;
    let id = open.confirmation_id;
    for code in [
        app.earlier_code(world.now()),
        app.code(world.now()),
        app.next_code(world.now()),
    ] {
        let proofs = vec![app_proof(&app, &code)];
        let answer = anna.submit(&world.client, &id, proofs).await?;
        ensure!(rejected(&answer), "{code} was accepted");
    }
    world.pass(MINUTE);
    let proofs = vec![world.right(&app)];
    let answer = anna.submit(&world.client, &id, proofs).await?;
    ensure!(accepted(&answer) && state(&answer) == ConfirmationState::Approved);

    // A withdrawal takes a PIN too, which the app's code sets.
    let answer = anna.create(&world.client, payout(1)).await?;
    ensure!(
        matches!(answer, Created::EnrolmentRequired(_)),
        "{answer:?}"
    );
    world.pass(MINUTE);
    let proofs = vec![world.right(&app)];
    let set = anna.set_first_pin(&world.client, &anna.pin, proofs).await?;
    ensure!(set.is_some(), "no PIN");
    anna.open(&world.client, payout(1)).await?;
    Ok(())
}

/// Everything that is stored of somebody.
fn rows(world: &World, person: &Person) -> Result<String> {
    let mut rows = String::new();
    for table in TABLES {
        let subject = &person.subject;
        let sql = format!("SELECT * FROM {table} WHERE subject_id = '{subject}'");
        rows += &world.database.query(&sql)?;
    }
    Ok(rows)
}

async fn imported_again(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = Person::new();
    import(&world, &anna, &[Own::Login]).await?;
    let before = rows(&world, &anna)?;
    world.pass(MINUTE);
    let purposes = &[Own::Withdrawal];
    let again = world
        .platform
        .import(&anna, &SEEDS[..1], "another name", purposes, false)
        .await?;
    ensure!(again == [Imported::AlreadyThere], "{again:?}");
    ensure!(rows(&world, &anna)? == before, "something was written");
    // With one that is new it is left alone all the same.
    let both = world
        .platform
        .import(&anna, &SEEDS[..2], "new", &[], false)
        .await?;
    ensure!(
        matches!(both[..], [Imported::AlreadyThere, Imported::New(_)]),
        "{both:?}"
    );
    let list = anna.list(&world.client).await?.identifiers;
    let labels: Vec<_> = list.iter().map(|one| one.label.as_str()).collect();
    ensure!(labels == ["Old broker", "new"], "{labels:?}");
    Ok(())
}

async fn imported_and_disabled(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = Person::new();
    let app = import(&world, &anna, &[Own::Login]).await?;
    world.pass(MINUTE);
    let proofs = vec![world.right(&app)];
    let done = anna.disable(&world.client, &app, true, proofs).await?;
    ensure!(done.is_some(), "not disabled");
    let before = rows(&world, &anna)?;
    let again = world
        .platform
        .import(&anna, &SEEDS[..1], "Old broker", &[Own::Login], false)
        .await?;
    ensure!(again == [Imported::DisabledSince], "{again:?}");
    ensure!(rows(&world, &anna)? == before, "something was written");
    // The seed of somebody else is none of hers.
    let boris = Person::new();
    import(&world, &boris, &[]).await?;
    Ok(())
}

async fn dry_run(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = Person::new();
    let run = |is_dry| world.platform.import(&anna, &SEEDS, "app", &[], is_dry);
    let dry = run(true).await?;
    ensure!(rows(&world, &anna)?.is_empty(), "something was written");
    let wet = run(false).await?;
    ensure!(dry == wet, "{dry:?} {wet:?}");
    let new = wet.iter().filter(|one| matches!(one, Imported::New(_)));
    ensure!(new.count() == 5 && wet[5] == Imported::NoRoom, "{wet:?}");
    ensure!(anna.list(&world.client).await?.identifiers.len() == 5);
    ensure!(world.rows("event", &anna)? == 1, "more than one commit");
    Ok(())
}
