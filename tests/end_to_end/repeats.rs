//! A request that is repeated with its id has one effect and one answer.

use std::{fmt::Debug, future::Future};

use anyhow::{Result, ensure};
use countersign_testkit::{
    Backend, Person, new_request_id, pin_proof, v1,
    v1::{Purpose, operation::Operation},
};
use tonic::{Code, Response, Status};

use crate::{
    harness::Suite,
    world::{HOUR, MINUTE, World, login, payout, precondition, refused, rejected},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("repeats::one_effect_and_one_answer", one_effect);
    suite.on_each_backend(
        "repeats::a_refusal_that_left_an_event_leaves_no_second",
        refusals,
    );
    suite.on_each_backend("repeats::a_seed_is_told_once", seed);
    suite.on_each_backend("repeats::with_another_body_it_is_refused", other_body);
    suite.on_each_backend(
        "repeats::the_id_belongs_to_caller_subject_and_method",
        scope,
    );
    suite.on_each_backend("repeats::an_id_is_forgotten_after_a_day", forgotten);
    suite.on_each_backend("repeats::without_an_id_it_is_another_request", without);
}

/// Calls twice: the answers are the same, and the first alone leaves an event.
async fn twice<T, F>(world: &World, person: &Person, call: impl Fn() -> F) -> Result<T>
where
    T: PartialEq + Debug,
    F: Future<Output = Result<Response<T>, Status>>,
{
    let before = world.rows("event", person)?;
    let first = call().await?.into_inner();
    ensure!(
        world.rows("event", person)? == before + 1,
        "no event of {first:?}"
    );
    let second = call().await?.into_inner();
    ensure!(first == second, "{first:?} and then {second:?}");
    ensure!(
        world.rows("event", person)? == before + 1,
        "two events of {first:?}"
    );
    Ok(first)
}

fn of(operation: Operation) -> Option<v1::Operation> {
    Some(v1::Operation {
        operation: Some(operation),
    })
}

fn create(person: &Person, operation: Operation) -> v1::ConfirmationServiceCreateRequest {
    v1::ConfirmationServiceCreateRequest {
        subject_id: person.subject.clone(),
        request_id: new_request_id(),
        operation: of(operation),
        redeem_on_approval: false,
    }
}

fn submit(
    person: &Person,
    id: &str,
    proofs: Vec<v1::Proof>,
) -> v1::ConfirmationServiceSubmitProofRequest {
    v1::ConfirmationServiceSubmitProofRequest {
        subject_id: person.subject.clone(),
        request_id: new_request_id(),
        confirmation_id: id.to_owned(),
        proofs,
    }
}

fn redeem(person: &Person, id: &str, operation: Operation) -> v1::ConfirmationServiceRedeemRequest {
    v1::ConfirmationServiceRedeemRequest {
        subject_id: person.subject.clone(),
        request_id: new_request_id(),
        confirmation_id: id.to_owned(),
        operation: of(operation),
    }
}

