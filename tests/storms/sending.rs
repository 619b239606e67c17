//! What is sent in a storm of broken messages, and what is due to it.

use loam_domain::{ThingName, Timestamp};
use loam_kit::{Chance, now, rule_event, unique_thing};
use serde_json::Value;

use crate::events::{EVENTS, SENSORS, bodies};
use crate::kinds::{Due, FIELDS, Kind, STRANGE, WHOLE};

/// The messages of one kind, all of one thing.
pub(crate) struct Volley {
    pub(crate) kind: &'static str,
    pub(crate) due: Due,
    pub(crate) thing: ThingName,
    /// What the rule hands over; in a body that is no JSON, a text.
    pub(crate) events: Vec<Value>,
}

/// What every function must stand: `count` messages of each kind, the same for the same seed but for names and times.
pub(crate) fn soil(count: usize, seed: u64) -> Vec<Volley> {
    let mut chance = Chance::new(seed);
    let payloads = WHOLE.iter().chain(&FIELDS).chain(&STRANGE).map(|kind| of_kind(kind, count, &mut chance));
    let mut volleys: Vec<Volley> = payloads.collect();
    for kind in &EVENTS {
        let (thing, at) = new_thing();
        let good = |later: i64| rule_event(&thing, br#"{"name":"a","humidity":50}"#, at.plus_millis(later));
        let events = (0_i64..).take(count).map(|later| (kind.make)(&mut chance, good(later))).collect();
        volleys.push(Volley { kind: kind.name, due: kind.due, thing, events });
    }
    volleys
}

/// What the telemetry writer must stand besides: sensors, and bodies that no rule wrote.
pub(crate) fn sensors(count: usize, seed: u64) -> Vec<Volley> {
    let mut chance = Chance::new(seed);
    let mut volleys = Vec::new();
    for kind in &SENSORS {
        let (thing, at) = new_thing();
        let event = |later: i64, payload: String| {
            let mut event = rule_event(&thing, payload.as_bytes(), at.plus_millis(later));
            event["topic"] = format!("device/{thing}/sensor/air/v1").into();
            event
        };
        let events = (0_i64..).take(count).map(|later| event(later, (kind.make)(&mut chance))).collect();
        volleys.push(Volley { kind: kind.name, due: kind.due, thing, events });
    }
    let events = (0..count).map(|_| Value::from(bodies(&mut chance))).collect();
    volleys.push(Volley { kind: "a body that no rule wrote", due: Due::Kept, thing: new_thing().0, events });
    volleys
}

fn of_kind(kind: &Kind, count: usize, chance: &mut Chance) -> Volley {
    let (thing, at) = new_thing();
    let event = |later: i64, payload: Vec<u8>| rule_event(&thing, &payload, at.plus_millis(later));
    let events = (0_i64..).take(count).map(|later| event(later, (kind.make)(chance))).collect();
    Volley { kind: kind.name, due: kind.due, thing, events }
}

fn new_thing() -> (ThingName, Timestamp) {
    (unique_thing("storm"), now())
}
