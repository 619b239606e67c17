//! commands: runs that send, words of devices and apps, erasures, orders for many, the sweep, and the routes. Each world has a
//! table of commands of its own, of which no deployed function hears; for grants its rows are brought to the stack's.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{AttributeValue, BillingMode, GlobalSecondaryIndex, LocalSecondaryIndex};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use commands::{Api, ApiConfig, Config, Handler, Sweep, SweepConfig, routes};
use loam_device::{Device, Files, Identity, Options};
use loam_domain::{ThingName, Timestamp};
use loam_kit::wiretap::Scenario;
use loam_kit::{
    DeadLetterQueue, Stack, begin_retirement, end_tenure, join, now, register_paired, seed_membership, unique_thing,
};
use loam_runtime::{BatchItem, Invocation};
use loam_things::Things;
use loam_things::twins::{Notes, RecordView, Twin};
use serde_json::{Value, json};

use crate::erasures::Records;
use crate::routes::Routes;
use crate::soil_sweep::Tables;
use crate::{all_done, survives_crashes, survives_strain};

/// Between two deliveries: longer than a dead run holds the line, and than a request of it may run.
const LATER_MILLIS: i64 = 70_000;

/// What happens in a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Two commands wait for a device that is there.
    Send,
    /// One waits for a device that is not.
    Offline,
    /// A device says all that it can, its last word twice.
    Words,
    /// An app desires and orders, and says something that is no wish.
    Wishes,
    /// An owner's time is over.
    Unpaired,
    /// The thing retires, and a message is none.
    Retired,
    /// An operator's order for many is spread.
    SpreadFleet,
    /// A person's order for many is spread.
    SpreadOwn,
    /// A command expired.
    Sweep,
    /// `POST things/{thing}/commands` with a key.
    Order,
    /// `DELETE commands/{id}`.
    Cancel,
    /// `PATCH things/{thing}/state` on a version.
    Desire,
    /// `POST commands` with a key.
    Many,
    /// Everything that reads.
    Reads,
}

pub(crate) struct Story<'s> {
    name: &'static str,
    pub(crate) way: Way,
    tables: Tables,
    stage: &'s Stage,
}

/// A device that is there, for all stories.
pub(crate) struct Stage {
    there: ThingName,
    /// Kept: dropping it ends the connection.
    _device: Device,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let stack = Stack::deployed();
        let there = unique_thing("fault");
        let records = Records::beside(stack.resources.get("ThingsTable").unwrap()).await;
        register_paired(&records.things, &there).await;
        let joined = join(&stack, &[there.as_str()]).await.remove(0);
        let files = Files { root_ca: joined.root_ca, certificate: joined.cert, private_key: joined.key };
        let identity = Identity::load(there.as_str(), "localhost", stack.mqtt_port, &files).unwrap();
        let device = Device::connect(&identity, Options::default()).unwrap();
        device.connected().await.unwrap();
        Self { there, _device: device }
    }

    pub(crate) fn stories(&self, tables: Tables) -> Vec<Story<'_>> {
        let all = [
            (Way::Send, "commands: two commands for a device that is there"),
            (Way::Offline, "commands: a command for a device that is not there"),
            (Way::Words, "commands: a device accepts, tells, and succeeds twice"),
            (Way::Wishes, "commands: an app desires and orders, and says something odd"),
            (Way::Unpaired, "commands: an owner's time ends"),
            (Way::Retired, "commands: a thing retires, and a message is none"),
            (Way::SpreadFleet, "commands: an operator's order for many"),
            (Way::SpreadOwn, "commands: a person's order for many"),
            (Way::Sweep, "commands-sweep: a command expired"),
            (Way::Order, "POST things/{thing}/commands"),
            (Way::Cancel, "DELETE commands/{id}"),
            (Way::Desire, "PATCH things/{thing}/state"),
            (Way::Many, "POST commands"),
            (Way::Reads, "GET a command, a list, a state, recipients"),
        ];
        all.into_iter().map(|(way, name)| Story { name, way, tables, stage: self }).collect()
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// A new table with the keys and indexes of this one, also those that are read consistently.
pub(crate) async fn own_table(sdk: &SdkConfig, table: &str) -> String {
    let client = aws_sdk_dynamodb::Client::new(sdk);
    let model = client.describe_table().table_name(table).send().await.unwrap().table.unwrap();
    let name = unique_thing("own").to_string();
    let global = model.global_secondary_indexes.unwrap_or_default().into_iter().map(|index| {
        let twin = GlobalSecondaryIndex::builder().set_index_name(index.index_name).set_key_schema(index.key_schema);
        twin.set_projection(index.projection).build().unwrap()
    });
    let local = model.local_secondary_indexes.unwrap_or_default().into_iter().map(|index| {
        let twin = LocalSecondaryIndex::builder().set_index_name(index.index_name).set_key_schema(index.key_schema);
        twin.set_projection(index.projection).build().unwrap()
    });
    let create = client.create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
    let create = create.set_key_schema(model.key_schema).set_attribute_definitions(model.attribute_definitions);
    let create = create.set_global_secondary_indexes(Some(global.collect()));
    create.set_local_secondary_indexes(Some(local.collect())).send().await.unwrap();
    name
}

