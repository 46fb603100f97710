//! A code is good for what it was sent for: each for its confirmation, its number and its time, once.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Backend, Options, Person, Phone, pin_proof, reason_of, v1,
    v1::{ConfirmationState, DenialReason, Purpose, operation::Operation},
};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRng, TestRunner},
};
use tonic::Code;

use crate::{
    harness::{Suite, rounds},
    sms_world::{ALL, FIRST_WAIT, number},
    world::{
        Created, HOUR, MINUTE, World, accepted, custom, login, payout, precondition, rejected,
        state,
    },
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("sms_bound::only_the_diagonal_passes", diagonal);
    suite.on_each_backend("sms_bound::other_codes_are_failures_and_lock", others);
    suite.on_each_backend("sms_bound::while_locked_nothing_is_sent", locked);
    suite.on_each_backend("sms_bound::asking_again_never_lowers_a_count", walk);
}

/// Confirmations of several people for everything there is, each with a code: every code is tried
/// for every confirmation.
async fn diagonal(backend: Backend) -> Result<()> {
    let mut options = Options::default();
    options.settings.attempts = 100;
    options.settings.throttle.failures_per_lock = 100;
    let world = World::with(backend, options).await?;
    let mut people = Vec::new();
    for n in [1, 1, 2] {
        // The first two have one phone.
        people.push(world.phoned(&number(n), ALL).await?);
    }
    let mut open = Vec::new();
    for operation in [login("tablet"), payout(1), custom("all")] {
        for (person, phone) in &people {
            let confirmation = person.open(&world.client, operation.clone()).await?;
            if matches!(operation, Operation::Withdrawal(_)) {
                let pin = vec![pin_proof(&person.pin)];
                let id = &confirmation.confirmation_id;
                person.submit(&world.client, id, pin).await?;
            }
            let code = world.sent(person, &confirmation, phone).await?;
            open.push((person, phone, confirmation, code));
        }
        world.pass(FIRST_WAIT * 2);
    }
    let codes: BTreeSet<&String> = open.iter().map(|(.., code)| code).collect();
    ensure!(codes.len() == 9, "two codes are the same by chance");
    for (person, phone, confirmation, own) in &open {
        for code in codes.iter().filter(|code| **code != own) {
            let taken = world.takes(person, confirmation, phone, code).await?;
            ensure!(!taken, "a code of another confirmation was accepted");
        }
    }
    for (person, phone, confirmation, own) in &open {
        let taken = world.takes(person, confirmation, phone, own).await?;
        ensure!(taken, "a code was not accepted for its own");
        let id = &confirmation.confirmation_id;
        let again = person.submit(&world.client, id, vec![phone.proof(own)]);
        precondition(again.await, "CONFIRMATION_NOT_PENDING")?;
    }
    Ok(())
}

async fn others(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (boris, his) = world.phoned(&number(2), ALL).await?;
    let theirs = boris.open(&world.client, login("tablet")).await?;
    let of_another_number = world.sent(&boris, &theirs, &his).await?;

    let anna = world.somebody().await?;
    let phone = anna.begin_phone(&world.client, &number(1)).await?;
    let of_the_enrolment = world.code_after(&phone, 0).await;
    let pin = vec![pin_proof(&anna.pin)];
    let done = anna.confirm_phone(&world.client, &phone, &of_the_enrolment, ALL, pin);
    done.await?.context("not enabled")?;
    world.pass(FIRST_WAIT);
    let used = anna.open(&world.client, login("tablet")).await?;
    let of_before = world.sent(&anna, &used, &phone).await?;
    ensure!(world.takes(&anna, &used, &phone, &of_before).await?);
    world.pass(FIRST_WAIT);
    let other = anna.open(&world.client, custom("all")).await?;
    let of_another_purpose = world.sent(&anna, &other, &phone).await?;
    world.pass(FIRST_WAIT * 2);
    let first = anna.open(&world.client, login("tablet")).await?;
    let of_another_confirmation = world.sent(&anna, &first, &phone).await?;
    world.pass(FIRST_WAIT * 4);
    let open = anna.open(&world.client, login("tablet")).await?;
    let right = world.sent(&anna, &open, &phone).await?;

    let wrong = [
        of_another_number,
        of_the_enrolment,
        of_before,
        of_another_purpose,
        of_another_confirmation,
    ];
    for (n, code) in wrong.iter().enumerate() {
        ensure!(*code != right, "two codes are the same by chance");
        let id = &open.confirmation_id;
        let answer = anna
            .submit(&world.client, id, vec![phone.proof(code)])
            .await?;
        ensure!(rejected(&answer), "code {n} was accepted");
        let left = answer.confirmation.map(|after| after.attempts_left);
        ensure!(left == Some(4 - i32::try_from(n)?), "{left:?}");
    }
    let ended = anna.get(&world.client, &open.confirmation_id).await?;
    ensure!(ended.state() == ConfirmationState::Failed && ended.sent_code.is_none());
    let facts = world.facts(&anna)?;
    ensure!(
        facts.matches("\"LOCKED\"").count() == 1,
        "five lock: {facts}"
    );
    let denied = anna.create(&world.client, login("tablet")).await?;
    ensure!(
        matches!(&denied, Created::Denied(it) if it.reason() == DenialReason::TemporarilyLocked),
        "{denied:?}"
    );
    Ok(())
}

