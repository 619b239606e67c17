//! One test's world: a thing of its own, people, and if it is wanted a device.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_iotdataplane::primitives::Blob;
use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use commands::{Api, ApiConfig, Config, Handler, Sweep, SweepConfig, routes};
use loam_device::{Device, Files, Identity, Options};
use loam_domain::{ThingName, Timestamp};
use loam_kit::{
    Answer, Stack, api_event, ask_at, begin_retirement, end_tenure, eventually, join, now, register_paired,
    seed_membership, unique_thing, with_headers,
};
use loam_runtime::{BatchItem, Invocation};
use loam_things::{ThingRecord, Things};
use serde_json::{Value, json};

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) stack: Arc<Stack>,
    pub(crate) thing: ThingName,
    pub(crate) owner: String,
    pub(crate) handler: Handler,
    pub(crate) sweep: Sweep,
    pub(crate) things: Things,
    pub(crate) config: Config,
    router: Router,
    rows: aws_sdk_dynamodb::Client,
    shadows: aws_sdk_iotdataplane::Client,
}

/// The id in an answer that something is queued.
pub(crate) fn id_in(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{}", answer.body);
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// Status and code of a problem.
pub(crate) fn problem(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code())
}

/// A device, and what it got without having subscribed.
pub(crate) struct Connected {
    pub(crate) device: Device,
    got: tokio::sync::Mutex<tokio::sync::broadcast::Receiver<loam_device::Message>>,
}

impl Connected {
    /// The next request.
    pub(crate) async fn next(&self) -> Value {
        let message = self.got.lock().await.recv().await.unwrap();
        assert!(message.topic.ends_with("/request"), "{}", message.topic);
        serde_json::from_slice(&message.payload).unwrap()
    }

    /// The ids of all requests up to now.
    pub(crate) async fn ids(&self) -> Vec<String> {
        let (mut got, mut ids) = (self.got.lock().await, vec![]);
        while let Ok(message) = got.try_recv() {
            let request: Value = serde_json::from_slice(&message.payload).unwrap();
            ids.push(request["id"].as_str().unwrap().to_owned());
        }
        ids
    }

    pub(crate) async fn say(&self, id: &str, word: &str, payload: &Value) {
        let topic = format!("loam/{}/commands/{id}/{word}", self.device.thing());
        self.device.deliver(&topic, payload.to_string().as_bytes(), loam_device::QoS::AtLeastOnce).await.unwrap();
    }
}

impl World {
    /// An onboarded, paired thing with an owner, and no device.
    pub(crate) async fn new(purpose: &str) -> Self {
        let stack = Stack::deployed();
        let admin = stack.admin().await;
        let [queue, api, sweep] = ["Commands", "CommandsApi", "CommandsSweep"].map(|name| stack.function(name));
        let config = Config::from_lookup(&|name| queue.variable(name)).unwrap();
        let api_config = ApiConfig::from_lookup(&|name| api.variable(name)).unwrap();
        let sweep_config = SweepConfig::from_lookup(&|name| sweep.variable(name)).unwrap();
        let world = Self {
            thing: unique_thing(purpose),
            owner: unique_thing("user").to_string(),
            handler: Handler::new(&stack.role_of(queue, &stack.endpoint).await, config.clone()),
            router: routes().with_state(Api::new(&stack.role_of(api, &stack.endpoint).await, api_config)).into(),
            sweep: Sweep::new(&stack.role_of(sweep, &stack.endpoint).await, sweep_config),
            things: Things::new(&admin, config.things_table.clone()),
            rows: aws_sdk_dynamodb::Client::new(&admin),
            shadows: aws_sdk_iotdataplane::Client::new(&admin),
            config,
            stack: Arc::new(stack),
        };
        world.pair().await;
        world
    }

    /// The same clients, with another thing and owner.
    pub(crate) async fn another(&self, purpose: &str) -> Self {
        let (thing, owner) = (unique_thing(purpose), unique_thing("user").to_string());
        let world = Self { thing, owner, ..self.clone() };
        world.pair().await;
        world
    }

    async fn pair(&self) {
        register_paired(&self.things, &self.thing).await;
        seed_membership(&self.stack, &self.owner, &self.thing, "owner", self.record().await.epoch).await;
    }

    pub(crate) async fn record(&self) -> ThingRecord {
        self.things.get(&self.thing).await.unwrap().unwrap()
    }

    /// Ends the owner's time, for commands alone.
    pub(crate) async fn unpair(&self) {
        end_tenure(&self.things, &self.thing, &["commands"], now()).await;
    }

    pub(crate) async fn begin_retirement(&self) {
        begin_retirement(&self.things, &self.thing, &["commands", "others"], now()).await;
    }

    /// The thing's device, connected. Its certificate is another than the record's, which nobody asks for here.
    pub(crate) async fn device(&self) -> Connected {
        let joined = join(&self.stack, &[self.thing.as_str()]).await.remove(0);
        self.connect(joined).await
    }

    /// The same, with a policy that lets it do all but receive.
    pub(crate) async fn deaf_device(&self) -> Connected {
        let joined = join(&self.stack, &[self.thing.as_str()]).await.remove(0);
        let iot = aws_sdk_iot::Client::new(&self.stack.admin().await);
        let principals = iot.list_thing_principals().thing_name(self.thing.as_str()).send().await.unwrap();
        let certificate = principals.principals().first().unwrap().clone();
        let name = format!("deaf-{}", self.thing);
        let allow =
            json!({"Effect": "Allow", "Action": ["iot:Connect", "iot:Publish", "iot:Subscribe"], "Resource": "*"});
        let document = json!({"Version": "2012-10-17", "Statement": [allow]}).to_string();
        iot.create_policy().policy_name(&name).policy_document(document).send().await.unwrap();
        iot.attach_policy().policy_name(&name).target(&certificate).send().await.unwrap();
        let policy = self.stack.output("DevicePolicyName");
        iot.detach_policy().policy_name(policy).target(&certificate).send().await.unwrap();
        self.connect(joined).await
    }

