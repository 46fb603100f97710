//! `countersign callers`: looks at the table of callers.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};
use countersign_gateway::{Callers as Table, Ceiling, METHODS, OperationKind, PaymentMethods, Row};

use crate::{
    config::{CallerRow, Config},
    output::say,
};

/// Look at the table of callers: which service may call what.
#[derive(Debug, Args)]
pub(crate) struct Callers {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Check the table, and print what each caller may do in the end, method by method.
    ///
    /// Reads the configuration and nothing else: no certificate, no key, no database. What no row
    /// allows is refused, and printed at the end.
    #[command(after_help = "\
A row of the table in the configuration:
  [callers.\"spiffe://bank.example/withdrawal-service\"]
  methods = [\"ConfirmationService.*\"]    # or single ones, ConfirmationService.Create; or \"*\"
  operations = [\"withdrawal\"]            # login, withdrawal, settings-change, custom, custom:KIND
  payment_methods = [\"sepa\"]             # of withdrawals; [\"*\"] for all; \"\" is one that names none
  ceilings = { EUR = \"10000\", USDT = \"5000.50\" }   # the most; \"unlimited\"; \"*\" other currencies
  purposes = [\"login\"]                   # what it may switch identifiers on and off for
  acts_for = [\"spiffe://bank.example/login-service\"]   # whose confirmations it may act on too
  requests_per_second = 200              # where it differs from [limits] caller_requests_…
  requests_at_once = 32

Example:
  countersign callers check --config countersign.toml")]
    Check {
        /// The configuration, TOML.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

impl Callers {
    /// Checks.
    pub(crate) fn run(self) -> Result<()> {
        let Deed::Check { config: path } = self.deed;
        let config = Config::read(&path)?;
        let Table::Table(rows) = config.caller_table() else {
            say(format!(
                "{}: `insecure = true` and no table: on this machine everybody may call everything",
                path.display()
            ));
            return Ok(());
        };
        say(format!(
            "OK: {}. Whoever is not named is refused.",
            path.display()
        ));
        for (name, row) in &rows {
            say(format!("\n{name}{}", described(row, &config.callers[name])));
        }
        let nobodys = nobodys(&rows);
        if !nobodys.is_empty() {
            say(format!("\nNobody may call {}", nobodys.join(", ")));
        }
        Ok(())
    }
}

/// The methods that no row allows. That of `countersign dev` alone, which has no table, is left out.
pub(super) fn nobodys(rows: &BTreeMap<String, Row>) -> Vec<&'static str> {
    let methods = METHODS.iter().map(|method| method.name);
    let is_served = |name: &&str| !name.starts_with("DevService.");
    let is_allowed = |name: &&str| rows.values().any(|row| row.methods.contains(name));
    methods
        .filter(is_served)
        .filter(|name| !is_allowed(name))
        .collect()
}

/// What a row comes to, a line for each of its parts.
fn described(row: &Row, said: &CallerRow) -> String {
    let withdraws = row.operations.contains(&OperationKind::Withdrawal);
    let methods: Vec<&str> = row.methods.iter().copied().collect();
    let operations: Vec<String> = row.operations.iter().map(ToString::to_string).collect();
    let mut lines = vec![
        ("may call", listed(&methods)),
        ("operations", listed(&operations)),
    ];
    if withdraws {
        let names = match &row.payment_methods {
            PaymentMethods::Any => "all".to_owned(),
            PaymentMethods::Only(names) => {
                let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
                names.join(", ")
            }
        };
        lines.push(("payment by", names));
        lines.push(("at most", ceilings(row)));
    }
    lines.push(("switches", listed(&said.purposes)));
    lines.push(("acts for", listed(&said.acts_for)));
    let share = row.share;
    let share = format!("{} at once, {} a second", share.at_once, share.per_second);
    lines.push(("requests", share));
    let lines = lines
        .into_iter()
        .map(|(what, which)| format!("\n  {what:<11} {which}"));
    lines.collect()
}

fn ceilings(row: &Row) -> String {
    let most = |ceiling: &Ceiling| match ceiling {
        Ceiling::Unlimited => "unlimited".to_owned(),
        Ceiling::UpTo(amount) => amount.to_string(),
    };
    let named = row.ceilings.iter();
    let mut parts: Vec<String> = named
        .map(|(currency, ceiling)| format!("{currency} {}", most(ceiling)))
        .collect();
    parts.push(match &row.other_ceiling {
        Some(ceiling) => format!("any other currency {}", most(ceiling)),
        None => "no other currency".to_owned(),
    });
    parts.join(", ")
}

fn listed(names: &[impl AsRef<str>]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    names.join(", ")
}
