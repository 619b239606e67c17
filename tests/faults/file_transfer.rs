//! file-transfer: sealing, verifying, words of devices, ends, and the routes. Each world has a table of transfers of its own, of
//! which no deployed function hears; for grants it is the stack's.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_config::SdkConfig;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use file_transfer::head::{Head, Subject};
use file_transfer::ids::TransferId;
use file_transfer::order::Direction;
use file_transfer::{Api, ApiConfig, Config, Handler, Places, routes};
use loam_domain::{ThingName, Timestamp};
use loam_kit::wiretap::Scenario;
use loam_kit::{
    DeadLetterQueue, Stack, begin_retirement, end_tenure, now, register_paired, seed_membership, unique_thing,
};
use loam_runtime::{BatchItem, Invocation};
use loam_sealed::{DataKey, Sealer, UnverifiedHeader};
use loam_things::Things;
use serde_json::{Value, json};

use crate::commands::own_table;
use crate::erasures::Records;
use crate::routes::Routes;
use crate::soil_sweep::Tables;
use crate::{all_done, survives_crashes, survives_strain};

/// Between two deliveries: longer than a dead request holds its key, and than an owner's end waits.
const LATER_MILLIS: i64 = 70_000;
/// Longer than any of these transfers lives.
const EXPIRED_MILLIS: i64 = 2 * 24 * 3_600 * 1_000;
/// The length of every file here, and of its sealed body: one part.
const BYTES: usize = 1_000;
const SEALED: usize = BYTES + 40;
/// The SHA-256 of a file of zeros of that length.
const DIGEST: &str = "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53";

/// What happens in a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A source was pinned: it is sealed, and its device told.
    Seal,
    /// A device says that all is sent, and what it sent is not authentic.
    Verify,
    /// A device says what it received.
    Received,
    /// It refuses what it got.
    Refused,
    /// What it received is erased.
    Erase,
    /// A person gave up an upload of which parts are there: they are erased.
    GivenUp,
    /// A device offers a file.
    Offered,
    /// A device asks what waits.
    Waiting,
    /// It says that all is sent, and a part is missing.
    Missing,
    /// The schedule looks for what is over.
    Sweep,
    /// What is over by time is erased.
    Expired,
    /// An owner's time is over.
    Unpaired,
    /// The thing retires, and a message is none.
    Retired,
    /// `POST things/{thing}/files` with a key, a download.
    Create,
    /// The same, an upload.
    Want,
    /// `POST files/{id}/complete`: the source is pinned.
    Pin,
    /// `DELETE files/{id}`.
    Cancel,
    /// Everything that reads.
    Reads,
}

pub(crate) struct Story {
    name: &'static str,
    way: Way,
    tables: Tables,
}

pub(crate) fn stories(tables: Tables) -> Vec<Story> {
    let all = [
        (Way::Seal, "file-transfer: a file is sealed and granted"),
        (Way::Verify, "file-transfer: what a device sent is not authentic"),
        (Way::Received, "file-transfer: a device received its file"),
        (Way::Refused, "file-transfer: a device refuses its file"),
        (Way::Erase, "file-transfer: what was received is erased"),
        (Way::GivenUp, "file-transfer: an upload is given up half-way"),
        (Way::Offered, "file-transfer: a device offers a file"),
        (Way::Waiting, "file-transfer: a device asks what waits"),
        (Way::Missing, "file-transfer: a part is missing"),
        (Way::Sweep, "file-transfer: the schedule looks for what is over"),
        (Way::Expired, "file-transfer: what is over by time is erased"),
        (Way::Unpaired, "file-transfer: an owner's time ends"),
        (Way::Retired, "file-transfer: a thing retires, and a message is none"),
        (Way::Create, "POST things/{thing}/files: a download"),
        (Way::Want, "POST things/{thing}/files: an upload"),
        (Way::Pin, "POST files/{id}/complete"),
        (Way::Cancel, "DELETE files/{id}"),
        (Way::Reads, "GET a transfer, a list; POST files/{id}/refresh"),
    ];
    all.into_iter().map(|(way, name)| Story { name, way, tables }).collect()
}

