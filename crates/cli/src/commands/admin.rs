//! `countersign admin`: what an operator can do on the server's own machine.

use std::{num::NonZeroUsize, path::PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use countersign_mfa::{
    Error, IdentifierStateView, IdentifierView, Platform, Reason, Settings, Sight,
    ports::StoredEvent,
};
use countersign_primitives::{IdentifierId, SubjectId, Timestamp};
use serde_json::{Map, Value};

use super::dev::{DATA, Folder};
use crate::{
    compose::{self, Composed, Parts},
    config::Config,
    database_url, files,
    output::{instant, say},
};

/// Look at a subject, end its locks, disable an identifier, or remove its PIN.
///
/// Works on the database itself, also while a server runs. Nobody, operators included, sees a PIN
/// or a secret, and nobody but the subject chooses a PIN. Each change leaves an event with its
/// reason.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  countersign admin show anna
  countersign admin unlock anna --reason 'called in, identity checked' --config countersign.toml
  countersign admin disable anna 2c5ea4c0-4067-4fe9-8bad-9b1deb4d3b7d --reason 'phone stolen'
  countersign admin reset-pin anna --reason 'ticket 1234' --data ./mfa-data")]
pub(crate) struct Admin {
    #[command(subcommand)]
    deed: Deed,
    /// The data folder of `countersign dev`.
    #[arg(long, value_name = "DIR", default_value = DATA, global = true, conflicts_with = "config")]
    data: PathBuf,
    /// The configuration of `countersign serve`, in place of --data.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Show the PIN's state, identifiers, locks and the latest events of a subject.
    Show {
        /// The subject's id.
        #[arg(value_parser = subject)]
        subject: SubjectId,
    },
    /// End the locks of a subject. What the failure cap disabled stays disabled.
    Unlock {
        /// The subject's id.
        #[arg(value_parser = subject)]
        subject: SubjectId,
        #[command(flatten)]
        why: Why,
    },
    /// Disable an identifier, or close one that the failure cap disabled.
    Disable {
        /// The subject's id.
        #[arg(value_parser = subject)]
        subject: SubjectId,
        /// The identifier's id, as `admin show` lists it.
        identifier: IdentifierId,
        #[command(flatten)]
        why: Why,
    },
    /// Remove the PIN, so that the subject can set a new one.
    ResetPin {
        /// The subject's id.
        #[arg(value_parser = subject)]
        subject: SubjectId,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Debug, Args)]
struct Why {
    /// Why it is done; stands in the event.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Reason,
}

impl Admin {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let composed = self.composed().await?;
        let done = self.deed.run(&composed.platform).await;
        composed.close().await;
        done
    }

    /// The platform on what is there; nothing is made.
    async fn composed(&self) -> Result<Composed> {
        // An operator's change hashes nothing.
        let hash_threads = NonZeroUsize::MIN;
        let parts = match &self.config {
            Some(path) => {
                let config = Config::read(path)?;
                let keyring = files::read_keys(&config.keys.file)?;
                let migrate = format!("countersign migrate --config {}", path.display());
                Parts {
                    hash_threads,
                    ..Parts::of_config(&config, keyring, migrate)
                }
            }
            None => {
                let folder = Folder(&self.data);
                ensure!(
                    folder.database().exists(),
                    "there is no database {}: name the folder of `countersign dev` with --data, \
                     or the configuration of `countersign serve` with --config",
                    folder.database().display()
                );
                Parts {
                    database: compose::database_at(database_url::of_sqlite(&folder.database())?),
                    keyring: files::read_keys(&folder.keys())?,
                    settings: Settings::default(),
                    hash_threads,
                    migrate: folder.remake(),
                }
            }
        };
        parts.compose().await
    }
}

impl Deed {
    async fn run(&self, platform: &Platform) -> Result<()> {
        match self {
            Self::Show { subject } => {
                let sight = platform.admin_show(subject).await?;
                ensure!(
                    sight.is_known,
                    "the subject {subject} was never heard of here"
                );
                show(subject, &sight);
            }
            Self::Unlock { subject, why } => {
                match platform.admin_unlock(subject, &why.reason).await {
                    Err(Error::IdentifierNotFound) => {
                        bail!("the subject {subject} was never heard of here")
                    }
                    done => done?,
                }
                say(format!("the locks of {subject} have ended"));
            }
            Self::Disable {
                subject,
                identifier,
                why,
            } => {
                let done = platform
                    .admin_disable(subject, *identifier, &why.reason)
                    .await;
                match done {
                    Err(Error::IdentifierNotFound) => bail!(
                        "{subject} has no identifier {identifier} that could be disabled; \
                         `countersign admin show {subject}` lists those there are"
                    ),
                    done => done?,
                }
                say(format!("identifier {identifier} of {subject} is disabled"));
            }
            Self::ResetPin { subject, why } => {
                platform
                    .admin_reset_pin(subject, &why.reason)
                    .await
                    .with_context(|| format!("subject {subject}"))?;
                say(format!(
                    "the PIN of {subject} is removed; a new one can be set"
                ));
            }
        }
        Ok(())
    }
}

