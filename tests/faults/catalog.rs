//! catalog: messages of the queue, and requests that write.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use catalog::{Config, Handler};
use loam_domain::{ThingName, Timestamp};
use loam_kit::wiretap::Scenario;
use loam_kit::{DeadLetterQueue, Stack, begin_retirement, now, register_active, twin_of_table, unique_thing};
use loam_runtime::{BatchItem, Invocation};
use loam_things::Things;
use loam_things::twins::{Twin, Twins};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::catalog_routes::{Request, Who};
use crate::{all_done, survives_crashes, survives_strain};

/// A story of the queue: what was said before, and the batch that comes.
pub(crate) struct Story {
    name: &'static str,
    before: &'static [Said],
    /// Whether the thing is in a group.
    grouped: bool,
    batch: &'static [Said],
}

/// A message of the queue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Said {
    Shadow(u64),
    Presence(u64),
    Onboarded,
    Retiring,
    Broken,
}

pub(crate) const STORIES: [Story; 4] = [
    Story {
        name: "projector: the first shadow and presence of a thing",
        before: &[],
        grouped: false,
        batch: &[Said::Shadow(3), Said::Presence(1)],
    },
    Story {
        name: "projector: one thing's shadow, twice, and its description",
        before: &[Said::Shadow(3)],
        grouped: false,
        batch: &[Said::Shadow(4), Said::Shadow(3), Said::Onboarded],
    },
    Story {
        name: "projector: a thing in a group retires",
        before: &[Said::Shadow(3)],
        grouped: true,
        batch: &[Said::Retiring],
    },
    Story {
        name: "projector: a message that nobody can read, and a shadow",
        before: &[Said::Shadow(3)],
        grouped: false,
        batch: &[Said::Broken, Said::Shadow(4)],
    },
];

/// A thing that is registered and active, in records of which no deployed function hears, and in a copy of its record
/// where the handlers look.
pub(crate) struct Thing {
    pub(crate) name: ThingName,
    unheard: Things,
    tables: aws_sdk_dynamodb::Client,
    of_the_stack: String,
    at: Timestamp,
}

/// The records of this process's things: a table without a stream.
static UNHEARD: OnceCell<String> = OnceCell::const_new();

impl Thing {
    pub(crate) async fn new(stack: &Stack, purpose: &str) -> Self {
        let (admin, of_the_stack) = (stack.admin().await, stack.resources.get("ThingsTable").unwrap().clone());
        let unheard = UNHEARD.get_or_init(|| twin_of_table(&admin, &of_the_stack)).await.clone();
        let tables = aws_sdk_dynamodb::Client::new(&admin);
        let (unheard, name, at) = (Things::new(&admin, unheard), unique_thing(purpose), now());
        register_active(&unheard, &name).await;
        let thing = Self { name, unheard, tables, of_the_stack, at };
        thing.copy().await;
        thing
    }

    /// Brings the record to where the handlers look.
    async fn copy(&self) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let record = self.tables.get_item().table_name(UNHEARD.get().unwrap()).consistent_read(true);
        let record = record.key("thing", text(self.name.as_str())).key("item", text("record")).send().await.unwrap();
        let put = self.tables.put_item().table_name(&self.of_the_stack).set_item(record.item);
        put.send().await.unwrap();
    }

    async fn begins_to_retire(&self) {
        begin_retirement(&self.unheard, &self.name, &["catalog", "others"], self.at).await;
        self.copy().await;
    }

    /// Who has not acknowledged, once it retires.
    async fn awaiting(&self, stack: &Stack) -> Option<BTreeSet<String>> {
        let things = Things::new(&stack.admin().await, self.of_the_stack.clone());
        things.get(&self.name).await.unwrap().unwrap().retirement.map(|retirement| retirement.awaiting)
    }

    /// The queue's message.
    fn message(&self, said: Said) -> String {
        let event = |kind: &str, id: String, data: Value| {
            json!({"id": id, "type": kind, "thing": self.name, "at": self.at, "epoch": 1, "data": data}).to_string()
        };
        match said {
            Said::Shadow(version) => self.shadow(&json!({
                "current": {"state": {"desired": {}, "reported": {"humidity": version}}, "version": version},
                "timestamp": self.at.as_secs(),
            })),
            Said::Broken => self.shadow(&json!({"current": {}})),
            Said::Presence(version) => {
                event("presence.connected", format!("{}.presence.{version}", self.name), json!({"since": self.at}))
            }
            Said::Onboarded => event("thing.onboarded", format!("{}.3", self.name), json!({})),
            Said::Retiring => event("thing.retiring", format!("{}.4", self.name), json!({})),
        }
    }

    fn shadow(&self, document: &Value) -> String {
        let topic = format!("$aws/things/{}/shadow/update/documents", self.name);
        let payload = STANDARD.encode(document.to_string());
        json!({"payload": payload, "topic": topic, "clientId": "n/a", "receivedAt": self.at}).to_string()
    }

    fn batch(&self, said: &[Said]) -> Vec<BatchItem> {
        let item = |(at, said): (usize, &Said)| BatchItem { message_id: at.to_string(), body: self.message(*said) };
        said.iter().enumerate().map(item).collect()
    }

    /// Tells the catalog of the thing, under the administrator's key.
    pub(crate) async fn tell(&self, stack: &Stack, said: &[Said]) {
        let config = config(stack);
        let handler = Handler::new(&stack.admin().await, config);
        let invocation = Invocation { request_id: "fault".to_owned(), now: self.at };
        assert!(handler.handle(self.batch(said), &invocation).await.unwrap().is_empty());
    }
}

