//! What processes use: processor time and memory.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Result;
use procfs::process::{Process, all_processes};
use serde::{Deserialize, Serialize};

const MEGABYTE: f64 = 1024.0 * 1024.0;

/// What a process, with its children, used during a measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub(crate) process: String,
    /// Cores that were busy, on average.
    pub(crate) cores: f64,
    /// The most memory that was seen, in MB. Shared pages count in part.
    pub(crate) megabytes: f64,
}

/// Watches processes until it is stopped.
pub(crate) struct Watch {
    watched: Vec<(String, u32)>,
    before: Vec<f64>,
    started: Instant,
    stop: Arc<AtomicBool>,
    sampler: JoinHandle<Vec<f64>>,
}

/// How often memory is looked at.
const INTERVAL: Duration = Duration::from_millis(500);

impl Watch {
    pub(crate) fn start(watched: &[(&str, u32)]) -> Self {
        let watched: Vec<(String, u32)> = watched
            .iter()
            .map(|(name, id)| ((*name).to_owned(), *id))
            .collect();
        let stop = Arc::new(AtomicBool::new(false));
        let ids: Vec<u32> = watched.iter().map(|(_, id)| *id).collect();
        let sampler = {
            let (stop, ids) = (Arc::clone(&stop), ids.clone());
            thread::spawn(move || {
                let mut most = vec![0.0_f64; ids.len()];
                loop {
                    for (most, id) in most.iter_mut().zip(&ids) {
                        *most = most.max(memory(*id));
                    }
                    if stop.load(Ordering::Relaxed) {
                        return most;
                    }
                    thread::park_timeout(INTERVAL);
                }
            })
        };
        Self {
            before: ids.iter().map(|id| cpu_seconds(*id)).collect(),
            watched,
            started: Instant::now(),
            stop,
            sampler,
        }
    }

    pub(crate) fn stop(self) -> Result<Vec<Usage>> {
        let seconds = self.started.elapsed().as_secs_f64();
        let after: Vec<f64> = self
            .watched
            .iter()
            .map(|(_, id)| cpu_seconds(*id))
            .collect();
        self.stop.store(true, Ordering::Relaxed);
        self.sampler.thread().unpark();
        let memory = self
            .sampler
            .join()
            .map_err(|_| anyhow::anyhow!("the sampler of memory panicked"))?;
        let used = self
            .watched
            .into_iter()
            .zip(self.before)
            .zip(after)
            .zip(memory);
        Ok(used
            .map(|((((process, _), before), after), megabytes)| Usage {
                process,
                cores: (after - before) / seconds,
                megabytes,
            })
            .collect())
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

/// The memory of a process and its children, in MB; what several share counts once.
pub(crate) fn memory(id: u32) -> f64 {
    let bytes: u64 = family(id)
        .iter()
        .filter_map(|process| process.smaps_rollup().ok())
        .flat_map(|rollup| rollup.memory_map_rollup)
        .filter_map(|map| map.extension.map.get("Pss").copied())
        .sum();
    bytes as f64 / MEGABYTE
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
