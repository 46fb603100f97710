//! Requests for codes that race, over two gateways: what is counted is exact.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use countersign_testkit::{
    Backend, Client, Options, Person, Rates, TestPlatform, pin_proof, reason_of, v1::Purpose,
};
use futures::{StreamExt, future::join_all, stream};

use crate::{
    harness::Suite,
    ledger::Ledger,
    sms_world::{ALL, is_busy, limit_of, number, two_gateways, unlimited, with_sms},
    world::{World, accepted, login},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "sms_races::of_200_who_ask_for_one_code_at_once_one_is_sent_it",
        one_code,
    );
    suite.on_each_backend(
        "sms_races::a_shared_budget_is_spent_to_the_last_message_and_no_further",
        shared_budget,
    );
    suite.on_each_backend(
        "sms_races::a_code_that_comes_50_times_at_once_is_accepted_once",
        one_acceptance,
    );
}

async fn both(
    backend: Backend,
    options: fn() -> Options,
) -> Result<(World, TestPlatform, [Client; 2])> {
    let (world, second) = two_gateways(backend, options).await?;
    let clients = [world.client.clone(), second.client("host-system").await?];
    Ok((world, second, clients))
}

async fn one_code(backend: Backend) -> Result<()> {
    let (world, _second, clients) = both(backend, unlimited).await?;
    let (anna, phone) = world.phoned(&number(1), ALL).await?;
    let open = anna.open(&world.client, login("tablet")).await?;
    let sends = (0..200).map(|n| anna.send_code(&clients[n % 2], &open, None));
    let mut sent = 0;
    for answer in join_all(sends).await {
        match answer {
            Ok(_) => sent += 1,
            Err(status) if is_busy(&status) => {}
            Err(status) => ensure!(reason_of(&status) == "SEND_TOO_SOON", "{status:?}"),
        }
    }
    ensure!(sent == 1, "{sent} were sent");
    let seen = anna.get(&world.client, &open.confirmation_id).await?;
    ensure!(seen.sent_code.is_some_and(|sent| sent.sends_left == 3));
    let code = world.code_after(&phone, 1).await;
    let asked = world.facts(&anna)?.matches("CODE_QUEUED").count();
    ensure!(
        asked == 2,
        "{asked} messages are told, with the enrolment's"
    );
    ensure!(world.takes(&anna, &open, &phone, &code).await?);
    world.states_become("SENT|2").await?;
    Ledger::read(&world.database)?;
    world.nothing_was_sent_since(2).await
}

const BUDGET: usize = 37;

fn narrow() -> Options {
    with_sms(|sms| {
        sms.spend.enrolments = Rates { hour: 37, day: 37 };
        sms.spend.conversion.enough = 1_000;
        sms.spend.conversion.latest = 1_000;
    })
}

async fn shared_budget(backend: Backend) -> Result<()> {
    let (world, _second, clients) = both(backend, narrow).await?;
    let world = &world;
    let outcomes = stream::iter(0..150_u32).map(|n| {
        let client = clients[n as usize % 2].clone();
        async move {
            let person = Person::new();
            person.set_pin(&client).await?;
            // Whoever found the server busy comes again.
            for _ in 0..100 {
                match person.begin_phone(&client, &number(n)).await {
                    Ok(_) => return anyhow::Ok("sent".to_owned()),
                    Err(status) if is_busy(&status) => {}
                    refused => return Ok(limit_of(refused)?.0),
                }
            }
            anyhow::bail!("busy a hundred times")
        }
    });
    let outcomes: Vec<Result<String>> = outcomes.buffer_unordered(48).collect().await;
    let mut counts = BTreeMap::new();
    for outcome in outcomes {
        *counts.entry(outcome?).or_insert(0) += 1;
    }
    ensure!(counts.get("sent") == Some(&BUDGET), "{counts:?}");
    ensure!(counts.len() == 2, "{counts:?}");
    world.states_become("SENT|37").await?;
    ensure!(world.carrier().messages().len() == BUDGET);
    Ledger::read(&world.database)?;
    Ok(())
}

async fn one_acceptance(backend: Backend) -> Result<()> {
    let (world, _second, clients) = both(backend, unlimited).await?;
    let (anna, phone) = world
        .phoned(&number(1), &[Purpose::Login, Purpose::Withdrawal])
        .await?;
    for operation in [login("tablet"), crate::world::payout(3)] {
        let open = anna.open(&world.client, operation.clone()).await?;
        let id = &open.confirmation_id;
        if matches!(
            operation,
            countersign_testkit::v1::operation::Operation::Withdrawal(_)
        ) {
            anna.submit(&world.client, id, vec![pin_proof(&anna.pin)])
                .await?;
        }
        let code = world.sent(&anna, &open, &phone).await?;
        let submits = (0..50).map(|n| {
            let proofs = vec![phone.proof(&code)];
            anna.submit(&clients[n % 2], id, proofs)
        });
        let mut taken = 0;
        for answer in join_all(submits).await {
            match answer {
                Ok(answer) => taken += usize::from(accepted(&answer)),
                Err(status) if is_busy(&status) => {}
                Err(status) => ensure!(
                    reason_of(&status) == "CONFIRMATION_NOT_PENDING",
                    "{status:?}"
                ),
            }
        }
        ensure!(taken == 1, "{taken} were accepted");
        let facts = world.facts(&anna)?;
        let accepted = format!("\"fact\":\"APPROVED\",\"confirmation\":\"{id}\"");
        ensure!(facts.matches(&accepted).count() == 1, "{facts}");
        ensure!(!facts.contains("PROOF_REJECTED"), "{facts}");
        world.pass(60);
    }
    Ok(())
}
