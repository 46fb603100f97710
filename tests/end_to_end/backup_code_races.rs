//! Backup codes at the same time: a code counts once, the last one never, and Finish has a before and
//! an after.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    BIN, Backend, Client, Database, Options, Person, Settings, TestClock, TestPlatform, cheap,
    v1::Purpose,
};
use futures::future::{join, join_all};

use crate::{
    campaign::{Gateways, is_accepted, login, require_reason},
    harness::{Suite, rounds},
    ledger::Ledger,
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN],
        "backup_codes::of_64_submits_of_a_code_one_is_accepted",
        one_code,
    );
    suite.on_each_backend(
        "backup_codes::of_ten_codes_left_submitted_at_once_nine_at_most_are_accepted",
        last_codes,
    );
    suite.on_each_backend_with(
        &[BIN],
        "backup_codes::a_code_of_the_earlier_list_is_accepted_before_finish_or_never",
        finish_and_submit,
    );
    suite.on_each_backend_with(
        &[BIN],
        "backup_codes::of_create_more_and_disable_at_once_no_list_survives_the_set",
        more_and_disable,
    );
}

async fn open(anna: &Person, client: &Client) -> Result<String> {
    Ok(anna.open(client, login()).await?.confirmation_id)
}

async fn one_code(backend: Backend) -> Result<()> {
    let gateways = Gateways::start(backend).await?;
    for round in 0..rounds(25, 250) {
        let client = gateways.client(0);
        let (anna, codes) = Person::with_codes(client, &[Purpose::Login]).await?;
        let mut ids = Vec::new();
        for _ in 0..8 {
            ids.push(open(&anna, client).await?);
        }
        let answers = join_all((0..64).map(|number| {
            let proofs = vec![codes.proof(1)];
            anna.submit(gateways.client(number / 8), &ids[number % 8], proofs)
        }));
        let mut accepted = 0;
        for answer in answers.await {
            match answer {
                Ok(answer) => accepted += u32::from(is_accepted(&answer)?),
                Err(status) => require_reason(&status, "CONFIRMATION_NOT_PENDING")?,
            }
        }
        ensure!(accepted == 1, "round {round}: {accepted} were accepted");
    }
    let ledger = Ledger::read(&gateways.database)?;
    for subject in ledger.subjects() {
        let accepted = ledger.count(subject, "PROOF_ACCEPTED", "purpose", "LOGIN");
        ensure!(accepted == 1, "{subject}: {accepted} codes were accepted");
    }
    Ok(())
}

/// Room for a confirmation for each code of a long list, and no lock that would end the race.
fn room() -> Settings {
    let mut settings = cheap();
    settings.backup_codes = 32;
    settings.limits.pending_confirmations = 64;
    settings.throttle.failures_per_lock = 1000;
    settings.throttle.cap = 100_000;
    settings
}

async fn last_codes(backend: Backend) -> Result<()> {
    let database = Database::fresh(backend).await?;
    let clock = TestClock::default();
    let count = match backend {
        Backend::Sqlite => 1,
        Backend::Postgres => 2,
    };
    let mut platforms = Vec::new();
    let mut clients = Vec::new();
    for number in 0..count {
        let options = Options {
            settings: room(),
            seed: number + 1,
            ..Options::default()
        };
        let platform = TestPlatform::start(&database, &clock, options).await?;
        clients.push(platform.client("test").await?);
        platforms.push(platform);
    }
    for round in 0..rounds(4, 40) {
        let client = &clients[0];
        let (anna, codes) = Person::with_codes(client, &[Purpose::Login]).await?;
        ensure!(codes.codes.len() == 32);
        for place in 1..22 {
            let id = open(&anna, client).await?;
            let answer = anna.submit(client, &id, vec![codes.proof(place)]).await?;
            ensure!(is_accepted(&answer)?, "code {place} of round {round}");
        }
        let mut ids = Vec::new();
        for _ in 0..32 {
            ids.push(open(&anna, client).await?);
        }
        let answers = join_all(ids.iter().enumerate().map(|(place, id)| {
            let client = &clients[place % clients.len()];
            anna.submit(client, id, vec![codes.proof(place)])
        }));
        let mut accepted = 0;
        for answer in answers.await {
            match answer {
                Ok(answer) => accepted += i32::from(is_accepted(&answer)?),
                Err(status) => require_reason(&status, "LAST_CODE_RESERVED")?,
            }
        }
        ensure!(accepted == 9, "round {round}: {accepted} were accepted");
        let status = anna.codes_status(client).await?;
        let left = status.identifier.context("a set")?.codes_left;
        ensure!(left == Some(1), "{left:?} left");
    }
    Ledger::read(&database)?;
    Ok(())
}

