use std::time::Duration;

use loam_domain::Timestamp;

/// What API Gateway leaves of its 30 s, which no setting raises, for connecting and for our own answer.
pub const LONGEST_WAIT: Duration = Duration::from_secs(28);
/// What is kept of Lambda's time for telling the caller that it ran out.
const MARGIN: Duration = Duration::from_millis(1000);

/// How long a call may take: what was asked, within what Lambda (`ends`) and API Gateway leave.
#[must_use]
pub fn budget(asked: Duration, now: Timestamp, ends: Timestamp) -> Duration {
    let left = Duration::from_millis(u64::try_from(ends.millis_since(now)).unwrap_or_default());
    asked.min(LONGEST_WAIT).min(left.saturating_sub(MARGIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(asked: u64, left: i64) -> u128 {
        let (now, ends) = (Timestamp::from_millis(5_000), Timestamp::from_millis(5_000 + left));
        budget(Duration::from_millis(asked), now, ends).as_millis()
    }

    #[test]
    fn what_was_asked_holds_up_to_28_seconds() {
        assert_eq!(millis(10_000, 60_000), 10_000);
        assert_eq!(millis(28_000, 60_000), 28_000);
        assert_eq!(millis(28_001, 60_000), 28_000);
    }

    #[test]
    fn a_second_of_lambda_s_time_is_kept() {
        assert_eq!(millis(10_000, 11_000), 10_000);
        assert_eq!(millis(10_000, 10_999), 9_999);
        assert_eq!(millis(10_000, 1_000), 0);
        assert_eq!(millis(10_000, -5), 0);
    }
}
