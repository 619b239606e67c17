//! A CA of a journey's own with a profile that an operator put, devices that join under it by themselves, and the places
//! where one sees what became of them.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_iot::types::CertificateStatus;
use loam_device::{Description, Device, Event, Files, Identity, Options, description};
use loam_domain::ThingName;
use loam_kit::{Api, Factory, Made, Person, Stack, eventually, patience, unique_thing};
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

pub(crate) struct Newcomers {
    pub(crate) stack: Stack,
    pub(crate) factory: Factory,
    pub(crate) operator: Api,
    pub(crate) admin: aws_config::SdkConfig,
    pub(crate) iot: aws_sdk_iot::Client,
}

/// A device that has joined.
pub(crate) struct Member {
    pub(crate) thing: ThingName,
    pub(crate) made: Made,
    pub(crate) device: Device,
    pub(crate) events: Receiver<Event>,
}

impl Newcomers {
    /// A CA with this profile.
    pub(crate) async fn new(profile: &Value) -> Self {
        let world = Self::without_profile().await;
        let path = format!("/v1/ca-profiles/{}", world.factory.ca_id);
        let put = world.operator.send("PUT", &path, &[], Some(profile)).await;
        assert_eq!(put.status, 201, "{}", put.body);
        world
    }

    /// A CA that AWS knows and nobody gave a profile.
    pub(crate) async fn without_profile() -> Self {
        let stack = Stack::deployed();
        let admin = stack.admin().await;
        let name = unique_thing("operator");
        let operator = Person::of(&stack, name.as_str(), &["operators"]).await;
        Self {
            factory: Factory::open(&stack).await,
            operator: Api::new(&stack, Some(&operator.token)),
            iot: aws_sdk_iot::Client::new(&admin),
            admin,
            stack,
        }
    }

    /// A device joins by itself, and is connected.
    pub(crate) async fn joined(&self, purpose: &str) -> Member {
        let thing = unique_thing(purpose);
        let made = self.factory.certificate(thing.as_str(), &[]).await;
        let device = self.switched_on(&made, Options::default());
        let events = device.events();
        in_time("the device joins", device.connected()).await.unwrap();
        Member { thing, made, device, events }
    }

    /// The same, and it has said what it is.
    pub(crate) async fn onboarded(&self, purpose: &str) -> Member {
        let member = self.joined(purpose).await;
        description::tell(&member.device, &Description::soil_sensor(member.thing.as_str(), "localhost")).await.unwrap();
        self.is_in_state(&member.thing, "onboarded").await;
        member
    }

    /// A device with these credentials, that tries to connect from now on.
    pub(crate) fn switched_on(&self, made: &Made, options: Options) -> Device {
        let files = Files {
            root_ca: made.credentials.root_ca.clone(),
            certificate: made.credentials.cert.clone(),
            private_key: made.credentials.key.clone(),
        };
        let identity = Identity::load(&made.credentials.thing, "localhost", self.stack.mqtt_port, &files).unwrap();
        Device::connect(&identity, options).unwrap()
    }

    /// What the thing's life-cycle route answers.
    pub(crate) async fn life(&self, thing: &ThingName) -> Value {
        self.operator.get(&format!("/v1/things/{thing}/lifecycle")).await.json()
    }

    /// Waits until the life-cycle route says so; its whole answer.
    pub(crate) async fn is_in_state(&self, thing: &ThingName, state: &str) -> Value {
        eventually(&format!("{thing} is {state}"), async || {
            let life = self.life(thing).await;
            (life["record"]["state"] == state).then_some(life)
        })
        .await
    }

    /// What the presence route answers.
    pub(crate) async fn presence(&self, thing: &ThingName) -> Value {
        self.operator.get(&format!("/v1/things/{thing}/presence")).await.json()
    }

    /// What the shadow shows; `null` without one.
    pub(crate) async fn shadow(&self, thing: &ThingName) -> Value {
        let data = aws_sdk_iotdataplane::Client::new(&self.admin);
        let shadow = data.get_thing_shadow().thing_name(thing.as_str()).send().await;
        let payload = shadow.ok().and_then(|answer| answer.payload);
        payload.map(|payload| serde_json::from_slice(payload.as_ref()).unwrap()).unwrap_or_default()
    }

    /// What AWS IoT says of a certificate; `None` for one that it does not have.
    pub(crate) async fn status(&self, certificate: &str) -> Option<CertificateStatus> {
        let answer = self.iot.describe_certificate().certificate_id(certificate).send().await;
        answer.ok().map(|answer| answer.certificate_description.unwrap().status.unwrap())
    }

    /// How many items of a table of the stack have this value in the key `key`.
    pub(crate) async fn items(&self, table: &str, key: &str, value: &str) -> Vec<Item> {
        let client = aws_sdk_dynamodb::Client::new(&self.admin);
        let query = client.query().table_name(&self.stack.resources[table]).consistent_read(true);
        let query = query.key_condition_expression("#key = :value").expression_attribute_names("#key", key);
        let query = query.expression_attribute_values(":value", AttributeValue::S(value.to_owned()));
        query.send().await.unwrap().items.unwrap_or_default()
    }
}

pub(crate) type Item = std::collections::HashMap<String, AttributeValue>;

/// The types in a page of history, the oldest first.
pub(crate) fn types(history: &Value) -> Vec<String> {
    let items = history["items"].as_array().unwrap().iter().rev();
    items.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

/// What comes of `work`, which takes a device as long as its back-off says: three times what is soon.
pub(crate) async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    let limit = patience() * 3;
    timeout(limit, work).await.unwrap_or_else(|_| panic!("did not happen within {limit:?}: {what}"))
}

/// Waits for an event of the device that `wanted` knows.
pub(crate) async fn hears(events: &mut Receiver<Event>, what: &str, wanted: impl Fn(&Event) -> bool) {
    in_time(what, async { while !wanted(&events.recv().await.unwrap()) {} }).await;
}
