//! One measured number: of which thing, under which name, when.

use std::cmp::Ordering;
use std::fmt;

use loam_domain::{ThingName, Timestamp};
use sha2::{Digest, Sha256};

use crate::error::Refused;

/// One hour in milliseconds: the step of the stored aggregates.
pub const HOUR_MILLIS: i64 = 60 * 60 * 1000;

/// The name of a series of one thing: `humidity`, or `{sensor}.{dotted path}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Metric(String);

impl Metric {
    /// The longest name, in bytes: it is part of a key in the table.
    pub const MAX_BYTES: usize = 128;

    /// A name of 1 to 128 bytes without control characters.
    ///
    /// # Errors
    /// [`Refused::PathTooLong`], [`Refused::InvalidPath`].
    pub fn parse(text: &str) -> Result<Self, Refused> {
        if text.len() > Self::MAX_BYTES {
            return Err(Refused::PathTooLong { found: text.len() });
        }
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(Refused::InvalidPath);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A number that the table can hold: 0, or of a size between 1e-100 and 1e100; never NaN, never -0.
///
/// DynamoDB's numbers end at 1e-130 and 1e126; the margin leaves room for sums and for their exact remainders.
/// Source: Amazon DynamoDB developer guide, "Data types", Number.
#[derive(Debug, Clone, Copy)]
pub struct Value(f64);

impl Value {
    /// The number, if it is in range.
    #[must_use]
    pub fn new(number: f64) -> Option<Self> {
        // Adding 0 turns -0 into 0, so that equal numbers have equal bits.
        let number = number + 0.0;
        (number == 0.0 || (1e-100..=1e100).contains(&number.abs())).then_some(Self(number))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

/// A value and its times. Within one series, time and value are its identity: the same value at the same millisecond
/// is the same measurement, however often and whenever it arrives.
///
/// Ordered by time, then value, then arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sample {
    /// When it was measured, by the device's clock where that may be believed, else when it arrived.
    pub measured_at: Timestamp,
    /// What was measured.
    pub value: Value,
    /// When AWS IoT took the message.
    pub received_at: Timestamp,
}

impl Sample {
    /// Whether both are one measurement.
    #[must_use]
    pub fn is_same_measurement(&self, other: &Self) -> bool {
        (self.measured_at, self.value) == (other.measured_at, other.value)
    }

    /// The start of the hour (UTC) in which it was measured.
    #[must_use]
    pub const fn hour(&self) -> Timestamp {
        let millis = self.measured_at.as_millis();
        Timestamp::from_millis(millis.saturating_sub(millis.rem_euclid(HOUR_MILLIS)))
    }

    /// 16 hexadecimal digits of a SHA-256 over time and value: tells measurements of one millisecond apart.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.measured_at.as_millis().to_be_bytes());
        hash.update(self.value.get().to_bits().to_be_bytes());
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A sample of a series of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Whose it is; from the topic, which the device's policy guards.
    pub thing: ThingName,
    /// Of which series.
    pub metric: Metric,
    /// What and when.
    pub sample: Sample,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(millis: i64, value: f64) -> Sample {
        let at = Timestamp::from_millis(millis);
        Sample { measured_at: at, value: Value::new(value).unwrap(), received_at: at }
    }

    #[test]
    fn a_metric_of_128_bytes_is_valid_and_one_of_129_is_not() {
        assert!(Metric::parse(&"m".repeat(128)).is_ok());
        assert_eq!(Metric::parse(&"m".repeat(129)).unwrap_err(), Refused::PathTooLong { found: 129 });
        assert_eq!(Metric::parse(&"ä".repeat(65)).unwrap_err(), Refused::PathTooLong { found: 130 });
    }

    #[test]
    fn an_empty_metric_and_one_with_a_control_character_are_refused() {
        for text in ["", "a\u{0}", "a\nb"] {
            assert_eq!(Metric::parse(text).unwrap_err(), Refused::InvalidPath, "{text:?}");
        }
    }

    #[test]
    fn a_value_at_the_edge_of_the_range_is_taken_and_one_beyond_is_not() {
        for number in [0.0, -0.0, 1e100, -1e100, 1e-100, -1e-100] {
            assert!(Value::new(number).is_some(), "{number:e}");
        }
        for number in [1.1e100, -1.1e100, 0.9e-100, f64::INFINITY, f64::NAN, 5e-324] {
            assert!(Value::new(number).is_none(), "{number:e}");
        }
    }

    #[test]
    fn negative_zero_is_zero() {
        assert_eq!(sample(1, -0.0).digest(), sample(1, 0.0).digest());
    }

    #[test]
    fn an_hour_begins_on_its_first_millisecond() {
        assert_eq!(sample(HOUR_MILLIS - 1, 1.0).hour().as_millis(), 0);
        assert_eq!(sample(HOUR_MILLIS, 1.0).hour().as_millis(), HOUR_MILLIS);
        assert_eq!(sample(-1, 1.0).hour().as_millis(), -HOUR_MILLIS);
        assert_eq!(sample(i64::MIN, 1.0).hour().as_millis(), i64::MIN);
    }

    #[test]
    fn the_digest_is_of_time_and_value_and_not_of_the_arrival() {
        let first = sample(1_598_536_072_677, 29.0);
        let again = Sample { received_at: Timestamp::from_millis(5), ..first };
        assert_eq!(first.digest(), again.digest());
        assert_ne!(first.digest(), sample(1_598_536_072_677, 29.5).digest());
        assert_ne!(first.digest(), sample(1_598_536_072_678, 29.0).digest());
        // Rows of an earlier release are found again only as long as this stays.
        assert_eq!(first.digest().len(), 16);
    }
}
