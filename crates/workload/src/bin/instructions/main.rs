//! Watches the cost of the pure paths by counting instructions, which no other load on the
//! machine can blur.

mod baseline;
mod callgrind;
mod verdict;

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, Subcommand};
use countersign_workload::PATHS;

use crate::{baseline::Baseline, verdict::Verdict};

/// What an error tells to copy.
pub(crate) const BLESS: &str =
    "cargo run --release -p countersign-workload --bin countersign-instructions bless";

/// Counts the instructions of each pure path and compares them with the baseline.
///
/// A pure path is what a request has the processor do, apart from its database and its Argon2
/// runs: checking a code, or deciding about a login with everything opened, decoded, encoded and
/// sealed. Each is run under valgrind's callgrind, twice and with different numbers of calls; the
/// difference is what the calls alone take, without start-up. Counts repeat to 0.1 %, whatever
/// else the machine does. They say what has changed, and not how fast it is: valgrind's processor
/// has no instructions for SHA, for one, so codes weigh more here than they do in earnest.
#[derive(Debug, Parser)]
#[command(
    name = "countersign-instructions",
    version,
    after_help = "\
The baseline is crates/workload/instructions.toml, and part of the repository. A path that takes
over 2 % more has become slower; one that takes over 2 % less has outgrown its baseline, which would
not notice the next 2 %. Either is blessed together with the change that is the reason.

Needs valgrind (apt-get install valgrind) and an optimised build:
  cargo run --release -p countersign-workload --bin countersign-instructions
  cargo run --release -p countersign-workload --bin countersign-instructions bless

Where the instructions go:
  valgrind --tool=callgrind target/release/countersign-instructions run submit-right 400
  callgrind_annotate callgrind.out.*

Exit status: 0 every path is where it was, 1 one is not or could not be counted, 2 wrong usage."
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compares every path with the baseline: what is done when no command is given
    Check,
    /// Counts every path and makes that the baseline of this kind of machine
    Bless,
    /// Makes the calls of one path, and counts nothing: what runs under callgrind
    Run {
        /// Which path: `check` lists them
        path: String,
        /// How many calls
        calls: u32,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        None | Some(Command::Check) => check(),
        Some(Command::Bless) => bless(),
        Some(Command::Run { path, calls }) => run(&path, calls),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<()> {
    let baseline = Baseline::read()?;
    let verdict = Verdict::new(&baseline.instructions, &count_all()?);
    print!("{}", verdict.table);
    let complaints = verdict.complaints.join("\n  ");
    ensure!(
        complaints.is_empty(),
        "the baseline no longer holds:\n  {complaints}\nto bless: {BLESS}"
    );
    Ok(())
}

fn bless() -> Result<()> {
    let file = Baseline::write(count_all()?)?;
    println!("{file} is new; commit it together with the change that is the reason");
    Ok(())
}

fn run(path: &str, calls: u32) -> Result<()> {
    let found = PATHS.iter().find(|known| known.name == path);
    let mut call = found
        .with_context(|| {
            let known: Vec<_> = PATHS.iter().map(|path| path.name).collect();
            format!("no path is called '{path}'; there are {}", known.join(", "))
        })?
        .prepare()?;
    for _ in 0..calls {
        call()?;
    }
    Ok(())
}

/// Instructions per call, by the name of the path.
type Counts = BTreeMap<String, u64>;

fn count_all() -> Result<Counts> {
    if cfg!(debug_assertions) {
        bail!(
            "this build is not optimised, and its counts would say nothing: build with --release"
        );
    }
    let counts = PATHS.iter().map(|path| {
        let count = callgrind::per_call(path.name).context(path.name)?;
        Ok((path.name.to_owned(), count))
    });
    counts.collect()
}
