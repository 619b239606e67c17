//! firmware: what the conductor does with rollouts, and what is heard of things. After every stop the rows of a rollout's things
//! are as many as its counters say. Each world has a table of its own, of which no deployed function hears; for grants it is the
//! stack's, where a rollout is not in the list unless the story looks for it there, so that no round finds it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_iotdataplane::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firmware::execution::Execution;
use firmware::rollout::definition::Definition;
use firmware::rollout::{Action, KNOWN_AFTER_SECONDS, Rollout, act};
use firmware::{ConductorConfig, ConductorHandler, ProgressConfig, ProgressHandler};
use loam_domain::{ThingName, Timestamp};
use loam_kit::wiretap::{Fault, Rule, Scenario, When, Wiretap};
use loam_kit::{
    DeadLetterQueue, Stack, begin_retirement, now, plain_record, register_paired, twin_of_table, unique_thing,
};
use loam_releases::names::Id;
use loam_releases::sealed::wrapping_pairs;
use loam_runtime::{BatchItem, Invocation};
use loam_things::twins::{Notes, ShadowView, Twin};
use loam_things::{LifeCycle, Things};
use serde_json::{Value, json};

use crate::commands::own_table;
use crate::erasures::Records;
use crate::soil_sweep::Tables;
use crate::{all_done, survives_crashes, survives_strain_within};

/// A run's clock goes on while it works, on a machine with too much to do for half a minute and more: what a story tells apart by
/// time lies minutes apart.
const MINUTE: i64 = 60_000;
/// How long Loam waits for a thing's first word, in minutes. Of what waits longer than 23, not each minute's round looks for it.
const OFFLINE_MINUTES: u32 = 20;
/// Between two deliveries: longer than a delivery under way keeps others from a thing, and longer than a thing may say nothing.
const LATER_MILLIS: i64 = 30 * MINUTE;
/// Longer than a manifest is good.
const AWAY_MILLIS: i64 = 31 * 24 * 60 * MINUTE;
/// How long after a thing was asked it says how far it is, and after that, that it runs the target.
const SAID_MILLIS: i64 = 5 * MINUTE;
const REPORTED_MILLIS: i64 = 6 * MINUTE;

/// What happens in a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Targets are chosen and written down.
    Fill,
    /// A rollout begins: its wave opens, its manifest is signed, its thing is asked.
    Begin,
    /// The same by a job.
    BeginByJob,
    /// A newer rollout takes a thing that was asked by an older one.
    TakeOver,
    /// A thing said nothing in time.
    Silence,
    /// The same, asked by a job.
    SilenceOfJob,
    /// The same, and its twin says that it runs the target: its report was lost.
    Unheard,
    /// What said nothing is tried again.
    Retry,
    /// An operator stops what has not begun.
    Withdraw,
    /// More than the limit failed: what was ordered is taken back.
    TakeOut,
    /// The same, of what was ordered by a job.
    TakeOutJob,
    /// A rollout that stopped itself is rolled back.
    RollBack,
    /// A manifest is signed anew.
    Sign,
    /// A thing joins late.
    Join,
    /// The schedule's message, and one that is none.
    Tick,
    /// A thing says how far it is, and reports to run the target.
    Succeed,
    /// A device asks for what it needs.
    Request,
    /// The same, of a sealed image.
    RequestSealed,
    /// A thing describes itself.
    Described,
    /// A thing retires, and a message is none.
    Retired,
}

pub(crate) struct Story {
    name: &'static str,
    way: Way,
    tables: Tables,
}

