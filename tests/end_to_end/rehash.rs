//! That a PIN is hashed anew when the cost changes tells nobody whether a guess was right.

use anyhow::{Result, ensure};
use countersign_testkit::{
    App, Backend, Client, Clock, Database, Options, Person, TestClock, TestPlatform, app_proof,
    cheap, pin_proof, v1::Purpose,
};

use crate::{
    harness::Suite,
    world::{login, payout, rejected, stranger},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "rehash::a_call_that_cannot_succeed_hashes_a_right_pin_as_often_as_a_wrong_one",
        no_oracle,
    );
}

const WRONG: &str = "850375";

/// Somebody whose PIN was kept at another cost than that of the platform now running.
struct OldCost {
    _database: Database,
    platform: TestPlatform,
    client: Client,
    clock: TestClock,
    anna: Person,
    app: App,
}

impl OldCost {
    async fn new(backend: Backend) -> Result<Self> {
        let database = Database::fresh(backend).await?;
        let clock = TestClock::default();
        let before = TestPlatform::start(&database, &clock, Options::default()).await?;
        let client = before.client("host-system").await?;
        let anna = Person::new();
        anna.set_pin(&client).await?;
        let purposes = [Purpose::Login, Purpose::Withdrawal];
        let app = anna.enrol(&client, &purposes, clock.now()).await?;
        drop(client);
        before.stop().await;

        let mut settings = cheap();
        settings.hash_cost.passes += 1;
        let options = Options {
            settings,
            seed: 2,
            ..Options::default()
        };
        let platform = TestPlatform::start(&database, &clock, options).await?;
        let client = platform.client("host-system").await?;
        Ok(Self {
            _database: database,
            platform,
            client,
            clock,
            anna,
            app,
        })
    }
}

async fn no_oracle(backend: Backend) -> Result<()> {
    let world = OldCost::new(backend).await?;
    let OldCost { anna, client, .. } = &world;
    for typed in [anna.pin.as_str(), WRONG] {
        let before = world.platform.pool.runs();
        // An identifier that does not exist.
        let absent = stranger(&world.app);
        let disabled = anna
            .disable(client, &absent, false, vec![pin_proof(typed)])
            .await?;
        ensure!(disabled.is_none(), "disabled what is not there");
        // An enrolment whose own code is wrong.
        let pending = anna.begin(client, "another").await?;
        let wrong = pending.wrong_code(world.clock.now());
        let existing = app_proof(&world.app, &world.app.code(world.clock.now()));
        let proofs = vec![pin_proof(typed), existing];
        let enabled = anna
            .confirm_enable(client, &pending, &wrong, &[], proofs)
            .await?;
        ensure!(enabled.is_none(), "enabled by a wrong code");
        // A login, which a PIN is no option for.
        let open = anna.open(client, login("phone")).await?;
        let proofs = vec![pin_proof(typed)];
        let answer = anna.submit(client, &open.confirmation_id, proofs).await?;
        ensure!(rejected(&answer), "a login by PIN");
        let runs = world.platform.pool.runs() - before;
        ensure!(runs == 3, "{runs} runs where the PIN was {typed}");
    }
    // None of the guesses was for free: two more lock.
    for _ in 0..2 {
        let open = anna.open(client, payout(100)).await?;
        let wrong = vec![pin_proof(WRONG)];
        let answer = anna.submit(client, &open.confirmation_id, wrong).await?;
        ensure!(rejected(&answer), "a wrong PIN is accepted");
    }
    let pin = anna.list(client).await?.pin;
    ensure!(
        pin.is_some_and(|pin| pin.locked),
        "the guesses were not counted"
    );
    Ok(())
}
