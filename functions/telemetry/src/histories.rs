//! Histories of readings against a model of the table: whatever order, batches, repeats, crashes and rivals they meet, the
//! rows end as those of one run in order.
//!
//! The model keeps the table's conditions and nothing else; `PROPTEST_CASES=10000` makes the run long.

use std::collections::{BTreeMap, BTreeSet};

use crate::aggregate::Aggregate;
use crate::decide::{Group, HourKey, HourRow, HourWrite, Outcome, groups, plan, settle};
use crate::event::Points;
use crate::point::{HOUR_MILLIS, Metric, Point, Sample, Value};
use loam_domain::{ThingName, Timestamp};
use proptest::prelude::*;
use proptest::sample::Index;

type Series = (ThingName, Metric);

/// The table's rows and conditions.
#[derive(Debug, Default)]
struct Table {
    samples: BTreeSet<(Series, Timestamp, Value)>,
    hours: BTreeMap<HourKey, HourRow>,
    latest: BTreeMap<Series, Sample>,
}

fn series(key: &HourKey) -> Series {
    (key.thing.clone(), key.metric.clone())
}

impl Table {
    /// All or nothing, as the conditions say.
    fn write(&mut self, key: &HourKey, write: &HourWrite) -> Outcome {
        let row = |sample: &Sample| (series(key), sample.measured_at, sample.value);
        let exists = |(_, sample): &(usize, &Sample)| self.samples.contains(&row(sample));
        let duplicates: BTreeSet<_> = write.samples.iter().enumerate().filter(exists).map(|(at, _)| at).collect();
        let contended = self.hours.get(key).map(|row| row.version) != write.expected;
        if contended || !duplicates.is_empty() {
            return Outcome::Cancelled { duplicates, contended };
        }
        self.samples.extend(write.samples.iter().map(row));
        self.hours.insert(key.clone(), write.row.clone());
        Outcome::Written
    }

    fn put_latest(&mut self, key: &HourKey, newest: Sample) {
        let current = self.latest.entry(series(key)).or_insert(newest);
        if (newest.measured_at, newest.value) > (current.measured_at, current.value) {
            *current = newest;
        }
    }

    /// Everything but what depends on who came first: arrival times, and how many writes it took.
    fn rows(self) -> Rows {
        let hours = self.hours.into_iter().map(|(key, row)| (key, row.aggregate)).collect();
        let latest =
            self.latest.into_iter().map(|(series, sample)| (series, (sample.measured_at, sample.value))).collect();
        Rows { samples: self.samples, hours, latest }
    }
}

/// What must be the same in the end.
#[derive(Debug, PartialEq)]
struct Rows {
    samples: BTreeSet<(Series, Timestamp, Value)>,
    hours: BTreeMap<HourKey, Aggregate>,
    latest: BTreeMap<Series, (Timestamp, Value)>,
}

/// A handler at work on a batch; each step makes one call, so that others can come in between.
struct Worker {
    groups: Vec<Group>,
    hour: Option<HourRow>,
    loaded: bool,
}

impl Worker {
    fn on(batch: &[Points]) -> Self {
        let mut groups = groups(batch.iter().enumerate());
        groups.reverse();
        Self { groups, hour: None, loaded: false }
    }

    /// Makes its next call; false once there is none left.
    fn step(&mut self, table: &mut Table) -> bool {
        let Some(group) = self.groups.last_mut() else { return false };
        if !self.loaded {
            (self.hour, self.loaded) = (table.hours.get(&group.key).cloned(), true);
        } else if let Some(write) = plan(&group.samples, self.hour.as_ref()) {
            let outcome = table.write(&group.key, &write);
            let next = settle(&group.samples, self.hour.take(), write, &outcome);
            (group.samples, self.loaded, self.hour) = (next.samples, next.hour.is_some(), next.hour);
        } else {
            if let Some(newest) = group.newest {
                table.put_latest(&group.key, newest);
            }
            self.groups.pop();
            self.loaded = false;
        }
        true
    }
}

/// One message of one point.
fn message(series: u8, millis: i64, value: f64, arrival: i64) -> Points {
    let thing = ThingName::parse(if series < 2 { "t1" } else { "t2" }).unwrap();
    let metric = Metric::parse(if series.is_multiple_of(2) { "humidity" } else { "air.temperature" }).unwrap();
    let received_at = Timestamp::from_millis(millis + arrival);
    let sample = Sample { measured_at: Timestamp::from_millis(millis), value: Value::new(value).unwrap(), received_at };
    Points { accepted: vec![(0, Point { thing, metric, sample })], refused: vec![] }
}

/// Messages in few hours and on few milliseconds, so that they meet.
fn messages(most: usize) -> impl Strategy<Value = Vec<Points>> {
    let millis = (0..3_i64, 0..200_i64).prop_map(|(hour, millis)| hour * HOUR_MILLIS + millis);
    let value = prop_oneof![Just(0.1), Just(35.0), Just(-1e50), -100.0..100.0_f64];
    let message = (0..4_u8, millis, value).prop_map(|(series, millis, value)| message(series, millis, value, 0));
    proptest::collection::vec(message, 1..most)
}

