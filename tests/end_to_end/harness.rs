//! Collects the tests and runs them.

use std::{fmt::Write as _, future::Future, process::ExitCode};

use anyhow::Result;
use countersign_testkit::Backend;
use libtest_mimic::{Arguments, Failed, Trial};

/// Set by `tests/run`: leaving anything out is a failure.
const REQUIRE_ALL: &str = "COUNTERSIGN_TEST_REQUIRE_ALL";
/// Set by `tests/run --long`: the larger counts.
const LONG: &str = "COUNTERSIGN_TEST_LONG";

/// The tests, and what was left out.
#[derive(Default)]
pub(crate) struct Suite {
    trials: Vec<Trial>,
    left_out: Vec<String>,
}

impl Suite {
    /// Adds a test for each backend that can be used here.
    pub(crate) fn on_each_backend<F>(&mut self, name: &str, test: fn(Backend) -> F)
    where
        F: Future<Output = Result<()>> + 'static,
    {
        self.on_each_backend_with(&[], name, test);
    }

    /// Adds a test for each backend that can be used here, if what the environment variables name
    /// is there too.
    pub(crate) fn on_each_backend_with<F>(
        &mut self,
        needs: &[&str],
        name: &str,
        test: fn(Backend) -> F,
    ) where
        F: Future<Output = Result<()>> + 'static,
    {
        let is_equipped = needs.iter().all(|need| std::env::var_os(need).is_some());
        for backend in [Backend::Sqlite, Backend::Postgres] {
            let name = format!("{}::{name}", backend.name());
            if is_equipped && Backend::available().contains(&backend) {
                self.trials
                    .push(Trial::test(name, move || block_on(test(backend))));
            } else {
                self.left_out.push(name);
            }
        }
    }

    /// Adds a test that needs what the environment variables name.
    pub(crate) fn with<F>(&mut self, needs: &[&str], name: &str, test: fn() -> F)
    where
        F: Future<Output = Result<()>> + 'static,
    {
        if needs.iter().all(|need| std::env::var_os(need).is_some()) {
            self.trials
                .push(Trial::test(name, move || block_on(test())));
        } else {
            self.left_out.push(name.to_owned());
        }
    }

    /// Leaves a test out on each backend, since a tool is missing.
    pub(crate) fn leave_out(&mut self, name: &str) {
        for backend in [Backend::Sqlite, Backend::Postgres] {
            self.left_out.push(format!("{}::{name}", backend.name()));
        }
    }

    /// Runs the tests that the command line asks for.
    pub(crate) fn run(mut self) -> ExitCode {
        let arguments = Arguments::from_args();
        if !self.left_out.is_empty() && !arguments.list {
            let mut said = format!(
                "{} tests are left out, since they need what tests/run sets up:\n",
                self.left_out.len()
            );
            for name in &self.left_out {
                let _ = writeln!(said, "  {name}");
            }
            eprint!("{said}");
            if std::env::var_os(REQUIRE_ALL).is_some() {
                let refuse = move || Err(Failed::from("something was left out"));
                self.trials.push(Trial::test("nothing_is_left_out", refuse));
            }
        }
        libtest_mimic::run(&arguments, self.trials).exit_code()
    }
}

/// How often a campaign goes round: `short`, or `long` where that was asked for.
pub(crate) fn rounds(short: u32, long: u32) -> u32 {
    if std::env::var_os(LONG).is_some() {
        long
    } else {
        short
    }
}

fn block_on(test: impl Future<Output = Result<()>>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime
        .block_on(test)
        .map_err(|error| Failed::from(format!("{error:?}")))
}
