//! More than there is room for.

use std::time::Duration;

use anyhow::Result;

use super::{Bench, PEOPLE, p99};
use crate::{
    CONNECTIONS,
    calls::{each, right_code},
    crowd::Crowd,
    load::{self, Span},
    report::{Goal, Latency, Row},
    usage::{peak, resident},
};

/// What p99 may be of the one before the overload, to count as back to normal.
const NORMAL: f64 = 2.0;

impl Bench {
    pub(super) async fn overload(&mut self, crowd: &Crowd) -> Result<()> {
        self.server.copy(PEOPLE, "overload")?;
        let gateway = self.gateway("overload").await?;
        let clients = gateway.clients(CONNECTIONS).await?;
        let right = each(&clients, crowd, right_code);
        let capacity = load::closed(64, Span::seconds(2, 5), right.clone()).await?;
        let capacity = capacity.rate();
        let calm = load::open(0.3 * capacity, Span::seconds(1, 5), right.clone()).await?;
        for (times, goodput) in [(2.0, 0.8), (5.0, 0.5)] {
            let before = resident(gateway.id())?;
            let watch = self.watch(&gateway)?;
            let span = Span::seconds(2, 6);
            let tally = load::open(times * capacity, span, right.clone()).await?;
            let usage = watch.stop();
            // Two seconds to come to rest are not measured.
            let span = Span {
                warm_up: Duration::from_secs(2),
                measured: Duration::from_secs(4),
            };
            let after = load::open(0.3 * capacity, span, right.clone()).await?;
            let refusals = Latency::of(&tally.refused);
            let grown = peak(gateway.id())? - before;
            self.add(
                Row::new(&format!("overload, {times} x capacity"), &tally)
                    .with_goal(Goal::at_least(
                        "goodput of capacity",
                        goodput,
                        tally.rate() / capacity,
                    ))
                    .with_goal(Goal::at_most(
                        "p99 of refusals, ms",
                        5.0,
                        refusals.p99 as f64 / 1000.0,
                    ))
                    .with_goal(Goal::at_most(
                        "refusals without RetryInfo",
                        0.0,
                        tally.refused_without_retry as f64,
                    ))
                    .with_goal(Goal::at_most("MB more in the gateway", 64.0, grown))
                    .with_goal(Goal::at_most(
                        "after 2 s, p99 of that before",
                        NORMAL,
                        p99(&after) / p99(&calm),
                    ))
                    .with_goal(Goal::at_most(
                        "after 2 s, refused",
                        0.0,
                        after.refused.len() as f64,
                    ))
                    .with_usage(usage)
                    .with_note(format!(
                        "capacity {capacity:.0}/s; {:.0}/s were due and not sent; refused {:.0}/s, in \
                         p50 {:.2} and p99 {:.2} \
                         ms; p99 at 30 % before {:.2} ms, after {:.2} ms",
                        tally.unsent as f64 / tally.seconds,
                        tally.refused_rate(),
                        refusals.p50 as f64 / 1000.0,
                        refusals.p99 as f64 / 1000.0,
                        p99(&calm) / 1000.0,
                        p99(&after) / 1000.0,
                    )),
            );
        }
        drop(gateway);
        self.server.drop("overload")
    }
}
