//! PINs, and what they must not do to codes.

use std::sync::Arc;

use anyhow::Result;
use countersign_client::{Client, new_request_id, v1};
use countersign_workload::PIN;

use super::{Bench, PEOPLE, totp::right_codes};
use crate::{
    CONNECTIONS, ceilings,
    crowd::{Crowd, Ready, reply_of},
    load::{self, Reply, Span, Tally},
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
        let pins = {
            let (clients, payouts) = (clients.clone(), payouts.clone());
            load::closed(8, span, move |worker| {
                let (client, payouts) = (clients[worker % clients.len()].clone(), payouts.clone());
                async move { submit_pin(&client, &payouts).await }
            })
            .await?
        };
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
        let capacity = right_codes(&clients, crowd, 32, Span::seconds(1, 4))
            .await?
            .rate();
        let raw = ceilings::argon2(std::time::Duration::from_secs(2))?;
        let span = self.span();
        let calm = open_codes(&clients, crowd, 0.3 * capacity, span).await?;
        self.add(Row::new("totp, open loop at 30 %", &calm));

        let seconds = (span.warm_up + span.measured).as_secs_f64();
        let payouts = open_payouts(&clients, &crowd.take((2.2 * raw * seconds) as usize)).await?;
        let watch = self.watch(&gateway)?;
        // Connections of their own: the flood comes from another service.
        let others = gateway.clients(CONNECTIONS).await?;
        let flood = load::open(2.0 * raw, span, move |number| {
            let (client, payouts) = (others[number % others.len()].clone(), payouts.clone());
            async move { submit_pin(&client, &payouts).await }
        });
        let (codes, flood) = tokio::join!(open_codes(&clients, crowd, 0.3 * capacity, span), flood);
        let (codes, flood) = (codes?, flood?);
        let p99 = |tally: &Tally| tally.done.value_at_quantile(0.99) as f64;
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

/// Right codes at a rate that does not wait for answers.
pub(super) async fn open_codes(
    clients: &[Client],
    crowd: &Crowd,
    per_second: f64,
    span: Span,
) -> Result<Tally> {
    let (clients, crowd) = (clients.to_vec(), crowd.clone());
    load::open(per_second, span, move |number| {
        let (client, crowd) = (clients[number % clients.len()].clone(), crowd.clone());
        async move { crowd.submit_right(&client).await }
    })
    .await
}

/// Opens a payout, whose first stage is the PIN, for everybody in the crowd.
async fn open_payouts(clients: &[Client], people: &Crowd) -> Result<Crowd> {
    let opened = Arc::new(Crowd::new([]));
    let mut tasks = tokio::task::JoinSet::new();
    for client in clients.iter().cycle().take(4 * clients.len()) {
        let (client, people, opened) = (client.clone(), people.clone(), Arc::clone(&opened));
        tasks.spawn(async move {
            while let Some(ready) = people.next() {
                opened.give_back(open_payout(&client, ready).await?);
            }
            anyhow::Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok((*opened).clone())
}

async fn open_payout(client: &Client, ready: Ready) -> Result<Ready> {
    use v1::confirmation_service_create_response::Outcome;
    let payout = v1::Withdrawal {
        source_account: "ACC-1".to_owned(),
        amount: Some(v1::Money {
            currency_code: "EUR".to_owned(),
            units: 250,
            nanos: 0,
        }),
        destination: "DE02120300000000202051".to_owned(),
        payment_method: "sepa".to_owned(),
    };
    let request = v1::ConfirmationServiceCreateRequest {
        subject_id: ready.subject.clone(),
        request_id: new_request_id(),
        operation: Some(v1::Operation {
            operation: Some(v1::operation::Operation::Withdrawal(payout)),
        }),
        redeem_on_approval: false,
    };
    let answer = client.confirmations().create(request).await?.into_inner();
    let Some(Outcome::Confirmation(confirmation)) = answer.outcome else {
        anyhow::bail!("a payout needs no PIN: {answer:?}");
    };
    Ok(Ready {
        confirmation: confirmation.confirmation_id,
        ..ready
    })
}

async fn submit_pin(client: &Client, payouts: &Crowd) -> Reply {
    let Some(ready) = payouts.next() else {
        return crate::crowd::out_of_people();
    };
    let pin = v1::proof::Authenticator::Pin(v1::Pin {});
    let reply = ready.submit_proof(client, pin, PIN.to_owned(), true).await;
    if matches!(reply, Reply::Refused { .. }) {
        payouts.give_back(ready);
    }
    reply
}

/// Opens a login of the next in line, who then types the code: two requests.
pub(super) async fn create_and_decide(client: &Client, crowd: &Crowd) -> Reply {
    use v1::confirmation_service_create_response::Outcome;
    let Some(ready) = crowd.next() else {
        return crate::crowd::out_of_people();
    };
    let request = v1::ConfirmationServiceCreateRequest {
        subject_id: ready.subject.clone(),
        request_id: new_request_id(),
        operation: Some(v1::Operation {
            operation: Some(v1::operation::Operation::Login(v1::Login {
                ip_address: "203.0.113.7".to_owned(),
                user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:141.0)".to_owned(),
                device_id: "laptop-1".to_owned(),
            })),
        }),
        redeem_on_approval: false,
    };
    let answer = match client.confirmations().create(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return reply_of(&status),
    };
    let Some(Outcome::Confirmation(confirmation)) = answer.outcome else {
        return Reply::Failed("a login needs no code".to_owned());
    };
    let ready = Ready {
        confirmation: confirmation.confirmation_id,
        ..ready
    };
    ready.submit_right(client).await
}