/// The routes with these tables.
fn routes_of(sdk: &SdkConfig, config: ApiConfig) -> Routes {
    Routes::new(routes().with_state(Api::new(sdk, config)).into())
}

/// One run's world.
pub(crate) struct World {
    handler: Handler,
    sweep: Sweep,
    routes: Routes,
    /// The same routes under the administrator's key, to set the stage and to look at it.
    straight: Routes,
    things: Things,
    thing: ThingName,
    user: String,
    identity: String,
    /// The command, or the order for many, that the story is about.
    id: String,
    dead_letters: DeadLetterQueue,
    at: Timestamp,
    deliveries: AtomicI64,
    /// The world's own tables, and what stands for them.
    own_names: Vec<(String, String)>,
}

impl World {
    /// Names that tests make up, and what stands for them in figures.
    pub(crate) fn own_names(&self) -> Vec<(String, String)> {
        self.own_names.clone()
    }
}

/// What is left after a run.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    /// Of each command, the newest first: its state.
    states: Vec<String>,
    desired: Value,
    recipients: usize,
    /// Who has not erased yet.
    awaiting: BTreeSet<String>,
    refused: BTreeSet<String>,
}

const OPERATOR: (&str, &[&str]) = ("operator", &["operators"]);

impl Story<'_> {
    /// Whether the story's thing is one of its own: it has an end in it, or no device may take the command first.
    fn has_own_thing(&self) -> bool {
        !matches!(self.way, Way::Send | Way::Words | Way::Order | Way::Reads)
    }

    /// Whether a key makes it happen once.
    pub(crate) fn has_key(&self) -> bool {
        matches!(self.way, Way::Order | Way::Many)
    }

    /// Which function does it.
    pub(crate) fn function(&self) -> &'static str {
        match self.way {
            Way::Sweep => "CommandsSweep",
            Way::Order | Way::Cancel | Way::Desire | Way::Many | Way::Reads => "CommandsApi",
            Way::Send | Way::Offline | Way::Words | Way::Wishes => "Commands",
            Way::Unpaired | Way::Retired | Way::SpreadFleet | Way::SpreadOwn => "Commands",
        }
    }

    /// Whether each of its calls is also refused for long: one story for each way in which something is written. A device's
    /// own is waited for by the queue instead.
    fn is_strained(&self) -> bool {
        let as_another = matches!(self.way, Way::Cancel | Way::Retired | Way::SpreadFleet);
        !as_another && !matches!(self.way, Way::Send | Way::Offline | Way::Reads)
    }

    fn messages(&self, world: &World) -> Vec<String> {
        let event = |kind: &str| {
            json!({"id": "x", "type": kind, "thing": world.thing, "at": world.at, "epoch": 1, "data": {}}).to_string()
        };
        let rule = |topic: String, payload: &Value| {
            let payload = STANDARD.encode(payload.to_string());
            json!({"payload": payload, "topic": topic, "clientId": "c", "receivedAt": world.at}).to_string()
        };
        let said = |word: &str| rule(format!("loam/{}/commands/{}/{word}", world.thing, world.id), &json!({}));
        let wish = |tail: &str, payload: &Value| {
            rule(format!("loam/users/{}/things/{}/{tail}", world.identity, world.thing), payload)
        };
        match self.way {
            Way::Send | Way::Offline => vec![event("presence.connected")],
            Way::Words => ["accepted", "progress", "succeeded", "succeeded"].map(said).to_vec(),
            Way::Wishes => vec![
                wish("desired", &json!({"requestId": "r1", "desired": {"on": true}})),
                wish("commands/request", &json!({"requestId": "r2", "name": "blink"})),
                wish("desired", &json!([])),
            ],
            Way::Unpaired => vec![event("thing.unpaired")],
            Way::Retired => vec![event("thing.retiring"), event("thing.retired"), event("thing.active")],
            Way::SpreadFleet | Way::SpreadOwn => {
                vec![json!({"spread": {"order": world.id, "after": null}}).to_string()]
            }
            Way::Sweep | Way::Order | Way::Cancel | Way::Desire | Way::Many | Way::Reads => vec![],
        }
    }

    async fn request(&self, world: &World, at: Timestamp) -> Result<(), String> {
        let (thing, user) = (&world.thing, (world.user.as_str(), &[][..]));
        let commands = format!("/v1/things/{thing}/commands");
        let (command, many) = world.id.split_once(' ').unwrap_or((&world.id, ""));
        let one = format!("/v1/commands/{command}");
        let state = format!("/v1/things/{thing}/state");
        let key = [("idempotency-key", "k")];
        let order = json!({"name": "wink"});
        let send = async |what, body: Option<&Value>, headers: &[(&str, &str)]| {
            Box::pin(world.routes.send(user, what, body, headers, at)).await.map(drop)
        };
        match self.way {
            Way::Order => send(("POST", &commands), Some(&order), &key).await,
            Way::Cancel => send(("DELETE", &one), None, &[]).await,
            Way::Desire => {
                let body = json!({"desired": {"on": true}});
                match send(("PATCH", &state), Some(&body), &[("if-match", "\"1\"")]).await {
                    // Written before, and the answer was lost.
                    Err(problem) if problem.contains("version-conflict") => Ok(()),
                    answered => answered,
                }
            }
            Way::Many => {
                let body = json!({"filter": "deviceId = 'x'", "name": "wink"});
                send(("POST", "/v1/commands"), Some(&body), &key).await
            }
            Way::Reads => {
                send(("GET", &commands), None, &[]).await?;
                let path = format!("{commands}?cursor=AAAA");
                let forged = send(("GET", &path), None, &[]).await;
                assert!(forged.is_err_and(|problem| problem.contains("invalid-cursor")));
                send(("GET", &one), None, &[]).await?;
                send(("GET", &state), None, &[]).await?;
                send(("GET", &format!("/v1/commands/{many}/recipients")), None, &[]).await
            }
            Way::Send | Way::Offline | Way::Words | Way::Wishes => Ok(()),
            Way::Unpaired | Way::Retired | Way::SpreadFleet | Way::SpreadOwn | Way::Sweep => Ok(()),
        }
    }
}

