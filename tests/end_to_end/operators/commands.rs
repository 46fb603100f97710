//! `countersign admin` as an operator runs it: what it says, and how it ends.

use std::{
    fs::{self, Permissions},
    io::Write as _,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use countersign_testkit::{BIN, Backend, Database};
use data_encoding::BASE32_NOPAD;
use tempfile::TempDir;

use super::import::SEEDS;
use crate::harness::Suite;

const ONE: &str = SEEDS[0];
const TWO: &str = SEEDS[1];

/// Adds the tests of this file.
pub(super) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN],
        "operators::commands::an_import_reports_what_it_refuses_and_does_the_rest",
        import,
    );
    suite.on_each_backend_with(
        &[BIN],
        "operators::commands::an_import_reads_uris_from_standard_input",
        uris,
    );
    suite.on_each_backend_with(
        &[BIN],
        "operators::commands::many_subjects_are_imported_and_made_safe_after_a_restore",
        many,
    );
    suite.on_each_backend_with(&[BIN], "operators::commands::erasing_asks_first", erase);
}

/// A database with keys and a configuration.
struct Installation {
    database: Database,
    home: TempDir,
}

/// How a command ended, and what it said.
struct Said {
    status: i32,
    out: String,
    err: String,
}

impl Said {
    /// That it ended so and said all this, and no seed.
    fn require(&self, status: i32, parts: &[&str]) -> Result<()> {
        let Self { out, err, .. } = self;
        ensure!(self.status == status, "status {}: {out}{err}", self.status);
        let said = format!("{out}{err}");
        for part in parts {
            ensure!(said.contains(part), "{part:?} is missing in: {said}");
        }
        let shows_seed = said.contains(ONE) || said.contains(TWO);
        ensure!(!shows_seed, "a seed is shown: {said}");
        Ok(())
    }
}

