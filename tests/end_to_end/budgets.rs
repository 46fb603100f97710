//! What a request costs, by counting: round trips on the wire, commits, Argon2 runs.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    App, Backend, Client, Clock, Cluster, Database, NO_CODE, Options, PGBIN, Person, TestClock,
    TestPlatform, app_proof, cheap, new_request_id, pin_proof, v1, v1::Purpose,
};
use futures::future::try_join_all;

use crate::{
    campaign::{gives_code, gives_pin, is_accepted, login, payout},
    harness::Suite,
    meter::{Cost, Meter},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.with(
        &[PGBIN],
        "postgres::budgets::a_warm_request_takes_two_round_trips_one_commit_and_the_hashes_it_needs",
        every_request,
    );
    suite.with(
        &[PGBIN],
        "postgres::budgets::a_login_from_create_to_approval_takes_at_most_two_commits_and_four_round_trips",
        whole_login,
    );
    suite.on_each_backend(
        "budgets::a_new_hash_cost_takes_one_more_run_once",
        new_hash_cost,
    );
    suite.on_each_backend(
        "budgets::of_many_wrong_pins_at_once_only_those_that_are_checked_are_hashed",
        many_wrong_pins,
    );
}

/// A change, and one with so many runs.
const CHANGE: Cost = hashing(0);
const fn hashing(runs: u64) -> Cost {
    [2, 1, runs]
}
/// A look, and the repetition of a request.
const LOOK: Cost = [1, 0, 0];
/// A look at a confirmation and its message.
const TWO_LOOKS: Cost = [2, 0, 0];
/// A message that is queued.
const SENT: Cost = [10, 1, 0];
/// A number that is taken into use.
const CONFIRMED: Cost = [10, 1, 1];

/// How often each request is counted. Only the least counts, since the gateway looks whether its
/// database is there, and the database tidies up, whenever they like.
const TIMES: u32 = 5;

async fn every_request() -> Result<()> {
    let cluster = Cluster::start()?.context(PGBIN)?;
    let (mut meter, client) = Meter::start(&cluster).await?;
    // The first statements on a connection are prepared; that is what warm means.
    measure(&mut meter, &client).await?;
    meter.costs.clear();
    for _ in 0..TIMES {
        measure(&mut meter, &client).await?;
    }
    let wrong: BTreeMap<_, _> = meter
        .costs
        .iter()
        .filter(|(_, (cost, due))| cost != due)
        .collect();
    ensure!(
        wrong.is_empty(),
        "[round trips, commits, runs], and what is due: {wrong:#?}"
    );
    Ok(())
}

async fn measure(meter: &mut Meter, client: &Client) -> Result<()> {
    let anna = Person::new();
    let set = anna.set_pin(client);
    meter.count("set the PIN", hashing(1), set).await?;
    let begin = anna.begin(client, "phone");
    let app = meter.count("begin an enrolment", CHANGE, begin).await?;
    let purposes = [Purpose::Login, Purpose::Withdrawal];
    let confirm = anna.confirm(client, &app, &purposes, meter.clock.now(), None);
    meter
        .count("confirm an enrolment", hashing(1), confirm)
        .await?;
    measure_login(meter, client, &anna, &app).await?;
    measure_withdrawal(meter, client, &anna, &app).await?;
    measure_uniform_answers(meter, client, &anna, &app).await?;
    measure_backup_codes(meter, client).await?;
    measure_sms(meter, client).await
}

