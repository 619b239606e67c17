//! The handler against the local AWS, under the function's own role.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

#[path = "handler/routes.rs"]
mod routes;

use std::collections::BTreeMap;
use std::sync::Arc;

use loam_domain::{ThingName, Timestamp};
use loam_kit::{
    Budget, DeadLetterQueue, Stack, eventually, now, number_of, reading, register, rule_event, unique_thing,
};
use loam_runtime::{BatchItem, Invocation};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};
use telemetry::aggregate::Aggregate;
use telemetry::point::{HOUR_MILLIS, Metric, Sample, Value};
use telemetry::{Config, Handler, Span, Store};

/// The start of an hour, a few hours ago: readings of a test lie in it, wherever in an hour the test runs.
fn some_hour() -> Timestamp {
    let millis = now().as_millis();
    Timestamp::from_millis(millis - millis.rem_euclid(HOUR_MILLIS) - 3 * HOUR_MILLIS)
}

/// One test's world: a thing of its own, its rows and its dead letters.
#[derive(Clone)]
struct World {
    handler: Handler,
    rows: Store,
    dead_letters: DeadLetterQueue,
    thing: ThingName,
    hour: Timestamp,
}

impl World {
    async fn new(purpose: &str) -> Self {
        Self::with(purpose, |_| None).await
    }

    /// A world in which `changed` stands before the function's own variables.
    async fn with(purpose: &str, changed: impl Fn(&str) -> Option<String>) -> Self {
        let stack = Stack::deployed();
        let function = stack.function("Telemetry");
        let lookup = |name: &str| changed(name).or_else(|| function.variable(name));
        let config = Config::from_lookup(&lookup).unwrap();
        let admin = stack.admin().await;
        Self {
            rows: Store::new(&admin, function.variable("TELEMETRY_TABLE").unwrap(), config.retention),
            handler: Handler::new(&stack.role_of(function, &stack.endpoint).await, config),
            dead_letters: DeadLetterQueue::new(&admin, stack.output("TelemetryDeadLetters")),
            thing: unique_thing(purpose),
            hour: some_hour(),
        }
    }

    /// The same clients, with another thing.
    fn another(&self, purpose: &str) -> Self {
        Self { thing: unique_thing(purpose), ..self.clone() }
    }

    fn at(&self, millis: i64) -> Timestamp {
        self.hour.plus_millis(millis)
    }

    /// The rule's message of a reading, measured `millis` after the test's hour began.
    fn soil(&self, millis: i64, humidity: f64) -> String {
        let reading = reading("Balcony", &json!(humidity), self.at(millis));
        self.message(reading.to_string().as_bytes())
    }

    fn message(&self, payload: &[u8]) -> String {
        rule_event(&self.thing, payload, now()).to_string()
    }

    /// Delivers a batch; answers the ids of the messages that must come again, which are their places.
    async fn deliver(&self, bodies: impl IntoIterator<Item = String>) -> Vec<String> {
        let batch = bodies.into_iter().enumerate();
        let batch = batch.map(|(at, body)| BatchItem { message_id: at.to_string(), body }).collect();
        let invocation = Invocation { request_id: "test".to_owned(), now: now() };
        self.handler.handle(batch, &invocation).await.unwrap()
    }

    fn day(&self) -> Span {
        Span { from: self.at(-24 * HOUR_MILLIS), to: self.at(24 * HOUR_MILLIS) }
    }

    async fn samples(&self) -> Vec<(i64, f64)> {
        let samples = self.rows.series(&self.thing, &humidity(), self.day(), 1_000, now()).await.unwrap();
        samples.iter().map(|sample| (sample.measured_at.millis_since(self.hour), sample.value.get())).collect()
    }

    async fn hours(&self) -> Vec<(i64, Aggregate)> {
        let hours = self.rows.hourly(&self.thing, &humidity(), self.day(), now()).await.unwrap();
        hours.into_iter().map(|(start, aggregate)| (start.millis_since(self.hour) / HOUR_MILLIS, aggregate)).collect()
    }

    async fn latest(&self, metric: &str) -> Sample {
        self.rows.latest(&self.thing).await.unwrap()[&Metric::parse(metric).unwrap()]
    }

    async fn kept(&self) -> Json {
        eventually("a kept message", async || self.dead_letters.about(self.thing.as_str()).await.pop()).await
    }
}