impl Installation {
    async fn new(backend: Backend) -> Result<Self> {
        let database = Database::fresh(backend).await?;
        let home = TempDir::new()?;
        let this = Self { database, home };
        let keys = this.path("keys.toml");
        let made = this.run(&["keys", "init", &keys.to_string_lossy()], "")?;
        made.require(0, &["made"])?;
        let config = format!(
            "insecure = true\n[database]\nurl = \"{}\"\n[keys]\nfile = \"{}\"\n",
            this.database.url(),
            keys.display()
        );
        fs::write(this.path("countersign.toml"), config)?;
        Ok(this)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A file of this text, and its name.
    fn file(&self, name: &str, text: &str) -> Result<String> {
        let path = self.path(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(path.to_string_lossy().into_owned())
    }

    fn admin(&self, arguments: &[&str], input: &str) -> Result<Said> {
        let config = self.path("countersign.toml");
        let config = config.to_string_lossy();
        let arguments = [&["admin", "--config", &*config], arguments].concat();
        self.run(&arguments, input)
    }

    fn run(&self, arguments: &[&str], input: &str) -> Result<Said> {
        let mut child = Command::new(std::env::var_os(BIN).context(BIN)?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().context("a pipe")?;
        // One that ends before it has read all is judged by what it says.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output()?;
        Ok(Said {
            status: output.status.code().context("a status")?,
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        })
    }

    fn count(&self, table: &str) -> Result<u32> {
        let sql = format!("SELECT count(*) FROM {table}");
        Ok(self.database.query(&sql)?.parse()?)
    }
}

async fn import(backend: Backend) -> Result<()> {
    let here = Installation::new(backend).await?;
    let text = format!(
        "subject,secret,label,period\n\
         anna,{ONE},Old broker,30\n\
         boris,{TWO},,\n\
         clara,{ONE},,60\n\
         anna,{ONE},,\n"
    );
    let file = here.file("seeds.csv", &text)?;
    let import = ["import-totp", &file, "--reason", "move"];
    let refused = [
        "refused: line 4, subject clara: the period must be 30 seconds",
        "refused: line 5, subject anna: the same secret stands in line 2 already",
    ];
    let dry = here.admin(&import, "")?;
    dry.require(3, &refused)?;
    dry.require(3, &["to be taken over 2", "nothing was written"])?;
    ensure!(here.count("subject")? == 0);

    let apply = [&import[..], &["--apply"]].concat();
    let done = here.admin(&apply, "")?;
    done.require(3, &refused)?;
    done.require(
        3,
        &[
            "taken over       2",
            "already there    0",
            "refused          2",
        ],
    )?;
    ensure!(!done.out.contains("nothing was written"), "{}", done.out);
    ensure!(here.count("event")? == 2);

    let shown = here.admin(&["show", "anna"], "")?;
    shown.require(
        0,
        &["TOTP \"Old broker\"", "on for LOGIN, WITHDRAWAL, OTHER"],
    )?;
    shown.require(0, &["IMPORTED", "BY_OPERATOR reason=move", "not set"])?;

    let file = here.file("seeds.csv", &text[..text.find("clara").context("clara")?])?;
    let again = ["import-totp", &file, "--reason", "move", "--apply"];
    let again = here.admin(&again, "")?;
    again.require(0, &["taken over       0", "already there    2"])?;
    ensure!(here.count("event")? == 2);

    let file = here.file("wrong.csv", &format!("anna,{ONE}\n"))?;
    let wrong = here.admin(&["import-totp", &file, "--reason", "move"], "")?;
    wrong.require(1, &["names no column `subject`"])?;
    let usage = here.admin(&["import-totp", &file], "")?;
    usage.require(2, &["--reason"])
}

async fn uris(backend: Backend) -> Result<()> {
    let here = Installation::new(backend).await?;
    let text = format!(
        "# of the old system\n\notpauth://totp/Old:anna?secret={ONE}&issuer=Old\n\
         otpauth://hotp/boris?secret={TWO}&counter=1\n"
    );
    let import = [
        "import-totp",
        "-",
        "--purposes",
        "login,other",
        "--reason",
        "move",
        "--apply",
    ];
    let done = here.admin(&import, &text)?;
    done.require(
        3,
        &["taken over       1", "refused: line 4: its codes are not"],
    )?;
    let shown = here.admin(&["show", "anna"], "")?;
    shown.require(0, &["TOTP \"Old\"", "on for LOGIN, OTHER"])?;
    let mut wrong = import;
    wrong[3] = "login,payment";
    let wrong = here.admin(&wrong, &text)?;
    wrong.require(2, &["it must be login, withdrawal or other"])?;
    let nothing = here.admin(&import, "# nothing\n")?;
    nothing.require(1, &["has no records"])
}

/// More than a page of subjects, and than are worked on at once.
const MANY: usize = 520;

async fn many(backend: Backend) -> Result<()> {
    let here = Installation::new(backend).await?;
    let mut text = "subject,secret\n".to_owned();
    for number in 0..MANY {
        for app in ["one", "two"] {
            let seed = format!("{app} {number:16}");
            let seed = BASE32_NOPAD.encode(seed.as_bytes());
            text += &format!("person-{number},{seed}\n");
        }
    }
    let file = here.file("seeds.csv", &text)?;
    let import = ["import-totp", &file, "--reason", "move", "--apply"];
    let imported = here.admin(&import, "")?;
    imported.require(0, &["taken over       1040", "refused          0"])?;
    ensure!(
        here.count("event")? == 520,
        "records of a subject share a commit"
    );

    // A message that waited when the backup was made, and may have been sent long ago.
    let id = match backend {
        Backend::Sqlite => "x'01'",
        Backend::Postgres => "'\\x01'",
    };
    here.database.query(&format!(
        "INSERT INTO message (subject_id, message_id, identifier_id, target, created_at, expires_at, \
         state, due_at, prefix, updated_at, progress, body) \
         VALUES ('person-1', {id}, {id}, {id}, 1, 2, 'QUEUED', 1, '+7912', 1, {id}, {id})"
    ))?;
    let restore = ["after-restore", "--reason", "backup of 03:00"];
    let asked = here.admin(&restore, "")?;
    asked.require(1, &["nothing was changed", "--yes"])?;
    ensure!(here.count("event")? == 520);
    let life = here.database.query("SELECT id FROM incarnation")?;
    let restore = [&restore[..], &["--yes"]].concat();
    let done = here.admin(&restore, "")?;
    let said = [
        "subjects         520",
        "failed           0",
        "messages voided  1",
    ];
    done.require(0, &said)?;
    let sql = "SELECT count(*) FROM message WHERE state = 'WITHDRAWN' AND body IS NULL";
    ensure!(
        here.database.query(sql)? == "1",
        "the message would be sent"
    );
    let sql = "SELECT count(*) FROM event WHERE version = 2 AND facts LIKE '%RESTORED%'";
    ensure!(here.database.query(sql)? == "520");
    // The feed begins anew: what was before lies at its beginning, and only this is news.
    ensure!(here.database.query("SELECT id FROM incarnation")? != life);
    let news = "SELECT min(version) || ' ' || count(*) FROM event WHERE place > 0";
    ensure!(here.database.query(news)? == "2 520");
    Ok(())
}

async fn erase(backend: Backend) -> Result<()> {
    let here = Installation::new(backend).await?;
    let text = format!("subject,secret,label\nanna,{ONE},canary-label\n");
    let file = here.file("seeds.csv", &text)?;
    let import = ["import-totp", &file, "--reason", "canary-reason", "--apply"];
    here.admin(&import, "")?.require(0, &[])?;
    let erase = ["erase", "anna", "--reason", "request 12"];
    let asked = here.admin(&erase, "")?;
    asked.require(1, &["1 identifier,", "nothing was removed", "--yes"])?;
    here.admin(&["show", "anna"], "")?
        .require(0, &["canary-label", "canary-reason"])?;

    let done = here.admin(&[&erase[..], &["--yes"]].concat(), "")?;
    done.require(0, &["anna is erased"])?;
    let shown = here.admin(&["show", "anna"], "")?;
    shown.require(0, &["\"erased\"", "ERASED", "request 12"])?;
    ensure!(!shown.out.contains("canary"), "{}", shown.out);
    let unknown = ["erase", "zoë", "--reason", "request 13", "--yes"];
    let unknown = here.admin(&unknown, "")?;
    unknown.require(1, &["the subject zoë was never heard of here"])
}
