//! sync-invoke: one call of a device, by each of its routes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use loam_device::invoke::{Call as Called, Listen, Reply, carry_out, serve};
use loam_device::{Device, Files, Identity, Options};
use loam_domain::{ThingName, Timestamp};
use loam_http::Call;
use loam_kit::wiretap::Scenario;
use loam_kit::{Stack, api_event, join, now, register_active, seed_membership, unique_thing};
use loam_things::Things;
use serde_json::{Value, json};
use sync_invoke::{Api, Config, Invoker, routes};
use tokio::task::JoinHandle;

use crate::{survives_crashes, survives_strain};

/// Longer than any call, so that a run that was stopped is past when the next one begins.
const LEASE_MILLIS: i64 = 30_000;

/// How long what the device is asked for takes, where nobody counts the answer's bytes; in milliseconds.
pub(crate) const BRISK: u32 = 150;

/// As [`BRISK`], so long that the answer's `elapsedMs` has four digits however busy the machine is.
pub(crate) const MEASURED: u32 = 1_100;

/// How often each request was carried out.
type Tally = Arc<Mutex<BTreeMap<String, u32>>>;

/// One device that answers, and one that is not there; all stories of a test call them.
pub(crate) struct Stage {
    there: ThingName,
    absent: ThingName,
    user: String,
    carried_out: Tally,
    work_millis: u32,
    answering: JoinHandle<()>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

impl Stage {
    pub(crate) async fn new(work_millis: u32) -> Self {
        let stack = Stack::deployed();
        let [there, absent] = [unique_thing("fault"), unique_thing("fault")];
        let (user, carried_out) = (unique_thing("user").to_string(), Tally::default());
        for thing in [&there, &absent] {
            registered(&stack, thing).await;
            seed_membership(&stack, &user, thing, "controller", 1).await;
        }
        let answering = answering(&stack, &there, &carried_out).await;
        Self { there, absent, user, carried_out, work_millis, answering }
    }

    pub(crate) fn stories(&self) -> [Story<'_>; 4] {
        let story = |name, way| Story { name, way, stage: self };
        [
            story("GET /invoke", Way::Published),
            story("POST: a member", Way::Member),
            story("POST: a member, with a key", Way::Keyed),
            story("POST: a member, with a key, of an absent device", Way::Absent),
        ]
    }
}

pub(crate) async fn registered(stack: &Stack, thing: &ThingName) {
    let things = Things::new(&stack.admin().await, stack.resources.get("ThingsTable").unwrap().clone());
    register_active(&things, thing).await;
}

async fn answering(stack: &Stack, thing: &ThingName, carried_out: &Tally) -> JoinHandle<()> {
    let joined = join(stack, &[thing.as_str()]).await.remove(0);
    let files = Files { root_ca: joined.root_ca, certificate: joined.cert, private_key: joined.key };
    let identity = Identity::load(thing.as_str(), "localhost", stack.mqtt_port, &files).unwrap();
    let device = Device::connect(&identity, Options::default()).unwrap();
    device.connected().await.unwrap();
    let counted = Arc::clone(carried_out);
    tokio::spawn(async move {
        let methods = |call: &Called| -> Vec<Reply> {
            *counted.lock().unwrap().entry(call.request.clone()).or_default() += 1;
            carry_out(call)
        };
        serve(&device, Listen::Direct, methods).await.unwrap();
    })
}

/// How the device is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Published,
    Member,
    Keyed,
    Absent,
}

pub(crate) struct Story<'a> {
    name: &'static str,
    way: Way,
    stage: &'a Stage,
}

pub(crate) struct World {
    router: Router,
    /// Of this world alone: the key, and part of the request.
    key: String,
    began: Timestamp,
    deliveries: AtomicI64,
}

/// What the last call answered, and whether the device carried out what it was sent with one key more often than once.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    answer: Value,
    carried_out_twice: bool,
}

