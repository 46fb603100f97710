//! A confirmation belongs to the caller that created it, and to its subject.

use anyhow::{Result, ensure};
use countersign_testkit::{
    Backend, Client, Person, new_request_id, v1,
    v1::{ConfirmationState, Purpose},
};
use tonic::{Code, Status};

use crate::{
    harness::Suite,
    world::{World, accepted, login, refused},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("ownership::to_another_caller_it_does_not_exist", callers);
    suite.on_each_backend(
        "ownership::under_another_subject_it_does_not_exist",
        subjects,
    );
}

/// What every method says about a confirmation that does not exist for this caller.
async fn not_found(client: &Client, person: &Person, id: &str, proof: v1::Proof) -> Result<()> {
    let absent = new_request_id();
    let mut said: Vec<Status> = Vec::new();
    for id in [id, &absent] {
        let reason = "CONFIRMATION_NOT_FOUND";
        let got = person.get(client, id).await;
        said.push(refused(got, Code::NotFound, reason)?);
        let submitted = person.submit(client, id, vec![proof.clone()]).await;
        said.push(refused(submitted, Code::NotFound, reason)?);
        let cancelled = person.cancel(client, id).await;
        said.push(refused(cancelled, Code::NotFound, reason)?);
        let redeemed = person.redeem(client, id, login("phone")).await;
        said.push(refused(redeemed, Code::NotFound, reason)?);
    }
    for status in &said {
        let same = status.message() == said[0].message() && status.details() == said[0].details();
        ensure!(same, "what exists is told from what does not: {status:?}");
    }
    Ok(())
}

async fn callers(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let id = anna
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    let events = world.rows("event", &anna)?;
    for name in ["other-service", "HOST-SYSTEM", "host-system2"] {
        let other = world.platform.client(name).await?;
        not_found(&other, &anna, &id, world.right(&app)).await?;
    }
    let nameless = Client::connect(world.platform.endpoint(), None).await?;
    not_found(&nameless, &anna, &id, world.right(&app)).await?;
    ensure!(
        world.rows("event", &anna)? == events,
        "something was written"
    );

    let answer = anna
        .submit(&world.client, &id, vec![world.right(&app)])
        .await?;
    ensure!(accepted(&answer));
    let other = world.platform.client("other-service").await?;
    not_found(&other, &anna, &id, world.wrong(&app)).await?;
    let redeemed = anna.redeem(&world.client, &id, login("phone")).await?;
    ensure!(redeemed.state() == ConfirmationState::Redeemed);
    Ok(())
}

async fn subjects(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let (boris, _) = world.owner(&[Purpose::Login]).await?;
    let id = anna
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    for person in [boris, Person::new()] {
        not_found(&world.client, &person, &id, world.right(&app)).await?;
    }
    // An identifier of somebody else proves nothing.
    let mallory = world.owner(&[Purpose::Login]).await?;
    let proofs = vec![world.right(&mallory.1)];
    let answer = anna.submit(&world.client, &id, proofs).await?;
    ensure!(!accepted(&answer), "a code of somebody else was accepted");
    let mut upper = anna.clone();
    upper.subject = anna.subject.to_uppercase();
    not_found(&world.client, &upper, &id, world.right(&app)).await?;
    Ok(())
}
