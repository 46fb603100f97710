//! Codes of authenticator apps on PostgreSQL.

use anyhow::Result;

use super::{Bench, PEOPLE, median};
use crate::{
    CONNECTIONS,
    calls::{each, log_in, right_code, wrong_code},
    crowd::Crowd,
    load::{self, Span},
    report::{Goal, Row},
};

/// privacyIDEA 3.14 on such a machine with PostgreSQL, when tuned.
const PRIVACYIDEA_TUNED: f64 = 57.0;

impl Bench {
    pub(super) async fn totp(&mut self, crowd: &Crowd) -> Result<()> {
        let own = self.own()?;
        let least = self.least()?;
        let empty = self.empty_call().await?;

        self.server.copy(PEOPLE, "totp")?;
        let gateway = self.gateway("totp").await?;
        let clients = gateway.clients(CONNECTIONS).await?;
        let watch = self.watch(&gateway)?;
        let right = each(&clients, crowd, right_code);
        let many = load::closed(32, self.span(), right.clone()).await?;
        let usage = watch.stop();
        self.add(
            Row::new("totp, 32 in flight", &many)
                .with_goal(Goal::at_least("of own", 0.60, many.rate() / own.rate))
                .with_goal(Goal::at_least("of least", 0.40, many.rate() / least))
                .with_goal(Goal::at_least(
                    "times privacyIDEA, tuned",
                    100.0,
                    many.rate() / PRIVACYIDEA_TUNED,
                ))
                .with_usage(usage),
        );

        let one = load::closed(1, Span::seconds(1, 5), right).await?;
        let ratio = median(&one) / (own.median_alone + empty);
        self.add(Row::new("totp, 1 in flight", &one).with_goal(Goal::at_most(
            "p50 of own's + empty call's",
            2.0,
            ratio,
        )));
        let wrong = each(&clients, crowd, wrong_code);
        let wrong = load::closed(32, self.span(), wrong).await?;
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

    /// Logins from the request to the approval.
    pub(super) async fn logins(&mut self, crowd: &Crowd) -> Result<()> {
        let own = self.own()?;
        self.server.copy(PEOPLE, "logins")?;
        let gateway = self.gateway("logins").await?;
        let clients = gateway.clients(CONNECTIONS).await?;
        let watch = self.watch(&gateway)?;
        let logins = load::closed(32, self.span(), each(&clients, crowd, log_in)).await?;
        // A transaction of pgbench's has two round trips, a login has four.
        let of_own = 2.0 * logins.rate() / own.rate;
        self.add(
            Row::new("create + decision, 32 in flight", &logins)
                .with_goal(Goal::at_least("of own for its round trips", 0.5, of_own))
                .with_usage(watch.stop()),
        );
        drop(gateway);
        self.server.drop("logins")
    }
}
