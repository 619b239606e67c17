//! Broken messages for the catalog's projector: what AWS IoT never says of a shadow, events that are none; and a store that
//! fails while good ones come.

use std::sync::Arc;
use std::time::Instant;

use catalog::{Config, Handler};
use loam_domain::ThingName;
use loam_kit::wiretap::Wiretap;
use loam_kit::{Chance, DeadLetterQueue, MARKER, Stack, now, register, unique_thing};
use loam_runtime::BatchItem;
use loam_things::Things;
use loam_things::twins::Twins;
use serde_json::{Value, json};

use crate::events::{EVENTS, bodies};
use crate::kinds::{Due, Kind, WHOLE};
use crate::line::{Policy, QUEUE};
use crate::malformed::{self, in_batches, invocation, per_kind, storm, with_letters};
use crate::nothing_lost::{self, Fleet, assert_none_lost, replay_until, work_off};
use crate::presence::no_events;
use crate::sending::{self, Volley};

/// A way in which a document goes wrong: what it makes of a good one.
struct DocumentKind {
    name: &'static str,
    due: Due,
    make: fn(&mut Chance, Value) -> Vec<u8>,
}

const fn kept(name: &'static str, make: fn(&mut Chance, Value) -> Vec<u8>) -> DocumentKind {
    DocumentKind { name, due: Due::Kept, make }
}

const fn accepted(name: &'static str, make: fn(&mut Chance, Value) -> Vec<u8>) -> DocumentKind {
    DocumentKind { name, due: Due::Accepted, make }
}

/// The document with what stands at `pointer` as `raw` says, which need not be JSON.
fn with(mut document: Value, pointer: &str, raw: &str) -> Vec<u8> {
    *document.pointer_mut(pointer).unwrap() = json!("@here");
    document.to_string().replace("\"@here\"", raw).into_bytes()
}

fn without(mut document: Value, parent: &str, field: &str) -> Vec<u8> {
    document.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field);
    document.to_string().into_bytes()
}