/// What numbers share is changed under a lock. A look at the subject and one at the budgets, then:
/// begin, take the subject, look, take the budgets, look, write, commit; and the pool asks the
/// connection that comes back whether it is well. Checking a code takes what any code takes.
async fn measure_sms(meter: &mut Meter, client: &Client) -> Result<()> {
    let anna = Person::new();
    anna.set_pin(client).await?;
    let carrier = meter.carrier().clone();
    let nth = carrier.messages().len();
    let number = format!("+7912{nth:07}");
    let begin = async { Ok(anna.begin_phone(client, &number).await?) };
    let phone = meter.count("begin to enrol a phone", SENT, begin).await?;
    let code = carrier.nth_message_to(&number, 1).await.code();
    // What became of the message is a change of the subject too.
    meter.settled().await?;
    let proofs = vec![pin_proof(&anna.pin)];
    let on = [Purpose::Login];
    let confirm = async {
        let confirmed = anna.confirm_phone(client, &phone, &code, &on, proofs);
        confirmed.await?.context("enabled")
    };
    let counted = meter.count("confirm a phone", CONFIRMED, confirm);
    counted.await?;
    meter.pass_a_step();

    let open = anna.open(client, login()).await?;
    let send = async { Ok(anna.send_code(client, &open, None).await?) };
    meter.count("send a code", SENT, send).await?;
    let again = async {
        let refused = anna.send_code(client, &open, None).await;
        ensure!(refused.is_err(), "{refused:?}");
        Ok(())
    };
    meter.count("send a code too soon", LOOK, again).await?;
    let code = carrier.nth_message_to(&number, 2).await.code();
    meter.settled().await?;
    let look = async { Ok(anna.get(client, &open.confirmation_id).await?) };
    meter
        .count("look at a code on its way", TWO_LOOKS, look)
        .await?;
    let submit = async {
        let proofs = vec![phone.proof(&code)];
        Ok(anna.submit(client, &open.confirmation_id, proofs).await?)
    };
    let answer = meter.count("a right code by SMS", CHANGE, submit).await?;
    ensure!(is_accepted(&answer)?);
    Ok(())
}

/// One run for each code that is made, and one for each guess at the whole list.
async fn measure_backup_codes(meter: &mut Meter, client: &Client) -> Result<()> {
    let anna = Person::new();
    anna.set_pin(client).await?;
    let enable = async {
        let proofs = vec![pin_proof(&anna.pin)];
        let made = anna.enable_codes(client, proofs).await?;
        made.context("a list")
    };
    let codes = meter.count("enable backup codes", hashing(11), enable);
    let codes = codes.await?;
    let finish = async { Ok(anna.finish(client, &codes).await?) };
    meter.count("finish a list", CHANGE, finish).await?;
    let on = [Purpose::Login];
    let proofs = vec![codes.proof(0)];
    let switch = async {
        Ok(anna
            .switch_by_id(client, &codes.id, &on, &[], proofs)
            .await?)
    };
    let on = meter.count("switch on by a code", hashing(1), switch);
    ensure!(on.await?.is_some());
    let id = anna.open(client, login()).await?.confirmation_id;
    for (name, proof) in [
        ("a wrong backup code", codes.typed(NO_CODE)),
        ("a used backup code", codes.proof(0)),
        ("a malformed backup code", codes.typed("x")),
        ("a right backup code", codes.proof(1)),
    ] {
        let submit = async { Ok(anna.submit(client, &id, vec![proof]).await?) };
        let answer = meter.count(name, hashing(1), submit).await?;
        ensure!(is_accepted(&answer)? == (name == "a right backup code"));
    }
    let more = async {
        Ok(anna
            .create_more(client, &codes, vec![codes.proof(2)])
            .await?)
    };
    let more = meter.count("make more codes", hashing(11), more).await?;
    anna.finish(client, &more.context("a list")?).await?;
    let status = async { Ok(anna.codes_status(client).await?) };
    meter.count("look at backup codes", LOOK, status).await?;
    Ok(())
}