async fn finish_and_submit(backend: Backend) -> Result<()> {
    let gateways = Gateways::start(backend).await?;
    let (mut before, mut after) = (0, 0);
    for round in 0..rounds(30, 300) {
        let client = gateways.client(0);
        let (anna, codes) = Person::with_codes(client, &[Purpose::Login]).await?;
        let next = anna
            .create_more(client, &codes, vec![codes.proof(1)])
            .await?;
        let next = next.context("a list")?;
        let id = open(&anna, client).await?;
        let submit = anna.submit(gateways.client(1), &id, vec![codes.proof(2)]);
        let finish = anna.finish(client, &next);
        // Which of the two is sent first changes from round to round.
        let (submitted, finished) = if round % 2 == 0 {
            join(submit, finish).await
        } else {
            let (finished, submitted) = join(finish, submit).await;
            (submitted, finished)
        };
        finished?;
        let is_before = is_accepted(&submitted?)?;
        if is_before {
            before += 1;
        } else {
            after += 1;
        }
        let status = anna.codes_status(client).await?;
        let left = status.identifier.context("a set")?.codes_left;
        ensure!(left == Some(10), "round {round}: the new list has {left:?}");
        let id = open(&anna, client).await?;
        let late = anna.submit(client, &id, vec![codes.proof(3)]).await?;
        ensure!(!is_accepted(&late)?, "round {round}: a void code");
        let fresh = anna.submit(client, &id, vec![next.proof(0)]).await?;
        ensure!(
            is_accepted(&fresh)?,
            "round {round}: a code of the new list"
        );
    }
    let ledger = Ledger::read(&gateways.database)?;
    for subject in ledger.subjects() {
        ensure!(ledger.facts(subject, "CODES_REPLACED").count() == 1);
    }
    println!("the code came before Finish {before} times, and after it {after} times");
    Ok(())
}

async fn more_and_disable(backend: Backend) -> Result<()> {
    let gateways = Gateways::start(backend).await?;
    for round in 0..rounds(20, 200) {
        let client = gateways.client(0);
        let (anna, codes) = Person::with_codes(client, &[Purpose::Login]).await?;
        let more = anna.create_more(gateways.client(1), &codes, vec![codes.proof(1)]);
        // The same code for both, or one for each.
        let other = if round % 2 == 0 { 1 } else { 2 };
        let disable = anna.disable_codes(client, &codes, true, vec![codes.proof(other)]);
        let (made, disabled) = join(more, disable).await;
        let (made, disabled) = (made?, disabled?);
        if other == 1 {
            let both = made.is_some() && disabled.is_some();
            ensure!(!both, "round {round}: one code did both");
            ensure!(
                made.is_some() || disabled.is_some(),
                "round {round}: neither"
            );
        } else {
            ensure!(disabled.is_some(), "round {round}: not disabled");
        }
        let status = anna.codes_status(client).await?;
        if disabled.is_some() {
            ensure!(status.identifier.is_none() && status.pending_list_id.is_empty());
        }
        if let (Some(made), true) = (made, disabled.is_some()) {
            let late = anna.finish(gateways.client(1), &made).await;
            require_reason(&late.err().context("finished")?, "CODE_LIST_NOT_FOUND")?;
        }
    }
    Ledger::read(&gateways.database)?;
    Ok(())
}