async fn one_effect(backend: Backend) -> Result<()> {
    use v1::{
        identifier_service_set_purposes_request::Authorization as OfPurposes,
        pin_service_change_request::Authorization as OfChange,
        totp_service_confirm_enable_request::Authorization as OfConfirm,
        totp_service_disable_request::Authorization as OfDisable,
    };
    let world = World::new(backend).await?;
    let client = &world.client;
    let anna = Person::new();
    let subject_id = anna.subject.clone();
    let request = v1::PinServiceSetRequest {
        subject_id: subject_id.clone(),
        request_id: new_request_id(),
        new_pin: anna.pin.clone(),
        authorization: None,
    };
    twice(&world, &anna, || async {
        client.pins().set(request.clone()).await
    })
    .await?;

    let app = anna.begin(client, "").await?;
    let proofs = || v1::Proofs {
        proofs: vec![pin_proof(&anna.pin)],
    };
    let request = v1::TotpServiceConfirmEnableRequest {
        subject_id: subject_id.clone(),
        request_id: new_request_id(),
        identifier_id: app.id.clone(),
        code: app.earlier_code(world.now()),
        purposes: Vec::new(),
        authorization: Some(OfConfirm::Proofs(proofs())),
    };
    twice(&world, &anna, || async {
        client.totp().confirm_enable(request.clone()).await
    })
    .await?;
    let request = v1::IdentifierServiceRenameRequest {
        subject_id: subject_id.clone(),
        request_id: new_request_id(),
        identifier_id: app.id.clone(),
        label: "phone".to_owned(),
    };
    twice(&world, &anna, || async {
        client.identifiers().rename(request.clone()).await
    })
    .await?;
    let own = || v1::Proofs {
        proofs: vec![world.right(&app)],
    };
    let request = v1::IdentifierServiceSetPurposesRequest {
        subject_id: subject_id.clone(),
        request_id: new_request_id(),
        identifier_id: app.id.clone(),
        switch_on: vec![Purpose::Login.into()],
        switch_off: Vec::new(),
        authorization: Some(OfPurposes::Proofs(own())),
    };
    twice(&world, &anna, || async {
        client.identifiers().set_purposes(request.clone()).await
    })
    .await?;
    world.pass(MINUTE);
    let request = v1::PinServiceChangeRequest {
        subject_id: subject_id.clone(),
        request_id: new_request_id(),
        new_pin: "604829".to_owned(),
        authorization: Some(OfChange::Proofs(v1::Proofs {
            proofs: vec![pin_proof(&anna.pin), world.right(&app)],
        })),
    };
    twice(&world, &anna, || async {
        client.pins().change(request.clone()).await
    })
    .await?;

    world.pass(MINUTE);
    let request = create(&anna, login("phone"));
    twice(&world, &anna, || async {
        client.confirmations().create(request.clone()).await
    })
    .await?;
    let id = anna.open(client, login("phone")).await?.confirmation_id;
    let request = submit(&anna, &id, vec![world.wrong(&app)]);
    let answer = twice(&world, &anna, || async {
        client.confirmations().submit_proof(request.clone()).await
    })
    .await?;
    ensure!(
        rejected(&answer) && anna.get(client, &id).await?.attempts_left == 4,
        "counted twice"
    );
    let request = submit(&anna, &id, vec![world.right(&app)]);
    let answer = twice(&world, &anna, || async {
        client.confirmations().submit_proof(request.clone()).await
    })
    .await?;
    ensure!(!rejected(&answer), "the right code was refused");
    let request = redeem(&anna, &id, login("phone"));
    twice(&world, &anna, || async {
        client.confirmations().redeem(request.clone()).await
    })
    .await?;
    let id = anna.open(client, login("phone")).await?.confirmation_id;
    let request = v1::ConfirmationServiceCancelRequest {
        subject_id: subject_id.clone(),
        request_id: new_request_id(),
        confirmation_id: id,
    };
    twice(&world, &anna, || async {
        client.confirmations().cancel(request.clone()).await
    })
    .await?;

    world.pass(MINUTE);
    let request = v1::TotpServiceDisableRequest {
        subject_id,
        request_id: new_request_id(),
        identifier_id: app.id.clone(),
        confirm_last: true,
        authorization: Some(OfDisable::Proofs(own())),
    };
    twice(&world, &anna, || async {
        client.totp().disable(request.clone()).await
    })
    .await?;
    Ok(())
}

async fn refusals(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Login]).await?;
    let id = anna
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    anna.submit(&world.client, &id, vec![world.right(&app)])
        .await?;
    let request = redeem(&anna, &id, login("other"));
    let before = world.rows("event", &anna)?;
    for _ in 0..2 {
        let answer = world.client.confirmations().redeem(request.clone()).await;
        precondition(answer, "OPERATION_MISMATCH")?;
    }
    ensure!(world.rows("event", &anna)? == before + 1);
    // What was refused with nothing written is looked at anew.
    let fresh = Person::new();
    let request = v1::TotpServiceBeginEnableRequest {
        subject_id: fresh.subject.clone(),
        request_id: new_request_id(),
        ..Default::default()
    };
    precondition(
        world.client.totp().begin_enable(request.clone()).await,
        "PIN_NOT_SET",
    )?;
    fresh.set_pin(&world.client).await?;
    world.client.totp().begin_enable(request).await?;
    Ok(())
}

