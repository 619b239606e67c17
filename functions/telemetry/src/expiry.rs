//! How long rows are kept, and which readings come too late to be counted once.

use loam_domain::Timestamp;

/// Milliseconds of a day.
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// The longest that one run of a function may take, from its look at the clock to its last write.
/// Source: AWS Lambda quotas, "Timeout".
const LONGEST_RUN_MILLIS: i64 = 15 * 60 * 1000;

/// When a row may be forgotten, in whole seconds since the epoch: what DynamoDB's time to live reads.
///
/// DynamoDB deletes expired rows hours or days later, so every read asks [`ExpiresAt::has_passed`] itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExpiresAt(i64);

impl ExpiresAt {
    /// The time `seconds` after the epoch.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0
    }

    /// Whether a row of this expiry is gone at `now`, deleted or not; at the very second it is.
    #[must_use]
    pub const fn has_passed(self, now: Timestamp) -> bool {
        now.as_secs() >= self.0
    }
}

/// For how many days rows are kept.
///
/// Hours are kept for longer than samples: an hour whose samples can still arrive must still be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    raw_days: u16,
    hourly_days: u16,
}

impl Retention {
    /// The most days that samples are kept.
    pub const MOST_RAW_DAYS: u16 = 3_650;

    /// The most days that hours are kept.
    pub const MOST_HOURLY_DAYS: u16 = 36_500;

    /// Samples for `raw_days` (1 to 3,650), hours for `hourly_days` (more, at most 36,500); `None` outside these ranges.
    #[must_use]
    pub fn new(raw_days: u16, hourly_days: u16) -> Option<Self> {
        let valid = (1..=Self::MOST_RAW_DAYS).contains(&raw_days)
            && (raw_days + 1..=Self::MOST_HOURLY_DAYS).contains(&hourly_days);
        valid.then_some(Self { raw_days, hourly_days })
    }

    /// When a sample that was measured at `measured_at` may be forgotten.
    #[must_use]
    pub fn of_sample(self, measured_at: Timestamp) -> ExpiresAt {
        expires(measured_at, self.raw_days)
    }

    /// When the aggregate of the hour that starts at `hour` may be forgotten.
    #[must_use]
    pub fn of_hour(self, hour: Timestamp) -> ExpiresAt {
        expires(hour, self.hourly_days)
    }

    /// Whether a sample of `measured_at` comes too late at `now`.
    ///
    /// A duplicate is told by the sample's row, so nothing is counted whose row may already be deleted, or might be
    /// before this run ends.
    #[must_use]
    pub fn is_too_late(self, measured_at: Timestamp, now: Timestamp) -> bool {
        self.of_sample(measured_at).has_passed(now.plus_millis(LONGEST_RUN_MILLIS))
    }
}

fn expires(from: Timestamp, days: u16) -> ExpiresAt {
    ExpiresAt(from.plus_millis(i64::from(days) * DAY_MILLIS).as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_gone_at_the_second_of_its_expiry_and_not_a_millisecond_before() {
        let expiry = ExpiresAt::from_secs(10);
        assert!(!expiry.has_passed(Timestamp::from_millis(9_999)));
        assert!(expiry.has_passed(Timestamp::from_millis(10_000)));
    }

    #[test]
    fn hours_are_kept_longer_than_samples() {
        assert!(Retention::new(30, 31).is_some());
        assert!(Retention::new(30, 30).is_none());
        assert!(Retention::new(0, 30).is_none());
        assert!(Retention::new(3_650, 36_500).is_some());
        assert!(Retention::new(3_651, 36_500).is_none());
        assert!(Retention::new(3_650, 36_501).is_none());
    }

    #[test]
    fn a_sample_comes_too_late_a_quarter_of_an_hour_before_its_row_may_be_deleted() {
        let retention = Retention::new(30, 400).unwrap();
        let measured_at = Timestamp::from_millis(1_598_536_072_000);
        let end = measured_at.plus_millis(30 * DAY_MILLIS - LONGEST_RUN_MILLIS);
        assert!(!retention.is_too_late(measured_at, end.plus_millis(-1)));
        assert!(retention.is_too_late(measured_at, end));
    }

    #[test]
    fn an_hours_row_outlives_every_sample_that_may_still_be_counted_in_it() {
        let retention = Retention::new(30, 31).unwrap();
        let hour = Timestamp::from_millis(0);
        let last_sample = Timestamp::from_millis(60 * 60 * 1000 - 1);
        assert!(retention.of_hour(hour) > retention.of_sample(last_sample));
    }
}
