//! Broken messages for presence: what AWS IoT never sends of a client, and what a thing may put into its last will.

use std::sync::Arc;

use loam_domain::ThingName;
use loam_kit::{Chance, DeadLetterQueue, MARKER, Stack, now, register, unique_thing};
use loam_things::Things;
use presence::{Config, Handler, Known, Store};
use serde_json::{Value, json};

use crate::events::{EVENTS, bodies};
use crate::kinds::{Due, Kind, WHOLE};
use crate::malformed::{Target, in_batches, invocation, one_by_one, per_kind, storm, with_letters};
use crate::sending::{Volley, on};

/// A way in which a payload goes wrong: what it makes of a good one.
struct PayloadKind {
    name: &'static str,
    due: Due,
    make: fn(&mut Chance, Value) -> Vec<u8>,
}

const fn kept(name: &'static str, make: fn(&mut Chance, Value) -> Vec<u8>) -> PayloadKind {
    PayloadKind { name, due: Due::Kept, make }
}

const fn accepted(name: &'static str, make: fn(&mut Chance, Value) -> Vec<u8>) -> PayloadKind {
    PayloadKind { name, due: Due::Accepted, make }
}

fn without(mut payload: Value, field: &str) -> Vec<u8> {
    payload.as_object_mut().unwrap().remove(field);
    payload.to_string().into_bytes()
}

/// The payload with `field` as `raw` says, which need not be JSON.
fn with(mut payload: Value, field: &str, raw: &str) -> Vec<u8> {
    payload[field] = json!("@here");
    payload.to_string().replace("\"@here\"", raw).into_bytes()
}