pub(crate) fn stories(tables: Tables) -> Vec<Story> {
    let all = [
        (Way::Fill, "firmware-conductor: targets are chosen and written down"),
        (Way::Begin, "firmware-conductor: a thing is asked"),
        (Way::BeginByJob, "firmware-conductor: a thing is asked by a job"),
        (Way::TakeOver, "firmware-conductor: a newer rollout takes a thing over"),
        (Way::Silence, "firmware-conductor: a thing said nothing in time"),
        (Way::SilenceOfJob, "firmware-conductor: a thing said nothing of its job in time"),
        (Way::Unheard, "firmware-conductor: a thing's report was lost"),
        (Way::Retry, "firmware-conductor: what said nothing is tried again"),
        (Way::Withdraw, "firmware-conductor: what has not begun is stopped"),
        (Way::TakeOut, "firmware-conductor: too many failed, orders are taken back"),
        (Way::TakeOutJob, "firmware-conductor: too many failed, jobs are cancelled"),
        (Way::RollBack, "firmware-conductor: a rollout that stopped itself is rolled back"),
        (Way::Sign, "firmware-conductor: a manifest is signed anew"),
        (Way::Join, "firmware-conductor: a thing joins late"),
        (Way::Tick, "firmware-conductor: the schedule's message, and one that is none"),
        (Way::Succeed, "firmware-progress: a thing came back on the target"),
        (Way::Request, "firmware-progress: a device asks for its firmware"),
        (Way::RequestSealed, "firmware-progress: a device asks for its firmware, which is sealed"),
        (Way::Described, "firmware-progress: a thing describes itself"),
        (Way::Retired, "firmware-progress: a thing retires, and a message is none"),
    ];
    all.into_iter().map(|(way, name)| Story { name, way, tables }).collect()
}

/// One run's world.
pub(crate) struct World {
    conductor: ConductorHandler,
    progress: ProgressHandler,
    stage: Stage,
    deliveries: AtomicI64,
}

impl World {
    /// Names that tests make up, and what stands for them in figures.
    pub(crate) fn own_names(&self) -> Vec<(String, String)> {
        let Stage { conducting, hearing, .. } = &self.stage;
        let queue = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
        let names = [
            (conducting.firmware_table.clone(), "FirmwareTable"),
            (conducting.twins_table.clone(), "TwinsTable"),
            (hearing.things_table.clone(), "ThingsTable"),
            // The conductor's and its own are one.
            (queue(&conducting.queue_url), "FirmwareQueues"),
            (queue(&hearing.dead_letters_url), "FirmwareDeadLetters"),
        ];
        names.map(|(name, stands)| (name, stands.to_owned())).to_vec()
    }
}

/// What is left after a run.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    /// Where each rollout stands, by its version.
    rollouts: BTreeMap<String, &'static str>,
    /// Of each, by its version, its things by their places: where they stand, and in which attempt.
    things: BTreeSet<(String, usize, &'static str, u32)>,
    /// Whether the counters are what the rows say.
    adds_up: bool,
    /// What each shadow desires: version and attempt.
    orders: Vec<Option<(String, u64)>>,
    told: BTreeSet<String>,
    renewed: bool,
    awaiting: BTreeSet<String>,
    refused: BTreeSet<String>,
}