/// The routes with these places.
fn routes_of(sdk: &SdkConfig, config: ApiConfig) -> Routes {
    Routes::new(routes().with_state(Api::new(sdk, config)).into())
}

/// One run's world.
pub(crate) struct World {
    handler: Handler,
    routes: Routes,
    /// The same routes under the administrator's key, to look.
    straight: Routes,
    stage: Stage,
    /// The transfer that the story is about, and its attempt.
    id: String,
    attempt: String,
    dead_letters: DeadLetterQueue,
    deliveries: AtomicI64,
    own_names: Vec<(String, String)>,
}

impl World {
    /// Names that tests make up, and what stands for them in figures.
    pub(crate) fn own_names(&self) -> Vec<(String, String)> {
        self.own_names.clone()
    }
}

/// What is left after a run.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    /// Of each transfer its state, why it ended so, whether it is erased; sorted.
    transfers: Vec<(String, String, bool)>,
    /// Of one that is over: heads, bodies, versions of its source, uploads.
    objects: Option<[usize; 4]>,
    /// Who has not erased yet.
    awaiting: BTreeSet<String>,
    refused: BTreeSet<String>,
}

const OPERATOR: (&str, &[&str]) = ("operator", &["operators"]);

/// Sets the stage under the administrator's key, with a queue that nobody reads.
struct Stage {
    handler: Handler,
    routes: Routes,
    s3: aws_sdk_s3::Client,
    kms: aws_sdk_kms::Client,
    places: Places,
    things: Things,
    thing: ThingName,
    user: String,
    at: Timestamp,
}

impl Stage {
    async fn new(story: &Story, records: &Records, places: Places) -> Self {
        let (stack, thing, user) = (Stack::deployed(), unique_thing("fault"), unique_thing("user").to_string());
        let admin = stack.admin().await;
        register_paired(&records.things, &thing).await;
        seed_membership(&stack, &user, &thing, "owner", 1).await;
        let aside = DeadLetterQueue::own(&admin).await;
        let files_table = match story.tables {
            Tables::Own => own_table(&admin, &places.files_table).await,
            Tables::OfTheStack => places.files_table.clone(),
        };
        let queue_url = aside.url().to_owned();
        let places = Places { files_table, queue_url, things_table: records.table.clone(), ..places };
        let (config, api_config) = configs(&places);
        Self {
            handler: Handler::new(&admin, config),
            routes: routes_of(&admin, api_config),
            s3: aws_sdk_s3::Client::new(&admin),
            kms: aws_sdk_kms::Client::new(&admin),
            things: records.things.clone(),
            places,
            thing,
            user,
            at: now(),
        }
    }

    async fn own(&self, what: (&str, &str), body: Option<&Value>) -> Value {
        Box::pin(self.routes.send((&self.user, &[]), what, body, &[], self.at)).await.unwrap()
    }

    async fn hand(&self, body: String) {
        let invocation = Invocation { request_id: "before".to_owned(), now: self.at };
        let batch = vec![BatchItem { message_id: "before".to_owned(), body }];
        assert_eq!(self.handler.handle(batch, &invocation).await.unwrap(), [""; 0]);
    }

    /// A transfer of this direction.
    async fn created(&self, direction: &str) -> String {
        let body = json!({"direction": direction, "name": "f", "size": BYTES});
        let answer = self.own(("POST", &format!("/v1/things/{}/files", self.thing)), Some(&body)).await;
        answer.pointer("/transfer/transferId").and_then(Value::as_str).unwrap().to_owned()
    }

    /// A download whose source is there.
    async fn brought(&self) -> String {
        let id = self.created("download").await;
        let put = self.s3.put_object().bucket(&self.places.sources_bucket).key(format!("sources/{id}"));
        put.body(ByteStream::from(vec![0; BYTES])).send().await.unwrap();
        id
    }

