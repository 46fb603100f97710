//! A carrier over SMPP that fails while codes are asked for: no message is lost, none comes more
//! often than it was cut, and nobody gets two codes for one confirmation.

use std::time::Duration;

use anyhow::{Result, ensure};
use countersign_testkit::{BIN, Backend, Person, Phone, SMSC, Smsc, v1::DeliveryState};
use futures::future::{join_all, try_join_all};
use serde_json::{Value, json};

use crate::{
    harness::{Suite, rounds},
    sms_process::{Asker, Bank, folder, send_code, smpp},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN, SMSC],
        "sms_faults::a_carrier_that_is_killed_again_and_again",
        killed,
    );
    suite.on_each_backend_with(
        &[BIN, SMSC],
        "sms_faults::a_carrier_that_throttles_is_late_is_silent_and_hangs_up",
        misbehaves,
    );
}

/// A gateway, its carrier, and people who ask for codes.
struct Campaign {
    bank: Bank,
    smsc: Smsc,
    people: Vec<(Person, Phone)>,
}

/// What became of messages.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Codes that were asked for, with an answer.
    asked: usize,
    /// Messages in the database.
    queued: usize,
    /// Messages that came to the carrier at least once.
    arrived: usize,
    /// How often they came more than once.
    duplicates: usize,
    unknown: usize,
    failed: usize,
    /// Messages whose receipt was noted.
    receipts: usize,
    /// Submissions that the gateway found cut, and those that were not answered in time.
    cut: usize,
    timed_out: usize,
}

impl Campaign {
    /// So many people, all of whom have enrolled a phone.
    async fn start(backend: Backend, people: u32, settings: &str) -> Result<Self> {
        let (smsc, folder) = (Smsc::start().await?, folder()?);
        let provider = smpp("first", &smsc, folder.path(), settings)?;
        let bank = Bank::start(backend, "", &provider).await?;
        smsc.until("bound", |smsc| smsc.binds() == 1).await?;
        let people = bank.people(&smsc, 0..people).await?;
        bank.counted("due_at IS NOT NULL", 0).await?;
        Ok(Self { bank, smsc, people })
    }

    /// So many of them, each with a login to confirm.
    async fn askers(&mut self, count: usize) -> Result<Vec<Asker>> {
        let some = self.people.split_off(self.people.len() - count);
        self.bank.askers(&self.smsc, &some).await
    }

    /// How often the gateway has said that a submission ended so.
    fn said(&self, outcome: &str) -> usize {
        let log = self.bank.gateway.log();
        let said = format!("sms.outcome=\"{outcome}\"");
        log.matches(&said).count()
    }

    /// Waits until nothing is under way any more, and counts what became of the messages of these.
    /// Each code that came is the only one, comes at most twice, and is good.
    async fn count(&self, askers: &[Asker], before: (usize, usize)) -> Result<Counts> {
        let Self { bank, smsc, .. } = self;
        bank.counted("due_at IS NOT NULL", 0).await?;
        let mut counts = Counts {
            asked: askers.len(),
            cut: self.said("cut") - before.0,
            timed_out: self.said("timed out") - before.1,
            ..Counts::default()
        };
        for asker in askers {
            let target = asker.open.confirmation_id.replace('-', "");
            let target = match bank.database.backend() {
                Backend::Sqlite => format!("target = x'{target}'"),
                Backend::Postgres => format!("target = '\\x{target}'"),
            };
            counts.queued += bank.count(&target).await?;
            match bank.delivery(asker).await? {
                DeliveryState::Unknown => counts.unknown += 1,
                DeliveryState::Failed => counts.failed += 1,
                DeliveryState::Delivered => counts.receipts += 1,
                DeliveryState::Sent => {}
                other => anyhow::bail!("a message is {other:?} in the end"),
            }
            let codes = asker.codes(smsc)?;
            if codes.is_empty() {
                let state = bank.delivery(asker).await?;
                ensure!(
                    matches!(state, DeliveryState::Unknown | DeliveryState::Failed),
                    "a message is lost that is {state:?}"
                );
                continue;
            }
            let (code, times) = asker.code(smsc)?;
            ensure!(times <= 2, "a message came {times} times");
            counts.arrived += 1;
            counts.duplicates += times - 1;
            ensure!(bank.takes(asker, &code).await?, "the code is no good");
        }
        ensure!(counts.queued == counts.asked, "{counts:?}");
        ensure!(counts.duplicates <= counts.cut, "{counts:?}");
        ensure!(
            counts.unknown + counts.failed <= counts.timed_out + counts.cut / 2,
            "given up though the carrier answered: {counts:?}"
        );
        Ok(counts)
    }