/// Sets the stage under the administrator's key, with queues that nobody reads.
struct Stage {
    way: Way,
    tables: Tables,
    conductor: ConductorHandler,
    progress: ProgressHandler,
    conducting: ConductorConfig,
    hearing: ProgressConfig,
    rows: aws_sdk_dynamodb::Client,
    shadows: aws_sdk_iotdataplane::Client,
    things: Vec<ThingName>,
    records: Things,
    dead_letters: DeadLetterQueue,
    at: Timestamp,
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn id(stage: &Stage, version: &str) -> Id {
    Id::of("rollout", &[stage.first(), version])
}

/// What the rule makes of a message on a topic of this thing.
fn said(thing: &ThingName, topic: &str, payload: &Value, at: Timestamp) -> String {
    let payload = STANDARD.encode(payload.to_string());
    json!({"payload": payload, "topic": topic, "clientId": thing, "receivedAt": at}).to_string()
}

fn reports(thing: &ThingName, version: &str, at: Timestamp) -> String {
    let state = |firmware: &str| json!({"state": {"reported": {"firmware": firmware}}, "version": 1});
    let documents = json!({"previous": state("0.0.0"), "current": state(version)});
    said(thing, &format!("$aws/things/{thing}/shadow/update/documents"), &documents, at)
}

async fn hand_all(
    (conductor, progress): (&ConductorHandler, &ProgressHandler),
    bodies: Vec<(bool, String)>,
    at: Timestamp,
) -> Result<(), String> {
    let invocation = Invocation { request_id: at.as_millis().to_string(), now: at };
    for (place, (to_conductor, body)) in bodies.into_iter().enumerate() {
        let batch = vec![BatchItem { message_id: place.to_string(), body }];
        let answered = if to_conductor {
            Box::pin(conductor.handle(batch, &invocation)).await
        } else {
            Box::pin(progress.handle(batch, &invocation)).await
        };
        all_done(answered)?;
    }
    Ok(())
}

impl Stage {
    async fn new(story: &Story) -> Self {
        let (stack, admin) = (Stack::deployed(), Stack::deployed().admin().await);
        let [conductor, progress] = ["FirmwareConductor", "FirmwareProgress"].map(|name| stack.function(name));
        let mut conducting = ConductorConfig::from_lookup(&|name| conductor.variable(name)).unwrap();
        let mut hearing = ProgressConfig::from_lookup(&|name| progress.variable(name)).unwrap();
        let records = Records::beside(&hearing.things_table).await;
        if story.tables == Tables::Own {
            conducting.firmware_table = own_table(&admin, &conducting.firmware_table).await;
            conducting.twins_table = twin_of_table(&admin, &conducting.twins_table).await;
        }
        hearing.firmware_table.clone_from(&conducting.firmware_table);
        let (aside, dead_letters) = (DeadLetterQueue::own(&admin).await, DeadLetterQueue::own(&admin).await);
        for queue in [&mut conducting.queue_url, &mut hearing.queue_url, &mut hearing.own_queue_url] {
            aside.url().clone_into(queue);
        }
        for letters in [&mut conducting.dead_letters_url, &mut hearing.dead_letters_url] {
            dead_letters.url().clone_into(letters);
        }
        conducting.things_table.clone_from(&records.table);
        hearing.things_table.clone_from(&records.table);
        let stage = Self {
            way: story.way,
            tables: story.tables,
            conductor: ConductorHandler::new(&admin, &conducting),
            progress: ProgressHandler::new(&admin, hearing.clone()),
            rows: aws_sdk_dynamodb::Client::new(&admin),
            shadows: aws_sdk_iotdataplane::Client::new(&admin),
            things: (0..story.things()).map(|_| unique_thing("fault")).collect(),
            records: records.things,
            dead_letters,
            conducting,
            hearing,
            at: now(),
        };
        let registry = aws_sdk_iot::Client::new(&admin);
        for thing in &stage.things {
            register_paired(&stage.records, thing).await;
            // A job is for things of the registry.
            registry.create_thing().thing_name(thing.as_str()).send().await.unwrap();
            stage.runs(thing, "2.0.0", -MINUTE).await;
        }
        stage
    }

    fn first(&self) -> &str {
        self.things.first().unwrap().as_str()
    }

    async fn write(&self, table: &str, item: HashMap<String, AttributeValue>) {
        self.rows.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
    }

    /// What the catalog knows of a thing.
    async fn runs(&self, thing: &ThingName, version: &str, later: i64) {
        let record = plain_record(LifeCycle::Paired, self.at);
        let reported = serde_json::from_value(json!({"firmware": version})).unwrap();
        let desired = serde_json::Map::new();
        let shadow = Some(ShadowView { version: 1, at: self.at.plus_millis(later), deleted: false, desired, reported });
        let twin = Twin { thing: thing.clone(), version: 1, record, shadow, presence: None, notes: Notes::default() };
        self.write(&self.conducting.twins_table, twin.item().unwrap()).await;
    }

    /// Writes a rollout that is being filled with this story's things, as the route does.
    async fn order(&self, version: &str) -> Rollout {
        let names: Vec<_> = self.things.iter().map(|thing| format!("'{thing}'")).collect();
        let by_job = matches!(self.way, Way::BeginByJob | Way::SilenceOfJob | Way::TakeOutJob);
        let definition = json!({
            "release": Id::of("release", &[version]),
            "targets": {"filter": format!("deviceId IN [{}]", names.join(", "))},
            "waves": [{"size": "rest", "successPercent": 100, "errors": {"count": 0}, "soakMinutes": 20_160}],
            "offlineMinutes": OFFLINE_MINUTES,
            "joinUntil": (self.way == Way::Join).then(|| self.at.plus_millis(AWAY_MILLIS)),
            "delivery": if by_job { "job" } else { "shadow" },
            "rollBack": self.way == Way::RollBack,
        });
        let definition = Definition::parse(definition.to_string().as_bytes()).unwrap();
        let firmware = serde_json::from_value(firmware(version)).unwrap();
        let rollout = Rollout::ordered(id(self, version), definition, firmware, false, "ann".to_owned(), self.at);
        let rollout = Rollout { sealed: self.way == Way::RequestSealed, ..rollout };
        self.put(&rollout).await;
        if self.tables == Tables::Own || matches!(self.way, Way::Join | Way::Described) {
            let place = format!("live#{:013}#{}", self.at.as_millis(), rollout.id);
            let row = [("thing", text("rollouts")), ("item", text(&place)), ("id", text(rollout.id.as_str()))];
            let row = row.into_iter().chain([("version", number(1))]);
            let row = row.map(|(name, value)| (name.to_owned(), value)).collect();
            self.write(&self.conducting.firmware_table, row).await;
        }
        rollout
    }

