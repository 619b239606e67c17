//! A fleet of a test's own: twins, shadows, and both of the queues' functions, on tables that nobody else reads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_iotdataplane::primitives::Blob;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firmware::execution::Execution;
use firmware::rollout::Rollout;
use firmware::rollout::waves::place;
use firmware::{ConductorConfig, ConductorHandler, ProgressConfig, ProgressHandler};
use loam_domain::{ThingName, Timestamp};
use loam_kit::{DeadLetterQueue, Stack, now, plain_record, twin_of_table, unique_thing};
use loam_releases::names::Id;
use loam_runtime::{BatchItem, Invocation};
use loam_things::twins::{Notes, ShadowView, Twin};
use loam_things::{LifeCycle, Things};
use serde_json::{Map, Value, json};

use crate::operators::{Item, Places, World, text};

/// Longer than a delivery under way keeps others from a thing.
pub(crate) const LEASE_MILLIS: i64 = 61_000;

pub(crate) struct Fleet {
    pub(crate) world: World,
    pub(crate) things: Vec<ThingName>,
    pub(crate) conductor_queue: DeadLetterQueue,
    pub(crate) dead_letters: DeadLetterQueue,
    conductor: ConductorHandler,
    progress: ProgressHandler,
    pub(crate) records: Things,
    twins_table: String,
    shadows: aws_sdk_iotdataplane::Client,
    rows: aws_sdk_dynamodb::Client,
    /// How much later than now it is in this world, in milliseconds.
    later: AtomicI64,
}

impl Fleet {
    /// So many things that run 2.0.0, and a world of operators.
    pub(crate) async fn new(things: usize) -> Self {
        let world = Box::pin(World::new(Places::Own)).await;
        let (admin, stack) = (&world.admin, Stack::deployed());
        let [conductor, progress] = ["FirmwareConductor", "FirmwareProgress"].map(|name| stack.function(name));
        let mut conducting = ConductorConfig::from_lookup(&|name| conductor.variable(name)).unwrap();
        let mut hearing = ProgressConfig::from_lookup(&|name| progress.variable(name)).unwrap();
        let twins_table = twin_of_table(admin, &conducting.twins_table).await;
        let things_table = twin_of_table(admin, &hearing.things_table).await;
        let own_queue = DeadLetterQueue::own(admin).await;
        let dead_letters = DeadLetterQueue::own(admin).await;
        for table in [&mut conducting.firmware_table, &mut hearing.firmware_table] {
            table.clone_from(&world.api.firmware_table);
        }
        for queue in [&mut conducting.queue_url, &mut hearing.queue_url] {
            queue.clone_from(&world.api.queue_url);
        }
        for queue in [&mut conducting.dead_letters_url, &mut hearing.dead_letters_url] {
            dead_letters.url().clone_into(queue);
        }
        conducting.twins_table.clone_from(&twins_table);
        for table in [&mut conducting.things_table, &mut hearing.things_table] {
            table.clone_from(&things_table);
        }
        own_queue.url().clone_into(&mut hearing.own_queue_url);
        let fleet = Self {
            things: (0..things).map(|_| unique_thing("fleet")).collect(),
            conductor_queue: DeadLetterQueue::new(admin, &world.api.queue_url),
            dead_letters,
            conductor: ConductorHandler::new(admin, &conducting),
            progress: ProgressHandler::new(admin, hearing),
            twins_table,
            records: Things::new(admin, things_table),
            shadows: aws_sdk_iotdataplane::Client::new(admin),
            rows: aws_sdk_dynamodb::Client::new(admin),
            later: AtomicI64::new(0),
            world,
        };
        for thing in &fleet.things {
            fleet.runs(thing, "2.0.0").await;
        }
        fleet
    }

    pub(crate) fn now(&self) -> Timestamp {
        now().plus_millis(self.later.load(Ordering::SeqCst))
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, millis: i64) {
        self.later.fetch_add(millis, Ordering::SeqCst);
    }

