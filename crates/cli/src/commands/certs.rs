//! `countersign certs`: certificates to develop with.

mod authority;
mod folder;

use std::{net::IpAddr, path::PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};
use countersign_primitives::{Clock, SystemClock};

use self::{
    authority::id_of,
    folder::{Folder, GATEWAY},
};
use crate::{
    files,
    output::{program, quoted, say},
};

/// Make certificates, by which the gateway and the services prove who they are.
#[derive(Debug, Args)]
pub(crate) struct Certs {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Make an authority for development, and certificates for the gateway and three services.
    ///
    /// Each certificate is an X.509-SVID: it has one URI, such as
    /// spiffe://countersign.dev/login-service, is good for both sides of a connection, and for 30
    /// days. Run again, this keeps the authority and renews every certificate of the folder: that is
    /// how to try rotation. A `serve` that runs takes the new ones in about a second, and no call fails.
    ///
    /// Where there is no countersign.toml yet, it writes one: a whole configuration, with a row for
    /// each of the three services.
    ///
    /// For development only: the authority's key lies beside what it signs, and nothing can be
    /// revoked. In production an authority of your own makes such certificates, SPIRE for one.
    #[command(after_help = "\
Files in DIR, which only its owner may enter:
  ca.pem                  the authority: what every side trusts; ca.key signs
  countersign.pem         the gateway, as localhost, 127.0.0.1, ::1 and each --host
  login-service.pem       has logins confirmed
  withdrawal-service.pem  has withdrawals confirmed
  portal.pem              enrols people, and changes their settings
  *.key                   the key of each
  countersign.toml        a configuration for `countersign serve`

Examples:
  countersign certs dev certs
  countersign certs dev certs --host mfa.internal --service audit

Then:
  countersign keys init certs/keys.toml
  countersign migrate --config certs/countersign.toml
  countersign serve --config certs/countersign.toml")]
    Dev {
        /// The folder. It is made where it is not there.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Another name or address that the gateway is called by; those given before are kept.
        #[arg(long = "host", value_name = "NAME", value_parser = host)]
        hosts: Vec<String>,
        /// Another service; give it a row of the table in countersign.toml, or it may call nothing.
        #[arg(long = "service", value_name = "NAME", value_parser = service)]
        services: Vec<String>,
    },
}

/// The services that the configuration has rows for.
const SERVICES: [&str; 3] = ["login-service", "withdrawal-service", "portal"];
/// What the gateway is always called by.
const HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// What is written where there is no configuration.
const CONFIG: &str = include_str!("certs/countersign.toml");

impl Certs {
    /// Makes the files.
    pub(crate) fn run(self) -> Result<()> {
        let Deed::Dev {
            folder,
            hosts,
            services,
        } = self.deed;
        files::private_folder(&folder)?;
        let folder = Folder(&folder);
        let now = SystemClock.now();
        let (authority, is_new) = folder.authority(now)?;

        let hosts = without_repeats([HOSTS.map(str::to_owned).into(), folder.hosts()?, hosts]);
        let own = SERVICES.map(str::to_owned).into();
        let services = without_repeats([own, folder.services()?, services]);
        folder.issue(&authority, GATEWAY, &hosts, now)?;
        for name in &services {
            folder.issue(&authority, (name, name), &[], now)?;
        }
        let has_config = folder.config().exists();
        if !has_config {
            files::replace(&folder.config(), CONFIG)?;
        }
        explain(&folder, is_new, has_config, &hosts, &services);
        Ok(())
    }
}

/// Says what is where, and what to do next.
fn explain(
    folder: &Folder<'_>,
    is_new: bool,
    has_config: bool,
    hosts: &[String],
    services: &[String],
) {
    let (program, place) = (program(), folder.0.display());
    let width = services.iter().map(String::len).max().unwrap_or(0) + ".pem".len();
    let line = |file: &str, what: String| format!("  {:width$}   {what}\n", format!("{file}.pem"));
    let mut lines = vec![
        line(
            "ca",
            "the authority, which every side trusts: for development only".to_owned(),
        ),
        line(
            GATEWAY.0,
            format!("{} at {}", id_of(GATEWAY.1), hosts.join(", ")),
        ),
    ];
    lines.extend(services.iter().map(|name| line(name, id_of(name))));

    let config = quoted(&folder.config());
    let mut commands = Vec::new();
    if !folder.keys().exists() {
        commands.push((
            format!("keys init {}", quoted(&folder.keys())),
            "the keys that seal what is stored",
        ));
    }
    commands.extend([
        (
            format!("migrate --config {config}"),
            "makes the database, or brings it up to date",
        ),
        (
            format!("callers check --config {config}"),
            "who may call what",
        ),
        (
            format!("serve --config {config}"),
            "takes certificates that are renewed by itself",
        ),
    ]);
    let widest = commands.iter().map(|(command, _)| command.len()).max();
    let widest = widest.unwrap_or(0);
    let commands = commands
        .iter()
        .map(|(command, does)| format!("  {program} {command:widest$}   {does}\n"));
    say(format!(
        "\
{}
They are good for 30 days, and each has its key (.key) beside it:
{}
{} {}

Next:
{}",
        if is_new {
            format!("Made an authority and certificates in {place}.")
        } else {
            format!("Kept the authority in {place}, and renewed its certificates.")
        },
        lines.concat(),
        if has_config {
            "Left as it is:"
        } else {
            "The configuration:"
        },
        folder.config().display(),
        commands.collect::<String>().trim_end(),
    ));
}

/// All of them, each where it is first.
fn without_repeats(lists: [Vec<String>; 3]) -> Vec<String> {
    let mut found = Vec::new();
    for text in lists.into_iter().flatten() {
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

fn host(text: &str) -> Result<String, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if text.len() <= 253 && text.split('.').all(is_label) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(
            "it must be a host name, such as mfa.internal, or an address, without a port"
                .to_owned(),
        )
    }
}

fn service(text: &str) -> Result<String, String> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !(1..=64).contains(&text.len()) || !text.bytes().all(is_letter) || text.starts_with('-') {
        return Err(
            "it must have 1 to 64 letters, digits, `-` and `_`, such as audit-service".to_owned(),
        );
    }
    if ["ca", GATEWAY.0, GATEWAY.1].contains(&text) {
        return Err("this name is taken by the authority or the gateway".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for (text, read) in [
            ("mfa.internal", "mfa.internal"),
            ("MFA-1", "mfa-1"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:DB8::1", "2001:db8::1"),
        ] {
            assert_eq!(host(text).unwrap(), read);
        }
        for text in ["", "mfa.internal:50051", "https://mfa", "a..b", "-a", "*"] {
            assert!(host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_service_has_a_name_that_is_a_file_and_part_of_an_id() {
        assert_eq!(service("audit_2-x").unwrap(), "audit_2-x");
        for text in ["", "a/b", "..", "a b", "-x", "ca", "countersign", "gateway"] {
            assert!(service(text).is_err(), "{text}");
        }
    }
}
