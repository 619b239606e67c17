use std::fmt::Debug;
use std::time::{Duration, Instant};

use loam_runtime::process_environment;

/// How long "soon" is: 20 s, or what `LOAM_PATIENCE_SECONDS` says on a slow machine.
#[must_use]
pub fn patience() -> Duration {
    let seconds = process_environment("LOAM_PATIENCE_SECONDS").and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(20))
}

/// Asks again and again until `look` finds something, and fails the test with what `what` says once patience is over.
///
/// Only for what happens elsewhere (a rule, a function, a delivery); what the test does itself is asserted at once.
///
/// # Panics
/// When it does not come true in time.
pub async fn eventually<T: Debug>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    eventually_within(patience(), what, look).await
}

/// The same for what takes longer than [`patience`]: `limit` says how long.
///
/// # Panics
/// As [`eventually`].
pub async fn eventually_within<T: Debug>(limit: Duration, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < limit, "did not happen within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