fn humidity() -> Metric {
    Metric::parse("humidity").unwrap()
}

/// Count, sum, least, greatest and last.
fn figures(aggregate: &Aggregate) -> (u64, String, f64, f64, f64) {
    let sum = aggregate.sum.rounded().to_string();
    (aggregate.count, sum, aggregate.min.get(), aggregate.max.get(), aggregate.last.get())
}

const NOTHING_FAILED: [String; 0] = [];

#[tokio::test]
async fn a_reading_is_a_sample_an_hour_a_day_and_the_latest_value() {
    let world = World::new("first").await;
    assert_eq!(world.deliver([world.soil(5, 29.5)]).await, NOTHING_FAILED);
    assert_eq!(world.samples().await, [(5, 29.5)]);
    let hours = world.hours().await;
    assert_eq!((hours[0].0, figures(&hours[0].1)), (0, (1, "29.5".to_owned(), 29.5, 29.5, 29.5)));
    let days = world.rows.daily(&world.thing, &humidity(), world.day(), now()).await.unwrap();
    assert_eq!(days.into_values().collect::<Vec<_>>(), [hours[0].1.clone()]);
    assert_eq!(world.latest("humidity").await.measured_at, world.at(5));
}

#[tokio::test]
async fn a_message_that_comes_twice_counts_once_in_one_batch_and_in_the_next() {
    let world = World::new("twice").await;
    let message = world.soil(5, 20.0);
    assert_eq!(world.deliver([message.clone(), message.clone()]).await, NOTHING_FAILED);
    assert_eq!(world.deliver([message, world.soil(6, 30.0)]).await, NOTHING_FAILED);
    assert_eq!(world.samples().await, [(5, 20.0), (6, 30.0)]);
    assert_eq!(figures(&world.hours().await[0].1), (2, "50".to_owned(), 20.0, 30.0, 30.0));
}

#[tokio::test]
async fn a_late_reading_joins_its_hour_and_leaves_the_latest_value_alone() {
    let world = World::new("late").await;
    world.deliver([world.soil(HOUR_MILLIS, 31.0)]).await;
    assert_eq!(world.deliver([world.soil(HOUR_MILLIS - 1, 77.0)]).await, NOTHING_FAILED);
    let hours: Vec<_> = world.hours().await.iter().map(|(hour, all)| (*hour, all.count, all.last.get())).collect();
    assert_eq!(hours, [(0, 1, 77.0), (1, 1, 31.0)]);
    assert_eq!(world.latest("humidity").await.measured_at, world.at(HOUR_MILLIS));
}

#[tokio::test]
async fn a_batch_of_250_readings_needs_three_transactions_and_a_repeat_of_it_changes_nothing() {
    let world = World::new("large").await;
    let readings: Vec<_> = (0..250).map(|at| reading("Balcony", &json!(at), world.at(at))).collect();
    let message = world.message(json!(readings).to_string().as_bytes());
    for _ in 0..2 {
        assert_eq!(world.deliver([message.clone()]).await, NOTHING_FAILED);
        assert_eq!(world.samples().await.len(), 250);
        assert_eq!(figures(&world.hours().await[0].1), (250, "31125".to_owned(), 0.0, 249.0, 249.0));
    }
}

/// Delivers messages in batches of up to 10 until none comes again, as the queue does.
async fn deliver_as_the_queue_does(world: &World, bodies: Vec<String>) {
    for batch in bodies.chunks(10) {
        let mut left = batch.to_vec();
        while !left.is_empty() {
            let failed = world.deliver(left.clone()).await;
            left = failed.iter().map(|place| left[place.parse::<usize>().unwrap()].clone()).collect();
        }
    }
}

/// Readings: milliseconds after the test's hour began, and humidity.
type Readings = Vec<(i64, f64)>;

/// Up to 50 readings in two hours, on few milliseconds so that they meet; and the same 1 to 5 times each, shuffled.
fn history() -> impl Strategy<Value = (Readings, Readings)> {
    let millis = (0..2_i64, 0..30_i64).prop_map(|(hour, millis)| hour * HOUR_MILLIS + millis);
    let readings = vec((millis, prop_oneof![Just(0.1), Just(35.0), -100.0..100.0_f64]), 1..50);
    readings.prop_flat_map(|readings| {
        let copies = vec(1..=5_usize, readings.len());
        (Just(readings), copies).prop_flat_map(|(readings, copies)| {
            let sent = readings.iter().zip(copies).flat_map(|(reading, copies)| std::iter::repeat_n(*reading, copies));
            let sent = sent.collect::<Vec<_>>();
            (Just(readings), Just(sent).prop_shuffle())
        })
    })
}

