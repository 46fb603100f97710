//! `countersign policy`: looks at a policy.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::{
    config::{self, read_policy},
    output::say,
};

/// Look at a policy: what each operation has to be confirmed with.
#[derive(Debug, Args)]
pub(crate) struct Policy {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Check a policy file, and say in a sentence what each of its rules asks for.
    ///
    /// Reads the file and nothing else. What is wrong is said with its line and column.
    #[command(after_help = "\
Example:
  countersign policy show > policy.toml       # the built-in one, to begin with
  countersign policy check policy.toml

To put it in force, name it in the configuration and start `countersign serve` anew:
  [policy]
  file = \"policy.toml\"")]
    Check {
        /// The policy, TOML.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print the policy in force, which describes the language where it is the built-in one, and a
    /// sentence for each rule.
    ///
    /// The output is a policy file itself.
    Show {
        /// The configuration, TOML; without one the built-in policy is shown.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

impl Policy {
    /// Checks, or shows.
    pub(crate) fn run(self) -> Result<()> {
        match self.deed {
            Deed::Check { file } => {
                let (_, policy) = read_policy(&file)?;
                say(format!("OK: {}. What it says:", file.display()));
                for sentence in policy.explain() {
                    say(format!("- {sentence}"));
                }
            }
            Deed::Show { config } => {
                let policy = match config {
                    Some(config) => config::Config::read(&config)?.policy,
                    None => config::Policy::default(),
                };
                say(shown(&policy));
            }
        }
        Ok(())
    }
}

/// The text of a policy and, in comments, where it stands and what it says.
fn shown(policy: &config::Policy) -> String {
    let source = policy.file().map_or_else(
        || "the built-in policy".to_owned(),
        |file| file.display().to_string(),
    );
    let text = policy.text().trim_start_matches('\u{feff}').trim();
    let mut shown = format!("# From {source}\n\n{text}\n\n# What it says:");
    for sentence in policy.in_force().explain() {
        shown.push_str("\n# - ");
        shown.push_str(&sentence);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_a_policy_itself() {
        let policy = config::Policy::default();
        let shown = shown(&policy);
        let again = countersign_policy::Policy::parse(&shown).unwrap();
        assert_eq!(again, *policy.in_force());
        assert!(
            shown.contains("# - logins: a login by any caller takes"),
            "{shown}"
        );
    }
}
