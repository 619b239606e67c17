//! telemetry: a batch of messages from the queue.

use loam_domain::{ThingName, Timestamp};
use loam_kit::wiretap::Scenario;
use loam_kit::{DeadLetterQueue, Stack, now, reading, rule_event, unique_thing};
use loam_runtime::{BatchItem, Invocation};
use serde_json::{Value, json};
use telemetry::point::{HOUR_MILLIS, Metric};
use telemetry::{Config, Handler, Span, Store};

use crate::{all_done, survives_crashes, survives_strain};

/// A batch: messages of one thing, measured at an hour's start.
pub(crate) struct Story {
    name: &'static str,
    messages: fn(&ThingName, Timestamp) -> Vec<Value>,
}

pub(crate) const STORIES: [Story; 2] = [
    Story {
        name: "two readings of one hour, one of them twice, and a bad message",
        messages: |thing, hour| {
            let one = rule_event(thing, reading("Balcony", &json!(20), hour).to_string().as_bytes(), now());
            let two =
                rule_event(thing, reading("Balcony", &json!(30), hour.plus_millis(5)).to_string().as_bytes(), now());
            vec![one.clone(), two, one, rule_event(thing, b"\xff", now())]
        },
    },
    Story {
        name: "a batch of readings across two hours",
        messages: |thing, hour| {
            let readings = [0, 1, HOUR_MILLIS].map(|later| reading("Balcony", &json!(20), hour.plus_millis(later)));
            vec![rule_event(thing, json!(readings).to_string().as_bytes(), now())]
        },
    },
];

/// One run's world.
pub(crate) struct World {
    handler: Handler,
    thing: ThingName,
    hour: Timestamp,
    batch: Vec<BatchItem>,
    rows: Store,
    dead_letters: DeadLetterQueue,
}

/// What is left after a run: counts and sums by hour, the samples, the latest value, the distinct refusals.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    hours: Vec<(i64, u64, f64)>,
    samples: Vec<(i64, f64)>,
    latest: Option<f64>,
    refused: Vec<String>,
}

impl Scenario for Story {
    type World = World;
    type State = Left;
    type Error = String;

    fn name(&self) -> &str {
        self.name
    }

    async fn world(&self, endpoint: &str) -> Result<World, String> {
        let stack = Stack::deployed();
        let function = stack.function("Telemetry");
        let config = Config::from_lookup(&|name| function.variable(name)).unwrap();
        let (thing, admin, millis) = (unique_thing("fault"), stack.admin().await, now().as_millis());
        let hour = Timestamp::from_millis(millis - millis.rem_euclid(HOUR_MILLIS) - 3 * HOUR_MILLIS);
        let bodies = (self.messages)(&thing, hour).into_iter().enumerate();
        let item = |(at, body): (usize, Value)| BatchItem { message_id: at.to_string(), body: body.to_string() };
        Ok(World {
            batch: bodies.map(item).collect(),
            rows: Store::new(&admin, config.table.clone(), config.retention),
            dead_letters: DeadLetterQueue::new(&admin, stack.output("TelemetryDeadLetters")),
            handler: Handler::new(&stack.role_of(function, endpoint).await, config),
            thing,
            hour,
        })
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        let invocation = Invocation { request_id: "fault".to_owned(), now: now() };
        all_done(world.handler.handle(world.batch.clone(), &invocation).await)
    }

    async fn state(&self, world: &World) -> Result<Left, String> {
        let humidity = Metric::parse("humidity").unwrap();
        let span = Span { from: world.hour.plus_millis(-HOUR_MILLIS), to: world.hour.plus_millis(5 * HOUR_MILLIS) };
        let hours = world.rows.hourly(&world.thing, &humidity, span, now()).await.unwrap();
        let samples = world.rows.series(&world.thing, &humidity, span, 100, now()).await.unwrap();
        let latest = world.rows.latest(&world.thing).await.unwrap();
        let kept = world.dead_letters.about(world.thing.as_str()).await;
        let code = |kept: &Value| kept.get("code").and_then(Value::as_str).unwrap_or("no code").to_owned();
        let mut refused: Vec<_> = kept.iter().map(code).collect();
        refused.dedup();
        let after = |time: Timestamp| time.millis_since(world.hour);
        Ok(Left {
            hours: hours.iter().map(|(start, one)| (after(*start), one.count, one.sum.rounded())).collect(),
            samples: samples.iter().map(|sample| (after(sample.measured_at), sample.value.get())).collect(),
            latest: latest.get(&humidity).map(|sample| sample.value.get()),
            refused,
        })
    }
}

#[tokio::test]
async fn a_crash_at_any_call_changes_nothing_in_the_end() {
    for story in &STORIES {
        survives_crashes(story).await;
    }
}

#[tokio::test]
async fn throttling_and_failures_at_any_call_never_make_a_wrong_success() {
    for story in &STORIES {
        survives_strain(story).await;
    }
}
