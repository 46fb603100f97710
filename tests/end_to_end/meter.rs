//! Counts what a request costs.

use std::{collections::BTreeMap, future::Future};

use anyhow::{Context, Result};
use countersign_mfa::ports::Upkeep as _;
use countersign_testkit::{
    Client, Cluster, Database, FakeCarrier, Options, Proxy, TestClock, TestPlatform,
};

/// Round trips, commits that wrote something, Argon2 runs.
pub(crate) type Cost = [u64; 3];

/// A platform over PostgreSQL, with a proxy between them that counts.
pub(crate) struct Meter {
    database: Database,
    proxy: Proxy,
    platform: TestPlatform,
    /// What sends messages: past the proxy, so that only requests are counted.
    sender: TestPlatform,
    pub(crate) clock: TestClock,
    /// What each request cost at the least, and what is due.
    pub(crate) costs: BTreeMap<&'static str, (Cost, Cost)>,
}

impl Meter {
    /// A platform over a database of its own, and a client of it.
    pub(crate) async fn start(cluster: &Cluster) -> Result<(Self, Client)> {
        let database = Database::fresh_on(&cluster.url()).await?;
        let proxy = Proxy::start(database.server()?).await?;
        let clock = TestClock::default();
        let options = Options {
            url: Some(database.url_via(proxy.address())?),
            sends: false,
            ..Options::default()
        };
        let platform = TestPlatform::start(&database, &clock, options).await?;
        let options = Options {
            seed: 2,
            ..Options::default()
        };
        let sender = TestPlatform::start(&database, &clock, options).await?;
        let client = platform.client("test").await?;
        let meter = Self {
            database,
            proxy,
            platform,
            sender,
            clock,
            costs: BTreeMap::new(),
        };
        Ok((meter, client))
    }

    /// Counts what a request costs, and expects it to cost this much.
    pub(crate) async fn count<T>(
        &mut self,
        name: &'static str,
        expected: Cost,
        request: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let before = self.read()?;
        let answer = request.await.context(name)?;
        // A connection that comes back to the pool is asked whether it is well.
        while self.platform.storage.connections().busy > 0 {
            tokio::task::yield_now().await;
        }
        let after = self.read()?;
        let cost = [0, 1, 2].map(|part| after[part] - before[part]);
        let (least, _) = self.costs.entry(name).or_insert((cost, expected));
        *least = [0, 1, 2].map(|part| least[part].min(cost[part]));
        Ok(answer)
    }

    /// What was counted so far. Only a transaction that writes has a number.
    pub(crate) fn read(&self) -> Result<Cost> {
        let transactions = "SELECT pg_snapshot_xmax(pg_current_snapshot())";
        Ok([
            self.proxy.round_trips(),
            self.database.query(transactions)?.parse()?,
            self.platform.pool.runs(),
        ])
    }

    /// Waits until no message is on its way: what becomes of one is a change of its subject.
    pub(crate) async fn settled(&self) -> Result<()> {
        let sql = "SELECT count(*) FROM message WHERE due_at IS NOT NULL";
        for _ in 0..1_000 {
            if self.database.query(sql)? == "0" {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        anyhow::bail!("a message stays on its way")
    }

    /// Who carries messages.
    pub(crate) const fn carrier(&self) -> &FakeCarrier {
        &self.sender.carrier
    }

    /// Lets the time of a code pass.
    pub(crate) fn pass_a_step(&self) {
        self.clock.advance(std::time::Duration::from_secs(30));
    }
}
