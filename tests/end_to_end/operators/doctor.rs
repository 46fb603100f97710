//! `countersign doctor` as an operator runs it: a sound installation is sound, and each thing that is
//! wrong is said with what to do, whatever else is wrong.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    BIN, Backend, Cluster, Database, GatewayProcess, PGBIN, PGOWNER,
    certs::{Authority, Credentials, GatewayFiles, KeyKind, leaf, rcgen::date_time_ymd},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::Suite;

/// What must never be shown.
const CANARY: &str = "canary-password";
const TABLE: &str = "[callers.\"spiffe://bank.example/login-service\"]\n\
                     methods = [\"ConfirmationService.*\"]\noperations = [\"login\"]\n";

/// Adds the tests of this file.
pub(super) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN],
        "operators::doctor::a_sound_installation_is_sound_and_left_as_it_was",
        sound,
    );
    suite.on_each_backend_with(
        &[BIN],
        "operators::doctor::what_is_wrong_with_a_database_is_said_with_what_to_do",
        databases,
    );
    suite.on_each_backend_with(
        &[BIN],
        "operators::doctor::what_is_wrong_with_a_key_file_is_said_with_what_to_do",
        key_files,
    );
    suite.with(
        &[BIN],
        "operators::doctor::what_is_wrong_with_certificates_is_said_with_what_to_do",
        certificates,
    );
    suite.with(
        &[BIN],
        "operators::doctor::what_is_odd_in_a_configuration_is_said_with_what_to_do",
        configurations,
    );
    suite.on_each_backend_with(
        &[BIN],
        "operators::doctor::what_is_odd_about_sms_is_said_with_what_to_do",
        messages,
    );
    suite.with(
        &[BIN, PGBIN],
        "operators::doctor::a_server_that_would_lose_changes_is_said_with_what_to_do",
        unsafe_server,
    );
}

/// An installation with mutual TLS.
struct Installation {
    database: Database,
    authority: Authority,
    home: TempDir,
    files: GatewayFiles,
}

/// What the doctor has said, and how it ended.
struct Said {
    status: i32,
    lines: Vec<Value>,
    all: String,
}

impl Said {
    /// That a check came out so, and that what was found and what is advised has these parts.
    fn require(&self, check: &str, status: &str, parts: &[&str]) -> Result<()> {
        let is_it = |line: &&Value| line["check"] == check && line["status"] == status;
        let line = self.lines.iter().find(is_it);
        let line = line.with_context(|| format!("no {status} {check} in {}", self.all))?;
        let has_advice = line["advice"]
            .as_str()
            .is_some_and(|advice| !advice.is_empty());
        ensure!(has_advice == (status != "ok"), "{line}");
        let line = line.to_string();
        for part in parts {
            ensure!(line.contains(part), "{part:?} is missing in {line}");
        }
        Ok(())
    }

    /// That these checks and no others are wrong, and that the status says so.
    fn require_wrong(&self, checks: &[&str]) -> Result<()> {
        let wrong = self.checks("wrong");
        ensure!(wrong == checks, "wrong are {wrong:?}: {}", self.all);
        let status = i32::from(!checks.is_empty());
        ensure!(
            self.status == status,
            "status {}: {}",
            self.status,
            self.all
        );
        Ok(())
    }

    /// The checks that came out so.
    fn checks(&self, status: &str) -> Vec<&str> {
        let lines = self.lines.iter().filter(|line| line["status"] == status);
        lines.filter_map(|line| line["check"].as_str()).collect()
    }
}

impl Installation {
    async fn new(backend: Backend) -> Result<Self> {
        Self::over(Database::fresh(backend).await?)
    }

