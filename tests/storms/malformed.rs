//! Broken messages: each is accepted or kept, none breaks a function, none comes again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use loam_kit::{DeadLetterQueue, Function, Stack, now, number_of};
use loam_runtime::{BatchItem, Invocation, KeptEvent};
use serde_json::Value;
use soil_alerts::smart::{AlertRule, StateStore};
use telemetry::Store;
use tokio::task::JoinSet;

use crate::descriptions::descriptions;
use crate::kinds::Due;
use crate::sending::{Volley, sensors, soil};

/// Kinds worked on at once.
const AT_ONCE: usize = 4;

/// One function under broken messages.
pub(crate) trait Target: Send + Sync + 'static {
    /// Delivers a volley; gives the number of events that must come again.
    fn deliver(&self, volley: &Volley) -> impl Future<Output = usize> + Send;
}

/// Delivers the events of a volley one by one; gives the number of those that must come again.
pub(crate) async fn one_by_one<E, F>(volley: &Volley, handle: impl Fn(Value) -> F) -> usize
where
    F: Future<Output = Result<(), E>>,
{
    let mut again = 0;
    for event in &volley.events {
        again += usize::from(handle(event.clone()).await.is_err());
    }
    again
}

/// Delivers the events of a volley as a queue does, up to `most` in a batch; gives the number of those that must come again. A
/// batch that breaks off comes again as a whole.
pub(crate) async fn in_batches<E, F>(volley: &Volley, most: usize, handle: impl Fn(Vec<BatchItem>) -> F) -> usize
where
    F: Future<Output = Result<Vec<String>, E>>,
{
    let mut again = 0;
    for batch in volley.events.chunks(most) {
        let items = batch.iter().enumerate().map(|(at, event)| BatchItem {
            message_id: at.to_string(),
            body: event.as_str().map_or_else(|| event.to_string(), str::to_owned),
        });
        let failed = handle(items.collect()).await;
        again += failed.map_or(batch.len(), |failed| failed.len());
    }
    again
}

struct Soil(soil_alerts::Handler);

impl Target for Soil {
    async fn deliver(&self, volley: &Volley) -> usize {
        one_by_one(volley, |event| async move { Box::pin(self.0.handle(event, &invocation())).await }).await
    }
}

struct Telemetry(telemetry::Handler);

impl Target for Telemetry {
    async fn deliver(&self, volley: &Volley) -> usize {
        in_batches(volley, 25, |batch| async move { Box::pin(self.0.handle(batch, &invocation())).await }).await
    }
}

struct Onboarding(onboarding::Handler);

impl Target for Onboarding {
    async fn deliver(&self, volley: &Volley) -> usize {
        one_by_one(volley, |event| async move { Box::pin(self.0.handle(event, &invocation())).await }).await
    }
}

pub(crate) fn invocation() -> Invocation {
    Invocation { request_id: "storm".to_owned(), now: now() }
}

/// What became of the volleys.
#[derive(Default)]
struct Report {
    lines: String,
    sent: usize,
    accepted: usize,
    codes: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

/// Delivers all volleys, some at once; names the kinds of which a message broke the handler or must come again.
async fn deliver_all(target: impl Target, volleys: &Arc<Vec<Volley>>) -> Vec<String> {
    let (target, mut running, mut wrong) = (Arc::new(target), JoinSet::new(), Vec::new());
    for at in 0..volleys.len() {
        if running.len() == AT_ONCE {
            wrong.extend(running.join_next().await.unwrap().err().map(|panicked| panicked.to_string()));
        }
        let (target, volleys) = (target.clone(), volleys.clone());
        running.spawn(async move {
            let again = target.deliver(&volleys[at]).await;
            assert_eq!(again, 0, "{}: {again} messages must come again", volleys[at].kind);
        });
    }
    while let Some(done) = running.join_next().await {
        wrong.extend(done.err().map(|panicked| panicked.to_string()));
    }
    wrong
}

/// Letters by the event in them: their codes.
async fn letters(queue: &DeadLetterQueue) -> BTreeMap<String, Vec<String>> {
    let mut letters: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for text in queue.texts().await {
        let kept: KeptEvent = serde_json::from_str(&text).unwrap();
        letters.entry(kept.event.to_string()).or_default().push(kept.code);
    }
    letters
}

/// The event as a letter holds it: a record's body as the JSON that it is, if it is any.
pub(crate) fn as_kept(event: &Value) -> String {
    let body = event.as_str().and_then(|body| serde_json::from_str::<Value>(body).ok());
    body.unwrap_or_else(|| event.clone()).to_string()
}

impl Report {
    /// Compares what was sent with the letters: a kept event is there as it came, as often as it was sent.
    fn of(volleys: &[Volley], letters: &BTreeMap<String, Vec<String>>) -> Self {
        let mut report = Self::default();
        for volley in volleys {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            volley.events.iter().for_each(|event| *counts.entry(as_kept(event)).or_default() += 1);
            let (mut kept, mut accepted) = (0, 0);
            for (event, sent) in counts {
                let codes = letters.get(&event).map_or(&[][..], Vec::as_slice);
                let good = match volley.due {
                    Due::Accepted => codes.is_empty(),
                    Due::Kept => codes.len() == sent,
                    Due::Either => codes.is_empty() || codes.len() == sent,
                };
                if !good {
                    report.wrong.push(format!("{}: {} letters for {sent} of {event:.200}", volley.kind, codes.len()));
                }
                codes.iter().for_each(|code| *report.codes.entry(code.clone()).or_default() += 1);
                if codes.is_empty() { accepted += sent } else { kept += codes.len() }
            }
            let _ = writeln!(report.lines, "{:<48} {:>5} {accepted:>8} {kept:>5}", volley.kind, volley.events.len());
            report.sent += volley.events.len();
            report.accepted += accepted;
        }
        report
    }

