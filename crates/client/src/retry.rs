//! Trying again.

use std::{future::Future, time::Duration};

use tonic::{Code, Status};
use uuid::Uuid;

use crate::errors::retry_after;

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The pause after the first try, where the server names none.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Calls up to `most` times while the answer is `UNAVAILABLE` (AIP-194), with a growing, jittered
/// pause. Send the same request each time, request id included: then a call whose answer was lost
/// has one effect all the same.
///
/// # Errors
/// The last status.
pub async fn retry_unavailable<T, F>(most: u32, mut call: impl FnMut() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    let mut pause = FIRST_PAUSE;
    let mut tries = 1;
    loop {
        match call().await {
            Err(status) if status.code() == Code::Unavailable && tries < most => {
                let named = retry_after(&status).unwrap_or(pause);
                tokio::time::sleep(jittered(named.min(LONGEST_PAUSE))).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                tries += 1;
            }
            answer => return answer,
        }
    }
}

/// Half of the pause to all of it.
#[expect(
    clippy::disallowed_methods,
    reason = "a caller's process has no generator of ours, and a pause is no secret"
)]
fn jittered(pause: Duration) -> Duration {
    let chance = f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX);
    pause.mul_f64(0.5 + chance / 2.0)
}
