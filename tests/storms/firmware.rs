//! firmware: words that are none; and copies of what many devices say, in any order, to several runs at a time, with a conductor
//! among them.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use firmware::execution::Execution;
use firmware::rollout::Rollout;
use firmware::rollout::definition::Definition;
use firmware::{ConductorConfig, ConductorHandler, ProgressConfig, ProgressHandler};
use loam_domain::ThingName;
use loam_kit::{Chance, DeadLetterQueue, Stack, now, number_of, plain_record, twin_of_table, unique_thing};
use loam_releases::names::Id;
use loam_runtime::BatchItem;
use loam_things::LifeCycle;
use loam_things::twins::{Notes, RecordView, Twin};
use serde_json::{Value, json};

use crate::copies::{Run, batches, deliver};
use crate::kinds::{Due, WHOLE};
use crate::malformed::{self, in_batches, invocation, per_kind, storm};
use crate::sending::{Volley, Volleys, on};

/// Both queues' functions: each gets its own messages.
#[derive(Clone)]
struct Queues {
    conductor: ConductorHandler,
    progress: ProgressHandler,
}

impl Queues {
    async fn hand(&self, item: BatchItem) -> Vec<String> {
        let is_work = ["{\"rollout\"", "{\"round\""].iter().any(|start| item.body.starts_with(start));
        let done = if is_work {
            Box::pin(self.conductor.handle(vec![item], &invocation())).await
        } else {
            Box::pin(self.progress.handle(vec![item], &invocation())).await
        };
        done.unwrap()
    }
}

impl malformed::Target for Queues {
    async fn deliver(&self, volley: &Volley) -> usize {
        in_batches(volley, 1, |batch| async move { Box::pin(self.progress.handle(batch, &invocation())).await }).await
    }
}

impl Run for Queues {
    async fn run(&self, batch: Vec<BatchItem>) -> Vec<String> {
        let mut again = vec![];
        for item in batch {
            again.extend(self.hand(item).await);
        }
        again
    }
}

/// A device's word on a rollout.
fn said(thing: &ThingName, rollout: &Id, word: &str, payload: &[u8]) -> Value {
    on(thing, &format!("loam/{thing}/firmware/{rollout}/{word}"), payload, now())
}

/// What nobody can read is kept; what can be read is of a thing that no rollout has, and left alone.
fn volleys(count: usize, seed: u64) -> Vec<Volley> {
    let (rollout, mut volleys) = (Id::of("rollout", &["storm"]), Volleys::new(count, seed));
    for word in ["progress", "request"] {
        volleys.add_payloads(&WHOLE, Due::Either, |thing, payload| said(thing, &rollout, word, payload));
    }
    volleys.add_events(|thing| said(thing, &rollout, "progress", b"{}"));
    volleys.add_bodies();
    volleys.all()
}

/// The functions with tables that nobody else reads, and queues aside.
struct World {
    queues: Queues,
    rows: aws_sdk_dynamodb::Client,
    firmware_table: String,
    twins_table: String,
    dead_letters: DeadLetterQueue,
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

impl World {
    async fn new() -> Self {
        let stack = Stack::deployed();
        let admin = stack.admin().await;
        let [conductor, progress] = ["FirmwareConductor", "FirmwareProgress"].map(|name| stack.function(name));
        let mut conducting = ConductorConfig::from_lookup(&|name| conductor.variable(name)).unwrap();
        let mut hearing = ProgressConfig::from_lookup(&|name| progress.variable(name)).unwrap();
        let firmware_table = twin_of_table(&admin, &conducting.firmware_table).await;
        let twins_table = twin_of_table(&admin, &conducting.twins_table).await;
        let (aside, dead_letters) = (DeadLetterQueue::own(&admin).await, DeadLetterQueue::own(&admin).await);
        for table in [&mut conducting.firmware_table, &mut hearing.firmware_table] {
            table.clone_from(&firmware_table);
        }
        for queue in [&mut conducting.queue_url, &mut hearing.queue_url, &mut hearing.own_queue_url] {
            aside.url().clone_into(queue);
        }
        for letters in [&mut conducting.dead_letters_url, &mut hearing.dead_letters_url] {
            dead_letters.url().clone_into(letters);
        }
        conducting.twins_table.clone_from(&twins_table);
        let conductor = ConductorHandler::new(&admin, &conducting);
        let queues = Queues { conductor, progress: ProgressHandler::new(&admin, hearing) };
        Self { queues, rows: aws_sdk_dynamodb::Client::new(&admin), firmware_table, twins_table, dead_letters }
    }

    async fn write(&self, table: &str, item: HashMap<String, AttributeValue>) {
        self.rows.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
    }

    async fn thing(&self) -> ThingName {
        let thing = unique_thing("storm");
        let record = RecordView { firmware: Some(json!("2.0.0")), ..plain_record(LifeCycle::Onboarded, now()) };
        let notes = Notes::default();
        let twin = Twin { thing: thing.clone(), version: 1, record, shadow: None, presence: None, notes };
        self.write(&self.twins_table, twin.item().unwrap()).await;
        thing
    }

