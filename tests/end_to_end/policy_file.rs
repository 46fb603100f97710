//! The policy file: it decides in a running gateway, and a bad one keeps it from starting.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    BIN, Backend, Database, GatewayProcess, Person, early_in_step, v1, v1::Purpose,
};
use tempfile::TempDir;

use crate::{
    campaign::{CHEAP, login, payout},
    harness::Suite,
    world::{Created, outline},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(&[BIN], "policy_file::its_rules_decide", decides);
    suite.on_each_backend_with(
        &[BIN],
        "policy_file::a_gateway_does_not_start_with_a_bad_one",
        bad,
    );
}

/// Logins of one caller take an app, those of others are nobody's; withdrawals are refused where no
/// app is enrolled; settings take an app's code too, where there is one.
const POLICY: &str = r#"version = 1
strength = ["totp", "sms", "backup-codes"]

[[rules]]
name = "logins of the web site"
operations = ["login"]
callers = ["web"]
stages = [["totp"]]
when_off = "use"
when_none = "allow"

[[rules]]
name = "withdrawals"
operations = ["withdrawal"]
stages = [["pin"], ["totp"]]
when_off = "use"
when_none = "refuse"

[[rules]]
name = "settings"
operations = ["settings-change"]
stages = [["totp"]]
"#;

async fn decides(backend: Backend) -> Result<()> {
    let database = Database::fresh(backend).await?;
    let folder = TempDir::new()?;
    let file = folder.path().join("policy.toml");
    fs::write(&file, POLICY)?;
    let more = format!("{CHEAP}[policy]\nfile = \"{}\"\n", file.display());
    let gateway = GatewayProcess::start(&database, &more).await?;
    let web = gateway.client("web").await?;
    let other = gateway.client("other").await?;

    let anna = Person::new();
    anna.set_pin(&web).await?;
    let codes = anna.enrol_codes(&web, None).await?;
    let answer = anna.create(&web, login()).await?;
    ensure!(matches!(answer, Created::NotRequired(_)), "{answer:?}");
    for (client, operation) in [(&web, payout(1)), (&other, login())] {
        let answer = anna.create(client, operation).await?;
        let Created::Denied(denial) = answer else {
            anyhow::bail!("not denied: {answer:?}");
        };
        ensure!(denial.reason() == v1::DenialReason::RefusedByPolicy);
    }

    let app = anna.begin(&web, "").await?;
    let first = Some(codes.proof(0));
    anna.confirm(&web, &app, &[], early_in_step().await, first)
        .await?;
    // On for nothing: but the rule says that any app serves, and only an app.
    let open = anna.open(&web, login()).await?;
    ensure!(outline(&open.paths) == app.id);
    let open = anna.open(&web, payout(1)).await?;
    ensure!(outline(&open.paths) == format!("PIN > {}", app.id));
    // What a settings change takes is never less than the registry asks for.
    let proofs = vec![codes.proof(1)];
    let on = [Purpose::Login];
    let answer = anna.switch_by_id(&web, &codes.id, &on, &[], proofs).await;
    let paths = countersign_testkit::step_up_paths(&answer.err().context("too little")?);
    let paths = paths.context("paths")?;
    ensure!(outline(&paths) == format!("{} > {}", codes.id, app.id));
    Ok(())
}

async fn bad(backend: Backend) -> Result<()> {
    let database = Database::fresh(backend).await?;
    let folder = TempDir::new()?;
    let file = folder.path().join("policy.toml");
    let more = format!("{CHEAP}[policy]\nfile = \"{}\"\n", file.display());
    let cases = [
        ("name = \"settings\"", "nmae = \"settings\"", "line 20"),
        (
            "stages = [[\"totp\"]]\nwhen_off",
            "stages = [[\"fax\"]]\nwhen_off",
            "line 8, column 12",
        ),
        (
            "stages = [[\"totp\"]]\nwhen_off",
            "stages = [[]]\nwhen_off",
            "line 8, column 11",
        ),
        (
            "operations = [\"settings-change\"]",
            "operations = [\"withdrawal\"]",
            "line 19",
        ),
    ];
    for (right, wrong, place) in cases {
        let text = POLICY.replacen(right, wrong, 1);
        ensure!(text != POLICY, "{right} is not there");
        fs::write(&file, &text)?;
        let started = GatewayProcess::start(&database, &more).await;
        let said = format!("{:#}", started.err().context("it started")?);
        ensure!(said.contains(place), "{wrong}: {said}");
        ensure!(said.contains("policy.toml"), "{said}");

        let binary = std::env::var_os(BIN).context(BIN)?;
        let checked = Command::new(binary)
            .args(["policy", "check"])
            .arg(&file)
            .output()?;
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        ensure!(!checked.status.success() && said.contains(place), "{said}");
    }
    Ok(())
}
