//! presence: who connected, who left, a last will, the end of a thing, and the routes.

use std::collections::BTreeSet;

use aws_sdk_iotdataplane::primitives::Blob;
use loam_domain::{ThingName, Timestamp};
use loam_kit::wiretap::Scenario;
use loam_kit::{
    DeadLetterQueue, Stack, api_event, ask, begin_retirement, now, register_active, rule_event, seed_membership,
    unique_thing,
};
use loam_runtime::{BatchItem, Invocation};
use loam_things::Things;
use presence::{Api, ApiConfig, Config, Handler, Known, Store};
use serde_json::{Value, json};

use crate::erasures::Records;
use crate::soil_sweep::Tables;
use crate::{all_done, survives_crashes, survives_strain};

/// What comes in.
#[derive(Clone, Copy)]
pub(crate) enum Comes {
    /// The connected event of a version number.
    Connected(i64),
    /// The disconnected event of a version number, with its reason.
    Disconnected(i64, &'static str),
    /// The last will.
    Will,
    /// The connected event, broken.
    Broken,
    /// The last will, broken.
    BrokenWill,
    /// The order to erase.
    Retiring,
    /// A request of an operator, by what follows the thing in its path.
    Request(&'static str, &'static str),
    /// A request of a viewer, likewise.
    Viewed(&'static str, &'static str),
    /// A request of somebody who is no member, likewise.
    Tried(&'static str, &'static str),
}

/// By which function it comes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// `presence`.
    Rule,
    /// `presence-delayed`.
    Queue,
    /// `presence-api`.
    Api,
}

/// A story: what came before, and what comes now.
#[derive(Clone, Copy)]
pub(crate) struct Story {
    name: &'static str,
    pub(crate) by: By,
    before: &'static [Comes],
    /// Whether the thing is ours.
    ours: bool,
    comes: Comes,
    /// Where the record of a thing that retires lies.
    tables: Tables,
}

impl Story {
    /// The same, where the deployed saga does not hear that the thing retires.
    fn unheard(&self) -> Self {
        let tables = if matches!(self.comes, Retiring) { Tables::Own } else { self.tables };
        Self { tables, ..*self }
    }
}

const fn story(name: &'static str, by: By, before: &'static [Comes], comes: Comes) -> Story {
    Story { name, by, before, ours: true, comes, tables: Tables::OfTheStack }
}

use Comes::{Broken, BrokenWill, Connected, Disconnected, Request, Retiring, Tried, Viewed, Will};

pub(crate) const STORIES: [Story; 18] = [
    story("connected for the first time", By::Rule, &[], Connected(1)),
    story("connected again before it was missed", By::Rule, &[Connected(1)], Connected(2)),
    story("connected, told twice", By::Rule, &[Connected(1)], Connected(1)),
    Story { ours: false, ..story("a stranger connected", By::Rule, &[], Connected(1)) },
    story("a broken event of a thing", By::Rule, &[Connected(1)], Broken),
    story("disconnected", By::Queue, &[Connected(1)], Disconnected(1, "CONNECTION_LOST")),
    story("disconnected, but it is back", By::Queue, &[Connected(1), Connected(2)], Disconnected(1, "CONNECTION_LOST")),
    story("taken over by nobody", By::Queue, &[Connected(1)], Disconnected(1, "DUPLICATE_CLIENTID")),
    story("a last will, and AWS IoT knows it no more", By::Queue, &[Connected(1)], Will),
    story("a broken will of a thing", By::Queue, &[Connected(1)], BrokenWill),
    story("a thing retires", By::Queue, &[Connected(1), Disconnected(1, "CONNECTION_LOST")], Retiring),
    story("GET presence of a thing that never connected", By::Api, &[], Request("presence", "")),
    story("GET presence?live=true repairs", By::Api, &[Connected(1)], Request("presence", "?live=true")),
    story("GET presence/history, a page of one", By::Api, &[Connected(1)], Request("presence/history", "?limit=1")),
    story("GET presence: a viewer", By::Api, &[Connected(1)], Viewed("presence", "")),
    story("GET presence?live=true: a viewer repairs", By::Api, &[Connected(1)], Viewed("presence", "?live=true")),
    story("GET presence/history: a viewer", By::Api, &[Connected(1)], Viewed("presence/history", "")),
    story("GET presence: a stranger", By::Api, &[Connected(1)], Tried("presence", "")),
];

