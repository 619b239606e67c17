//! One test's world: things of its own, callers of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use catalog::{Api, ApiConfig, Config, Handler, Store, routes};
use loam_domain::{ThingName, Timestamp};
use loam_kit::{DeadLetterQueue, Stack, api_event, ask, claim_of, now, seed_membership, unique_thing, with_if_match};
use loam_runtime::{BatchItem, Invocation};
use loam_things::twins::{Twin, Twins};
use loam_things::{Registration, RetirementOrder, Things};
use serde_json::{Value, json};

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) handler: Handler,
    pub(crate) twins: Twins,
    pub(crate) things: Things,
    pub(crate) thing: ThingName,
    pub(crate) stack: Arc<Stack>,
    router: Router,
    dead_letters: DeadLetterQueue,
    rows: aws_sdk_dynamodb::Client,
    config: Config,
}

/// What a route answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) etag: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub(crate) fn code(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    /// The names on a page.
    pub(crate) fn names(&self) -> Vec<String> {
        let items = self.json()["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item["deviceId"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who<'a> {
    Operator,
    User(&'a str),
}

impl World {
    /// A registered thing, of which the catalog knows nothing yet.
    pub(crate) async fn new(purpose: &str) -> Self {
        let stack = Stack::deployed();
        let (projector, api) = (stack.function("CatalogProjector"), stack.function("CatalogApi"));
        let config = Config::from_lookup(&|name| projector.variable(name)).unwrap();
        let api_config = ApiConfig::from_lookup(&|name| api.variable(name)).unwrap();
        let admin = stack.admin().await;
        let world = Self {
            twins: Twins::new(&admin, config.twins_table.clone()),
            things: Things::new(&admin, config.things_table.clone()),
            thing: unique_thing(purpose),
            dead_letters: DeadLetterQueue::new(&admin, stack.output("CatalogDeadLetters")),
            rows: aws_sdk_dynamodb::Client::new(&admin),
            config: config.clone(),
            handler: Handler::new(&stack.role_of(projector, &stack.endpoint).await, config),
            router: routes().with_state(Api::new(&stack.role_of(api, &stack.endpoint).await, api_config)).into(),
            stack: Arc::new(stack),
        };
        world.register(&world.thing).await;
        world
    }

    /// The same clients, with another thing.
    pub(crate) async fn another(&self, purpose: &str) -> Self {
        let world = Self { thing: unique_thing(purpose), ..self.clone() };
        world.register(&world.thing).await;
        world
    }

    /// The same clients, with a name that no thing has.
    pub(crate) fn nothing(&self) -> Self {
        Self { thing: unique_thing("missing"), ..self.clone() }
    }

    pub(crate) async fn register(&self, thing: &ThingName) {
        let registration = Registration {
            thing_type: Some("pot".to_owned()),
            groups: BTreeSet::from(["batch-7".to_owned()]),
            ..claim_of(thing)
        };
        let certificate = registration.certificate.clone();
        self.things.register(thing, registration, now()).await.unwrap();
        self.things.certificate_activated(thing, &certificate, now()).await.unwrap();
    }

    /// Delivers a batch; answers the ids of the messages that must come again, which are their places.
    pub(crate) async fn deliver(&self, bodies: impl IntoIterator<Item = String>) -> Vec<String> {
        let batch = bodies.into_iter().enumerate();
        let batch = batch.map(|(at, body)| BatchItem { message_id: at.to_string(), body }).collect();
        let invocation = Invocation { request_id: "test".to_owned(), now: now() };
        self.handler.handle(batch, &invocation).await.unwrap()
    }

    pub(crate) fn shadow(&self, version: u64, reported: &Value) -> String {
        shadow(&self.thing, version, reported)
    }

    pub(crate) fn shadow_end(&self, version: u64) -> String {
        shadow_end_at(&self.thing, version, now())
    }

    /// The tables that the catalog writes.
    pub(crate) fn store(&self) -> Store {
        let Config { twins_table, groups_table, .. } = self.config.clone();
        Store::of(self.rows.clone(), twins_table, groups_table, self.things.clone())
    }

    /// Makes the thing's row one that nobody can read.
    pub(crate) async fn spoil(&self) {
        let update = self.rows.update_item().table_name(&self.config.twins_table).key("thing", self.key());
        update.update_expression("REMOVE notes").send().await.unwrap();
    }

    /// Takes the thing's row away.
    pub(crate) async fn forget(&self) {
        self.rows.delete_item().table_name(&self.config.twins_table).key("thing", self.key()).send().await.unwrap();
    }

    fn key(&self) -> AttributeValue {
        AttributeValue::S(self.thing.to_string())
    }

    pub(crate) fn presence(&self, version: u64, connected: bool) -> String {
        let kind = if connected { "presence.connected" } else { "presence.disconnected" };
        let id = format!("{}.presence.{version}", self.thing);
        json!({"id": id, "type": kind, "thing": self.thing, "at": now(), "epoch": 1, "data": {"since": version}})
            .to_string()
    }

    pub(crate) fn told(&self, kind: &str) -> String {
        let id = format!("{}.2", self.thing);
        json!({"id": id, "type": kind, "thing": self.thing, "at": now(), "epoch": 1, "data": {}}).to_string()
    }

    pub(crate) async fn twin(&self) -> Option<Twin> {
        self.twins.get(&self.thing).await.unwrap()
    }

    pub(crate) async fn begin_retirement(&self) {
        let order = RetirementOrder {
            by: "test".to_owned(),
            awaiting: BTreeSet::from(["catalog".to_owned()]),
            expected_version: None,
        };
        self.things.begin_retirement(&self.thing, order, now()).await.unwrap();
    }

    pub(crate) async fn kept(&self) -> Vec<Value> {
        self.dead_letters.about(self.thing.as_str()).await
    }

    pub(crate) async fn member(&self, user: &str, role: &str) {
        seed_membership(&self.stack, user, &self.thing, role, 1).await;
    }

    pub(crate) async fn ask(&self, who: Who<'_>, route: &str, path: &str, body: Option<&Value>) -> Answer {
        self.ask_if(who, route, path, body, None).await
    }

    /// A request with `If-Match`.
    pub(crate) async fn ask_if(
        &self,
        who: Who<'_>,
        route: &str,
        path: &str,
        body: Option<&Value>,
        if_match: Option<&str>,
    ) -> Answer {
        let (sub, groups): (&str, &[&str]) = match who {
            Who::Operator => ("an-operator", &["operators"]),
            Who::User(sub) => (sub, &["co-operators"]),
        };
        let event = api_event(route, path, sub, groups, body);
        let answer = ask(self.router.clone(), with_if_match(event, if_match)).await;
        Answer { status: answer.status, etag: answer.header("etag").to_owned(), body: answer.body }
    }

    /// The list of things, for `who`.
    pub(crate) async fn list(&self, who: Who<'_>, query: &str) -> Answer {
        self.ask(who, "GET /v1/things", &format!("/v1/things{query}"), None).await
    }

    pub(crate) async fn show(&self, who: Who<'_>) -> Answer {
        self.ask(who, "GET /v1/things/{thing}", &format!("/v1/things/{}", self.thing), None).await
    }

    pub(crate) async fn patch(&self, who: Who<'_>, body: &Value, if_match: Option<&str>) -> Answer {
        let path = format!("/v1/things/{}", self.thing);
        self.ask_if(who, "PATCH /v1/things/{thing}", &path, Some(body), if_match).await
    }
}

/// The queue's message of a shadow's new state.
pub(crate) fn shadow(thing: &ThingName, version: u64, reported: &Value) -> String {
    shadow_at(thing, version, reported, now())
}

/// The same, of a state of some time ago.
pub(crate) fn shadow_at(thing: &ThingName, version: u64, reported: &Value, at: Timestamp) -> String {
    let document = json!({
        "previous": {"state": {}, "metadata": {}, "version": version - 1},
        "current": {"state": {"desired": {"interval": 30}, "reported": reported}, "metadata": {}, "version": version},
        "timestamp": at.as_secs(),
    });
    of_shadow(thing, "update/documents", &document)
}

/// The queue's message of a shadow's end.
pub(crate) fn shadow_end_at(thing: &ThingName, version: u64, at: Timestamp) -> String {
    of_shadow(thing, "delete/accepted", &json!({"version": version, "timestamp": at.as_secs()}))
}

fn of_shadow(thing: &ThingName, topic: &str, document: &Value) -> String {
    let payload = STANDARD.encode(document.to_string());
    let topic = format!("$aws/things/{thing}/shadow/{topic}");
    json!({"payload": payload, "topic": topic, "clientId": "n/a", "receivedAt": now()}).to_string()
}
