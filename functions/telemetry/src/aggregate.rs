//! Count, sum, least, greatest, mean and last of a set of samples.

use std::collections::BTreeMap;

use loam_domain::Timestamp;

use crate::exact_sum::ExactSum;
use crate::point::{HOUR_MILLIS, Sample, Value};

/// What is known of a non-empty set of samples without the samples.
///
/// [`Aggregate::merge`] of two disjoint sets is exactly the aggregate of their union, in any order and grouping, sums
/// included ([`ExactSum`]). Hence days need no rows: they are merged from hours when they are read, and are right
/// because the hours are.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// How many samples; at least 1.
    pub count: u64,
    /// Their exact sum.
    pub sum: ExactSum,
    /// The least value.
    pub min: Value,
    /// The greatest value.
    pub max: Value,
    /// The value that was measured last; of several in one millisecond the greatest.
    pub last: Value,
    /// When that was.
    pub last_at: Timestamp,
}

impl Aggregate {
    /// The aggregate of one sample.
    #[must_use]
    pub fn of(sample: &Sample) -> Self {
        let value = sample.value;
        let sum = ExactSum::of([value.get()]);
        Self { count: 1, sum, min: value, max: value, last: value, last_at: sample.measured_at }
    }

    /// The aggregate of all samples of both, which share none.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let (last_at, last) = (self.last_at, self.last).max((other.last_at, other.last));
        Self {
            count: self.count + other.count,
            sum: self.sum.plus(&other.sum),
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            last,
            last_at,
        }
    }

    /// The arithmetic mean: the exact sum rounded once, divided by the count and so rounded once more.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53, up to which every integer is a float")]
    pub fn mean(&self) -> f64 {
        self.sum.rounded() / self.count as f64
    }
}

/// The aggregates of days (UTC), by the start of the day, from those of hours by the start of the hour.
pub fn days(hours: impl IntoIterator<Item = (Timestamp, Aggregate)>) -> BTreeMap<Timestamp, Aggregate> {
    let mut days = BTreeMap::new();
    for (hour, aggregate) in hours {
        let millis = hour.as_millis();
        let day = Timestamp::from_millis(millis.saturating_sub(millis.rem_euclid(24 * HOUR_MILLIS)));
        days.entry(day).and_modify(|of_day: &mut Aggregate| *of_day = of_day.merge(&aggregate)).or_insert(aggregate);
    }
    days
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(millis: i64, value: f64) -> Sample {
        let at = Timestamp::from_millis(millis);
        Sample { measured_at: at, value: Value::new(value).unwrap(), received_at: at }
    }

    fn of(samples: &[Sample]) -> Option<Aggregate> {
        samples.iter().map(Aggregate::of).reduce(|left, right| left.merge(&right))
    }

    #[test]
    fn four_samples_have_their_count_sum_bounds_mean_and_last() {
        let all = of(&[sample(3, 4.0), sample(1, -2.0), sample(4, 1.0), sample(2, 0.0)]).unwrap();
        assert_eq!((all.count, all.sum.rounded().to_bits()), (4, 3.0_f64.to_bits()));
        assert_eq!((all.min, all.max), (Value::new(-2.0).unwrap(), Value::new(4.0).unwrap()));
        assert_eq!(all.mean().to_bits(), 0.75_f64.to_bits());
        assert_eq!((all.last, all.last_at.as_millis()), (Value::new(1.0).unwrap(), 4));
    }

    #[test]
    fn of_two_values_in_one_millisecond_the_greater_is_the_last() {
        let all = of(&[sample(1, 7.0), sample(1, 5.0)]).unwrap();
        assert_eq!(all.last, Value::new(7.0).unwrap());
    }

    #[test]
    fn the_last_hour_of_a_day_and_the_first_of_the_next_are_two_days() {
        let hour = |number: i64| {
            let start = Timestamp::from_millis(number * HOUR_MILLIS);
            (start, Aggregate::of(&sample(start.as_millis(), 1.0)))
        };
        let counts: Vec<_> = days([hour(-1), hour(0), hour(23), hour(24)])
            .into_iter()
            .map(|(day, all)| (day.as_millis(), all.count))
            .collect();
        assert_eq!(counts, [(-24 * HOUR_MILLIS, 1), (0, 2), (24 * HOUR_MILLIS, 1)]);
    }

    fn samples() -> impl Strategy<Value = Vec<Sample>> {
        proptest::collection::vec((0..50_i64, -100.0..100.0_f64), 3..30)
            .prop_map(|pairs| pairs.into_iter().map(|(millis, value)| sample(millis, value)).collect())
    }

    proptest! {
        #[test]
        fn merging_is_commutative_and_associative(
            samples in samples(),
            cuts in (1..28_usize, 1..28_usize),
        ) {
            let first = cuts.0.min(cuts.1).min(samples.len() - 2);
            let second = cuts.0.max(cuts.1).clamp(first + 1, samples.len() - 1);
            let (one, two, three) = (&samples[..first], &samples[first..second], &samples[second..]);
            let (one, two, three) = (of(one).unwrap(), of(two).unwrap(), of(three).unwrap());
            prop_assert_eq!(one.merge(&two), two.merge(&one));
            prop_assert_eq!(one.merge(&two).merge(&three), one.merge(&two.merge(&three)));
        }

        #[test]
        fn the_mean_lies_between_the_bounds(samples in samples()) {
            let all = of(&samples).unwrap();
            prop_assert!(all.min.get() <= all.mean() && all.mean() <= all.max.get());
        }
    }
}
