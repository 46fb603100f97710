//! Codes by SMS on a developer's machine: `countersign dev`, its inbox, and the demo's part about them.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    process::{Child, Command, Output, Stdio},
};

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    BIN, Backend, Client, Person, free_port,
    v1::{SecurityFact, SecurityFactKind},
};
use tempfile::TempDir;

use crate::{campaign::Gateways, harness::Suite, observe::wait_for};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.with(
        &[BIN],
        "dev_inbox::the_demo_plays_its_part_about_sms_and_the_inbox_shows_the_messages",
        demo,
    );
    suite.with(
        &[BIN],
        "dev_inbox::those_who_follow_are_shown_each_message_once_as_it_comes",
        follow,
    );
    suite.with(
        &[BIN],
        "dev_inbox::a_server_that_has_no_inbox_is_said_to_have_none",
        elsewhere,
    );
}

const ONE: &str = "+79123456789";
const OTHER: &str = "+79123456780";

/// A `countersign dev` of this test's own.
struct Dev {
    child: Child,
    home: TempDir,
    endpoint: String,
}

impl Dev {
    async fn start() -> Result<Self> {
        let home = TempDir::new()?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let log = File::create(home.path().join("log"))?;
        let child = Command::new(std::env::var_os(BIN).context(BIN)?)
            .args(["dev", "--listen", &address, "--data"])
            .arg(home.path().join("data"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let dev = Self {
            child,
            home,
            endpoint: format!("http://{address}"),
        };
        wait_for("countersign dev", async || {
            Ok(dev.log()?.contains("countersign is ready").then_some(()))
        })
        .await?;
        Ok(dev)
    }

    fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.home.path().join("log"))?)
    }

    async fn client(&self) -> Result<Client> {
        Ok(Client::connect(&self.endpoint, Some("portal")).await?)
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(arguments: &[&str], endpoint: &str) -> Result<Output> {
    let mut command = Command::new(std::env::var_os(BIN).context(BIN)?);
    command.args(arguments).args(["--endpoint", endpoint]);
    Ok(command.stdin(Stdio::null()).output()?)
}

fn said(ran: &Output) -> Result<String> {
    let out = String::from_utf8(ran.stdout.clone())?;
    let error = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "{out}{error}");
    Ok(out)
}

fn refusal(ran: &Output) -> Result<String> {
    ensure!(ran.status.code() == Some(1), "{:?}", ran.status);
    ensure!(ran.stdout.is_empty(), "{ran:?}");
    Ok(String::from_utf8(ran.stderr.clone())?)
}

async fn demo() -> Result<()> {
    let dev = Dev::start().await?;
    ensure!(
        dev.log()?.contains("dev-inbox --endpoint"),
        "{}",
        dev.log()?
    );
    let told = said(&run(&["demo"], &dev.endpoint)?)?;
    ensure!(!told.contains('\u{2717}'), "{told}");
    for part in [
        "add this phone",
        "SEND_TOO_SOON",
        "the wrong code 000000 does not enable it",
        "login code",
        "withdrawal 250 EUR to ...3000",
        "it was used a moment ago",
        "change security settings",
        "the phone is disabled by that confirmation",
    ] {
        ensure!(told.contains(part), "nothing about {part}: {told}");
    }
    // Neither a code nor a whole number is in the log.
    let inbox = said(&run(&["dev-inbox"], &dev.endpoint)?)?;
    let number = inbox
        .lines()
        .next()
        .and_then(|line| line.split("  ").nth(1));
    let number = number.context("a number")?;
    ensure!(!dev.log()?.contains(number.trim_start_matches('+')));

    // The latest last, each under its time and number.
    let texts = inbox.lines().filter(|line| line.starts_with("  "));
    let texts: Vec<&str> = texts.collect();
    let order = ["add this phone", "login code", "250 EUR", "settings"];
    ensure!(texts.len() == order.len(), "{inbox}");
    for (text, part) in texts.iter().zip(order) {
        ensure!(text.contains(part), "{part}: {inbox}");
    }
    let of_number = said(&run(&["dev-inbox", "--to", number], &dev.endpoint)?)?;
    ensure!(of_number == inbox, "{of_number}");
    let of_another = run(&["dev-inbox", "--to", ONE], &dev.endpoint)?;
    ensure!(said(&of_another)?.is_empty(), "{of_another:?}");
    let noted = String::from_utf8(of_another.stderr)?;
    ensure!(noted.contains("no message to +79123456789 yet"), "{noted}");
    Ok(())
}

async fn follow() -> Result<()> {
    let dev = Dev::start().await?;
    let client = dev.client().await?;
    let (anna, boris) = (Person::new(), Person::new());
    anna.set_pin(&client).await?;
    boris.set_pin(&client).await?;
    anna.begin_phone(&client, ONE).await?;
    wait_for("the message to arrive", async || {
        let events = anna.events(&client).await?;
        let told = events.iter().flat_map(|event| &event.facts);
        let mut kinds = told.map(SecurityFact::kind);
        let arrived = SecurityFactKind::CodeDelivered;
        Ok(kinds.any(|kind| kind == arrived).then_some(()))
    })
    .await?;
    // An operator sees no more of the number than anybody.
    let shown = Command::new(std::env::var_os(BIN).context(BIN)?)
        .args(["admin", "show", &anna.subject, "--data"])
        .arg(dev.home.path().join("data"))
        .output()?;
    let shown = said(&shown)?;
    ensure!(shown.contains("SMS \"SMS\" +7 \u{2022}"), "{shown}");
    ensure!(!shown.contains("9123456789"), "{shown}");
    let mut following = Command::new(std::env::var_os(BIN).context(BIN)?)
        .args(["dev-inbox", "--follow", "--endpoint", &dev.endpoint])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let out = following.stdout.take().context("its output")?;
    let (told, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let reading = std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let _ = told.send(line);
        }
    });
    let mut next = async || lines.recv().await.context("it has ended");
    let first = next().await?;
    ensure!(first.ends_with(ONE), "{first}");
    ensure!(next().await?.contains("add this phone"));
    boris.begin_phone(&client, OTHER).await?;
    // The first is not told again.
    let second = next().await?;
    ensure!(second.ends_with(OTHER), "{second}");
    ensure!(next().await?.contains("add this phone"));
    following.kill()?;
    following.wait()?;
    ensure!(next().await.is_err(), "a message was told twice");
    ensure!(reading.join().is_ok());
    Ok(())
}

async fn elsewhere() -> Result<()> {
    let gateways = Gateways::start(Backend::Sqlite).await?;
    let error = refusal(&run(&["dev-inbox"], gateways.endpoint(0))?)?;
    ensure!(error.contains("has no inbox"), "{error}");
    let nobody = format!("http://127.0.0.1:{}", free_port()?);
    let error = refusal(&run(&["dev-inbox"], &nobody)?)?;
    ensure!(error.contains("start `countersign dev`"), "{error}");
    let ran = run(&["dev-inbox", "--to", "anna"], &nobody)?;
    let error = String::from_utf8(ran.stderr)?;
    ensure!(ran.status.code() == Some(2), "{error}");
    ensure!(error.contains("such as +79123456789"), "{error}");
    Ok(())
}