/// One run's world.
pub(crate) struct World {
    handler: Handler,
    api: Option<Api>,
    thing: ThingName,
    at: Timestamp,
    rows: Store,
    things: Things,
    shadows: aws_sdk_iotdataplane::Client,
    dead_letters: DeadLetterQueue,
}

/// What is left after a run: what the table and the shadow say, what was told, what was refused, and which capabilities
/// must still acknowledge a retirement.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    known: Option<(bool, i64, Option<String>)>,
    erased: bool,
    shadow: Option<bool>,
    told: Vec<&'static str>,
    refused: Vec<String>,
    awaited: Option<BTreeSet<String>>,
}

impl World {
    fn event(&self, comes: Comes) -> Value {
        let of = |kind: &str, version: i64, seconds: i64, more: Value| {
            let mut event = json!({
                "clientId": self.thing.as_str(), "timestamp": self.at.plus_millis(seconds * 1000).as_millis(),
                "eventType": kind, "sessionIdentifier": format!("session-{version}"),
                "principalIdentifier": "certificate", "versionNumber": version,
            });
            event.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
            self.rule(&format!("$aws/events/presence/{kind}/{}", self.thing), &event)
        };
        match comes {
            Connected(version) => of("connected", version, version * 10, json!({})),
            Disconnected(version, reason) => {
                of("disconnected", version, version * 10 + 5, json!({"disconnectReason": reason}))
            }
            Will => self.rule(&format!("lwt/{}", self.thing), &json!({"state": {"reported": {"connected": "false"}}})),
            Broken => self.rule(&format!("$aws/events/presence/connected/{}", self.thing), &json!("gone")),
            BrokenWill => self.rule(&format!("lwt/{}", self.thing), &json!({"connected": false})),
            Retiring => json!({"id": format!("{}.3", self.thing), "type": "thing.retiring",
                "thing": self.thing.as_str(), "at": self.at.as_millis(), "epoch": 1, "data": {}}),
            Request(..) | Viewed(..) | Tried(..) => Value::Null,
        }
    }

    fn rule(&self, topic: &str, payload: &Value) -> Value {
        let mut event = rule_event(&self.thing, payload.to_string().as_bytes(), self.at);
        event.as_object_mut().unwrap().insert("topic".to_owned(), topic.into());
        event
    }

    async fn deliver(&self, by: By, comes: Comes) -> Result<(), String> {
        let invocation = Invocation { request_id: "fault".to_owned(), now: now() };
        match (by, comes) {
            (By::Api, Request(path, query)) => self.request("operator", &["operators"], path, query).await,
            (By::Api, Viewed(path, query)) => self.request(self.thing.as_str(), &[], path, query).await,
            (By::Api, Tried(path, query)) => match self.request("stranger", &[], path, query).await {
                Err(problem) if problem.starts_with("404") => Ok(()),
                other => other,
            },
            (By::Queue, comes) => {
                let item = BatchItem { message_id: "1".to_owned(), body: self.event(comes).to_string() };
                all_done(self.handler.handle_batch(vec![item], &invocation).await)
            }
            (By::Rule | By::Api, comes) => {
                self.handler.handle(self.event(comes), &invocation).await.map_err(|error| error.to_string())
            }
        }
    }

