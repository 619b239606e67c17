//! Owners: a device's words, the end of an owner's time, what is erased after it, and the next owner's begin.
//!
//! The records lie in a table of which no deployed function hears; for grants they are brought to the stack's.

mod erasing;

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::pairing::claim_code::ClaimCode;
use loam_domain::{ThingName, Timestamp, UserId};
use loam_kit::wiretap::Scenario;
use loam_kit::{DeadLetterQueue, Stack, begin_retirement, now, register_described, rule_event, unique_thing};
use loam_runtime::{BatchItem, Invocation};
use loam_things::{Acknowledgement, Things};
use pairing::saga::{Config, Handler};
use pairing::store::{ERASERS, Store, Tables as PairingTables};
use pairing::tenancy::{Actor, Intent};
use pairing::token::{ShareId, Token};
use pairing::window::Window;
use serde_json::{Value, json};

use crate::erasures::Records;
use crate::soil_sweep::Tables;
use crate::{all_done, survives_crashes, survives_strain};

pub(crate) use erasing::{By, erasures};

/// What comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    /// The device's button, with a code that it shows.
    Press,
    /// The device's reset.
    Reset,
    /// The last acknowledgement, and nobody is to own it next.
    Freed,
    /// The last acknowledgement, and somebody is.
    Inherited,
    /// The thing's end.
    Retiring,
    /// A message that is none.
    Odd,
}

/// A story.
pub(crate) struct Story {
    name: &'static str,
    comes: Comes,
    tables: Tables,
}

/// The stories on records of their own, or on the stack's.
pub(crate) const fn stories(tables: Tables) -> [Story; 6] {
    [
        Story { name: "pairing: a device opens a window and shows a code", comes: Comes::Press, tables },
        Story { name: "pairing: a paired device is reset", comes: Comes::Reset, tables },
        Story { name: "pairing: everybody erased, it is nobody's", comes: Comes::Freed, tables },
        Story { name: "pairing: everybody erased, it is the heir's", comes: Comes::Inherited, tables },
        Story { name: "pairing: a paired thing retires", comes: Comes::Retiring, tables },
        Story { name: "pairing: a message that is none", comes: Comes::Odd, tables },
    ]
}

/// One run's world.
pub(crate) struct World {
    handler: Handler,
    store: Store,
    things: Things,
    tables: aws_sdk_dynamodb::Client,
    config: Config,
    dead_letters: DeadLetterQueue,
    thing: ThingName,
    at: Timestamp,
}

/// What is left after a run.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    standing: Option<Value>,
    owner: Option<String>,
    memberships: Vec<&'static str>,
    record: (String, u64, Option<BTreeSet<String>>, Option<BTreeSet<String>>),
    window: Option<(u64, bool)>,
    told: Vec<&'static str>,
    refused: usize,
}

/// So long after an owner's end all is quiet.
const LATER_MILLIS: i64 = 60_000;

/// The people of the stories.
const PEOPLE: [&str; 2] = ["ann", "bob"];

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

impl Comes {
    /// What was before.
    async fn prepare(self, store: &Store, thing: &ThingName, past: Timestamp) {
        let change = async |intent: Intent, at| drop(store.change(thing, &intent, &[], at).await.unwrap());
        if self == Self::Press || self == Self::Odd {
            return;
        }
        change(Intent::Pair { user: user("ann"), epoch: 1 }, past).await;
        match self {
            Self::Press | Self::Odd | Self::Reset => {}
            Self::Freed => change(Intent::Unpair { by: Actor::Operator }, past).await,
            Self::Inherited => {
                let (id, token) = (ShareId::from_random([1; 16]), Token::new([2; 32]).hash());
                change(Intent::Offer { by: user("ann"), id: id.clone(), token }, past).await;
                change(Intent::TakeOver { user: user("bob"), id, token }, past).await;
            }
            Self::Retiring => {
                let window = Window { opened_at: past, until: now(), epoch: 1, code: None };
                store.put_window(thing, &window).await.unwrap();
                begin_retirement(store.things(), thing, &["pairing", "others"], now()).await;
            }
        }
        if matches!(self, Self::Freed | Self::Inherited) {
            for capability in ERASERS.map(str::to_owned) {
                let word = Acknowledgement { capability, through: 1, looked_at: past.plus_millis(LATER_MILLIS) };
                store.things().acknowledge_erasure(thing, word, now()).await.unwrap();
            }
        }
    }
}

