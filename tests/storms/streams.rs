//! Broken records of a table's stream: each is told, left out or kept, none breaks the relay, none comes again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use event_relay::{Config, Handler};
use loam_domain::ThingName;
use loam_kit::{Chance, DeadLetterQueue, Inbox, MARKER, Stack, now, number_of, unique_thing};
use loam_runtime::{Invocation, KeptEvent, StreamItem};
use serde_json::{Value, json};

/// What is due to every record of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// The topic gets it, as the item holds it.
    Told,
    /// Nobody hears of it: it is no new event item.
    LeftOut,
    /// It lies in the dead-letter queue, whole.
    Kept,
}

/// A way in which records go wrong: what it makes of a good one.
struct Kind {
    name: &'static str,
    due: Due,
    make: fn(&mut Chance, Value) -> Value,
}

const fn told(name: &'static str, make: fn(&mut Chance, Value) -> Value) -> Kind {
    Kind { name, due: Due::Told, make }
}

const fn left_out(name: &'static str, make: fn(&mut Chance, Value) -> Value) -> Kind {
    Kind { name, due: Due::LeftOut, make }
}

const fn kept(name: &'static str, make: fn(&mut Chance, Value) -> Value) -> Kind {
    Kind { name, due: Due::Kept, make }
}

/// The record with `value` at `pointer`.
fn at(mut record: Value, pointer: &str, value: Value) -> Value {
    *record.pointer_mut(pointer).unwrap() = value;
    record
}

/// The record without the field `name` of what is at `pointer`.
fn without(mut record: Value, pointer: &str, name: &str) -> Value {
    record.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(name);
    record
}

const EVENT: &str = "/dynamodb/NewImage/event/S";

/// The record with another text for its envelope.
fn holding(record: Value, text: impl Into<Value>) -> Value {
    at(record, EVENT, text.into())
}

/// The envelope of a good record.
fn envelope(record: &Value) -> Value {
    serde_json::from_str(record.pointer(EVENT).and_then(Value::as_str).unwrap()).unwrap()
}

/// The record whose envelope has `value` for `field`.
fn with(record: Value, field: &str, value: Value) -> Value {
    let mut event = envelope(&record);
    event[field] = value;
    holding(record, event.to_string())
}

/// The record whose envelope lacks `field`.
fn lacking(record: Value, field: &str) -> Value {
    let event = without(envelope(&record), "", field);
    holding(record, event.to_string())
}

/// A JSON value that is neither text nor what a thing's name, a time or an object could be.
fn odd(chance: &mut Chance) -> Value {
    chance.one(&[json!(null), json!(true), json!([7]), json!(0.5), json!([{"a": MARKER}])])
}

/// What is wrong with the record around the event.
const RECORDS: [Kind; 16] = [
    kept("nothing", |chance, _| chance.one(&[json!(null), json!([]), json!({}), json!(""), json!(7)])),
    kept(
        "a message of a queue",
        |chance, _| json!({"messageId": chance.word(9), "body": MARKER, "eventSource": "aws:sqs"}),
    ),
    kept(
        "a record of another kind of stream",
        |chance, _| json!({"eventName": "aws:kinesis:record", "kinesis": {"data": chance.word(9), "sequenceNumber": "7"}}),
    ),
    kept("no name of what happened", |_, record| without(record, "", "eventName")),
    kept("a name of what happened that is no text", |chance, record| at(record, "/eventName", odd(chance))),
    kept("no change", |_, record| without(record, "", "dynamodb")),
    kept("a change that is no object", |chance, record| at(record, "/dynamodb", odd(chance))),
    kept("no keys", |_, record| without(record, "/dynamodb", "Keys")),
    kept("one key of two", |chance, record| without(record, "/dynamodb/Keys", chance.one(&["thing", "item"]))),
    kept("a key of another type", |chance, record| {
        let key = chance.one(&["/dynamodb/Keys/thing", "/dynamodb/Keys/item"]);
        at(record, key, chance.one(&[json!({"N": "7"}), json!({"B": "eA=="}), json!("t1"), json!({"S": 7})]))
    }),
    kept("no new image", |_, record| without(record, "/dynamodb", "NewImage")),
    kept("an image without an event", |_, record| without(record, "/dynamodb/NewImage", "event")),
    kept("an event attribute of another type", |chance, record| {
        let odd = [json!({"M": {}}), json!({"N": "7"}), json!({"L": []}), json!({"NULL": true}), json!({"S": {}})];
        at(record, "/dynamodb/NewImage/event", chance.one(&odd))
    }),
    left_out("a change or an end of an item", |chance, record| {
        at(record, "/eventName", json!(chance.one(&["MODIFY", "REMOVE", "insert", "", "INSERT "])))
    }),
    left_out("an item that is no event", |chance, record| {
        at(record, "/dynamodb/Keys/item/S", json!(chance.one(&["record", "count", "", "event", "Event#1", "xevent#1"])))
    }),
    told("a record with more fields than any", |chance, mut record| {
        record["userIdentity"] = json!({"type": "Service", "principalId": chance.word(9)});
        record["dynamodb"]["OldImage"] = json!({"event": {"S": MARKER}});
        record
    }),
];

