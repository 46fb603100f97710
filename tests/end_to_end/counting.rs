//! Failures are counted exactly, however many come at once over however many gateways.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    App, BIN, Backend, Client, NO_CODE, Person, app_proof, now, pin_proof, reason_of, retry_after,
    v1,
    v1::{DenialReason, Purpose, confirmation_service_create_response as create},
};
use futures::future::join_all;
use tonic::Status;

use crate::{
    campaign::{Gateways, enrolled, gives_code, gives_pin, is_accepted, login, payout},
    harness::{Suite, rounds},
    ledger::Ledger,
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN],
        "counting::of_200_wrong_codes_at_once_five_are_checked_and_nothing_resets_the_lock",
        codes,
    );
    suite.on_each_backend_with(
        &[BIN],
        "counting::of_200_wrong_backup_codes_at_once_five_are_checked",
        backup_codes,
    );
    suite.on_each_backend_with(
        &[BIN],
        "counting::of_200_wrong_pins_at_once_five_are_checked_and_nothing_resets_the_lock",
        pins,
    );
}

const AT_ONCE: usize = 200;
/// How many failures lock, and how many end a confirmation.
const ALLOWED: usize = 5;
/// How many confirmations are tried at once; the subject has one more, of at most ten.
const OPEN: usize = 9;

async fn codes(backend: Backend) -> Result<()> {
    let gateways = Gateways::start(backend).await?;
    let client = gateways.client(0);
    for _ in 0..rounds(3, 30) {
        let (anna, app) = enrolled(client, &[Purpose::Login, Purpose::Withdrawal]).await?;
        let mut open = opened(&anna, client, login).await?;
        let spare = open.pop().context("a confirmation")?;
        let wrong = app_proof(&app, &app.wrong_code(now()));
        let rejected = flood(&gateways, &anna, &open, &wrong).await?;
        check(&gateways, &anna, &app.id, "LOGIN", rejected)?;

        let locked = |page: &v1::IdentifierServiceListResponse| {
            let purposes = page.identifiers[0].purposes.iter();
            purposes
                .filter(|setting| setting.locked)
                .map(v1::PurposeSetting::purpose)
                .collect()
        };
        let before: Vec<Purpose> = locked(&anna.list(client).await?);
        ensure!(before == [Purpose::Login], "locked for {before:?}");
        let is_accepted = gives_code(&anna, client, &spare, &app, &app.code(now())).await?;
        ensure!(!is_accepted, "a right code is accepted while locked");
        anna.begin(client, "another").await?;
        require_denied(&anna, client, login()).await?;
        let after: Vec<Purpose> = locked(&anna.list(client).await?);
        ensure!(
            after == before,
            "a new confirmation or enrolment resets a lock"
        );

        let withdrawal = anna.open(client, payout(1)).await?.confirmation_id;
        ensure!(gives_pin(&anna, client, &withdrawal, &anna.pin).await?);
        ensure!(gives_code(&anna, client, &withdrawal, &app, &app.code(now())).await?);
        ensure!(
            locked(&anna.list(client).await?) == before,
            "a success for another purpose resets a lock"
        );
    }
    Ok(())
}

async fn pins(backend: Backend) -> Result<()> {
    let gateways = Gateways::start(backend).await?;
    let client = gateways.client(0);
    for _ in 0..rounds(3, 30) {
        let (anna, app) = enrolled(client, &[Purpose::Login]).await?;
        let mut open = opened(&anna, client, || payout(5)).await?;
        let spare = open.pop().context("a confirmation")?;
        let rejected = flood(&gateways, &anna, &open, &pin_proof("111999")).await?;
        check(&gateways, &anna, "PIN", "WITHDRAWAL", rejected)?;

        let status = anna.list(client).await?.pin.context("the PIN")?;
        ensure!(status.locked && !status.capped, "{status:?}");
        let is_accepted = gives_pin(&anna, client, &spare, &anna.pin).await?;
        ensure!(!is_accepted, "a right PIN is accepted while locked");
        require_denied(&anna, client, payout(6)).await?;
        confirms_login(&anna, client, &app).await?;
        let after = anna.list(client).await?.pin;
        ensure!(
            after == Some(status),
            "a code or a confirmation resets the PIN's lock"
        );
    }
    Ok(())
}

