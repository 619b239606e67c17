//! One test's world: a thing, its people with their apps, and the relay.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::ThingName;
use loam_kit::{App, DeadLetterQueue, LiveAccess, Person, Stack, api_event, ask, claims, now, unique_thing};
use loam_runtime::{BatchItem, Invocation};
use pairing::credentials::{CredentialsConfig, Issuer, routes};
use pairing::people::UserId;
use pairing::relay::{Handler, RelayConfig};
use pairing::store::Store;
use serde_json::{Value, json};

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) stack: Arc<Stack>,
    pub(crate) thing: ThingName,
    pub(crate) store: Store,
    pub(crate) dead_letters: DeadLetterQueue,
    relay: Handler,
    router: Router,
    rows: aws_sdk_dynamodb::Client,
    table: String,
}

/// A thing's people, each with an app that listens.
pub(crate) struct Home {
    pub(crate) users: Vec<UserId>,
    pub(crate) identities: Vec<String>,
    pub(crate) apps: Vec<App>,
    asked: usize,
}

impl World {
    pub(crate) async fn new(purpose: &str) -> Self {
        let stack = Stack::deployed();
        let function = stack.function("PairingRelay");
        let config = RelayConfig::from_lookup(&|name| function.variable(name)).unwrap();
        let (admin, role) = (stack.admin().await, stack.role_of(function, &stack.endpoint).await);
        let table = config.pairings_table.clone();
        let issuer = CredentialsConfig {
            pairings_table: table.clone(),
            identity_pool: stack.output("IdentityPoolId").to_owned(),
            identity_provider: format!("cognito-idp.{}.amazonaws.com/{}", stack.region, stack.output("UserPoolId")),
            app_policy: stack.resources["AppPolicy"].clone(),
            iot_endpoint: stack.output("IotEndpoint").to_owned(),
        };
        Self {
            thing: unique_thing(purpose),
            store: Store::of_mailboxes(&admin, table.clone()),
            dead_letters: DeadLetterQueue::new(&admin, stack.output("RelayDeadLetters")),
            relay: Handler::new(&role, config),
            router: routes().with_state(Issuer::new(&admin, issuer)).into(),
            rows: aws_sdk_dynamodb::Client::new(&admin),
            table,
            stack: Arc::new(stack),
        }
    }

    /// What `POST /v1/credentials` answers to an id token.
    pub(crate) async fn credentials(&self, token: &str) -> (u16, Value) {
        let sub = claims(token)["sub"].as_str().unwrap().to_owned();
        self.asked("id", token, &sub).await
    }

    /// The same for a token of any use, as the gateway hands it over.
    pub(crate) async fn asked(&self, token_use: &str, token: &str, sub: &str) -> (u16, Value) {
        let mut event = api_event("POST /v1/credentials", "/v1/credentials", sub, &[], None);
        event["requestContext"]["authorizer"]["jwt"]["claims"]["token_use"] = json!(token_use);
        event["headers"]["authorization"] = json!(format!("Bearer {token}"));
        let answer = ask(self.router.clone(), event).await;
        (answer.status, serde_json::from_str(&answer.body).unwrap())
    }

    /// Delivers to the relay as its queue does; answers the ids of the messages that must come again.
    pub(crate) async fn deliver(&self, messages: impl IntoIterator<Item = Value>) -> Vec<String> {
        let item = |(at, event): (usize, Value)| BatchItem { message_id: at.to_string(), body: event.to_string() };
        let batch = messages.into_iter().enumerate().map(item).collect();
        let invocation = Invocation { request_id: "test".to_owned(), now: now() };
        self.relay.handle(batch, &invocation).await.unwrap()
    }

    /// The rule's message of a shadow that reports this, just now.
    pub(crate) fn document(&self, reported: &Value) -> Value {
        let times: serde_json::Map<_, _> = reported
            .as_object()
            .unwrap()
            .keys()
            .map(|name| (name.clone(), json!({"timestamp": now().as_secs()})))
            .collect();
        let document =
            json!({"current": {"state": {"reported": reported}, "metadata": {"reported": times}, "version": 4}});
        let topic = format!("$aws/things/{}/shadow/update/documents", self.thing);
        json!({"payload": STANDARD.encode(document.to_string()), "topic": topic, "receivedAt": now().as_millis()})
    }

