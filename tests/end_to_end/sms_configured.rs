//! A configuration of SMS that is not right: neither `config check` nor `serve` takes it, and both
//! name the key.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};
use countersign_testkit::{BIN, Backend, Database};

use crate::{
    harness::Suite,
    sms_process::{folder, secret},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.with(
        &[BIN],
        "sms_configured::what_is_not_right_is_named_before_anything_is_served",
        named,
    );
}

/// A provider that is right but for what follows it.
const SMPP: &str = "[sms.providers.a]\nkind = \"smpp\"\nhost = \"127.0.0.1\"\nsystem_id = \"shop\"\n\
                    source = \"Example\"\n";
const HTTP: &str = "[sms.providers.a]\nkind = \"http\"\njson = '{\"to\": \"{number}\", \
                    \"text\": \"{text}\"}'\n";
const STAGING: &str = "[sms.providers.a]\nkind = \"file\"\ndirectory = \"sms\"\n";

async fn named() -> Result<()> {
    let folder = folder()?;
    let database = Database::fresh(Backend::Sqlite).await?;
    let keys = folder.path().join("keys.toml");
    let binary = std::env::var_os(BIN).context(BIN)?;
    let run = |arguments: &[&str]| Command::new(&binary).args(arguments).output();
    run(&["keys", "init", &keys.display().to_string()])?;
    let right = secret(folder.path(), "right", "s3cret")?;
    secret(folder.path(), "long", "longer than eight")?;
    for (name, text) in [
        ("unfinished", "login = { $code\n"),
        ("without", "login = no code at all\n"),
    ] {
        let texts = folder.path().join(name);
        fs::create_dir(&texts)?;
        fs::write(texts.join("de.ftl"), text)?;
    }
    for (sms, key) in [
        (
            format!("{SMPP}password = {{ file = \"absent\" }}\n"),
            "sms.providers.a.password",
        ),
        (
            format!("{SMPP}password = {{ file = \"long\" }}\n"),
            "sms.providers.a.password",
        ),
        (
            format!("{SMPP}password = {{ env = \"NO_SUCH_VARIABLE\" }}\n"),
            "sms.providers.a.password",
        ),
        (format!("{SMPP}password = \"s3cret\"\n"), "password"),
        (format!("{SMPP}password = {right}\nwindow = 0\n"), "window"),
        (
            format!("{HTTP}url = \"ftp://127.0.0.1/send\"\n"),
            "sms.providers.a.url",
        ),
        (
            format!("{HTTP}url = \"http://example.com/send\"\n"),
            "sms.providers.a.url",
        ),
        (
            format!("{HTTP}url = \"https://127.0.0.1/send\"\ntimeout_seconds = 61\n"),
            "sms.providers.a.timeout_seconds",
        ),
        ("[sms.providers.a]\nkind = \"fax\"\n".to_owned(), "kind"),
        (
            format!("{STAGING}[sms]\ntexts = \"unfinished\"\n"),
            "de.ftl",
        ),
        (format!("{STAGING}[sms]\ntexts = \"without\"\n"), "de.ftl"),
        (format!("{STAGING}[sms]\ntexts = \"absent\"\n"), "sms.texts"),
    ] {
        let config = folder.path().join("countersign.toml");
        let path = config.display().to_string();
        fs::write(
            &config,
            format!(
                "insecure = true\nlisten = \"127.0.0.1:0\"\n{sms}[database]\nurl = \"{}\"\n\
                 [keys]\nfile = \"{}\"\n",
                database.url(),
                keys.display()
            ),
        )?;
        for arguments in [
            ["config", "check", "--config"].as_slice(),
            &["serve", "--config"],
        ] {
            let arguments = [arguments, &[&path]].concat();
            let ended = run(&arguments)?;
            let said = String::from_utf8_lossy(&ended.stderr);
            ensure!(!ended.status.success(), "{sms} is taken by {arguments:?}");
            ensure!(said.contains(key), "{arguments:?} of {sms} said {said}");
            let is_secret = |secret: &&str| said.contains(*secret);
            let told = ["s3cret", "longer than eight"].into_iter().find(is_secret);
            ensure!(told.is_none(), "a secret is told: {said}");
        }
    }
    Ok(())
}
