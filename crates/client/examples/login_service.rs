//! A login service: lets a person in once their second factor was proved.
//!
//! ```sh
//! cargo run -p countersign-client --example login_service -- https://localhost:50051 certs anna
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
        bail!("usage: login_service ENDPOINT CERTS SUBJECT");
    };
    let own = |file: &str| Path::new(certs).join(file);
    // One client for the whole service. Certificates that are renewed it takes by itself.
    let client = &Client::builder(endpoint)
        .identity(own("login-service.pem"), own("login-service.key"))
        .trust(own("ca.pem"))
        .server_id("spiffe://countersign.dev/gateway")
        .on_reload(|reloaded| {
            if let Err(error) = reloaded {
                eprintln!("{error}");
            }
        })
        .connect()
        .await?;

    // The password was right. What else has to be proved is decided here, and an approval is the
    // login at once: nothing is left to redeem.
    let login = v1::Login {
        ip_address: "203.0.113.7".to_owned(),
        user_agent: "an example".to_owned(),
        device_id: "device-1".to_owned(),
    };
    let mut request = v1::ConfirmationServiceCreateRequest {
        subject_id: subject.clone(),
        operation: Some(v1::Operation {
            operation: Some(v1::operation::Operation::Login(login)),
        }),
        redeem_on_approval: true,
        ..Default::default()
    };
    let created = mutate(&mut request, |request| async move {
        client.confirmations().create(request).await
    });
    let outcome = created.await?.outcome;
    match outcome.context("an answer without an outcome")? {
        Created::Confirmation(confirmation) => prove(client, confirmation).await?,
        Created::NotRequired(_) => {}
        Created::Denied(denial) => bail!("denied: {}", denial.reason().as_str_name()),
        Created::EnrolmentRequired(_) => bail!("a second factor must be enrolled first"),
    }
    println!("{subject} is logged in");
    Ok(())
}

/// Asks for proofs until the confirmation is redeemed, or over.
async fn prove(client: &Client, mut confirmation: v1::Confirmation) -> Result<()> {
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
        state == State::Redeemed,
        "the confirmation is {}",
        state.as_str_name()
    );
    Ok(())
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