async fn measure_login(meter: &mut Meter, client: &Client, anna: &Person, app: &App) -> Result<()> {
    let open = anna.open(client, login());
    let id = meter.count("create", CHANGE, open).await?.confirmation_id;
    meter.pass_a_step();
    let now = meter.clock.now();
    for (name, code) in [
        ("a wrong code", app.wrong_code(now)),
        ("a malformed code", "12".to_owned()),
        ("a right code", app.code(now)),
    ] {
        let accepted = gives_code(anna, client, &id, app, &code);
        let is_right = meter.count(name, CHANGE, accepted).await?;
        ensure!(is_right == (name == "a right code"), "{name}");
    }
    let redeem = async { Ok(anna.redeem(client, &id, login()).await?) };
    meter.count("redeem", CHANGE, redeem).await?;
    let again = async { Ok(anna.redeem(client, &id, login()).await.is_err()) };
    ensure!(meter.count("redeem again", LOOK, again).await?);
    let get = async { Ok(anna.get(client, &id).await?) };
    meter.count("get", LOOK, get).await?;

    let id = anna.open(client, login()).await?.confirmation_id;
    let [used, unused] = [app.code(now), app.next_code(now)];
    let replayed = gives_code(anna, client, &id, app, &used);
    ensure!(!meter.count("a replayed code", CHANGE, replayed).await?);
    let mut stranger = app.clone();
    stranger.id = new_request_id();
    let unknown = gives_code(anna, client, &id, &stranger, &unused);
    ensure!(
        !meter
            .count("a code of an unknown app", CHANGE, unknown)
            .await?
    );
    Ok(())
}

async fn measure_withdrawal(
    meter: &mut Meter,
    client: &Client,
    anna: &Person,
    app: &App,
) -> Result<()> {
    let id = anna.open(client, payout(1)).await?.confirmation_id;
    let wrong = gives_pin(anna, client, &id, "111999");
    ensure!(!meter.count("a wrong PIN", hashing(1), wrong).await?);
    let malformed = gives_pin(anna, client, &id, "x");
    ensure!(
        !meter
            .count("a malformed PIN", hashing(1), malformed)
            .await?
    );

    let submit = v1::ConfirmationServiceSubmitProofRequest {
        subject_id: anna.subject.clone(),
        request_id: new_request_id(),
        confirmation_id: id.clone(),
        proofs: vec![pin_proof(&anna.pin)],
    };
    let send = || async { Ok(client.confirmations().submit_proof(submit.clone()).await?) };
    let first = meter
        .count("a right PIN", hashing(1), send())
        .await?
        .into_inner();
    let second = meter
        .count("the same request again", LOOK, send())
        .await?
        .into_inner();
    ensure!(first == second);
    let other = v1::ConfirmationServiceSubmitProofRequest {
        proofs: vec![pin_proof("111999")],
        ..submit.clone()
    };
    let refused = async { Ok(client.confirmations().submit_proof(other).await.is_err()) };
    ensure!(
        meter
            .count("another request with its id", LOOK, refused)
            .await?
    );

    meter.pass_a_step();
    let code = app.code(meter.clock.now());
    ensure!(gives_code(anna, client, &id, app, &code).await?);
    meter.pass_a_step();
    let code = app.code(meter.clock.now());
    let proofs = vec![pin_proof(&anna.pin), app_proof(app, &code)];
    let change = async { Ok(anna.change_pin(client, "94620571", proofs).await?.is_some()) };
    ensure!(meter.count("change the PIN", hashing(2), change).await?);
    Ok(())
}

/// What §5 calls uniform: the answer of a wrong proof, at the cost of a wrong proof.
async fn measure_uniform_answers(
    meter: &mut Meter,
    client: &Client,
    anna: &Person,
    app: &App,
) -> Result<()> {
    let wrong = || vec![pin_proof("111999"), app_proof(app, "12345678")];
    let known = async { Ok(anna.change_pin(client, "73910528", wrong()).await?) };
    let known = meter
        .count("inline proofs, wrong", hashing(1), known)
        .await?;
    let nobody = Person::new();
    let unknown = async { Ok(nobody.change_pin(client, "73910528", wrong()).await?) };
    let unknown = meter
        .count("inline proofs of an unknown subject", [1, 0, 1], unknown)
        .await?;
    ensure!(known.is_none() && unknown.is_none());

    let mut open = Vec::new();
    for _ in 0..2 {
        open.push(anna.open(client, payout(2)).await?.confirmation_id);
    }
    for number in 0..5 {
        ensure!(!gives_pin(anna, client, &open[number % 2], "111999").await?);
    }
    let locked = gives_pin(anna, client, &open[0], "94620571");
    ensure!(!meter.count("a PIN that is locked", CHANGE, locked).await?);
    Ok(())
}

