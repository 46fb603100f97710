//! Codes sent for confirmations: for which stage, how often, what they say, how long they live.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Backend, Options, pin_proof, v1,
    v1::{ConfirmationState, DeliveryState, Purpose},
};
use tonic::Code;

use crate::{
    harness::Suite,
    sms_world::{
        ALL, FIRST_WAIT, confirm_by, enable, number, refused_for, with_app_and_phone, with_sms,
    },
    world::{
        Created, MINUTE, World, accepted, custom, login, payout, precondition, refused, state,
    },
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("sms_confirmation::a_login_by_a_code_that_was_sent", logs_in);
    suite.on_each_backend(
        "sms_confirmation::a_withdrawal_sends_after_the_pin_and_says_what_for",
        withdraws,
    );
    suite.on_each_backend("sms_confirmation::nothing_to_send_sends_nothing", nothing);
    suite.on_each_backend(
        "sms_confirmation::waits_double_over_all_confirmations_of_a_number",
        waits,
    );
    suite.on_each_backend(
        "sms_confirmation::four_messages_are_the_most_and_one_code_while_it_lives",
        most,
    );
    suite.on_each_backend("sms_confirmation::a_code_dies", dies);
    suite.on_each_backend("sms_confirmation::only_the_newest_code_counts", newest);
}

/// Seconds from now until an instant of an answer.
fn seconds(world: &World, at: Option<prost_types::Timestamp>) -> i64 {
    at.map_or(0, |at| at.seconds) - world.now().as_millis() / 1_000
}

async fn logs_in(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, phone) = world.phoned(&number(1), ALL).await?;
    let open = anna.open(&world.client, login("tablet")).await?;
    let option = &open.paths[0].stages[0].options[0];
    ensure!(option.masked_number == "+7 ••• ••• 00 01" && option.usable);
    ensure!(open.sent_code.is_none());
    world.pass(10);
    let sent = anna.send_code(&world.client, &open, None).await?;
    ensure!(sent.identifier_id == phone.id && sent.masked_number == "+7 ••• ••• 00 01");
    // The confirmation ends before the code would.
    let [dies, next] = [sent.expire_time, sent.next_send_time].map(|at| seconds(&world, at));
    ensure!(dies == 290 && next == 30, "{dies} {next}");
    ensure!(sent.sends_left == 3 && sent.delivery_state() == DeliveryState::Queued);
    let message = world.carrier().nth_message_to(&phone.number, 2).await;
    ensure!(message.text.contains("login code"), "{:?}", message.text);
    world
        .delivery_becomes(&anna, &open, DeliveryState::Sent)
        .await?;
    let seen = anna.get(&world.client, &open.confirmation_id).await?;
    let shown = seen.sent_code.context("the code is not shown")?;
    let as_sent = v1::SentCode {
        delivery_state: shown.delivery_state,
        ..sent
    };
    ensure!(shown == as_sent, "{shown:?}");

    let code = message.code();
    let proofs = vec![phone.proof(&format!(" {}-{} ", &code[..3], &code[3..]))];
    let id = &open.confirmation_id;
    let answer = anna.submit(&world.client, id, proofs).await?;
    ensure!(accepted(&answer) && state(&answer) == ConfirmationState::Approved);
    let shown = answer.confirmation.context("a confirmation")?.sent_code;
    ensure!(shown.is_none(), "a used code is shown: {shown:?}");
    anna.redeem(&world.client, id, login("tablet")).await?;
    let more = anna.send_code(&world.client, &open, None).await;
    precondition(more, "CONFIRMATION_NOT_PENDING")?;
    Ok(())
}

async fn withdraws(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, phone) = world.phoned(&number(1), ALL).await?;
    let open = anna.open(&world.client, payout(1_250)).await?;
    let send = || anna.send_code(&world.client, &open, None);
    precondition(send().await, "NOTHING_TO_SEND")?;
    let id = &open.confirmation_id;
    let wrong = vec![pin_proof("111999")];
    ensure!(!accepted(&anna.submit(&world.client, id, wrong).await?));
    precondition(send().await, "NOTHING_TO_SEND")?;
    ensure!(
        world.carrier().messages().len() == 1,
        "only the enrolment's"
    );
    let pin = vec![pin_proof(&anna.pin)];
    ensure!(accepted(&anna.submit(&world.client, id, pin).await?));
    let sent = send().await?;
    ensure!(sent.sends_left == 3);
    let message = world.carrier().nth_message_to(&phone.number, 2).await;
    let (text, code) = (&message.text, message.code());
    let place = |part: &str| {
        let found = text.find(part);
        found.with_context(|| format!("{part:?} is not in {text:?}"))
    };
    let code_at = place(&code)?;
    // All that the code is for stands before it, so that nobody reads it first.
    for part in ["1250.50", "EUR", "2051"] {
        ensure!(place(part)? < code_at, "{part} comes after the code");
    }
    ensure!(!text.contains("DE02120300000000202051"), "all of {text:?}");
    ensure!(world.takes(&anna, &open, &phone, &code).await?);
    anna.redeem(&world.client, id, payout(1_250)).await?;

    // Over the wire in one call, and in its order.
    world.pass(FIRST_WAIT);
    let open = anna.open(&world.client, payout(7)).await?;
    let id = &open.confirmation_id;
    anna.submit(&world.client, id, vec![pin_proof(&anna.pin)])
        .await?;
    let code = world.sent(&anna, &open, &phone).await?;
    ensure!(world.takes(&anna, &open, &phone, &code).await?);
    let other = anna.redeem(&world.client, id, payout(8)).await;
    precondition(other, "OPERATION_MISMATCH")?;
    Ok(())
}

