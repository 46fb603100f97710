//! Sends a request more than once, one way or another.

use std::{fmt::Debug, future::Future};

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::{Backend, Client, Database, Proxy, reason_of, retry_after};
use futures::future::try_join_all;
use tonic::{Code, Status};

use crate::campaign::Gateways;

/// How a request comes to be sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    InARow,
    AtOnce,
    AfterKill,
    CutBehind,
    CutBefore,
}

/// Sends each request more than once.
pub(super) struct Repeater {
    pub(super) gateways: Gateways,
    proxy: Option<Proxy>,
    way: Way,
}

impl Repeater {
    pub(super) async fn new(backend: Backend, way: Way) -> Result<Self> {
        let (gateways, proxy) = match way {
            Way::CutBehind | Way::CutBefore => {
                let database = Database::fresh(backend).await?;
                let proxy = Proxy::start(database.server()?).await?;
                let url = database.url_via(proxy.address())?;
                (Gateways::over(database, vec![url]).await?, Some(proxy))
            }
            Way::InARow | Way::AtOnce | Way::AfterKill => (Gateways::start(backend).await?, None),
        };
        Ok(Self {
            gateways,
            proxy,
            way,
        })
    }

    /// The one answer to a request. `twist` makes another one of it.
    pub(super) async fn ask<
        Q: Clone,
        R: PartialEq + Debug,
        F: Future<Output = Result<R, Status>>,
    >(
        &mut self,
        request: Q,
        twist: impl FnOnce(&mut Q),
        send: fn(Client, Q) -> F,
    ) -> Result<R> {
        let mut answers = self.answers(&request, send).await?;
        let last = answers.pop().context("an answer")?;
        for answer in answers {
            ensure!(answer == last, "{answer:?} and later {last:?}");
        }
        self.refuses_another(request, twist, send).await?;
        Ok(last)
    }

    /// All answers to a request, at least one.
    pub(super) async fn answers<Q: Clone, R, F: Future<Output = Result<R, Status>>>(
        &mut self,
        request: &Q,
        send: fn(Client, Q) -> F,
    ) -> Result<Vec<R>> {
        let gateways = &self.gateways;
        let again = |number| send(gateways.client(number).clone(), request.clone());
        match (self.way, &self.proxy) {
            (Way::AtOnce, _) => Ok(try_join_all((0..32).map(again)).await?),
            (Way::AfterKill, _) => {
                let first = again(0).await?;
                self.gateways.kill_and_restart(0).await?;
                let client = self.gateways.client(0).clone();
                Ok(vec![first, send(client, request.clone()).await?])
            }
            (Way::CutBehind | Way::CutBefore, Some(proxy)) => {
                let cuts = proxy.cuts();
                if self.way == Way::CutBehind {
                    proxy.cut_behind_next_commit();
                } else {
                    proxy.cut_before_next_commit();
                }
                let first = again(0).await;
                ensure!(proxy.cuts() == cuts + 1, "nothing was cut");
                let mut answers = Vec::new();
                match first {
                    Ok(answer) => answers.push(answer),
                    Err(status) => ensure!(
                        status.code() == Code::Unavailable
                            && reason_of(&status) == "OUTCOME_UNKNOWN"
                            && retry_after(&status).is_some(),
                        "{status:?}"
                    ),
                }
                answers.push(again(0).await?);
                Ok(answers)
            }
            _ => Ok(vec![again(0).await?, again(1).await?]),
        }
    }

    pub(super) async fn refuses_another<Q, R: Debug, F: Future<Output = Result<R, Status>>>(
        &self,
        mut request: Q,
        twist: impl FnOnce(&mut Q),
        send: fn(Client, Q) -> F,
    ) -> Result<()> {
        twist(&mut request);
        match send(self.gateways.client(1).clone(), request).await {
            Err(status) if reason_of(&status) == "REQUEST_ID_REUSED" => {
                ensure!(status.code() == Code::InvalidArgument, "{status:?}");
                Ok(())
            }
            other => bail!("another request with the same id: {other:?}"),
        }
    }
}