impl Story<'_> {
    fn event(&self, world: &World) -> Value {
        let Stage { there, absent, work_millis, .. } = self.stage;
        let thing = if self.way == Way::Absent { absent } else { there };
        if self.way == Way::Published {
            let query = format!("method=wait&request=%7B%22ms%22%3A{work_millis}%7D&target={thing}&timeout=4");
            return api_event("GET /invoke", &format!("/invoke?{query}"), "", &[], None);
        }
        let path = format!("/v1/things/{thing}/methods/wait");
        let body = json!({"payload": {"ms": work_millis, "world": world.key}, "responseTimeoutInSeconds": 4});
        let route = "POST /v1/things/{thing}/methods/{method}";
        let mut event = api_event(route, &path, &self.stage.user, &[], Some(&body));
        if self.way != Way::Member {
            let headers = event.get_mut("headers").and_then(Value::as_object_mut).unwrap();
            headers.insert("idempotency-key".to_owned(), world.key.clone().into());
        }
        event
    }

    /// What the device answered; of an absent one, that it is absent.
    async fn send(&self, world: &World) -> Result<Value, String> {
        let delivery = world.deliveries.fetch_add(1, Ordering::SeqCst);
        let now = world.began.plus_millis(delivery * LEASE_MILLIS);
        let request_id = format!("{}.{delivery}", world.key);
        let call = Call { request_id, now, deadline: now.plus_millis(LEASE_MILLIS) };
        let event = serde_json::from_value(self.event(world)).unwrap();
        let answer = Box::pin(loam_http::answer(world.router.clone(), event, call)).await;
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 10_000).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let said = |field: &str| body.get(field).cloned().unwrap_or_default();
        match self.way {
            Way::Published if status.is_success() => Ok(said("response")),
            Way::Absent if said("code") == "device_not_connected" => Ok(said("code")),
            Way::Member | Way::Keyed if status.is_success() => Ok(said("payload")),
            Way::Published | Way::Absent | Way::Member | Way::Keyed => Err(format!("{status}: {body}")),
        }
    }
}

impl Scenario for Story<'_> {
    type World = World;
    type State = Left;
    type Error = String;

    fn name(&self) -> &str {
        self.name
    }

    async fn world(&self, endpoint: &str) -> Result<World, String> {
        let stack = Stack::deployed();
        let function = stack.function("SyncInvoke");
        let config = Config::from_lookup(&|name| function.variable(name)).unwrap();
        let sdk = stack.role_of(function, endpoint).await;
        // The wiretap sees calls of AWS, which a session for answers is none of.
        let dialled = Config { address: config.address.clone().dialled_at(Some(&stack.endpoint)), ..config.clone() };
        let invoker = Arc::new(Invoker::new(&sdk, &dialled, now));
        let api = Api { invoker, ..Api::new(&sdk, &config) };
        let router = routes().with_state(api).into();
        Ok(World { router, key: unique_thing("key").to_string(), began: now(), deliveries: AtomicI64::new(0) })
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        self.send(world).await.map(drop)
    }

    async fn state(&self, world: &World) -> Result<Left, String> {
        let answer = self.send(world).await?;
        let tally = self.stage.carried_out.lock().unwrap();
        let times = tally.iter().filter(|(request, _)| request.contains(&world.key)).map(|(_, times)| *times).max();
        Ok(Left { answer, carried_out_twice: self.way == Way::Keyed && times != Some(1) })
    }
}

#[tokio::test]
async fn a_call_with_a_key_that_is_stopped_at_any_call_is_carried_out_once_and_answered() {
    let stage = Stage::new(BRISK).await;
    for story in stage.stories().iter().filter(|story| matches!(story.way, Way::Keyed | Way::Absent)) {
        survives_crashes(story).await;
    }
}

#[tokio::test]
async fn throttling_and_failures_at_any_call_never_make_a_wrong_answer() {
    let stage = Stage::new(BRISK).await;
    for story in &stage.stories() {
        survives_strain(story).await;
    }
}
