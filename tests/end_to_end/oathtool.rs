//! `oathtool` as an authenticator that nobody here wrote.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    App, Backend, app_proof, pin_proof, v1,
    v1::{ConfirmationState, Purpose, TotpAlgorithm},
};

use crate::{
    harness::Suite,
    world::{MINUTE, World, login, rejected, state},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    let name = "oathtool::its_codes_enrol_and_log_in_with_every_algorithm_and_length";
    if Command::new("oathtool").arg("--version").output().is_ok() {
        suite.on_each_backend(name, every_kind);
    } else {
        suite.leave_out(name);
    }
}

/// What oathtool shows at an instant.
fn code(algorithm: &str, digits: i32, secret: &str, seconds: i64) -> Result<String> {
    let output = Command::new("oathtool")
        .arg(format!("--totp={algorithm}"))
        .arg(format!("--digits={digits}"))
        .arg(format!("--now=@{seconds}"))
        .args(["--base32", secret])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "oathtool failed: {said}");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

async fn every_kind(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    for (algorithm, name, seed) in [
        (TotpAlgorithm::Sha1, "sha1", 32),
        (TotpAlgorithm::Sha256, "sha256", 52),
        (TotpAlgorithm::Sha512, "sha512", 103),
    ] {
        for digits in [6, 8] {
            let anna = world.somebody().await?;
            let request = v1::TotpServiceBeginEnableRequest {
                algorithm: algorithm.into(),
                digits,
                ..Default::default()
            };
            let begun = anna.begin_enable(&world.client, request).await?;
            ensure!(
                begun.secret_base32.len() == seed,
                "{name}: {}",
                begun.secret_base32.len()
            );
            let uri = begun.otpauth_uri.to_lowercase();
            ensure!(
                name == "sha1" || uri.contains(&format!("algorithm={name}")),
                "{uri}"
            );
            ensure!(digits == 6 || uri.contains("digits=8"), "{uri}");
            let app = App::told(&begun)?;
            let shown = || {
                let seconds = world.now().as_millis() / 1000;
                code(name, digits, &begun.secret_base32, seconds)
            };

            let typed = shown()?;
            ensure!(typed.len() == usize::try_from(digits)?);
            let proofs = vec![pin_proof(&anna.pin)];
            let purposes = [Purpose::Login];
            let done = anna
                .confirm_enable(&world.client, &app, &typed, &purposes, proofs)
                .await?;
            done.with_context(|| format!("{name} with {digits} digits was not enrolled"))?;
            let id = anna
                .open(&world.client, login("phone"))
                .await?
                .confirmation_id;
            let replayed = anna
                .submit(&world.client, &id, vec![app_proof(&app, &typed)])
                .await?;
            ensure!(rejected(&replayed));
            world.pass(MINUTE);
            let proofs = vec![app_proof(&app, &shown()?)];
            let answer = anna.submit(&world.client, &id, proofs).await?;
            ensure!(
                state(&answer) == ConfirmationState::Approved,
                "{name} {digits}"
            );
        }
    }
    Ok(())
}