/// What is wrong with the text of the envelope.
const TEXTS: [Kind; 12] = [
    kept("an empty text", |chance, record| holding(record, " ".repeat(chance.number(0, 9)))),
    kept("a text that is no JSON", |chance, record| {
        let text = format!("{MARKER} {}", chance.scraps(40));
        holding(record, text)
    }),
    kept("JSON that is no object", |chance, record| {
        holding(record, chance.one(&["null", "7", "true", "\"x\"", "[]", "[{}]"]))
    }),
    kept("an envelope cut off", |chance, record| {
        let text = envelope(&record).to_string();
        let end = chance.number(1, text.len() - 1);
        holding(record, &text[..end])
    }),
    kept("something behind the end", |chance, record| {
        let behind = chance.one(&["}", ",", "{}", "null", "//"]);
        let text = format!("{}{behind}", envelope(&record));
        holding(record, text)
    }),
    kept("two envelopes", |_, record| {
        let text = format!("[{0},{0}]", envelope(&record));
        holding(record, text)
    }),
    kept("a field twice", |chance, record| {
        let field = chance.one(&["id", "type", "thing", "at", "epoch", "data"]);
        let (value, text) = (envelope(&record)[field].clone(), envelope(&record).to_string());
        holding(record, format!("{{\"{field}\":{value},{}", &text[1..]))
    }),
    kept("data nested a thousand times", |chance, record| {
        let depth = chance.number(200, 2_000);
        let deep = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let text = with(record.clone(), "data", json!({"deep": "@here"}));
        holding(record, text.pointer(EVENT).and_then(Value::as_str).unwrap().replace("\"@here\"", &deep))
    }),
    kept("an event beyond 262,144 bytes", |chance, record| {
        with(record, "data", json!({"text": "x".repeat(262_144 + chance.number(0, 99))}))
    }),
    told("a large event", |_, record| with(record, "data", json!({"text": "x".repeat(100_000)}))),
    told("text of all the world", |chance, record| {
        with(record, "data", json!({"text": chance.one(&["äöü", "日本", "🌱🌱", "\u{202e}abc", "a\\\"b"]), MARKER: 1}))
    }),
    told("white space around and within", |_, record| {
        let text = format!(" \n{:#}\t", envelope(&record));
        holding(record, text)
    }),
];

/// What is wrong with a field of the envelope.
const FIELDS: [Kind; 19] = [
    kept("a field is missing", |chance, record| lacking(record, chance.one(&["id", "type", "at", "epoch"]))),
    kept("no thing", |_, record| lacking(record, "thing")),
    kept("an id that is no text", |chance, record| {
        let odd = odd(chance);
        with(record, "id", odd)
    }),
    kept("a type that nobody knows", |chance, record| {
        let word = format!("thing.{}", chance.word(9));
        with(record, "type", json!(word))
    }),
    kept("a type in other letters", |chance, record| {
        with(record, "type", json!(chance.one(&["Thing.Active", "THING.ACTIVE", "thing.active ", "thing_active", ""])))
    }),
    kept("a type that is no text", |chance, record| {
        let odd = odd(chance);
        with(record, "type", odd)
    }),
    kept("a thing of another name than its item's", |chance, record| {
        let name = format!("other-{}", chance.word(9));
        with(record, "thing", json!(name))
    }),
    kept("a thing whose name is none", |chance, record| {
        let name = chance.one(&["a/b", "#", "+", "$aws", "", "device", "loam", "ä", "a b"]);
        with(record, "thing", json!(name))
    }),
    kept("a thing whose name is too long", |_, record| with(record, "thing", json!("a".repeat(129)))),
    kept("a thing that is no text", |chance, record| {
        let odd = odd(chance);
        with(record, "thing", odd)
    }),
    kept("a time that is no whole number", |chance, record| {
        with(record, "at", chance.one(&[json!("7"), json!(7.5), json!(null), json!(1e300), json!([7])]))
    }),
    kept("a time beyond 64 bits", |_, record| {
        let text = with(record.clone(), "at", json!("@here"));
        let text = text.pointer(EVENT).and_then(Value::as_str).unwrap().replace("\"@here\"", "92233720368547758080");
        holding(record, text)
    }),
    kept("an epoch below 0 or with a fraction", |chance, record| {
        with(record, "epoch", chance.one(&[json!(-1), json!(0.5), json!("1"), json!(null)]))
    }),
    kept("data that is no object", |chance, record| {
        with(record, "data", chance.one(&[json!([]), json!("x"), json!(7), json!(null), json!(true)]))
    }),
    told("no data", |_, record| lacking(record, "data")),
    told("a time before 1970", |chance, record| {
        with(record, "at", json!(-i64::try_from(chance.number(1, 99)).unwrap()))
    }),
    told("the greatest numbers", |_, record| {
        let record = with(record, "at", json!(i64::MAX));
        with(record, "epoch", json!(u64::MAX))
    }),
    told("fields that nobody knows", |chance, record| {
        let word = chance.word(9);
        with(record, "more", json!({"word": word}))
    }),
    told("nothing wrong", |_, record| record),
];

