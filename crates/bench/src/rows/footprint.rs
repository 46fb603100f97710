//! The gateway itself: memory, and how soon it serves.

use std::time::Duration;

use anyhow::Result;

use super::{Bench, PEOPLE};
use crate::{
    CONNECTIONS,
    calls::{each, right_code},
    crowd::Crowd,
    load::{self, Span},
    report::{Goal, Row},
    usage::{peak, resident},
};

impl Bench {
    pub(super) async fn footprint(&mut self, crowd: &Crowd) -> Result<()> {
        self.server.copy(PEOPLE, "footprint")?;
        // What a connection to the database takes is not ours: psql makes one, too.
        let connect = std::time::Instant::now();
        self.server.sql("footprint", "SELECT 1")?;
        let connect = connect.elapsed();
        let mut started = Vec::new();
        for _ in 0..5 {
            started.push(self.gateway("footprint").await?.started_in);
        }
        started.sort();
        let beyond = started[started.len() / 2].saturating_sub(connect);
        self.add(
            Row::plain("start to serving")
                .with_goal(Goal::at_most(
                    "ms beyond a connect",
                    300.0,
                    beyond.as_secs_f64() * 1000.0,
                ))
                .with_note(format!(
                    "{started:?}, of which a connect by psql {connect:?}"
                )),
        );

        let gateway = self.gateway("footprint").await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let idle = resident(gateway.id())?;
        let clients = gateway.clients(CONNECTIONS).await?;
        let watch = self.watch(&gateway)?;
        let codes =
            load::closed(64, Span::seconds(1, 5), each(&clients, crowd, right_code)).await?;
        let usage = watch.stop();
        let busy = peak(gateway.id())?;
        self.add(
            Row::new("totp, 64 in flight", &codes)
                .with_goal(Goal::at_most("MB of the gateway, idle", 40.0, idle))
                .with_goal(Goal::at_most("MB of the gateway, busy", 120.0, busy))
                .with_usage(usage),
        );
        drop(gateway);
        self.server.drop("footprint")
    }
}