    /// A rollout to all of these things, which starts once it is filled.
    async fn ordered(&self) -> Id {
        let wave = json!({"size": "rest", "successPercent": 50, "errors": {"count": 1_000}, "soakMinutes": 20_160});
        let release = Id::of("release", &["2.1.0"]);
        let definition = json!({"release": release, "targets": {"filter": "deviceId != 'x'"}, "waves": [wave]});
        let definition = Definition::parse(definition.to_string().as_bytes()).unwrap();
        let firmware = json!({"release": release, "version": "2.1.0", "hardware": ["c3"], "size": 11,
            "sha256": "ab".repeat(32), "minimumFrom": null, "securityCounter": 0});
        let (id, firmware) = (Id::of("rollout", &[&self.firmware_table]), serde_json::from_value(firmware).unwrap());
        let mut rollout = Rollout::ordered(id.clone(), definition, firmware, false, "ann".to_owned(), now());
        rollout.approved_by = Some("ann".to_owned());
        let row = [
            ("thing", text(&format!("rollout#{id}"))),
            ("item", text("rollout")),
            ("version", AttributeValue::N("1".to_owned())),
            ("rollout", text(&serde_json::to_string(&rollout).unwrap())),
        ];
        self.write(&self.firmware_table, row.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()).await;
        id
    }

    /// How many things stand where, by their rows and by their counters; and where each stands.
    async fn counted(&self, id: &Id) -> (BTreeMap<String, i64>, BTreeMap<String, i64>, BTreeMap<ThingName, String>) {
        let (mut rows, mut counters, mut states) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let query = self.rows.query().table_name(&self.firmware_table).consistent_read(true);
        let query = query.key_condition_expression("thing = :thing");
        let found =
            query.expression_attribute_values(":thing", text(&format!("things#{id}#0#0"))).send().await.unwrap();
        for item in found.items() {
            let Some(execution) = item.get("execution") else {
                let numbers = item.iter().filter_map(|(name, value)| Some((name, value.as_n().ok()?.parse().ok()?)));
                let there = numbers.filter(|(_, number): &(_, i64)| *number != 0);
                counters.extend(there.map(|(name, number)| (name.clone(), number)));
                continue;
            };
            let execution: Execution = serde_json::from_str(execution.as_s().unwrap()).unwrap();
            let state = execution.state().counter().to_owned();
            *rows.entry(state.clone()).or_insert(0) += 1;
            assert_eq!(states.insert(execution.thing, state), None, "a thing has one row");
        }
        (rows, counters, states)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_words_are_kept_or_left_alone_by_firmware() {
    let World { queues, dead_letters, .. } = World::new().await;
    storm("firmware", queues, volleys(per_kind(), 13), &dead_letters).await;
}

/// Everything that many devices say several times, among rounds of the conductor. Whatever the order, each thing is counted once,
/// where it came to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_in_any_order_leave_counters_that_add_up() {
    let seed = number_of("LOAM_SEED", 0_u64);
    let mut chance = Chance::new(seed);
    for round in 0..(number_of("LOAM_STORM_EVENTS", 150_usize) / 75).clamp(2, 20) {
        let world = World::new().await;
        let mut things = vec![];
        for _ in 0..12 {
            things.push(world.thing().await);
        }
        let id = world.ordered().await;
        let work = |kind: &str| json!({ kind: id }).to_string();
        let begin = BatchItem { message_id: "begin".to_owned(), body: work("rollout") };
        assert_eq!(world.queues.hand(begin).await, [""; 0]);
        let mut messages = vec![work("rollout"), work("round")];
        for (at, thing) in things.iter().enumerate() {
            let say =
                |state: &str| said(thing, &id, "progress", json!({"state": state}).to_string().as_bytes()).to_string();
            messages.extend(["downloading", "verifying", "installing"].map(say));
            if at % 3 == 0 {
                messages.push(say("failed"));
                continue;
            }
            let state = |firmware: &str| json!({"state": {"reported": {"firmware": firmware}}, "version": 1});
            let documents = json!({"previous": state("2.0.0"), "current": state("2.1.0")}).to_string();
            let topic = format!("$aws/things/{thing}/shadow/update/documents");
            messages.push(on(thing, &topic, documents.as_bytes(), now()).to_string());
        }
        deliver(&world.queues, batches(&messages, &mut chance)).await;
        let (rows, counters, states) = world.counted(&id).await;
        assert_eq!(rows, counters, "seed {seed}, round {round}");
        for (at, thing) in things.iter().enumerate() {
            let expected = if at % 3 == 0 { "failed" } else { "succeeded" };
            assert_eq!(states[thing], expected, "seed {seed}, round {round}, thing {at}");
        }
    }
}
