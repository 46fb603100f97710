//! Everybody at one row.

use anyhow::{Context, Result};

use super::{Bench, PEOPLE};
use crate::{
    CONNECTIONS,
    calls::rename,
    crowd::Crowd,
    load,
    report::{Goal, Row},
};

impl Bench {
    /// Through two gateways, so that both the line within each and the races between them count.
    pub(super) async fn one_subject(&mut self, crowd: &Crowd) -> Result<()> {
        self.server.copy(PEOPLE, "one_subject")?;
        let ready = crowd.next().context("nobody is left")?;
        let (one, other) = (
            self.gateway("one_subject").await?,
            self.gateway("one_subject").await?,
        );
        let mut clients = one.clients(CONNECTIONS / 2).await?;
        clients.extend(other.clients(CONNECTIONS / 2).await?);
        let watch = self.watch(&one)?;
        let renamed = load::closed(64, self.span(), move |worker| {
            let (client, ready) = (clients[worker % clients.len()].clone(), ready.clone());
            rename(client, ready, format!("phone {worker}"))
        })
        .await?;
        // One that loses every round it has is refused: SUBJECT_BUSY.
        self.add(
            Row::new("one subject, 64 in flight, 2 gateways", &renamed)
                .with_goal(Goal::at_least("changes/s", 200.0, renamed.rate()))
                .with_goal(Goal::at_most(
                    "lost all their rounds",
                    0.0,
                    renamed.refused.len() as f64,
                ))
                .with_usage(watch.stop()),
        );
        drop((one, other));
        self.server.drop("one_subject")
    }
}
