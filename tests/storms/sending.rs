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

/// Volleys that are made one after the other.
pub(crate) struct Volleys {
    count: usize,
    chance: Chance,
    all: Vec<Volley>,
}

impl Volleys {
    /// None yet; in each to come are `count` messages, the same for the same seed but for names and times.
    pub(crate) fn new(count: usize, seed: u64) -> Self {
        Self { count, chance: Chance::new(seed), all: vec![] }
    }

    /// One volley, of a new thing.
    pub(crate) fn add(&mut self, kind: &'static str, due: Due, make: impl Fn(&mut Chance, &ThingName) -> Value) {
        let thing = unique_thing("storm");
        let events = (0..self.count).map(|_| make(&mut self.chance, &thing)).collect();
        self.all.push(Volley { kind, due, thing, events });
    }

    /// Broken payloads of each of these kinds, as the rule hands them over; to all of them the same is due.
    pub(crate) fn add_payloads<'k>(
        &mut self,
        kinds: impl IntoIterator<Item = &'k Kind>,
        due: Due,
        on: impl Fn(&ThingName, &[u8]) -> Value,
    ) {
        for kind in kinds {
            self.add(kind.name, due, |chance, thing| on(thing, &(kind.make)(chance)));
        }
    }

    /// What goes wrong with good events on the way from the rule; what can be read all the same is of nobody.
    pub(crate) fn add_events(&mut self, good: impl Fn(&ThingName) -> Value) {
        for kind in &EVENTS {
            self.add(kind.name, Due::Either, |chance, thing| (kind.make)(chance, good(thing)));
        }
    }

    /// Bodies that no rule wrote.
    pub(crate) fn add_bodies(&mut self) {
        self.add(NO_RULES, Due::Kept, |chance, _| Value::from(bodies(chance)));
    }

    /// All that were made.
    pub(crate) fn all(self) -> Vec<Volley> {
        self.all
    }
}

/// The name of a kind.
const NO_RULES: &str = "a body that no rule wrote";

/// What a rule makes of a payload on this topic.
pub(crate) fn on(thing: &ThingName, topic: &str, payload: &[u8], at: Timestamp) -> Value {
    let mut event = rule_event(thing, payload, at);
    event["topic"] = topic.into();
    event
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
            let topic = format!("device/{thing}/sensor/air/v1");
            on(&thing, &topic, payload.as_bytes(), at.plus_millis(later))
        };
        let events = (0_i64..).take(count).map(|later| event(later, (kind.make)(&mut chance))).collect();
        volleys.push(Volley { kind: kind.name, due: kind.due, thing, events });
    }
    let events = (0..count).map(|_| Value::from(bodies(&mut chance))).collect();
    volleys.push(Volley { kind: NO_RULES, due: Due::Kept, thing: new_thing().0, events });
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
