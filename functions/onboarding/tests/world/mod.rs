//! One test's world: a thing of its own, registered and active as JITR leaves it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_iotdataplane::primitives::Blob;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::{CertificateId, EventType, ThingName, Timestamp};
use loam_kit::{DeadLetterQueue, Stack, copy_item, eventually, now, patience, twin_of_table, unique_thing};
use loam_runtime::{BatchItem, Class, Failure as _, Invocation};
use loam_things::{Registration, RetirementOrder, ThingRecord, Things};
use onboarding::retire::CAPABILITIES;
use onboarding::{Config, Handler, OnboardingFailure, RetireConfig, Retirer};
use serde_json::{Map, Value, json};

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) handler: Handler,
    pub(crate) retirer: Retirer,
    pub(crate) things: Things,
    pub(crate) iot: aws_sdk_iot::Client,
    pub(crate) shadows: aws_sdk_iotdataplane::Client,
    pub(crate) thing: ThingName,
    pub(crate) certificate: CertificateId,
    pub(crate) arn: String,
    pub(crate) start: Timestamp,
    dead_letters: DeadLetterQueue,
    tables: aws_sdk_dynamodb::Client,
    catalog: String,
    policy: String,
    admin: SdkConfig,
    things_table: String,
}

impl World {
    /// A thing that a certificate may connect as, in the registry and in the records.
    pub(crate) async fn new(purpose: &str) -> Self {
        Self::with(purpose, None, None).await
    }

    /// The same, with a desired state for its initial shadow and a type.
    pub(crate) async fn with(purpose: &str, desired: Option<Map<String, Value>>, thing_type: Option<&str>) -> Self {
        let world = Self::empty(purpose).await;
        world.register(desired, thing_type).await;
        world
    }

    /// A certificate and a name, and nothing of it registered.
    pub(crate) async fn empty(purpose: &str) -> Self {
        let stack = Stack::deployed();
        let (function, retiring) = (stack.function("Onboarding"), stack.function("OnboardingRetire"));
        let config = Config::from_lookup(&|name| function.variable(name)).unwrap();
        let retire = RetireConfig::from_lookup(&|name| retiring.variable(name)).unwrap();
        let admin: SdkConfig = stack.admin().await;
        let iot = aws_sdk_iot::Client::new(&admin);
        let made = iot.create_keys_and_certificate().set_as_active(true).send().await.unwrap();
        Self {
            things: Things::new(&admin, config.things_table.clone()),
            shadows: aws_sdk_iotdataplane::Client::new(&admin),
            certificate: CertificateId::parse(made.certificate_id().unwrap()).unwrap(),
            arn: made.certificate_arn.unwrap(),
            thing: unique_thing(purpose),
            start: now(),
            dead_letters: DeadLetterQueue::new(&admin, stack.output("OnboardingDeadLetters")),
            tables: aws_sdk_dynamodb::Client::new(&admin),
            catalog: config.catalog_table.clone(),
            policy: retire.device_policies[0].clone(),
            things_table: config.things_table.clone(),
            handler: Handler::new(&stack.role_of(function, &stack.endpoint).await, config),
            retirer: Retirer::new(&stack.role_of(retiring, &stack.endpoint).await, retire),
            admin,
            iot,
        }
    }

    /// What JITR does with the certificate.
    pub(crate) async fn register(&self, desired: Option<Map<String, Value>>, thing_type: Option<&str>) {
        let registration = Registration {
            certificate: self.certificate.clone(),
            ca_id: CertificateId::parse(&"c".repeat(64)).unwrap(),
            thing_type: thing_type.map(str::to_owned),
            groups: BTreeSet::new(),
            attributes: BTreeMap::new(),
            initial_desired: desired,
            max_devices: None,
        };
        self.things.register(&self.thing, registration, self.start).await.unwrap();
        let thing = self.thing.as_str();
        let create = self.iot.create_thing().thing_name(thing).set_thing_type_name(thing_type.map(str::to_owned));
        create.send().await.unwrap();
        self.iot.attach_thing_principal().thing_name(thing).principal(&self.arn).send().await.unwrap();
        self.iot.attach_policy().policy_name(&self.policy).target(&self.arn).send().await.unwrap();
        self.things.certificate_activated(&self.thing, &self.certificate, self.start).await.unwrap();
    }

    /// The same clients, with another thing and certificate, registered.
    pub(crate) async fn another(&self, purpose: &str) -> Self {
        let made = self.iot.create_keys_and_certificate().set_as_active(true).send().await.unwrap();
        let certificate = CertificateId::parse(made.certificate_id().unwrap()).unwrap();
        let arn = made.certificate_arn.unwrap();
        let world = Self { thing: unique_thing(purpose), certificate, arn, ..self.clone() };
        world.register(None, None).await;
        world
    }

    /// A description of version `version`.
    pub(crate) fn description(&self, version: &str) -> Value {
        json!({
            "endpoint": "x-ats.iot.us-east-1.amazonaws.com", "clientId": self.thing.as_str(), "thingId": "4711",
            "manufacturerName": "Acme Gardens", "modelName": "Moist 2", "version": version, "friendlyName": "Balcony",
            "friendlyDescription": "The pot on the balcony", "type": "soil",
        })
    }

    /// The rule's event of a message that AWS IoT took `millis` after the test began.
    pub(crate) fn event(&self, millis: i64, payload: &[u8]) -> Value {
        json!({
            "payload": STANDARD.encode(payload), "topic": format!("loam/{}/describe", self.thing),
            "clientId": self.thing.as_str(), "receivedAt": self.start.plus_millis(millis).as_millis(),
        })
    }

