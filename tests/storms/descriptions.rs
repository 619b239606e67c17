//! Broken descriptions: what else than a whole one a device may send to `loam/{thing}/describe`.

use loam_domain::ThingName;
use loam_kit::{Chance, now, unique_thing};
use serde_json::{Value, json};

use crate::events::EVENTS;
use crate::kinds::{Due, WHOLE};
use crate::sending::{Volley, on};

const FIELDS: [&str; 9] = [
    "endpoint",
    "clientId",
    "thingId",
    "manufacturerName",
    "modelName",
    "version",
    "friendlyName",
    "friendlyDescription",
    "type",
];

/// What stands in the place of a field, as it is written; the field is left out where that is empty.
type Way = (&'static str, Due, fn(&mut Chance) -> String);

const ANY_FIELD: [Way; 11] = [
    ("a field is missing", Due::Kept, |_| String::new()),
    ("a field is null", Due::Kept, |_| "null".to_owned()),
    ("a field is a number", Due::Kept, |chance| chance.number(0, 99).to_string()),
    ("a field is a boolean", Due::Kept, |chance| chance.one(&["true", "false"]).to_owned()),
    ("a field is a list", Due::Kept, |chance| format!("[{}]", quoted(&chance.word(9)))),
    ("a field is an object", Due::Kept, |chance| format!("{{\"a\":{}}}", quoted(&chance.word(9)))),
    ("a field is too long", Due::Kept, |chance| quoted(&"x".repeat(chance.number(2_049, 9_000)))),
    ("a field holds half a surrogate pair", Due::Kept, |_| "\"\\ud800\"".to_owned()),
    ("a field holds a control character", Due::Kept, |_| "\"a\nb\"".to_owned()),
    ("a field is no JSON", Due::Kept, |chance| chance.one(&["NaN", "Infinity", "'a'", "01", "undefined"]).to_owned()),
    ("a field is nested a thousand times", Due::Kept, |_| format!("{}1{}", "[".repeat(1_000), "]".repeat(1_000))),
];

const OPTIONAL: [(&str, Way); 6] = [
    ("capabilities", ("capabilities are no list", Due::Kept, |chance| quoted(&chance.word(9)))),
    (
        "capabilities",
        ("a capability with a slash or a blank", Due::Kept, |chance| {
            format!("[{}]", quoted(chance.one(&["a/b", "a b", "", "#", "+", "ä"])))
        }),
    ),
    ("capabilities", ("too many capabilities", Due::Kept, |_| json!(vec!["a"; 65]).to_string())),
    ("firmware", ("firmware is a number", Due::Kept, |chance| chance.number(0, 99).to_string())),
    ("firmware", ("firmware is too large", Due::Kept, |_| quoted(&"v".repeat(1_100)))),
    ("colour", ("a field that nobody knows", Due::Accepted, |chance| quoted(&chance.word(9)))),
];

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A good description in which `field` is `raw`.
fn with(thing: &ThingName, field: &str, raw: &str) -> String {
    let mut description: Value = FIELDS.iter().map(|name| ((*name).to_owned(), Value::from("x"))).collect();
    description["clientId"] = thing.as_str().into();
    if raw.is_empty() {
        description.as_object_mut().unwrap().remove(field);
    } else {
        description[field] = "@here".into();
    }
    description.to_string().replace("\"@here\"", raw)
}

/// `count` descriptions of each kind, the same for the same seed but for names and times.
pub(crate) fn descriptions(count: usize, seed: u64) -> Vec<Volley> {
    let mut chance = Chance::new(seed);
    let mut volleys = Vec::new();
    for kind in &WHOLE {
        volleys.push(volley(kind.name, kind.due, count, |_, _| (kind.make)(&mut chance)));
    }
    for (name, due, make) in ANY_FIELD {
        let broken = |at: usize, thing: &ThingName| with(thing, FIELDS[at % 9], &make(&mut chance)).into_bytes();
        volleys.push(volley(name, due, count, broken));
    }
    for (field, (name, due, make)) in OPTIONAL {
        volleys.push(volley(name, due, count, |_, thing| with(thing, field, &make(&mut chance)).into_bytes()));
    }
    for kind in &EVENTS {
        let good = |_, thing: &ThingName| with(thing, "type", "\"soil\"").into_bytes();
        let mut events = volley(kind.name, kind.due, count, good);
        events.events = events.events.into_iter().map(|event| (kind.make)(&mut chance, event)).collect();
        volleys.push(events);
    }
    volleys
}

fn volley(kind: &'static str, due: Due, count: usize, mut payload: impl FnMut(usize, &ThingName) -> Vec<u8>) -> Volley {
    let (thing, at) = (unique_thing("storm"), now());
    let mut event = |place: usize| {
        let later = at.plus_millis(i64::try_from(place).unwrap());
        on(&thing, &format!("loam/{thing}/describe"), &payload(place, &thing), later)
    };
    let events = (0..count).map(&mut event).collect();
    Volley { kind, due, thing, events }
}
