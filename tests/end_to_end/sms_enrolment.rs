//! Enrolling a phone: what is asked for first, what counts, what lapses.

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::{
    Backend, Clock, Person, app_proof, pin_proof, v1,
    v1::{DeliveryState, IdentifierKind, IdentifierState, Purpose},
};
use tonic::Code;

use crate::{
    harness::Suite,
    sms_world::{ALL, FIRST_WAIT, number, refused_for},
    world::{HOUR, MINUTE, World, precondition, refused},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("sms_enrolment::a_phone_is_enrolled_by_code_and_pin", whole);
    suite.on_each_backend(
        "sms_enrolment::without_a_pin_that_can_be_given_nothing_is_sent",
        pin_first,
    );
    suite.on_each_backend(
        "sms_enrolment::a_wrong_code_and_a_wrong_pin_are_one_answer_and_each_counts",
        one_wrong,
    );
    suite.on_each_backend(
        "sms_enrolment::ten_wrong_codes_in_an_hour_throttle_every_enrolment",
        throttled,
    );
    suite.on_each_backend(
        "sms_enrolment::sent_again_it_is_the_same_code_and_the_same_enrolment",
        again,
    );
    suite.on_each_backend(
        "sms_enrolment::another_number_is_another_identifier",
        another,
    );
    suite.on_each_backend("sms_enrolment::it_lapses_after_ten_minutes", lapses);
}

fn pin(person: &Person) -> Vec<v1::Proof> {
    vec![pin_proof(&person.pin)]
}

async fn whole(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let request = v1::SmsServiceBeginEnableRequest {
        phone_number: " +7 (912) 000-00-01 ".to_owned(),
        word: "Lighthouse".to_owned(),
        ..Default::default()
    };
    let begun = anna.begin_sms(&world.client, request).await?;
    let sent = begun.sent_code.context("a code")?;
    let seconds = |at: Option<prost_types::Timestamp>| {
        let at = at.map_or(0, |at| at.seconds);
        at - world.now().as_millis() / 1_000
    };
    ensure!(seconds(begun.expire_time) == 600, "{:?}", begun.expire_time);
    ensure!(seconds(sent.expire_time) == 300 && seconds(sent.next_send_time) == 30);
    ensure!(sent.sends_left == 3 && sent.masked_number == "+7 ••• ••• 00 01");
    ensure!(sent.identifier_id == begun.identifier_id);
    ensure!(sent.delivery_state() == DeliveryState::Queued);
    let message = world.carrier().nth_message_to(&number(1), 1).await;
    ensure!(
        message.text.starts_with("[Lighthouse] "),
        "{:?} does not begin with the word",
        message.text
    );
    let list = anna.list(&world.client).await?;
    ensure!(list.identifiers[0].state() == IdentifierState::Pending);
    ensure!(list.identifiers[0].sent_code.is_none());
    world.states_become("SENT|1").await?;
    let told = looked_at(&world, &anna, &begun.identifier_id).await?;
    let mut expected = sent.clone();
    expected.set_delivery_state(DeliveryState::Sent);
    ensure!(told.sent_code.as_ref() == Some(&expected), "{told:?}");

    let phone = countersign_testkit::Phone {
        id: begun.identifier_id,
        number: number(1),
    };
    let code = message.code();
    let spaced = format!("{} - {}", &code[..3], &code[3..]);
    let done = anna.confirm_phone(&world.client, &phone, &spaced, ALL, pin(&anna));
    let done = done.await?.context("the right code was rejected")?;
    ensure!(done.state() == IdentifierState::Enabled && done.kind() == IdentifierKind::Sms);
    ensure!(done.masked_number == "+7 ••• ••• 00 01" && done.label == "SMS");
    ensure!(done.purposes.iter().all(|purpose| purpose.on));
    let told = looked_at(&world, &anna, &phone.id).await?;
    ensure!(told.sent_code.is_none(), "{told:?}");
    let used = anna.confirm_phone(&world.client, &phone, &code, &[], pin(&anna));
    ensure!(
        used.await.is_err() || anna.list(&world.client).await?.identifiers.len() == 1,
        "a code enrolled twice"
    );
    Ok(())
}

async fn looked_at(
    world: &World,
    person: &Person,
    identifier: &str,
) -> Result<v1::SecurityIdentifier> {
    let request = v1::IdentifierServiceGetRequest {
        subject_id: person.subject.clone(),
        identifier_id: identifier.to_owned(),
    };
    let answer = world.client.identifiers().get(request).await?;
    answer.into_inner().identifier.context("an identifier")
}

