//! What carriers do with messages, and what is told of it.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use countersign_testkit::{
    Backend, CarriedMessage, MessageState, Person, Phone, Submission, accepted as carried, v1,
    v1::{DeliveryState, SecurityFactKind},
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    harness::Suite,
    sms_world::{ALL, number, two_gateways, unlimited, unreachable},
    world::{MINUTE, World, login},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("sms_delivery::what_is_reported_is_told", reported);
    suite.on_each_backend(
        "sms_delivery::what_was_not_answered_in_time_is_unknown_and_not_sent_again",
        unanswered,
    );
    suite.on_each_backend(
        "sms_delivery::what_was_cut_is_given_to_the_same_provider_once_more",
        cut,
    );
    suite.on_each_backend(
        "sms_delivery::the_next_provider_takes_what_one_cannot",
        failover,
    );
    suite.on_each_backend("sms_delivery::a_bad_number_fails_at_once", bad_number);
    suite.on_each_backend(
        "sms_delivery::where_nobody_takes_it_it_fails_with_its_code",
        nobody,
    );
    suite.on_each_backend(
        "sms_delivery::two_gateways_send_each_of_200_messages_once",
        two,
    );
}

/// Somebody who has asked for a code, with nothing else sent but the enrolment's.
async fn asked(world: &World, n: u32) -> Result<(Person, Phone, v1::Confirmation)> {
    let (anna, phone) = world.phoned(&number(n), ALL).await?;
    let open = anna.open(&world.client, login("tablet")).await?;
    Ok((anna, phone, open))
}

fn kinds(events: &[v1::SecurityEvent]) -> Vec<SecurityFactKind> {
    let facts = events.iter().flat_map(|event| &event.facts);
    facts.map(v1::SecurityFact::kind).collect()
}

/// Who was given the messages to a phone after the enrolment's.
fn given_to(world: &World, phone: &Phone) -> Vec<String> {
    let messages = world.carrier().messages_to(&phone.number);
    let given = messages.into_iter().skip(1);
    given.map(|message| message.provider).collect()
}

async fn reported(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, phone, open) = asked(&world, 1).await?;
    let (boris, his, theirs) = asked(&world, 2).await?;
    anna.send_code(&world.client, &open, None).await?;
    boris.send_code(&world.client, &theirs, None).await?;
    let sent = DeliveryState::Sent;
    world.delivery_becomes(&anna, &open, sent).await?;
    world.delivery_becomes(&boris, &theirs, sent).await?;
    let message = world.carrier().nth_message_to(&phone.number, 2).await;
    let other = world.carrier().nth_message_to(&his.number, 2).await;

    // About no message of ours; and by another provider.
    let mut stranger = message.clone();
    stranger.provider = "elsewhere".to_owned();
    world.carrier().report(&stranger, MessageState::Failed);
    world.carrier().report(&message, MessageState::Delivered);
    let delivered = DeliveryState::Delivered;
    world.delivery_becomes(&anna, &open, delivered).await?;
    // Again, and out of order: what arrived has arrived, and nothing more is told.
    for state in [
        MessageState::Delivered,
        MessageState::Failed,
        MessageState::Sent,
    ] {
        world.carrier().report(&message, state);
    }
    world.carrier().report(&other, MessageState::Failed);
    let failed = DeliveryState::Failed;
    world.delivery_becomes(&boris, &theirs, failed).await?;
    world.carrier().report(&other, MessageState::Delivered);
    let (clara, hers, third) = asked(&world, 3).await?;
    clara.send_code(&world.client, &third, None).await?;
    world.delivery_becomes(&clara, &third, sent).await?;
    let last = world.carrier().nth_message_to(&hers.number, 2).await;
    world.carrier().report(&last, MessageState::Delivered);
    world.delivery_becomes(&clara, &third, delivered).await?;
    world.states_become("DELIVERED|2 FAILED|1 SENT|3").await?;

    let told = kinds(&anna.events(&world.client).await?);
    let count = |kind| told.iter().filter(|told| **told == kind).count();
    ensure!(count(SecurityFactKind::CodeRequested) == 2, "{told:?}");
    ensure!(count(SecurityFactKind::CodeSent) == 2, "{told:?}");
    ensure!(count(SecurityFactKind::CodeDelivered) == 1, "{told:?}");
    ensure!(count(SecurityFactKind::CodeNotDelivered) == 0, "{told:?}");
    let told = kinds(&boris.events(&world.client).await?);
    ensure!(
        told.contains(&SecurityFactKind::CodeNotDelivered),
        "{told:?}"
    );
    Ok(())
}