async fn nothing(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app, phone) = with_app_and_phone(&world, &number(1), &[Purpose::Login]).await?;
    let sent = world.carrier().messages().len();
    // The phone is on for logins only.
    let (boris, second) = world.phoned(&number(2), &[Purpose::Withdrawal]).await?;
    let answer = boris.create(&world.client, login("tablet")).await?;
    ensure!(!matches!(answer, Created::Confirmation(_)), "{answer:?}");

    let open = anna.open(&world.client, login("tablet")).await?;
    let to = |id: &str| v1::ConfirmationServiceSendCodeRequest {
        subject_id: anna.subject.clone(),
        confirmation_id: open.confirmation_id.clone(),
        identifier_id: id.to_owned(),
        ..Default::default()
    };
    for id in [&app.id, &second.id, &open.confirmation_id] {
        let answer = world.client.confirmations().send_code(to(id)).await;
        precondition(answer, "NOTHING_TO_SEND")?;
    }
    let unknown = v1::ConfirmationServiceSendCodeRequest {
        confirmation_id: phone.id.clone(),
        ..to(&phone.id)
    };
    let answer = world.client.confirmations().send_code(unknown).await;
    refused(answer, Code::NotFound, "CONFIRMATION_NOT_FOUND")?;
    let stranger = world.platform.client("another-service").await?;
    let answer = stranger.confirmations().send_code(to(&phone.id)).await;
    refused(answer, Code::NotFound, "CONFIRMATION_NOT_FOUND")?;
    let stolen = boris.send_code(&world.client, &open, Some(&phone)).await;
    refused(stolen, Code::NotFound, "CONFIRMATION_NOT_FOUND")?;
    world.pass(5 * MINUTE);
    let late = anna.send_code(&world.client, &open, None).await;
    precondition(late, "CONFIRMATION_EXPIRED")?;
    world.nothing_was_sent_since(sent + 1).await?;

    let off = Options {
        settings: countersign_testkit::Settings {
            sms: None,
            ..countersign_testkit::cheap()
        },
        ..Options::default()
    };
    let world = World::with(backend, off).await?;
    let clara = world.somebody().await?;
    let begun = clara.begin_phone(&world.client, &number(1)).await;
    precondition(begun, "SMS_UNAVAILABLE")?;
    Ok(())
}

async fn waits(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, phone) = world.phoned(&number(1), ALL).await?;
    // Confirmations that are used up to ask for codes: the wait is the number's, not theirs.
    for (n, wait) in [30, 60, 120, 240].into_iter().enumerate() {
        let open = anna.open(&world.client, custom(&n.to_string())).await?;
        let sent = anna.send_code(&world.client, &open, None).await?;
        ensure!(sent.sends_left == 3, "each has four of its own");
        ensure!(seconds(&world, sent.next_send_time) == wait);
        let other = anna.open(&world.client, login(&n.to_string())).await?;
        for one in [&open, &other] {
            let answer = anna.send_code(&world.client, one, None).await;
            let told = refused_for(answer, "SEND_TOO_SOON")?;
            ensure!(told == u64::try_from(wait)?, "{told} instead of {wait}");
        }
        world.pass(u64::try_from(wait)? - 1);
        let again = anna.open(&world.client, login("last")).await?;
        let early = anna.send_code(&world.client, &again, None).await;
        ensure!(refused_for(early, "SEND_TOO_SOON")? == 1);
        world.pass(1);
        for one in [open, other, again] {
            anna.cancel(&world.client, &one.confirmation_id).await?;
        }
    }
    // A code that comes back ends the run; the first wait stays.
    let open = anna.open(&world.client, login("tablet")).await?;
    let code = world.sent(&anna, &open, &phone).await?;
    ensure!(world.takes(&anna, &open, &phone, &code).await?);
    let next = anna.open(&world.client, login("tablet")).await?;
    let early = anna.send_code(&world.client, &next, None).await;
    ensure!(refused_for(early, "SEND_TOO_SOON")? == 30);
    world.pass(30);
    anna.send_code(&world.client, &next, None).await?;
    Ok(())
}

