//! PINs, and what they must not do to codes.

use std::time::Duration;

use anyhow::Result;

use super::{Bench, PEOPLE, p99};
use crate::{
    CONNECTIONS,
    calls::{each, open_payouts, right_code, right_pin},
    ceilings,
    crowd::Crowd,
    load::{self, Span},
    report::{Goal, Row},
};

impl Bench {
    pub(super) async fn pins(&mut self, crowd: &Crowd) -> Result<()> {
        let span = self.span();
        let half = span.measured / 2;
        let before = ceilings::argon2(half)?;
        self.server.copy(PEOPLE, "pin")?;
        let gateway = self.gateway("pin").await?;
        let clients = gateway.clients(CONNECTIONS).await?;
        let seconds = (span.warm_up + span.measured).as_secs_f64();
        let people = crowd.take((2.0 * before * seconds) as usize);
        let payouts = open_payouts(&clients, &people).await?;
        let watch = self.watch(&gateway)?;
        let pins = load::closed(8, span, each(&clients, &payouts, right_pin)).await?;
        let usage = watch.stop();
        // Before and after: the clock of a shared machine's cores is not always the same.
        let raw = f64::midpoint(before, ceilings::argon2(half)?);
        let mut row = Row::plain("argon2, all cores");
        row.rate = Some(raw);
        self.add(row);
        self.add(
            Row::new("pin, 8 in flight", &pins)
                .with_goal(Goal::at_least("of raw argon2", 0.90, pins.rate() / raw))
                .with_usage(usage),
        );
        drop(gateway);
        self.server.drop("pin")
    }

    /// Codes while more PINs come than can be hashed.
    pub(super) async fn flood_of_pins(&mut self, crowd: &Crowd) -> Result<()> {
        self.server.copy(PEOPLE, "flood")?;
        let gateway = self.gateway("flood").await?;
        let clients = gateway.clients(CONNECTIONS).await?;
        let right = each(&clients, crowd, right_code);
        let capacity = load::closed(32, Span::seconds(1, 4), right.clone()).await?;
        let third = 0.3 * capacity.rate();
        let raw = ceilings::argon2(Duration::from_secs(2))?;
        let span = self.span();
        let calm = load::open(third, span, right.clone()).await?;
        self.add(Row::new("totp, open loop at 30 %", &calm));

        let seconds = (span.warm_up + span.measured).as_secs_f64();
        let payouts = open_payouts(&clients, &crowd.take((2.2 * raw * seconds) as usize)).await?;
        let watch = self.watch(&gateway)?;
        // Connections of their own: the flood comes from another service.
        let others = gateway.clients(CONNECTIONS).await?;
        let flood = load::open(2.0 * raw, span, each(&others, &payouts, right_pin));
        let (codes, flood) = tokio::join!(load::open(third, span, right), flood);
        let (codes, flood) = (codes?, flood?);
        self.add(
            Row::new("totp, open loop at 30 %, 2 x PINs", &codes)
                .with_goal(Goal::at_most(
                    "p99 of that without",
                    3.0,
                    p99(&codes) / p99(&calm),
                ))
                .with_goal(Goal::at_most("refused", 0.0, codes.refused.len() as f64))
                .with_usage(watch.stop())
                .with_note(format!(
                    "of the PINs {:.0}/s were hashed and {:.0}/s refused, and of {} failed: {:?}",
                    flood.rate(),
                    flood.refused_rate(),
                    flood.failures.values().sum::<u64>(),
                    flood.failures.keys()
                )),
        );
        drop(gateway);
        self.server.drop("flood")
    }
}
