//! firmware: notices of uploads and orders for the conductor that are none; and copies of notices in any order, to several runs
//! at a time.

use std::collections::BTreeSet;
use std::convert::Infallible;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;
use firmware::{ConductorConfig, ConductorHandler, Intake, IntakeConfig};
use loam_kit::{Chance, DeadLetterQueue, Stack, number_of, twin_of_table, unique_thing};
use loam_releases::names::Id;
use loam_runtime::BatchItem;
use serde_json::{Value, json};

use crate::copies::{Run, batches, deliver};
use crate::events::bodies;
use crate::kinds::{Due, Kind, WHOLE};
use crate::malformed::{self, in_batches, invocation, per_kind, storm};
use crate::sending::Volley;

/// One of the two functions that are handed texts.
#[derive(Clone)]
enum Worker {
    Intake(Intake),
    Conductor(Box<ConductorHandler>),
}

impl Worker {
    async fn hand(&self, batch: Vec<BatchItem>) -> Vec<String> {
        match self {
            Self::Intake(intake) => Box::pin(intake.handle(batch, &invocation())).await.unwrap(),
            Self::Conductor(conductor) => Box::pin(conductor.handle(batch, &invocation())).await.unwrap(),
        }
    }
}

impl malformed::Target for Worker {
    async fn deliver(&self, volley: &Volley) -> usize {
        in_batches(volley, 1, |batch| async move { Ok::<_, Infallible>(self.hand(batch).await) }).await
    }
}

impl Run for Worker {
    async fn run(&self, batch: Vec<BatchItem>) -> Vec<String> {
        self.hand(batch).await
    }
}

