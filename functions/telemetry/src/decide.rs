//! The decision: which rows a batch of points becomes, and what a lost condition means. Pure.
//!
//! # Decision table
//! One transaction writes the rows of new samples and the aggregate of their hour, or nothing:
//!
//! | the transaction | decision |
//! | --- | --- |
//! | was written | go on with the samples that are left, on the aggregate just written |
//! | a sample's row was there already | a duplicate: drop it, try again without it |
//! | the hour's version was another, or two transactions met | somebody else was faster: load the hour, try again |
//!
//! So the aggregate of an hour counts exactly the samples that have rows, whatever comes twice, late or at once.

use std::collections::{BTreeMap, BTreeSet};

use loam_domain::{ThingName, Timestamp};

use crate::aggregate::Aggregate;
use crate::error::Refused;
use crate::event::{Points, RefusedPart};
use crate::expiry::Retention;
use crate::point::{Metric, Sample};

/// The most samples in one transaction, beside the row of their hour. Source: DynamoDB API reference,
/// `TransactWriteItems`: 100 items.
pub const MOST_SAMPLES: usize = 99;

/// One hour of one series: what one transaction may write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HourKey {
    /// Whose series.
    pub thing: ThingName,
    /// Which series.
    pub metric: Metric,
    /// The start of the hour (UTC).
    pub hour: Timestamp,
}

/// The samples of a batch that fall into one hour of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Which hour.
    pub key: HourKey,
    /// The distinct samples, in order; of duplicates the one that arrived first.
    pub samples: Vec<Sample>,
    /// The newest sample of the series in this batch, if it falls into this hour: the latest value, perhaps.
    pub newest: Option<Sample>,
    /// The messages of the batch, by place, that any of the samples came from: they succeed only if the group does.
    pub messages: BTreeSet<usize>,
}

/// The stored aggregate of an hour.
#[derive(Debug, Clone, PartialEq)]
pub struct HourRow {
    /// Of all samples of the hour that have rows.
    pub aggregate: Aggregate,
    /// From 1, one more with each write: what a write is conditional on.
    pub version: u64,
}

/// One transaction: each sample's row, if there is none, and the row of their hour, if it is still at `expected`.
#[derive(Debug, Clone, PartialEq)]
pub struct HourWrite {
    /// 1 to [`MOST_SAMPLES`] new samples.
    pub samples: Vec<Sample>,
    /// The hour with them.
    pub row: HourRow,
    /// The version of the hour without them; `None` if it has no row.
    pub expected: Option<u64>,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is written.
    Written,
    /// Nothing of it is written.
    Cancelled {
        /// The places in [`HourWrite::samples`] that have a row already.
        duplicates: BTreeSet<usize>,
        /// Whether another writer was faster, at the hour's row or in the midst of a transaction.
        contended: bool,
    },
}

/// What to do after a transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Next {
    /// The samples that are still to be written.
    pub samples: Vec<Sample>,
    /// The hour's row to build on; `None` means: load it.
    pub hour: Option<HourRow>,
}

/// Takes the samples out of `points` whose duplicates could no longer be told at `now`, and refuses them.
#[must_use]
pub fn admit(points: Points, retention: Retention, now: Timestamp) -> Points {
    let Points { accepted, mut refused } = points;
    let (late, accepted): (Vec<_>, Vec<_>) =
        accepted.into_iter().partition(|(_, point)| retention.is_too_late(point.sample.measured_at, now));
    refused.extend(late.into_iter().map(|(index, _)| RefusedPart { index, reason: Refused::TooLate }));
    Points { accepted, refused }
}

/// Sorts the messages of a batch, in their places, into hours of series.
#[must_use]
pub fn groups<'a>(messages: impl IntoIterator<Item = (usize, &'a Points)>) -> Vec<Group> {
    let mut groups: BTreeMap<HourKey, (BTreeSet<Sample>, BTreeSet<usize>)> = BTreeMap::new();
    for (message, points) in messages {
        for (_, point) in &points.accepted {
            let key = HourKey { thing: point.thing.clone(), metric: point.metric.clone(), hour: point.sample.hour() };
            let (samples, messages) = groups.entry(key).or_default();
            samples.insert(point.sample);
            messages.insert(message);
        }
    }
    let mut groups: Vec<Group> =
        groups.into_iter().map(|(key, (samples, messages))| group(key, samples, messages)).collect();
    mark_newest(&mut groups);
    groups
}

fn group(key: HourKey, samples: BTreeSet<Sample>, messages: BTreeSet<usize>) -> Group {
    let mut samples: Vec<Sample> = samples.into_iter().collect();
    samples.dedup_by(|next, kept| next.is_same_measurement(kept));
    Group { key, samples, newest: None, messages }
}

/// Groups are in the order of their keys, so that the last one of a series holds its newest hour.
fn mark_newest(groups: &mut [Group]) {
    let mut newer: Option<(ThingName, Metric)> = None;
    for group in groups.iter_mut().rev() {
        let series = (group.key.thing.clone(), group.key.metric.clone());
        if newer.as_ref() != Some(&series) {
            group.newest = group.samples.last().copied();
            newer = Some(series);
        }
    }
}

/// The next transaction for `samples` on the hour's row as it was read; `None` when nothing is left.
#[must_use]
pub fn plan(samples: &[Sample], hour: Option<&HourRow>) -> Option<HourWrite> {
    let chunk: Vec<Sample> = samples.iter().take(MOST_SAMPLES).copied().collect();
    let added = chunk.iter().map(Aggregate::of).reduce(|left, right| left.merge(&right))?;
    let (aggregate, version) = match hour {
        Some(row) => (row.aggregate.merge(&added), row.version + 1),
        None => (added, 1),
    };
    Some(HourWrite { samples: chunk, row: HourRow { aggregate, version }, expected: hour.map(|row| row.version) })
}