const OTHER_TYPES: [&str; 5] = ["true", "{}", "[]", "[7]", r#"{"a":1}"#];

/// What AWS IoT's event of a connection may lack, and may not hold.
const LIFE_CYCLE: [PayloadKind; 26] = [
    kept("no client", |_, event| without(event, "clientId")),
    kept("no time", |_, event| without(event, "timestamp")),
    kept("no kind", |_, event| without(event, "eventType")),
    kept("no session", |_, event| without(event, "sessionIdentifier")),
    kept("no version number", |_, event| without(event, "versionNumber")),
    kept("a client of another type", |chance, event| with(event, "clientId", chance.one(&OTHER_TYPES))),
    kept("a time of another type", |chance, event| with(event, "timestamp", chance.one(&OTHER_TYPES))),
    kept("a kind of another type", |chance, event| with(event, "eventType", chance.one(&OTHER_TYPES))),
    kept("a session of another type", |chance, event| with(event, "sessionIdentifier", chance.one(&OTHER_TYPES))),
    kept("a version number of another type", |chance, event| with(event, "versionNumber", chance.one(&OTHER_TYPES))),
    kept("a certificate of another type", |chance, event| with(event, "principalIdentifier", chance.one(&OTHER_TYPES))),
    kept("a reason of another type", |chance, event| with(event, "disconnectReason", chance.one(&OTHER_TYPES))),
    kept("whose wish it was, in words", |chance, event| {
        with(event, "clientInitiatedDisconnect", chance.one(&["\"true\"", "1", "null", "{}"]))
    }),
    kept("null for what is needed", |chance, event| {
        let field = chance.one(&["clientId", "timestamp", "eventType", "sessionIdentifier", "versionNumber"]);
        with(event, field, "null")
    }),
    kept("a number as a text", |chance, event| {
        with(event, chance.one(&["timestamp", "versionNumber"]), chance.one(&["\"7\"", "\"1e3\"", "\"\""]))
    }),
    kept("a number with a fraction", |chance, event| {
        with(event, chance.one(&["timestamp", "versionNumber"]), chance.one(&["0.5", "1e-3", "1.0"]))
    }),
    kept("a number beyond 64 bits", |chance, event| {
        with(event, chance.one(&["timestamp", "versionNumber"]), chance.one(&["9223372036854775808", "1e19", "1e400"]))
    }),
    kept("a version number below 0", |chance, event| {
        with(event, "versionNumber", chance.one(&["-1", "-7", "-9223372036854775808"]))
    }),
    kept("a time that is still to come", |chance, event| {
        with(event, "timestamp", chance.one(&["9223372036854775807", "4102444800000", "253402300799000"]))
    }),
    kept("another client than the topic's", |chance, event| {
        let client = chance.one(&["\"another\"", "\"\"", "\"#\"", "\"a/b\"", "\"${iot:ClientId}\"", "\"\\u0000\""]);
        with(event, "clientId", client)
    }),
    kept("another kind than the topic's", |chance, event| {
        with(event, "eventType", chance.one(&["\"disconnected\"", "\"subscribed\"", "\"\"", "\"Connected\""]))
    }),
    kept("half a surrogate pair", |chance, event| {
        with(event, chance.one(&["sessionIdentifier", "eventType"]), chance.one(&["\"\\ud800\"", "\"\\udc00\""]))
    }),
    kept("a literal that JSON lacks", |chance, event| {
        with(event, "versionNumber", chance.one(&["NaN", "Infinity", "undefined", "0x1F", "+5", "01"]))
    }),
    kept("a field twice", |chance, event| {
        let twice = chance.one(&["\"versionNumber\":7,", "\"clientId\":\"a\",", "\"timestamp\":7,"]);
        event.to_string().replacen('{', &format!("{{{twice}"), 1).into_bytes()
    }),
    accepted("fields that nobody knows", |chance, mut event| {
        for _ in 0..chance.number(1, 9) {
            event[format!("x{}", chance.word(20))] = chance.one(&[json!(null), json!(MARKER), json!({"a": [1]})]);
        }
        event.to_string().into_bytes()
    }),
    accepted("no certificate, and a time long ago", |chance, event| {
        let event: Value = serde_json::from_slice(&without(event, "principalIdentifier")).unwrap();
        with(event, "timestamp", chance.one(&["0", "-1", "-9223372036854775808", "1598536072677"]))
    }),
];

/// What a thing may put into its last will.
const WILLS: [PayloadKind; 8] = [
    kept("a will without a state", |chance, _| {
        chance.one(&["{}", r#"{"connected":false}"#, r#"{"state":null}"#]).into()
    }),
    kept("a will without reported", |chance, _| {
        chance.one(&[r#"{"state":{}}"#, r#"{"state":{"desired":{"connected":false}}}"#, r#"{"state":[]}"#]).into()
    }),
    kept("a will without connected", |chance, _| {
        json!({"state": {"reported": {chance.word(5): MARKER}}}).to_string().into_bytes()
    }),
    kept("a will in other words", |chance, _| {
        let word = chance.one(&["False", "FALSE", "no", "0", "off", " false", "false ", "", "null"]);
        json!({"state": {"reported": {"connected": word}}}).to_string().into_bytes()
    }),
    kept("a will in another type", |chance, _| {
        let raw = chance.one(&["0", "1", "null", "{}", "[false]", "[]", "0.0", "1e400"]);
        format!(r#"{{"state":{{"reported":{{"connected":{raw}}}}}}}"#).into_bytes()
    }),
    kept("a will nested a thousand times", |chance, _| {
        let depth = chance.number(1_000, 5_000);
        format!(r#"{{"state":{}1{}}}"#, "{\"reported\":".repeat(depth), "}".repeat(depth)).into_bytes()
    }),
    accepted("a will that says that it is there", |chance, _| {
        let value = chance.one(&[json!(true), json!("true")]);
        json!({"state": {"reported": {"connected": value, chance.word(5): MARKER}}}).to_string().into_bytes()
    }),
    accepted("a will with more in it than is needed", |chance, _| {
        let more = json!({chance.word(9): [1, {"a": null}]});
        json!({"state": {"reported": {"connected": true, "more": more}, "desired": 7}, "version": "x"})
            .to_string()
            .into()
    }),
];

/// The topic of events may bring what is none.
pub(crate) fn no_events(chance: &mut Chance, thing: &ThingName) -> Value {
    let mut event = json!({"id": format!("{thing}.1"), "type": "thing.retiring", "thing": thing.as_str(), "at": 7,
        "epoch": 1, "data": {}});
    let wrong = [
        ("id", json!(null)),
        ("id", json!(7)),
        ("type", json!("thing.vanished")),
        ("type", json!("")),
        ("type", json!(7)),
        ("type", json!(null)),
        ("thing", json!("a/b")),
        ("thing", json!("#")),
        ("thing", json!({})),
        ("at", json!("now")),
        ("at", json!(0.5)),
        ("epoch", json!(-1)),
        ("data", json!([])),
    ];
    let (field, value) = chance.one(&wrong);
    event[field] = value;
    event["nonce"] = json!(chance.word(20));
    event
}

struct ByRule(Handler);

impl Target for ByRule {
    async fn deliver(&self, volley: &Volley) -> usize {
        one_by_one(volley, |event| async move { Box::pin(self.0.handle(event, &invocation())).await }).await
    }
}

struct ByQueue(Handler);

impl Target for ByQueue {
    async fn deliver(&self, volley: &Volley) -> usize {
        in_batches(volley, 10, |batch| async move { Box::pin(self.0.handle_batch(batch, &invocation())).await }).await
    }
}

/// One thing of ours, connected: what is refused of strangers is not kept.
struct Ours {
    things: Things,
}

impl Ours {
    async fn thing(&self) -> ThingName {
        let thing = unique_thing("storm");
        register(&self.things, &thing).await;
        thing
    }

    async fn volleys(&self, count: usize, seed: u64) -> Vec<Volley> {
        let mut chance = Chance::new(seed);
        let mut volleys = Vec::new();
        for Kind { name, due, make } in &WHOLE {
            let thing = self.thing().await;
            let events = (0..count).map(|_| connected(&thing, &make(&mut chance))).collect();
            volleys.push(Volley { kind: name, due: *due, thing, events });
        }
        for PayloadKind { name, due, make } in &LIFE_CYCLE {
            let thing = self.thing().await;
            let of = |chance: &mut Chance| connected(&thing, &make(chance, good(&thing)));
            let events = (0..count).map(|_| of(&mut chance)).collect();
            volleys.push(Volley { kind: name, due: *due, thing, events });
        }
        for PayloadKind { name, due, make } in &WILLS {
            let thing = self.thing().await;
            let events = (0..count).map(|_| will(&thing, &make(&mut chance, json!(null)))).collect();
            volleys.push(Volley { kind: name, due: *due, thing, events });
        }
        for kind in &EVENTS {
            let thing = self.thing().await;
            let good = || will(&thing, br#"{"state":{"reported":{"connected":true}}}"#);
            let events = (0..count).map(|_| (kind.make)(&mut chance, good())).collect();
            volleys.push(Volley { kind: kind.name, due: kind.due, thing, events });
        }
        let thing = self.thing().await;
        let events = (0..count).map(|_| no_events(&mut chance, &thing)).collect();
        volleys.push(Volley { kind: "an event that is none", due: Due::Kept, thing, events });
        volleys
    }
}

fn good(thing: &ThingName) -> Value {
    json!({"clientId": thing.as_str(), "timestamp": now().as_millis() - 60_000, "eventType": "connected",
           "sessionIdentifier": MARKER, "principalIdentifier": "p", "versionNumber": 7})
}

fn connected(thing: &ThingName, payload: &[u8]) -> Value {
    on(thing, &format!("$aws/events/presence/connected/{thing}"), payload, now())
}

fn will(thing: &ThingName, payload: &[u8]) -> Value {
    on(thing, &format!("lwt/{thing}"), payload, now())
}

async fn world(function: &str) -> (Ours, Config, DeadLetterQueue, Store) {
    let stack = Stack::deployed();
    let admin = stack.admin().await;
    let queue = DeadLetterQueue::own(&admin).await;
    let config = Config::from_lookup(&with_letters(stack.function(function), &queue)).unwrap();
    let things = Things::new(&admin, config.truth.things_table.clone());
    let rows = Store::new(&admin, config.truth.presence_table.clone(), config.truth.history_days);
    (Ours { things }, config, queue, rows)
}

/// Events of connections that were accepted are remembered.
async fn assert_remembered(rows: &Store, volleys: &Arc<Vec<Volley>>) {
    let accepted: Vec<_> = LIFE_CYCLE.iter().filter(|kind| kind.due == Due::Accepted).map(|kind| kind.name).collect();
    for volley in volleys.iter().filter(|volley| accepted.contains(&volley.kind)) {
        let known = rows.load(&volley.thing).await.unwrap();
        assert!(matches!(known, Known::Row(row) if row.is_connected()), "{}: accepted, not remembered", volley.kind);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_messages_are_accepted_or_kept_by_presence() {
    let (ours, config, queue, rows) = world("Presence").await;
    let handler = Handler::new(&Stack::deployed().admin().await, &config, "presence");
    let volleys = storm("presence", ByRule(handler), ours.volleys(per_kind(), 5).await, &queue).await;
    assert!(volleys.len() >= 40, "{} kinds", volleys.len());
    assert_remembered(&rows, &volleys).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_messages_are_accepted_or_kept_by_presence_delayed() {
    let (ours, config, queue, rows) = world("PresenceDelayed").await;
    let handler = Handler::new(&Stack::deployed().admin().await, &config, "presence-delayed");
    let mut volleys = ours.volleys(per_kind(), 6).await;
    let mut chance = Chance::new(7);
    let events = (0..per_kind()).map(|_| Value::from(bodies(&mut chance))).collect();
    volleys.push(Volley { kind: "a body that no rule wrote", due: Due::Kept, thing: ours.thing().await, events });
    assert_remembered(&rows, &storm("presence-delayed", ByQueue(handler), volleys, &queue).await).await;
}
