//! SQLite: what the one writer gains by committing what is queued.

use std::{sync::Arc, time::Instant};

use anyhow::{Context, Result, ensure};
use countersign_mfa::ports::{Applied, Change, Store};
use countersign_primitives::{Clock, RequestId, SubjectId, SystemClock};
use countersign_storage::{Settings, Storage};
use countersign_workload::Maker;
use rand::{SeedableRng, rngs::StdRng};
use tempfile::TempDir;

use super::Bench;
use crate::{
    CONNECTIONS,
    calls::{each, right_code},
    ceilings,
    crowd::{Crowd, Ready},
    gateway::{CALLER, Gateway, migrate},
    load::{self, Reply, Tally},
    people::{self, FIRST},
    report::{Goal, Row},
    usage::Watch,
};

/// As many as SQLite gets through, in a short run and in a long one.
const FEW_PEOPLE: usize = 80_000;
const MANY_PEOPLE: usize = 140_000;
/// How many changes are given to the store at once while people are loaded.
const LOADED_AT_ONCE: usize = 64;

impl Bench {
    pub(super) async fn sqlite(&mut self) -> Result<()> {
        let people = if self.is_all { MANY_PEOPLE } else { FEW_PEOPLE };
        self.say(&format!("loading {people} subjects into SQLite"));
        let folder = TempDir::new()?;
        let url = format!("sqlite:{}", folder.path().join("people.db").display());
        migrate(&self.binary, &url, &self.keys)?;
        let crowd = self.load_sqlite(&url, people).await?;

        let ceilings = format!("sqlite:{}", folder.path().join("ceiling.db").display());
        migrate(&self.binary, &ceilings, &self.keys)?;
        let change = ceilings::right_code(&self.keyring)?;
        let one = commits(&ceilings, &change, 1, self.seconds(), 0).await?;
        self.add(Row::new("sqlite, one commit each", &one));
        let sixteen = commits(&ceilings, &change, 16, self.seconds(), 1).await?;
        self.add(Row::new("sqlite, 16 a commit", &sixteen));

        let gateway = Gateway::start(&self.binary, &url, &self.keys).await?;
        let clients = gateway.clients(CONNECTIONS).await?;
        let watch = Watch::start(&[("gateway", gateway.id()), ("load", std::process::id())]);
        let codes = load::closed(64, self.span(), each(&clients, &crowd, right_code)).await?;
        self.add(
            Row::new("totp, sqlite, 64 in flight", &codes)
                .with_goal(Goal::at_least(
                    "of one commit each",
                    1.5,
                    codes.rate() / one.rate(),
                ))
                .with_usage(watch.stop()),
        );
        Ok(())
    }

    /// Loads people by way of the store's own writer.
    async fn load_sqlite(&self, url: &str, people: usize) -> Result<Crowd> {
        let keyring = self.keyring.clone();
        let (ready, changes): (Vec<Ready>, Vec<Change>) = tokio::task::spawn_blocking(move || {
            let mut maker = Maker::new(keyring, people::settings(), CALLER)?;
            let made = (0..people as u64).map(|number| {
                let now = SystemClock.now();
                let subject = SubjectId::parse((FIRST + number).to_string())?;
                let (person, row) = maker.person(subject, now)?;
                let opened = maker.open(&person, row.clone(), now)?;
                let ready = Ready::new(&person, opened.confirmation, 0);
                let mut change = opened.change;
                change.from_version = None;
                change.secrets = Some(row.secrets);
                anyhow::Ok((ready, change))
            });
            made.collect::<Result<Vec<_>>>()
                .map(|made| made.into_iter().unzip())
        })
        .await??;
        let storage = Arc::new(Storage::connect(&Settings::new(url)).await?);
        for some in changes.chunks(LOADED_AT_ONCE) {
            let written = some.iter().map(|change| storage.apply(change.clone()));
            for applied in futures::future::join_all(written).await {
                ensure!(applied? == Applied::Written, "a subject was there already");
            }
        }
        storage.close().await;
        Ok(Crowd::new(ready))
    }
}

/// The row writes of a right code through the product's own writer, so many at a time: it commits
/// together what waits for it.
async fn commits(
    url: &str,
    change: &Change,
    at_a_time: usize,
    seconds: u64,
    round: u64,
) -> Result<Tally> {
    let storage = Storage::connect(&Settings::new(url)).await?;
    let mut rng = StdRng::seed_from_u64(round);
    let first = FIRST + 10_000_000 * round;
    let mut prepared = Vec::new();
    // Rows to update: as in the gateway, a check changes a subject that is there.
    for number in first..first + 20_000 {
        let mut change = change.clone();
        change.subject = SubjectId::parse(number.to_string())?;
        change.from_version = None;
        change.secrets = Some(vec![7; 250]);
        prepared.push(change);
    }
    for some in prepared.chunks(LOADED_AT_ONCE) {
        let written = some.iter().map(|change| storage.apply(change.clone()));
        for applied in futures::future::join_all(written).await {
            ensure!(applied? == Applied::Written, "a subject was there already");
        }
    }
    for change in &mut prepared {
        change.secrets = None;
        change.from_version = Some(1);
    }

    let mut tally = Tally::new()?;
    let start = Instant::now();
    let mut version = 1;
    'measured: loop {
        for some in prepared.chunks_mut(at_a_time) {
            for change in some.iter_mut() {
                change.from_version = Some(version);
                let request = change.request.as_mut().context("no request")?;
                request.key.id = RequestId::random(&mut rng);
            }
            let sent = Instant::now();
            let written = some.iter().map(|change| storage.apply(change.clone()));
            for applied in futures::future::join_all(written).await {
                ensure!(applied? == Applied::Written, "a guard missed");
                tally.count(Reply::Done, sent.elapsed());
            }
            if start.elapsed().as_secs() >= seconds {
                break 'measured;
            }
        }
        version += 1;
    }
    tally.seconds = start.elapsed().as_secs_f64();
    storage.close().await;
    Ok(tally)
}