/// What the hours must say of readings, each counted once.
fn hours_of(world: &World, readings: &[(i64, f64)]) -> Vec<(i64, Aggregate)> {
    let mut hours: BTreeMap<i64, BTreeMap<(Timestamp, Value), Sample>> = BTreeMap::new();
    for (millis, number) in readings {
        let (measured_at, value) = (world.at(*millis), Value::new(*number).unwrap());
        let sample = Sample { measured_at, value, received_at: measured_at };
        hours.entry(millis / HOUR_MILLIS).or_default().insert((measured_at, value), sample);
    }
    let merged =
        |samples: BTreeMap<_, Sample>| samples.values().map(Aggregate::of).reduce(|all, one| all.merge(&one)).unwrap();
    hours.into_iter().map(|(hour, samples)| (hour, merged(samples))).collect()
}

/// 24 histories from one seed, each from 8 handlers at once.
#[tokio::test(flavor = "multi_thread")]
async fn dozens_of_histories_from_eight_handlers_at_once_end_in_the_rows_of_their_distinct_readings() {
    let mut chance = TestRunner::deterministic();
    let first = World::new("histories").await;
    let (mut played, budget) = (0, Budget::start());
    while played < number_of("LOAM_STORE_HISTORIES", 24) && !budget.is_spent() {
        let (readings, sent) = history().new_tree(&mut chance).unwrap().current();
        let world = Arc::new(first.another("history"));
        let rivals = (0..8).map(|rival| {
            let share = sent.iter().skip(rival).step_by(8);
            let bodies: Vec<_> = share.map(|(millis, number)| world.soil(*millis, *number)).collect();
            let world = world.clone();
            tokio::spawn(async move { deliver_as_the_queue_does(&world, bodies).await })
        });
        for rival in rivals.collect::<Vec<_>>() {
            rival.await.unwrap();
        }
        assert_eq!(world.hours().await, hours_of(&world, &readings));
        let newest = readings.iter().map(|(millis, number)| (*millis, Value::new(*number).unwrap())).max().unwrap();
        let latest = world.latest("humidity").await;
        assert_eq!((latest.measured_at.millis_since(world.hour), latest.value), newest);
        played += 1;
    }
    println!("figure: histories on the real store, telemetry: {played} played, 0 end elsewhere");
}

#[tokio::test]
async fn a_sensors_object_is_as_many_series_as_it_has_numbers() {
    let world = World::new("sensor").await;
    let payload = json!({"temperature": 51.5, "pressure": {"hPa": 1013.25}, "color": "red"}).to_string();
    let body = world.message(payload.as_bytes()).replace("/devicePayload", "/sensor/air/v1");
    assert_eq!(world.deliver([body]).await, NOTHING_FAILED);
    let latest = world.rows.latest(&world.thing).await.unwrap();
    let latest: Vec<_> = latest.iter().map(|(metric, sample)| (metric.as_str(), sample.value.get())).collect();
    assert_eq!(latest, [("air.pressure.hPa", 1013.25), ("air.temperature", 51.5)]);
}

#[tokio::test]
async fn a_bad_reading_is_kept_with_its_place_and_the_good_one_beside_it_stored() {
    let world = World::new("mixed").await;
    let batch = json!([reading("Balcony", &json!("abc"), world.at(1)), reading("Balcony", &json!(31), world.at(2))]);
    assert_eq!(world.deliver([world.message(batch.to_string().as_bytes())]).await, NOTHING_FAILED);
    assert_eq!(world.samples().await, [(2, 31.0)]);
    let kept = world.kept().await;
    assert_eq!((&kept["code"], &kept["indexes"]), (&json!("not-a-number"), &json!([0])));
    assert_eq!((&kept["keptBy"], &kept["event"]["clientId"]), (&json!("telemetry"), &json!(world.thing.as_str())));
}

