//! The store fails for a while: what was sent is applied or kept, and a replay brings everything to where it would be
//! without the failure.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use loam_domain::{ThingName, Timestamp};
use loam_kit::wiretap::Wiretap;
use loam_kit::{
    Chance, DeadLetterQueue, Inbox, MARKER, Stack, eventually_within, now, number_of, patience, reading, replay,
    rule_event, unique_thing,
};
use loam_runtime::{BatchItem, Invocation};
use serde_json::{Value, json};
use soil_alerts::smart::{AlertRule, StateStore, Status};
use telemetry::point::{HOUR_MILLIS, Metric};
use telemetry::{Span, Store};
use tokio::task::JoinSet;

use crate::catalog::catalog_loses_nothing;
use crate::line::{LAMBDA, Line, Policy, QUEUE, Tally};

/// The readings of a fleet: which thing's, when, how moist; and the fleet.
pub(crate) struct Fleet {
    pub(crate) things: Vec<ThingName>,
    hour: Timestamp,
    pub(crate) readings: Arc<Vec<(usize, i64, usize)>>,
}

impl Fleet {
    pub(crate) fn new(everyday: usize) -> Self {
        let count = number_of("LOAM_STORM_EVENTS", everyday);
        let (things, mut chance) = ((count / 50).clamp(5, 40), Chance::new(13));
        let readings = (0_i64..).take(count).map(|at| (chance.number(0, things - 1), at * 500, chance.number(20, 50)));
        let millis = now().as_millis();
        Self {
            readings: Arc::new(readings.collect()),
            hour: Timestamp::from_millis(millis - millis.rem_euclid(HOUR_MILLIS) - 3 * HOUR_MILLIS),
            things: (0..things).map(|_| unique_thing("fleet")).collect(),
        }
    }

    /// Other things that measure the same.
    pub(crate) fn twin(&self) -> Self {
        let things = self.things.iter().map(|_| unique_thing("twin")).collect();
        Self { things, hour: self.hour, readings: self.readings.clone() }
    }

    fn events(&self) -> Vec<Value> {
        let event = |(thing, millis, humidity): &(usize, i64, usize)| {
            let payload = reading(MARKER, &json!(humidity), self.hour.plus_millis(*millis)).to_string();
            rule_event(&self.things[*thing], payload.as_bytes(), now())
        };
        self.readings.iter().map(event).collect()
    }

    /// How many letters of the queue are about one of the things.
    async fn letters(&self, queue: &DeadLetterQueue) -> usize {
        let texts = queue.texts().await;
        texts.iter().filter(|text| self.things.iter().any(|thing| text.contains(&format!("/{thing}/")))).count()
    }
}

/// One function: how it is handed events, and where it keeps what.
pub(crate) trait Target: Clone + Send + Sync + 'static {
    const POLICY: Policy;

    /// Delivers events; gives the places of those that failed.
    fn deliver(&self, events: Vec<Value>) -> impl Future<Output = Vec<usize>> + Send;
}

#[derive(Clone)]
struct SoilAlerts(soil_alerts::Handler);

impl Target for SoilAlerts {
    const POLICY: Policy = LAMBDA;

    async fn deliver(&self, events: Vec<Value>) -> Vec<usize> {
        let mut failed = Vec::new();
        for (at, event) in events.into_iter().enumerate() {
            failed.extend(Box::pin(self.0.handle(event, &invocation())).await.err().map(|_| at));
        }
        failed
    }
}

#[derive(Clone)]
struct Telemetry(telemetry::Handler);

impl Target for Telemetry {
    const POLICY: Policy = QUEUE;

    async fn deliver(&self, events: Vec<Value>) -> Vec<usize> {
        let all = (0..events.len()).collect();
        let item = |(at, event): (usize, Value)| BatchItem { message_id: at.to_string(), body: event.to_string() };
        let items = events.into_iter().enumerate().map(item).collect();
        let failed = Box::pin(self.0.handle(items, &invocation())).await;
        failed.map_or(all, |failed| failed.iter().map(|at| at.parse().unwrap()).collect())
    }
}

fn invocation() -> Invocation {
    Invocation { request_id: "storm".to_owned(), now: now() }
}

