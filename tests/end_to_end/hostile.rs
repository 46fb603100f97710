//! Extreme values and odd texts: taken or refused, never a panic, never mixed up.

use anyhow::{Result, ensure};
use countersign_testkit::{
    Backend, Person, pin_proof, v1,
    v1::{ConfirmationState, Purpose, operation::Operation},
};
use tonic::Code;

use crate::{
    harness::Suite,
    world::{Created, MINUTE, World, login, refused, rejected, state, well_formed, wrong_fields},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("hostile::amounts_at_their_ends", amounts);
    suite.on_each_backend("hostile::subjects_at_their_ends", subjects);
    suite.on_each_backend("hostile::subjects_that_look_alike_are_not_one", alike);
    suite.on_each_backend("hostile::the_largest_operation_is_confirmed", largest);
    suite.on_each_backend("hostile::odd_codes_are_wrong_codes", odd_codes);
}

fn payout_of(units: i64, nanos: i32) -> Operation {
    Operation::Withdrawal(v1::Withdrawal {
        source_account: "'; DROP TABLE subject; --".to_owned(),
        amount: Some(v1::Money {
            currency_code: "EUR".to_owned(),
            units,
            nanos,
        }),
        destination: "\u{202e}\u{1F4B8}".to_owned(),
        payment_method: "$1 %s {} \\".to_owned(),
    })
}

async fn amounts(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Withdrawal]).await?;
    let amount = "operation.withdrawal.amount";
    let nanos = format!("{amount}.nanos");
    for (units, nano, field) in [
        (0, 0, amount),
        (-1, 0, amount),
        (i64::MIN, 0, amount),
        (-1, 999_999_999, amount),
        (1, -1, &nanos),
        (1, 1_000_000_000, &nanos),
        (1, i32::MIN, &nanos),
        (1, i32::MAX, &nanos),
    ] {
        let answer = anna.create(&world.client, payout_of(units, nano)).await;
        ensure!(wrong_fields(answer)? == [field], "{units} {nano}");
    }
    for (units, nanos) in [(0, 1), (i64::MAX, 999_999_999)] {
        let id = anna
            .open(&world.client, payout_of(units, nanos))
            .await?
            .confirmation_id;
        let proofs = vec![pin_proof(&anna.pin), world.right(&app)];
        let answer = anna.submit(&world.client, &id, proofs).await?;
        ensure!(state(&answer) == ConfirmationState::Approved);
        let less = anna
            .redeem(&world.client, &id, payout_of(units, nanos - 1))
            .await;
        ensure!(less.is_err());
        anna.redeem(&world.client, &id, payout_of(units, nanos))
            .await?;
        world.pass(MINUTE);
    }
    Ok(())
}

fn person(subject: &str) -> Person {
    Person {
        subject: subject.to_owned(),
        ..Person::new()
    }
}

async fn subjects(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (too_long, longest) = ("s".repeat(129), "ü".repeat(64));
    for subject in [
        "",
        &too_long,
        "a\u{0}b",
        "a\nb",
        "\u{7f}",
        "\u{85}",
        "\u{1b}[2J",
    ] {
        let answer = person(subject).create(&world.client, login("phone")).await;
        ensure!(wrong_fields(answer)? == ["subject_id"], "{subject:?}");
        let answer = person(subject)
            .set_first_pin(&world.client, "850374", vec![])
            .await;
        ensure!(wrong_fields(answer)? == ["subject_id"], "{subject:?}");
        ensure!(wrong_fields(person(subject).list(&world.client).await)? == ["subject_id"]);
    }
    for subject in [
        &longest,
        "'",
        "\"; --",
        "%",
        "_",
        "\\",
        "\u{202e}x",
        " ",
        "$1",
        "💸",
    ] {
        let anna = person(subject);
        anna.set_pin(&world.client).await?;
        let app = anna
            .enrol(&world.client, &[Purpose::Login], world.now())
            .await?;
        let id = anna
            .open(&world.client, login("phone"))
            .await?
            .confirmation_id;
        let answer = anna
            .submit(&world.client, &id, vec![world.right(&app)])
            .await?;
        ensure!(state(&answer) == ConfirmationState::Approved, "{subject:?}");
        ensure!(
            anna.list(&world.client).await?.identifiers.len() == 1,
            "{subject:?}"
        );
    }
    Ok(())
}

async fn alike(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = person("anna\u{e9}");
    anna.set_pin(&world.client).await?;
    let app = anna
        .enrol(&world.client, &[Purpose::Login], world.now())
        .await?;
    let id = anna
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    for other in [
        "ANNA\u{e9}",
        "anna\u{c9}",
        "annae\u{301}",
        "anna\u{e9} ",
        " anna\u{e9}",
        "anna_",
        "anna%",
    ] {
        let other = person(other);
        let answer = other.create(&world.client, login("phone")).await?;
        ensure!(
            matches!(answer, Created::NotRequired(_)),
            "{:?} is taken for anna",
            other.subject
        );
        let answer = other
            .submit(&world.client, &id, vec![world.right(&app)])
            .await;
        refused(answer, Code::NotFound, "CONFIRMATION_NOT_FOUND")?;
    }
    Ok(())
}

async fn largest(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Other]).await?;
    let operation = |last: char| {
        let value = |number| {
            format!(
                "{}{last}",
                "ü".repeat(511) + if number == 31 { "x" } else { "y" }
            )
        };
        Operation::Custom(v1::CustomOperation {
            kind: "k".repeat(64),
            fields: (0..32)
                .map(|number| (format!("{number:064}"), value(number)))
                .collect(),
        })
    };
    let id = anna
        .open(&world.client, operation('1'))
        .await?
        .confirmation_id;
    let answer = anna
        .submit(&world.client, &id, vec![world.right(&app)])
        .await?;
    ensure!(state(&answer) == ConfirmationState::Approved);
    let other = anna.redeem(&world.client, &id, operation('2')).await;
    refused(other, Code::FailedPrecondition, "OPERATION_MISMATCH")?;
    anna.redeem(&world.client, &id, operation('1')).await?;
    Ok(())
}

async fn odd_codes(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[Purpose::Withdrawal]).await?;
    let longest = "9".repeat(64);
    for code in [
        "\u{0}", "💸💸", " - - ", &longest, "-00001", "+00001", "1e5", "' OR 1",
    ] {
        let id = anna
            .open(
                &world.client,
                Operation::Withdrawal(v1::Withdrawal {
                    source_account: "a".to_owned(),
                    amount: Some(v1::Money {
                        currency_code: "EUR".to_owned(),
                        units: 1,
                        nanos: 0,
                    }),
                    destination: "b".to_owned(),
                    payment_method: String::new(),
                }),
            )
            .await?
            .confirmation_id;
        let odd = countersign_testkit::app_proof(&app, code);
        let answer = anna
            .submit(&world.client, &id, vec![pin_proof(code), odd])
            .await?;
        ensure!(rejected(&answer), "{code:?}");
        world.pass(10 * MINUTE);
    }
    let answer = anna
        .get(&world.client, "00000000-0000-0000-0000-000000000000")
        .await;
    let Err(status) = answer else {
        anyhow::bail!("the nil id is a confirmation")
    };
    well_formed(&status)?;
    Ok(())
}