async fn pin_first(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = Person::new();
    let begun = anna.begin_phone(&world.client, &number(1)).await;
    precondition(begun, "PIN_NOT_SET")?;
    ensure!(world.rows("subject", &anna)? == 0, "it was stored");

    let boris = world.somebody().await?;
    let guess = async |times: u32| {
        for _ in 0..times {
            let wrong = vec![pin_proof("111999")];
            let answer = boris.change_pin(&world.client, "94620571", wrong).await?;
            ensure!(answer.is_none());
        }
        Ok(())
    };
    guess(5).await?;
    let before = world.rows("event", &boris)?;
    let begun = boris.begin_phone(&world.client, &number(2)).await;
    precondition(begun, "TEMPORARILY_LOCKED")?;
    for _ in 1..20 {
        world.pass(HOUR);
        guess(5).await?;
    }
    world.pass(HOUR);
    let events = world.rows("event", &boris)?;
    ensure!(events > before, "nothing was counted");
    let begun = boris.begin_phone(&world.client, &number(2)).await;
    precondition(begun, "RECOVERY_REQUIRED")?;
    ensure!(world.rows("event", &boris)? == events, "it was stored");
    ensure!(world.message_states()?.is_empty(), "a message was queued");
    let spent = world.database.query("SELECT count(*) FROM spend")?;
    ensure!(spent == "0", "budgets were spent of");
    world.nothing_was_sent_since(0).await
}

async fn one_wrong(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let phone = anna.begin_phone(&world.client, &number(1)).await?;
    let right = world.code_after(&phone, 0).await;
    let wrong = world.unsent_code();
    let confirm = |code: &str, typed: &str| {
        let code = code.to_owned();
        let proofs = vec![pin_proof(typed)];
        let (anna, phone, world) = (&anna, &phone, &world);
        async move {
            anna.confirm_phone(&world.client, phone, &code, &[], proofs)
                .await
        }
    };
    ensure!(confirm(&wrong, &anna.pin).await?.is_none());
    let facts = world.last_event_with(&anna, "ENROLMENT_CODE_REJECTED")?;
    ensure!(
        facts.contains("ENROLMENT_CODE_REJECTED") && facts.contains("WRONG"),
        "{facts}"
    );
    ensure!(confirm(&right, "111999").await?.is_none());
    let facts = world.last_event_with(&anna, "PROOF_REJECTED")?;
    ensure!(!facts.contains("ENROLMENT_CODE_REJECTED"), "{facts}");
    ensure!(confirm(&wrong, "111999").await?.is_none());
    for typed in ["", "12345", "1234567", "12345a"] {
        match confirm(typed, &anna.pin).await {
            Ok(answer) => ensure!(answer.is_none(), "{typed:?} was accepted"),
            Err(status) => ensure!(status.code() == Code::InvalidArgument, "{status:?}"),
        }
    }
    // Two of the five that lock the PIN were typed.
    ensure!(confirm(&right, "111998").await?.is_none());
    ensure!(confirm(&right, "111997").await?.is_none());
    let status = anna.list(&world.client).await?.pin.context("the PIN")?;
    ensure!(!status.locked, "four failures lock already");
    ensure!(
        confirm(&right, &anna.pin).await?.is_some(),
        "the right ones"
    );
    Ok(())
}

async fn throttled(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let mut phone = anna.begin_phone(&world.client, &number(1)).await?;
    world.carrier().nth_message_to(&number(1), 1).await;
    for round in 0..10 {
        // Beginning again, and another number, reset nothing.
        match round {
            3 => {
                world.pass(FIRST_WAIT);
                phone = anna.begin_phone(&world.client, &number(1)).await?;
                world.carrier().nth_message_to(&number(1), 2).await;
            }
            6 => {
                phone = anna.begin_phone(&world.client, &number(2)).await?;
                world.carrier().nth_message_to(&number(2), 1).await;
            }
            _ => {}
        }
        let wrong = format!("0{round}0{round}00");
        let sent = world.carrier().messages();
        let wrong = if sent.iter().any(|message| message.code() == wrong) {
            world.unsent_code()
        } else {
            wrong
        };
        let answer = anna.confirm_phone(&world.client, &phone, &wrong, &[], pin(&anna));
        ensure!(answer.await?.is_none());
    }
    let right = world.code_after(&phone, 0).await;
    let confirm = || anna.confirm_phone(&world.client, &phone, &right, &[], pin(&anna));
    let wait = refused_for(confirm().await, "ENROLMENT_THROTTLED")?;
    ensure!(wait == HOUR - FIRST_WAIT, "{wait}");
    let sent = world.carrier().messages().len();
    let begun = anna.begin_phone(&world.client, &number(3)).await;
    ensure!(refused_for(begun, "ENROLMENT_THROTTLED")? == wait);
    world.nothing_was_sent_since(sent).await?;
    // What has lapsed and what is new have one counter too.
    let phone = anna.begin_phone(&world.client, &number(1)).await?;
    let code = world.code_after(&phone, 2).await;
    let done = anna.confirm_phone(&world.client, &phone, &code, &[], pin(&anna));
    ensure!(done.await?.is_some(), "an hour later it does not go on");
    Ok(())
}