    /// What the catalog knows of a thing.
    pub(crate) async fn runs(&self, thing: &ThingName, version: &str) {
        let hardware = format!("board-{}", self.world.name);
        let reported = json!({"firmware": {"version": version, "hardware": hardware}});
        let Value::Object(reported) = reported else { panic!() };
        let record = plain_record(LifeCycle::Onboarded, now());
        let shadow = ShadowView { version: 1, at: self.now(), deleted: false, desired: Map::new(), reported };
        let (shadow, notes) = (Some(shadow), Notes::default());
        let twin = Twin { thing: thing.clone(), version: 1, record, shadow, presence: None, notes };
        let put = self.rows.put_item().table_name(&self.twins_table).set_item(Some(twin.item().unwrap()));
        put.send().await.unwrap();
    }

    /// Puts a thing into the registry of AWS IoT: a job is for such things.
    pub(crate) async fn register(&self, thing: &ThingName) {
        let registry = aws_sdk_iot::Client::new(&self.world.admin);
        registry.create_thing().thing_name(thing.as_str()).send().await.unwrap();
    }

    /// Where the job of this attempt stands.
    pub(crate) async fn job_status(&self, row: &Execution) -> String {
        let registry = aws_sdk_iot::Client::new(&self.world.admin);
        let request = registry.describe_job_execution().job_id(firmware::order::job_id(row));
        let answer = request.thing_name(row.thing.as_str()).send().await.unwrap();
        answer.execution().unwrap().status().unwrap().as_str().to_owned()
    }

    /// After how many minutes the job of this attempt gives a device up that began, and what else ends it: kind of failure, what
    /// is done, of how many percent, after how many things.
    pub(crate) async fn job_limits(&self, row: &Execution) -> (Option<i64>, Vec<String>) {
        let registry = aws_sdk_iot::Client::new(&self.world.admin);
        let answer = registry.describe_job().job_id(firmware::order::job_id(row)).send().await.unwrap();
        let job = answer.job().unwrap();
        let aborts = job.abort_config().unwrap().criteria_list().iter().map(|one| {
            let (kind, action) = (one.failure_type().as_str(), one.action().as_str());
            format!("{kind} {action} {} {}", one.threshold_percentage(), one.min_number_of_executed_things())
        });
        (job.timeout_config().unwrap().in_progress_timeout_in_minutes(), aborts.collect())
    }

    /// Orders a rollout of the release of this version to the whole fleet.
    pub(crate) async fn order(&self, version: &str, waves: &Value, more: &Value) -> Id {
        let release = self.world.published(version).await;
        self.order_release(&release, waves, more).await
    }

    /// Orders a rollout of this release to the whole fleet.
    pub(crate) async fn order_release(&self, release: &Id, waves: &Value, more: &Value) -> Id {
        let mut body = json!({"release": release, "targets": {"filter": "deviceId != 'x'"}, "waves": waves});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.world.order(&body, None).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        Id::parse(answer.json()["rolloutId"].as_str().unwrap()).unwrap()
    }

    /// The same, and fills it.
    pub(crate) async fn ordered(&self, version: &str, waves: &Value, more: &Value) -> Id {
        let id = self.order(version, waves, more).await;
        self.conduct(&id).await;
        id
    }

    /// The same, approved and started; what can be asked now is asked.
    pub(crate) async fn started(&self, version: &str, waves: &Value, more: &Value) -> Id {
        let release = self.world.published(version).await;
        self.started_of(&release, waves, more).await
    }

    /// The same of a release that is published.
    pub(crate) async fn started_of(&self, release: &Id, waves: &Value, more: &Value) -> Id {
        let id = self.order_release(release, waves, more).await;
        self.conduct(&id).await;
        self.start(&id).await;
        id
    }

    /// Approves and starts a rollout that is filled; what can be asked now is asked.
    pub(crate) async fn start(&self, id: &Id) {
        self.act(id, "bob", "approve").await;
        self.act(id, "ann", "start").await;
        self.conduct(id).await;
    }

    /// Orders a rollout of one wave of which an older conductor has written down the first chunk: its row counts chunks of 97.
    pub(crate) async fn half_filled(&self, version: &str, waves: &Value) -> Id {
        let id = self.order(version, waves, &json!({})).await;
        let rollout = self.rollout(&id).await.dealt(&[self.things.len()]);
        let row = [("version", number(rollout.version)), ("rollout", text(&serde_json::to_string(&rollout).unwrap()))];
        self.world.write(&format!("rollout#{id}"), "rollout", &row).await;
        let mut things = self.things.clone();
        things.sort_by_key(|thing| place(&id, thing));
        self.write_down(&id, &things[..97]).await;
        self.world.write(&format!("rollout#{id}"), "filled#0#0", &[("version", number(1))]).await;
        id
    }