async fn most(backend: Backend) -> Result<()> {
    let mut options = Options::default();
    options.settings.approve_within = Duration::from_secs(15 * MINUTE);
    let world = World::with(backend, options).await?;
    let (anna, phone) = world.phoned(&number(1), ALL).await?;
    let open = anna.open(&world.client, login("tablet")).await?;
    let mut codes = Vec::new();
    for (left, wait) in [(3, 30), (2, 60), (1, 120), (0, 240)] {
        let sent = anna.send_code(&world.client, &open, None).await?;
        ensure!(sent.sends_left == left && seconds(&world, sent.next_send_time) == wait);
        codes.push(world.code_after(&phone, codes.len() + 1).await);
        world.pass(u64::try_from(wait)?);
    }
    ensure!(codes.iter().all(|code| *code == codes[0]), "{codes:?}");
    let fifth = anna.send_code(&world.client, &open, None).await;
    refused(fifth, Code::ResourceExhausted, "TOO_MANY_SENDS")?;
    let messages = world.carrier().messages_to(&phone.number).len();
    ensure!(messages == 5, "{messages} messages");
    // 450 seconds after the first message: sending it again did not prolong it.
    ensure!(!world.takes(&anna, &open, &phone, &codes[3]).await?);
    ensure!(world.facts(&anna)?.contains("EXPIRED"));
    Ok(())
}

async fn dies(backend: Backend) -> Result<()> {
    let mut options = with_sms(|sms| sms.rules.code_life = Duration::from_secs(2 * MINUTE));
    options.settings.approve_within = Duration::from_secs(5 * MINUTE);
    let world = World::with(backend, options).await?;
    let (anna, phone) = world.phoned(&number(1), ALL).await?;
    let open = anna.open(&world.client, login("tablet")).await?;
    let first = world.sent(&anna, &open, &phone).await?;
    world.pass(2 * MINUTE - 1);
    let spare = anna.open(&world.client, custom("spare")).await?;
    ensure!(!world.takes(&anna, &spare, &phone, &first).await?);
    world.pass(1);
    ensure!(
        !world.takes(&anna, &open, &phone, &first).await?,
        "it lives"
    );
    let second = world.sent(&anna, &open, &phone).await?;
    ensure!(second != first, "a dead code was sent again");
    ensure!(!world.takes(&anna, &open, &phone, &first).await?);
    world.pass(2 * MINUTE - 1);
    ensure!(
        world.takes(&anna, &open, &phone, &second).await?,
        "it died early"
    );

    // With its confirmation.
    let open = anna.open(&world.client, login("tablet")).await?;
    let code = world.sent(&anna, &open, &phone).await?;
    anna.cancel(&world.client, &open.confirmation_id).await?;
    let proofs = vec![phone.proof(&code)];
    let late = anna.submit(&world.client, &open.confirmation_id, proofs);
    precondition(late.await, "CONFIRMATION_NOT_PENDING")?;
    Ok(())
}

async fn newest(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, first) = world.phoned(&number(1), ALL).await?;
    let second = anna.begin_phone(&world.client, &number(2)).await?;
    let enrolment = world.code_after(&second, 0).await;
    let open = anna.open(&world.client, enable(&second.id, &[])).await?;
    let id = &open.confirmation_id;
    anna.submit(&world.client, id, vec![pin_proof(&anna.pin)])
        .await?;
    let code = world.sent(&anna, &open, &first).await?;
    ensure!(world.takes(&anna, &open, &first, &code).await?);
    let done = confirm_by(&anna, &world, &second, &enrolment, id).await?;
    ensure!(done.is_some());
    world.pass(FIRST_WAIT);

    let open = anna.open(&world.client, custom("either")).await?;
    let options = open.paths[0].stages[0].options.len();
    if options == 2 {
        let which = anna.send_code(&world.client, &open, None).await;
        precondition(which, "WHICH_NUMBER")?;
    }
    let open = both_on(&world, &anna, [&first, &second]).await?;
    let which = anna.send_code(&world.client, &open, None).await;
    precondition(which, "WHICH_NUMBER")?;
    let older = world.sent(&anna, &open, &first).await?;
    let newer = world.sent(&anna, &open, &second).await?;
    let shown = anna.get(&world.client, &open.confirmation_id).await?;
    let shown = shown.sent_code.context("a code")?;
    ensure!(shown.identifier_id == second.id && shown.sends_left == 2);
    ensure!(
        !world.takes(&anna, &open, &first, &older).await?,
        "the older one"
    );
    ensure!(!world.takes(&anna, &open, &first, &newer).await?);
    ensure!(!world.takes(&anna, &open, &second, &older).await?);
    ensure!(world.takes(&anna, &open, &second, &newer).await?);
    Ok(())
}

/// A login that either phone confirms: the second one is switched on by codes of both.
async fn both_on(
    world: &World,
    anna: &countersign_testkit::Person,
    [first, second]: [&countersign_testkit::Phone; 2],
) -> Result<v1::Confirmation> {
    crate::sms_settings::switch_on(world, anna, second, first, Purpose::Login).await?;
    world.pass(FIRST_WAIT);
    anna.open(&world.client, login("tablet")).await
}
