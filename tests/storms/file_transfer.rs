//! file-transfer: words that are none; and copies of a thing's messages in any order, to several runs at a time.

use aws_sdk_s3::primitives::ByteStream;
use axum::Router;
use file_transfer::{Api, ApiConfig, Config, Handler, Places, routes};
use loam_domain::ThingName;
use loam_kit::{Chance, DeadLetterQueue, Stack, api_event, ask, now, number_of, register_active, unique_thing};
use loam_runtime::BatchItem;
use loam_things::Things;
use serde_json::{Value, json};

use crate::copies::{Run, batches, deliver};
use crate::kinds::{Due, WHOLE};
use crate::malformed::{self, in_batches, invocation, per_kind, storm, with_letters};
use crate::sending::{Volley, Volleys, on};

#[derive(Clone)]
struct Queue(Handler);

impl malformed::Target for Queue {
    async fn deliver(&self, volley: &Volley) -> usize {
        in_batches(volley, 1, |batch| async move { Box::pin(self.0.handle(batch, &invocation())).await }).await
    }
}

impl Run for Queue {
    async fn run(&self, batch: Vec<BatchItem>) -> Vec<String> {
        Box::pin(self.0.handle(batch, &invocation())).await.unwrap()
    }
}

/// A device's word on files.
fn said(thing: &ThingName, kind: &str, payload: &[u8]) -> Value {
    on(thing, &format!("loam/{thing}/files/{kind}"), payload, now())
}

/// What nobody can read is kept; what can be read is of a thing that nobody knows, and left alone.
fn volleys(count: usize, seed: u64) -> Vec<Volley> {
    let mut volleys = Volleys::new(count, seed);
    for word in ["request", "complete"] {
        volleys.add_payloads(&WHOLE, Due::Either, |thing, payload| said(thing, word, payload));
    }
    volleys.add_events(|thing| said(thing, "request", b"{}"));
    volleys.add_bodies();
    volleys.all()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_words_are_kept_or_left_alone_by_file_transfer() {
    let stack = Stack::deployed();
    let admin = stack.admin().await;
    let queue = DeadLetterQueue::own(&admin).await;
    let config = Config::from_lookup(&with_letters(stack.function("FileTransfer"), &queue)).unwrap();
    storm("file-transfer", Queue(Handler::new(&admin, config)), volleys(per_kind(), 12), &queue).await;
}

/// A thing of an operator's, whose messages nobody else deals with.
struct World {
    thing: ThingName,
    queue: Queue,
    router: Router,
    s3: aws_sdk_s3::Client,
    places: Places,
}

impl World {
    async fn new() -> Self {
        let (stack, thing) = (Stack::deployed(), unique_thing("storm"));
        let admin = stack.admin().await;
        let [queue, api] = ["FileTransfer", "FileTransferApi"].map(|name| stack.function(name));
        let config = Config::from_lookup(&|name| queue.variable(name)).unwrap();
        let api_config = ApiConfig::from_lookup(&|name| api.variable(name)).unwrap();
        register_active(&Things::new(&admin, config.places.things_table.clone()), &thing).await;
        let aside = DeadLetterQueue::own(&admin).await;
        let places = Places { queue_url: aside.url().to_owned(), ..config.places.clone() };
        let api = Api::new(&admin, ApiConfig { places: places.clone(), ..api_config });
        Self {
            queue: Queue(Handler::new(&admin, Config { places: places.clone(), ..config })),
            router: routes().with_state(api).into(),
            s3: aws_sdk_s3::Client::new(&admin),
            places,
            thing,
        }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let event = api_event(&format!("{method} /v1/test"), path, "operator", &["operators"], body);
        let answer = ask(self.router.clone(), event).await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.status);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// A download that is to be sealed.
    async fn pinned(&self) -> String {
        let body = json!({"direction": "download", "name": "f", "size": 1_000});
        let created = self.ask("POST", &format!("/v1/things/{}/files", self.thing), Some(&body)).await;
        let id = created["transfer"]["transferId"].as_str().unwrap().to_owned();
        let put = self.s3.put_object().bucket(&self.places.sources_bucket).key(format!("sources/{id}"));
        put.body(ByteStream::from(vec![0; 1_000])).send().await.unwrap();
        self.ask("POST", &format!("/v1/files/{id}/complete"), Some(&json!({}))).await;
        id
    }

    /// How many heads and bodies a transfer has.
    async fn objects(&self, id: &str) -> [usize; 2] {
        let mut found = [0; 2];
        for (count, kind) in found.iter_mut().zip(["heads", "bodies"]) {
            let list = self.s3.list_objects_v2().bucket(&self.places.files_bucket).prefix(format!("{kind}/{id}/"));
            *count = list.send().await.unwrap().contents().len();
        }
        found
    }
}

/// Each transfer's work several times, among questions of the device and sweeps; one of them is cancelled before. Whatever
/// the order, the others are sealed once: one head, one body. Who began and lost has taken its keys back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_in_any_order_seal_each_file_once() {
    let seed = number_of("LOAM_SEED", 0_u64);
    let mut chance = Chance::new(seed);
    for round in 0..(number_of("LOAM_STORM_EVENTS", 150_usize) / 50).clamp(2, 40) {
        let world = World::new().await;
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(world.pinned().await);
        }
        world.ask("DELETE", &format!("/v1/files/{}", ids[0]), None).await;
        let mut messages: Vec<_> = ids.iter().map(|id| json!({"work": id, "of": world.thing}).to_string()).collect();
        messages.push(said(&world.thing, "request", b"").to_string());
        messages.push(json!({"sweep": true}).to_string());
        deliver(&world.queue, batches(&messages, &mut chance)).await;
        for (at, id) in ids.iter().enumerate() {
            let transfer = world.ask("GET", &format!("/v1/files/{id}"), None).await;
            let (state, objects) = if at == 0 { ("cancelled", [0, 0]) } else { ("ready", [1, 1]) };
            assert_eq!(transfer["state"], state, "seed {seed}, round {round}");
            assert_eq!(world.objects(id).await, objects, "seed {seed}, round {round}, transfer {at}");
        }
    }
}