#[tokio::test]
async fn a_message_older_than_the_series_is_kept_and_not_counted() {
    let world = World::new("toolate").await;
    let long_ago = now().plus_millis(-400 * 24 * HOUR_MILLIS);
    let payload = reading("Balcony", &json!(20), long_ago).to_string();
    let body = rule_event(&world.thing, payload.as_bytes(), long_ago).to_string();
    assert_eq!(world.deliver([body]).await, NOTHING_FAILED);
    assert_eq!(world.kept().await["code"], "too-late");
    assert!(world.rows.latest(&world.thing).await.unwrap().is_empty());
}

#[tokio::test]
async fn when_the_table_is_gone_its_messages_come_again_and_a_message_that_is_no_json_does_not() {
    let gone = |name: &str| (name == "TELEMETRY_TABLE").then(|| "no-such-table".to_owned());
    let world = World::with("gone", gone).await;
    let bodies = [world.soil(1, 20.0), world.message(b"humidity=20"), world.soil(2, 21.0)];
    assert_eq!(world.deliver(bodies).await, ["0", "2"]);
    assert_eq!(world.kept().await["code"], "not-json");
}

#[tokio::test]
async fn an_expired_row_is_not_read_although_it_is_still_there() {
    let world = World::new("expired").await;
    world.deliver([world.soil(5, 29.5)]).await;
    let later = now().plus_millis(3_650 * 24 * HOUR_MILLIS);
    let (thing, metric) = (&world.thing, &humidity());
    assert!(world.rows.series(thing, metric, world.day(), 10, later).await.unwrap().is_empty());
    assert!(world.rows.hourly(thing, metric, world.day(), later).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_span_holds_its_first_millisecond_and_not_its_last() {
    let world = World::new("span").await;
    world.deliver((0..4).map(|at| world.soil(at, 1.0))).await;
    let span = Span { from: world.at(1), to: world.at(3) };
    let samples = world.rows.series(&world.thing, &humidity(), span, 10, now()).await.unwrap();
    let times: Vec<_> = samples.iter().map(|sample| sample.measured_at.millis_since(world.hour)).collect();
    assert_eq!(times, [1, 2]);
    let span = Span { from: world.hour, to: world.at(HOUR_MILLIS) };
    assert_eq!(world.rows.hourly(&world.thing, &humidity(), span, now()).await.unwrap().len(), 1);
    let span = Span { from: world.at(1), to: world.at(HOUR_MILLIS) };
    assert!(world.rows.hourly(&world.thing, &humidity(), span, now()).await.unwrap().is_empty());
}

/// A thing with `rows` samples, of which nobody but the two capabilities in question knows anything, begins to retire.
async fn retires_with(world: &World, rows: usize) -> (loam_things::Things, BatchItem) {
    let stack = Stack::deployed();
    let things =
        loam_things::Things::new(&stack.admin().await, stack.function("Telemetry").variable("THINGS_TABLE").unwrap());
    register(&things, &world.thing).await;
    let readings: Vec<_> =
        (0..rows).map(|at| reading("Balcony", &json!(1), world.at(i64::try_from(at).unwrap()))).collect();
    for some in readings.chunks(1_000) {
        let message = world.message(json!(some).to_string().as_bytes());
        assert_eq!(world.deliver([message]).await, NOTHING_FAILED);
    }
    let awaiting = ["telemetry".to_owned()].into();
    let order = loam_things::RetirementOrder { by: "operator".to_owned(), awaiting, expected_version: None };
    things.begin_retirement(&world.thing, order, now()).await.unwrap();
    let body = json!({"id": "x", "type": "thing.retiring", "thing": world.thing, "at": 7, "epoch": 1, "data": {}});
    (things, BatchItem { message_id: "0".to_owned(), body: body.to_string() })
}

#[tokio::test]
async fn an_erasure_larger_than_one_run_goes_on_in_the_next_and_acknowledges_at_its_end() {
    let world = World::new("endless").await;
    let (things, asked) = retires_with(&world, telemetry::MOST_ROWS + 100).await;
    let invocation = Invocation { request_id: "test".to_owned(), now: now() };
    assert_eq!(world.handler.handle(vec![asked], &invocation).await.unwrap(), NOTHING_FAILED);
    // The rest is a message in the queue, which the deployed function takes.
    eventually("the deployed function acknowledges", async || {
        let record = things.get(&world.thing).await.unwrap().unwrap();
        record.retirement.unwrap().awaiting.is_empty().then_some(())
    })
    .await;
    assert!(world.samples().await.is_empty() && world.hours().await.is_empty());
    assert!(world.rows.latest(&world.thing).await.unwrap().is_empty());
}
