//! A dispatcher over an outbox and carriers that do as they are told.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_for_as_long_as_a_carrier_is_waited_for() {
    let renewed = AtomicU32::new(0);
    let renew = async || {
        renewed.fetch_add(1, Ordering::Relaxed);
    };
    holding(tokio::time::sleep(LEASE / 3 * 10 + LEASE / 6), renew).await;
    assert_eq!(renewed.load(Ordering::Relaxed), 10);
    holding(std::future::ready(()), renew).await;
    assert_eq!(renewed.load(Ordering::Relaxed), 10);
}