async fn again(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let own = number(1);
    let begin = || anna.begin_phone(&world.client, &own);
    let first = begin().await?;
    let code = world.code_after(&first, 0).await;
    ensure!(refused_for(begin().await, "SEND_TOO_SOON")? == 30);
    world.pass(29);
    ensure!(refused_for(begin().await, "SEND_TOO_SOON")? == 1);
    world.pass(1);
    for (sent, wait) in [(1, 60), (2, 120)] {
        let phone = begin().await?;
        ensure!(phone.id == first.id, "another enrolment");
        ensure!(world.code_after(&first, sent).await == code, "another code");
        ensure!(refused_for(begin().await, "SEND_TOO_SOON")? == wait);
        world.pass(wait);
    }
    // 210 seconds after the first one: the code still lives. Its last message.
    begin().await?;
    ensure!(world.code_after(&first, 3).await == code);
    world.pass(240);
    refused(begin().await, Code::ResourceExhausted, "TOO_MANY_SENDS")?;
    // Nor did sending it again make the code live longer.
    let late = anna.confirm_phone(&world.client, &first, &code, &[], pin(&anna));
    ensure!(late.await?.is_none(), "the code outlived its five minutes");
    ensure!(world.facts(&anna)?.contains("EXPIRED"));
    let list = anna.list(&world.client).await?;
    ensure!(list.identifiers.len() == 1, "{:?}", list.identifiers);
    ensure!(world.carrier().messages().len() == 4);
    Ok(())
}

async fn another(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, first) = world.phoned(&number(1), ALL).await?;
    let same = anna.begin_phone(&world.client, &number(1)).await;
    precondition(same, "NUMBER_ENROLLED")?;
    let second = anna.begin_phone(&world.client, &number(2)).await?;
    let code = world.code_after(&second, 0).await;
    // Only a code of the first one proves it, and codes are sent for confirmations only.
    let alone = anna.confirm_phone(&world.client, &second, &code, &[], pin(&anna));
    precondition(alone.await, "STEP_UP_REQUIRED")?;
    let open = anna
        .open(&world.client, crate::sms_world::enable(&second.id, &[]))
        .await?;
    let id = &open.confirmation_id;
    anna.submit(&world.client, id, pin(&anna)).await?;
    let proof = world.sent(&anna, &open, &first).await?;
    ensure!(world.takes(&anna, &open, &first, &proof).await?);
    let done = crate::sms_world::confirm_by(&anna, &world, &second, &code, id).await?;
    ensure!(done.is_some(), "a confirmed enrolment was rejected");
    let list = anna.list(&world.client).await?;
    let shown: Vec<_> = list
        .identifiers
        .iter()
        .map(|one| &one.masked_number)
        .collect();
    ensure!(
        shown == ["+7 ••• ••• 00 01", "+7 ••• ••• 00 02"],
        "{shown:?}"
    );
    ensure!(list.identifiers[0].label != list.identifiers[1].label);
    let third = anna.begin_phone(&world.client, &number(3)).await;
    refused(third, Code::ResourceExhausted, "TOO_MANY_IDENTIFIERS")?;
    Ok(())
}

async fn lapses(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let phone = anna.begin_phone(&world.client, &number(1)).await?;
    let first = world.code_after(&phone, 0).await;
    world.pass(6 * MINUTE);
    anna.begin_phone(&world.client, &number(1)).await?;
    let code = world.code_after(&phone, 1).await;
    ensure!(code != first, "a dead code came again");
    world.pass(4 * MINUTE - 1);
    // The code dies with the enrolment, however fresh it is.
    let proofs = |at| vec![pin_proof(&anna.pin), app_proof(&app, &app.code(at))];
    world.pass(1);
    let late = proofs(world.platform.clock.now());
    let late = anna.confirm_phone(&world.client, &phone, &code, &[], late);
    ensure!(late.await?.is_none(), "a lapsed enrolment was ended");
    let list = anna.list(&world.client).await?;
    ensure!(list.identifiers.len() == 1, "it is still listed");
    let anew = anna.begin_phone(&world.client, &number(1)).await?;
    ensure!(anew.id != phone.id);
    let code = world.code_after(&anew, 2).await;
    world.pass(MINUTE);
    let now = proofs(world.platform.clock.now());
    let done = anna.confirm_phone(&world.client, &anew, &code, &[], now);
    if done.await?.is_none() {
        bail!("the new enrolment was rejected");
    }
    Ok(())
}