fn show(subject: &SubjectId, sight: &Sight) {
    say(format!("subject      {subject}"));
    say(format!("PIN          {}", pin(sight)));
    if sight.identifiers.is_empty() {
        say("identifiers  none");
    } else {
        say("identifiers");
    }
    for (identifier, failures) in &sight.identifiers {
        for line in identifier_lines(identifier, *failures) {
            say(line);
        }
    }
    say("events, the latest first");
    for event in &sight.events {
        say(event_line(event));
    }
}

fn pin(sight: &Sight) -> String {
    let view = sight.pin;
    if !view.set {
        return "not set".to_owned();
    }
    let mut words = vec!["set".to_owned()];
    if view.capped {
        words.push("reached the failure cap: only `countersign admin reset-pin` helps".to_owned());
    }
    if let Some(until) = view.locked_until {
        words.push(format!("locked until {}", instant(until)));
    }
    words.extend(failures(sight.pin_failures));
    words.join(", ")
}

fn failures(count: u32) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 failure since the last success".to_owned()),
        _ => Some(format!("{count} failures since the last success")),
    }
}

fn identifier_lines(identifier: &IdentifierView, failed: u32) -> Vec<String> {
    let since = |at: Option<_>| at.map_or(String::new(), |at| format!(" since {}", instant(at)));
    let state = match identifier.state {
        IdentifierStateView::Pending => {
            let until = identifier.expires_at.map_or(String::new(), instant);
            format!("enrolment begun, lapses {until}")
        }
        IdentifierStateView::Enabled => format!("enabled{}", since(identifier.enabled_at)),
        IdentifierStateView::Disabled => format!("disabled{}", since(identifier.disabled_at)),
        IdentifierStateView::Capped => {
            format!(
                "disabled by the failure cap{}",
                since(identifier.disabled_at)
            )
        }
    };
    let on: Vec<&str> = identifier
        .purposes
        .iter()
        .filter(|setting| setting.on)
        .map(|setting| setting.purpose.name())
        .collect();
    let on = if on.is_empty() {
        "nothing".to_owned()
    } else {
        on.join(", ")
    };
    let mut words = vec![state, format!("on for {on}")];
    words.extend(failures(failed));
    let (kind, label) = (identifier.kind.name(), &identifier.label);
    let mut lines = vec![
        format!("  {}  {kind} \"{label}\"", identifier.id),
        format!("    {}", words.join(", ")),
    ];
    for setting in &identifier.purposes {
        if let Some(until) = setting.locked_until {
            let purpose = setting.purpose.name();
            lines.push(format!("    locked for {purpose} until {}", instant(until)));
        }
    }
    lines
}

fn event_line(event: &StoredEvent) -> String {
    let facts: Vec<Map<String, Value>> = serde_json::from_str(&event.facts).unwrap_or_default();
    let facts: Vec<String> = facts.iter().map(fact).collect();
    format!(
        "  {}  #{} {} by {}: {}",
        instant(event.at),
        event.version,
        event.method,
        event.caller,
        facts.join("; "),
    )
}

/// A fact as one phrase: its name, then what it names.
fn fact(fact: &Map<String, Value>) -> String {
    let name = fact.get("fact").and_then(Value::as_str).unwrap_or("?");
    let mut words = vec![name.to_owned()];
    for (key, value) in fact.iter().filter(|(key, _)| *key != "fact") {
        let value = match value {
            Value::String(text) if !text.contains([' ', '"']) => text.clone(),
            Value::Number(millis) if key == "until" => {
                instant(Timestamp::from_millis(millis.as_i64().unwrap_or_default()))
            }
            other => other.to_string(),
        };
        words.push(format!("{key}={value}"));
    }
    words.join(" ")
}

fn subject(text: &str) -> Result<SubjectId, String> {
    SubjectId::parse(text).map_err(|error| error.to_string())
}

fn reason(text: &str) -> Result<Reason, String> {
    Reason::parse(text)
        .ok_or_else(|| "it must have 1 to 256 bytes and no control characters".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_readable_line() {
        let event = StoredEvent {
            version: 7,
            at: Timestamp::from_millis(1_700_000_000_000),
            caller: "(operator)".to_owned(),
            method: "countersign admin".to_owned(),
            facts: r#"[{"fact":"UNLOCKED"},{"fact":"BY_OPERATOR","reason":"called in"},
                {"fact":"LOCKED","authenticator":"PIN","purpose":"LOGIN","until":1700000300000}]"#
                .to_owned(),
        };
        assert_eq!(
            event_line(&event),
            "  2023-11-14T22:13:20Z  #7 countersign admin by (operator): UNLOCKED; \
             BY_OPERATOR reason=\"called in\"; \
             LOCKED authenticator=PIN purpose=LOGIN until=2023-11-14T22:18:20Z"
        );
    }
}