    async fn put(&self, rollout: &Rollout) {
        let row = [
            ("thing", text(&format!("rollout#{}", rollout.id))),
            ("item", text("rollout")),
            ("version", number(rollout.version)),
            ("rollout", text(&serde_json::to_string(rollout).unwrap())),
        ];
        let row = row.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.write(&self.conducting.firmware_table, row).await;
    }

    async fn rollout(&self, id: &Id) -> Option<Rollout> {
        let get = self.rows.get_item().table_name(&self.conducting.firmware_table).consistent_read(true);
        let get = get.key("thing", text(&format!("rollout#{id}"))).key("item", text("rollout"));
        let item = get.send().await.unwrap().item?;
        Some(serde_json::from_str(item.get("rollout").unwrap().as_s().unwrap()).unwrap())
    }

    async fn act(&self, id: &Id, action: Action) {
        self.act_at(id, action, self.at).await;
    }

    async fn act_at(&self, id: &Id, action: Action, at: Timestamp) {
        let read = self.rollout(id).await.unwrap();
        self.put(&act(&read, action, "bob", true, read.version, at).unwrap()).await;
    }

    async fn hand(&self, bodies: Vec<(bool, String)>, at: Timestamp) {
        Box::pin(hand_all((&self.conductor, &self.progress), bodies, at)).await.unwrap();
    }

    async fn conduct(&self, id: &Id, kind: &str, later: i64) {
        self.hand(vec![(true, json!({ kind: id }).to_string())], self.at.plus_millis(later)).await;
    }

    /// A rollout that is filled and started; nothing is asked.
    async fn started(&self, version: &str) -> Id {
        let id = self.order(version).await.id;
        // Where others may join, targets are chosen a while after the order.
        let chosen_after = if self.way == Way::Join { 1_000 * i64::from(KNOWN_AFTER_SECONDS) } else { 0 };
        self.conduct(&id, "rollout", chosen_after).await;
        self.act(&id, Action::Approve).await;
        // What is started later has a thing: no two start at once.
        self.act_at(&id, Action::Start, self.at.plus_millis(i64::from(version == "2.2.0"))).await;
        id
    }

    /// One whose things were asked.
    async fn begun(&self, version: &str) -> Id {
        let id = self.started(version).await;
        self.conduct(&id, "rollout", 1).await;
        id
    }

    async fn say(&self, thing: usize, id: &Id, state: &str) {
        let thing = self.things.get(thing).unwrap();
        let at = self.at.plus_millis(SAID_MILLIS);
        let topic = format!("loam/{thing}/firmware/{id}/progress");
        self.hand(vec![(false, said(thing, &topic, &json!({"state": state}), at))], at).await;
    }

    /// What is there before.
    async fn prepare(&self) {
        match self.way {
            Way::Fill => drop(self.order("2.1.0").await),
            Way::Begin | Way::BeginByJob => drop(self.started("2.1.0").await),
            Way::Withdraw => {
                let id = self.order("2.1.0").await.id;
                self.conduct(&id, "rollout", 0).await;
                self.act(&id, Action::Stop).await;
            }
            Way::TakeOver => {
                self.begun("2.1.0").await;
                self.started("2.2.0").await;
            }
            Way::Retry => {
                let id = self.begun("2.1.0").await;
                self.conduct(&id, "round", LATER_MILLIS).await;
                self.act(&id, Action::Retry).await;
            }
            Way::TakeOut | Way::TakeOutJob => {
                let id = self.begun("2.1.0").await;
                self.say(0, &id, "failed").await;
            }
            Way::RollBack => {
                self.release("2.0.0").await;
                let id = self.begun("2.1.0").await;
                let at = self.at.plus_millis(SAID_MILLIS - MINUTE);
                self.hand(vec![(false, reports(self.things.get(1).unwrap(), "2.1.0", at))], at).await;
                self.say(0, &id, "failed").await;
            }
            Way::Sign => {
                let id = self.begun("2.1.0").await;
                self.act(&id, Action::Pause).await;
            }
            Way::Join => {
                self.begun("2.1.0").await;
                // It is in the filter, and was not there when targets were chosen.
                let gone = self.things.last().unwrap();
                let row = self.execution_place(gone).await;
                self.forget(&row).await;
            }
            Way::Tick | Way::Succeed | Way::Request | Way::Described | Way::Silence | Way::SilenceOfJob => {
                self.begun("2.1.0").await;
            }
            Way::RequestSealed => {
                self.seal("2.1.0").await;
                self.begun("2.1.0").await;
            }
            Way::Unheard => {
                self.begun("2.1.0").await;
                self.runs(self.things.first().unwrap(), "2.1.0", REPORTED_MILLIS).await;
            }
            Way::Retired => {
                self.begun("2.1.0").await;
                let thing = self.things.first().unwrap();
                begin_retirement(&self.records, thing, &["firmware", "others"], self.at).await;
            }
        }
    }

