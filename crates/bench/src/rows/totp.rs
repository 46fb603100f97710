//! Codes of authenticator apps on PostgreSQL.

use anyhow::Result;
use countersign_client::Client;

use super::{Bench, COUNT, Nothing, PEOPLE, pin::create_and_decide};
use crate::{
    CONNECTIONS, ceilings,
    crowd::Crowd,
    load::{self, Span, Tally},
    report::{Goal, Row},
};

/// privacyIDEA 3.14 on such a machine with PostgreSQL, as published and when tuned.
const PRIVACYIDEA_TUNED: f64 = 57.0;

impl Bench {
    pub(super) async fn totp(&mut self, crowd: &Crowd) -> Result<()> {
        self.server.copy(PEOPLE, "totp")?;
        let gateway = self.gateway("totp").await?;
        let clients = gateway.clients(CONNECTIONS).await?;
        let watch = self.watch(&gateway)?;
        let many = right_codes(&clients, crowd, 32, self.span()).await?;
        let usage = watch.stop();
        self.add(
            Row::new("totp, 32 in flight", &many)
                .with_goal(Goal::at_least("of own", 0.60, self.of_own(&many)))
                .with_goal(Goal::at_least("of least", 0.40, self.of_least(&many)))
                .with_goal(Goal::at_least(
                    "times privacyIDEA, tuned",
                    100.0,
                    many.rate() / PRIVACYIDEA_TUNED,
                ))
                .with_usage(usage),
        );

        let one = right_codes(&clients, crowd, 1, Span::seconds(1, 5)).await?;
        let own = median(self.ceilings.own_alone.as_ref());
        let empty = median(self.ceilings.empty_alone.as_ref());
        let ratio = median(Some(&one)) / (own + empty);
        self.add(Row::new("totp, 1 in flight", &one).with_goal(Goal::at_most(
            "p50 of own's + empty call's",
            2.0,
            ratio,
        )));
        let wrong = wrong_codes(&clients, crowd, 32, self.span()).await?;
        self.add(
            Row::new("totp, a wrong code, 32 in flight", &wrong).with_goal(Goal::at_least(
                "of a right one",
                0.9,
                wrong.rate() / many.rate(),
            )),
        );
        drop(gateway);
        self.server.drop("totp")
    }

    /// A login from the request to the approval: two requests.
    pub(super) async fn create_and_decide(&mut self, crowd: &Crowd) -> Result<()> {
        self.server.copy(PEOPLE, "logins")?;
        let gateway = self.gateway("logins").await?;
        let clients = gateway.clients(CONNECTIONS).await?;
        let watch = self.watch(&gateway)?;
        let crowd = crowd.clone();
        let logins = load::closed(32, self.span(), move |worker| {
            let (client, crowd) = (clients[worker % clients.len()].clone(), crowd.clone());
            async move { create_and_decide(&client, &crowd).await }
        })
        .await?;
        // Pgbench's transactions have two round trips, a login has four.
        let of_own = 2.0 * self.of_own(&logins);
        self.add(
            Row::new("create + decision, 32 in flight", &logins)
                .with_goal(Goal::at_least("of own for its round trips", 0.5, of_own))
                .with_usage(watch.stop()),
        );
        drop(gateway);
        self.server.drop("logins")
    }

    pub(super) fn database_ceilings(&mut self) -> Result<()> {
        self.server.copy(PEOPLE, "own")?;
        ceilings::prepare_own(&self.server, "own")?;
        let script = ceilings::own_script(&self.keyring, COUNT)?;
        let own = self.server.pgbench("own", &script, 32, self.seconds())?;
        self.add(Row::new("pgbench own, 32 clients", &own));
        self.ceilings.own = Some(own);
        let alone = self.server.pgbench("own", &script, 1, 4)?;
        self.add(Row::new("pgbench own, 1 client", &alone));
        self.ceilings.own_alone = Some(alone);
        let script = ceilings::prepare_least(&self.server, "own", COUNT)?;
        let least = self.server.pgbench("own", &script, 32, self.seconds())?;
        self.add(Row::new("pgbench least, 32 clients", &least));
        self.ceilings.least = Some(least);
        self.server.drop("own")
    }

    pub(super) async fn empty_calls(&mut self) -> Result<()> {
        let nothing = Nothing::start().await?;
        let span = Span::seconds(1, 3);
        let many = ceilings::empty_calls(nothing.port, 32, span).await?;
        self.add(Row::new("empty call, 32 in flight", &many));
        self.ceilings.empty = Some(many);
        let alone = ceilings::empty_calls(nothing.port, 1, span).await?;
        self.add(Row::new("empty call, 1 in flight", &alone));
        self.ceilings.empty_alone = Some(alone);
        Ok(())
    }

    pub(super) fn of_own(&self, tally: &Tally) -> f64 {
        ratio(tally, self.ceilings.own.as_ref())
    }

    fn of_least(&self, tally: &Tally) -> f64 {
        ratio(tally, self.ceilings.least.as_ref())
    }
}

fn ratio(tally: &Tally, ceiling: Option<&Tally>) -> f64 {
    ceiling.map_or(f64::NAN, |ceiling| tally.rate() / ceiling.rate())
}

fn median(tally: Option<&Tally>) -> f64 {
    tally.map_or(f64::NAN, |tally| tally.done.value_at_quantile(0.5) as f64)
}

/// Right codes of people one after the other.
pub(super) async fn right_codes(
    clients: &[Client],
    crowd: &Crowd,
    in_flight: usize,
    span: Span,
) -> Result<Tally> {
    let (clients, crowd) = (clients.to_vec(), crowd.clone());
    load::closed(in_flight, span, move |worker| {
        let (client, crowd) = (clients[worker % clients.len()].clone(), crowd.clone());
        async move { crowd.submit_right(&client).await }
    })
    .await
}

async fn wrong_codes(
    clients: &[Client],
    crowd: &Crowd,
    in_flight: usize,
    span: Span,
) -> Result<Tally> {
    let (clients, crowd) = (clients.to_vec(), crowd.clone());
    load::closed(in_flight, span, move |worker| {
        let (client, crowd) = (clients[worker % clients.len()].clone(), crowd.clone());
        async move { crowd.submit_wrong(&client).await }
    })
    .await
}
