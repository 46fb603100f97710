//! The examples of the Rust client, run as an integrator runs them.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::{App, BIN, DevPlatform, Person, early_in_step, now, pin_proof, v1};

use crate::harness::Suite;

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.with(
        &[BIN],
        "rust_clients::both_examples_go_through_with_what_is_right_and_not_with_what_is_wrong",
        stories,
    );
    suite.with(
        &[BIN],
        "rust_clients::a_withdrawal_with_the_login_services_certificate_is_refused_and_says_why",
        wrong_certificate,
    );
    suite.with(
        &[BIN],
        "rust_clients::both_examples_have_a_code_sent_by_sms_once_one_may_be",
        by_sms,
    );
}

/// Runs an example, and types these lines.
fn run(platform: &DevPlatform, name: &str, person: &Person, typed: &[&str]) -> Result<Output> {
    run_with(platform, &platform.certs(), name, person, typed)
}

fn run_with(
    platform: &DevPlatform,
    certs: &Path,
    name: &str,
    person: &Person,
    typed: &[&str],
) -> Result<Output> {
    let mut child = begin(platform, certs, name, person)?;
    let mut stdin = child.stdin.take().context("its standard input")?;
    // One that refuses without a question does not read.
    let _ = stdin.write_all(typed.join("\n").as_bytes());
    drop(stdin);
    Ok(child.wait_with_output()?)
}

/// Begins an example, which waits for what is typed.
fn begin(platform: &DevPlatform, certs: &Path, name: &str, person: &Person) -> Result<Child> {
    // `cargo build --workspace --all-targets` puts examples beside the binary.
    let binary = PathBuf::from(std::env::var_os(BIN).context(BIN)?);
    let example = binary.with_file_name("examples").join(name);
    let child = Command::new(&example)
        .arg(platform.endpoint())
        .arg(certs)
        .arg(&person.subject)
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} cannot be run", example.display()))?;
    Ok(child)
}

fn require(ran: &Output, said: &[&str]) -> Result<()> {
    let out = String::from_utf8_lossy(&ran.stdout);
    let error = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "it failed: {out}{error}");
    for part in said {
        ensure!(out.contains(part), "{part:?} is not in {out:?}");
    }
    Ok(())
}

fn require_refused(ran: &Output, said: &[&str]) -> Result<()> {
    let out = String::from_utf8_lossy(&ran.stdout);
    let error = String::from_utf8_lossy(&ran.stderr);
    ensure!(
        ran.status.code() == Some(1),
        "{:?}: {out}{error}",
        ran.status
    );
    let all = format!("{out}{error}");
    for part in said {
        ensure!(all.contains(part), "{part:?} is not in {all:?}");
    }
    for claim in ["is logged in", "are paid out"] {
        ensure!(!out.contains(claim), "{out:?}");
    }
    Ok(())
}

/// Somebody who enrolled through the portal.
async fn enrolled(platform: &DevPlatform) -> Result<(Person, App)> {
    let portal = platform.builder("portal").connect().await?;
    let person = Person::new();
    person.set_pin(&portal).await?;
    let purposes = [v1::Purpose::Login, v1::Purpose::Withdrawal];
    let app = person
        .enrol(&portal, &purposes, early_in_step().await)
        .await?;
    Ok((person, app))
}

async fn stories() -> Result<()> {
    let platform = DevPlatform::start().await?;
    let (person, app) = enrolled(&platform).await?;
    let nobody = Person::new();
    let ran = run(&platform, "withdrawal_service", &nobody, &[])?;
    require_refused(&ran, &["a second factor must be enrolled first"])?;

    let wrong = app.wrong_code(now());
    let ran = run(&platform, "login_service", &person, &[&wrong])?;
    require_refused(&ran, &["Not right: 4 tries left", "nothing was typed"])?;
    let right = app.code(now());
    let ran = run(&platform, "login_service", &person, &[&wrong, &right])?;
    require(&ran, &["is logged in"])?;

    // The code that logged in is used, so the app's next one is asked for.
    let ran = run(
        &platform,
        "withdrawal_service",
        &person,
        &[&person.pin, &right],
    )?;
    require_refused(&ran, &["- PIN", "tries left"])?;
    let wrong_pin = person.pin.chars().rev().collect::<String>();
    let ran = run(&platform, "withdrawal_service", &person, &[&wrong_pin])?;
    require_refused(&ran, &["Not right: 4 tries left"])?;
    let next = app.next_code(now());
    let typed = [person.pin.as_str(), &next];
    let ran = run(&platform, "withdrawal_service", &person, &typed)?;
    require(&ran, &["- PIN", "- Code of", "250 EUR are paid out"])
}

