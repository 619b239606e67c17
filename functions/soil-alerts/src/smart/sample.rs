use std::cmp::Ordering;
use std::fmt;

use loam_domain::{Reading, Timestamp};
use serde::{Deserialize, Serialize};

use super::AlertRule;

/// The longest plain form of a number in a notice; longer ones are written with an exponent.
const MAX_PLAIN: usize = 24;

/// A value at its device time, with the digits in which it was sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "(Timestamp, Stored)", into = "(Timestamp, Stored)")]
pub struct Sample {
    at: Timestamp,
    value: f64,
    /// Only when they differ from the number's plain form: a window of them is copied and stored with every reading.
    digits: Option<Box<str>>,
}

/// In the table: `20`, or `"20.0"` where the digits matter.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Number(f64),
    Digits(Box<str>),
}

impl TryFrom<(Timestamp, Stored)> for Sample {
    type Error = &'static str;

    fn try_from((at, stored): (Timestamp, Stored)) -> Result<Self, Self::Error> {
        match stored {
            Stored::Number(value) => Ok(Self { at, value, digits: None }),
            Stored::Digits(digits) => match digits.parse::<f64>() {
                Ok(value) if value.is_finite() => Ok(Self { at, value, digits: Some(digits) }),
                _ => Err("a sample's digits must be a finite number"),
            },
        }
    }
}

impl From<Sample> for (Timestamp, Stored) {
    fn from(sample: Sample) -> Self {
        (sample.at, sample.digits.map_or(Stored::Number(sample.value), Stored::Digits))
    }
}

impl Sample {
    /// The finite number `value`, measured at `at`.
    #[must_use]
    pub fn new(at: Timestamp, value: f64) -> Self {
        // Adding zero turns -0.0 into 0.0: the two are one value to people.
        Self { at, value: value + 0.0, digits: None }
    }

    /// The same with the digits in which it was sent.
    #[must_use]
    pub fn with_digits(at: Timestamp, value: f64, digits: &str) -> Self {
        let plain = Self::new(at, value);
        let digits = (plain.to_string() != digits).then(|| digits.into());
        Self { digits, ..plain }
    }

    /// When it was measured, by the device's clock.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The number; always finite.
    #[must_use]
    pub const fn value(&self) -> f64 {
        self.value
    }

    /// Whether both tell the same: one reading, delivered twice.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.at == other.at && self.value.total_cmp(&other.value).is_eq()
    }

    /// The order of evaluation: by time; within one millisecond the healthier value counts as the later one, so that
    /// what closes an episode is never older than another value of its millisecond.
    pub(crate) fn order(&self, other: &Self, rule: &AlertRule) -> Ordering {
        self.at.cmp(&other.at).then_with(|| rule.compare_health(self.value, other.value))
    }

    /// The worse of both under `rule`; the earlier one of equals.
    pub(crate) fn worse(self, other: &Self, rule: &AlertRule) -> Self {
        if rule.compare_health(other.value, self.value).is_lt() { other.clone() } else { self }
    }
}

impl fmt::Display for Sample {
    /// The digits as they were sent.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(digits) = &self.digits {
            return formatter.write_str(digits);
        }
        let plain = self.value.to_string();
        if plain.len() <= MAX_PLAIN { formatter.write_str(&plain) } else { write!(formatter, "{:e}", self.value) }
    }
}

/// A reading as one rule sees it.
///
/// Its time is [`Reading::measured_at`]: the device's clock, or, where that is missing, more than 5 minutes ahead or
/// more than 7 days back, the time at which AWS IoT took the message. Two readings of the same millisecond and value
/// are one reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The name that the device gives itself.
    pub name: String,
    /// The value at its time.
    pub sample: Sample,
}

impl Observation {
    /// What `reading` says about `path`: `humidity`, or another number by its dotted path. `None` if it says nothing.
    #[must_use]
    pub fn of(reading: &Reading, path: &str) -> Option<Self> {
        let sample = if path == AlertRule::HUMIDITY {
            let humidity = &reading.humidity;
            Sample::with_digits(reading.measured_at, humidity.value(), &humidity.to_string())
        } else {
            Sample::new(reading.measured_at, *reading.others.get(path)?)
        };
        Some(Self { name: reading.name.clone(), sample })
    }
}

#[cfg(test)]
mod tests {
    use loam_domain::Readings;

    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_598_536_072_677);

    #[test]
    fn digits_survive_the_way_through_the_table() {
        for (digits, stored) in [("20", "[1598536072677,20.0]"), ("20.0", r#"[1598536072677,"20.0"]"#)] {
            let sample = Sample::with_digits(AT, 20.0, digits);
            let json = serde_json::to_string(&sample).unwrap();
            assert_eq!(json, stored);
            assert_eq!(serde_json::from_str::<Sample>(&json).unwrap().to_string(), digits);
        }
    }

    #[test]
    fn stored_digits_that_are_no_number_are_refused() {
        for digits in ["x", "inf", "NaN"] {
            assert!(serde_json::from_str::<Sample>(&format!("[1,{digits:?}]")).is_err(), "{digits}");
        }
    }

    #[test]
    fn the_same_time_and_number_are_one_reading_whatever_the_digits() {
        assert!(Sample::with_digits(AT, 20.0, "20.0").is(&Sample::new(AT, 20.0)));
        assert!(Sample::new(AT, -0.0).is(&Sample::new(AT, 0.0)));
        assert!(!Sample::new(AT, 20.0).is(&Sample::new(AT, 21.0)));
        assert!(!Sample::new(AT, 20.0).is(&Sample::new(AT.plus_millis(1), 20.0)));
    }

    #[test]
    fn a_number_of_300_digits_is_written_with_an_exponent() {
        assert_eq!(Sample::new(AT, 1e300).to_string(), "1e300");
        assert_eq!(Sample::new(AT, 3.3).to_string(), "3.3");
    }

    #[test]
    fn a_reading_is_observed_under_the_paths_that_it_has() {
        let json = br#"{"name":"a","humidity":"20","timeStampEpoch":1598536072677,"battery":3.3,"soil":{"ph":6}}"#;
        let readings = Readings::parse(json, AT).unwrap();
        let (_, reading) = readings.accepted.first().unwrap();
        assert_eq!(Observation::of(reading, "humidity").unwrap().sample.to_string(), "20");
        assert_eq!(Observation::of(reading, "battery").unwrap().sample, Sample::new(AT, 3.3));
        assert_eq!(Observation::of(reading, "soil.ph").unwrap().sample, Sample::new(AT, 6.0));
        assert_eq!(Observation::of(reading, "light"), None);
    }
}