    fn assert_clean(&self, function: &str, kinds: usize, began: Instant) {
        let kept: usize = self.codes.values().sum();
        println!("{:<48} {:>5} {:>8} {:>5}\n{}", function, "sent", "accepted", "kept", self.lines);
        for (code, count) in &self.codes {
            println!("{function}: {code} {count}");
        }
        let (sent, accepted, took) = (self.sent, self.accepted, began.elapsed().as_secs_f64());
        println!(
            "figure: malformed {function}: {kinds} kinds, {sent} sent, {accepted} accepted, {kept} kept, 0 panics, {took:.1} s"
        );
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
        assert_eq!(accepted + kept, sent);
    }
}

pub(crate) fn per_kind() -> usize {
    number_of("LOAM_MALFORMED_PER_KIND", 25)
}

pub(crate) async fn storm(
    function: &str,
    target: impl Target,
    volleys: Vec<Volley>,
    queue: &DeadLetterQueue,
) -> Arc<Vec<Volley>> {
    let (began, volleys) = (Instant::now(), Arc::new(volleys));
    let broken = deliver_all(target, &volleys).await;
    assert!(broken.is_empty(), "{function}: {}", broken.join("\n"));
    Report::of(&volleys, &letters(queue).await).assert_clean(function, volleys.len(), began);
    volleys
}

/// The function's variables, with another queue for dead letters.
pub(crate) fn with_letters(function: &Function, queue: &DeadLetterQueue) -> impl Fn(&str) -> Option<String> {
    move |name: &str| if name == "DEAD_LETTERS_URL" { Some(queue.url().to_owned()) } else { function.variable(name) }
}

/// The same for soil-alerts in this mode.
fn in_mode(mode: &str, stack: &Stack, queue: &DeadLetterQueue, name: &str) -> Option<String> {
    if name == "ALERT_MODE" {
        return Some(mode.to_owned());
    }
    with_letters(stack.function("SoilAlerts"), queue)(name)
}

/// The things of the kinds of which everything is accepted.
fn accepted(volleys: &[Volley]) -> impl Iterator<Item = &Volley> {
    volleys.iter().filter(|volley| volley.due == Due::Accepted && volley.kind != "a sensor's object without numbers")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_messages_are_accepted_or_kept_by_soil_alerts_in_smart_mode() {
    let stack = Stack::deployed();
    let admin = stack.admin().await;
    let queue = DeadLetterQueue::own(&admin).await;
    let lookup = |name: &str| in_mode("smart", &stack, &queue, name);
    let config = soil_alerts::Config::from_lookup(&lookup).unwrap();
    let target = Soil(soil_alerts::Handler::new(&admin, &config));
    let volleys = storm("soil-alerts smart", target, soil(per_kind(), 1), &queue).await;
    let states = StateStore::new(aws_sdk_dynamodb::Client::new(&admin), config.alerts.states_table);
    for volley in accepted(&volleys) {
        let state = states.load(&volley.thing, AlertRule::HUMIDITY).await.unwrap();
        assert!(state.version > 0, "{}: accepted, and not remembered", volley.kind);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_messages_are_accepted_or_kept_by_soil_alerts_in_classic_mode() {
    let stack = Stack::deployed();
    let admin = stack.admin().await;
    let queue = DeadLetterQueue::own(&admin).await;
    let lookup = |name: &str| in_mode("classic", &stack, &queue, name);
    let config = soil_alerts::Config::from_lookup(&lookup).unwrap();
    let target = Soil(soil_alerts::Handler::new(&admin, &config));
    storm("soil-alerts classic", target, soil(per_kind(), 2), &queue).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_messages_are_accepted_or_kept_by_telemetry() {
    let stack = Stack::deployed();
    let admin = stack.admin().await;
    let queue = DeadLetterQueue::own(&admin).await;
    let config = telemetry::Config::from_lookup(&with_letters(stack.function("Telemetry"), &queue)).unwrap();
    let rows = Store::new(&admin, config.table.clone(), config.retention);
    let target = Telemetry(telemetry::Handler::new(&admin, config));
    let volleys = soil(per_kind(), 3).into_iter().chain(sensors(per_kind(), 4)).collect();
    for volley in accepted(&storm("telemetry", target, volleys, &queue).await) {
        let latest = rows.latest(&volley.thing).await.unwrap();
        assert!(!latest.is_empty(), "{}: accepted, and not stored", volley.kind);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_messages_are_accepted_or_kept_by_onboarding() {
    let stack = Stack::deployed();
    let admin = stack.admin().await;
    let queue = DeadLetterQueue::own(&admin).await;
    let config = onboarding::Config::from_lookup(&with_letters(stack.function("Onboarding"), &queue)).unwrap();
    let target = Onboarding(onboarding::Handler::new(&admin, config));
    storm("onboarding", target, descriptions(per_kind(), 5), &queue).await;
}

#[test]
fn the_kinds_are_many_and_no_two_have_one_name() {
    let volleys: Vec<_> = soil(1, 0).into_iter().chain(sensors(1, 0)).collect();
    let names: std::collections::BTreeSet<_> = volleys.iter().map(|volley| volley.kind).collect();
    assert_eq!(names.len(), volleys.len());
    assert!(soil(1, 0).len() >= 40, "{} kinds", soil(1, 0).len());
    assert!(descriptions(1, 0).len() >= 40, "{} kinds", descriptions(1, 0).len());
}