    async fn pinned(&self) -> String {
        let id = self.brought().await;
        self.own(("POST", &format!("/v1/files/{id}/complete")), Some(&json!({}))).await;
        id
    }

    async fn sealed(&self) -> String {
        let id = self.pinned().await;
        self.hand(work(&self.thing, &id)).await;
        id
    }

    /// An upload whose device has the key; with its only part, of zeros, if it is `sent`.
    async fn begun(&self, sent: bool) -> String {
        let id = self.created("upload").await;
        let word = json!({"transferId": id, "size": BYTES, "sha256": DIGEST});
        self.hand(said(&self.thing, "request", &word, self.at)).await;
        if sent {
            self.send_part(&id, vec![0; SEALED]).await;
        }
        id
    }

    async fn send_part(&self, id: &str, body: Vec<u8>) {
        let uploads = self.s3.list_multipart_uploads().bucket(&self.places.files_bucket);
        let uploads = uploads.prefix(format!("bodies/{id}/")).send().await.unwrap();
        let upload = uploads.uploads().first().unwrap();
        let part = self.s3.upload_part().bucket(&self.places.files_bucket).set_key(upload.key.clone());
        let part = part.set_upload_id(upload.upload_id.clone()).part_number(1);
        part.body(ByteStream::from(body)).send().await.unwrap();
    }

    /// An upload that came and was verified: a person may fetch it.
    async fn arrived(&self) -> String {
        let id = self.begun(false).await;
        let attempt = self.attempt(&id).await;
        self.send_part(&id, self.seal(&id, &attempt).await).await;
        let word = json!({"transferId": id, "attempt": attempt, "size": BYTES, "sha256": DIGEST});
        self.hand(said(&self.thing, "complete", &word, self.at)).await;
        self.hand(work(&self.thing, &id)).await;
        id
    }

    /// The file of zeros, sealed as its device would with the attempt's header and key.
    async fn seal(&self, id: &str, attempt: &str) -> Vec<u8> {
        let head = self.s3.get_object().bucket(&self.places.files_bucket).key(format!("heads/{id}/{attempt}"));
        let head = head.send().await.unwrap().body.collect().await.unwrap().to_vec();
        let head: Head = serde_json::from_slice(&head).unwrap();
        let transfer = TransferId::parse(id).unwrap();
        let subject = Subject { thing: self.thing.clone(), transfer, direction: Direction::Upload };
        let mut decrypt = self.kms.decrypt().ciphertext_blob(Blob::new(head.data_key_ciphertext().unwrap()));
        for (name, value) in subject.pairs() {
            decrypt = decrypt.encryption_context(name, value);
        }
        let key = decrypt.send().await.unwrap().plaintext.unwrap().into_inner();
        let key = DataKey::new(key.try_into().unwrap());
        let header = head.header().unwrap();
        let (header, _) = UnverifiedHeader::parse(&header).unwrap();
        let opener = header.open(&key, &subject.context().unwrap()).unwrap();
        let (mut sealer, mut body) = (Sealer::new(&key, opener.header()).unwrap(), vec![]);
        sealer.update(&[0; BYTES], &mut body).unwrap();
        sealer.finish(&mut body).unwrap();
        body
    }

    /// The last level of the names of a transfer's heads: its attempt.
    async fn attempt(&self, id: &str) -> String {
        let list = self.s3.list_objects_v2().bucket(&self.places.files_bucket).prefix(format!("heads/{id}/"));
        let heads = list.send().await.unwrap();
        let key = heads.contents().first().and_then(|head| head.key()).unwrap_or_default();
        key.rsplit('/').next().unwrap_or_default().to_owned()
    }

