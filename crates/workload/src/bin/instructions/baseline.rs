//! The counts that are kept in the repository.

use std::{collections::BTreeMap, fs, io::ErrorKind};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::{BLESS, Counts};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.toml");
const TOOLCHAIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rust-toolchain.toml");

const HEAD: &str = "\
# Instructions per call of the pure paths, by kind of machine: CI fails when one is more than 2 %
# above or below. Written by
#   cargo run --release -p countersign-workload --bin countersign-instructions bless
# and never by hand. Another compiler makes other code, so a new toolchain means a new baseline:
# `rustc` is what rust-toolchain.toml named. A change of dependencies may mean one too.

";

/// The baseline of one kind of machine.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Baseline {
    rustc: String,
    /// Instructions per call.
    pub(crate) instructions: Counts,
}

type ByMachine = BTreeMap<String, Baseline>;

impl Baseline {
    /// That of this machine, if this is the toolchain that it was counted with.
    pub(crate) fn read() -> Result<Self> {
        let machine = std::env::consts::ARCH;
        let baseline = read_all()?.remove(machine).with_context(|| {
            format!("there is no baseline for {machine} yet; begin one: {BLESS}")
        })?;
        let (then, now) = (&baseline.rustc, toolchain()?);
        ensure!(
            *then == now,
            "the baseline was counted with rustc {then}, and rust-toolchain.toml names {now}; bless \
             it together with the toolchain: {BLESS}"
        );
        Ok(baseline)
    }

    /// Makes these counts the baseline of this kind of machine, and tells where it lies.
    pub(crate) fn write(instructions: Counts) -> Result<&'static str> {
        let mut all = read_all()?;
        let rustc = toolchain()?;
        let machine = std::env::consts::ARCH.to_owned();
        all.insert(
            machine,
            Self {
                rustc,
                instructions,
            },
        );
        fs::write(FILE, format!("{HEAD}{}", toml::to_string(&all)?)).context(FILE)?;
        Ok(FILE)
    }
}

fn read_all() -> Result<ByMachine> {
    match fs::read_to_string(FILE) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(ByMachine::new()),
        text => toml::from_str(&text.context(FILE)?).context(FILE),
    }
}

/// The version of Rust that this checkout asks for.
fn toolchain() -> Result<String> {
    #[derive(Deserialize)]
    struct File {
        toolchain: Toolchain,
    }
    #[derive(Deserialize)]
    struct Toolchain {
        channel: String,
    }
    let text = fs::read_to_string(TOOLCHAIN).context(TOOLCHAIN)?;
    let File { toolchain } = toml::from_str(&text).context(TOOLCHAIN)?;
    Ok(toolchain.channel)
}
