//! Ports for what is started on its own, stopped and started again.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU16, Ordering},
};

use anyhow::{Result, bail};

/// The first, and how many: below the ports that systems give to whoever asks for any.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// A port that was free a moment ago. No other test of this process is given it, and nobody who asks
/// the system for any: it stays free between two lives of a server.
///
/// # Errors
/// When none is free.
pub fn free_port() -> Result<u16> {
    static ASKED: AtomicU16 = AtomicU16::new(0);
    // Processes that run beside each other begin at different places.
    let begin = (std::process::id() * 257) as u16;
    for _ in 0..COUNT {
        let nth = begin.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = FIRST + nth;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free")
}
