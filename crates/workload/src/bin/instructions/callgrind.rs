//! Counts what this program does, by having callgrind run it.

use std::{
    io::ErrorKind,
    process::{Command, Output},
};

use anyhow::{Context, Result, bail, ensure};

/// Calls in the shorter and in the longer run. Start-up and the first calls, which fill lazy
/// tables, are in both. What differs between two runs, such as how far the thread that hashes got
/// with its own start and end, is some thousand instructions: over six hundred calls that is below
/// 0.1 %.
const FEW: u32 = 100;
const MANY: u32 = 700;

/// The instructions that one call of a path takes.
pub(crate) fn per_call(path: &str) -> Result<u64> {
    let calls = u64::from(MANY - FEW);
    let difference = total(path, MANY)?.saturating_sub(total(path, FEW)?);
    Ok(difference / calls)
}

fn total(path: &str, calls: u32) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        // On a busy machine the threads' pace would differ twice as much without it.
        .arg("--fair-sched=yes")
        .arg(std::env::current_exe()?)
        .args(["run", path, &calls.to_string()])
        .output();
    let output = match output {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "valgrind is not installed: `sudo apt-get install valgrind`, or tests/run --check-setup"
        ),
        other => other.context("valgrind could not be started")?,
    };
    let Output { status, stderr, .. } = output;
    let said = String::from_utf8_lossy(&stderr);
    ensure!(
        status.success(),
        "under valgrind it ended with {status}:\n{said}"
    );
    collected(&said).with_context(|| format!("callgrind gave no count:\n{said}"))
}

/// The sum over all threads, from a line such as `==4711== Collected : 7203894`.
fn collected(said: &str) -> Option<u64> {
    let (_, count) = said
        .lines()
        .filter_map(|line| line.split_once("Collected :"))
        .next_back()?;
    count.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_what_callgrind_says_was_collected() {
        let said = "==7== Events    : Ir\n==7== Collected : 7203894\n==7== \n";
        assert_eq!(collected(said), Some(7_203_894));
        assert_eq!(collected("valgrind: failed to start tool"), None);
    }
}