async fn locked(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, phone) = world.phoned(&number(1), ALL).await?;
    let spare = anna.open(&world.client, login("tablet")).await?;
    let open = anna.open(&world.client, login("tablet")).await?;
    let right = world.sent(&anna, &open, &phone).await?;
    let wrong = world.unsent_code();
    for _ in 0..5 {
        ensure!(!world.takes(&anna, &open, &phone, &wrong).await?);
    }
    world.pass(FIRST_WAIT);
    let sent = world.carrier().messages().len();
    let rows = world.all_rows()?;
    let refused = anna.send_code(&world.client, &spare, None).await;
    let status = precondition(refused, "TEMPORARILY_LOCKED")?;
    let wait = countersign_testkit::retry_after(&status).context("RetryInfo")?;
    ensure!(wait.as_secs() == 5 * MINUTE - FIRST_WAIT, "{wait:?}");
    ensure!(world.all_rows()? == rows, "something was stored");
    // A right code while locked is no success.
    ensure!(!world.takes(&anna, &spare, &phone, &right).await?);
    // For the other purposes it goes on.
    let other = anna.open(&world.client, custom("all")).await?;
    let code = world.sent(&anna, &other, &phone).await?;
    ensure!(world.takes(&anna, &other, &phone, &code).await?);
    ensure!(world.carrier().messages().len() == sent + 1);
    world.nothing_was_sent_since(sent + 1).await
}

/// What an attacker does between guesses.
#[derive(Clone, Copy, Debug)]
enum Move {
    Guess,
    Send,
    Open,
    Cancel,
    Wait(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => Just(Move::Guess),
        3 => Just(Move::Send),
        2 => Just(Move::Open),
        1 => Just(Move::Cancel),
        2 => (1_u64..200).prop_map(Move::Wait),
    ];
    proptest::collection::vec(one, 60)
}

async fn walk(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    for round in 0..rounds(6, 60) {
        let seed = round.to_le_bytes().repeat(8);
        let rng = TestRng::from_seed(Config::default().rng_algorithm, &seed);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let tree = moves().new_tree(&mut runner);
        let moves = tree.map_err(|error| anyhow::anyhow!(error.to_string()))?;
        let (anna, phone) = world.phoned(&number(round + 1), &[Purpose::Login]).await?;
        let guesses = guess_around(&world, &anna, &phone, &moves.current()).await?;
        ensure!(guesses >= 1, "round {round} guessed nothing");
        world.pass(2 * HOUR);
    }
    Ok(())
}

/// Makes the moves. Between two locks there are exactly five guesses that were checked, whatever was
/// asked for between them.
async fn guess_around(world: &World, anna: &Person, phone: &Phone, moves: &[Move]) -> Result<u32> {
    let mut open: Vec<v1::Confirmation> = Vec::new();
    let (mut guesses, mut in_a_row, mut locks) = (0, 0, 0);
    for step in moves {
        match step {
            Move::Wait(seconds) => world.pass(*seconds),
            Move::Open => match anna.create(&world.client, login("tablet")).await {
                Ok(Created::Confirmation(new)) => open.push(new),
                Ok(Created::Denied(_)) => ensure!(in_a_row == 0, "denied after {in_a_row}"),
                Ok(other) => anyhow::bail!("{other:?}"),
                Err(status) => ensure!(status.code() == Code::ResourceExhausted, "{status:?}"),
            },
            Move::Cancel => {
                if let Some(one) = open.pop() {
                    // It may have ended by itself.
                    let _ = anna.cancel(&world.client, &one.confirmation_id).await;
                }
            }
            Move::Send => {
                if let Some(one) = open.last() {
                    let sent = anna.send_code(&world.client, one, None).await;
                    if let Err(status) = sent {
                        let known = ["SEND_TOO_SOON", "TOO_MANY_SENDS", "TEMPORARILY_LOCKED"];
                        let ended = ["CONFIRMATION_NOT_PENDING", "CONFIRMATION_EXPIRED"];
                        let limit = ["SEND_LIMIT_REACHED"];
                        let reason = reason_of(&status);
                        let known = [&known[..], &ended[..], &limit[..]].concat();
                        ensure!(known.contains(&reason.as_str()), "{status:?}");
                    }
                }
            }
            Move::Guess => {
                let Some(one) = open.last() else { continue };
                let id = &one.confirmation_id;
                let wrong = vec![phone.proof(&world.unsent_code())];
                match anna.submit(&world.client, id, wrong).await {
                    Err(_) => {
                        open.pop();
                    }
                    Ok(answer) => {
                        ensure!(!accepted(&answer), "a guess was right");
                        if state(&answer) != ConfirmationState::Pending {
                            open.pop();
                        }
                        let facts = world.last_event_with(anna, "PROOF_REJECTED")?;
                        if facts.contains("\"WRONG\"")
                            || facts.contains("NOT_SENT")
                            || facts.contains("EXPIRED")
                        {
                            guesses += 1;
                            in_a_row += 1;
                        }
                        let is_locked = facts.contains("\"fact\":\"LOCKED\"");
                        ensure!(is_locked == (in_a_row == 5), "{in_a_row}: {facts}");
                        if is_locked {
                            (in_a_row, locks) = (0, locks + 1);
                        }
                    }
                }
            }
        }
    }
    let told = world.facts(anna)?.matches("\"fact\":\"LOCKED\"").count();
    ensure!(told == locks, "{told} locks in place of {locks}");
    Ok(guesses)
}