async fn seed(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let request = v1::TotpServiceBeginEnableRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        ..Default::default()
    };
    let first = world
        .client
        .totp()
        .begin_enable(request.clone())
        .await?
        .into_inner();
    let second = world
        .client
        .totp()
        .begin_enable(request)
        .await?
        .into_inner();
    ensure!(!first.secret_already_delivered && !first.secret_base32.is_empty());
    let expected = v1::TotpServiceBeginEnableResponse {
        identifier_id: first.identifier_id,
        expire_time: first.expire_time,
        secret_already_delivered: true,
        ..Default::default()
    };
    ensure!(second == expected, "{second:?}");
    ensure!(world.facts(&anna)?.matches("ENROLMENT_BEGUN").count() == 1);
    Ok(())
}

async fn other_body(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Withdrawal]).await?;
    let first = create(&anna, payout(1));
    world.client.confirmations().create(first.clone()).await?;
    let more = v1::ConfirmationServiceCreateRequest {
        operation: of(payout(2)),
        ..first
    };
    let answer = world.client.confirmations().create(more).await;
    refused(answer, Code::InvalidArgument, "REQUEST_ID_REUSED")?;
    // The id is no oracle: a guess under the id of a right proof is not told from another.
    let id = anna.open(&world.client, payout(1)).await?.confirmation_id;
    let right = submit(&anna, &id, vec![pin_proof(&anna.pin), world.right(&app)]);
    world
        .client
        .confirmations()
        .submit_proof(right.clone())
        .await?;
    let guess = v1::ConfirmationServiceSubmitProofRequest {
        proofs: vec![pin_proof("111222")],
        ..right
    };
    let answer = world.client.confirmations().submit_proof(guess).await;
    refused(answer, Code::InvalidArgument, "REQUEST_ID_REUSED")?;
    Ok(())
}

async fn scope(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, _) = world.owner(&[Purpose::Login]).await?;
    let (boris, _) = world.owner(&[Purpose::Login]).await?;
    let request = create(&anna, login("phone"));
    let first = world
        .client
        .confirmations()
        .create(request.clone())
        .await?
        .into_inner();
    let other = world.platform.client("another-service").await?;
    let by_other = other
        .confirmations()
        .create(request.clone())
        .await?
        .into_inner();
    ensure!(first != by_other, "another caller was given the answer");
    let for_boris = v1::ConfirmationServiceCreateRequest {
        subject_id: boris.subject.clone(),
        ..request.clone()
    };
    world.client.confirmations().create(for_boris).await?;
    let begin = v1::TotpServiceBeginEnableRequest {
        subject_id: anna.subject.clone(),
        request_id: request.request_id,
        ..Default::default()
    };
    world.client.totp().begin_enable(begin).await?;
    ensure!(world.rows("confirmation", &anna)? == 2);
    Ok(())
}

async fn forgotten(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = Person::new();
    let request = v1::PinServiceSetRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        new_pin: anna.pin.clone(),
        authorization: None,
    };
    world.client.pins().set(request.clone()).await?;
    world.pass(24 * HOUR - 1);
    world.client.pins().set(request.clone()).await?;
    world.pass(1);
    precondition(world.client.pins().set(request).await, "PIN_ALREADY_SET")?;
    Ok(())
}

async fn without(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, _) = world.owner(&[Purpose::Login]).await?;
    let request = v1::ConfirmationServiceCreateRequest {
        request_id: String::new(),
        ..create(&anna, login("phone"))
    };
    let first = world
        .client
        .confirmations()
        .create(request.clone())
        .await?
        .into_inner();
    let second = world
        .client
        .confirmations()
        .create(request)
        .await?
        .into_inner();
    ensure!(first != second && world.rows("confirmation", &anna)? == 2);
    Ok(())
}
