//! Model tests: random histories, with a clock that moves, through the real edge, against a small
//! model written from design.md (`model/reference.rs`).
//!
//! After every command the answer, the list of identifiers and the confirmation are those of the
//! model, and a watcher (`model/watch.rs`) that does not know the model finds the invariants kept.
//! A history that fails is made as small as it gets and printed; the same number gives the same
//! history again. What must have happened at least once for the test to mean something is listed
//! too.

mod command;
mod histories;
mod listing;
mod player;
mod reference;
mod request;
mod script;
mod tally;
mod thief;
mod throttle;
mod watch;

use std::fmt::Debug;

use anyhow::{Context, Error, Result, anyhow};
use countersign_testkit::Backend;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::harness::{Suite, rounds};
use command::Command;
use histories::{lives, tour};
use player::{Player, World};
use tally::Tally;
use thief::{is_in_vain, thefts};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("model::platform_and_model_answer_alike", lives_agree);
    suite.on_each_backend("model::a_thief_with_password_and_pin_gets_nothing", thief);
}

/// How often a failing history is played again to make it smaller.
const SHRINKS: u32 = 300;

/// What has to happen in the lives that are played: else they prove little.
const IN_LIVES: [&str; 20] = [
    "BeginEnable: TOO_MANY_IDENTIFIERS",
    "ConfirmEnable: done",
    "ConfirmEnable: rejected",
    "Create: NOT_REQUIRED",
    "Create: ENROLMENT_REQUIRED",
    "Create: TOO_MANY_PENDING_CONFIRMATIONS",
    "Create: denied for a time",
    "Create: denied",
    "Disable: done",
    "SetPurposes: done",
    "SubmitProof: WRONG_STAGE",
    "SubmitProof: accepted, Pending",
    "SubmitProof: accepted, Approved",
    "SubmitProof: rejected, Failed",
    "Redeem: AUTHENTICATOR_CHANGED",
    "Redeem: OPERATION_MISMATCH",
    "Redeem: ALREADY_REDEEMED",
    "Redeem: Redeemed",
    "repeated",
    "restart",
];

/// What has to happen to the thief.
const IN_THEFTS: [&str; 6] = [
    "ConfirmEnable: ENROLMENT_THROTTLED",
    "ConfirmEnable: rejected",
    "Create: denied for a time",
    "Create: denied",
    "SubmitProof: accepted, Pending",
    "SubmitProof: rejected, Failed",
];

async fn lives_agree(backend: Backend) -> Result<()> {
    let histories = match backend {
        Backend::Sqlite => rounds(30, 1500),
        Backend::Postgres => rounds(15, 600),
    };
    let mut world = World::new(backend).await?;
    let mut tally = campaign(&mut world, histories, &lives(), play).await?;
    tally.add(play(&mut world, tour()).await.context("in the tour")?);
    tally.require(&IN_LIVES)
}

async fn thief(backend: Backend) -> Result<()> {
    let histories = match backend {
        Backend::Sqlite => rounds(10, 400),
        Backend::Postgres => rounds(5, 150),
    };
    let mut world = World::new(backend).await?;
    let tally = campaign(&mut world, histories, &thefts(), is_in_vain).await?;
    tally.require(&IN_THEFTS)
}

async fn play(world: &mut World, life: Vec<Command>) -> Result<Tally> {
    let mut player = Player::new(world);
    for command in &life {
        player.play(command).await?;
    }
    player.compare_events()?;
    Ok(player.tally)
}

/// Plays random histories, each of somebody of its own, on one platform.
async fn campaign<S>(
    world: &mut World,
    histories: u32,
    strategy: &S,
    play: impl AsyncFn(&mut World, S::Value) -> Result<Tally>,
) -> Result<Tally>
where
    S: Strategy<Value: Debug>,
{
    let mut tally = Tally::default();
    for number in 0..histories {
        let history = strategy
            .new_tree(&mut runner(number))
            .map_err(|reason| anyhow!("no history: {reason}"))?;
        match play(world, history.current()).await {
            Ok(one) => tally.add(one),
            Err(error) => {
                let (history, error) = shrink(world, history, error, &play).await;
                return Err(error.context(format!("history {number}, made small: {history:?}")));
            }
        }
    }
    Ok(tally)
}

/// The randomness of a history: its number, and nothing else.
fn runner(number: u32) -> TestRunner {
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    TestRunner::new_with_rng(Config::default(), random)
}

/// Makes a failing history as small as it gets, with what goes wrong in it.
async fn shrink<T: ValueTree>(
    world: &mut World,
    mut tree: T,
    error: Error,
    play: &impl AsyncFn(&mut World, T::Value) -> Result<Tally>,
) -> (T::Value, Error) {
    let mut smallest = (tree.current(), error);
    let mut is_another = tree.simplify();
    for _ in 0..SHRINKS {
        if !is_another {
            break;
        }
        is_another = match play(world, tree.current()).await {
            Ok(_) => tree.complicate(),
            Err(error) => {
                smallest = (tree.current(), error);
                tree.simplify()
            }
        };
    }
    smallest
}
