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

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use tokio::time::Instant;
    use tonic_types::{ErrorDetails, StatusExt};

    use super::*;

    /// Calls that fail with `status` as often as `failures` says: the answer and how many calls
    /// there were.
    async fn tries(status: Status, failures: u32, most: u32) -> (Result<(), Status>, u32) {
        let calls = Cell::new(0);
        let answer = retry_unavailable(most, || {
            calls.set(calls.get() + 1);
            let is_down = calls.get() <= failures;
            let status = status.clone();
            async move { if is_down { Err(status) } else { Ok(()) } }
        })
        .await;
        (answer, calls.get())
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_waited_out() {
        let (answer, calls) = tries(Status::unavailable("down"), 2, 5).await;
        assert!(answer.is_ok());
        assert_eq!(calls, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_try_answers() {
        let (answer, calls) = tries(Status::unavailable("down"), 9, 3).await;
        assert_eq!(answer.unwrap_err().code(), Code::Unavailable);
        assert_eq!(calls, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_but_an_outage_is_retried() {
        for status in [
            Status::resource_exhausted("busy"),
            Status::deadline_exceeded("slow"),
            Status::internal("fault"),
        ] {
            let (answer, calls) = tries(status, 9, 5).await;
            assert!(answer.is_err());
            assert_eq!(calls, 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_that_the_server_names_is_kept_up_to_the_longest() {
        for (named, longest) in [(2, 2), (3600, 5)] {
            let mut details = ErrorDetails::new();
            details.set_retry_info(Some(Duration::from_secs(named)));
            let down = Status::with_error_details(Code::Unavailable, "down", details);
            let start = Instant::now();
            let (answer, _) = tries(down, 1, 2).await;
            assert!(answer.is_ok());
            // The runtime's clock moves in milliseconds.
            let longest = Duration::from_secs(longest);
            let waited = start.elapsed();
            assert!(longest / 2 <= waited, "{waited:?}");
            assert!(waited <= longest + Duration::from_millis(1), "{waited:?}");
        }
    }
}