    /// A release of this version, as it is found by its version.
    async fn release(&self, version: &str) {
        let firmware = firmware(version);
        let release = json!({"firmware": firmware, "channel": "stable", "notes": "", "state": "published", "version": 2,
            "createdAt": 1, "signed": 1, "by": ["ann"]});
        let id = Id::of("release", &[version]);
        let rows = [
            (format!("release#{id}"), ("release", text(&release.to_string()))),
            (format!("version#c3#{version}"), ("id", text(id.as_str()))),
        ];
        for (partition, (name, value)) in rows {
            let row = [("thing", text(&partition)), ("item", text("release")), ("version", number(2)), (name, value)];
            let row = row.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            self.write(&self.conducting.firmware_table, row).await;
        }
    }

    /// Writes what opens the sealed image of the release of this version, as far as a grant needs it. It is the same for all
    /// worlds: any of them will do.
    async fn seal(&self, version: &str) {
        let (admin, release) = (Stack::deployed().admin().await, Id::of("release", &[version]));
        let generate = aws_sdk_kms::Client::new(&admin).generate_data_key().key_id(&self.hearing.files_key);
        let mut generate = generate.key_spec(DataKeySpec::Aes256);
        for (name, value) in wrapping_pairs(&release) {
            generate = generate.encryption_context(name, value);
        }
        let key = generate.send().await.unwrap().ciphertext_blob.unwrap().into_inner();
        let head = json!({
            "head": {"header": STANDARD.encode(b"header"), "wrappingKey": STANDARD.encode(key)},
            "image": {"key": "incoming/a/app.bin", "version": "v", "bytes": 11},
        });
        let put = aws_sdk_s3::Client::new(&admin).put_object().bucket(&self.hearing.firmware_bucket);
        let put = put.key(format!("images/{release}.head")).body(head.to_string().into_bytes().into());
        put.send().await.unwrap();
    }

    /// The rows of a partition.
    async fn partition(&self, partition: &str) -> Vec<HashMap<String, AttributeValue>> {
        let query = self.rows.query().table_name(&self.conducting.firmware_table).consistent_read(true);
        let query = query.key_condition_expression("thing = :thing");
        let answer = query.expression_attribute_values(":thing", text(partition)).send().await.unwrap();
        answer.items.unwrap_or_default()
    }

    async fn execution_place(&self, thing: &ThingName) -> (String, String) {
        let partition = format!("things#{}#0#0", id(self, "2.1.0"));
        let rows = self.partition(&partition).await;
        let places = rows.iter().map(|row| row.get("item").unwrap().as_s().unwrap().clone());
        let place = places.into_iter().find(|place| place.ends_with(thing.as_str())).unwrap();
        (partition, place)
    }

    /// Takes a thing that was asked out of a rollout, and out of its counters.
    async fn forget(&self, (partition, place): &(String, String)) {
        let table = &self.conducting.firmware_table;
        let delete = self.rows.delete_item().table_name(table).key("thing", text(partition));
        delete.key("item", text(place)).send().await.unwrap();
        let update = self.rows.update_item().table_name(table).key("thing", text(partition)).key("item", text("tally"));
        let update = update.update_expression("ADD notified :less");
        update.expression_attribute_values(":less", AttributeValue::N("-1".to_owned())).send().await.unwrap();
    }

