//! What a person may read of what happened to them.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Backend, Client, Person, pin_proof,
    v1::{self, Purpose, SecurityEvent, SecurityFactKind as Kind},
};

use crate::{
    backup_codes::spend,
    harness::Suite,
    world::{World, login, payout, wrong_fields},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("events::they_tell_what_when_from_where_and_by_whom", told);
    suite.on_each_backend("events::pages_leave_nothing_out_and_repeat_nothing", pages);
    suite.on_each_backend("events::a_token_is_of_one_list", tokens);
    suite.on_each_backend(
        "events::which_proof_of_a_rejected_call_was_wrong_is_not_told",
        which,
    );
    suite.on_each_backend("events::few_codes_and_operators_deeds_are_told", notices);
}

fn kinds(event: &SecurityEvent) -> Vec<Kind> {
    event.facts.iter().map(v1::SecurityFact::kind).collect()
}

async fn told(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let id = anna
        .open(&world.client, login("desk"))
        .await?
        .confirmation_id;
    anna.submit(&world.client, &id, vec![world.right(&app)])
        .await?;
    let events = anna.events(&world.client).await?;
    let numbers: Vec<i64> = events.iter().map(|event| event.number).collect();
    ensure!(numbers == [5, 4, 3, 2, 1], "{numbers:?}");

    let submitted = &events[0];
    ensure!(submitted.method == "ConfirmationService.SubmitProof");
    ensure!(submitted.caller == "host-system");
    let at = submitted.time.as_ref().context("a time")?;
    ensure!(at.seconds == world.now().as_millis() / 1000);
    ensure!(kinds(submitted) == [Kind::ProofAccepted, Kind::Approved]);
    let proof = &submitted.facts[0];
    ensure!(proof.identifier_id == app.id && proof.purpose() == Purpose::Login);
    ensure!(
        proof.text == "\u{201c}Authenticator\u{201d} confirmed logins",
        "{}",
        proof.text
    );
    ensure!(submitted.facts[1].confirmation_id == id);

    let asked = &events[1];
    ensure!(kinds(asked) == [Kind::ConfirmationCreated]);
    ensure!(asked.ip_address == "192.0.2.7" && asked.user_agent == "Mozilla/5.0");
    let text = &asked.facts[0].text;
    ensure!(text == "A login has to be confirmed", "{text}");
    ensure!(kinds(&events[4]) == [Kind::PinSet]);
    let nobody = Person::new();
    ensure!(nobody.events(&world.client).await?.is_empty());
    Ok(())
}

async fn page(
    client: &Client,
    person: &Person,
    size: i32,
    token: &str,
) -> Result<v1::IdentifierServiceListEventsResponse, tonic::Status> {
    let request = v1::IdentifierServiceListEventsRequest {
        subject_id: person.subject.clone(),
        page_size: size,
        page_token: token.to_owned(),
    };
    let answer = client.identifiers().list_events(request).await?;
    Ok(answer.into_inner())
}

async fn pages(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, _) = world.owner(&[]).await?;
    for number in 0..9 {
        anna.create(&world.client, login(&number.to_string()))
            .await?;
    }
    let mut numbers = Vec::new();
    let mut token = String::new();
    loop {
        let page = page(&world.client, &anna, 5, &token).await?;
        ensure!(page.events.len() <= 5);
        numbers.extend(page.events.iter().map(|event| event.number));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        // What comes meanwhile moves nothing.
        anna.create(&world.client, login("late")).await?;
    }
    let expected: Vec<i64> = (1..=12).rev().collect();
    ensure!(numbers == expected, "{numbers:?}");
    Ok(())
}

async fn tokens(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, _) = world.owner(&[]).await?;
    let (boris, _) = world.owner(&[]).await?;
    let token = page(&world.client, &anna, 1, "").await?.next_page_token;
    ensure!(page(&world.client, &anna, 1, &token).await.is_ok());
    let of_another = page(&world.client, &boris, 1, &token).await;
    ensure!(wrong_fields(of_another)? == ["page_token"]);
    let other = world.platform.client("another-service").await?;
    ensure!(wrong_fields(page(&other, &anna, 1, &token).await)? == ["page_token"]);
    let of_identifiers = v1::IdentifierServiceListRequest {
        subject_id: anna.subject.clone(),
        page_token: token,
        ..Default::default()
    };
    let listed = world.client.identifiers().list(of_identifiers).await;
    ensure!(wrong_fields(listed)? == ["page_token"]);
    let made_up = page(&world.client, &anna, 1, "3.00").await;
    ensure!(wrong_fields(made_up)? == ["page_token"]);
    let negative = page(&world.client, &anna, -1, "").await;
    ensure!(wrong_fields(negative)? == ["page_size"]);
    Ok(())
}

/// A list that told would be an oracle for a thief at the owner's screen.
async fn which(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let mut shown = Vec::new();
    for (pin, is_right) in [("850374", false), ("111222", true), ("111222", false)] {
        for code_first in [false, true] {
            let (anna, app) = world.owner(&[Purpose::Withdrawal]).await?;
            let id = anna.open(&world.client, payout(1)).await?.confirmation_id;
            let code = if is_right {
                world.right(&app)
            } else {
                world.wrong(&app)
            };
            let mut proofs = vec![pin_proof(pin), code];
            if code_first {
                proofs.reverse();
            }
            anna.submit(&world.client, &id, proofs).await?;
            let mut events = anna.events(&world.client).await?;
            let mut event = events.swap_remove(0);
            for fact in &mut event.facts {
                ensure!(fact.kind() == Kind::ProofRejected);
                fact.identifier_id = fact.identifier_id.replace(&app.id, "app");
            }
            shown.push(format!("{:?}", event.facts));
        }
    }
    ensure!(shown.iter().all(|one| *one == shown[0]), "{shown:#?}");

    let mut shown = Vec::new();
    for (pin, is_right) in [("850374", false), ("111222", true), ("111222", false)] {
        let anna = world.somebody().await?;
        let app = anna.begin(&world.client, "").await?;
        let code = if is_right {
            app.code(world.now())
        } else {
            app.wrong_code(world.now())
        };
        let proofs = vec![pin_proof(pin)];
        let done = anna.confirm_enable(&world.client, &app, &code, &[], proofs);
        ensure!(done.await?.is_none());
        let events = anna.events(&world.client).await?;
        shown.push(format!("{:?}", events[0].facts));
    }
    ensure!(shown.iter().all(|one| *one == shown[0]), "{shown:#?}");
    Ok(())
}

async fn notices(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, codes) = Person::with_codes(&world.client, &[Purpose::Login]).await?;
    spend(&world, &anna, &codes, 1..7).await?;
    let events = anna.events(&world.client).await?;
    let low = events[0]
        .facts
        .iter()
        .find(|fact| fact.kind() == Kind::CodesLow);
    let low = low.context("a warning")?;
    ensure!(
        low.text == "\u{201c}Backup codes\u{201d}: 3 left",
        "{}",
        low.text
    );
    let next = anna.create_more(&world.client, &codes, vec![codes.proof(7)]);
    let next = next.await?.context("a list")?;
    anna.finish(&world.client, &next).await?;
    world.platform.reset_pin(&anna).await?;
    let events = anna.events(&world.client).await?;
    ensure!(kinds(&events[0]) == [Kind::PinReset, Kind::ByOperator]);
    ensure!(events[0].caller == "(operator)");
    ensure!(events[0].facts[1].text == "By an operator: ticket 4711");
    ensure!(kinds(&events[1]) == [Kind::CodesReplaced]);
    ensure!(kinds(&events[2]).contains(&Kind::CodesMade));
    Ok(())
}
