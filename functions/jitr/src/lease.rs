//! Who works on a certificate, and until when: one at a time, and nobody for longer than a function lives.

use loam_domain::Timestamp;

/// Until when a worker with `remaining_ms` left of its own time may hold a lease.
///
/// 0 and less are values: a worker without time holds nothing, and whoever comes next takes over at once.
#[must_use]
pub const fn until(now: Timestamp, remaining_ms: i64) -> Timestamp {
    if remaining_ms > 0 { now.plus_millis(remaining_ms) } else { now }
}

/// Whether a lease that ends at `until` (ms since the epoch) may be taken over: at that millisecond, not before.
///
/// The table's condition says the same: `leaseUntil <= :now`.
#[must_use]
pub const fn is_over(until: Timestamp, now: Timestamp) -> bool {
    until.as_millis() <= now.as_millis()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_598_536_072_677);

    #[test]
    fn a_lease_is_held_one_millisecond_before_its_end_and_free_at_its_end() {
        let end = until(NOW, 30_000);
        assert_eq!(end, NOW.plus_millis(30_000));
        assert!(!is_over(end, end.plus_millis(-1)));
        assert!(is_over(end, end));
        assert!(is_over(end, end.plus_millis(1)));
    }

    #[test]
    fn a_worker_with_no_time_or_less_holds_nothing() {
        for remaining in [0, -1, -30_000, i64::MIN] {
            assert_eq!(until(NOW, remaining), NOW, "{remaining}");
            assert!(is_over(until(NOW, remaining), NOW), "{remaining}");
        }
        assert!(!is_over(until(NOW, 1), NOW));
    }

    #[test]
    fn a_lease_at_the_end_of_time_does_not_overflow() {
        assert_eq!(until(Timestamp::from_millis(i64::MAX), i64::MAX).as_millis(), i64::MAX);
    }

    proptest! {
        #[test]
        fn milliseconds_stay_milliseconds(remaining in 1..900_000_i64) {
            let end = until(NOW, remaining);
            prop_assert_eq!(end.millis_since(NOW), remaining);
            prop_assert!(!is_over(end, NOW.plus_millis(remaining - 1)) && is_over(end, NOW.plus_millis(remaining)));
        }
    }
}
