//! How late it is, and how long a run may still begin something.

use std::time::{Duration, Instant};

use loam_domain::Timestamp;

/// How long a run begins new things; the rest goes on in the next run. What was begun by then ends within the function's time,
/// which the template makes 90 s.
const RUN: Duration = Duration::from_secs(45);

/// A run's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    began_at: Timestamp,
    since: Instant,
}

impl Clock {
    pub(crate) fn start(now: Timestamp) -> Self {
        Self { began_at: now, since: Instant::now() }
    }

    pub(crate) fn now(self) -> Timestamp {
        self.began_at.plus_millis(i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    /// Whether the rest is for the next run.
    pub(crate) fn is_over(self) -> bool {
        self.since.elapsed() > RUN
    }
}