    async fn objects(&self, id: &str) -> [usize; 4] {
        let (files, sources) = (&self.places.files_bucket, &self.places.sources_bucket);
        let mut found = [0; 4];
        for (count, kind) in found.iter_mut().zip(["heads", "bodies"]) {
            let list = self.s3.list_objects_v2().bucket(files).prefix(format!("{kind}/{id}/"));
            *count = list.send().await.unwrap().contents().len();
        }
        let [_, _, versions, uploads] = &mut found;
        let listed =
            self.s3.list_object_versions().bucket(sources).prefix(format!("sources/{id}")).send().await.unwrap();
        *versions = listed.versions().len() + listed.delete_markers().len();
        let listed =
            self.s3.list_multipart_uploads().bucket(files).prefix(format!("bodies/{id}/")).send().await.unwrap();
        *uploads = listed.uploads().len();
        found
    }

    /// The thing's end, or its owner's.
    async fn end(&self, way: Way) {
        let awaiting = ["file-transfer", "others"];
        if way == Way::Unpaired {
            end_tenure(&self.things, &self.thing, &awaiting, self.at).await;
        } else if way == Way::Retired {
            begin_retirement(&self.things, &self.thing, &awaiting, self.at).await;
        }
    }
}

/// The functions' configurations, with these places.
fn configs(places: &Places) -> (Config, ApiConfig) {
    let stack = Stack::deployed();
    let (queue, api) = (stack.function("FileTransfer"), stack.function("FileTransferApi"));
    let config = Config::from_lookup(&|name| queue.variable(name)).unwrap();
    let api_config = ApiConfig::from_lookup(&|name| api.variable(name)).unwrap();
    (Config { places: places.clone(), ..config }, ApiConfig { places: places.clone(), ..api_config })
}

fn work(thing: &ThingName, id: &str) -> String {
    json!({"work": id, "of": thing}).to_string()
}

/// What the rule makes of a device's word.
fn said(thing: &ThingName, kind: &str, word: &Value, at: Timestamp) -> String {
    let (payload, topic) = (STANDARD.encode(word.to_string()), format!("loam/{thing}/files/{kind}"));
    json!({"payload": payload, "topic": topic, "clientId": thing, "receivedAt": at}).to_string()
}

impl Story {
    /// Whether a key makes it happen once.
    pub(crate) fn has_key(&self) -> bool {
        matches!(self.way, Way::Create | Way::Want)
    }

    /// Whether each of its calls is also refused for long: one story for each way in which something is written.
    fn is_strained(&self) -> bool {
        let as_another = matches!(self.way, Way::Refused | Way::GivenUp | Way::Retired | Way::Want | Way::Cancel);
        !as_another && self.way != Way::Reads
    }