    /// Writes things of the only shard of the first wave, and counts them.
    pub(crate) async fn write_down(&self, id: &Id, things: &[ThingName]) {
        let (partition, target) = (format!("things#{id}#0#0"), self.rollout(id).await.firmware.version);
        for thing in things {
            let execution = Execution::queued(id.clone(), thing.clone(), 0, target.clone());
            let json = serde_json::to_string(&execution).unwrap();
            let row = [("version", number(execution.version)), ("execution", text(&json))];
            self.world.write(&partition, &format!("q#{thing}"), &row).await;
        }
        self.world.write(&partition, "tally", &[("queued", number(things.len() as u64))]).await;
    }

    pub(crate) async fn act(&self, id: &Id, by: &str, action: &str) -> Value {
        let path = format!("/v1/rollouts/{id}");
        let etag = self.world.get(&path).await.header("etag").to_owned();
        let answer = self.world.post(by, &format!("{path}/{action}"), &etag).await;
        assert!((200..300).contains(&answer.status), "{action}: {}", answer.body);
        answer.json()
    }

    /// What the schedule asks for, of one rollout.
    pub(crate) async fn conduct(&self, id: &Id) {
        self.hand_conductor(&json!({"round": id})).await;
    }

    /// The same, of which nothing comes: the message comes again.
    pub(crate) async fn conduct_in_vain(&self, id: &Id) {
        let batch = vec![BatchItem { message_id: "m".to_owned(), body: json!({"round": id}).to_string() }];
        assert_eq!(self.conductor.handle(batch, &self.invocation()).await.unwrap(), ["m"]);
    }

    pub(crate) async fn hand_conductor(&self, work: &Value) {
        let batch = vec![BatchItem { message_id: "m".to_owned(), body: work.to_string() }];
        assert_eq!(self.conductor.handle(batch, &self.invocation()).await.unwrap(), [""; 0]);
    }

    pub(crate) async fn hand_progress(&self, body: String) {
        let batch = vec![BatchItem { message_id: "m".to_owned(), body }];
        assert_eq!(self.progress.handle(batch, &self.invocation()).await.unwrap(), [""; 0]);
    }

    fn invocation(&self) -> Invocation {
        Invocation { request_id: unique_thing("run").to_string(), now: self.now() }
    }

    /// What a rule makes of a device's message.
    pub(crate) async fn publish(&self, thing: &ThingName, topic: &str, payload: &Value) {
        let payload = STANDARD.encode(payload.to_string());
        let message = json!({"payload": payload, "topic": topic, "clientId": thing, "receivedAt": self.now()});
        self.hand_progress(message.to_string()).await;
    }

    pub(crate) async fn say(&self, thing: &ThingName, id: &Id, state: &str) {
        self.publish(thing, &format!("loam/{thing}/firmware/{id}/progress"), &json!({"state": state})).await;
    }

    /// The thing's shadow reports another version.
    pub(crate) async fn report(&self, thing: &ThingName, version: &str) {
        let state = |firmware: Value| json!({"state": {"reported": {"firmware": firmware}}, "version": 1});
        let documents = json!({"previous": state(json!("0.0.0")), "current": state(json!({"version": version}))});
        self.publish(thing, &format!("$aws/things/{thing}/shadow/update/documents"), &documents).await;
        self.runs(thing, version).await;
    }

    /// A device does as it is told.
    pub(crate) async fn updates(&self, thing: &ThingName, id: &Id, version: &str) {
        for state in ["downloading", "verifying", "installing"] {
            self.say(thing, id, state).await;
        }
        self.report(thing, version).await;
    }

