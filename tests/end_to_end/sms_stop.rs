//! A gateway that is told to stop while messages wait and are under way loses none, and ends
//! whatever its carrier does.

use anyhow::{Result, ensure};
use countersign_testkit::{BIN, Backend, SMSC, Smsc, v1::DeliveryState};
use futures::future::try_join_all;
use serde_json::json;

use crate::{
    harness::Suite,
    sms_process::{Bank, folder, send_code, smpp},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN, SMSC],
        "sms_stop::what_is_under_way_is_ended_and_what_waits_is_sent_later",
        ends,
    );
    suite.on_each_backend_with(
        &[BIN, SMSC],
        "sms_stop::a_carrier_that_never_answers_keeps_no_gateway",
        never,
    );
}

const MESSAGES: u32 = 10;

async fn ends(backend: Backend) -> Result<()> {
    let (smsc, folder) = (Smsc::start().await?, folder()?);
    let provider = smpp("first", &smsc, folder.path(), "window = 2\n")?;
    // After what was refused it is slow.
    let more = "limits.drain_seconds = 25\n";
    let mut bank = Bank::start(backend, more, &provider).await?;
    smsc.until("bound", |smsc| smsc.binds() == 1).await?;
    let people = bank.people(&smsc, 0..MESSAGES).await?;
    let askers = bank.askers(&smsc, &people).await?;
    let submits = smsc.all("submit").len();
    // The first are refused for now, and wait; the next are slow.
    let how = json!({ "answer": "status", "status": 0x58, "times": 3 });
    smsc.tell(&how).await?;
    let (some, others) = askers.split_at(3);
    try_join_all(some.iter().map(|asker| send_code(&bank.client, asker))).await?;
    smsc.wait("submit", submits + 3).await?;
    smsc.tell(&json!({ "answer": "late", "delay_ms": 200, "status": 0 }))
        .await?;
    try_join_all(others.iter().map(|asker| send_code(&bank.client, asker))).await?;
    smsc.wait("submit", submits + 5).await?;
    bank.gateway.terminate()?;
    let status = bank.gateway.wait().await?;
    ensure!(status.success(), "it ended with {status}");
    ensure!(
        bank.count("state = 'SENDING'").await? == 0,
        "left under way"
    );
    let left = bank.count("due_at IS NOT NULL").await?;
    ensure!(left < askers.len(), "none of those under way was ended");
    smsc.tell(&json!({ "answer": "accept" })).await?;
    bank.end_leases().await?;
    bank.restart().await?;
    for asker in &askers {
        bank.delivery_becomes(asker, DeliveryState::Sent).await?;
        let (code, times) = asker.code(&smsc)?;
        ensure!(times == 1, "it came {times} times");
        ensure!(bank.takes(asker, &code).await?, "the code is no good");
    }
    println!(
        "{}: stopped with {left} of {MESSAGES} messages left, all of which came once",
        backend.name()
    );
    Ok(())
}

async fn never(backend: Backend) -> Result<()> {
    let (smsc, folder) = (Smsc::start().await?, folder()?);
    // Longer than a gateway that is told to stop is waited for here.
    let settings = "response_timeout_seconds = 60\nwindow = 2\n";
    let provider = smpp("first", &smsc, folder.path(), settings)?;
    let more = "limits.drain_seconds = 1\n";
    let mut bank = Bank::start(backend, more, &provider).await?;
    smsc.until("bound", |smsc| smsc.binds() == 1).await?;
    let people = bank.people(&smsc, 0..4).await?;
    let askers = bank.askers(&smsc, &people).await?;
    let submits = smsc.all("submit").len();
    smsc.tell(&json!({ "answer": "never" })).await?;
    try_join_all(askers.iter().map(|asker| send_code(&bank.client, asker))).await?;
    smsc.wait("submit", submits + 2).await?;
    // Two are with the carrier, and two wait for room.
    bank.counted("state = 'SENDING'", 4).await?;
    bank.gateway.terminate()?;
    let status = bank.gateway.wait().await?;
    ensure!(status.success(), "it ended with {status}");
    smsc.tell(&json!({ "answer": "accept" })).await?;
    bank.end_leases().await?;
    bank.restart().await?;
    let mut all = 0;
    for asker in &askers {
        bank.delivery_becomes(asker, DeliveryState::Sent).await?;
        let (code, times) = asker.code(&smsc)?;
        ensure!(times <= 2, "it came {times} times");
        all += times;
        ensure!(bank.takes(asker, &code).await?, "the code is no good");
    }
    ensure!(
        all == 6,
        "{all} came of four, two of which were given twice"
    );
    Ok(())
}