    /// Has so many people ask at once while the carrier does as it is told, and counts.
    async fn misbehave(&mut self, count: usize, how: Value) -> Result<Counts> {
        let askers = self.askers(count).await?;
        let before = (self.said("cut"), self.said("timed out"));
        self.smsc.tell(&how).await?;
        let client = &self.bank.client;
        try_join_all(askers.iter().map(|asker| send_code(client, asker))).await?;
        self.bank.counted("due_at IS NOT NULL", 0).await?;
        self.smsc.tell(&json!({ "answer": "accept" })).await?;
        // What is late is late by seconds.
        for asker in &askers {
            if how["answer"] == "late" {
                let delivered = DeliveryState::Delivered;
                self.bank.delivery_becomes(asker, delivered).await?;
            }
        }
        let counts = self.count(&askers, before).await?;
        println!("{} {how}: {counts:?}", self.bank.database.backend().name());
        Ok(counts)
    }
}

async fn killed(backend: Backend) -> Result<()> {
    let people = rounds(24, 112);
    // It answers some and then none, so each crash finds a whole window unanswered: all of it came.
    let (answered, window) = (4, 8);
    let settings = format!("window = {window}\nresponse_timeout_seconds = 60\n");
    let mut campaign = Campaign::start(backend, people, &settings).await?;
    let askers = campaign.askers(people as usize).await?;
    let receipts = json!({ "stat": "DELIVRD", "delay_ms": 20 });
    let silent = json!({ "answer": "never", "after": answered, "receipts": receipts });
    campaign.smsc.tell(&silent).await?;
    let asking = askers.iter().map(|asker| {
        let (client, asker) = (campaign.bank.client.clone(), asker.clone());
        tokio::spawn(async move { send_code(&client, &asker).await })
    });
    let asking = asking.collect::<Vec<_>>();
    let crashes = rounds(2, 8);
    let mut submits = campaign.smsc.all("submit").len();
    for crash in 1..=crashes {
        let smsc = &campaign.smsc;
        smsc.wait("submit", submits + answered + window).await?;
        smsc.kill().await?;
        submits = smsc.all("submit").len();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let ready = json!({ "receipts": receipts });
        let next = if crash < crashes { &silent } else { &ready };
        smsc.restart(next).await?;
    }
    for asked in join_all(asking).await {
        asked??;
    }
    campaign.bank.counted("due_at IS NOT NULL", 0).await?;
    // What its last life took was answered, and there is a receipt for it.
    let last = campaign.smsc.all("submit").len() - submits;
    let delivered = "state = 'DELIVERED'";
    campaign.bank.counted_in(delivered, last..).await?;
    let counts = campaign.count(&askers, (0, 0)).await?;
    println!("{}: {crashes} crashes: {counts:?}", backend.name());
    ensure!(counts.cut == crashes as usize * window, "{counts:?}");
    ensure!(counts.arrived == counts.asked && counts.failed == 0);
    ensure!(counts.duplicates > 0 && counts.receipts > 0, "{counts:?}");
    Ok(())
}

async fn misbehaves(backend: Backend) -> Result<()> {
    let each = rounds(6, 40) as usize;
    let people = 4 * u32::try_from(each)? + 1;
    // Twice as much room as stays unanswered.
    let settings = format!("response_timeout_seconds = 2\nwindow = {}\n", 2 * each);
    let mut campaign = Campaign::start(backend, people, &settings).await?;
    let receipts = json!({ "receipts": { "stat": "DELIVRD" } });
    campaign.smsc.tell(&receipts).await?;

    // Asked for less, it is given all of it in the end, and once.
    let counts = campaign.misbehave(each, json!({ "per_second": 2 })).await?;
    ensure!((counts.arrived, counts.duplicates) == (each, 0));
    ensure!((counts.unknown, counts.cut) == (0, 0));
    let submits = campaign.smsc.all("submit");
    let throttled = submits.iter().filter(|submit| submit["id"].is_null());
    ensure!(throttled.count() > 0, "nothing was too much for it");

    // An answer that is late is taken, and nothing is sent again.
    let late = json!({ "answer": "late", "delay_ms": 5_000, "per_second": 1_000_000 });
    let counts = campaign.misbehave(each, late).await?;
    ensure!((counts.arrived, counts.duplicates) == (each, 0));
    ensure!((counts.timed_out, counts.unknown, counts.receipts) == (each, 0, each));

    // Without an answer it is not known, and nothing is sent again.
    let counts = campaign
        .misbehave(each, json!({ "answer": "never" }))
        .await?;
    ensure!((counts.arrived, counts.duplicates) == (each, 0));
    ensure!((counts.timed_out, counts.unknown) == (each, each));

    // Where the connection is cut, what was given by it is given once more.
    let cut = json!({ "answer": "cut", "after": 2, "times": 1 });
    let counts = campaign.misbehave(each, cut).await?;
    ensure!((counts.arrived, counts.unknown) == (each, 0));
    ensure!(counts.duplicates > 0 && counts.timed_out == 0);

    // Once, and no more.
    let counts = campaign.misbehave(1, json!({ "answer": "cut" })).await?;
    ensure!((counts.arrived, counts.duplicates, counts.unknown) == (1, 1, 1));
    ensure!(counts.cut == 2);
    Ok(())
}