    pub(crate) async fn deliver(&self, millis: i64, description: &Value) -> Result<(), OnboardingFailure> {
        let event = self.event(millis, description.to_string().as_bytes());
        self.handler.handle(event, &invocation()).await
    }

    /// The catalog's item, as JSON; `None` where there is none.
    pub(crate) async fn item(&self) -> Option<Value> {
        let get = self.tables.get_item().table_name(&self.catalog).consistent_read(true);
        let item = get.key("clientId", AttributeValue::S(self.thing.to_string())).send().await.unwrap().item?;
        Some(item.into_iter().map(|(name, value)| (name, Value::from(value.as_s().unwrap().clone()))).collect())
    }

    /// The registry's attributes; `None` where there is no such thing.
    pub(crate) async fn attributes(&self) -> Option<BTreeMap<String, String>> {
        let found = self.iot.describe_thing().thing_name(self.thing.as_str()).send().await;
        found.ok().map(|found| found.attributes.unwrap_or_default().into_iter().collect())
    }

    /// The classic shadow's state; `None` where there is none.
    pub(crate) async fn shadow(&self) -> Option<Value> {
        let found = self.shadows.get_thing_shadow().thing_name(self.thing.as_str()).send().await.ok()?;
        let document: Value = serde_json::from_slice(found.payload.unwrap().as_ref()).unwrap();
        Some(document["state"].clone())
    }

    pub(crate) async fn write_shadow(&self, name: Option<&str>, state: &Value) {
        let update = self.shadows.update_thing_shadow().thing_name(self.thing.as_str());
        let update = update.set_shadow_name(name.map(str::to_owned));
        update.payload(Blob::new(json!({"state": state}).to_string())).send().await.unwrap();
    }

    pub(crate) async fn record(&self) -> ThingRecord {
        self.things.get(&self.thing).await.unwrap().unwrap()
    }

    /// What was told of the thing, the oldest first.
    pub(crate) async fn told(&self) -> Vec<EventType> {
        let page = self.things.history(&self.thing, None, 100).await.unwrap();
        page.events.iter().rev().map(|event| event.kind).collect()
    }

    pub(crate) async fn kept(&self) -> Value {
        eventually("a kept message", async || self.dead_letters.about(self.thing.as_str()).await.pop()).await
    }

    pub(crate) async fn letters(&self) -> usize {
        self.dead_letters.about(self.thing.as_str()).await.len()
    }

    /// Changes the thing's record without an event of it, so that no deployed function acts on it.
    async fn quietly(&self, change: impl AsyncFn(&Things)) {
        let keys = [("thing", self.thing.as_str()), ("item", "record")];
        let twin = twin_of_table(&self.admin, &self.things_table).await;
        copy_item(&self.admin, &self.things_table, &twin, keys).await;
        change(&Things::new(&self.admin, twin.clone())).await;
        copy_item(&self.admin, &twin, &self.things_table, keys).await;
    }

    pub(crate) async fn begin_retirement(&self, awaiting: &[&str]) {
        let awaiting: BTreeSet<_> = awaiting.iter().map(|name| (*name).to_owned()).collect();
        let order = RetirementOrder { by: "operator".to_owned(), awaiting, expected_version: None };
        self.quietly(async |things| drop(things.begin_retirement(&self.thing, order.clone(), now()).await.unwrap()))
            .await;
    }

    pub(crate) async fn others_acknowledge(&self) {
        self.quietly(async |things| {
            for capability in CAPABILITIES.iter().skip(1) {
                things.acknowledge_retirement(&self.thing, capability, now()).await.unwrap();
            }
        })
        .await;
    }

    pub(crate) async fn retire(&self) -> Result<&'static str, OnboardingFailure> {
        self.retire_with(&self.retirer).await
    }

    /// Again while AWS IoT throttles it, as the queue does: all tests together may end ten connections a second.
    pub(crate) async fn retire_with(&self, retirer: &Retirer) -> Result<&'static str, OnboardingFailure> {
        let started = Instant::now();
        loop {
            let came = retirer.retire(&self.thing, now()).await;
            let throttled = came.as_ref().is_err_and(|failure| failure.class() == Class::Throttled);
            if !throttled || started.elapsed() > patience() {
                return came;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What of the thing is left in AWS IoT and in the catalog, by its name here.
    pub(crate) async fn left(&self) -> Vec<&'static str> {
        let certificate =
            self.iot.describe_certificate().certificate_id(self.certificate.as_str()).send().await.is_ok();
        let named = self.shadows.get_thing_shadow().thing_name(self.thing.as_str()).shadow_name("config").send().await;
        let targets = self.iot.list_targets_for_policy().policy_name(&self.policy).send().await.unwrap();
        let left = [
            ("certificate", certificate),
            ("policy", targets.targets.unwrap_or_default().contains(&self.arn)),
            ("thing", self.attributes().await.is_some()),
            ("shadow", self.shadow().await.is_some()),
            ("named shadow", named.is_ok()),
            ("catalog item", self.item().await.is_some()),
        ];
        left.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect()
    }
}

pub(crate) fn invocation() -> Invocation {
    Invocation { request_id: "test".to_owned(), now: now() }
}

pub(crate) fn message(body: &str) -> Vec<BatchItem> {
    vec![BatchItem { message_id: "0".to_owned(), body: body.to_owned() }]
}