/// Each message 1 to 5 times, shuffled, in batches of up to 10.
fn deliveries(messages: Vec<Points>) -> impl Strategy<Value = Vec<Vec<Points>>> {
    let copies = proptest::collection::vec(1..=5_usize, messages.len());
    (Just(messages), copies, 1..=10_usize).prop_flat_map(|(messages, copies, size)| {
        let all: Vec<Points> =
            messages.into_iter().zip(copies).flat_map(|(message, copies)| vec![message; copies]).collect();
        Just(all).prop_shuffle().prop_map(move |all| all.chunks(size).map(<[Points]>::to_vec).collect())
    })
}

/// One run in order, one message at a time.
fn in_order(messages: &[Points]) -> Table {
    let mut table = Table::default();
    for message in messages {
        let mut worker = Worker::on(std::slice::from_ref(message));
        while worker.step(&mut table) {}
    }
    table
}

/// Up to 8 handlers at once: who makes the next call, and who dies after it (to be started again), is chance's.
fn at_once(batches: &[Vec<Points>], chances: &[(Index, u8)]) -> Table {
    let (mut table, mut waiting) = (Table::default(), batches.iter());
    let mut workers: Vec<(&Vec<Points>, Worker)> = Vec::new();
    let mut chances = chances.iter().cycle();
    loop {
        while workers.len() < 8
            && let Some(batch) = waiting.next()
        {
            workers.push((batch, Worker::on(batch)));
        }
        let Some((who, fate)) = chances.next().filter(|_| !workers.is_empty()) else { return table };
        let at = who.index(workers.len());
        let (batch, worker) = &mut workers[at];
        if !worker.step(&mut table) {
            workers.swap_remove(at);
        } else if *fate == 0 {
            *worker = Worker::on(batch);
        }
    }
}

fn chances() -> impl Strategy<Value = Vec<(Index, u8)>> {
    // A prime length, and always somebody who lives on: the cycle cannot starve a handler for ever.
    proptest::collection::vec((any::<Index>(), 0..20_u8), 997)
}

/// What the rows must say, told without the code under test: all distinct samples, hour by hour.
fn naive(messages: &[Points]) -> BTreeMap<HourKey, (u64, Value, Value, (Timestamp, Value))> {
    let mut hours: BTreeMap<HourKey, BTreeSet<(Timestamp, Value)>> = BTreeMap::new();
    for (_, point) in messages.iter().flat_map(|message| &message.accepted) {
        let hour = Timestamp::from_millis(point.sample.measured_at.as_millis() / HOUR_MILLIS * HOUR_MILLIS);
        let key = HourKey { thing: point.thing.clone(), metric: point.metric.clone(), hour };
        hours.entry(key).or_default().insert((point.sample.measured_at, point.sample.value));
    }
    let facts = |all: BTreeSet<(Timestamp, Value)>| {
        let mut values: Vec<Value> = all.iter().map(|(_, value)| *value).collect();
        values.sort();
        (all.len() as u64, values[0], values[values.len() - 1], *all.last().unwrap())
    };
    hours.into_iter().map(|(key, all)| (key, facts(all))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_history_shuffled_repeated_batched_and_crashed_ends_in_the_rows_of_one_run_in_order(
        (messages, batches) in messages(50).prop_flat_map(|messages| (Just(messages.clone()), deliveries(messages))),
        chances in chances(),
    ) {
        prop_assert_eq!(at_once(&batches, &chances).rows(), in_order(&messages).rows());
    }

    #[test]
    fn an_hour_counts_exactly_its_distinct_samples(messages in messages(50)) {
        let rows = in_order(&messages).hours;
        let facts = rows.into_iter().map(|(key, HourRow { aggregate, .. })| {
            (key, (aggregate.count, aggregate.min, aggregate.max, (aggregate.last_at, aggregate.last)))
        });
        prop_assert_eq!(facts.collect::<BTreeMap<_, _>>(), naive(&messages));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 8, ..ProptestConfig::default() })]

    #[test]
    fn one_batch_of_hundreds_is_split_into_transactions_and_ends_in_the_same_rows(messages in messages(600)) {
        let mut table = Table::default();
        let mut worker = Worker::on(&messages);
        while worker.step(&mut table) {}
        prop_assert_eq!(table.rows(), in_order(&messages).rows());
    }
}

#[test]
fn the_same_value_in_the_same_millisecond_is_one_sample_even_if_it_arrives_later() {
    let messages = [message(0, 5, 20.0, 0), message(0, 5, 20.0, 60_000)];
    let table = in_order(&messages);
    assert_eq!((table.samples.len(), table.hours.values().next().unwrap().aggregate.count), (1, 1));
}
