//! One test's world: a thing of its own with a record, its presence, its shadow and its dead letters.

use aws_sdk_iotdataplane::primitives::Blob;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::{EventType, ThingName, Timestamp};
use loam_kit::{DeadLetterQueue, Stack, now, register_active, unique_thing};
use loam_runtime::{BatchItem, Invocation};
use loam_things::{RetirementOrder, Things};
use presence::{Config, Handler, Known, PresenceFailure, Store};
use serde_json::{Value, json};

/// How far a test's times lie behind the present, in seconds.
const AGO: i64 = 600;

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) direct: Handler,
    pub(crate) delayed: Handler,
    pub(crate) rows: Store,
    pub(crate) things: Things,
    pub(crate) shadows: aws_sdk_iotdataplane::Client,
    pub(crate) dead_letters: DeadLetterQueue,
    pub(crate) thing: ThingName,
    pub(crate) start: Timestamp,
}

impl World {
    /// A world whose thing is registered and active.
    pub(crate) async fn new(purpose: &str) -> Self {
        let world = Self::of_nobody(purpose).await;
        world.register().await;
        world
    }

    /// A world whose thing is none of ours.
    pub(crate) async fn of_nobody(purpose: &str) -> Self {
        let stack = Stack::deployed();
        let (direct, delayed) = (stack.function("Presence"), stack.function("PresenceDelayed"));
        let config = Config::from_lookup(&|name| direct.variable(name)).unwrap();
        let admin = stack.admin().await;
        let of = async |function, name| {
            let config = Config::from_lookup(&|name| stack.function(function).variable(name)).unwrap();
            Handler::new(&stack.role_of(stack.function(function), &stack.endpoint).await, &config, name)
        };
        assert_eq!(direct.variable("PRESENCE_TABLE"), delayed.variable("PRESENCE_TABLE"));
        Self {
            direct: of("Presence", "presence").await,
            delayed: of("PresenceDelayed", "presence-delayed").await,
            rows: Store::new(&admin, config.truth.presence_table, config.truth.history_days),
            things: Things::new(&admin, config.truth.things_table),
            shadows: aws_sdk_iotdataplane::Client::new(&admin),
            dead_letters: DeadLetterQueue::new(&admin, stack.output("PresenceDeadLetters")),
            thing: unique_thing(purpose),
            start: now().plus_millis(-AGO * 1000),
        }
    }

    pub(crate) async fn register(&self) {
        register_active(&self.things, &self.thing).await;
    }

    /// AWS IoT's event that a connection began, `seconds` after the test's start.
    pub(crate) fn connected(&self, seconds: i64, version: i64) -> Value {
        self.life_cycle(seconds, version, "connected", &json!({"ipAddress": "192.0.2.1"}))
    }

    /// And that it ended.
    pub(crate) fn disconnected(&self, seconds: i64, version: i64, reason: &str) -> Value {
        let clean = reason == "CLIENT_INITIATED_DISCONNECT";
        let more = json!({"clientInitiatedDisconnect": clean, "disconnectReason": reason});
        self.life_cycle(seconds, version, "disconnected", &more)
    }

    fn life_cycle(&self, seconds: i64, version: i64, kind: &str, more: &Value) -> Value {
        let mut event = json!({
            "clientId": self.thing.as_str(), "timestamp": self.start.plus_millis(seconds * 1000).as_millis(),
            "eventType": kind, "sessionIdentifier": format!("session-{version}"), "principalIdentifier": "certificate-1",
            "versionNumber": version,
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.rule(&format!("$aws/events/presence/{kind}/{}", self.thing), "n/a", event.to_string().as_bytes())
    }

    /// The thing's last will.
    pub(crate) fn will(&self, connected: &Value) -> Value {
        let will = json!({"state": {"reported": {"connected": connected}}}).to_string();
        self.rule(&format!("lwt/{}", self.thing), self.thing.as_str(), will.as_bytes())
    }

    pub(crate) fn rule(&self, topic: &str, client: &str, payload: &[u8]) -> Value {
        json!({"payload": STANDARD.encode(payload), "topic": topic, "clientId": client,
               "receivedAt": now().as_millis()})
    }

    /// The order of the topic `Events` to erase the thing.
    pub(crate) fn retiring(&self) -> Value {
        json!({"id": format!("{}.9", self.thing), "type": "thing.retiring", "thing": self.thing.as_str(),
               "at": now().as_millis(), "epoch": 1, "data": {}})
    }

    pub(crate) async fn begin_retirement(&self) {
        let order = RetirementOrder {
            by: "test".to_owned(),
            awaiting: ["onboarding".to_owned(), "presence".to_owned()].into(),
            expected_version: None,
        };
        self.things.begin_retirement(&self.thing, order, now()).await.unwrap();
    }

    pub(crate) async fn at_once(&self, event: Value) {
        self.direct.handle(event, &invocation()).await.unwrap();
    }

    /// Delivers by the queue; answers the ids of the messages that must come again, which are their places.
    pub(crate) async fn later(&self, events: impl IntoIterator<Item = Value>) -> Vec<String> {
        let batch = events.into_iter().enumerate();
        let item = |(at, event): (usize, Value)| BatchItem { message_id: at.to_string(), body: event.to_string() };
        let again: Result<_, PresenceFailure> =
            self.delayed.handle_batch(batch.map(item).collect(), &invocation()).await;
        again.unwrap()
    }

    /// What the table says: connected, version number, reason of the last end.
    pub(crate) async fn known(&self) -> Option<(bool, i64, Option<String>)> {
        match self.rows.load(&self.thing).await.unwrap() {
            Known::Row(row) => {
                let version = row.status.as_ref().map_or(-1, |status| status.mark.version_number);
                Some((row.is_connected(), version, row.last_end.and_then(|end| end.how.reason)))
            }
            Known::Nothing | Known::Erased => None,
        }
    }

    /// What the shadow says, and its version.
    pub(crate) async fn shadow(&self) -> Option<(Value, u64)> {
        let shadow = self.shadows.get_thing_shadow().thing_name(self.thing.as_str()).send().await.ok()?;
        let document: Value = serde_json::from_slice(shadow.payload().unwrap().as_ref()).unwrap();
        let connected = document.pointer("/state/reported/connected").cloned().unwrap_or_default();
        Some((connected, document["version"].as_u64().unwrap()))
    }

    pub(crate) async fn write_shadow(&self, reported: &Value) {
        let document = json!({"state": {"reported": reported}}).to_string();
        let write = self.shadows.update_thing_shadow().thing_name(self.thing.as_str());
        write.payload(Blob::new(document)).send().await.unwrap();
    }

    /// What was told, the oldest first.
    pub(crate) async fn told(&self) -> Vec<EventType> {
        let page = self.rows.history(&self.thing, None, 100, None, now()).await.unwrap();
        page.events.iter().rev().map(|event| event.kind).collect()
    }

    /// The codes of what was refused and kept.
    pub(crate) async fn refused(&self) -> Vec<String> {
        let texts = self.dead_letters.texts().await;
        let ours = texts.iter().filter(|text| text.contains(self.thing.as_str()));
        let code = |text: &String| serde_json::from_str::<Value>(text).unwrap()["code"].as_str().unwrap().to_owned();
        ours.map(code).collect()
    }
}

pub(crate) fn invocation() -> Invocation {
    Invocation { request_id: "test".to_owned(), now: now() }
}