/// The letters and digits of a name as hexadecimal digits: unique if the name is.
fn config(stack: &Stack) -> Config {
    let function = stack.function("CatalogProjector");
    Config::from_lookup(&|name| function.variable(name)).unwrap()
}

/// One run's world.
pub(crate) struct World {
    stack: Stack,
    handler: Handler,
    thing: Thing,
    twins: Twins,
    dead_letters: DeadLetterQueue,
    batch: Vec<BatchItem>,
    group: String,
}

/// What is left after a run: the twin but for its version, who awaits, what the group says of itself, refusals.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    twin: Option<Value>,
    awaiting: Option<BTreeSet<String>>,
    group: Value,
    refused: BTreeSet<String>,
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
        let thing = Thing::new(&stack, "fault").await;
        if !self.before.is_empty() {
            thing.tell(&stack, self.before).await;
        }
        let group = unique_thing("group").to_string();
        if self.grouped {
            let operator = Request::stage(&stack).await;
            operator.send(Who::Operator, "PUT", &format!("/v1/groups/{group}"), Some(&json!({}))).await?;
            operator.send(Who::Operator, "PUT", &format!("/v1/groups/{group}/things/{}", thing.name), None).await?;
        }
        if self.batch.contains(&Said::Retiring) {
            thing.begins_to_retire().await;
        }
        let (admin, config) = (stack.admin().await, config(&stack));
        Ok(World {
            twins: Twins::new(&admin, config.twins_table.clone()),
            dead_letters: DeadLetterQueue::new(&admin, stack.output("CatalogDeadLetters")),
            handler: Handler::new(&stack.role_of(stack.function("CatalogProjector"), endpoint).await, config),
            batch: thing.batch(self.batch),
            thing,
            group,
            stack,
        })
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        let invocation = Invocation { request_id: "fault".to_owned(), now: now() };
        all_done(world.handler.handle(world.batch.clone(), &invocation).await)
    }

    async fn state(&self, world: &World) -> Result<Left, String> {
        let awaiting = world.thing.awaiting(&world.stack).await;
        let group = if self.grouped {
            let operator = Request::stage(&world.stack).await;
            operator.send(Who::Operator, "GET", &format!("/v1/groups/{}", world.group), None).await?
        } else {
            Value::Null
        };
        let kept = world.dead_letters.about(world.thing.name.as_str()).await;
        let code = |kept: Value| kept.get("code").and_then(Value::as_str).unwrap_or("no code").to_owned();
        let twin = world.twins.get(&world.thing.name).await.unwrap();
        Ok(Left {
            twin: twin.as_ref().map(Twin::document).map(|document| without(document, &world.thing.name)),
            awaiting,
            group: group.get("members").cloned().unwrap_or_default(),
            refused: kept.into_iter().map(code).collect(),
        })
    }
}

/// A document without what differs between two worlds.
pub(crate) fn without(mut document: Value, name: &ThingName) -> Value {
    if let Some(fields) = document.as_object_mut() {
        fields.remove("registeredAt");
        if let Some(connectivity) = fields.get_mut("connectivity").and_then(Value::as_object_mut) {
            connectivity.remove("since");
        }
    }
    serde_json::from_str(&document.to_string().replace(name.as_str(), "thing")).unwrap()
}

#[tokio::test]
async fn a_crash_at_any_call_changes_no_twin_in_the_end() {
    for story in &STORIES {
        survives_crashes(story).await;
    }
}

#[tokio::test]
async fn throttling_and_failures_at_any_call_lose_no_news() {
    for story in &STORIES {
        survives_strain(story).await;
    }
}
