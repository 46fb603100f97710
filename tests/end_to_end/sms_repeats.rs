//! A request for a code that comes twice sends one message and has one answer.

use anyhow::{Result, ensure};
use countersign_testkit::{Backend, new_request_id, v1};
use futures::future::join_all;
use tonic::Code;

use crate::{
    harness::Suite,
    ledger::Ledger,
    sms_world::{ALL, FIRST_WAIT, number, refused_for, two_gateways, unlimited},
    world::{HOUR, World, login, refused},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "sms_repeats::a_request_that_comes_again_sends_nothing_more",
        again,
    );
    suite.on_each_backend(
        "sms_repeats::a_request_that_comes_32_times_at_once_sends_one_message",
        at_once,
    );
    suite.on_each_backend(
        "sms_repeats::a_request_that_was_refused_may_come_again_and_pass",
        refused_first,
    );
}

fn begin(subject: &str, number: &str) -> v1::SmsServiceBeginEnableRequest {
    v1::SmsServiceBeginEnableRequest {
        subject_id: subject.to_owned(),
        request_id: new_request_id(),
        phone_number: number.to_owned(),
        ..Default::default()
    }
}

fn send(subject: &str, confirmation: &str) -> v1::ConfirmationServiceSendCodeRequest {
    v1::ConfirmationServiceSendCodeRequest {
        subject_id: subject.to_owned(),
        request_id: new_request_id(),
        confirmation_id: confirmation.to_owned(),
        identifier_id: String::new(),
    }
}

async fn again(backend: Backend) -> Result<()> {
    let (world, second) = two_gateways(backend, unlimited).await?;
    let other = second.client("host-system").await?;
    let anna = world.somebody().await?;
    let request = begin(&anna.subject, &number(1));
    let first = world.client.sms().begin_enable(request.clone()).await?;
    let first = first.into_inner();
    // Else its code may die before it is sent, and then it never is.
    world.carrier().nth_message_to(&number(1), 1).await;
    for seconds in [0, 60, 23 * HOUR] {
        world.pass(seconds);
        let answer = other.sms().begin_enable(request.clone()).await?;
        ensure!(answer.into_inner() == first, "another answer");
    }
    let reused = v1::SmsServiceBeginEnableRequest {
        phone_number: number(2),
        ..request
    };
    let answer = world.client.sms().begin_enable(reused).await;
    refused(answer, Code::InvalidArgument, "REQUEST_ID_REUSED")?;

    let (boris, phone) = world.phoned(&number(3), ALL).await?;
    let open = boris.open(&world.client, login("tablet")).await?;
    let request = send(&boris.subject, &open.confirmation_id);
    let first = world.client.confirmations();
    let first = first.clone().send_code(request.clone()).await?.into_inner();
    let code = world.code_after(&phone, 1).await;
    for seconds in [0, FIRST_WAIT, 60] {
        world.pass(seconds);
        let answer = other.confirmations().send_code(request.clone()).await?;
        ensure!(answer.into_inner() == first, "another answer");
    }
    let reused = v1::ConfirmationServiceSendCodeRequest {
        identifier_id: phone.id.clone(),
        ..request.clone()
    };
    let answer = other.confirmations().send_code(reused).await;
    refused(answer, Code::InvalidArgument, "REQUEST_ID_REUSED")?;
    ensure!(world.takes(&boris, &open, &phone, &code).await?);
    // After its code was used, and its confirmation has ended.
    let answer = other.confirmations().send_code(request).await?;
    ensure!(answer.into_inner() == first, "another answer");
    let sent = world.carrier().messages().len();
    ensure!(sent == 3, "{sent} messages");
    world.nothing_was_sent_since(sent).await?;
    Ledger::read(&world.database)?;
    Ok(())
}

async fn at_once(backend: Backend) -> Result<()> {
    let (world, second) = two_gateways(backend, unlimited).await?;
    let clients = [world.client.clone(), second.client("host-system").await?];
    let anna = world.somebody().await?;
    let request = begin(&anna.subject, &number(1));
    let answers = join_all((0..32).map(|n| {
        let (client, request) = (clients[n % 2].clone(), request.clone());
        async move { client.sms().begin_enable(request).await }
    }));
    let answers = answers.await;
    let mut different = Vec::new();
    for answer in answers {
        let answer = answer?.into_inner();
        if !different.contains(&answer) {
            different.push(answer);
        }
    }
    ensure!(different.len() == 1, "{different:?}");
    world.carrier().nth_message_to(&number(1), 1).await;

    let (boris, _) = world.phoned(&number(2), ALL).await?;
    let open = boris.open(&world.client, login("tablet")).await?;
    let request = send(&boris.subject, &open.confirmation_id);
    let answers = join_all((0..32).map(|n| {
        let (client, request) = (clients[n % 2].clone(), request.clone());
        async move { client.confirmations().send_code(request).await }
    }));
    let mut different = Vec::new();
    for answer in answers.await {
        let answer = answer?.into_inner();
        if !different.contains(&answer) {
            different.push(answer);
        }
    }
    ensure!(different.len() == 1, "{different:?}");
    let seen = boris.get(&world.client, &open.confirmation_id).await?;
    ensure!(seen.sent_code.is_some_and(|sent| sent.sends_left == 3));
    world.carrier().nth_message_to(&number(2), 2).await;
    let sent = world.carrier().messages().len();
    ensure!(sent == 3, "{sent} messages");
    world.nothing_was_sent_since(sent).await
}

/// A refusal is not kept: when it would do, the same request passes.
async fn refused_first(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, phone) = world.phoned(&number(1), ALL).await?;
    let open = anna.open(&world.client, login("tablet")).await?;
    world.sent(&anna, &open, &phone).await?;
    let request = send(&anna.subject, &open.confirmation_id);
    let early = world.client.confirmations();
    let early = early.clone().send_code(request.clone()).await;
    let wait = refused_for(early, "SEND_TOO_SOON")?;
    world.pass(wait);
    world.client.confirmations().send_code(request).await?;
    world.code_after(&phone, 2).await;
    Ok(())
}
