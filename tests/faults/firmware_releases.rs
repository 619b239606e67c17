//! firmware: uploads, signing, and what operators order. Each world has a table and a queue of its own, of which no deployed
//! function hears; uploads go to the stack's bucket, where the deployed intake drafts them for itself. For grants it is the
//! stack's table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firmware::execution::{Execution, Running};
use firmware::rollout::{Change, Rollout, apply};
use firmware::{Api, ApiConfig, Intake, IntakeConfig, routes};
use loam_domain::{ThingName, Timestamp};
use loam_kit::wiretap::Scenario;
use loam_kit::{DeadLetterQueue, Stack, eventually, now, plain_record, unique_thing};
use loam_releases::names::{Digest, Id};
use loam_releases::sealed::{NAMESPACE, pairs, wrapping_pairs};
use loam_releases::version::Version;
use loam_runtime::{BatchItem, Invocation};
use loam_sealed::{EncryptionContext, UnverifiedHeader, WrappingKey};
use loam_things::LifeCycle;
use loam_things::twins::{Notes, Twin};
use serde_json::{Value, json};

use crate::commands::own_table;
use crate::routes::Routes;
use crate::soil_sweep::Tables;
use crate::{all_done, survives_crashes, survives_strain};

/// Between two deliveries: longer than a dead request holds its key.
const LATER_MILLIS: i64 = 70_000;

/// What happens in a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// An upload becomes a draft.
    Draft,
    /// An upload becomes a draft whose image is sealed.
    Seal,
    /// The same, and a run before has come as far as to the draft.
    SealAgain,
    /// An upload is no release: its image is missing.
    Refused,
    /// `POST releases/{id}/publish`.
    Publish,
    /// `POST releases/{id}/deprecate`.
    Deprecate,
    /// `POST rollouts` with a key.
    Create,
    /// `POST rollouts/{id}/approve`.
    Approve,
    /// `POST rollouts/{id}/start`.
    Start,
    /// `POST rollouts/{id}/stop`.
    Stop,
    /// `POST rollouts/{id}/rollback`.
    Rollback,
    /// Everything that reads.
    Reads,
}

pub(crate) struct Story {
    name: &'static str,
    pub(crate) way: Way,
    tables: Tables,
}

pub(crate) fn stories(tables: Tables) -> Vec<Story> {
    let all = [
        (Way::Draft, "firmware-intake: an upload becomes a draft"),
        (Way::Seal, "firmware-intake: an upload is sealed"),
        (Way::SealAgain, "firmware-intake: an upload is sealed that was sealed before"),
        (Way::Refused, "firmware-intake: an upload is no release"),
        (Way::Publish, "POST releases/{id}/publish"),
        (Way::Deprecate, "POST releases/{id}/deprecate"),
        (Way::Create, "POST rollouts"),
        (Way::Approve, "POST rollouts/{id}/approve"),
        (Way::Start, "POST rollouts/{id}/start"),
        (Way::Stop, "POST rollouts/{id}/stop"),
        (Way::Rollback, "POST rollouts/{id}/rollback"),
        (Way::Reads, "GET releases, rollouts, one of them, its things"),
    ];
    all.into_iter().map(|(way, name)| Story { name, way, tables }).collect()
}

/// The routes with this table and queue.
fn routes_of(sdk: &SdkConfig, config: ApiConfig) -> Routes {
    Routes::new(routes().with_state(Api::new(sdk, config)).into())
}

/// What an operator is answered, on whatever is there.
async fn operate(
    routes: &Routes,
    by: &str,
    what: (&str, &str),
    body: Option<&Value>,
    at: Timestamp,
) -> Result<Value, String> {
    // Whoever orders something has a key of their own: its filter names the world.
    let key = body.map(|body| body.pointer("/targets/filter").and_then(Value::as_str).unwrap_or("k"));
    let header = key.map_or(("if-match", "*"), |key| ("idempotency-key", key));
    routes.send((by, &["operators"]), what, body, &[header], at).await
}

/// Sets the stage under the administrator's key.
struct Stage {
    intake: Intake,
    routes: Routes,
    s3: aws_sdk_s3::Client,
    kms: aws_sdk_kms::Client,
    rows: aws_sdk_dynamodb::Client,
    places: (IntakeConfig, ApiConfig),
    tables: Tables,
    /// Unique to the world: a channel, a kind of hardware, a folder of uploads.
    name: String,
    at: Timestamp,
}

