//! End-to-end tests: through the real gRPC edge, on the real databases.
//!
//! A binary with its own `main`, so that it can say what it left out where a server or a tool is
//! missing. `tests/run` gives it everything; alone it runs what needs no server.

mod harness;
mod withdrawal;

use std::process::ExitCode;

use harness::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::default();
    withdrawal::add(&mut suite);
    suite.run()
}