/// What the outcome of `write`, the plan for `samples` on `hour`, means.
#[must_use]
pub fn settle(samples: &[Sample], hour: Option<HourRow>, write: HourWrite, outcome: &Outcome) -> Next {
    match outcome {
        Outcome::Written => {
            Next { samples: samples.iter().skip(write.samples.len()).copied().collect(), hour: Some(write.row) }
        }
        Outcome::Cancelled { duplicates, contended } => {
            let is_left = |(at, _): &(usize, &Sample)| !duplicates.contains(at);
            let samples = samples.iter().enumerate().filter(is_left).map(|(_, sample)| *sample).collect();
            Next { samples, hour: hour.filter(|_| !contended) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::{HOUR_MILLIS, Point, Value};

    fn sample(millis: i64, value: f64) -> Sample {
        let at = Timestamp::from_millis(millis);
        Sample { measured_at: at, value: Value::new(value).unwrap(), received_at: at }
    }

    fn points(metric: &str, samples: &[Sample]) -> Points {
        let thing = ThingName::parse("t1").unwrap();
        let metric = Metric::parse(metric).unwrap();
        let point = |sample: &Sample| (0, Point { thing: thing.clone(), metric: metric.clone(), sample: *sample });
        Points { accepted: samples.iter().map(point).collect(), refused: vec![] }
    }

    fn hour_of(count: i64, version: u64) -> HourRow {
        let all: Vec<_> = (0..count).map(|millis| sample(millis, 1.0)).collect();
        HourRow { version, ..plan(&all, None).unwrap().row }
    }

    #[test]
    fn the_first_sample_of_an_hour_expects_no_row() {
        let write = plan(&[sample(5, 2.0)], None).unwrap();
        assert_eq!((write.expected, write.row.version, write.row.aggregate.count), (None, 1, 1));
    }

    #[test]
    fn a_later_sample_builds_on_the_row_and_expects_its_version() {
        let write = plan(&[sample(5, 2.0)], Some(&hour_of(3, 7))).unwrap();
        assert_eq!((write.expected, write.row.version, write.row.aggregate.count), (Some(7), 8, 4));
    }

    #[test]
    fn ninety_nine_samples_fit_into_one_transaction_and_the_hundredth_goes_into_the_next() {
        let all: Vec<_> = (0..100).map(|millis| sample(millis, 1.0)).collect();
        let write = plan(&all, None).unwrap();
        assert_eq!(write.samples.len(), 99);
        let next = settle(&all, None, write, &Outcome::Written);
        let write = plan(&next.samples, next.hour.as_ref()).unwrap();
        assert_eq!((write.samples.as_slice(), write.expected, write.row.aggregate.count), (&all[99..], Some(1), 100));
        assert_eq!(plan(&[], next.hour.as_ref()), None);
    }

    #[test]
    fn a_duplicate_is_dropped_and_the_hour_kept() {
        let all = [sample(1, 1.0), sample(2, 2.0), sample(3, 3.0)];
        let hour = hour_of(1, 1);
        let write = plan(&all, Some(&hour)).unwrap();
        let outcome = Outcome::Cancelled { duplicates: BTreeSet::from([0, 2]), contended: false };
        let next = settle(&all, Some(hour.clone()), write, &outcome);
        assert_eq!(next, Next { samples: vec![all[1]], hour: Some(hour) });
    }

    #[test]
    fn a_faster_writer_means_load_the_hour_again() {
        let all = [sample(1, 1.0)];
        let write = plan(&all, None).unwrap();
        let outcome = Outcome::Cancelled { duplicates: BTreeSet::new(), contended: true };
        assert_eq!(settle(&all, Some(hour_of(1, 1)), write, &outcome), Next { samples: all.to_vec(), hour: None });
    }

    #[test]
    fn a_duplicate_within_a_batch_is_one_sample_and_the_first_arrival_counts() {
        let first = sample(1, 1.0);
        let again = Sample { received_at: Timestamp::from_millis(9), ..first };
        let messages = [points("m", &[again]), points("m", &[first])];
        let groups = groups(messages.iter().enumerate());
        assert_eq!(groups.len(), 1);
        assert_eq!((groups[0].samples.as_slice(), &groups[0].messages), (&[first][..], &BTreeSet::from([0, 1])));
    }

    #[test]
    fn the_last_millisecond_of_an_hour_and_the_next_are_two_groups_and_the_second_has_the_newest() {
        let (early, late) = (sample(HOUR_MILLIS - 1, 1.0), sample(HOUR_MILLIS, 2.0));
        let messages = [points("m", &[late, early]), points("other", &[early])];
        let groups = groups(messages.iter().enumerate());
        let seen: Vec<_> = groups.iter().map(|group| (group.key.metric.as_str(), group.newest)).collect();
        assert_eq!(seen, [("m", None), ("m", Some(late)), ("other", Some(early))]);
    }

    #[test]
    fn what_comes_too_late_is_refused_and_the_rest_admitted() {
        let retention = Retention::new(1, 2).unwrap();
        let now = Timestamp::from_millis(100 * HOUR_MILLIS);
        let (late, good) = (sample(76 * HOUR_MILLIS, 1.0), sample(77 * HOUR_MILLIS, 1.0));
        let admitted = admit(points("m", &[late, good]), retention, now);
        assert_eq!(admitted.accepted, points("m", &[good]).accepted);
        assert_eq!(admitted.refused, [RefusedPart { index: 0, reason: Refused::TooLate }]);
    }
}