/// One run's world.
pub(crate) struct World {
    intake: Intake,
    routes: Routes,
    stage: Stage,
    /// The upload that the story is about: the bucket's notice of it, and the release that it is to become.
    notice: String,
    release: Id,
    /// The rollout that the story is about.
    rollout: String,
    dead_letters: DeadLetterQueue,
    deliveries: AtomicI64,
}

impl World {
    /// Names that tests make up, and what stands for them in figures.
    pub(crate) fn own_names(&self) -> Vec<(String, String)> {
        let (intake, api) = &self.stage.places;
        let queue = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
        let names = [
            (api.firmware_table.clone(), "FirmwareTable"),
            (queue(&api.queue_url), "FirmwareConductorQueue"),
            (queue(&intake.dead_letters_url), "FirmwareIntakeDeadLetters"),
        ];
        names.map(|(name, stands)| (name, stands.to_owned())).to_vec()
    }
}

/// What is left after a run.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    /// Of each release of the world: its state, and whether it has a signed manifest.
    releases: BTreeSet<(String, bool)>,
    /// Of each rollout of the table: the version that it leads to, and where it stands. Not of the stack's table.
    rollouts: Vec<(String, String)>,
    /// How often what was told.
    told: BTreeMap<String, usize>,
    /// Whether the image is kept as it came.
    image: bool,
    /// Whether what is kept sealed opens to the image; `None` if nothing is.
    sealed: Option<bool>,
    refused: BTreeSet<String>,
}

impl Stage {
    async fn new(tables: Tables) -> Self {
        let stack = Stack::deployed();
        let admin = stack.admin().await;
        let [intake, api] = ["FirmwareIntake", "FirmwareApi"].map(|name| stack.function(name));
        let mut places = (
            IntakeConfig::from_lookup(&|name| intake.variable(name)).unwrap(),
            ApiConfig::from_lookup(&|name| api.variable(name)).unwrap(),
        );
        if matches!(tables, Tables::Own) {
            places.0.firmware_table = own_table(&admin, &places.1.firmware_table).await;
            places.1.firmware_table.clone_from(&places.0.firmware_table);
            DeadLetterQueue::own(&admin).await.url().clone_into(&mut places.1.queue_url);
            DeadLetterQueue::own(&admin).await.url().clone_into(&mut places.0.dead_letters_url);
        }
        let name = Id::of("fault", &[unique_thing("fault").as_str()]).to_string();
        Self {
            intake: Intake::new(&admin, places.0.clone()),
            routes: routes_of(&admin, places.1.clone()),
            s3: aws_sdk_s3::Client::new(&admin),
            kms: aws_sdk_kms::Client::new(&admin),
            rows: aws_sdk_dynamodb::Client::new(&admin),
            places,
            tables,
            name,
            at: now(),
        }
    }

    fn image(&self, version: &str) -> Vec<u8> {
        format!("{} {version}", self.name).into_bytes()
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) -> String {
        let put = self.s3.put_object().bucket(&self.places.0.firmware_bucket).key(key);
        put.body(ByteStream::from(bytes)).send().await.unwrap().version_id.unwrap()
    }

    /// Uploads a release, with its image or without; the bucket's notice and the release's id.
    async fn upload(&self, version: &str, whole: bool, sealed: bool) -> (String, Id) {
        let folder = format!("incoming/{}-{version}", self.name);
        if whole {
            self.put(&format!("{folder}/app.bin"), self.image(version)).await;
        }
        let channel = self.name.get(..12).unwrap();
        let descriptor = json!({"image": "app.bin", "version": version, "hardware": [self.name], "channel": channel,
            "sealed": sealed});
        let key = format!("{folder}/release.json");
        let object = self.put(&key, descriptor.to_string().into_bytes()).await;
        let id = firmware::release::id(&key, &object);
        let record = json!({"eventName": "ObjectCreated:Put", "s3": {"object": {"key": key, "versionId": object}}});
        (json!({"Records": [record]}).to_string(), id)
    }