    fn over(database: Database) -> Result<Self> {
        let home = TempDir::new()?;
        let authority = Authority::new("own")?;
        let files = GatewayFiles::write(home.path(), &authority)?;
        let this = Self {
            database,
            authority,
            home,
            files,
        };
        private(&this.path("gateway.key"))?;
        let made = command()?
            .args(["keys", "init"])
            .arg(this.path("keys.toml"))
            .output()?;
        ensure!(made.status.success(), "no keys");
        this.configure(this.database.url(), TABLE)?;
        Ok(this)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn configure(&self, url: &str, callers: &str) -> Result<()> {
        let text = format!(
            "[database]\nurl = \"{url}\"\n[keys]\nfile = \"keys.toml\"\n{}{callers}",
            self.files.config("1.3")
        );
        Ok(fs::write(self.path("countersign.toml"), text)?)
    }

    /// Everything that is stored. A dump has a random word in two of its lines.
    fn stored(&self) -> Result<Vec<u8>> {
        let dump = self.database.dump()?;
        let lines = dump.split(|byte| *byte == b'\n');
        let is_random =
            |line: &[u8]| line.starts_with(b"\\restrict") || line.starts_with(b"\\unrestrict");
        let lines: Vec<&[u8]> = lines.filter(|line| !is_random(line)).collect();
        Ok(lines.concat())
    }

    /// Gives the gateway this certificate and key.
    fn present(&self, own: &Credentials) -> Result<()> {
        fs::write(self.path("gateway.pem"), &own.chain)?;
        Ok(fs::write(self.path("gateway.key"), &own.key)?)
    }

    fn doctor(&self) -> Result<Said> {
        self.doctor_with(&[])
    }

    /// What it says in JSON, which must be what it says in text, with no canary in either.
    fn doctor_with(&self, environment: &[(&str, &str)]) -> Result<Said> {
        let run = |more: &[&str]| -> Result<(i32, String)> {
            let output = command()?
                .args(["doctor", "--config"])
                .arg(self.path("countersign.toml"))
                .args(more)
                .envs(environment.iter().copied())
                .output()?;
            let err = String::from_utf8(output.stderr)?;
            ensure!(err.is_empty(), "{err}");
            let status = output.status.code().context("a status")?;
            Ok((status, String::from_utf8(output.stdout)?))
        };
        let (status, text) = run(&[])?;
        let (same_status, all) = run(&["--json"])?;
        ensure!(status == same_status, "{status} and {same_status}");
        let document: Value = serde_json::from_str(&all)?;
        let lines = document["checks"].as_array().context("checks")?.clone();
        for line in &lines {
            let (check, word) = (line["check"].as_str(), line["status"].as_str());
            let (check, word) = (check.context("check")?, word.context("status")?);
            let begins = format!("{word:<8} {check}: ");
            ensure!(text.contains(&begins), "{begins:?} is missing in {text}");
        }
        let keys = fs::read_to_string(self.path("keys.toml")).unwrap_or_default();
        let secrets = keys
            .lines()
            .filter_map(|line| line.strip_prefix("secret = "));
        for secret in secrets
            .map(|secret| secret.trim_matches('"'))
            .chain([CANARY])
        {
            let is_shown = text.contains(secret) || all.contains(secret);
            ensure!(!is_shown, "a secret is shown: {text}{all}");
        }
        Ok(Said { status, lines, all })
    }
}

fn command() -> Result<Command> {
    Ok(Command::new(std::env::var_os(BIN).context(BIN)?))
}

fn private(path: &Path) -> Result<()> {
    Ok(fs::set_permissions(path, Permissions::from_mode(0o600))?)
}

async fn sound(backend: Backend) -> Result<()> {
    let here = Installation::new(backend).await?;
    let before = here.stored()?;
    let said = here.doctor()?;
    // Before anybody else opens it: whoever may write folds the log into the file.
    if backend == Backend::Sqlite {
        let names = fs::read_dir(here.database.folder())?.count();
        ensure!(names == 1, "{names} files are where the database was alone");
    }
    ensure!(here.stored()? == before, "the database has changed");
    said.require_wrong(&[])?;
    ensure!(said.checks("warning").is_empty(), "{}", said.all);
    said.require("database keys", "ok", &["first start"])?;
    said.require("certificate", "ok", &["spiffe://bank.example/gateway"])?;
    said.require("certificate's expiry", "ok", &["days left"])?;
    said.require("database schema", "ok", &["this version"])?;
    said.require("methods", "ok", &["nobody may call BackupCodeService"])?;
    let noted = here.database.query("SELECT count(*) FROM key_check")?;
    ensure!(noted == "0", "{noted} keys were noted");

    // While a gateway serves, whose database has seen other keys than those of this file.
    let gateway = GatewayProcess::start(&here.database, "").await?;
    here.doctor()?.require_wrong(&["database keys"])?;
    fs::copy(
        here.database.folder().join("keys.toml"),
        here.path("keys.toml"),
    )?;
    let said = here.doctor()?;
    said.require_wrong(&[])?;
    said.require("database keys", "ok", &["belongs to this database"])?;
    gateway.client("test").await?;
    Ok(())
}

async fn databases(backend: Backend) -> Result<()> {
    let here = Installation::new(backend).await?;
    // What is wrong with the database hides nothing of the rest.
    let expired = |said: &Said| said.require("certificate's expiry", "wrong", &["ago"]);
    let mut params = leaf("spiffe://bank.example/gateway")?;
    params.not_after = date_time_ymd(2020, 1, 1);
    params.not_before = date_time_ymd(2019, 1, 1);
    here.present(&here.authority.issue(KeyKind::P256, params)?)?;
    match backend {
        Backend::Sqlite => {
            here.configure("sqlite:elsewhere.db", TABLE)?;
            let said = here.doctor()?;
            said.require_wrong(&["certificate's expiry", "database schema"])?;
            said.require(
                "database schema",
                "wrong",
                &["run `countersign migrate --config"],
            )?;
            ensure!(!here.path("elsewhere.db").exists(), "a file was made");
            expired(&said)?;
            fs::write(here.path("elsewhere.db"), "no database")?;
        }
        Backend::Postgres => {
            let server = here.database.server()?;
            // Nobody listens on port 1, and every server refuses an unknown role.
            for (url, part) in [
                (
                    format!("postgres://anna:{CANARY}@127.0.0.1:1/mfa"),
                    "refused",
                ),
                (format!("postgres://nobody:{CANARY}@{server}/mfa"), "nobody"),
            ] {
                here.configure(&url, TABLE)?;
                let said = here.doctor()?;
                said.require_wrong(&["certificate's expiry", "database"])?;
                let parts = [part, ":***@", "`database.url`", "password"];
                said.require("database", "wrong", &parts)?;
                expired(&said)?;
            }
            here.configure(here.database.url(), TABLE)?;
            here.database.query("DROP SCHEMA public CASCADE")?;
            here.database.query("CREATE SCHEMA public")?;
            let said = here.doctor()?;
            said.require_wrong(&["certificate's expiry", "database schema"])?;
            said.require(
                "database schema",
                "wrong",
                &["run `countersign migrate --config"],
            )?;
            here.configure(&format!("mysql://anna:{CANARY}@127.0.0.1/mfa"), TABLE)?;
        }
    }
    let said = here.doctor()?;
    ensure!(said.checks("wrong").contains(&"database"), "{}", said.all);
    expired(&said)
}

async fn key_files(backend: Backend) -> Result<()> {
    let here = Installation::new(backend).await?;
    drop(GatewayProcess::start(&here.database, "").await?);
    let own = here.database.folder().join("keys.toml");
    let said = here.doctor()?;
    said.require_wrong(&["database keys"])?;
    let parts = ["does not belong to this database", "`keys.file`"];
    said.require("database keys", "wrong", &parts)?;

    let keys = here.path("keys.toml");
    fs::copy(&own, &keys)?;
    fs::set_permissions(&keys, Permissions::from_mode(0o644))?;
    let said = here.doctor()?;
    // What can be read is compared all the same.
    said.require_wrong(&["key file's mode"])?;
    let parts = ["644", "run `chmod 600"];
    said.require("key file's mode", "wrong", &parts)?;
    said.require("database keys", "ok", &["belongs"])?;

    fs::write(&keys, "format = 1\nsecret = \"canary-password\"\n")?;
    private(&keys)?;
    here.doctor()?.require_wrong(&["key file"])?;
    fs::remove_file(&keys)?;
    let said = here.doctor()?;
    said.require_wrong(&["key file"])?;
    said.require("key file", "wrong", &["countersign keys init"])?;
    said.require("database schema", "ok", &[])
}

async fn certificates() -> Result<()> {
    let here = Installation::new(Backend::Sqlite).await?;
    let id = "spiffe://bank.example/gateway";
    let right = here.authority.issue(KeyKind::P256, leaf(id)?)?;
    let another = here.authority.issue(KeyKind::P256, leaf(id)?)?;
    let mixed = Credentials {
        key: another.key,
        ..right.clone()
    };
    let mut nameless = leaf(id)?;
    nameless
        .subject_alt_names
        .retain(|name| format!("{name:?}").starts_with("URI"));
    let nameless = here.authority.issue(KeyKind::P256, nameless)?;
    let mut no_svid = leaf(id)?;
    no_svid
        .subject_alt_names
        .retain(|name| !format!("{name:?}").starts_with("URI"));
    let no_svid = here.authority.issue(KeyKind::P256, no_svid)?;
    let foreign = Authority::new("own")?.issue(KeyKind::P256, leaf(id)?)?;
    let torn = Credentials {
        chain: "no certificate".to_owned(),
        ..right.clone()
    };
    for (own, check, status, part) in [
        (&right, "certificate", "ok", "vouched for"),
        (&mixed, "certificate's key", "wrong", "`tls.key`"),
        (&nameless, "certificate's names", "warning", "check names"),
        (&no_svid, "certificate", "wrong", "X.509-SVID"),
        (
            &foreign,
            "certificate",
            "wrong",
            "no authority of its trust domain",
        ),
        (&torn, "certificate", "wrong", "`tls.certificate`"),
    ] {
        here.present(own)?;
        let said = here.doctor()?;
        said.require(check, status, &[part])?;
        let wrong: &[&str] = if status == "wrong" { &[check] } else { &[] };
        said.require_wrong(wrong)?;
    }
    here.present(&right)?;
    fs::set_permissions(here.path("gateway.key"), Permissions::from_mode(0o644))?;
    here.doctor()?
        .require_wrong(&["certificate's key's mode"])?;
    private(&here.path("gateway.key"))?;
    here.files.set_bundle("no certificate")?;
    let said = here.doctor()?;
    said.require_wrong(&["bundle of bank.example"])?;
    said.require("certificate", "ok", &["no bundle"])
}

async fn configurations() -> Result<()> {
    let here = Installation::new(Backend::Sqlite).await?;
    let url = here.database.url().to_owned();
    let idle = "[callers.\"spiffe://bank.example/idle\"]\nmethods = []\n";
    here.configure(&url, &format!("{TABLE}{idle}"))?;
    let said = here.doctor()?;
    said.require_wrong(&[])?;
    let check = "callers.\"spiffe://bank.example/idle\"";
    said.require(check, "warning", &["may call nothing", "`methods`"])?;

    let all = "[callers.\"spiffe://bank.example/all\"]\nmethods = [\"*\"]\n\
               purposes = [\"login\"]\noperations = [\"withdrawal\"]\npayment_methods = [\"*\"]\n\
               ceilings = { \"*\" = \"unlimited\" }\n";
    here.configure(&url, all)?;
    let said = here.doctor()?;
    said.require_wrong(&[])?;
    let warnings = said.checks("warning");
    ensure!(warnings == ["callers.\"spiffe://bank.example/all\""; 2]);

    // Each fault of the configuration, and the rest all the same.
    here.configure(&url, "[pin]\nmin_digits = 3\n")?;
    let said = here.doctor()?;
    said.require_wrong(&["configuration", "configuration"])?;
    let parts = ["pin.min_digits", "countersign config check --config"];
    ensure!(said.all.contains(parts[0]) && said.all.contains(parts[1]));
    said.require("database schema", "ok", &[])?;
    said.require("certificate", "ok", &[])?;

    here.configure(&format!("postgres://anna:{CANARY}@db/mfa\\q"), TABLE)?;
    here.doctor()?.require_wrong(&["configuration"])?;
    fs::remove_file(here.path("countersign.toml"))?;
    here.doctor()?.require_wrong(&["configuration"])?;

    here.configure(&format!("postgres://anna:{CANARY}@127.0.0.1:1/mfa"), TABLE)?;
    let said = here.doctor_with(&[("COUNTERSIGN_SET_DATABASE__URL", &url)])?;
    said.require_wrong(&[])?;
    said.require("environment", "ok", &["COUNTERSIGN_SET_DATABASE__URL"])?;

    let plain =
        format!("insecure = true\n[database]\nurl = \"{url}\"\n[keys]\nfile = \"keys.toml\"\n");
    fs::write(here.path("countersign.toml"), plain)?;
    let said = here.doctor()?;
    said.require_wrong(&[])?;
    said.require("insecure", "warning", &["`[tls]`"])
}

async fn unsafe_server() -> Result<()> {
    let bin = std::env::var_os(PGBIN).map(PathBuf::from).context(PGBIN)?;
    let owner = std::env::var(PGOWNER)
        .ok()
        .filter(|owner| !owner.is_empty());
    let server = Cluster::start_with(bin.clone(), owner.clone(), "max_connections=30")?;
    let here = Installation::over(Database::fresh_on(&server.url()).await?)?;
    let said = here.doctor()?;
    said.require_wrong(&[])?;
    let parts = ["27", "16", "`database.max_connections`"];
    said.require("database connections", "warning", &parts)?;

    server.crash()?;
    here.doctor()?.require_wrong(&["database"])?;

    let server = Cluster::start_with(bin, owner, "fsync=off full_page_writes=off")?;
    let url = format!("{}/postgres", server.url());
    here.configure(&url, TABLE)?;
    let said = here.doctor()?;
    said.require_wrong(&["database durability", "database schema"])?;
    let parts = ["`fsync = off`", "set `fsync = on` in postgresql.conf"];
    said.require("database durability", "wrong", &parts)?;
    let parts = ["set `full_page_writes = on`"];
    said.require("database durability", "warning", &parts)
}

async fn messages(backend: Backend) -> Result<()> {
    let here = Installation::new(backend).await?;
    let said = here.doctor()?;
    said.require("sms", "ok", &["off", "`sms.providers`"])?;
    ensure!(!said.all.contains("sms outbox"), "{}", said.all);

    let staging = "[sms.providers.staging]\nkind = \"file\"\ndirectory = \"sms\"\n";
    here.configure(here.database.url(), &format!("{TABLE}{staging}"))?;
    let said = here.doctor()?;
    said.require_wrong(&[])?;
    said.require("sms.providers.staging", "warning", &["reaches no phone"])?;
    said.require("sms outbox", "ok", &["no message waits"])?;
    said.require("sms prefixes", "ok", &["none is closed"])?;
    ensure!(!here.path("sms").exists(), "a folder was made");

    // A message of an hour ago that nobody has sent, and a prefix that is closed for a while.
    let hour = 3_600_000;
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed()?.as_millis())?;
    let (queued, until) = (now - hour, now + hour);
    let (id, empty) = match backend {
        Backend::Sqlite => ("x'01'", "x''"),
        Backend::Postgres => ("'\\x01'", "''"),
    };
    here.database.query(&format!(
        "INSERT INTO message (subject_id, message_id, identifier_id, target, created_at, expires_at, \
         state, due_at, prefix, updated_at, progress, body) VALUES ('anna', {id}, {id}, {id}, {queued}, \
         {now}, 'QUEUED', {queued}, '+7912', {queued}, {empty}, {id})"
    ))?;
    here.database.query(&format!(
        "INSERT INTO spend (scope, slot, updated_at, closed_until, body) \
         VALUES ('prefix/+7912', 0, {now}, {until}, {empty})"
    ))?;
    let said = here.doctor()?;
    said.require_wrong(&[])?;
    said.require(
        "sms outbox",
        "warning",
        &["1 message waits", "a gateway runs"],
    )?;
    said.require(
        "sms prefixes",
        "warning",
        &["+7912 until", "pumps messages"],
    )?;

    // A secret that is not there is said by its key, and the rest is judged all the same.
    let smsc = "[sms.providers.main]\nkind = \"smsc\"\nurl = \"https://smsc.example/send\"\n\
                login = \"me\"\npassword = { file = \"smsc.password\" }\n\
                callback_secret = { file = \"smsc.password\" }\n";
    here.configure(here.database.url(), &format!("{TABLE}{smsc}"))?;
    let said = here.doctor()?;
    said.require_wrong(&["configuration"])?;
    let parts = ["sms.providers.main.password", "smsc.password"];
    said.require("configuration", "wrong", &parts)?;
    fs::write(here.path("smsc.password"), CANARY)?;
    let said = here.doctor()?;
    said.require_wrong(&[])?;
    said.require("sms", "ok", &["main (smsc)"])?;
    said.require(
        "sms webhooks",
        "warning",
        &["main would report", "`sms.webhooks.listen`"],
    )?;
    said.require("sms outbox", "warning", &[])?;
    // Switched off while something waits.
    here.configure(here.database.url(), TABLE)?;
    let said = here.doctor()?;
    said.require("sms outbox", "warning", &["nobody sends these"])
}