impl World {
    fn message(&self, comes: Comes) -> String {
        let event = |kind: &str| {
            json!({"id": format!("{}.9", self.thing), "type": kind, "thing": self.thing, "at": self.at, "epoch": 2,
                   "data": {}})
        };
        let word = |word: &str, payload: String| {
            let mut event = rule_event(&self.thing, payload.as_bytes(), self.at);
            let fields = event.as_object_mut().unwrap();
            fields.insert("topic".to_owned(), format!("loam/{}/pairing/{word}", self.thing).into());
            fields.insert("clientId".to_owned(), self.thing.as_str().into());
            event
        };
        let message = match comes {
            Comes::Press => {
                let code = ClaimCode::from_random([5; 7]).spelled();
                word("window", json!({"durationSeconds": 600, "code": code}).to_string())
            }
            Comes::Reset => word("reset", json!({"epoch": 1}).to_string()),
            Comes::Freed | Comes::Inherited => event("thing.erasure-acknowledged"),
            Comes::Retiring => event("thing.retiring"),
            Comes::Odd => word("reset", json!({"epoch": 0}).to_string()),
        };
        message.to_string()
    }

    async fn members(&self) -> Vec<&'static str> {
        let mut members = Vec::new();
        for name in PEOPLE {
            let get = self.tables.get_item().table_name(&self.config.tables.memberships).consistent_read(true);
            let get = get.key("user", AttributeValue::S(name.to_owned()));
            let get = get.key("thing", AttributeValue::S(self.thing.to_string()));
            if get.send().await.unwrap().item.is_some() {
                members.push(name);
            }
        }
        members
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
        let function = stack.function("Pairing");
        let mut config = Config::from_lookup(&|name| function.variable(name)).unwrap();
        let (admin, thing) = (stack.admin().await, unique_thing("owned"));
        let records = Records::beside(&config.tables.things).await;
        register_described(&records.things, &thing).await;
        let store = Store::new(&admin, PairingTables { things: records.table.clone(), ..config.tables.clone() });
        self.comes.prepare(&store, &thing, now()).await;
        config.tables.things = records.bring(&thing, self.tables).await;
        let sdk = match self.tables {
            Tables::Own => stack.admin_through(endpoint).await,
            Tables::OfTheStack => stack.role_of(function, endpoint).await,
        };
        Ok(World {
            handler: Handler::new(&sdk, config.clone()),
            things: Things::new(&admin, config.tables.things.clone()),
            tables: aws_sdk_dynamodb::Client::new(&admin),
            dead_letters: DeadLetterQueue::new(&admin, stack.output("PairingDeadLetters")),
            at: now().plus_millis(LATER_MILLIS),
            store,
            config,
            thing,
        })
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        let item = BatchItem { message_id: "0".to_owned(), body: world.message(self.comes) };
        let invocation = Invocation { request_id: "fault".to_owned(), now: world.at };
        all_done(world.handler.handle(vec![item], &invocation).await)
    }

    async fn state(&self, world: &World) -> Result<Left, String> {
        let tenancy = world.store.tenancy(&world.thing).await.unwrap();
        let record = world.things.get(&world.thing).await.unwrap().unwrap();
        let window = world.store.window(&world.thing).await.unwrap();
        let page = world.things.history(&world.thing, None, 100).await.unwrap();
        let letters = world.dead_letters.texts().await;
        Ok(Left {
            standing: tenancy.as_ref().map(|tenancy| json!(tenancy.standing)),
            owner: tenancy.as_ref().and_then(|tenancy| tenancy.owner()).map(ToString::to_string),
            memberships: world.members().await,
            record: (
                record.state.to_string(),
                record.epoch,
                record.erasure.map(|erasure| erasure.awaiting),
                record.retirement.map(|retirement| retirement.awaiting),
            ),
            window: window.map(|window| (window.epoch, window.code.is_some())),
            told: page.events.iter().map(|event| event.kind.as_str()).collect(),
            refused: usize::from(letters.iter().any(|text| text.contains(world.thing.as_str()))),
        })
    }
}

#[tokio::test]
async fn a_crash_at_any_call_leaves_one_owner_or_none_and_all_that_agrees() {
    for story in &stories(Tables::Own) {
        survives_crashes(story).await;
    }
}

#[tokio::test]
async fn throttling_and_failures_at_any_call_never_make_a_wrong_success() {
    for story in &stories(Tables::Own) {
        survives_strain(story).await;
    }
}