fn kinds() -> impl Iterator<Item = &'static Kind> {
    RECORDS.iter().chain(&TEXTS).chain(&FIELDS)
}

/// The good record of this number.
fn good(thing: &ThingName, number: usize) -> Value {
    let event = json!({"id": format!("{thing}.{number}"), "type": "thing.active", "thing": thing, "at": number,
        "epoch": 1, "data": {}});
    let item = json!({"S": format!("event#{number:013}#{number:010}")});
    json!({"eventName": "INSERT", "dynamodb": {"SequenceNumber": number.to_string(),
        "Keys": {"thing": {"S": thing}, "item": item}, "NewImage": {"event": {"S": event.to_string()}}}})
}

/// How often each text is there.
fn counted(texts: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    texts.for_each(|text| *counts.entry(text).or_default() += 1);
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_records_are_told_left_out_or_kept_by_event_relay() {
    let (stack, began, mut chance) = (Stack::deployed(), Instant::now(), Chance::new(5));
    let (admin, thing) = (stack.admin().await, unique_thing("storm"));
    let queue = DeadLetterQueue::own(&admin).await;
    let inbox = Inbox::open(&admin, stack.output("EventsTopic"), thing.as_str()).await;
    let variable = |name: &str| match name {
        "DEAD_LETTERS_URL" => Some(queue.url().to_owned()),
        _ => stack.function("EventRelay").variable(name),
    };
    let handler = Handler::new(&admin, Config::from_lookup(&variable).unwrap());
    let per_kind = number_of("LOAM_MALFORMED_PER_KIND", 10);
    let mut sent: BTreeMap<&'static str, Vec<(Due, Value)>> = BTreeMap::new();
    for number in 0..per_kind {
        // One of each kind a batch, so that every broken record stands between others.
        let records: Vec<_> = kinds().map(|kind| (kind, (kind.make)(&mut chance, good(&thing, number)))).collect();
        let batch = records.iter().map(|(_, record)| StreamItem::new(record.clone())).collect();
        let invocation = Invocation { request_id: "storm".to_owned(), now: now() };
        assert_eq!(Box::pin(handler.handle(batch, &invocation)).await.unwrap(), None);
        records.into_iter().for_each(|(kind, record)| sent.entry(kind.name).or_default().push((kind.due, record)));
    }
    let all = || sent.values().flatten();
    let due = |wanted: Due| all().filter(move |(due, _)| *due == wanted).map(|(_, record)| record);
    let text = |record: &Value| record.pointer(EVENT).and_then(Value::as_str).unwrap().to_owned();
    let told = counted(inbox.take().await.into_iter().map(|mail| mail.message));
    assert_eq!(told, counted(due(Due::Told).map(text)));
    let letters = queue.texts().await.into_iter().map(|text| serde_json::from_str::<KeptEvent>(&text).unwrap());
    let letters: Vec<_> = letters.collect();
    let kept = counted(letters.iter().map(|letter| letter.event.to_string()));
    assert_eq!(kept, counted(due(Due::Kept).map(|record| json!({"Records": [record]}).to_string())));
    let codes = counted(letters.into_iter().map(|letter| letter.code));
    let (sent, took) = (all().count(), began.elapsed().as_secs_f64());
    println!("event-relay: {codes:?}");
    println!(
        "figure: malformed event-relay: {} kinds, {sent} sent, {} told, {} kept, {} left out, 0 panics, {took:.1} s",
        kinds().count(),
        due(Due::Told).count(),
        due(Due::Kept).count(),
        due(Due::LeftOut).count()
    );
    inbox.close().await;
}

#[test]
fn the_kinds_of_records_are_many_and_no_two_have_one_name() {
    let names: BTreeSet<_> = kinds().map(|kind| kind.name).collect();
    assert_eq!(names.len(), kinds().count());
    assert!(names.len() >= 40, "{}", names.len());
}