async fn unanswered(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    world.carrier().set_providers(&["alpha", "beta"]);
    let (anna, phone, open) = asked(&world, 1).await?;
    world.carrier().set_script(|_| Submission::TimedOut);
    anna.send_code(&world.client, &open, None).await?;
    let unknown = DeliveryState::Unknown;
    world.delivery_becomes(&anna, &open, unknown).await?;
    world.carrier().set_script(carried);
    for _ in 0..4 {
        world.pass(MINUTE);
        world.delivery_becomes(&anna, &open, unknown).await?;
    }
    ensure!(given_to(&world, &phone) == ["alpha"], "it was sent again");
    let message = world.carrier().nth_message_to(&phone.number, 2).await;
    ensure!(world.takes(&anna, &open, &phone, &message.code()).await?);
    // The carrier had it all the while.
    world.carrier().report_late(&message, MessageState::Sent);
    world.states_become("SENT|2").await?;
    world.carrier().report(&message, MessageState::Delivered);
    world.states_become("DELIVERED|1 SENT|1").await?;
    let told = kinds(&anna.events(&world.client).await?);
    let unknown = SecurityFactKind::CodeDeliveryUnknown;
    ensure!(told.iter().filter(|kind| **kind == unknown).count() == 1);
    ensure!(told.contains(&SecurityFactKind::CodeDelivered));
    Ok(())
}

fn cut_off(_: &CarriedMessage) -> Submission {
    Submission::Cut("reset".to_owned())
}

async fn cut(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    world.carrier().set_providers(&["alpha", "beta"]);
    let (anna, phone, open) = asked(&world, 1).await?;
    let (boris, his, theirs) = asked(&world, 2).await?;
    world.carrier().set_script(cut_off);
    anna.send_code(&world.client, &open, None).await?;
    world.carrier().nth_message_to(&phone.number, 2).await;
    // The connection is back.
    world.states_become("QUEUED|1 SENT|2").await?;
    world.carrier().set_script(carried);
    world.pass(5);
    world
        .delivery_becomes(&anna, &open, DeliveryState::Sent)
        .await?;
    ensure!(given_to(&world, &phone) == ["alpha", "alpha"]);

    // It is not, ever: it may be there twice at the most, and nobody else is given it.
    world.carrier().set_script(cut_off);
    boris.send_code(&world.client, &theirs, None).await?;
    world.carrier().nth_message_to(&his.number, 2).await;
    world.states_become("QUEUED|1 SENT|3").await?;
    world.pass(5);
    let unknown = DeliveryState::Unknown;
    world.delivery_becomes(&boris, &theirs, unknown).await?;
    for _ in 0..4 {
        world.pass(MINUTE);
    }
    world.states_become("SENT|3 UNKNOWN|1").await?;
    ensure!(given_to(&world, &his) == ["alpha", "alpha"]);
    world.carrier().set_script(carried);
    let sent = world.carrier().messages().len();
    world.nothing_was_sent_since(sent).await
}

