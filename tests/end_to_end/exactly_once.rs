//! Whatever the interleaving, over any number of gateways: a code, an approval, the first PIN and
//! the last identifier each count once.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    BIN, Backend, Person, app_proof, now, pin_proof,
    v1::{ConfirmationState, IdentifierState, Purpose, SecurityIdentifier},
};
use futures::future::join_all;

use crate::{
    campaign::{Gateways, confirm, enrolled, is_accepted, login, require_reason},
    harness::{Suite, rounds},
    ledger::Ledger,
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN],
        "exactly_once::of_64_submits_of_a_code_one_is_accepted_and_of_64_redeems_one",
        codes_and_approvals,
    );
    suite.on_each_backend_with(
        &[BIN],
        "exactly_once::of_first_pins_set_at_once_one_is_kept",
        first_pins,
    );
    suite.on_each_backend_with(
        &[BIN],
        "exactly_once::of_two_identifiers_disabled_at_once_one_stays",
        last_identifiers,
    );
}

/// On how many confirmations a code is tried at once: on one, the confirmation's own state would
/// refuse most; on ten, only the code's single use does.
const SPREADS: [usize; 4] = [10, 4, 8, 1];
const AT_ONCE: usize = 64;

async fn codes_and_approvals(backend: Backend) -> Result<()> {
    let gateways = Gateways::start(backend).await?;
    for round in 0..rounds(100, 1000) {
        let spread = SPREADS[round as usize % SPREADS.len()];
        let client = gateways.client(0);
        let (anna, app) = enrolled(client, &[Purpose::Login]).await?;
        let mut open = Vec::new();
        for _ in 0..spread {
            open.push(anna.open(client, login()).await?.confirmation_id);
        }
        let code = app.code(now());
        let answers = join_all((0..AT_ONCE).map(|number| {
            let proofs = vec![app_proof(&app, &code)];
            let client = gateways.client(number / spread);
            anna.submit(client, &open[number % spread], proofs)
        }));
        let mut approved = Vec::new();
        for answer in answers.await {
            match answer {
                Ok(answer) if is_accepted(&answer)? => {
                    approved.push(answer.confirmation.context("a confirmation")?);
                }
                Ok(_) => {}
                Err(status) => require_reason(&status, "CONFIRMATION_NOT_PENDING")?,
            }
        }
        let [approved] = approved.as_slice() else {
            anyhow::bail!("round {round}: {} submits were accepted", approved.len());
        };
        ensure!(approved.state() == ConfirmationState::Approved);

        let answers = join_all((0..AT_ONCE).map(|number| {
            let client = gateways.client(number);
            anna.redeem(client, &approved.confirmation_id, login())
        }));
        let mut redeemed = 0;
        for answer in answers.await {
            match answer {
                Ok(_) => redeemed += 1,
                Err(status) => require_reason(&status, "ALREADY_REDEEMED")?,
            }
        }
        ensure!(
            redeemed == 1,
            "round {round}: {redeemed} redeems went through"
        );
    }

    let ledger = Ledger::read(&gateways.database)?;
    for subject in ledger.subjects() {
        let accepted = ledger.count(subject, "PROOF_ACCEPTED", "purpose", "LOGIN");
        ensure!(accepted == 1, "{subject}: {accepted} codes were accepted");
        ensure!(ledger.facts(subject, "REDEEMED").count() == 1);
    }
    Ok(())
}

async fn first_pins(backend: Backend) -> Result<()> {
    let gateways = Gateways::start(backend).await?;
    for round in 0..rounds(40, 400) {
        let anna = Person::new();
        let pins: Vec<String> = (0..16).map(|number| format!("850374{number:02}")).collect();
        let answers = join_all(
            pins.iter()
                .enumerate()
                .map(|(number, pin)| anna.set_first_pin(gateways.client(number), pin, Vec::new())),
        );
        let mut kept = Vec::new();
        for (pin, answer) in pins.iter().zip(answers.await) {
            match answer {
                Ok(done) => kept.extend(done.map(|_| pin)),
                Err(status) => require_reason(&status, "PIN_ALREADY_SET")?,
            }
        }
        let [kept] = kept.as_slice() else {
            anyhow::bail!("round {round}: {} first PINs were set", kept.len());
        };
        let proofs = vec![pin_proof(kept)];
        let changed = anna
            .change_pin(gateways.client(1), "94620571", proofs)
            .await?;
        ensure!(
            changed.is_some(),
            "round {round}: the PIN that was acknowledged is not the one that is kept"
        );
    }
    Ledger::read(&gateways.database)?;
    Ok(())
}

async fn last_identifiers(backend: Backend) -> Result<()> {
    let gateways = Gateways::start(backend).await?;
    for round in 0..rounds(40, 400) {
        let client = gateways.client(0);
        let (anna, first) = enrolled(client, &[]).await?;
        let second = anna.begin(client, "second").await?;
        let at = confirm(&anna, client, &second, &[], Some(&first)).await?;

        let apps = [(&first, first.next_code(at)), (&second, second.code(at))];
        let answers = join_all((0..8).map(|number| {
            let (app, code) = &apps[number % 2];
            anna.disable(
                gateways.client(number / 2),
                app,
                false,
                vec![app_proof(app, code)],
            )
        }));
        let mut disabled = 0;
        for answer in answers.await {
            match answer {
                Ok(Some(_)) => disabled += 1,
                Ok(None) => {}
                Err(status) => require_reason(&status, "LAST_IDENTIFIER")?,
            }
        }
        ensure!(disabled == 1, "round {round}: {disabled} were disabled");
        let all = anna.list(client).await?.identifiers;
        let is_left = |one: &&SecurityIdentifier| one.state() == IdentifierState::Enabled;
        let left = all.iter().filter(is_left).count();
        ensure!(left == 1, "round {round}: {left} are left");
    }
    Ledger::read(&gateways.database)?;
    Ok(())
}
