//! What people ask for, one request or one pair of them at a time.

use anyhow::Result;
use countersign_client::{Client, new_request_id, retry_after, v1};
use countersign_workload::PIN;
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::{
    crowd::{Crowd, Ready},
    load::Reply,
};

/// A load of one call after the other: each by the next client, with somebody of the crowd.
pub(crate) fn each<Fut>(
    clients: &[Client],
    crowd: &Crowd,
    call: impl Fn(Client, Crowd) -> Fut + Clone + Send + 'static,
) -> impl Fn(usize) -> Fut + Clone + Send + 'static {
    let (clients, crowd) = (clients.to_vec(), crowd.clone());
    move |number| call(clients[number % clients.len()].clone(), crowd.clone())
}

/// The next in line types the code that their app shows.
pub(crate) async fn right_code(client: Client, crowd: Crowd) -> Reply {
    let Some(ready) = crowd.next() else {
        return out_of_people();
    };
    let reply = submit(&client, &ready, by_app(&ready), ready.code(), true).await;
    back_in_line(&crowd, ready, &reply);
    reply
}

/// The next in line types another code, and is last in line again.
pub(crate) async fn wrong_code(client: Client, crowd: Crowd) -> Reply {
    let Some(ready) = crowd.next() else {
        return out_of_people();
    };
    let reply = submit(&client, &ready, by_app(&ready), ready.wrong_code(), false).await;
    crowd.give_back(ready);
    reply
}

/// The next in line types their PIN.
pub(crate) async fn right_pin(client: Client, crowd: Crowd) -> Reply {
    let Some(ready) = crowd.next() else {
        return out_of_people();
    };
    let pin = v1::proof::Authenticator::Pin(v1::Pin {});
    let reply = submit(&client, &ready, pin, PIN.to_owned(), true).await;
    back_in_line(&crowd, ready, &reply);
    reply
}

/// A login of the next in line from the request to the approval: two requests.
pub(crate) async fn log_in(client: Client, crowd: Crowd) -> Reply {
    let Some(ready) = crowd.next() else {
        return out_of_people();
    };
    let login = v1::operation::Operation::Login(v1::Login {
        ip_address: "203.0.113.7".to_owned(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:141.0)".to_owned(),
        device_id: "laptop-1".to_owned(),
    });
    match create(&client, ready, login).await {
        Ok(ready) => submit(&client, &ready, by_app(&ready), ready.code(), true).await,
        Err(reply) => reply,
    }
}

/// Everybody in line opens a payout, whose first stage is the PIN.
pub(crate) async fn open_payouts(clients: &[Client], people: &Crowd) -> Result<Crowd> {
    let opened = Crowd::new([]);
    let mut tasks = JoinSet::new();
    for client in clients.iter().cycle().take(4 * clients.len()) {
        let (client, people, opened) = (client.clone(), people.clone(), opened.clone());
        tasks.spawn(async move {
            while let Some(ready) = people.next() {
                let payout = v1::operation::Operation::Withdrawal(v1::Withdrawal {
                    source_account: "ACC-1".to_owned(),
                    amount: Some(v1::Money {
                        currency_code: "EUR".to_owned(),
                        units: 250,
                        nanos: 0,
                    }),
                    destination: "DE02120300000000202051".to_owned(),
                    payment_method: "sepa".to_owned(),
                });
                match create(&client, ready, payout).await {
                    Ok(ready) => opened.give_back(ready),
                    Err(reply) => anyhow::bail!("a payout was not opened: {reply:?}"),
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok(opened)
}

/// Somebody gives their app another name, which takes no proof.
pub(crate) async fn rename(client: Client, ready: Ready, label: String) -> Reply {
    let request = v1::IdentifierServiceRenameRequest {
        subject_id: ready.subject,
        request_id: new_request_id(),
        identifier_id: ready.identifier,
        label,
    };
    match client.identifiers().rename(request).await {
        Ok(_) => Reply::Done,
        Err(status) => reply_of(&status),
    }
}

async fn create(
    client: &Client,
    ready: Ready,
    operation: v1::operation::Operation,
) -> Result<Ready, Reply> {
    use v1::confirmation_service_create_response::Outcome;
    let request = v1::ConfirmationServiceCreateRequest {
        subject_id: ready.subject.clone(),
        request_id: new_request_id(),
        operation: Some(v1::Operation {
            operation: Some(operation),
        }),
        redeem_on_approval: false,
    };
    let answer = client.confirmations().create(request).await;
    let answer = answer.map_err(|status| reply_of(&status))?.into_inner();
    match answer.outcome {
        Some(Outcome::Confirmation(confirmation)) => Ok(ready.with(confirmation.confirmation_id)),
        other => Err(Reply::Failed(format!("no confirmation but {other:?}"))),
    }
}

fn by_app(ready: &Ready) -> v1::proof::Authenticator {
    v1::proof::Authenticator::IdentifierId(ready.identifier.clone())
}

/// Submits a proof for the confirmation at hand, and expects this answer.
async fn submit(
    client: &Client,
    ready: &Ready,
    authenticator: v1::proof::Authenticator,
    code: String,
    is_right: bool,
) -> Reply {
    use v1::confirmation_service_submit_proof_response::Outcome;
    let request = v1::ConfirmationServiceSubmitProofRequest {
        subject_id: ready.subject.clone(),
        request_id: new_request_id(),
        confirmation_id: ready.confirmation.clone(),
        proofs: vec![v1::Proof {
            authenticator: Some(authenticator),
            code,
        }],
    };
    let answer = match client.confirmations().submit_proof(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return reply_of(&status),
    };
    match answer.outcome {
        Some(Outcome::Accepted(_)) if is_right => Reply::Done,
        Some(Outcome::Rejected(_)) if !is_right => Reply::Done,
        Some(Outcome::Accepted(_)) => Reply::Failed("a wrong code was accepted".to_owned()),
        _ => Reply::Failed("a right code was rejected".to_owned()),
    }
}

/// Whoever was refused has used nothing up.
fn back_in_line(crowd: &Crowd, ready: Ready, reply: &Reply) {
    if matches!(reply, Reply::Refused { .. }) {
        crowd.give_back(ready);
    }
}

fn out_of_people() -> Reply {
    Reply::Failed("there were too few people for this machine".to_owned())
}

fn reply_of(status: &Status) -> Reply {
    match status.code() {
        Code::ResourceExhausted => Reply::Refused {
            with_retry: retry_after(status).is_some(),
        },
        code => Reply::Failed(format!("{code:?}: {}", status.message())),
    }
}