    async fn drafted(&self, version: &str) -> Id {
        let (notice, id) = self.upload(version, true, false).await;
        let invocation = Invocation { request_id: "before".to_owned(), now: self.at };
        let batch = vec![BatchItem { message_id: "before".to_owned(), body: notice }];
        assert_eq!(self.intake.handle(batch, &invocation).await.unwrap(), [""; 0]);
        id
    }

    async fn post(&self, by: &str, path: &str, body: Option<&Value>) -> Value {
        Box::pin(operate(&self.routes, by, ("POST", path), body, self.at)).await.unwrap()
    }

    async fn published(&self, version: &str) -> Id {
        let id = self.drafted(version).await;
        self.post("ann", &format!("/v1/releases/{id}/publish"), None).await;
        id
    }

    fn order(&self, release: &Id) -> Value {
        let wave = json!({"size": "rest", "successPercent": 100, "errors": {"count": 0}});
        let filter = format!("deviceId = '{}'", self.name);
        json!({"release": release, "targets": {"filter": filter}, "waves": [wave]})
    }

    /// A rollout whose targets are written down: there are none, or the one that the deployed conductor finds.
    async fn filled(&self, release: &Id) -> String {
        if matches!(self.tables, Tables::OfTheStack) {
            self.know_a_thing().await;
        }
        let ordered = self.post("ann", "/v1/rollouts", Some(&self.order(release))).await;
        let id = text(&ordered, "/rolloutId");
        self.becomes(&id, "ready", |rollout| apply(&rollout.dealt(&[0]), Change::Filled, self.at).unwrap().0).await;
        id
    }

    /// Has the catalog know a thing of the world's name: the deployed conductor stops what has no target.
    async fn know_a_thing(&self) {
        let (thing, record) = (ThingName::parse(&self.name).unwrap(), plain_record(LifeCycle::Paired, self.at));
        let twin = Twin { thing, version: 1, record, shadow: None, presence: None, notes: Notes::default() };
        let table = Stack::deployed().function("FirmwareConductor").variable("TWINS_TABLE").unwrap();
        let put = self.rows.put_item().table_name(table).set_item(Some(twin.item().unwrap()));
        put.send().await.unwrap();
    }

    /// Waits for the deployed conductor, or does what it would.
    async fn becomes(&self, id: &str, status: &str, change: impl FnOnce(Rollout) -> Rollout) {
        let partition = format!("rollout#{id}");
        if matches!(self.tables, Tables::OfTheStack) {
            let path = format!("/v1/rollouts/{id}");
            return eventually(&format!("the rollout is {status}"), async || {
                let shown = operate(&self.routes, "ann", ("GET", &path), None, now()).await.unwrap();
                (text(&shown, "/status") == status).then_some(())
            })
            .await;
        }
        let get = self.rows.get_item().table_name(&self.places.1.firmware_table).consistent_read(true);
        let get = get.key("thing", attribute(&partition)).key("item", attribute("rollout"));
        let row = get.send().await.unwrap().item.unwrap();
        let found = row.get("rollout").unwrap().as_s().unwrap();
        let after = change(serde_json::from_str(found).unwrap());
        let after = [("version", AttributeValue::N(after.version.to_string())), ("rollout", json_attribute(&after))];
        self.write(&partition, "rollout", &after).await;
    }

    async fn write(&self, partition: &str, item: &str, attributes: &[(&str, AttributeValue)]) {
        let put = self.rows.put_item().table_name(&self.places.1.firmware_table);
        let mut put = put.item("thing", attribute(partition)).item("item", attribute(item));
        for (name, value) in attributes {
            put = put.item(*name, value.clone());
        }
        put.send().await.unwrap();
    }

    /// Waits for the deployed intake, and undoes its draft: the story's own is to be the first once more.
    async fn forget_draft(&self, id: &Id) {
        let table = Stack::deployed().function("FirmwareIntake").variable("FIRMWARE_TABLE").unwrap();
        eventually("the upload is a draft", async || {
            let delete = self.rows.delete_item().table_name(&table);
            let delete = delete.key("thing", attribute(&format!("release#{id}"))).key("item", attribute("release"));
            let old = delete.return_values(ReturnValue::AllOld).send().await.unwrap();
            old.attributes.map(drop)
        })
        .await;
    }