/// Hands all events to instances of the function until each is dealt with or given up.
pub(crate) async fn work_off<T: Target>(target: &T, events: &Arc<Vec<Value>>, wiretap: Option<Arc<Wiretap>>) -> Tally {
    let line = Arc::new(Line::new(events.len(), T::POLICY));
    let mut instances = JoinSet::new();
    for _ in 0..T::POLICY.instances {
        let (target, events, line, wiretap) = (target.clone(), events.clone(), line.clone(), wiretap.clone());
        instances.spawn(async move {
            loop {
                let taken = line.take(wiretap.as_deref());
                if taken.is_empty() {
                    return;
                }
                let batch = taken.iter().map(|(event, _)| events[*event].clone()).collect();
                let failed = target.deliver(batch).await;
                line.applied(taken.len() - failed.len());
                failed.iter().map(|at| taken[*at]).for_each(|(event, before)| line.failed(event, before));
            }
        });
    }
    while let Some(done) = instances.join_next().await {
        done.unwrap();
    }
    line.tally()
}

/// What Lambda sends to an on-failure destination. Source: Lambda developer guide, "Retain records of asynchronous
/// invocations".
fn failure_record(function: &str, event: &Value) -> Value {
    json!({
        "version": "1.0",
        "timestamp": now().to_string(),
        "requestContext": {
            "requestId": "00000000-0000-4000-8000-000000000000",
            "functionArn": format!("arn:aws:lambda:us-east-1:000000000000:function:{function}:$LATEST"),
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": "alert-table-not-read", "errorMessage": "the table did not give the item"},
    })
}

/// The end of a storm: what was sent is applied or lies in the queue.
pub(crate) async fn assert_none_lost(
    function: &str,
    fleet: &Fleet,
    tally: &Tally,
    queue: &DeadLetterQueue,
    began: Instant,
) {
    let (sent, Tally { applied, retried, given_up }) = (fleet.readings.len(), tally);
    let (kept, took) = (fleet.letters(queue).await, began.elapsed().as_secs_f64());
    println!("figure: storm {function}: {sent} sent, {applied} applied, {kept} kept, {retried} retries, {took:.1} s");
    assert_eq!(kept, given_up.len(), "{function}: letters for the events that were given up");
    assert_eq!(applied + kept, sent, "{function}");
    assert!(*applied > 0 && kept > 0, "{function}: the storm was none, or did not end");
}

/// Replays until nothing is left and `state` is `expected`; says how often.
pub(crate) async fn replay_until<S: PartialEq + std::fmt::Debug>(
    fleet: &Fleet,
    queue: &DeadLetterQueue,
    expected: &[S],
    state: impl AsyncFn() -> Vec<S>,
) -> usize {
    let (stack, replays) = (Stack::deployed(), std::sync::atomic::AtomicUsize::new(0));
    eventually_within(3 * patience(), "every letter is replayed, and all is as without the failure", async || {
        if fleet.letters(queue).await > 0 {
            replay(&stack).await;
            replays.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            return None;
        }
        (state().await == expected).then_some(())
    })
    .await;
    replays.into_inner()
}

/// Of each thing: whether its alarm holds, and notices that still wait.
async fn alarms(fleet: &Fleet, states: &StateStore) -> Vec<(bool, usize)> {
    let mut alarms = Vec::new();
    for thing in &fleet.things {
        let state = states.load(thing, AlertRule::HUMIDITY).await.unwrap();
        alarms.push((state.status() == Status::Alarm, state.outbox.len()));
    }
    alarms
}

/// The distinct notices of a thing that an episode began, less those that one ended.
async fn open_episodes(inbox: &Inbox) -> usize {
    let mails = inbox.take().await;
    let distinct = |kind: &str| {
        let of_kind = mails.iter().filter(|mail| mail.attributes["kind"] == kind);
        of_kind.map(|mail| mail.attributes["noticeId"].as_str()).collect::<BTreeSet<_>>().len()
    };
    distinct("opened") - distinct("recovered")
}

/// One test for all: a replay drains all queues of the stack, also those in which another one still counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_the_store_fails_and_a_replay_ends_where_no_failure_would() {
    Box::pin(soil_alerts_loses_nothing()).await;
    Box::pin(telemetry_loses_nothing()).await;
    Box::pin(catalog_loses_nothing()).await;
}