/// A way in which texts go wrong: its name, what is due to it, and one of them.
type Wrong = (&'static str, Due, fn(&mut Chance) -> Value);

/// What no queue should hold, and then what only this one should not: each text once, as letters are counted by their text.
fn volleys(count: usize, seed: u64, own: &[Wrong]) -> Vec<Volley> {
    let (mut chance, mut volleys, mut seen) = (Chance::new(seed), Vec::new(), BTreeSet::new());
    let mut volley = |kind, due, mut events: Vec<Value>| {
        events.retain(|event| seen.insert(malformed::as_kept(event)));
        volleys.push(Volley { kind, due, thing: unique_thing("storm"), events });
    };
    for Kind { name, make, .. } in &WHOLE {
        let text = |chance: &mut Chance| String::from_utf8_lossy(&make(chance)).into_owned();
        volley(name, Due::Kept, (0..count).map(|_| Value::from(text(&mut chance))).collect());
    }
    volley("a body that nobody wrote", Due::Kept, (0..count).map(|_| Value::from(bodies(&mut chance))).collect());
    for (name, due, make) in own {
        volley(name, *due, (0..count).map(|_| make(&mut chance)).collect());
    }
    volleys
}

fn notice(key: &str, version: &Value) -> Value {
    let object = json!({"key": key, "versionId": version, "size": 1, "sequencer": "01"});
    json!({"Records": [{"eventVersion": "2.1", "eventName": "ObjectCreated:Put", "s3": {"object": object}}]})
}

fn without(chance: &mut Chance, mut notice: Value) -> Value {
    let record = &mut notice["Records"][0];
    match chance.number(0, 3) {
        0 => record["s3"]["object"]["key"].take(),
        1 => record["s3"]["object"]["versionId"].take(),
        2 => record["s3"].take(),
        _ => record["eventName"].take(),
    };
    notice
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_notices_of_uploads_are_kept() {
    let World { worker, dead_letters, .. } = World::of_intake().await;
    let own: [Wrong; 5] = [
        ("a key that is no descriptor's", Due::Kept, |chance| {
            let name = chance.word(9);
            let keys = ["images/x", "incoming/release.json", "incoming/../release.json", "incoming/a/b/release.json"];
            let key = chance.one(&keys);
            notice(&format!("{key}{}", chance.one(&["", &name])), &json!(name))
        }),
        ("a name that reaches out of its folder", Due::Kept, |chance| {
            let name = chance.one(&["..", "%2e%2e", "a%2Fb", "a+b", "%ff", "a%00", "*", ""]);
            notice(&format!("incoming/{name}/release.json"), &json!(chance.word(9)))
        }),
        ("a notice without a field", Due::Kept, |chance| {
            let whole = notice("incoming/a/release.json", &json!(chance.word(9)));
            without(chance, whole)
        }),
        ("a notice of something else than an upload", Due::Kept, |chance| {
            let mut notice = notice("incoming/a/release.json", &json!(chance.word(9)));
            notice["Records"][0]["eventName"] = json!(chance.one(&["ObjectRemoved:Delete", "s3:TestEvent", "", "Put"]));
            notice
        }),
        (
            "a notice that notifications work",
            Due::Accepted,
            |chance| json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "RequestId": chance.word(9)}),
        ),
    ];
    storm("firmware-intake", worker, volleys(per_kind(), 14, &own), &dead_letters).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_work_is_kept_by_the_conductor_and_work_for_nobody_is_done() {
    let World { worker, dead_letters, .. } = World::of_conductor().await;
    let own: [Wrong; 4] = [
        ("work with a name that is none", Due::Kept, |chance| {
            let word = chance.word(9);
            json!({chance.one(&["rollout", "round", "sign", "forget"]): word})
        }),
        ("two kinds of work at once", Due::Kept, |chance| {
            let id = Id::of("rollout", &[&chance.word(9)]);
            json!({"rollout": id, chance.one(&["tick", "round", "x"]): id})
        }),
        ("work of another type", Due::Kept, |chance| {
            let kind = chance.one(&["rollout", "join", "tick", "forget"]);
            json!({kind: chance.one(&[json!(null), json!(7), json!([]), json!({"a": 1})])})
        }),
        ("work of a rollout that is not", Due::Accepted, |chance| {
            let id = Id::of("rollout", &[&chance.word(9)]);
            json!({chance.one(&["rollout", "round", "sign", "forget"]): id})
        }),
    ];
    storm("firmware-conductor", worker, volleys(per_kind(), 15, &own), &dead_letters).await;
}

/// A function with a table that nobody else reads.
struct World {
    worker: Worker,
    dead_letters: DeadLetterQueue,
    admin: aws_config::SdkConfig,
    table: String,
    bucket: String,
}

impl World {
    async fn of_intake() -> Self {
        let stack = Stack::deployed();
        let (admin, function) = (stack.admin().await, stack.function("FirmwareIntake"));
        let dead_letters = DeadLetterQueue::own(&admin).await;
        let mut config = IntakeConfig::from_lookup(&|name| function.variable(name)).unwrap();
        config.firmware_table = twin_of_table(&admin, &config.firmware_table).await;
        dead_letters.url().clone_into(&mut config.dead_letters_url);
        let (table, bucket) = (config.firmware_table.clone(), config.firmware_bucket.clone());
        Self { worker: Worker::Intake(Intake::new(&admin, config)), dead_letters, admin, table, bucket }
    }

    async fn of_conductor() -> Self {
        let stack = Stack::deployed();
        let (admin, function) = (stack.admin().await, stack.function("FirmwareConductor"));
        let dead_letters = DeadLetterQueue::own(&admin).await;
        let mut config = ConductorConfig::from_lookup(&|name| function.variable(name)).unwrap();
        config.firmware_table = twin_of_table(&admin, &config.firmware_table).await;
        dead_letters.url().clone_into(&mut config.dead_letters_url);
        DeadLetterQueue::own(&admin).await.url().clone_into(&mut config.queue_url);
        let (table, bucket) = (config.firmware_table.clone(), config.firmware_bucket.clone());
        let worker = Worker::Conductor(Box::new(ConductorHandler::new(&admin, &config)));
        Self { worker, dead_letters, admin, table, bucket }
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) -> String {
        let put = aws_sdk_s3::Client::new(&self.admin).put_object().bucket(&self.bucket).key(key);
        put.body(ByteStream::from(bytes)).send().await.unwrap().version_id.unwrap()
    }

    /// How many rows this partition has.
    async fn rows(&self, partition: &str) -> usize {
        let query = aws_sdk_dynamodb::Client::new(&self.admin).query().table_name(&self.table).consistent_read(true);
        let query = query.key_condition_expression("thing = :thing");
        let partition = AttributeValue::S(partition.to_owned());
        query.expression_attribute_values(":thing", partition).send().await.unwrap().items().len()
    }
}

/// Each upload's notice several times, some of them together in one message: each is one draft, once in the list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_of_notices_in_any_order_make_one_draft_of_each_upload() {
    let seed = number_of("LOAM_SEED", 0_u64);
    let mut chance = Chance::new(seed);
    for round in 0..(number_of("LOAM_STORM_EVENTS", 150_usize) / 75).clamp(2, 20) {
        let (world, name) = (World::of_intake().await, unique_thing("storm").to_string());
        let (mut messages, mut ids, mut together) = (vec![], vec![], json!({"Records": []}));
        for at in 0..4 {
            let folder = format!("incoming/{name}-{at}");
            world.put(&format!("{folder}/app.bin"), format!("{name} {at}").into_bytes()).await;
            let descriptor =
                json!({"image": "app.bin", "version": format!("1.0.{at}"), "hardware": [name], "channel": name});
            let key = format!("{folder}/release.json");
            let version = world.put(&key, descriptor.to_string().into_bytes()).await;
            ids.push(firmware::release::id(&key, &version));
            let notice = notice(&key, &json!(version));
            together["Records"].as_array_mut().unwrap().push(notice["Records"][0].clone());
            messages.push(notice.to_string());
        }
        messages.push(together.to_string());
        deliver(&world.worker, batches(&messages, &mut chance)).await;
        for id in &ids {
            assert_eq!(world.rows(&format!("release#{id}")).await, 1, "seed {seed}, round {round}");
        }
        assert_eq!(world.rows("releases").await, ids.len(), "seed {seed}, round {round}");
        assert_eq!(world.dead_letters.texts().await, [""; 0], "seed {seed}, round {round}");
    }
}
