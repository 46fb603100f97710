//! `countersign-bench`: the product beside the limits of its machine.

mod calls;
mod ceilings;
mod crowd;
mod gateway;
mod load;
mod people;
mod report;
mod rows;
mod server;
mod usage;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand, ValueEnum as _};

use crate::{
    report::Report,
    rows::{Bench, Part},
};

/// Connections of a client to the product, as several services would have.
const CONNECTIONS: usize = 4;

/// Measures Countersign beside the limits of the machine.
///
/// Starts what it needs (a throwaway PostgreSQL, gateways, hundreds of thousands of subjects),
/// drives the product's release binary over gRPC from this process, and measures in the same run
/// what the machine could do at most. Nothing in the product is switched off for it. All of them
/// share this machine's cores.
#[derive(Debug, Parser)]
#[command(version, after_help = HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The main paths and their ceilings, in under 3 minutes.
    Quick(Options),
    /// Everything, in under 20 minutes: growth and overload too.
    All(Options),
    /// Serves calls that do nothing.
    #[command(hide = true)]
    ServeNothing { port: u16 },
}

#[derive(Debug, clap::Args)]
struct Options {
    /// Write the result here, for a later --compare.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Show the difference to an earlier result.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Only this part, with what it is compared to; may be given again.
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,
    /// The product's binary. Without it, it is built with cargo as it is shipped.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

const HELP: &str = "\
Exit status: 0 when every goal that is shown holds, 3 when one is missed (its row says MISSED),
1 when something could not be measured.

Ceilings: `own` is pgbench running the product's own two statements of a check on the product's
own schema; `least` is pgbench running the least durable work that a check needs.

Example:
  cargo run --release -p countersign-bench -- quick --json before.json
  cargo run --release -p countersign-bench -- quick --compare before.json";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // One worker: the load must leave the cores to those who are measured.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let ran = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(error).context("the runtime cannot be started"),
    };
    match ran {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(3),
        Err(error) => {
            eprintln!("countersign-bench: {error:#}");
            ExitCode::from(1)
        }
    }
}

async fn run(arguments: Arguments) -> Result<bool> {
    let (is_all, parts, options) = match arguments.command {
        Command::ServeNothing { port } => {
            ceilings::serve_nothing(port).await?;
            return Ok(true);
        }
        Command::Quick(options) => (false, Part::QUICK.as_slice(), options),
        Command::All(options) => (true, Part::value_variants(), options),
    };
    let is_wanted = |part: &Part| options.only.is_empty() || options.only.contains(part);
    let wanted: Vec<Part> = parts.iter().copied().filter(is_wanted).collect();
    if wanted.is_empty() {
        bail!("`quick` does not measure that part: use `all --only`");
    }
    // Read first: a wrong path should not cost the whole run.
    let earlier = options.compare.as_deref().map(Report::read).transpose()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .context("this crate is not in its workspace")?;
    let binary = match options.binary {
        Some(binary) => binary.canonicalize().context("--binary")?,
        None => gateway::build(root)?,
    };
    let bench = Bench::start(root, binary, is_all).await?;
    let (report, measured) = bench.run(&wanted).await;
    println!(
        "{}\n\n{}\n\n{}",
        report.table(),
        report.usage(),
        report.notes()
    );
    if let Some(earlier) = &earlier {
        println!("{}", report.compared_with(earlier));
    }
    if let Some(path) = &options.json {
        report.write(path)?;
    }
    measured.map(|()| report.all_goals_hold())
}