const NUMBERS: [&str; 2] = ["/current/version", "/timestamp"];
const STATES: [&str; 2] = ["/current/state/desired", "/current/state/reported"];
const NO_NUMBERS: [&str; 6] = ["true", "{}", "[]", "[7]", "null", r#"{"a":1}"#];

/// What AWS IoT's document of a shadow may lack, and may not hold.
const DOCUMENTS: [DocumentKind; 24] = [
    kept("no current document", |_, document| without(document, "", "current")),
    kept("no version", |_, document| without(document, "/current", "version")),
    kept("no time", |_, document| without(document, "", "timestamp")),
    kept("the previous document alone", |_, document| json!({"previous": document["current"]}).to_string().into()),
    kept("a document of another type", |chance, document| {
        with(document, "/current", chance.one(&["true", "7", "\"x\"", "null", "[{}]"]))
    }),
    kept("a state of another type", |chance, document| {
        with(document, "/current/state", chance.one(&["true", "7", "\"x\"", "[{\"a\":1}]", "null"]))
    }),
    kept("desired or reported of another type", |chance, document| {
        with(document, chance.one(&STATES), chance.one(&["true", "7", "\"x\"", "[]", "[{\"a\":1}]"]))
    }),
    kept("a number of another type", |chance, document| with(document, chance.one(&NUMBERS), chance.one(&NO_NUMBERS))),
    kept("a number as a text", |chance, document| {
        with(document, chance.one(&NUMBERS), chance.one(&["\"7\"", "\"1e3\"", "\"\"", "\"-1\""]))
    }),
    kept("a number with a fraction", |chance, document| {
        with(document, chance.one(&NUMBERS), chance.one(&["0.5", "1e-3", "1.0", "1e3"]))
    }),
    kept("a number beyond 64 bits", |chance, document| {
        with(document, chance.one(&NUMBERS), chance.one(&["18446744073709551616", "1e19", "1e400"]))
    }),
    kept("a version below 0", |chance, document| {
        with(document, "/current/version", chance.one(&["-1", "-7", "-9223372036854775808"]))
    }),
    kept("a time that is still to come", |chance, document| {
        with(document, "/timestamp", chance.one(&["9223372036854775807", "4102444800", "253402300799"]))
    }),
    kept("a state nested a thousand times", |chance, document| {
        let depth = chance.number(1_000, 5_000);
        with(document, chance.one(&STATES), &format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)))
    }),
    kept("half a surrogate pair", |chance, document| {
        let raw = format!(r#"{{"a":"{}"}}"#, chance.one(&["\\ud800", "\\udc00", "\\udc00\\ud800"]));
        with(document, chance.one(&STATES), &raw)
    }),
    kept("half a surrogate pair in a field's name", |chance, document| {
        with(document, chance.one(&STATES), &format!(r#"{{"{}":1}}"#, chance.one(&["\\ud800", "\\udc00"])))
    }),
    kept("a literal that JSON lacks", |chance, document| {
        let raw = format!(r#"{{"a":{}}}"#, chance.one(&["NaN", "Infinity", "undefined", "0x1F", "+5", "01", "'x'"]));
        with(document, chance.one(&STATES), &raw)
    }),
    kept("a number in a state beyond every float", |chance, document| {
        with(document, chance.one(&STATES), &format!(r#"{{"a":{}}}"#, chance.one(&["1e400", "-1e400"])))
    }),
    kept("a field twice", |chance, document| {
        let twice = chance.one(&["\"timestamp\":7,", "\"current\":{\"version\":1},"]);
        document.to_string().replacen('{', &format!("{{{twice}"), 1).into_bytes()
    }),
    accepted("fields that nobody knows", |chance, mut document| {
        for _ in 0..chance.number(1, 9) {
            document[format!("x{}", chance.word(20))] = chance.one(&[json!(null), json!(MARKER), json!({"a": [1]})]);
            document["current"][format!("x{}", chance.word(9))] = json!(chance.number(0, 9));
        }
        document.to_string().into_bytes()
    }),
    accepted("no state, or none of one kind", |chance, mut document| {
        document["current"]["state"] =
            chance.one(&[json!({}), json!({"desired": null}), json!({"reported": null, "desired": {}})]);
        document.to_string().into_bytes()
    }),
    accepted("odd names and values in a state", |chance, mut document| {
        let name = chance.one(&["", "a.b", "\u{0}", "$where", "deviceId", "__proto__", "🌱", "'", "\\"]);
        let value = chance.one(&[json!(null), json!([[], [null]]), json!(""), json!(-0.0), json!(u64::MAX)]);
        document["current"]["state"]["reported"] = json!({ name: value, "n": chance.number(0, 99) });
        document.to_string().into_bytes()
    }),
    accepted("a state of 100 KB", |chance, mut document| {
        document["current"]["state"]["reported"] = json!({"a": chance.one(&["x", "\"", "ü"]).repeat(50_000)});
        document.to_string().into_bytes()
    }),
    accepted("a time long ago", |chance, document| {
        with(document, "/timestamp", chance.one(&["0", "-1", "-9223372036854775808", "1598536072"]))
    }),
];

/// What AWS IoT's message of a shadow's end may lack, and may not hold.
const ENDS: [DocumentKind; 4] = [
    kept("an end without a version", |_, end| without(end, "", "version")),
    kept("an end without a time", |_, end| without(end, "", "timestamp")),
    kept("an end with no numbers", |chance, end| {
        with(end, chance.one(&["/version", "/timestamp"]), chance.one(&NO_NUMBERS))
    }),
    accepted("an end with more in it than is needed", |chance, mut end| {
        end[format!("x{}", chance.word(9))] = json!([chance.number(0, 9)]);
        end.to_string().into_bytes()
    }),
];

/// A presence that the topic of events may bring, and cannot be put in its place.
fn presence_without_order(chance: &mut Chance, thing: &ThingName) -> Value {
    let id = chance.one(&["", "x", "7", "t.presence.", "t.presence.-1", "t.presence.1.5", "t.presence.x"]);
    let kind = chance.one(&["presence.connected", "presence.disconnected"]);
    let id = if id == "7" { thing.to_string() } else { id.to_owned() };
    json!({"id": id, "type": kind, "thing": thing, "at": 7, "epoch": 1, "data": {}, "nonce": chance.word(20)})
}

/// An event that the projector has no use for, or may not look into.
fn presence_with_odd_data(chance: &mut Chance, thing: &ThingName) -> Value {
    let odd = chance.one(&[json!(null), json!({"a": {}}), json!([]), json!("x"), json!(-1)]);
    let data = json!({"since": odd, "reason": odd, "clean": odd, "flapping": odd, chance.word(9): MARKER});
    let id = format!("{thing}.presence.{}", chance.number(1, 9_999));
    json!({"id": id, "type": "presence.disconnected", "thing": thing, "at": 7, "epoch": 1, "data": data})
}

struct Projector(Handler);

impl malformed::Target for Projector {
    async fn deliver(&self, volley: &Volley) -> usize {
        in_batches(volley, 25, |batch| async move { Box::pin(self.0.handle(batch, &invocation())).await }).await
    }
}

async fn new_thing(things: &Things) -> ThingName {
    let thing = unique_thing("storm");
    register(things, &thing).await;
    thing
}

fn good() -> Value {
    json!({"previous": {"state": {}, "metadata": {}, "version": 6}, "clientToken": MARKER,
           "current": {"state": {"desired": {"a": 1}, "reported": {"a": 1}}, "metadata": {}, "version": 7},
           "timestamp": now().as_secs()})
}

fn on(thing: &ThingName, topic: &str, payload: &[u8]) -> Value {
    sending::on(thing, &format!("$aws/things/{thing}/shadow/{topic}"), payload, now())
}

async fn volleys(things: &Things, count: usize, seed: u64) -> Vec<Volley> {
    let mut chance = Chance::new(seed);
    let mut volleys = Vec::new();
    for Kind { name, due, make } in &WHOLE {
        let thing = new_thing(things).await;
        let events = (0..count).map(|_| on(&thing, "update/documents", &make(&mut chance))).collect();
        volleys.push(Volley { kind: name, due: *due, thing, events });
    }
    for DocumentKind { name, due, make } in &DOCUMENTS {
        let thing = new_thing(things).await;
        let events = (0..count).map(|_| on(&thing, "update/documents", &make(&mut chance, good()))).collect();
        volleys.push(Volley { kind: name, due: *due, thing, events });
    }
    for DocumentKind { name, due, make } in &ENDS {
        let (thing, end) = (new_thing(things).await, || json!({"version": 7, "timestamp": now().as_secs()}));
        let events = (0..count).map(|_| on(&thing, "delete/accepted", &make(&mut chance, end()))).collect();
        volleys.push(Volley { kind: name, due: *due, thing, events });
    }
    for kind in &EVENTS {
        let thing = new_thing(things).await;
        let good = || on(&thing, "update/documents", good().to_string().as_bytes());
        let events = (0..count).map(|_| (kind.make)(&mut chance, good())).collect();
        volleys.push(Volley { kind: kind.name, due: kind.due, thing, events });
    }
    type Make = fn(&mut Chance, &ThingName) -> Value;
    let others: [(&'static str, Due, Make); 4] = [
        ("an event that is none", Due::Kept, no_events),
        ("a presence without its place", Due::Kept, presence_without_order),
        ("a presence with odd data", Due::Accepted, presence_with_odd_data),
        ("a body that no rule wrote", Due::Kept, |chance, _| Value::from(bodies(chance))),
    ];
    for (kind, due, make) in others {
        let thing = new_thing(things).await;
        let events = (0..count).map(|_| make(&mut chance, &thing)).collect();
        volleys.push(Volley { kind, due, thing, events });
    }
    volleys
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_messages_are_accepted_or_kept_by_the_catalogs_projector() {
    let stack = Stack::deployed();
    let admin = stack.admin().await;
    let queue = DeadLetterQueue::own(&admin).await;
    let config = Config::from_lookup(&with_letters(stack.function("CatalogProjector"), &queue)).unwrap();
    let things = Things::new(&admin, config.things_table.clone());
    let twins = Twins::new(&admin, config.twins_table.clone());
    let sent = volleys(&things, per_kind(), 8).await;
    assert!(sent.len() >= 40, "{} kinds", sent.len());
    let sent = storm("catalog", Projector(Handler::new(&admin, config)), sent, &queue).await;
    let accepted: Vec<_> = DOCUMENTS.iter().filter(|kind| kind.due == Due::Accepted).map(|kind| kind.name).collect();
    for volley in sent.iter().filter(|volley| accepted.contains(&volley.kind)) {
        let twin = twins.get(&volley.thing).await.unwrap().unwrap();
        assert!(twin.shadow.is_some_and(|shadow| shadow.version == 7), "{}: accepted, not known", volley.kind);
    }
}

/// The projector with a fleet whose shadows say what the fleet measured.
#[derive(Clone)]
struct Shadows(Handler);

impl nothing_lost::Target for Shadows {
    const POLICY: Policy = QUEUE;

    async fn deliver(&self, events: Vec<Value>) -> Vec<usize> {
        let all = (0..events.len()).collect();
        let item = |(at, event): (usize, Value)| BatchItem { message_id: at.to_string(), body: event.to_string() };
        let failed = Box::pin(self.0.handle(events.into_iter().enumerate().map(item).collect(), &invocation())).await;
        failed.map_or(all, |failed| failed.iter().map(|at| at.parse().unwrap()).collect())
    }
}

/// A shadow's document for each reading; the versions of a thing's are in their order.
fn documents(fleet: &Fleet) -> Vec<Value> {
    let document = |(version, (thing, _, humidity)): (usize, &(usize, i64, usize))| {
        let state = json!({"reported": {"humidity": humidity, "mark": MARKER}});
        let document = json!({"current": {"state": state, "version": version + 1}, "timestamp": now().as_secs()});
        on(&fleet.things[*thing], "update/documents", document.to_string().as_bytes())
    };
    fleet.readings.iter().enumerate().map(document).collect()
}

/// Of each thing the version of its shadow, and what it reports.
async fn known(fleet: &Fleet, twins: &Twins) -> Vec<Option<(u64, Value)>> {
    let mut all = Vec::new();
    for thing in &fleet.things {
        let shadow = twins.get(thing).await.unwrap().and_then(|twin| twin.shadow);
        all.push(shadow.map(|shadow| (shadow.version, Value::Object(shadow.reported))));
    }
    all
}

/// While the store fails, and after it; a replay brings each shadow's newest document to its row.
pub(crate) async fn catalog_loses_nothing() {
    let (stack, fleet, began) = (Stack::deployed(), Fleet::new(600), Instant::now());
    let (admin, function, twin) = (stack.admin().await, stack.function("CatalogProjector"), fleet.twin());
    let config = Config::from_lookup(&|name| function.variable(name)).unwrap();
    let things = Things::new(&admin, config.things_table.clone());
    for thing in fleet.things.iter().chain(&twin.things) {
        register(&things, thing).await;
    }
    let twins = Twins::new(&admin, config.twins_table.clone());
    let queue = DeadLetterQueue::new(&admin, stack.output("CatalogDeadLetters"));
    let wiretap = Arc::new(Wiretap::start(&stack.endpoint).await.unwrap());
    let target = Shadows(Handler::new(&stack.role_of(function, &wiretap.endpoint()).await, config.clone()));
    let events = Arc::new(documents(&fleet));
    let tally = work_off(&target, &events, Some(wiretap.clone())).await;
    for event in &tally.given_up {
        queue.put(&events[*event].to_string()).await;
    }
    assert_none_lost("catalog", &fleet, &tally, &queue, began).await;
    let calm = Shadows(Handler::new(&stack.role_of(function, &stack.endpoint).await, config));
    work_off(&calm, &Arc::new(documents(&twin)), None).await;
    let expected = known(&twin, &twins).await;
    assert!(expected.iter().all(Option::is_some));
    let replays = replay_until(&fleet, &queue, &expected, async || known(&fleet, &twins).await).await;
    println!("figure: storm catalog: 0 left after {replays} replays, {} shadows as without it", expected.len());
}