/// A login as a whole: what a person waits for.
async fn whole_login() -> Result<()> {
    let cluster = Cluster::start()?.context(PGBIN)?;
    let (mut meter, client) = Meter::start(&cluster).await?;
    let anna = Person::new();
    anna.set_pin(&client).await?;
    let app = anna
        .enrol(&client, &[Purpose::Login], meter.clock.now())
        .await?;
    let due: Cost = [4, 2, 0];
    for time in 0..=TIMES {
        meter.pass_a_step();
        let code = app.code(meter.clock.now());
        let approval = async {
            let id = anna.open(&client, login()).await?.confirmation_id;
            gives_code(&anna, &client, &id, &app, &code).await
        };
        ensure!(meter.count("a login", due, approval).await?);
        // The first login makes the connection warm.
        if time == 0 {
            meter.costs.clear();
        }
    }
    let (cost, _) = meter.costs["a login"];
    let is_within = cost.iter().zip(due).all(|(cost, due)| *cost <= due);
    ensure!(
        is_within,
        "[round trips, commits, runs]: {cost:?} in place of {due:?}"
    );
    Ok(())
}

async fn new_hash_cost(backend: Backend) -> Result<()> {
    let database = Database::fresh(backend).await?;
    let clock = TestClock::default();
    let before = TestPlatform::start(&database, &clock, Options::default()).await?;
    let client = before.client("test").await?;
    let anna = Person::new();
    anna.set_pin(&client).await?;
    anna.enrol(&client, &[], clock.now()).await?;
    before.stop().await;

    let mut settings = cheap();
    settings.hash_cost.passes += 1;
    let options = Options {
        settings,
        seed: 2,
        ..Options::default()
    };
    let after = TestPlatform::start(&database, &clock, options).await?;
    let client = after.client("test").await?;
    for (pin, runs) in [
        ("111999", 1),
        (anna.pin.as_str(), 2),
        (anna.pin.as_str(), 1),
    ] {
        let id = anna.open(&client, payout(1)).await?.confirmation_id;
        let counted = after.pool.runs();
        let is_accepted = gives_pin(&anna, &client, &id, pin).await?;
        ensure!(is_accepted == (pin == anna.pin));
        let counted = after.pool.runs() - counted;
        ensure!(counted == runs, "{counted} runs in place of {runs}");
    }
    Ok(())
}

/// The line of a subject in its gateway: what the first find out spares the others their hashes.
async fn many_wrong_pins(backend: Backend) -> Result<()> {
    let database = Database::fresh(backend).await?;
    let clock = TestClock::default();
    let platform = TestPlatform::start(&database, &clock, Options::default()).await?;
    let client = platform.client("test").await?;
    let anna = Person::new();
    anna.set_pin(&client).await?;
    anna.enrol(&client, &[], clock.now()).await?;
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(anna.open(&client, payout(1)).await?.confirmation_id);
    }
    let counted = platform.pool.runs();
    let wrong = (0..50).map(|number| gives_pin(&anna, &client, &open[number % 10], "111999"));
    let accepted = try_join_all(wrong).await?;
    ensure!(accepted == [false; 50]);
    let counted = platform.pool.runs() - counted;
    ensure!(
        counted == 5,
        "{counted} runs for the five PINs that are checked"
    );
    Ok(())
}