    async fn request(&self, user: &str, groups: &[&str], path: &str, query: &str) -> Result<(), String> {
        let route = format!("GET /v1/things/{{thing}}/{path}");
        let path = format!("/v1/things/{}/{path}{query}", self.thing);
        let event = api_event(&route, &path, user, groups, None);
        let answer = ask(presence::routes().with_state(self.api.clone().unwrap()).into(), event).await;
        let is_good = answer.status < 300 && !answer.body.contains(r#""live":"unknown""#);
        if is_good { Ok(()) } else { Err(answer.status.to_string()) }
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
        let of = |function: &str| {
            let function = stack.function(function);
            (function.clone(), Config::from_lookup(&|name| function.variable(name)))
        };
        let (logical, name) =
            if self.by == By::Rule { ("Presence", "presence") } else { ("PresenceDelayed", "presence-delayed") };
        let (admin, thing, (function, config)) = (stack.admin().await, unique_thing("fault"), of(logical));
        let mut config = config.unwrap();
        let records = Records::beside(&config.truth.things_table).await;
        if self.ours {
            register_active(&records.things, &thing).await;
            config.truth.things_table = records.bring(&thing, self.tables).await;
        }
        let api = stack.function("PresenceApi");
        let api_config = ApiConfig::from_lookup(&|name| api.variable(name)).unwrap();
        let mut world = World {
            // What came before comes straight, and by the administrator.
            handler: Handler::new(&admin, &config, name),
            api: Some(Api::new(&admin, api_config.clone())),
            thing,
            at: now().plus_millis(-600_000),
            rows: Store::new(&admin, config.truth.presence_table.clone(), config.truth.history_days),
            things: Things::new(&admin, config.truth.things_table.clone()),
            shadows: aws_sdk_iotdataplane::Client::new(&admin),
            dead_letters: DeadLetterQueue::new(&admin, stack.output("PresenceDeadLetters")),
        };
        for comes in self.before {
            world.deliver(By::Rule, *comes).await?;
        }
        if matches!(self.comes, Retiring) {
            begin_retirement(&records.things, &world.thing, &["onboarding", "presence"], now()).await;
            records.bring(&world.thing, self.tables).await;
        }
        if let Request(path @ "presence/history", query) = self.comes {
            // The key of cursors is made once in a stack's life: now, if nobody did before.
            world.request("operator", &["operators"], path, query).await?;
        }
        if let Viewed(..) = self.comes {
            // A person has the name of the thing that they see.
            seed_membership(&stack, world.thing.as_str(), &world.thing, "viewer", 1).await;
        }
        let caller = match self.tables {
            Tables::Own => stack.admin_through(endpoint).await,
            Tables::OfTheStack => stack.role_of(&function, endpoint).await,
        };
        world.handler = Handler::new(&caller, &config, name);
        world.api = Some(Api::new(&stack.role_of(api, endpoint).await, api_config));
        Ok(world)
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        world.deliver(self.by, self.comes).await
    }

    async fn state(&self, world: &World) -> Result<Left, String> {
        let known = world.rows.load(&world.thing).await.unwrap();
        let erased = known == Known::Erased;
        let known = match known {
            Known::Row(row) => {
                let version = row.status.as_ref().map_or(-1, |status| status.mark.version_number);
                Some((row.is_connected(), version, row.last_end.and_then(|end| end.how.reason)))
            }
            Known::Nothing | Known::Erased => None,
        };
        let page = world.rows.history(&world.thing, None, 100, None, now()).await.unwrap();
        let record = world.things.get(&world.thing).await.unwrap();
        let awaited = record.and_then(|record| record.retirement).map(|left| left.awaiting);
        let texts = world.dead_letters.texts().await;
        let letters = texts.iter().filter(|text| text.contains(world.thing.as_str()));
        let code = |text: &String| serde_json::from_str::<Value>(text).unwrap().get("code").unwrap().to_string();
        let mut refused: Vec<_> = letters.map(code).collect();
        refused.dedup();
        Ok(Left {
            known,
            erased,
            shadow: shadow(&world.shadows, &world.thing).await,
            told: page.events.iter().rev().map(|event| event.kind.as_str()).collect(),
            refused,
            awaited,
        })
    }
}

async fn shadow(client: &aws_sdk_iotdataplane::Client, thing: &ThingName) -> Option<bool> {
    let shadow = client.get_thing_shadow().thing_name(thing.as_str()).send().await.ok()?;
    let document: Value = serde_json::from_slice(shadow.payload().map(Blob::as_ref)?).unwrap();
    document.pointer("/state/reported/connected").and_then(Value::as_bool)
}

#[tokio::test]
async fn a_crash_at_any_call_changes_nothing_in_the_end() {
    for story in &STORIES {
        survives_crashes(&story.unheard()).await;
    }
}

#[tokio::test]
async fn throttling_and_failures_at_any_call_never_make_a_wrong_success() {
    for story in &STORIES {
        survives_strain(&story.unheard()).await;
    }
}