/// Brings the rows of a world's own table to the stack's, events aside: nobody hears of them.
async fn bring(admin: &SdkConfig, from: &str, to: &str) {
    let client = aws_sdk_dynamodb::Client::new(admin);
    let items = client.scan().table_name(from).send().await.unwrap().items.unwrap_or_default();
    for item in items {
        if !item.get("item").unwrap().as_s().unwrap().starts_with("event#") {
            client.put_item().table_name(to).set_item(Some(item)).send().await.unwrap();
        }
    }
}

impl Story<'_> {
    /// Where the handlers look, and as whom: tables of the story's own, or the stack's under the function's role.
    async fn place(
        &self,
        records: &Records,
        (own, of_the_stack): (&str, &str),
        thing: &ThingName,
        endpoint: &str,
    ) -> (String, String, SdkConfig) {
        let stack = Stack::deployed();
        let things_table = records.bring(thing, self.tables).await;
        match self.tables {
            Tables::Own => (own.to_owned(), things_table, stack.admin_through(endpoint).await),
            Tables::OfTheStack => {
                bring(&stack.admin().await, own, of_the_stack).await;
                let sdk = stack.role_of(stack.function(self.function()), endpoint).await;
                (of_the_stack.to_owned(), things_table, sdk)
            }
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
        let (admin, at) = (stack.admin().await, now());
        let (queue, api) = (stack.function("Commands"), stack.function("CommandsApi"));
        let config = Config::from_lookup(&|name| queue.variable(name)).unwrap();
        let api_config = ApiConfig::from_lookup(&|name| api.variable(name)).unwrap();
        let records = Records::beside(&config.things_table).await;
        let thing = if self.has_own_thing() { unique_thing("fault") } else { self.stage.there.clone() };
        if self.has_own_thing() {
            register_paired(&records.things, &thing).await;
        }
        let (user, identity) = (unique_thing("user").to_string(), format!("eu:{}", unique_thing("identity")));
        seed_membership(&stack, &user, &thing, "owner", 1).await;
        let own = own_table(&admin, &config.commands_table).await;
        let aside = DeadLetterQueue::own(&admin).await;
        let before = ApiConfig {
            commands_table: own.clone(),
            things_table: records.bring(&thing, Tables::Own).await,
            queue_url: aside.url().to_owned(),
            ..api_config.clone()
        };
        let of_queue = Config {
            commands_table: own.clone(),
            things_table: before.things_table.clone(),
            queue_url: aside.url().to_owned(),
            ..config.clone()
        };
        let straight = routes_of(&admin, before);
        let id = self.prepare(&straight, &admin, of_queue, (&thing, &user, &identity), at).await?;
        self.end(&records.things, &thing, at).await;
        let (commands_table, things_table, sdk) =
            self.place(&records, (&own, &config.commands_table), &thing, endpoint).await;
        let twins_table = self.twins(&admin, &config, &records.things, &thing).await;
        let own_names =
            [(&commands_table, "CommandsTable"), (&things_table, "ThingsTable"), (&twins_table, "TwinsTable")]
                .map(|(name, stands)| (name.clone(), stands.to_owned()))
                .to_vec();
        let after =
            ApiConfig { commands_table: commands_table.clone(), things_table: things_table.clone(), ..api_config };
        Ok(World {
            dead_letters: DeadLetterQueue::new(&admin, stack.output("CommandsDeadLetters")),
            sweep: Sweep::new(&sdk, SweepConfig { commands_table: commands_table.clone() }),
            routes: routes_of(&sdk, after.clone()),
            straight: routes_of(&admin, after),
            handler: Handler::new(&sdk, Config { commands_table, things_table, twins_table, ..config }),
            things: records.things,
            thing,
            user,
            identity,
            id,
            at,
            deliveries: AtomicI64::new(0),
            own_names,
        })
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        let turn = world.deliveries.fetch_add(1, Ordering::SeqCst) + 1;
        let at = world.at.plus_millis(turn * LATER_MILLIS);
        let invocation = Invocation { request_id: format!("fault-{turn}"), now: at };
        for (place, body) in self.messages(world).into_iter().enumerate() {
            let batch = vec![BatchItem { message_id: place.to_string(), body }];
            all_done(world.handler.handle(batch, &invocation).await)?;
        }
        if self.way == Way::Sweep {
            let invocation = Invocation { now: at.plus_millis(4_000_000), ..invocation };
            return world.sweep.handle(json!({}), &invocation).await.map_err(|failure| failure.to_string());
        }
        self.request(world, at).await
    }

    async fn state(&self, world: &World) -> Result<Left, String> {
        let at = world.at;
        let look = async |path: String| Box::pin(world.straight.send(OPERATOR, ("GET", &path), None, &[], at)).await;
        let listed = look(format!("/v1/things/{}/commands", world.thing)).await?;
        let items = listed.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let word = |item: &Value| item.get("state").and_then(Value::as_str).unwrap_or_default().to_owned();
        let shadow = look(format!("/v1/things/{}/state", world.thing)).await?;
        let recipients = look(format!("/v1/commands/{}/recipients", world.id)).await.unwrap_or_default();
        let record = world.things.get(&world.thing).await.map_err(|failure| failure.to_string())?.unwrap();
        let awaiting = record.retirement.map(|retirement| retirement.awaiting);
        let kept = world.dead_letters.about(world.thing.as_str()).await;
        let code = |kept: Value| kept.get("code").and_then(Value::as_str).unwrap_or("no code").to_owned();
        Ok(Left {
            states: items.iter().map(word).collect(),
            desired: shadow.get("desired").cloned().unwrap_or_default(),
            recipients: recipients.get("items").and_then(Value::as_array).map_or(0, Vec::len),
            awaiting: awaiting.or(record.erasure.map(|erasure| erasure.awaiting)).unwrap_or_default(),
            refused: kept.into_iter().map(code).collect(),
        })
    }
}

