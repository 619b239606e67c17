//! How long a device waits before it connects again. Pure: the random number is an argument.

use std::time::Duration;

/// Exponential back-off with full jitter above a floor.
///
/// The floor exists because AWS IoT Core accepts one CONNECT per second and client id; the jitter because ten thousand
/// devices that lost their connection together must not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// The shortest wait. Below one second only against a broker of your own.
    pub floor: Duration,
    /// The longest wait.
    pub cap: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        Self { floor: Duration::from_secs(1), cap: Duration::from_secs(60) }
    }
}

impl BackOff {
    /// The longest wait before retry number `attempt` (counted from 0): twice the floor, doubled each time, capped.
    #[must_use]
    pub fn ceiling(&self, attempt: u32) -> Duration {
        let factor = 2_u32.checked_pow(attempt.saturating_add(1)).unwrap_or(u32::MAX);
        self.floor.checked_mul(factor).unwrap_or(self.cap).min(self.cap)
    }

    /// The wait before retry number `attempt`, `fraction` (0 to 1) of the way from the floor to the ceiling.
    #[must_use]
    pub fn delay(&self, attempt: u32, fraction: f64) -> Duration {
        let room = self.ceiling(attempt).saturating_sub(self.floor);
        self.floor + room.mul_f64(fraction.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_retry_waits_at_least_one_second_and_at_most_two() {
        let back_off = BackOff::default();
        assert_eq!(back_off.delay(0, 0.0), SECOND);
        assert_eq!(back_off.delay(0, 1.0), 2 * SECOND);
    }

    #[test]
    fn the_ceiling_doubles_until_it_meets_the_cap() {
        let ceilings: Vec<_> = (0..7).map(|attempt| BackOff::default().ceiling(attempt).as_secs()).collect();
        assert_eq!(ceilings, [2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn the_attempt_that_would_overflow_waits_for_the_cap() {
        assert_eq!(BackOff::default().ceiling(u32::MAX), 60 * SECOND);
    }

    proptest! {
        #[test]
        fn every_wait_lies_between_floor_and_cap(attempt: u32, fraction in -1.0..2.0_f64) {
            let delay = BackOff::default().delay(attempt, fraction);
            prop_assert!((SECOND..=60 * SECOND).contains(&delay));
        }
    }
}
