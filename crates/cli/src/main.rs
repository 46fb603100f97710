//! The `countersign` binary: the platform's server, the tools around it, and a client that shows
//! it at work.
//!
//! `commands` has one file for each subcommand; `compose` is the composition root, the only place
//! that names the store, the clock and the source of randomness of a running platform.

mod commands;
mod compose;
mod config;
mod database_url;
mod endpoint;
mod files;
mod inbox;
mod logs;
mod output;
mod server;
mod traces;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{
    admin::Admin, callers::Callers, certs::Certs, config::Config, demo::Demo, dev::Dev,
    dev_inbox::DevInbox, doctor::Doctor, keys::Keys, migrate::Migrate, policy::Policy,
    serve::Serve,
};

/// Countersign confirms logins and withdrawals with a second factor.
#[derive(Debug, Parser)]
#[command(
    name = "countersign",
    version,
    arg_required_else_help = true,
    after_help = "\
Begin here:
  countersign dev                        the platform, on data of its own in ./countersign-data
  countersign demo                       in another terminal: a client that plays the whole story
  countersign demo --interactive         the same, with the authenticator app on your phone
  countersign dev-inbox                  the messages that would have been sent by SMS

With mutual TLS, still for development:
  countersign certs dev certs            certificates, a configuration, and what to run next

In production:
  countersign keys init keys.toml
  countersign policy show                what each operation has to be confirmed with
  countersign config check --config countersign.toml
  countersign migrate --config countersign.toml
  countersign doctor --config countersign.toml   what is wrong, and what to do about it
  countersign serve --config countersign.toml

Exit status: 0 done, 1 failed (`doctor`: something is wrong), 2 wrong usage, 3 done in part (`admin import-totp`, `admin
after-restore`). `countersign help COMMAND` says more of each."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(Dev),
    Demo(Demo),
    DevInbox(DevInbox),
    Serve(Serve),
    Migrate(Migrate),
    Doctor(Doctor),
    Config(Config),
    Callers(Callers),
    Certs(Certs),
    Policy(Policy),
    Keys(Keys),
    Admin(Admin),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(status) => status,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Dev(dev) => server::block_on(dev.run())?,
        Command::Demo(demo) => server::block_on(demo.run())?,
        Command::DevInbox(inbox) => server::block_on(inbox.run())?,
        Command::Serve(serve) => server::block_on(serve.run())?,
        Command::Migrate(migrate) => server::block_on(migrate.run())?,
        Command::Doctor(doctor) => return server::block_on(doctor.run()),
        Command::Config(config) => config.run()?,
        Command::Callers(callers) => callers.run()?,
        Command::Certs(certs) => certs.run()?,
        Command::Policy(policy) => policy.run()?,
        Command::Keys(keys) => keys.run()?,
        Command::Admin(admin) => return server::block_on(admin.run()),
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
