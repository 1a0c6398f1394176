//! Waiting for a condition with a bound, never for a length of time.

use std::time::{Duration, Instant};

/// Asks until there is an answer; `None` when the time is up.
pub(crate) async fn poll<T>(limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask().await {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}