    /// All rollouts of this story: its own, and those that lead back.
    async fn rollouts(&self) -> Vec<Rollout> {
        let mut ids = BTreeSet::from(["2.1.0", "2.2.0"].map(|version| id(self, version)));
        let of_release = Id::of("release", &["2.0.0"]);
        ids.insert(Id::of("way-back", &[id(self, "2.1.0").as_str(), of_release.as_str()]));
        let mut rollouts = vec![];
        for id in ids {
            rollouts.extend(self.rollout(&id).await);
        }
        rollouts
    }

    /// `desired.firmware` of a shadow, as version and attempt.
    async fn desired(&self, thing: &ThingName) -> Option<(String, u64)> {
        let answer = self.shadows.get_thing_shadow().thing_name(thing.as_str()).send().await.ok()?;
        let document: Value = serde_json::from_slice(answer.payload().map(Blob::as_ref)?).unwrap();
        let order = document.pointer("/state/desired/firmware")?;
        let version = order.get("version")?.as_str()?.to_owned();
        Some((version, order.get("attempt")?.as_u64()?))
    }

    /// The things of a rollout, and whether its counters are what their rows say.
    async fn look(&self, rollout: &Rollout, things: &mut BTreeSet<(String, usize, &'static str, u32)>) -> bool {
        let (mut rows, mut counted) = (BTreeMap::<String, i64>::new(), BTreeMap::<String, i64>::new());
        for (wave, shard) in rollout.places() {
            for item in self.partition(&format!("things#{}#{wave}#{shard}", rollout.id)).await {
                if let Some(execution) = item.get("execution") {
                    let execution: Execution = serde_json::from_str(execution.as_s().unwrap()).unwrap();
                    let state = execution.state().counter();
                    *rows.entry(state.to_owned()).or_default() += 1;
                    let place = self.things.iter().position(|thing| *thing == execution.thing).unwrap();
                    things.insert((rollout.firmware.version.to_string(), place, state, execution.attempt));
                    continue;
                }
                let counts = item.iter().filter_map(|(name, value)| Some((name, value.as_n().ok()?.parse().ok()?)));
                for (name, count) in counts.filter(|(_, count): &(_, i64)| *count != 0) {
                    *counted.entry(name.clone()).or_default() += count;
                }
            }
        }
        rows == counted
    }

    /// The types of the events in a partition.
    async fn told(&self, partition: &str) -> BTreeSet<String> {
        let rows = self.partition(partition).await;
        let events = rows.iter().filter_map(|row| row.get("event")?.as_s().ok());
        let kind = |event: &String| serde_json::from_str::<Value>(event).ok()?.get("type")?.as_str().map(str::to_owned);
        events.filter_map(kind).collect()
    }
}

/// A release for one kind of hardware.
fn firmware(version: &str) -> Value {
    json!({"release": Id::of("release", &[version]), "version": version, "hardware": ["c3"], "size": 11,
        "sha256": "ab".repeat(32), "minimumFrom": null, "securityCounter": 0})
}

impl Story {
    /// Whether each of its calls is also refused for long: one story for each way in which something is written.
    fn is_strained(&self) -> bool {
        matches!(
            self.way,
            Way::Fill | Way::Begin | Way::TakeOver | Way::Silence | Way::TakeOut | Way::RollBack | Way::Succeed
        )
    }

    /// Which function does it.
    pub(crate) fn function(&self) -> &'static str {
        let heard =
            matches!(self.way, Way::Succeed | Way::Request | Way::RequestSealed | Way::Described | Way::Retired);
        if heard { "FirmwareProgress" } else { "FirmwareConductor" }
    }

    /// How many things it is about.
    const fn things(&self) -> usize {
        match self.way {
            Way::Fill | Way::Withdraw | Way::TakeOut | Way::TakeOutJob | Way::RollBack | Way::Join => 2,
            Way::Begin | Way::BeginByJob | Way::TakeOver | Way::Silence | Way::SilenceOfJob | Way::Retry => 1,
            Way::Unheard | Way::Sign | Way::Tick | Way::Succeed | Way::Described | Way::Retired => 1,
            Way::Request | Way::RequestSealed => 1,
        }
    }

