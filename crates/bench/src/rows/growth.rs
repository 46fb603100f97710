//! What more subjects cost, beside what they cost the database alone.

use std::time::Duration;

use anyhow::Result;
use countersign_primitives::{Clock, SystemClock};
use countersign_totp::Step;

use super::Bench;
use crate::{
    CONNECTIONS,
    calls::{each, right_code},
    ceilings,
    crowd::Crowd,
    load::{self, Span, Tally},
    people::Size,
    report::{Goal, Row},
};

const FEW: u64 = 10_000;
const MANY: u64 = 1_000_000;
/// So short, since ten thousand people have but three codes each that count at any time: enough for
/// 12,000 a second.
const SPAN: Span = Span {
    warm_up: Duration::from_millis(500),
    measured: Duration::from_secs(2),
};
/// When the checkpoint begins, within the measured part.
const CHECKPOINT: Duration = Duration::from_secs(1);

impl Bench {
    pub(super) async fn growth(&mut self) -> Result<()> {
        let (few, few_own) = self.of_size(FEW, 3).await?;
        let (many, many_own) = self.of_size(MANY, 1).await?;
        let fall = many.rate() / few.rate();
        let own_fall = many_own.rate() / few_own.rate();
        let row = Row::plain("growth, 10,000 to 1,000,000 subjects")
            .with_goal(Goal::at_least(
                "of pgbench's own fall",
                0.85,
                fall / own_fall,
            ))
            .with_note(format!(
                "with a hundred times the subjects codes keep {fall:.2} of their rate, pgbench \
                 {own_fall:.2}"
            ));
        self.add(row);
        Ok(())
    }

    /// Codes and pgbench on so many people with a past, a checkpoint within each run.
    async fn of_size(&mut self, people: u64, open: u64) -> Result<(Tally, Tally)> {
        let size = Size {
            people,
            logins: 2,
            open,
        };
        let mut ready = self.people("grown", size).await?;
        // First the earliest code of everybody, then the next.
        ready.sort_by_key(|ready| ready.shift);
        let script = ceilings::own_script(&self.keyring, people)?;
        self.server.copy("grown", "grown_own")?;
        ceilings::prepare_own(&self.server, "grown_own")?;
        // Whole seconds are what pgbench takes.
        let seconds = (SPAN.warm_up + SPAN.measured).as_secs() + 1;
        let own = std::thread::scope(|scope| {
            let checkpoint = scope.spawn(|| self.checkpoint_later("grown_own"));
            let own = self.server.pgbench("grown_own", &script, 32, seconds);
            checkpoint
                .join()
                .map_err(|_| anyhow::anyhow!("the checkpoint panicked"))??;
            own
        })?;
        self.server.drop("grown_own")?;
        self.add(Row::new(&format!("pgbench own, {people} subjects"), &own));

        let gateway = self.gateway("grown").await?;
        let clients = gateway.clients(CONNECTIONS).await?;
        let crowd = Crowd::new(ready);
        // Within one step, so that none of a person's three codes is too old by its turn.
        let now = SystemClock.now();
        tokio::time::sleep(now.until(Step::at(now).next().begins())).await;
        let watch = self.watch(&gateway)?;
        // The load runs on the runtime's worker, and this thread waits for the checkpoint.
        let codes = tokio::spawn(load::closed(32, SPAN, each(&clients, &crowd, right_code)));
        self.checkpoint_later("grown")?;
        let codes = codes.await??;
        self.add(
            Row::new(&format!("totp, {people} subjects, 32 in flight"), &codes)
                .with_usage(watch.stop()),
        );
        drop(gateway);
        self.server.drop("grown")?;
        Ok((codes, own))
    }

    fn checkpoint_later(&self, database: &str) -> Result<()> {
        std::thread::sleep(CHECKPOINT);
        self.server.sql(database, "CHECKPOINT")?;
        Ok(())
    }
}