    async fn connect(&self, joined: loam_kit::Credentials) -> Connected {
        let files = Files { root_ca: joined.root_ca, certificate: joined.cert, private_key: joined.key };
        let identity = Identity::load(self.thing.as_str(), "localhost", self.stack.mqtt_port, &files).unwrap();
        let device = Device::connect(&identity, Options::default()).unwrap();
        let got = tokio::sync::Mutex::new(device.unsolicited());
        device.connected().await.unwrap();
        Connected { device, got }
    }

    /// Delivers messages one by one, each in a run of its own, at `at`; all of them must be done with.
    pub(crate) async fn deliver_at(&self, bodies: impl IntoIterator<Item = String>, at: Timestamp) {
        for body in bodies {
            let batch = vec![BatchItem { message_id: "m".to_owned(), body }];
            let invocation = Invocation { request_id: unique_thing("run").to_string(), now: at };
            assert_eq!(self.handler.handle(batch, &invocation).await.unwrap(), [""; 0]);
        }
    }

    pub(crate) async fn deliver(&self, body: String) {
        self.deliver_at([body], now()).await;
    }

    /// One run that sends.
    pub(crate) async fn run(&self) {
        self.deliver(json!({"deliver": self.thing}).to_string()).await;
    }

    /// The message of the rule on feedback.
    pub(crate) fn said(&self, id: &str, word: &str, payload: &str, at: Timestamp) -> String {
        rule(&format!("loam/{}/commands/{id}/{word}", self.thing), payload, at)
    }

    pub(crate) fn event(&self, kind: &str) -> String {
        let id = format!("{}.9", self.thing);
        json!({"id": id, "type": kind, "thing": self.thing, "at": now(), "epoch": 1, "data": {}}).to_string()
    }

    /// Makes `user` the one behind an identity; answers it.
    pub(crate) async fn identity(&self, user: &str) -> String {
        let identity = format!("eu-west-1:{}", unique_thing("identity"));
        let put = self.rows.put_item().table_name(&self.config.pairings_table);
        let put = put.item("thing", text(&format!("identity#{identity}"))).item("item", text("identity"));
        put.item("user", text(user)).send().await.unwrap();
        identity
    }

    /// A request of somebody.
    pub(crate) async fn ask(
        &self,
        (sub, groups): (&str, &[&str]),
        (method, path): (&str, &str),
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let event = api_event(&format!("{method} /v1/test"), path, sub, groups, body);
        // Each a run of its own, which is what tells a repeat from its first try.
        let request_id = unique_thing("request");
        ask_at(self.router.clone(), with_headers(event, headers), request_id.as_str(), now()).await
    }

    /// A request of the owner.
    pub(crate) async fn own(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.ask((&self.owner, &[]), (method, path), body, &[]).await
    }

    pub(crate) fn commands(&self) -> String {
        format!("/v1/things/{}/commands", self.thing)
    }

    pub(crate) fn state_path(&self) -> String {
        format!("/v1/things/{}/state", self.thing)
    }

    pub(crate) async fn order(&self, body: &Value) -> Answer {
        self.own("POST", &self.commands(), Some(body)).await
    }

    pub(crate) async fn show(&self, id: &str) -> Value {
        let answer = self.own("GET", &format!("/v1/commands/{id}"), None).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// Waits until the command is in this state; answers it.
    pub(crate) async fn becomes(&self, id: &str, state: &str) -> Value {
        eventually(&format!("the command is {state}"), async || {
            let command = self.show(id).await;
            (command["state"] == state).then_some(command)
        })
        .await
    }

    /// What the device reports, written under the administrator's key.
    pub(crate) async fn report(&self, reported: &Value) {
        let document = json!({"state": {"reported": reported}}).to_string();
        let update = self.shadows.update_thing_shadow().thing_name(self.thing.as_str());
        update.payload(Blob::new(document)).send().await.unwrap();
    }

    /// Of how many of these things the catalog knows.
    pub(crate) async fn twins(&self, names: &[String]) -> usize {
        let twins = loam_things::twins::Twins::new(&self.stack.admin().await, self.config.twins_table.clone());
        let names: Vec<_> = names.iter().map(|name| ThingName::parse(name).unwrap()).collect();
        twins.batch(&names).await.unwrap().0.len()
    }

    /// How many rows of the thing there are, the line aside.
    pub(crate) async fn rows(&self) -> usize {
        let query = self.rows.query().table_name(&self.config.commands_table).consistent_read(true);
        let query = query.key_condition_expression("thing = :thing");
        let query = query.expression_attribute_values(":thing", text(self.thing.as_str()));
        let items = query.send().await.unwrap().items.unwrap_or_default();
        items.iter().filter(|item| item["item"].as_s().unwrap() != "line").count()
    }
}

/// What a rule hands over.
pub(crate) fn rule(topic: &str, payload: &str, at: Timestamp) -> String {
    json!({"payload": STANDARD.encode(payload), "topic": topic, "clientId": "c", "receivedAt": at}).to_string()
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}