    /// The messages of one delivery, each with whether it is the conductor's.
    fn messages(&self, stage: &Stage, at: Timestamp) -> Vec<(bool, String)> {
        let thing = stage.things.first().unwrap();
        let last = stage.things.last().unwrap();
        let conduct = |kind: &str, version: &str| vec![(true, json!({ kind: id(stage, version) }).to_string())];
        let event = |kind: &str| {
            let event = json!({"id": "x", "type": kind, "thing": thing, "at": at, "epoch": 1, "data": {}});
            (false, event.to_string())
        };
        let topic = |word: &str| format!("loam/{thing}/firmware/{}/{word}", id(stage, "2.1.0"));
        match self.way {
            Way::Fill | Way::Begin | Way::BeginByJob | Way::Retry => conduct("rollout", "2.1.0"),
            Way::Withdraw | Way::TakeOut | Way::TakeOutJob | Way::RollBack => conduct("rollout", "2.1.0"),
            Way::TakeOver => conduct("rollout", "2.2.0"),
            Way::Silence | Way::SilenceOfJob | Way::Unheard => conduct("round", "2.1.0"),
            Way::Sign => conduct("sign", "2.1.0"),
            Way::Join => vec![(true, json!({"join": last}).to_string())],
            Way::Tick => vec![(true, json!({"tick": true}).to_string()), (true, "{}".to_owned())],
            Way::Succeed => {
                let (said_at, reported_at) = (stage.at.plus_millis(SAID_MILLIS), stage.at.plus_millis(REPORTED_MILLIS));
                let word = said(thing, &topic("progress"), &json!({"state": "installing"}), said_at);
                vec![(false, word), (false, reports(thing, "2.1.0", reported_at))]
            }
            Way::Request | Way::RequestSealed => {
                vec![(false, said(thing, &topic("request"), &json!({"attempt": 1}), at))]
            }
            Way::Described => vec![event("thing.described")],
            Way::Retired => {
                let odd = said(thing, &topic("progress"), &json!([]), at);
                vec![event("thing.retiring"), event("thing.retired"), (false, odd)]
            }
        }
    }

    async fn sdk(&self, endpoint: &str) -> SdkConfig {
        let stack = Stack::deployed();
        match self.tables {
            Tables::Own => stack.admin_through(endpoint).await,
            Tables::OfTheStack => stack.role_of(stack.function(self.function()), endpoint).await,
        }
    }
}

impl Scenario for Story {
    type World = World;
    type State = Left;
    type Error = String;

    fn name(&self) -> &str {
        self.name
    }

    async fn world(&self, endpoint: &str) -> Result<World, String> {
        let stage = Stage::new(self).await;
        Box::pin(stage.prepare()).await;
        let (mut conducting, mut hearing) = (stage.conducting.clone(), stage.hearing.clone());
        if self.tables == Tables::OfTheStack {
            let stack = Stack::deployed();
            let [conductor, progress] = ["FirmwareConductor", "FirmwareProgress"].map(|name| stack.function(name));
            conducting = ConductorConfig::from_lookup(&|name| conductor.variable(name)).unwrap();
            hearing = ProgressConfig::from_lookup(&|name| progress.variable(name)).unwrap();
            let records = Records::beside(&hearing.things_table).await;
            for thing in &stage.things {
                records.bring(thing, self.tables).await;
            }
        }
        let sdk = self.sdk(endpoint).await;
        Ok(World {
            conductor: ConductorHandler::new(&sdk, &conducting),
            progress: ProgressHandler::new(&sdk, hearing),
            stage,
            deliveries: AtomicI64::new(0),
        })
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        let turn = world.deliveries.fetch_add(1, Ordering::SeqCst) + 1;
        // What is tried again timed out before; what is signed anew has ended.
        let waited = if self.way == Way::Retry { 3 * LATER_MILLIS } else { 0 };
        let away = if self.way == Way::Sign { AWAY_MILLIS } else { waited };
        let at = world.stage.at.plus_millis(turn * LATER_MILLIS + away);
        let messages = self.messages(&world.stage, at);
        Box::pin(hand_all((&world.conductor, &world.progress), messages, at)).await
    }

