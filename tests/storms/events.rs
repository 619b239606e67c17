//! What goes wrong on the way from the rule: somebody changed its SQL, or called the function by hand; and what only
//! sensors can get wrong.

use loam_kit::{Chance, MARKER};
use serde_json::{Value, json};

use crate::kinds::Due;

/// A way in which events go wrong: what it makes of a good one.
pub(crate) struct EventKind {
    pub(crate) name: &'static str,
    pub(crate) due: Due,
    pub(crate) make: fn(&mut Chance, Value) -> Value,
}

const fn kept(name: &'static str, make: fn(&mut Chance, Value) -> Value) -> EventKind {
    EventKind { name, due: Due::Kept, make }
}

const fn accepted(name: &'static str, make: fn(&mut Chance, Value) -> Value) -> EventKind {
    EventKind { name, due: Due::Accepted, make }
}

fn with(mut event: Value, field: &str, value: Value) -> Value {
    event[field] = value;
    event
}

/// The thing of a good event.
fn thing(event: &Value) -> &str {
    event["clientId"].as_str().unwrap()
}

pub(crate) const EVENTS: [EventKind; 11] = [
    kept("an event that is no object", |chance, event| {
        chance.one(&[json!(null), json!(7), json!(true), json!(thing(&event)), json!([]), json!([event])])
    }),
    kept("an event without a field", |chance, mut event| {
        event.as_object_mut().unwrap().remove(chance.one(&["payload", "topic", "receivedAt"]));
        event
    }),
    kept("an event with a field of another type", |chance, event| {
        let field = chance.one(&["payload", "topic", "receivedAt", "clientId"]);
        with(event, field, chance.one(&[json!(true), json!({"a": MARKER}), json!([7]), json!(0.5)]))
    }),
    kept("a payload that is not base64", |chance, event| {
        let text = chance.one(&["***", "e30", "e30=e30=", "_-8=", " e30=", "e30=\n", "ä", "e3=0"]);
        with(event, "payload", json!(text))
    }),
    kept("an unknown topic", |chance, event| {
        let thing = thing(&event).to_owned();
        let topics = [
            String::new(),
            "/".to_owned(),
            format!("device/{thing}"),
            format!("device/{thing}/devicePayload/"),
            format!("/device/{thing}/devicePayload"),
            format!("Device/{thing}/devicePayload"),
            format!("$aws/things/{thing}/shadow/update"),
            format!("device/{thing}/sensor//v1"),
            format!("device/{thing}/sensor/+/v1"),
            format!("device/{thing}/sensor/air/v2"),
        ];
        with(event, "topic", json!(chance.one(&topics)))
    }),
    kept("a wildcard or worse in the thing's name", |chance, event| {
        let character = chance.one(&["+", "#", "*", "?", "$", " ", "\0", "ä", ".", "%2f", "\\", "${iot:ClientId}"]);
        let topic = format!("device/{character}{}/devicePayload", thing(&event));
        with(event, "topic", json!(topic))
    }),
    kept("a reserved name, none, or one that is too long", |chance, event| {
        let names = [
            String::new(),
            "device".to_owned(),
            "lwt".to_owned(),
            "loam".to_owned(),
            "users".to_owned(),
            "t".repeat(129),
        ];
        let topic = format!("device/{}/devicePayload", chance.one(&names));
        with(event, "topic", json!(topic))
    }),
    kept("a time of arrival that is none", |chance, event| {
        let times = [json!(null), json!("now"), json!(1e300), json!(0.5), json!(u64::MAX), json!({})];
        with(event, "receivedAt", chance.one(&times))
    }),
    kept("a payload that is empty", |_, event| with(event, "payload", json!(""))),
    accepted("a field that the rule does not select", |chance, event| {
        let more = chance.one(&[json!(null), json!({"a": 1}), json!("x")]);
        with(event, &chance.word(9), more)
    }),
    accepted("no client id", |chance, mut event| {
        event.as_object_mut().unwrap().remove("clientId");
        chance.one(&[
            event.clone(),
            with(event.clone(), "clientId", json!(null)),
            with(event, "clientId", json!("n/a")),
        ])
    }),
];

/// A way in which a sensor's payloads go wrong.
pub(crate) struct SensorKind {
    pub(crate) name: &'static str,
    pub(crate) due: Due,
    pub(crate) make: fn(&mut Chance) -> String,
}

const fn sensor(name: &'static str, due: Due, make: fn(&mut Chance) -> String) -> SensorKind {
    SensorKind { name, due, make }
}

pub(crate) const SENSORS: [SensorKind; 9] = [
    sensor("a sensor's list", Due::Kept, |chance| json!([{"t": chance.number(0, 99)}]).to_string()),
    sensor("a sensor's object nested too deep", Due::Kept, |chance| {
        let depth = chance.number(9, 2_000);
        format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))
    }),
    sensor("a sensor of too many numbers", Due::Kept, |chance| {
        let count = chance.number(65, 2_000);
        let fields: Vec<_> = (0..count).map(|at| format!("\"m{at}\":{at}")).collect();
        format!("{{{}}}", fields.join(","))
    }),
    sensor("a path that is too long", Due::Kept, |chance| {
        json!({"p".repeat(chance.number(129, 9_999)): 1}).to_string()
    }),
    sensor("a control character in a path", Due::Kept, |chance| {
        format!(r#"{{"a{}":1}}"#, chance.one(&["\\u0000", "\\n", "\\u001b", "\\u0085"]))
    }),
    sensor("half a surrogate pair in a path", Due::Kept, |chance| {
        format!(r#"{{"a":1,"{}":{}}}"#, chance.one(&["\\ud800", "\\udc00"]), chance.number(0, 9))
    }),
    sensor("a sensor's number that cannot be kept", Due::Kept, |chance| {
        let number = chance.one(&["1e400", "-1e309", "1e200", "-1e101", "1e-101", "1e-300"]);
        format!(r#"{{"a":{number},"color":"{MARKER}"}}"#)
    }),
    sensor("a sensor's object without numbers", Due::Accepted, |chance| {
        json!({"color": MARKER, chance.word(9): chance.one(&[json!(null), json!(true), json!([]), json!({})])})
            .to_string()
    }),
    sensor("a sensor's time that no clock shows", Due::Accepted, |chance| {
        let time = chance.one(&["0", "-1", "1e300", "9223372036854775807", "\"x\"", "null", "{}"]);
        format!(r#"{{"t":{},"timestamp":{time}}}"#, chance.number(0, 99))
    }),
];

/// What no rule writes into the queue: the body of a record.
pub(crate) fn bodies(chance: &mut Chance) -> String {
    let word = chance.word(9);
    let deep = "[".repeat(chance.number(1_000, 5_000));
    let texts = [String::new(), " ".to_owned(), word.clone(), format!("{{\"{word}\":"), format!("\"{word}\""), deep];
    chance.one(&texts)
}