impl Story<'_> {
    /// What was ordered, said and desired before; the id that the story is about.
    async fn prepare(
        &self,
        straight: &Routes,
        admin: &SdkConfig,
        before: Config,
        (thing, user, identity): (&ThingName, &str, &str),
        at: Timestamp,
    ) -> Result<String, String> {
        let (path, own) = (format!("/v1/things/{thing}/commands"), (user, &[][..]));
        let order = async |number: i64| {
            let body = json!({"name": "blink", "payload": number});
            let answer =
                Box::pin(straight.send(own, ("POST", &path), Some(&body), &[], at.plus_millis(number))).await?;
            Ok::<_, String>(answer.get("id").and_then(Value::as_str).unwrap_or_default().to_owned())
        };
        let desire = async || {
            let body = json!({"desired": {"a": 1}});
            let path = format!("/v1/things/{thing}/state");
            Box::pin(straight.send(own, ("PATCH", &path), Some(&body), &[], at)).await.map(drop)
        };
        match self.way {
            Way::Send => {
                order(0).await?;
                order(1).await
            }
            Way::Words => {
                let id = order(0).await?;
                let handler = Handler::new(admin, before);
                let body = json!({ "deliver": thing }).to_string();
                let batch = vec![BatchItem { message_id: "before".to_owned(), body }];
                let invocation = Invocation { request_id: "before".to_owned(), now: at };
                handler.handle(batch, &invocation).await.map_err(|failure| failure.to_string())?;
                Ok(id)
            }
            Way::Offline | Way::Sweep | Way::Cancel => order(0).await,
            Way::Reads => {
                // The key that seals cursors is made once in the life of a stack: now, if nobody did before.
                let forged = format!("/v1/things/{thing}/commands?cursor=AAAA");
                drop(Box::pin(straight.send(own, ("GET", &forged), None, &[], at)).await);
                let body = json!({"filter": "deviceId = 'x'", "name": "blink"});
                let answer = Box::pin(straight.send(own, ("POST", "/v1/commands"), Some(&body), &[], at)).await?;
                let many = answer.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
                Ok(format!("{} {many}", order(0).await?))
            }
            Way::Unpaired | Way::Retired => {
                desire().await?;
                order(0).await
            }
            Way::Desire => {
                desire().await?;
                Ok(String::new())
            }
            Way::Wishes => {
                let put = aws_sdk_dynamodb::Client::new(admin).put_item().table_name(&before.pairings_table);
                let put = put.item("thing", text(&format!("identity#{identity}"))).item("item", text("identity"));
                put.item("user", text(user)).send().await.unwrap();
                Ok(String::new())
            }
            Way::SpreadFleet | Way::SpreadOwn => {
                let who = if self.way == Way::SpreadFleet { OPERATOR } else { own };
                let body = json!({"filter": format!("deviceId = '{thing}'"), "name": "blink"});
                let answer = Box::pin(straight.send(who, ("POST", "/v1/commands"), Some(&body), &[], at)).await?;
                Ok(answer.get("id").and_then(Value::as_str).unwrap_or_default().to_owned())
            }
            Way::Order | Way::Many => Ok(String::new()),
        }
    }

    /// The thing's end, or its owner's.
    async fn end(&self, things: &Things, thing: &ThingName, at: Timestamp) {
        let awaiting = ["commands", "others"];
        match self.way {
            Way::Unpaired => end_tenure(things, thing, &awaiting, at).await,
            Way::Retired => begin_retirement(things, thing, &awaiting, at).await,
            Way::Send | Way::Offline | Way::Words | Way::Wishes | Way::SpreadFleet | Way::SpreadOwn => {}
            Way::Sweep | Way::Order | Way::Cancel | Way::Desire | Way::Many | Way::Reads => {}
        }
    }

    /// What the catalog knows: the thing, in a table of the world's own.
    async fn twins(&self, admin: &SdkConfig, config: &Config, things: &Things, thing: &ThingName) -> String {
        if !matches!(self.way, Way::SpreadFleet | Way::SpreadOwn) {
            return config.twins_table.clone();
        }
        let table = match self.tables {
            Tables::Own => own_table(admin, &config.twins_table).await,
            Tables::OfTheStack => config.twins_table.clone(),
        };
        let record = RecordView::from(&things.get(thing).await.unwrap().unwrap());
        let notes = Notes::default();
        let twin = Twin { thing: thing.clone(), version: 1, record, shadow: None, presence: None, notes };
        let put = aws_sdk_dynamodb::Client::new(admin).put_item().table_name(&table);
        put.set_item(Some(twin.item().unwrap())).send().await.unwrap();
        table
    }
}

#[tokio::test]
async fn a_run_that_is_stopped_at_any_call_leaves_its_commands_to_the_next_one() {
    let stage = Stage::new().await;
    for story in stage.stories(Tables::Own).iter().filter(|story| story.way != Way::Reads) {
        Box::pin(survives_crashes(story)).await;
    }
}

#[tokio::test]
async fn throttling_and_failures_at_any_call_never_make_a_wrong_success() {
    let stage = Stage::new().await;
    for story in stage.stories(Tables::Own).iter().filter(|story| story.is_strained()) {
        Box::pin(survives_strain(story)).await;
    }
}