async fn backup_codes(backend: Backend) -> Result<()> {
    let gateways = Gateways::start(backend).await?;
    let client = gateways.client(0);
    for _ in 0..rounds(2, 20) {
        let (anna, codes) = Person::with_codes(client, &[Purpose::Login]).await?;
        let mut open = opened(&anna, client, login).await?;
        let spare = open.pop().context("a confirmation")?;
        let rejected = flood(&gateways, &anna, &open, &codes.typed(NO_CODE)).await?;
        check(&gateways, &anna, &codes.id, "LOGIN", rejected)?;
        let right = anna.submit(client, &spare, vec![codes.proof(1)]).await?;
        ensure!(
            !is_accepted(&right)?,
            "a right code is accepted while locked"
        );
        let more = anna
            .create_more(client, &codes, vec![codes.proof(1)])
            .await?;
        let more = more.context("settings have a throttle of their own")?;
        anna.finish(client, &more).await?;
        require_denied(&anna, client, login()).await?;
    }
    Ok(())
}

async fn opened(
    anna: &Person,
    client: &Client,
    operation: fn() -> v1::operation::Operation,
) -> Result<Vec<String>> {
    let mut open = Vec::new();
    for _ in 0..=OPEN {
        open.push(anna.open(client, operation()).await?.confirmation_id);
    }
    Ok(open)
}

/// Gives the same wrong proof for all of these confirmations at once, and counts the rejections.
async fn flood(
    gateways: &Gateways,
    anna: &Person,
    open: &[String],
    wrong: &v1::Proof,
) -> Result<usize> {
    let answers = join_all((0..AT_ONCE).map(|number| {
        let client = gateways.client(number / open.len());
        insist(anna, client, &open[number % open.len()], wrong)
    }));
    let mut rejected = 0;
    for answer in answers.await {
        match answer {
            Ok(answer) => {
                ensure!(!is_accepted(&answer)?, "a wrong proof was accepted");
                rejected += 1;
            }
            Err(status) => ensure!(
                reason_of(&status) == "CONFIRMATION_NOT_PENDING",
                "{status:?}"
            ),
        }
    }
    Ok(rejected)
}

/// Asks again for as long as the subject's line in the gateway is full.
async fn insist(
    anna: &Person,
    client: &Client,
    confirmation: &str,
    wrong: &v1::Proof,
) -> Result<v1::ConfirmationServiceSubmitProofResponse, Status> {
    loop {
        let answer = anna.submit(client, confirmation, vec![wrong.clone()]).await;
        match &answer {
            Err(status) if reason_of(status) == "SUBJECT_BUSY" && retry_after(status).is_some() => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            _ => return answer,
        }
    }
}

/// That exactly the allowed number was checked, that each other one was refused unchecked, and
/// that each answer is in the events.
fn check(
    gateways: &Gateways,
    anna: &Person,
    authenticator: &str,
    purpose: &str,
    rejected: usize,
) -> Result<()> {
    ensure!(
        rejected == OPEN * ALLOWED,
        "{rejected} rejections were answered"
    );
    let ledger = Ledger::read(&gateways.database)?;
    let subject = &anna.subject;
    let count = |reason| ledger.count(subject, "PROOF_REJECTED", "reason", reason);
    let (checked, unchecked) = (count("WRONG"), count("LOCKED"));
    ensure!(checked == ALLOWED, "{checked} were checked");
    ensure!(unchecked == rejected - ALLOWED, "{unchecked} were refused");
    let locks = ledger.count(subject, "LOCKED", "authenticator", authenticator);
    ensure!(locks == 1, "locked {locks} times");
    ensure!(ledger.count(subject, "LOCKED", "purpose", purpose) == 1);
    ensure!(ledger.facts(subject, "FAILED").count() == OPEN);
    Ok(())
}

async fn require_denied(
    anna: &Person,
    client: &Client,
    operation: v1::operation::Operation,
) -> Result<()> {
    match anna.create(client, operation).await? {
        create::Outcome::Denied(denial) => {
            ensure!(
                denial.reason() == DenialReason::TemporarilyLocked,
                "{denial:?}"
            );
            ensure!(denial.retry_at.is_some());
            Ok(())
        }
        other => anyhow::bail!("not denied: {other:?}"),
    }
}

async fn confirms_login(anna: &Person, client: &Client, app: &App) -> Result<()> {
    let id = anna.open(client, login()).await?.confirmation_id;
    ensure!(gives_code(anna, client, &id, app, &app.code(now())).await?);
    Ok(())
}