    async fn state(&self, world: &World) -> Result<Left, String> {
        let stage = &world.stage;
        let (mut rollouts, mut things, mut told) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let (mut adds_up, mut renewed, mut orders) = (true, false, vec![]);
        for rollout in stage.rollouts().await {
            adds_up &= stage.look(&rollout, &mut things).await;
            told.extend(stage.told(&format!("rollout#{}", rollout.id)).await);
            renewed |= rollout.manifest.is_some_and(|manifest| manifest.at > stage.at.plus_millis(AWAY_MILLIS));
            rollouts.insert(rollout.firmware.version.to_string(), rollout.status.as_str());
        }
        for thing in &stage.things {
            told.extend(stage.told(thing.as_str()).await);
            orders.push(stage.desired(thing).await);
        }
        let record = stage.records.get(stage.things.first().unwrap()).await.map_err(|failure| failure.to_string())?;
        let awaiting = record.and_then(|record| record.retirement).map(|retirement| retirement.awaiting);
        let letters = stage.dead_letters.texts().await;
        let codes = letters.iter().filter_map(|letter| serde_json::from_str::<Value>(letter).ok());
        let code = |letter: Value| letter.get("code")?.as_str().map(str::to_owned);
        let refused = codes.filter_map(code).collect();
        Ok(Left { rollouts, things, adds_up, orders, told, renewed, awaiting: awaiting.unwrap_or_default(), refused })
    }
}

#[tokio::test]
async fn a_run_that_is_stopped_at_any_call_leaves_counters_that_add_up_and_the_next_one_goes_on() {
    for story in &stories(Tables::Own) {
        Box::pin(survives_crashes(story)).await;
    }
}

#[tokio::test]
async fn throttling_and_failures_at_any_call_never_make_a_wrong_success() {
    for story in stories(Tables::Own).iter().filter(|story| story.is_strained()) {
        let bound = Stack::deployed().function(story.function()).bound();
        Box::pin(survives_strain_within(bound, story)).await;
    }
}

/// The SDK does not try a transaction again that is cancelled for this.
#[tokio::test]
async fn a_transaction_that_is_held_back_or_collides_is_tried_again_in_the_same_run() {
    let stories = stories(Tables::Own);
    let story = stories.iter().find(|story| story.way == Way::Fill).unwrap();
    for reason in ["ThrottlingError", "ProvisionedThroughputExceeded", "TransactionConflict"] {
        let wiretap = Wiretap::start(&Stack::deployed().endpoint).await.unwrap();
        let world = Box::pin(story.world(&wiretap.endpoint())).await.unwrap();
        let held = Fault::Cancelled { reason: reason.to_owned() };
        wiretap.rule(Rule::new(When::any().operation("TransactWriteItems"), held).times(3));
        story.deliver(&world).await.unwrap();
        let refused = wiretap.records().iter().filter(|record| record.outcome.fault.is_some()).count();
        let left = story.state(&world).await.unwrap();
        assert_eq!((refused, left.adds_up, left.things.len()), (3, true, 2), "{reason}");
        assert_eq!(left.rollouts.get("2.1.0"), Some(&"ready"), "{reason}");
    }
}

#[tokio::test]
async fn each_story_ends_as_it_is_told() {
    for story in &stories(Tables::Own) {
        let world = Box::pin(story.world(&Stack::deployed().endpoint)).await.unwrap();
        story.deliver(&world).await.unwrap();
        let left = story.state(&world).await.unwrap();
        assert!(left.adds_up, "{}", story.name);
        let states: Vec<_> = left.things.iter().map(|(_, _, state, _)| *state).collect();
        let (expected, status): (&[&str], _) = match story.way {
            Way::Fill => (&["queued", "queued"], "ready"),
            Way::Begin | Way::BeginByJob | Way::Retry | Way::Tick => (&["notified"], "running"),
            Way::Request | Way::RequestSealed | Way::Described => (&["notified"], "running"),
            Way::TakeOver => (&["removed", "notified"], "running"),
            Way::Silence | Way::SilenceOfJob => (&["unreached"], "paused"),
            Way::Withdraw => (&["removed", "removed"], "stopped"),
            Way::TakeOut | Way::TakeOutJob => (&["failed", "removed"], "stopped"),
            Way::RollBack => (&["failed", "succeeded"], "stopped"),
            Way::Sign => (&["notified"], "paused"),
            Way::Join => (&["notified", "queued"], "running"),
            Way::Succeed | Way::Unheard => (&["succeeded"], "running"),
            Way::Retired => (&["removed"], "running"),
        };
        assert_eq!((states.as_slice(), left.rollouts.get("2.1.0")), (expected, Some(&status)), "{}", story.name);
        assert_eq!(left.renewed, story.way == Way::Sign);
        assert_eq!(left.rollouts.contains_key("2.0.0"), story.way == Way::RollBack);
    }
}