    /// Deletes what the deployed intake has sealed: it was never there.
    async fn forget_seal(&self, id: &Id) {
        for kind in ["head", "sealed"] {
            let (bucket, key) = (&self.places.0.firmware_bucket, format!("images/{id}.{kind}"));
            let found = self.s3.head_object().bucket(bucket).key(&key).send().await.unwrap();
            let delete = self.s3.delete_object().bucket(bucket).key(key).version_id(found.version_id.unwrap());
            delete.send().await.unwrap();
        }
    }

    async fn object(&self, key: String) -> Option<Vec<u8>> {
        let get = self.s3.get_object().bucket(&self.places.0.firmware_bucket).key(key);
        let body = get.send().await.ok()?.body;
        Some(body.collect().await.unwrap().to_vec())
    }

    /// Whether what is kept sealed of a release is its image, for whoever has the key of a grant; `None` if nothing is.
    async fn opens(&self, release: &Id) -> Option<bool> {
        let head = self.object(format!("images/{release}.head")).await?;
        let body = self.object(format!("images/{release}.sealed")).await?;
        let head: Value = serde_json::from_slice(&head).unwrap();
        let [header, key] = ["/head/header", "/head/wrappingKey"].map(|at| STANDARD.decode(text(&head, at)).unwrap());
        let mut decrypt = self.kms.decrypt().ciphertext_blob(Blob::new(key));
        for (name, value) in wrapping_pairs(release) {
            decrypt = decrypt.encryption_context(name, value);
        }
        let key: [u8; 32] = decrypt.send().await.unwrap().plaintext.unwrap().into_inner().try_into().unwrap();
        let (header, _) = UnverifiedHeader::parse(&header).unwrap();
        let data_key = header.unwrap_key(&WrappingKey::new(NAMESPACE, release.as_str(), &key).unwrap()).unwrap();
        let mut opener = header.open(&data_key, &EncryptionContext::new(pairs(release)).unwrap()).unwrap();
        let (mut opened, mut left) = (vec![], body.as_slice());
        while let Some(frame) = opener.open(&mut left).unwrap() {
            opened.extend_from_slice(frame);
        }
        Some(opener.finish().is_ok() && opened == self.image("2.0.0"))
    }

    /// A thing of a rollout that runs its version and ran 1.0.0 before.
    async fn seed(&self, rollout: &str) {
        let [from, target] = ["1.0.0", "2.0.0"].map(|version| Version::parse(version).unwrap());
        let thing = ThingName::parse(&self.name).unwrap();
        let queued = Execution::queued(Id::parse(rollout).unwrap(), thing, 0, target.clone());
        let done = Execution {
            from: Some(from),
            claimed_at: Some(self.at),
            running: Some(Running { at: self.at, version: target }),
            reached: true,
            ..queued
        };
        let row = [("version", AttributeValue::N("1".to_owned())), ("execution", json_attribute(&done))];
        self.write(&format!("things#{rollout}#0#0"), &format!("z#{}", self.name), &row).await;
    }

    /// How often what was told in a partition.
    async fn told(&self, partition: &str, found: &mut BTreeMap<String, usize>) {
        let query = self.rows.query().table_name(&self.places.1.firmware_table).consistent_read(true);
        let query = query.key_condition_expression("thing = :thing AND begins_with(#item, :event)");
        let query = query.expression_attribute_names("#item", "item");
        let query = query.expression_attribute_values(":thing", attribute(partition));
        let rows = query.expression_attribute_values(":event", attribute("event#")).send().await.unwrap();
        for row in rows.items() {
            let event: Value = serde_json::from_str(row.get("event").unwrap().as_s().unwrap()).unwrap();
            *found.entry(text(&event, "/type")).or_default() += 1;
        }
    }
}

