//! How many subjects may use one number, however many ask at once.

use anyhow::{Result, ensure};
use countersign_testkit::{Backend, pin_proof, reason_of};
use futures::future::join_all;

use crate::{
    harness::Suite,
    ledger::Ledger,
    sms_world::{ALL, FIRST_WAIT, disable_last, number, two_gateways, unlimited},
    world::{HOUR, World, login, precondition},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "sms_enrolment::three_subjects_may_use_a_number_and_who_leaves_makes_room",
        three,
    );
    suite.on_each_backend(
        "sms_enrolment::of_20_who_enrol_one_number_at_once_three_do",
        at_once,
    );
    suite.on_each_backend(
        "sms_enrolment::a_stranger_cannot_keep_a_number_from_its_codes",
        stranger,
    );
}

async fn three(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let mut users = Vec::new();
    for _ in 0..3 {
        users.push(world.phoned(&number(1), ALL).await?);
    }
    let fourth = world.somebody().await?;
    let sent = world.carrier().messages().len();
    let begun = fourth.begin_phone(&world.client, &number(1)).await;
    precondition(begun, "NUMBER_IN_USE")?;
    ensure!(world.carrier().messages().len() == sent && world.rows("event", &fourth)? == 1);
    let (leaver, phone) = &users[1];
    disable_last(&world, leaver, phone).await?;
    // Enrolments may use up half of a number's share only.
    world.pass(HOUR);
    fourth
        .enrol_phone(&world.client, world.carrier(), &number(1), &[])
        .await?;
    world.pass(FIRST_WAIT);
    let begun = leaver.begin_phone(&world.client, &number(1)).await;
    precondition(begun, "NUMBER_IN_USE")?;
    let rows = world.database.query("SELECT count(*) FROM number_user")?;
    ensure!(rows == "3", "{rows} users are noted");
    Ok(())
}

/// Anyone can have codes sent to anyone's number, by beginning to enrol it.
async fn stranger(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (victim, phone) = world.phoned(&number(1), ALL).await?;
    world.pass(3 * HOUR);
    let stranger = world.somebody().await?;
    let mut refused = 0;
    for wait in [31, 61, 121, 600, 31, 61, 121, 31] {
        let begun = stranger.begin_phone(&world.client, &number(1)).await;
        refused += u32::from(begun.is_err());
        world.pass(wait);
    }
    ensure!(refused > 0, "a stranger has the whole share of a number");
    let confirmation = victim.open(&world.client, login("tablet")).await?;
    world.sent(&victim, &confirmation, &phone).await?;
    Ok(())
}

async fn at_once(backend: Backend) -> Result<()> {
    let (world, second) = two_gateways(backend, unlimited).await?;
    let clients = [world.client.clone(), second.client("host-system").await?];
    let mut people = Vec::new();
    for n in 0..20 {
        let person = world.somebody().await?;
        let phone = person.begin_phone(&world.client, &number(1)).await?;
        let code = world.code_after(&phone, n).await;
        people.push((person, phone, code));
    }
    let confirms = people.iter().enumerate().map(|(n, (person, phone, code))| {
        let proofs = vec![pin_proof(&person.pin)];
        person.confirm_phone(&clients[n % 2], phone, code, ALL, proofs)
    });
    let mut done = 0;
    for answer in join_all(confirms).await {
        match answer {
            Ok(identifier) => {
                ensure!(identifier.is_some(), "a right code was rejected");
                done += 1;
            }
            Err(status) => ensure!(reason_of(&status) == "NUMBER_IN_USE", "{status:?}"),
        }
    }
    ensure!(done == 3, "{done} enrolled it");
    let rows = world.database.query("SELECT count(*) FROM number_user")?;
    ensure!(rows == "3", "{rows} users are noted");
    Ledger::read(&world.database)?;
    Ok(())
}
