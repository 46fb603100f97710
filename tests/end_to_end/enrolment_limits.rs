//! How many apps, unfinished enrolments and wrong codes in them there may be.

use std::time::Duration;

use anyhow::{Result, ensure};
use countersign_testkit::{Backend, retry_after, v1};
use tonic::Code;

use crate::{
    enrolment::confirm,
    harness::Suite,
    world::{HOUR, MINUTE, World, refused},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "enrolment::ten_wrong_codes_in_an_hour_throttle_it",
        throttled,
    );
    suite.on_each_backend("enrolment::five_apps_are_the_most", five);
    suite.on_each_backend("enrolment::three_unfinished_are_the_most", three);
}

async fn throttled(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let mut app = anna.begin(&world.client, "").await?;
    for number in 0..10 {
        // Beginning anew, and a right PIN, reset nothing.
        if number % 3 == 0 {
            app = anna.begin(&world.client, "").await?;
        }
        let wrong = app.wrong_code(world.now());
        ensure!(
            confirm(&world, &anna, &app, &wrong, vec![])
                .await?
                .is_none()
        );
        world.pass(1);
    }
    let right = app.code(world.now());
    let throttled = || "ENROLMENT_THROTTLED";
    let answer = confirm(&world, &anna, &app, &right, vec![]).await;
    let status = refused(answer, Code::ResourceExhausted, throttled())?;
    let wait = Duration::from_secs(HOUR - 10);
    ensure!(
        retry_after(&status) == Some(wait),
        "{:?}",
        retry_after(&status)
    );
    let request = v1::TotpServiceBeginEnableRequest::default();
    let begun = anna.begin_enable(&world.client, request).await;
    refused(begun, Code::ResourceExhausted, throttled())?;

    world.pass(wait.as_secs() - 1);
    let request = v1::TotpServiceBeginEnableRequest::default();
    let begun = anna.begin_enable(&world.client, request).await;
    refused(begun, Code::ResourceExhausted, throttled())?;
    world.pass(1);
    // One of the ten has left the hour: one more may be tried, and only one.
    let app = anna.begin(&world.client, "").await?;
    let wrong = app.wrong_code(world.now());
    ensure!(
        confirm(&world, &anna, &app, &wrong, vec![])
            .await?
            .is_none()
    );
    let answer = confirm(&world, &anna, &app, &app.code(world.now()), vec![]).await;
    refused(answer, Code::ResourceExhausted, throttled())?;
    world.pass(HOUR);
    let app = anna.begin(&world.client, "").await?;
    ensure!(
        confirm(&world, &anna, &app, &app.code(world.now()), vec![])
            .await?
            .is_some()
    );
    Ok(())
}

async fn five(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, first) = world.owner(&[]).await?;
    for label in ["2", "3", "4"] {
        world.another(&anna, &first, label, &[]).await?;
    }
    // Two are begun while there is room for one.
    let fifth = anna.begin(&world.client, "5").await?;
    let sixth = anna.begin(&world.client, "6").await?;
    let code = fifth.code(world.now());
    let done = confirm(&world, &anna, &fifth, &code, vec![world.right(&first)]).await?;
    ensure!(done.is_some());
    world.pass(MINUTE);
    // Refused before any code is looked at: a wrong one has the same answer.
    for code in [sixth.wrong_code(world.now()), sixth.code(world.now())] {
        let answer = confirm(&world, &anna, &sixth, &code, vec![world.right(&first)]).await;
        refused(answer, Code::ResourceExhausted, "TOO_MANY_IDENTIFIERS")?;
    }
    let request = v1::TotpServiceBeginEnableRequest::default();
    let begun = anna.begin_enable(&world.client, request).await;
    refused(begun, Code::ResourceExhausted, "TOO_MANY_IDENTIFIERS")?;
    // The code that was typed for nothing is still good, and one that goes makes room.
    let gone = anna
        .disable(&world.client, &first, false, vec![world.right(&first)])
        .await?;
    ensure!(gone.is_some());
    let code = sixth.code(world.now());
    let done = confirm(&world, &anna, &sixth, &code, vec![world.right(&fifth)]).await?;
    ensure!(done.is_some());
    Ok(())
}

async fn three(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    for label in ["1", "2", "3", "3", "1"] {
        anna.begin(&world.client, label).await?;
        world.pass(10);
    }
    let fourth = || v1::TotpServiceBeginEnableRequest {
        label: "4".to_owned(),
        ..Default::default()
    };
    let begun = anna.begin_enable(&world.client, fourth()).await;
    let status = refused(
        begun,
        Code::ResourceExhausted,
        "TOO_MANY_PENDING_ENROLMENTS",
    )?;
    // The first to lapse is "2": begun 40 seconds ago.
    let wait = Duration::from_secs(10 * MINUTE - 40);
    ensure!(
        retry_after(&status) == Some(wait),
        "{:?}",
        retry_after(&status)
    );
    world.pass(wait.as_secs());
    anna.begin_enable(&world.client, fourth()).await?;
    Ok(())
}
