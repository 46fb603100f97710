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
mod tours;
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
use histories::lives;
use player::{Player, World};
use tally::Tally;
use thief::{is_in_vain, planned_thefts, thefts};
use tours::tours;

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("model::platform_and_model_answer_alike", lives_agree);
    suite.on_each_backend("model::a_thief_with_password_and_pin_gets_nothing", thief);
}

/// How often a failing history is played again to make it smaller.
const SHRINKS: u32 = 300;

/// What has to happen in the lives that are played: else they prove little.
const IN_LIVES: &[&str] = &[
    "BeginEnable: TOO_MANY_IDENTIFIERS",
    "ChangePin: LAST_CODE_RESERVED",
    "ChangePin: done",
    "ChangePin by confirmation: AUTHENTICATOR_CHANGED",
    "ChangePin by confirmation: CONFIRMATION_EXPIRED",
    "ChangePin by confirmation: CONFIRMATION_NOT_APPROVED",
    "ChangePin by confirmation: done",
    "ConfirmEnable: LAST_CODE_RESERVED",
    "ConfirmEnable: done",
    "ConfirmEnable: rejected",
    "ConfirmEnable by confirmation: OPERATION_MISMATCH",
    "ConfirmEnable by confirmation: STEP_UP_REQUIRED",
    "ConfirmEnable by confirmation: done",
    "ConfirmEnable by confirmation: rejected",
    "Create: NOT_REQUIRED",
    "Create: ENROLMENT_REQUIRED",
    "Create: TOO_MANY_PENDING_CONFIRMATIONS",
    "Create: denied for a time",
    "Create: denied",
    "CreateMore: IDENTIFIER_NOT_ENABLED",
    "CreateMore: STEP_UP_REQUIRED",
    "CreateMore: list",
    "CreateMore: rejected",
    "Disable: IDENTIFIER_NOT_FOUND",
    "Disable: done",
    "Disable by confirmation: done",
    "Disable codes: LAST_IDENTIFIER",
    "Disable codes: done",
    "Disable codes by confirmation: done",
    "Enable: BACKUP_CODES_ENABLED",
    "Enable: PIN_NOT_SET",
    "Enable: STEP_UP_REQUIRED",
    "Enable: TOO_MANY_PENDING_ENROLMENTS",
    "Enable: list",
    "Enable by confirmation: list",
    "Finish: CODE_LIST_NOT_FOUND",
    "Finish: done",
    "SetPin by confirmation: done",
    "SetPurposes: LAST_CODE_RESERVED",
    "SetPurposes: done",
    "SetPurposes by confirmation: ALREADY_REDEEMED",
    "SetPurposes by confirmation: CONFIRMATION_NOT_FOUND",
    "SetPurposes by confirmation: OPERATION_MISMATCH",
    "SetPurposes by confirmation: done",
    "SubmitProof: LAST_CODE_RESERVED",
    "SubmitProof: WRONG_STAGE",
    "SubmitProof: accepted, Pending",
    "SubmitProof: accepted, Approved",
    "SubmitProof: rejected, Failed",
    "Redeem: AUTHENTICATOR_CHANGED",
    "Redeem: OPERATION_MISMATCH",
    "Redeem: ALREADY_REDEEMED",
    "Redeem: NOT_REDEEMABLE",
    "Redeem: Redeemed",
    "repeated",
    "restart",
];

/// What has to happen to the thief.
const IN_THEFTS: &[&str] = &[
    "ChangePin by confirmation: CONFIRMATION_NOT_APPROVED",
    "ConfirmEnable: ENROLMENT_THROTTLED",
    "ConfirmEnable: LAST_CODE_RESERVED",
    "ConfirmEnable: rejected",
    "ConfirmEnable by confirmation: STEP_UP_REQUIRED",
    "Create: denied for a time",
    "Create: denied",
    "CreateMore: rejected",
    "Disable codes: rejected",
    "Enable: BACKUP_CODES_ENABLED",
    "Enable: STEP_UP_REQUIRED",
    "Enable by confirmation: STEP_UP_REQUIRED",
    "Finish: CODE_LIST_NOT_FOUND",
    "SetPurposes: LAST_CODE_RESERVED",
    "SubmitProof: LAST_CODE_RESERVED",
    "SubmitProof: accepted, Pending",
    "SubmitProof: rejected, Failed",
];

async fn lives_agree(backend: Backend) -> Result<()> {
    let histories = match backend {
        Backend::Sqlite => rounds(40, 1500),
        Backend::Postgres => rounds(20, 600),
    };
    let mut world = World::new(backend).await?;
    let mut tally = campaign(&mut world, histories, &lives(), play).await?;
    for (number, tour) in tours().into_iter().enumerate() {
        let played = play(&mut world, tour).await;
        tally.add(played.with_context(|| format!("in tour {number}"))?);
    }
    tally.require(IN_LIVES)
}

async fn thief(backend: Backend) -> Result<()> {
    let histories = match backend {
        Backend::Sqlite => rounds(10, 400),
        Backend::Postgres => rounds(5, 150),
    };
    let mut world = World::new(backend).await?;
    let mut tally = campaign(&mut world, histories, &thefts(), is_in_vain).await?;
    for (number, theft) in planned_thefts().into_iter().enumerate() {
        let played = is_in_vain(&mut world, theft).await;
        tally.add(played.with_context(|| format!("in planned theft {number}"))?);
    }
    tally.require(IN_THEFTS)
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