    /// Which function does it.
    pub(crate) fn function(&self) -> &'static str {
        match self.way {
            Way::Create | Way::Want | Way::Pin | Way::Cancel | Way::Reads => "FileTransferApi",
            Way::Seal | Way::Verify | Way::Received | Way::Refused | Way::Erase | Way::GivenUp => "FileTransfer",
            Way::Offered | Way::Waiting | Way::Missing | Way::Sweep | Way::Expired | Way::Unpaired | Way::Retired => {
                "FileTransfer"
            }
        }
    }

    /// What is there before; the transfer that the story is about.
    async fn prepare(&self, stage: &Stage) -> String {
        match self.way {
            Way::Seal => stage.pinned().await,
            Way::Verify => stage.begun(true).await,
            Way::Missing => stage.begun(false).await,
            Way::Received | Way::Refused | Way::Expired | Way::Sweep | Way::Unpaired | Way::Retired => {
                stage.sealed().await
            }
            Way::Erase => {
                let id = stage.sealed().await;
                stage.own(("DELETE", &format!("/v1/files/{id}")), None).await;
                id
            }
            Way::GivenUp => {
                let id = stage.begun(true).await;
                stage.own(("DELETE", &format!("/v1/files/{id}")), None).await;
                id
            }
            Way::Waiting => {
                stage.created("upload").await;
                stage.sealed().await
            }
            Way::Reads => {
                // The newest comes first: a list of one has more.
                stage.brought().await;
                stage.arrived().await
            }
            Way::Pin | Way::Cancel => stage.brought().await,
            Way::Offered | Way::Create | Way::Want => String::new(),
        }
    }

    fn messages(&self, world: &World) -> Vec<String> {
        let Stage { thing, at, .. } = &world.stage;
        let event =
            |kind: &str| json!({"id": "x", "type": kind, "thing": thing, "at": at, "epoch": 1, "data": {}}).to_string();
        let about = |more: &Value| {
            let mut word = json!({"transferId": world.id, "attempt": world.attempt});
            word.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            said(thing, "complete", &word, *at)
        };
        let read = json!({"size": BYTES, "sha256": DIGEST});
        let work = || work(thing, &world.id);
        match self.way {
            Way::Seal | Way::Erase | Way::GivenUp | Way::Expired => vec![work()],
            Way::Verify => vec![about(&read), work()],
            Way::Received | Way::Missing => vec![about(&read)],
            Way::Refused => vec![about(&json!({"refused": "frame-not-authentic"}))],
            Way::Offered => {
                let offer = json!({"name": "log", "size": BYTES, "sha256": DIGEST});
                vec![said(thing, "request", &offer, *at)]
            }
            Way::Waiting => vec![said(thing, "request", &json!({}), *at)],
            Way::Sweep => vec![json!({"sweep": true}).to_string()],
            Way::Unpaired => vec![event("thing.unpaired")],
            Way::Retired => {
                let odd = said(thing, "complete", &json!([]), *at);
                vec![event("thing.retiring"), event("thing.retired"), odd]
            }
            Way::Create | Way::Want | Way::Pin | Way::Cancel | Way::Reads => vec![],
        }
    }

    async fn request(&self, world: &World, at: Timestamp) -> Result<(), String> {
        let own = (world.stage.user.as_str(), &[][..]);
        let (all, one) = (format!("/v1/things/{}/files", world.stage.thing), format!("/v1/files/{}", world.id));
        let key = [("idempotency-key", "k")];
        let send = async |(method, path): (&str, &str), body: Option<&Value>, headers: &[(&str, &str)]| {
            Box::pin(world.routes.send(own, (method, path), body, headers, at)).await
        };
        let order = |direction: &str| json!({"direction": direction, "name": "f", "size": BYTES});
        match self.way {
            Way::Create => send(("POST", &all), Some(&order("download")), &key).await.map(drop),
            Way::Want => send(("POST", &all), Some(&order("upload")), &key).await.map(drop),
            Way::Pin => send(("POST", &format!("{one}/complete")), Some(&json!({})), &[]).await.map(drop),
            Way::Cancel => send(("DELETE", &one), None, &[]).await.map(drop),
            Way::Reads => {
                send(("GET", &one), None, &[]).await?;
                send(("POST", &format!("{one}/refresh")), None, &[]).await?;
                let page = send(("GET", &format!("{all}?limit=1")), None, &[]).await?;
                assert_eq!(page.get("items").and_then(Value::as_array).map(Vec::len), Some(1));
                Ok(())
            }
            Way::Seal | Way::Verify | Way::Received | Way::Refused | Way::Erase | Way::GivenUp => Ok(()),
            Way::Offered | Way::Waiting | Way::Missing | Way::Sweep | Way::Expired | Way::Unpaired | Way::Retired => {
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
        let admin = stack.admin().await;
        let queue = stack.function("FileTransfer");
        let of_the_stack = Config::from_lookup(&|name| queue.variable(name)).unwrap().places;
        let records = Records::beside(&of_the_stack.things_table).await;
        let stage = Stage::new(self, &records, of_the_stack.clone()).await;
        let id = self.prepare(&stage).await;
        let attempt = if id.is_empty() { String::new() } else { stage.attempt(&id).await };
        stage.end(self.way).await;
        let things_table = records.bring(&stage.thing, self.tables).await;
        let (sdk, queue_url) = match self.tables {
            Tables::Own => (stack.admin_through(endpoint).await, stage.places.queue_url.clone()),
            Tables::OfTheStack => {
                (stack.role_of(stack.function(self.function()), endpoint).await, of_the_stack.queue_url)
            }
        };
        let places = Places { things_table, queue_url, ..stage.places.clone() };
        let own_names = [
            (&places.files_table, "FilesTable"),
            (&places.things_table, "ThingsTable"),
            (&places.queue_url, "FilesQueue"),
            (&id, "transfer"),
            (&attempt, "attempt"),
        ];
        let own_names = own_names.into_iter().filter(|(name, _)| !name.is_empty());
        let own_names = own_names.map(|(name, stands)| (name.clone(), stands.to_owned())).collect();
        let (config, api_config) = configs(&places);
        Ok(World {
            handler: Handler::new(&sdk, config),
            routes: routes_of(&sdk, api_config.clone()),
            straight: routes_of(&admin, api_config),
            dead_letters: DeadLetterQueue::new(&admin, stack.output("FilesDeadLetters")),
            deliveries: AtomicI64::new(0),
            stage,
            id,
            attempt,
            own_names,
        })
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        let turn = world.deliveries.fetch_add(1, Ordering::SeqCst) + 1;
        let late = if matches!(self.way, Way::Expired | Way::Sweep) { EXPIRED_MILLIS } else { 0 };
        let at = world.stage.at.plus_millis(turn * LATER_MILLIS + late);
        let invocation = Invocation { request_id: format!("fault-{turn}"), now: at };
        for (place, body) in self.messages(world).into_iter().enumerate() {
            let batch = vec![BatchItem { message_id: place.to_string(), body }];
            all_done(world.handler.handle(batch, &invocation).await)?;
        }
        self.request(world, at).await
    }

    async fn state(&self, world: &World) -> Result<Left, String> {
        let Stage { thing, things, at, .. } = &world.stage;
        let path = format!("/v1/things/{thing}/files");
        let listed = Box::pin(world.straight.send(OPERATOR, ("GET", &path), None, &[], *at)).await?;
        let text = |item: &Value, field: &str| item.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let erased = |item: &Value| item.get("erased").and_then(Value::as_bool).unwrap_or_default();
        let items = listed.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut transfers: Vec<_> =
            items.iter().map(|item| (text(item, "state"), text(item, "reason"), erased(item))).collect();
        transfers.sort();
        let is_over = !world.id.is_empty() && transfers.iter().all(|(_, _, erased)| *erased);
        let record = things.get(thing).await.map_err(|failure| failure.to_string())?.unwrap();
        let awaiting = record.retirement.map(|retirement| retirement.awaiting);
        let kept = world.dead_letters.about(thing.as_str()).await;
        Ok(Left {
            transfers,
            objects: if is_over { Some(world.stage.objects(&world.id).await) } else { None },
            awaiting: awaiting.or(record.erasure.map(|erasure| erasure.awaiting)).unwrap_or_default(),
            refused: kept.iter().map(|kept| text(kept, "code")).collect(),
        })
    }
}

#[tokio::test]
async fn a_run_that_is_stopped_at_any_call_leaves_its_transfer_to_the_next_one() {
    for story in stories(Tables::Own).iter().filter(|story| story.way != Way::Reads) {
        Box::pin(survives_crashes(story)).await;
    }
}

#[tokio::test]
async fn throttling_and_failures_at_any_call_never_make_a_wrong_success() {
    for story in stories(Tables::Own).iter().filter(|story| story.is_strained()) {
        Box::pin(survives_strain(story)).await;
    }
}

#[tokio::test]
async fn what_is_over_leaves_no_key_and_no_object_behind() {
    let over = [Way::Verify, Way::Erase, Way::GivenUp, Way::Expired, Way::Unpaired, Way::Retired];
    for story in stories(Tables::Own).iter().filter(|story| over.contains(&story.way)) {
        let world = story.world(&Stack::deployed().endpoint).await.unwrap();
        story.deliver(&world).await.unwrap();
        assert_eq!(story.state(&world).await.unwrap().objects, Some([0; 4]), "{}", story.name);
    }
}
