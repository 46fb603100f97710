//! The two procedures that the personal area's own help page describes, step by step: how backup
//! codes are created, and how they are deactivated.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    BIN, Backend, pin_proof,
    v1::{IdentifierKind, IdentifierState, Purpose},
};

use crate::{
    backup_codes::spend,
    campaign::Gateways,
    harness::Suite,
    ledger::Ledger,
    world::{World, login, precondition},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("story::how_backup_codes_are_created", created);
    suite.on_each_backend("story::how_backup_codes_are_deactivated", deactivated);
    suite.on_each_backend_with(&[BIN], "story::the_demo_tells_the_whole_story", demo);
}

/// What `countersign demo` plays: every step answers as it must, and the codes are printed.
async fn demo(backend: Backend) -> Result<()> {
    let gateways = Gateways::start(backend).await?;
    let binary = std::env::var_os(BIN).context(BIN)?;
    let played = std::process::Command::new(binary)
        .args(["demo", "--endpoint", gateways.endpoint(0)])
        .output()?;
    let said = String::from_utf8_lossy(&played.stdout).into_owned();
    ensure!(played.status.success(), "{said}");
    ensure!(!said.contains('\u{2717}'), "{said}");
    for part in [
        "Keep the last",
        "LAST_CODE_RESERVED",
        "the old list is void",
        "the phone is lost",
        "This part needs `countersign dev`",
    ] {
        ensure!(said.contains(part), "nothing about {part}: {said}");
    }
    Ledger::read(&gateways.database)?;
    Ok(())
}

async fn created(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    // "Press Enable in the section Backup Code of the page Authentication methods." The page lists
    // the methods: there are no backup codes yet.
    let page = anna.list(&world.client).await?;
    ensure!(page.identifiers.is_empty());
    ensure!(page.pin.context("a PIN")?.set);

    // "Enter the PIN and press Confirm." Another PIN makes no list; the right one shows the codes.
    let wrong = vec![pin_proof("604829")];
    let answer = anna.enable_codes(&world.client, wrong).await?;
    ensure!(answer.is_none());
    let codes = anna
        .enable_codes(&world.client, vec![pin_proof(&anna.pin)])
        .await?
        .context("the PIN was rejected")?;
    ensure!(codes.codes.len() == 10);

    // "Print the list of codes and keep it in a safe place." Then Finish: from now on they count.
    anna.finish(&world.client, &codes).await?;
    let page = anna.list(&world.client).await?;
    let [shown] = page.identifiers.as_slice() else {
        anyhow::bail!("{:?}", page.identifiers);
    };
    ensure!(shown.kind() == IdentifierKind::BackupCodes);
    ensure!(shown.state() == IdentifierState::Enabled && shown.codes_left == Some(10));

    // "Do not use one of the codes to confirm operations: you need it if you want to deactivate the
    // backup codes." The platform sees to that: the last one confirms nothing.
    let on = [Purpose::Login];
    let switched = anna
        .switch_by_id(&world.client, &codes.id, &on, &[], vec![codes.proof(0)])
        .await?;
    ensure!(switched.is_some());
    let waiting = anna.open(&world.client, login("desk")).await?;
    spend(&world, &anna, &codes, 1..9).await?;
    let answer = anna
        .submit(
            &world.client,
            &waiting.confirmation_id,
            vec![codes.proof(9)],
        )
        .await;
    precondition(answer, "LAST_CODE_RESERVED")?;
    Ok(())
}

async fn deactivated(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let codes = anna.enrol_codes(&world.client, None).await?;
    // "Press Disable in the section Backup Code of the page Authentication methods."
    let page = anna.list(&world.client).await?;
    let shown = page.identifiers.first().context("backup codes")?;
    ensure!(shown.identifier_id == codes.id && shown.state() == IdentifierState::Enabled);

    // "Enter a backup code and press Confirm." Without one, or with a wrong one, they stay.
    let client = &world.client;
    let answer = anna.disable_codes(client, &codes, true, Vec::new()).await;
    precondition(answer, "STEP_UP_REQUIRED")?;
    let wrong = vec![codes.typed(countersign_testkit::NO_CODE)];
    let answer = anna.disable_codes(client, &codes, true, wrong).await?;
    ensure!(answer.is_none());
    let right = vec![codes.proof(4)];
    let gone = anna.disable_codes(client, &codes, true, right).await?;
    let gone = gone.context("a right code was rejected")?;
    ensure!(gone.state() == IdentifierState::Disabled);

    // The page remembers them, without codes; and new ones can be made.
    let page = anna.list(client).await?;
    let shown = page.identifiers.first().context("history")?;
    ensure!(shown.state() == IdentifierState::Disabled && shown.codes_left.is_none());
    let again = anna.enrol_codes(client, None).await?;
    ensure!(again.id != codes.id);
    Ok(())
}