    /// `desired.firmware` of a thing's shadow.
    pub(crate) async fn desired(&self, thing: &ThingName) -> Value {
        let Ok(answer) = self.shadows.get_thing_shadow().thing_name(thing.as_str()).send().await else {
            return Value::Null;
        };
        let document: Value = serde_json::from_slice(answer.payload().map(Blob::as_ref).unwrap()).unwrap();
        document["state"]["desired"]["firmware"].clone()
    }

    pub(crate) async fn rollout(&self, id: &Id) -> Rollout {
        let row = self.world.row(&format!("rollout#{id}"), "rollout").await.unwrap();
        serde_json::from_str(row["rollout"].as_s().unwrap()).unwrap()
    }

    /// The things of a rollout, by name; their rows are as many as its counters say, state by state.
    pub(crate) async fn executions(&self, id: &Id) -> BTreeMap<ThingName, Execution> {
        let (mut found, mut counted, mut rows) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (wave, shard) in self.rollout(id).await.places() {
            for item in self.partition(&format!("things#{id}#{wave}#{shard}")).await {
                let Some(execution) = item.get("execution") else {
                    count(&item, &mut counted);
                    continue;
                };
                let execution: Execution = serde_json::from_str(execution.as_s().unwrap()).unwrap();
                *rows.entry(execution.state().counter().to_owned()).or_insert(0) += 1;
                found.insert(execution.thing.clone(), execution);
            }
        }
        assert_eq!(rows, counted);
        found
    }

    /// Puts a thing of the only shard of the first wave elsewhere, with its counters.
    pub(crate) async fn rewrite(&self, id: &Id, before: &Execution, after: &Execution) {
        let partition = format!("things#{id}#0#0");
        let bucket = |execution: &Execution| match execution.state().counter() {
            "queued" => "q#",
            _ if execution.state().is_open() => "a#",
            _ => "z#",
        };
        let delete = self.rows.delete_item().table_name(&self.world.api.firmware_table).key("thing", text(&partition));
        delete.key("item", text(&format!("{}{}", bucket(before), before.thing))).send().await.unwrap();
        let row = [
            ("version", AttributeValue::N(after.version.to_string())),
            ("execution", text(&serde_json::to_string(after).unwrap())),
        ];
        self.world.write(&partition, &format!("{}{}", bucket(after), after.thing), &row).await;
        let one = |number: &str| AttributeValue::N(number.to_owned());
        let update = self.rows.update_item().table_name(&self.world.api.firmware_table);
        let update = update.key("thing", text(&partition)).key("item", text("tally"));
        let update = update.update_expression("ADD #from :less, #to :more");
        let update = update.expression_attribute_names("#from", before.state().counter());
        let update = update.expression_attribute_names("#to", after.state().counter());
        let update = update.expression_attribute_values(":less", one("-1"));
        update.expression_attribute_values(":more", one("1")).send().await.unwrap();
    }

    /// The states of all things, in the order of the fleet.
    pub(crate) async fn states(&self, id: &Id) -> Vec<&'static str> {
        let executions = self.executions(id).await;
        let state = |thing: &ThingName| executions.get(thing).map_or("none", |execution| execution.state().counter());
        self.things.iter().map(state).collect()
    }

    /// The events in a partition, by their types, in their order.
    pub(crate) async fn told(&self, partition: &str) -> Vec<String> {
        let events = self.events(partition).await;
        events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    /// The events in a partition, in their order.
    pub(crate) async fn events(&self, partition: &str) -> Vec<Value> {
        let items = self.partition(partition).await;
        let events = items.iter().filter_map(|item| item.get("event"));
        events.map(|event| serde_json::from_str(event.as_s().unwrap()).unwrap()).collect()
    }

    async fn partition(&self, partition: &str) -> Vec<Item> {
        let request = self.rows.query().table_name(&self.world.api.firmware_table).consistent_read(true);
        let request = request.key_condition_expression("thing = :thing");
        let answer = request.expression_attribute_values(":thing", text(partition)).send().await.unwrap();
        answer.items.unwrap_or_default()
    }
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn count(item: &Item, counted: &mut BTreeMap<String, i64>) {
    for (name, value) in item {
        if let Ok(number) = value.as_n().map(|number| number.parse::<i64>().unwrap())
            && number != 0
        {
            *counted.entry(name.clone()).or_insert(0) += number;
        }
    }
}