async fn soil_alerts_loses_nothing() {
    let (stack, fleet, began) = (Stack::deployed(), Fleet::new(120), Instant::now());
    let (admin, function, twin) = (stack.admin().await, stack.function("SoilAlerts"), fleet.twin());
    let config = soil_alerts::Config::from_lookup(&|name| function.variable(name)).unwrap();
    let states = StateStore::new(aws_sdk_dynamodb::Client::new(&admin), config.alerts.states_table.clone());
    let queue = DeadLetterQueue::new(&admin, stack.output("SoilAlertsDeadLetters"));
    let mut inboxes = Vec::new();
    for thing in &fleet.things {
        inboxes.push(Inbox::open(&admin, stack.output("AlertsTopic"), thing.as_str()).await);
    }
    let wiretap = Arc::new(Wiretap::start(&stack.endpoint).await.unwrap());
    let through = |endpoint: String| {
        let (stack, config) = (stack.clone(), config.clone());
        async move {
            SoilAlerts(soil_alerts::Handler::new(
                &stack.role_of(stack.function("SoilAlerts"), &endpoint).await,
                &config,
            ))
        }
    };
    let events = Arc::new(fleet.events());
    let tally = work_off(&through(wiretap.endpoint()).await, &events, Some(wiretap.clone())).await;
    for event in &tally.given_up {
        queue.put(&failure_record(&function.name, &events[*event]).to_string()).await;
    }
    assert_none_lost("soil-alerts", &fleet, &tally, &queue, began).await;
    work_off(&through(stack.endpoint.clone()).await, &Arc::new(twin.events()), None).await;
    let expected = alarms(&twin, &states).await;
    let replays = replay_until(&fleet, &queue, &expected, async || alarms(&fleet, &states).await).await;
    for (inbox, (alarm, _)) in inboxes.iter().zip(&expected) {
        assert_eq!(open_episodes(inbox).await, usize::from(*alarm));
    }
    println!("figure: storm soil-alerts: 0 left after {replays} replays, {} alarms as without it", expected.len());
}

/// Of each thing: its hours (start, count, sum, least, greatest, last), the number of its samples, its latest value.
type Rows = (Vec<(i64, u64, f64, f64, f64, f64)>, usize, Option<(i64, f64)>);

async fn rows(fleet: &Fleet, store: &Store) -> Vec<Rows> {
    let humidity = Metric::parse("humidity").unwrap();
    let span = Span { from: fleet.hour, to: fleet.hour.plus_millis(3 * HOUR_MILLIS) };
    let mut rows = Vec::new();
    for thing in &fleet.things {
        let hours = store.hourly(thing, &humidity, span, now()).await.unwrap().into_iter().map(|(start, all)| {
            let figures = (all.min.get(), all.max.get(), all.last.get());
            (start.millis_since(fleet.hour), all.count, all.sum.rounded(), figures.0, figures.1, figures.2)
        });
        let samples = store.series(thing, &humidity, span, 100_000, now()).await.unwrap().len();
        let latest = store.latest(thing).await.unwrap();
        let latest = latest.get(&humidity).map(|one| (one.measured_at.millis_since(fleet.hour), one.value.get()));
        rows.push((hours.collect(), samples, latest));
    }
    rows
}

async fn telemetry_loses_nothing() {
    let (stack, fleet, began) = (Stack::deployed(), Fleet::new(600), Instant::now());
    let (admin, function, twin) = (stack.admin().await, stack.function("Telemetry"), fleet.twin());
    let config = telemetry::Config::from_lookup(&|name| function.variable(name)).unwrap();
    let store = Store::new(&admin, config.table.clone(), config.retention);
    let queue = DeadLetterQueue::new(&admin, stack.output("TelemetryDeadLetters"));
    let wiretap = Arc::new(Wiretap::start(&stack.endpoint).await.unwrap());
    let target =
        Telemetry(telemetry::Handler::new(&stack.role_of(function, &wiretap.endpoint()).await, config.clone()));
    let events = Arc::new(fleet.events());
    let tally = work_off(&target, &events, Some(wiretap.clone())).await;
    for event in &tally.given_up {
        queue.put(&events[*event].to_string()).await;
    }
    assert_none_lost("telemetry", &fleet, &tally, &queue, began).await;
    let calm = Telemetry(telemetry::Handler::new(&stack.role_of(function, &stack.endpoint).await, config));
    work_off(&calm, &Arc::new(twin.events()), None).await;
    let expected = rows(&twin, &store).await;
    let replays = replay_until(&fleet, &queue, &expected, async || rows(&fleet, &store).await).await;
    let samples: usize = expected.iter().map(|rows| rows.1).sum();
    println!(
        "figure: storm telemetry: 0 left after {replays} replays, {samples} samples and their hours as without it"
    );
}