/// Waits for the message with this number, from 1, and reads its code.
async fn code_of(platform: &DevPlatform, number: usize) -> Result<String> {
    // Longer than messages have to wait for each other.
    for _ in 0..600 {
        let messages = platform.messages()?;
        let Some(message) = messages.get(number - 1) else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let message: serde_json::Value = serde_json::from_str(message)?;
        let text = message["text"].as_str().context("a text")?;
        // The last: the end of a destination may look like one.
        let mut words = text.split(|character: char| !character.is_alphanumeric());
        let is_code = |word: &&str| word.len() == 6 && word.bytes().all(|it| it.is_ascii_digit());
        return Ok(words.rfind(is_code).context("a code")?.to_owned());
    }
    bail!("message {number} did not come")
}

async fn by_sms() -> Result<()> {
    let platform = DevPlatform::start().await?;
    let portal = platform.builder("portal").connect().await?;
    let person = Person::new();
    person.set_pin(&portal).await?;
    let phone = person.begin_phone(&portal, "+79123456789").await?;
    let code = code_of(&platform, 1).await?;
    let purposes = [v1::Purpose::Login, v1::Purpose::Withdrawal];
    let proofs = vec![pin_proof(&person.pin)];
    let done = person.confirm_phone(&portal, &phone, &code, &purposes, proofs);
    done.await?.context("the phone was not enabled")?;

    for (number, example, first, end) in [
        (2, "login_service", String::new(), "is logged in"),
        (
            3,
            "withdrawal_service",
            format!("{}\n", person.pin),
            "250 EUR are paid out",
        ),
    ] {
        let mut child = begin(&platform, &platform.certs(), example, &person)?;
        let mut stdin = child.stdin.take().context("its standard input")?;
        stdin.write_all(first.as_bytes())?;
        let code = code_of(&platform, number).await?;
        stdin.write_all(code.as_bytes())?;
        drop(stdin);
        let ran = child.wait_with_output()?;
        let says = [
            "The next message may go out in",
            "A code goes to +7 ",
            "3 times at most",
            end,
        ];
        require(&ran, &says)?;
        let said = String::from_utf8_lossy(&ran.stdout);
        ensure!(!said.contains("9123456789"), "{said}");
    }
    Ok(())
}

async fn wrong_certificate() -> Result<()> {
    let platform = DevPlatform::start().await?;
    let (person, app) = enrolled(&platform).await?;
    // A folder in which the one's certificate lies under the other's name.
    let certs = platform.certs().join("mixed");
    fs::create_dir(&certs)?;
    fs::copy(platform.certs().join("ca.pem"), certs.join("ca.pem"))?;
    for ending in ["pem", "key"] {
        let own = platform.certs().join(format!("login-service.{ending}"));
        fs::copy(own, certs.join(format!("withdrawal-service.{ending}")))?;
    }
    let code = app.code(now());
    let typed = [person.pin.as_str(), &code];
    let ran = run_with(&platform, &certs, "withdrawal_service", &person, &typed)?;
    let said = [
        "CALLER_NOT_PERMITTED",
        "may not have such operations confirmed",
    ];
    require_refused(&ran, &said)?;
    // Nothing was used up: the same proofs confirm it for the service that may ask.
    let ran = run(&platform, "withdrawal_service", &person, &typed)?;
    require(&ran, &["250 EUR are paid out"])
}