fn attribute(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn json_attribute(value: &impl serde::Serialize) -> AttributeValue {
    AttributeValue::S(serde_json::to_string(value).unwrap())
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl Story {
    /// Whether a key makes it happen once.
    pub(crate) fn has_key(&self) -> bool {
        self.way == Way::Create
    }

    /// Which function does it.
    pub(crate) fn function(&self) -> &'static str {
        let takes_in = matches!(self.way, Way::Draft | Way::Seal | Way::SealAgain | Way::Refused);
        if takes_in { "FirmwareIntake" } else { "FirmwareApi" }
    }

    /// What is there before: the notice, the release and the rollout that the story is about.
    async fn prepare(&self, stage: &Stage) -> (String, Id, String) {
        let none = String::new;
        match self.way {
            Way::Draft | Way::Refused => {
                let (notice, id) = stage.upload("2.0.0", self.way == Way::Draft, false).await;
                if self.way == Way::Draft && matches!(stage.tables, Tables::OfTheStack) {
                    stage.forget_draft(&id).await;
                }
                return (notice, id, none());
            }
            Way::Seal | Way::SealAgain => {
                let (notice, id) = stage.upload("2.0.0", true, true).await;
                // Nobody else seals what this story does.
                stage.forget_draft(&id).await;
                if self.way == Way::Seal {
                    stage.forget_seal(&id).await;
                }
                return (notice, id, none());
            }
            Way::Publish => return (none(), stage.drafted("2.0.0").await, none()),
            Way::Deprecate | Way::Create => return (none(), stage.published("2.0.0").await, none()),
            Way::Rollback => drop(stage.published("1.0.0").await),
            Way::Approve | Way::Start | Way::Stop | Way::Reads => {}
        }
        let release = stage.published("2.0.0").await;
        let rollout = stage.filled(&release).await;
        if self.way == Way::Start {
            stage.post("bob", &format!("/v1/rollouts/{rollout}/approve"), None).await;
        }
        if self.way == Way::Rollback {
            stage.post("bob", &format!("/v1/rollouts/{rollout}/stop"), None).await;
            let over = |rollout: Rollout| apply(&rollout, Change::Stopped, stage.at).unwrap().0;
            stage.becomes(&rollout, "stopped", over).await;
        }
        if matches!(self.way, Way::Rollback | Way::Reads) {
            stage.seed(&rollout).await;
        }
        (none(), release, rollout)
    }

    async fn request(&self, world: &World, at: Timestamp) -> Result<(), String> {
        let get = async |path: &str| Box::pin(operate(&world.routes, "ann", ("GET", path), None, at)).await;
        let post = async |path: &str, body: Option<&Value>| {
            Box::pin(operate(&world.routes, "bob", ("POST", path), body, at)).await.map(drop)
        };
        let (release, rollout) = (format!("/v1/releases/{}", world.release), format!("/v1/rollouts/{}", world.rollout));
        // An operator looks before they do a thing again.
        let act = async |action: &str, done: &str| {
            let shown = get(&rollout).await?;
            if text(&shown, "/status") == done { Ok(()) } else { post(&format!("{rollout}/{action}"), None).await }
        };
        match self.way {
            Way::Draft | Way::Seal | Way::SealAgain | Way::Refused => Ok(()),
            Way::Publish => post(&format!("{release}/publish"), None).await,
            Way::Deprecate => post(&format!("{release}/deprecate"), None).await,
            Way::Create => post("/v1/rollouts", Some(&world.stage.order(&world.release))).await,
            Way::Approve => act("approve", "approved").await,
            Way::Start => act("start", "running").await,
            Way::Stop => act("stop", "stopping").await,
            Way::Rollback => post(&format!("{rollout}/rollback"), None).await,
            Way::Reads => {
                get("/v1/releases?limit=1").await?;
                get("/v1/rollouts?limit=1").await?;
                get(&rollout).await?;
                let things = get(&format!("{rollout}/things?limit=1")).await?;
                assert_eq!(text(&things, "/items/0/thing"), world.stage.name);
                Ok(())
            }
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
        let stack = Stack::deployed();
        let stage = Stage::new(self.tables).await;
        let (notice, release, rollout) = self.prepare(&stage).await;
        let sdk = match self.tables {
            Tables::Own => stack.admin_through(endpoint).await,
            Tables::OfTheStack => stack.role_of(stack.function(self.function()), endpoint).await,
        };
        Ok(World {
            intake: Intake::new(&sdk, stage.places.0.clone()),
            routes: routes_of(&sdk, stage.places.1.clone()),
            dead_letters: DeadLetterQueue::new(&stack.admin().await, &stage.places.0.dead_letters_url),
            deliveries: AtomicI64::new(0),
            stage,
            notice,
            release,
            rollout,
        })
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        let turn = world.deliveries.fetch_add(1, Ordering::SeqCst) + 1;
        let at = world.stage.at.plus_millis(turn * LATER_MILLIS);
        if !world.notice.is_empty() {
            let invocation = Invocation { request_id: format!("fault-{turn}"), now: at };
            let batch = vec![BatchItem { message_id: "0".to_owned(), body: world.notice.clone() }];
            all_done(world.intake.handle(batch, &invocation).await)?;
        }
        self.request(world, at).await
    }

    async fn state(&self, world: &World) -> Result<Left, String> {
        let Stage { routes, s3, places, name, .. } = &world.stage;
        let path = format!("/v1/releases?channel={}", name.get(..12).unwrap());
        let listed = Box::pin(operate(routes, "ann", ("GET", &path), None, now())).await?;
        let all = |page: &Value| page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let signed = |release: &Value| release.get("sequence").is_some();
        let releases = all(&listed).iter().map(|release| (text(release, "/state"), signed(release))).collect();
        let mut told = BTreeMap::new();
        for partition in ["release", "upload"].map(|kind| format!("{kind}#{}", world.release)) {
            world.stage.told(&partition, &mut told).await;
        }
        let mut rollouts = vec![];
        if matches!(self.tables, Tables::Own) {
            let listed = Box::pin(operate(routes, "ann", ("GET", "/v1/rollouts"), None, now())).await?;
            for rollout in all(&listed) {
                rollouts.push((text(&rollout, "/version"), text(&rollout, "/status")));
                world.stage.told(&format!("rollout#{}", text(&rollout, "/rolloutId")), &mut told).await;
            }
            rollouts.sort();
        }
        let image = format!("images/{}", Digest::of(&world.stage.image("2.0.0")));
        let image = s3.head_object().bucket(&places.0.firmware_bucket).key(image).send().await.is_ok();
        let sealed = world.stage.opens(&world.release).await;
        let letters = world.dead_letters.texts().await;
        let about = letters.iter().filter(|letter| letter.contains(name.as_str()));
        let refused = about.map(|letter| text(&serde_json::from_str(letter).unwrap(), "/code")).collect();
        Ok(Left { releases, rollouts, told, image, sealed, refused })
    }
}

#[tokio::test]
async fn a_run_that_is_stopped_at_any_call_leaves_uploads_and_orders_to_the_next_one() {
    for story in stories(Tables::Own).iter().filter(|story| !matches!(story.way, Way::Reads | Way::SealAgain)) {
        Box::pin(survives_crashes(story)).await;
    }
}

#[tokio::test]
async fn throttling_and_failures_at_any_call_never_make_a_wrong_release() {
    for story in stories(Tables::Own)
        .iter()
        .filter(|story| matches!(story.way, Way::Draft | Way::Seal | Way::Publish | Way::Create | Way::Rollback))
    {
        Box::pin(survives_strain(story)).await;
    }
}

#[tokio::test]
async fn what_is_published_is_signed_and_what_is_refused_is_told_once() {
    for (way, released, told) in
        [(Way::Publish, Some(("published", true)), "release.published"), (Way::Refused, None, "release.refused")]
    {
        let all = stories(Tables::Own);
        let story = all.iter().find(|story| story.way == way).unwrap();
        let world = story.world(&Stack::deployed().endpoint).await.unwrap();
        for _ in 0..2 {
            story.deliver(&world).await.unwrap();
        }
        let left = story.state(&world).await.unwrap();
        let expected = released.map(|(state, signed)| (state.to_owned(), signed));
        assert_eq!(left.releases, expected.into_iter().collect(), "{}", story.name);
        assert_eq!(left.told, BTreeMap::from([(told.to_owned(), 1)]), "{}", story.name);
    }
}

#[tokio::test]
async fn what_is_to_be_sealed_is_kept_sealed_only_and_sealed_once_more_it_is_the_same() {
    for story in stories(Tables::Own).iter().filter(|story| matches!(story.way, Way::Seal | Way::SealAgain)) {
        let world = story.world(&Stack::deployed().endpoint).await.unwrap();
        for _ in 0..2 {
            story.deliver(&world).await.unwrap();
        }
        let left = story.state(&world).await.unwrap();
        assert_eq!((left.image, left.sealed), (false, Some(true)), "{}", story.name);
        assert_eq!(left.releases, BTreeSet::from([("draft".to_owned(), false)]), "{}", story.name);
    }
}