async fn failover(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    world.carrier().set_providers(&["alpha", "beta", "gamma"]);
    type Answer = fn(String) -> Submission;
    let answers: [Answer; 3] = [
        Submission::Unreachable,
        Submission::Refused,
        Submission::Throttled,
    ];
    for (n, answer) in (1..).zip(answers) {
        let (anna, phone, open) = asked(&world, n).await?;
        world.carrier().set_script(move |message| {
            if message.provider == "gamma" {
                carried(message)
            } else {
                answer("not now".to_owned())
            }
        });
        anna.send_code(&world.client, &open, None).await?;
        world
            .delivery_becomes(&anna, &open, DeliveryState::Sent)
            .await?;
        let given = given_to(&world, &phone);
        ensure!(given == ["alpha", "beta", "gamma"], "{n}: {given:?}");
        world.carrier().set_script(carried);
    }
    // Who refused a message is not given it again; who was away is.
    let (anna, phone, open) = asked(&world, 9).await?;
    world
        .carrier()
        .set_script(|message| match &*message.provider {
            "alpha" => Submission::Refused("no".to_owned()),
            _ => Submission::Throttled("slower".to_owned()),
        });
    anna.send_code(&world.client, &open, None).await?;
    world.carrier().nth_message_to(&phone.number, 4).await;
    world.states_become("QUEUED|1 SENT|7").await?;
    world.carrier().set_script(carried);
    world.pass(15);
    world
        .delivery_becomes(&anna, &open, DeliveryState::Sent)
        .await?;
    let given = given_to(&world, &phone);
    ensure!(given == ["alpha", "beta", "gamma", "beta"], "{given:?}");
    Ok(())
}

async fn bad_number(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    world.carrier().set_providers(&["alpha", "beta"]);
    let (anna, phone, open) = asked(&world, 1).await?;
    let no_such = |_: &CarriedMessage| Submission::BadNumber("0x0000000b".to_owned());
    world.carrier().set_script(no_such);
    anna.send_code(&world.client, &open, None).await?;
    world
        .delivery_becomes(&anna, &open, DeliveryState::Failed)
        .await?;
    ensure!(given_to(&world, &phone) == ["alpha"]);
    world.carrier().set_script(carried);
    world.nothing_was_sent_since(2).await
}

async fn nobody(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    world.carrier().set_providers(&["alpha", "beta"]);
    let (anna, phone, open) = asked(&world, 1).await?;
    let refuse = |_: &CarriedMessage| Submission::Refused("no".to_owned());
    world.carrier().set_script(refuse);
    let (boris, _, theirs) = {
        let (boris, app) = world.owner(ALL).await?;
        let open = boris.open(&world.client, login("tablet")).await?;
        (boris, app, open)
    };
    let nothing = boris.send_code(&world.client, &theirs, None).await;
    ensure!(nothing.is_err(), "an app was sent something");
    world.carrier().set_script(unreachable);
    anna.send_code(&world.client, &open, None).await?;
    // While its code lives it is tried again, ever more seldom, and each time by both.
    for tries in 1..=14 {
        for _ in 0..1_000 {
            if given_to(&world, &phone).len() >= 2 * tries {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let given = given_to(&world, &phone).len();
        ensure!(given == 2 * tries, "{given} in place of {}", 2 * tries);
        world.states_become("QUEUED|1 SENT|1").await?;
        // The longest pause, and what a try may take.
        world.pass(20);
    }
    world.pass(MINUTE);
    world.states_become("FAILED|1 SENT|1").await?;
    let after = given_to(&world, &phone).len();
    let told = kinds(&anna.events(&world.client).await?);
    ensure!(
        told.contains(&SecurityFactKind::CodeNotDelivered),
        "{told:?}"
    );
    world.carrier().set_script(carried);
    world.nothing_was_sent_since(after + 1).await
}

async fn two(backend: Backend) -> Result<()> {
    let (world, second) = two_gateways(backend, unlimited).await?;
    let clients = [world.client.clone(), second.client("host-system").await?];
    world.carrier().set_script(unreachable);
    let begun = stream::iter(0..200_u32).map(|n| {
        let client = clients[n as usize % 2].clone();
        async move {
            let person = Person::new();
            person.set_pin(&client).await?;
            anyhow::Ok(person.begin_phone(&client, &number(n)).await?)
        }
    });
    let begun: Vec<Phone> = begun.buffer_unordered(16).try_collect().await?;
    // All wait, and become due for both at once.
    world.states_become("QUEUED|200").await?;
    let taken = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&taken);
    world.carrier().set_script(move |message| {
        let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push(message.number.clone());
        carried(message)
    });
    world.pass(15);
    world.states_become("SENT|200").await?;
    let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner).clone();
    taken.sort();
    let mut due: Vec<String> = begun.into_iter().map(|phone| phone.number).collect();
    due.sort();
    ensure!(taken == due, "not each was sent once");
    Ok(())
}
