//! The examples in other languages, run as their READMEs say, against what `certs dev` makes.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Error, Result, ensure};
use countersign_testkit::{BIN, Backend, Database, DevPlatform};

use crate::harness::Suite;

/// A Python that has what the example needs.
const PYTHON: &str = "COUNTERSIGN_TEST_PYTHON";
/// The folder of the TypeScript example, where its packages are installed.
const TYPESCRIPT: &str = "COUNTERSIGN_TEST_TYPESCRIPT";

/// The PIN of both stories.
const PIN: &str = "27491358";

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN, PYTHON],
        "other_languages::the_python_example_tells_the_whole_story",
        python,
    );
    suite.on_each_backend_with(
        &[BIN, TYPESCRIPT],
        "other_languages::the_typescript_example_tells_the_whole_story",
        typescript,
    );
}

async fn python(backend: Backend) -> Result<()> {
    let python = std::env::var_os(PYTHON).context(PYTHON)?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/python");
    let command = |script: &str| {
        let mut command = Command::new(&python);
        command.arg(folder.join(script));
        command
    };
    static MADE: OnceLock<Result<(), String>> = OnceLock::new();
    once(&MADE, &mut command("generate.py"))?;
    tells(backend, &["a code is sent to +49"], || command("story.py")).await
}

async fn typescript(backend: Backend) -> Result<()> {
    let folder = PathBuf::from(std::env::var_os(TYPESCRIPT).context(TYPESCRIPT)?);
    let mut build = Command::new("npm");
    build
        .args(["run", "--silent", "build"])
        .current_dir(&folder);
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    once(&BUILT, &mut build)?;
    let parts = ["the disabled app ends the sessions", "to +49 "];
    tells(backend, &parts, || {
        let mut command = Command::new("node");
        command.arg(folder.join("dist/story.js"));
        command
    })
    .await
}

/// The story is told to its end, with steps that could be left out, twice, and the gateway has nothing to complain of.
async fn tells(backend: Backend, parts: &[&str], story: impl Fn() -> Command) -> Result<()> {
    let database = Database::fresh(backend).await?;
    let platform = DevPlatform::start_over(Some(&database)).await?;
    let endpoint = platform.endpoint();
    for _ in 0..2 {
        let mut command = story();
        command
            .arg(endpoint.trim_start_matches("https://"))
            .arg(platform.certs());
        let told = said(&mut command)?;
        let is_whole = told.contains("steps answered as they must");
        let is_whole = is_whole && parts.iter().all(|part| told.contains(part));
        ensure!(is_whole, "{told}");
    }
    let log = platform.log();
    for unwanted in ["ERROR", "WARN", PIN] {
        ensure!(!log.contains(unwanted), "{unwanted} is in the log: {log}");
    }
    Ok(())
}

/// Runs a program whose files all tests share, in the first of them.
fn once(ran: &OnceLock<Result<(), String>>, command: &mut Command) -> Result<()> {
    let outcome = ran.get_or_init(|| said(command).map(drop).map_err(|error| error.to_string()));
    outcome.clone().map_err(Error::msg)
}

/// What a program prints that ends well.
fn said(command: &mut Command) -> Result<String> {
    let ran = command.stdin(Stdio::null()).output();
    let ran = ran.with_context(|| format!("{command:?} cannot be run"))?;
    let out = String::from_utf8_lossy(&ran.stdout).into_owned();
    let error = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "{command:?} failed: {out}{error}");
    Ok(out)
}
