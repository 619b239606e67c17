//! How many things a core asks whether a filter is true of them, without any call: what a list of a fleet is made of, beside
//! reading it. The reference is the naive way: the same conditions as a tree that looks each field up by its path in JSON
//! and compares copies of the values.

use std::fmt;
use std::hint::black_box;
use std::time::Duration;

use loam_query::Filter;
use serde_json::{Value, json};

use crate::cpu;
use crate::failure::Failure;
use crate::samples::Samples;

/// Different things, so that nothing is decided once for all.
const THINGS: u32 = 1000;
/// Times that all things are gone through for one sample.
const PASSES: u32 = 50;
const SAMPLES: usize = 5;

const FILTER: &str =
    "properties.reported.humidity < 35 AND tags.room IN ['kitchen', 'hall'] AND NOT groups CONTAINS 'east'";

/// Evaluations a second of CPU time.
#[derive(Debug)]
pub(crate) struct Filters {
    ours: Samples,
    naive: Samples,
    parses: Samples,
}

/// The same filter's conditions, for the naive way.
enum Naive {
    All(Vec<Naive>),
    Not(Box<Naive>),
    Less(&'static str, Value),
    In(&'static str, Vec<Value>),
    Contains(&'static str, Value),
}

pub(crate) fn per_second() -> Result<Filters, Failure> {
    let (things, naive) = ((0..THINGS).map(thing).collect::<Vec<_>>(), naive());
    let filter = Filter::parse(FILTER).ok();
    let ours = |thing: &Value| filter.as_ref().is_some_and(|filter| filter.matches(thing));
    Ok(Filters {
        ours: samples(&things, ours)?,
        naive: samples(&things, |thing| naive.is_true(thing) == Some(true))?,
        parses: samples(&things, |_| Filter::parse(black_box(FILTER)).is_ok())?,
    })
}

fn samples(things: &[Value], asked: impl Fn(&Value) -> bool) -> Result<Samples, Failure> {
    (0..SAMPLES).map(|_| sample(things, &asked)).collect()
}

fn sample(things: &[Value], asked: &impl Fn(&Value) -> bool) -> Result<f64, Failure> {
    let before = cpu::of_this_thread()?;
    for _ in 0..PASSES {
        for thing in things {
            black_box(asked(black_box(thing)));
        }
    }
    let spent = cpu::of_this_thread()?.saturating_sub(before);
    Ok(f64::from(THINGS * PASSES) / spent.max(Duration::from_nanos(1)).as_secs_f64())
}

/// A thing as the catalog shows it; one of some dozens is selected.
fn thing(at: u32) -> Value {
    let room = ["kitchen", "hall", "bath", "cellar"].get(at as usize % 4).copied().unwrap_or_default();
    json!({
        "deviceId": format!("thing-{at:07}"), "state": "onboarded", "registeredAt": 1_598_536_072_677_i64,
        "groups": [if at % 3 == 0 { "east" } else { "west" }, "batch-7"],
        "tags": {"room": room, "floor": at % 5},
        "properties": {"desired": {"interval": 30}, "reported": {"humidity": at % 100, "interval": 30}},
        "connectivity": {"connected": at % 7 != 0, "since": 1_598_536_072_677_i64}, "firmware": {"version": "1.4.2"},
    })
}

fn naive() -> Naive {
    Naive::All(vec![
        Naive::Less("/properties/reported/humidity", json!(35)),
        Naive::In("/tags/room", vec![json!("kitchen"), json!("hall")]),
        Naive::Not(Box::new(Naive::Contains("/groups", json!("east")))),
    ])
}

impl Naive {
    fn is_true(&self, thing: &Value) -> Option<bool> {
        let at = |path: &str| thing.pointer(path).cloned();
        match self {
            Self::All(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| part.is_true(thing)).collect();
                if parts.contains(&Some(false)) {
                    Some(false)
                } else {
                    parts.into_iter().collect::<Option<Vec<_>>>().map(|_| true)
                }
            }
            Self::Not(part) => part.is_true(thing).map(|truth| !truth),
            Self::Less(path, value) => Some(at(path)?.as_f64()? < value.as_f64()?),
            Self::In(path, values) => Some(values.contains(&at(path)?)),
            Self::Contains(path, value) => Some(at(path)?.as_array()?.contains(value)),
        }
    }
}

impl fmt::Display for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let median = |samples: &Samples| samples.median().unwrap_or_default();
        write!(
            f,
            "Filter of three conditions on a thing, no call: {:.0} things/s of one core (median of {}; slowest {:.0}); \
             the reference, a tree over JSON that copies values: {:.0}. Reading the filter: {:.0}/s.",
            median(&self.ours),
            self.ours.count(),
            self.ours.min().unwrap_or_default(),
            median(&self.naive),
            median(&self.parses),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_select_the_same_things_some_and_not_all() {
        let (filter, naive) = (Filter::parse(FILTER).unwrap(), naive());
        let things: Vec<_> = (0..THINGS).map(thing).collect();
        let ours: Vec<_> = things.iter().map(|thing| filter.matches(thing)).collect();
        let theirs: Vec<_> = things.iter().map(|thing| naive.is_true(thing) == Some(true)).collect();
        assert_eq!(ours, theirs);
        assert!(ours.contains(&true) && ours.contains(&false));
    }
}
