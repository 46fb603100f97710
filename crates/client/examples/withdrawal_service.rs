//! A withdrawal service: pays out once the person has confirmed exactly this withdrawal.
//!
//! ```sh
//! cargo run -p countersign-client --example withdrawal_service -- https://localhost:50051 certs anna
//! ```
//!
//! The folder is one of `countersign certs dev`; the person has enrolled through the portal.

use std::{io::stdin, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use countersign_client::{
    Client, mutate,
    v1::{
        self, ConfirmationState as State, confirmation_service_create_response::Outcome as Created,
        confirmation_service_submit_proof_response::Outcome as Submitted,
        proof::Authenticator as By, stage_option::Authenticator as Offered,
    },
};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [endpoint, certs, subject] = arguments.as_slice() else {
        bail!("usage: withdrawal_service ENDPOINT CERTS SUBJECT");
    };
    let own = |file: &str| Path::new(certs).join(file);
    let client = &Client::builder(endpoint)
        .identity(own("withdrawal-service.pem"), own("withdrawal-service.key"))
        .trust(own("ca.pem"))
        .server_id("spiffe://countersign.dev/gateway")
        .connect()
        .await?;

    // What will be carried out, from this service's own records: the same at Create and at Redeem.
    let amount = v1::Money {
        currency_code: "EUR".to_owned(),
        units: 250,
        nanos: 0,
    };
    let operation = v1::Operation {
        operation: Some(v1::operation::Operation::Withdrawal(v1::Withdrawal {
            source_account: "trading-1001".to_owned(),
            amount: Some(amount),
            destination: "DE89370400440532013000".to_owned(),
            payment_method: "sepa".to_owned(),
        })),
    };
    let mut create = v1::ConfirmationServiceCreateRequest {
        subject_id: subject.clone(),
        operation: Some(operation.clone()),
        ..Default::default()
    };
    let created = mutate(&mut create, |request| async move {
        client.confirmations().create(request).await
    });
    let outcome = created.await?.outcome;
    let confirmation = match outcome.context("an answer without an outcome")? {
        Created::Confirmation(confirmation) => confirmation,
        Created::NotRequired(_) => return pay_out(),
        Created::Denied(denial) => bail!("denied: {}", denial.reason().as_str_name()),
        Created::EnrolmentRequired(_) => bail!("a second factor must be enrolled first"),
    };
    let confirmation_id = prove(client, confirmation).await?;

    // Only Redeem permits anything, and only once. Keep this request beside the withdrawal: where
    // its answer is lost, the same request finds out, after a restart too, whether it was permitted.
    let mut redeem = v1::ConfirmationServiceRedeemRequest {
        subject_id: subject.clone(),
        confirmation_id,
        operation: Some(operation),
        ..Default::default()
    };
    let redeemed = mutate(&mut redeem, |request| async move {
        client.confirmations().redeem(request).await
    });
    match redeemed.await {
        Ok(_) => pay_out(),
        Err(error) if error.may_be_done() => {
            let id = redeem.request_id;
            bail!("{error}; Redeem again, with request id {id}, before anything is paid out")
        }
        Err(error) => bail!("nothing is paid out: {error}"),
    }
}

fn pay_out() -> Result<()> {
    println!("250 EUR are paid out");
    Ok(())
}

/// Shows what would do, and asks for proofs until the confirmation is approved.
async fn prove(client: &Client, mut confirmation: v1::Confirmation) -> Result<String> {
    for path in &confirmation.paths {
        println!("This would confirm it, in this order:");
        for stage in &path.stages {
            let names: Vec<String> = stage.options.iter().map(name).collect();
            println!("- {}", names.join(" or "));
        }
    }
    let mut is_sent = false;
    while confirmation.state() == State::Pending {
        let option = next_option(&confirmation).context("nothing can be proved now")?;
        if !option.masked_number.is_empty() && !is_sent {
            send_code(client, &confirmation, option).await?;
            is_sent = true;
        }
        println!("{}?", name(option));
        let mut code = String::new();
        ensure!(stdin().read_line(&mut code)? > 0, "nothing was typed");
        if code.trim().is_empty() {
            is_sent = false;
            continue;
        }
        let proof = v1::Proof {
            authenticator: option.authenticator.clone().map(|offered| match offered {
                Offered::Pin(pin) => By::Pin(pin),
                Offered::Identifier(which) => By::IdentifierId(which.identifier_id),
            }),
            code: code.trim().to_owned(),
        };
        let mut submit = v1::ConfirmationServiceSubmitProofRequest {
            subject_id: confirmation.subject_id.clone(),
            confirmation_id: confirmation.confirmation_id.clone(),
            proofs: vec![proof],
            ..Default::default()
        };
        let answer = mutate(&mut submit, |request| async move {
            client.confirmations().submit_proof(request).await
        });
        let answer = answer.await?;
        confirmation = answer.confirmation.unwrap_or_default();
        if let Some(Submitted::Rejected(_)) = answer.outcome {
            println!("Not right: {} tries left", confirmation.attempts_left);
        }
    }
    let state = confirmation.state();
    ensure!(
        state == State::Approved,
        "the confirmation is {}",
        state.as_str_name()
    );
    Ok(confirmation.confirmation_id)
}

/// Has a code sent by SMS, once one may be. While a code lives the next message has the same one.
async fn send_code(
    client: &Client,
    confirmation: &v1::Confirmation,
    option: &v1::StageOption,
) -> Result<()> {
    let Some(Offered::Identifier(which)) = &option.authenticator else {
        bail!("only an identifier has a number");
    };
    let mut request = v1::ConfirmationServiceSendCodeRequest {
        subject_id: confirmation.subject_id.clone(),
        confirmation_id: confirmation.confirmation_id.clone(),
        identifier_id: which.identifier_id.clone(),
        ..Default::default()
    };
    loop {
        let sent = mutate(&mut request, |request| async move {
            client.confirmations().send_code(request).await
        });
        match sent.await {
            Ok(answer) => {
                let left = answer.sent_code.map_or(0, |sent| sent.sends_left);
                println!(
                    "A code goes to {}; an empty line sends it again, {left} times at most",
                    option.masked_number
                );
                return Ok(());
            }
            Err(error) if error.reason() == Some(v1::ErrorReason::SendTooSoon) => {
                let wait = error.retry_after().context("no wait is named")?;
                println!("The next message may go out in {} s", wait.as_secs() + 1);
                tokio::time::sleep(wait).await;
            }
            // Whatever else there is: another option may do, such as a backup code.
            Err(error) => bail!("no code is sent: {error}"),
        }
    }
}

/// The first option that can be used, of the first stage that is not passed.
fn next_option(confirmation: &v1::Confirmation) -> Option<&v1::StageOption> {
    let mut stages = confirmation.paths.first()?.stages.iter();
    let stage = stages.find(|stage| !stage.passed)?;
    stage.options.iter().find(|option| option.usable)
}

fn name(option: &v1::StageOption) -> String {
    match &option.authenticator {
        Some(Offered::Identifier(which)) => format!("Code of \"{}\"", which.label),
        Some(Offered::Pin(_)) | None => "PIN".to_owned(),
    }
}
