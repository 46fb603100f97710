//! What processes use: processor time and memory.
//!
//! Looked at before and after a measurement, never during it: to count a server's shared pages the
//! kernel walks through all of them, and nobody else has that core meanwhile.

use std::time::Instant;

use anyhow::{Context, Result};
use procfs::process::{Process, all_processes};
use serde::{Deserialize, Serialize};

const MEGABYTE: f64 = 1024.0 * 1024.0;

/// What a process, with its children, used during a measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub(crate) process: String,
    /// Cores that were busy, on average.
    pub(crate) cores: f64,
    /// Memory in MB: the most that a process has had, or where it has children what all of them
    /// have afterwards, shared pages counted once.
    pub(crate) megabytes: f64,
}

/// What processes had used when it was started.
pub(crate) struct Watch {
    watched: Vec<(String, u32, f64)>,
    started: Instant,
}

impl Watch {
    pub(crate) fn start(watched: &[(&str, u32)]) -> Self {
        Self {
            watched: watched
                .iter()
                .map(|(name, id)| ((*name).to_owned(), *id, cpu_seconds(*id)))
                .collect(),
            started: Instant::now(),
        }
    }

    pub(crate) fn stop(self) -> Vec<Usage> {
        let seconds = self.started.elapsed().as_secs_f64();
        let used: Vec<f64> = self
            .watched
            .iter()
            .map(|(_, id, before)| (cpu_seconds(*id) - before) / seconds)
            .collect();
        self.watched
            .into_iter()
            .zip(used)
            .map(|((process, id, _), cores)| Usage {
                process,
                cores,
                megabytes: memory(id),
            })
            .collect()
    }
}

/// The processor time of a process and its children, those included that have ended. One that is
/// gone has used none.
fn cpu_seconds(id: u32) -> f64 {
    let ticks = procfs::ticks_per_second() as f64;
    family(id)
        .iter()
        .filter_map(|process| process.stat().ok())
        .map(|stat| {
            let waited_for = stat.cutime.max(0) + stat.cstime.max(0);
            (stat.utime + stat.stime) as f64 + waited_for as f64
        })
        .sum::<f64>()
        / ticks
}

fn memory(id: u32) -> f64 {
    match family(id).as_slice() {
        [one] => peak_of(one).unwrap_or(f64::NAN),
        several => several.iter().filter_map(shared_out).sum::<f64>(),
    }
}

/// The most memory that a process has had so far, in MB.
pub(crate) fn peak(id: u32) -> Result<f64> {
    peak_of(&Process::new(i32::try_from(id)?)?).context("the kernel does not tell it")
}

/// The memory that a process has now, in MB.
pub(crate) fn resident(id: u32) -> Result<f64> {
    let status = Process::new(i32::try_from(id)?)?.status()?;
    let kibibytes = status.vmrss.context("the kernel does not tell it")?;
    Ok(kibibytes as f64 / 1024.0)
}

fn peak_of(process: &Process) -> Option<f64> {
    Some(process.status().ok()?.vmhwm? as f64 / 1024.0)
}

fn shared_out(process: &Process) -> Option<f64> {
    let rollup = process.smaps_rollup().ok()?.memory_map_rollup;
    let bytes: u64 = rollup
        .into_iter()
        .filter_map(|map| map.extension.map.get("Pss").copied())
        .sum();
    Some(bytes as f64 / MEGABYTE)
}

/// A process and its children; of this program, which has the gateways for children, itself only.
fn family(id: u32) -> Vec<Process> {
    let is_own = id == std::process::id();
    let Ok(id) = i32::try_from(id) else {
        return Vec::new();
    };
    let Ok(all) = all_processes() else {
        return Vec::new();
    };
    all.filter_map(Result::ok)
        .filter(|process| {
            process.pid == id || (!is_own && process.stat().is_ok_and(|stat| stat.ppid == id))
        })
        .collect()
}