    /// An event of the thing's first owner's time.
    pub(crate) fn event(&self, kind: &str) -> Value {
        json!({"id": format!("{}.{kind}", self.thing), "type": kind, "thing": self.thing.as_str(), "at": now().as_millis(),
               "epoch": 1, "data": {}})
    }

    /// A notice, as SNS hands it over.
    pub(crate) fn notice(&self) -> Value {
        let attribute = |value: &str| json!({"Type": "String", "Value": value});
        let time = jiff::Timestamp::from_millisecond(now().as_millis()).unwrap().to_string();
        let attributes =
            json!({"noticeId": attribute("n1"), "kind": attribute("opened"), "thing": attribute(self.thing.as_str())});
        json!({"Type": "Notification", "TopicArn": "arn:aws:sns:x", "Message": "It is dry", "Subject": "Attention",
               "Timestamp": time, "MessageAttributes": attributes})
    }

    /// Writes whose `thing` is.
    async fn owned(&self, thing: &ThingName, epoch: u64, members: &[UserId]) {
        let since = now().plus_millis(-60_000);
        let member = |at: usize| json!({"role": if at == 0 { "owner" } else { "viewer" }, "since": since, "by": null, "mail": false});
        let people: serde_json::Map<_, _> =
            members.iter().enumerate().map(|(at, user)| (user.to_string(), member(at))).collect();
        let state =
            if members.is_empty() { json!({"state": "erasing", "heir": null}) } else { json!({"state": "paired"}) };
        let row = json!({"version": 1, "epoch": epoch, "standing": state, "since": since, "updatedAt": since,
                         "members": people, "invitations": {}, "offer": null, "lastEnd": null});
        let put = self.rows.put_item().table_name(&self.table).item("thing", AttributeValue::S(thing.to_string()));
        let put =
            put.item("item", AttributeValue::S("tenancy".to_owned())).item("row", AttributeValue::S(row.to_string()));
        put.send().await.unwrap();
    }
}

impl Home {
    /// The people of the world's thing, the first its owner.
    pub(crate) async fn new(world: &World, names: &[&str]) -> Self {
        Self::of(world, &world.thing, names).await
    }

    /// People of another thing.
    pub(crate) async fn of_another_thing(world: &World, names: &[&str]) -> Self {
        Self::of(world, &unique_thing("live-another"), names).await
    }

    async fn of(world: &World, thing: &ThingName, names: &[&str]) -> Self {
        let mut home = Self { users: vec![], identities: vec![], apps: vec![], asked: 0 };
        for name in names {
            let person = Person::of(&world.stack, name, &[]).await;
            let (status, body) = world.credentials(&person.id_token).await;
            assert_eq!(status, 200, "{}", body["code"]);
            let access = access(&body);
            home.users.push(UserId::parse(&user_of(&person)).unwrap());
            home.identities.push(access.identity_id.clone());
            home.apps.push(App::listening(&world.stack, &access).await);
        }
        world.owned(thing, 1, &home.users).await;
        home
    }

    /// Takes one of the people out.
    pub(crate) async fn remove(&self, world: &World, at: usize) {
        let users: Vec<_> =
            self.users.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, user)| user.clone()).collect();
        world.owned(&world.thing, 1, &users).await;
    }

    /// Ends the owner's time.
    pub(crate) async fn end(&self, world: &World) {
        world.owned(&world.thing, 2, &[]).await;
    }

    /// All that one of them has heard and not yet taken.
    pub(crate) async fn heard_by_now(&mut self, at: usize) -> Vec<(String, Value)> {
        self.asked += 1;
        let own = format!("loam/users/{}/asked/{}", self.identities[at], self.asked);
        self.apps[at].heard_by_now(&own).await
    }
}

/// What an answer of the route gives an app.
pub(crate) fn access(answer: &Value) -> LiveAccess {
    serde_json::from_value(answer.clone()).unwrap()
}

/// Who it is.
pub(crate) fn user_of(person: &Person) -> String {
    claims(&person.id_token)["sub"].as_str().unwrap().to_owned()
}
