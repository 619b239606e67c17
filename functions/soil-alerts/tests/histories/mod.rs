//! Histories of readings, made from a seed: what a bad network makes of a good device.

use loam_domain::Timestamp;
use proptest::prelude::RngExt as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::json;
use soil_alerts::smart::{AlertRule, Observation, RuleSpec, Sample};

pub(crate) mod oracle;

/// The most readings in one history.
pub(crate) const MAX_READINGS: usize = 50;

/// So many handlers work at a time.
pub(crate) const HANDLERS: usize = 8;

/// One message, as often as it is delivered: always with the same time of arrival.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) observations: Vec<Observation>,
    pub(crate) received_at: Timestamp,
}

/// What one thing sends under one rule, and in which order it arrives.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) seed: u64,
    pub(crate) rule: AlertRule,
    pub(crate) events: Vec<Event>,
    /// Indices into `events`: each stands here 1 to 5 times.
    pub(crate) deliveries: Vec<usize>,
}

/// Which rules a history may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 1 of 1, 1 clear, with or without hysteresis: the status follows from the last decisive reading.
    Immediate,
    /// N of M, K clears, reminders and cool-down.
    General,
}

/// A source of chance that gives the same for the same seed.
pub(crate) fn chance(seed: u64) -> TestRng {
    let mut bytes = [7_u8; 16];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::XorShift, &bytes)
}

/// `count` histories; history `n` of seed `s` is history 0 of seed `s + n`, so that a failure can be run alone.
pub(crate) fn histories(kind: Kind, count: u64, seed: u64) -> impl Iterator<Item = History> {
    (0..count).map(move |number| history(kind, seed + number))
}

fn history(kind: Kind, seed: u64) -> History {
    let mut chance = chance(seed);
    let rule = rule(kind, &mut chance);
    let mut left = chance.random_range(1..=MAX_READINGS);
    let mut events = Vec::new();
    while left > 0 {
        let size = if chance.random_ratio(1, 10) { chance.random_range(1..=left.min(5)) } else { 1 };
        events.push((0..size).map(|_| observation(&mut chance)).collect::<Vec<_>>());
        left -= size;
    }
    let mut deliveries: Vec<_> = (0..events.len()).flat_map(|index| vec![index; chance.random_range(1..=5)]).collect();
    shuffle(&mut deliveries, &mut chance);
    let arrival = |index: usize| deliveries.iter().position(|delivered| *delivered == index).unwrap();
    let events = events
        .into_iter()
        .enumerate()
        .map(|(index, observations)| Event {
            observations,
            received_at: second(60 + i64::try_from(arrival(index)).unwrap()),
        })
        .collect();
    History { seed, rule, events, deliveries }
}

fn rule(kind: Kind, chance: &mut TestRng) -> AlertRule {
    let above = chance.random_bool(0.5);
    let distance = if chance.random_bool(0.5) { 0.0 } else { 5.0 };
    let clear = if above { 35.0 - distance } else { 35.0 + distance };
    let mut fields = json!({"path": "humidity", "direction": if above { "above" } else { "below" },
        "threshold": 35.0, "clear": clear});
    if kind == Kind::General {
        let of = chance.random_range(1..=6_u8);
        fields["of"] = json!(of);
        fields["breaches"] = json!(chance.random_range(1..=of));
        fields["clears"] = json!(chance.random_range(1..=3_u8));
        fields["cooldownSeconds"] = json!(chance.random_bool(0.3).then_some(20));
        fields["reminderSeconds"] = json!(chance.random_bool(0.3).then_some(60));
    }
    AlertRule::try_from(serde_json::from_value::<RuleSpec>(fields).unwrap()).unwrap()
}

/// A reading in one of 60 seconds, so that some have the same time and some are the same.
fn observation(chance: &mut TestRng) -> Observation {
    let at = second(chance.random_range(0..60));
    let value = f64::from(chance.random_range(26..=44_i32));
    Observation { name: "soilSensor1".to_owned(), sample: Sample::new(at, value) }
}

fn second(number: i64) -> Timestamp {
    Timestamp::from_millis(1_598_536_072_000 + 1000 * number)
}

fn shuffle<T>(items: &mut [T], chance: &mut TestRng) {
    for last in (1..items.len()).rev() {
        items.swap(last, chance.random_range(0..=last));
    }
}
