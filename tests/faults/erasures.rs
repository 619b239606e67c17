//! What other capabilities erase of a thing that retires: telemetry its series, soil-alerts its states and rules.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{ThingName, Timestamp};
use loam_kit::wiretap::Scenario;
use loam_kit::{Stack, claim_of, copy_item, now, reading, rule_event, twin_of_table, unique_thing};
use loam_runtime::{BatchItem, Invocation};
use loam_things::{Registration, RetirementOrder, Things};
use serde_json::{Value, json};
use soil_alerts::{ThingEvents, ThingsConfig};
use tokio::sync::OnceCell;

use crate::soil_sweep::Tables;
use crate::{all_done, survives_crashes, survives_strain};

fn invocation() -> Invocation {
    Invocation { request_id: "fault".to_owned(), now: now() }
}

fn event(kind: &str, thing: &ThingName) -> BatchItem {
    let body = json!({"id": "x", "type": kind, "thing": thing, "at": 7, "epoch": 1, "data": {}});
    BatchItem { message_id: kind.to_owned(), body: body.to_string() }
}

/// Records of which nobody hears; and, for a handler under its own role, a copy of the record in the stack's table.
pub(crate) struct Records {
    pub(crate) things: Things,
    pub(crate) table: String,
    of_the_stack: String,
}

impl Records {
    pub(crate) async fn beside(of_the_stack: &str) -> Self {
        static TWIN: OnceCell<String> = OnceCell::const_new();
        let admin = Stack::deployed().admin().await;
        let table = TWIN.get_or_init(|| twin_of_table(&admin, of_the_stack)).await.clone();
        Self { things: Things::new(&admin, table.clone()), table, of_the_stack: of_the_stack.to_owned() }
    }

    /// Brings the record to where the handler looks, and says where that is.
    pub(crate) async fn bring(&self, thing: &ThingName, tables: Tables) -> String {
        match tables {
            Tables::Own => self.table.clone(),
            Tables::OfTheStack => {
                let keys = [("thing", thing.as_str()), ("item", "record")];
                copy_item(&Stack::deployed().admin().await, &self.table, &self.of_the_stack, keys).await;
                self.of_the_stack.clone()
            }
        }
    }
}

async fn registered(things: &Things, thing: &ThingName) {
    let registration = Registration { thing_type: Some("balcony".to_owned()), ..claim_of(thing) };
    things.register(thing, registration, now()).await.unwrap();
}

async fn begins_to_retire(things: &Things, thing: &ThingName) {
    let awaiting = ["soil-alerts", "telemetry"].map(str::to_owned).into();
    let order = RetirementOrder { by: "operator".to_owned(), awaiting, expected_version: None };
    things.begin_retirement(thing, order, now()).await.unwrap();
}

async fn awaited(things: &Things, thing: &ThingName) -> BTreeSet<String> {
    let record = things.get(thing).await.unwrap().unwrap();
    record.retirement.map(|retirement| retirement.awaiting).unwrap_or_default()
}

/// A batch in which a thing's last reading, its retirement and its end meet.
pub(crate) struct Series(pub(crate) Tables);

pub(crate) struct SeriesWorld {
    handler: telemetry::Handler,
    rows: telemetry::Store,
    tables: aws_sdk_dynamodb::Client,
    table: String,
    things: Things,
    thing: ThingName,
    at: Timestamp,
}

impl Scenario for Series {
    type World = SeriesWorld;
    type State = (usize, usize, BTreeSet<String>);
    type Error = String;

    fn name(&self) -> &str {
        "telemetry: a thing with two series retires"
    }

    async fn world(&self, endpoint: &str) -> Result<SeriesWorld, String> {
        let stack = Stack::deployed();
        let function = stack.function("Telemetry");
        let config = telemetry::Config::from_lookup(&|name| function.variable(name)).unwrap();
        let (admin, thing, at) = (stack.admin().await, unique_thing("erase"), now());
        let records = Records::beside(&config.things_table).await;
        registered(&records.things, &thing).await;
        begins_to_retire(&records.things, &thing).await;
        let things_table = records.bring(&thing, self.0).await;
        let sdk = match self.0 {
            Tables::Own => stack.admin_through(endpoint).await,
            Tables::OfTheStack => stack.role_of(function, endpoint).await,
        };
        let world = SeriesWorld {
            rows: telemetry::Store::new(&admin, config.table.clone(), config.retention),
            tables: aws_sdk_dynamodb::Client::new(&admin),
            table: config.table.clone(),
            handler: telemetry::Handler::new(&sdk, telemetry::Config { things_table, ..config.clone() }),
            things: records.things,
            thing,
            at,
        };
        let straight = telemetry::Handler::new(&admin, config);
        all_done(straight.handle(vec![world.reading(0)], &invocation()).await)?;
        Ok(world)
    }

    async fn deliver(&self, world: &SeriesWorld) -> Result<(), String> {
        let batch = vec![event("thing.retiring", &world.thing), world.reading(1), event("thing.retired", &world.thing)];
        all_done(world.handler.handle(batch, &invocation()).await)
    }

    async fn state(&self, world: &SeriesWorld) -> Result<Self::State, String> {
        let latest = world.rows.latest(&world.thing).await.unwrap().len();
        Ok((latest, world.series_rows().await, awaited(&world.things, &world.thing).await))
    }
}

impl SeriesWorld {
    fn reading(&self, millis: i64) -> BatchItem {
        let mut payload = reading("Balcony", &json!(20), self.at.plus_millis(millis));
        payload.as_object_mut().unwrap().insert("battery".to_owned(), json!(3));
        let body = rule_event(&self.thing, payload.to_string().as_bytes(), self.at.plus_millis(millis)).to_string();
        BatchItem { message_id: format!("reading {millis}"), body }
    }

    async fn series_rows(&self) -> usize {
        let mut rows = 0;
        for metric in ["humidity", "battery"] {
            let query = self.tables.query().table_name(&self.table).key_condition_expression("pk = :pk");
            let query = query.expression_attribute_values(":pk", AttributeValue::S(format!("{}#{metric}", self.thing)));
            rows += query.consistent_read(true).send().await.unwrap().items().len();
        }
        rows
    }
}

/// Whether a thing is registered, or comes to its end.
pub(crate) struct Alerts {
    name: &'static str,
    end: bool,
    tables: Tables,
}

/// The stories on records of their own, or on the stack's.
pub(crate) const fn alerts(tables: Tables) -> [Alerts; 2] {
    let end = "soil-alerts: a thing with a rule, two states and a past retires, and a message is none";
    [
        Alerts { name: "soil-alerts: a thing of a type is registered", end: false, tables },
        Alerts { name: end, end: true, tables },
    ]
}

pub(crate) struct AlertsWorld {
    events: ThingEvents,
    tables: aws_sdk_dynamodb::Client,
    config: ThingsConfig,
    things: Things,
    thing: ThingName,
}

impl Scenario for Alerts {
    type World = AlertsWorld;
    type State = (Option<Value>, usize, BTreeSet<String>);
    type Error = String;

    fn name(&self) -> &str {
        self.name
    }

    async fn world(&self, endpoint: &str) -> Result<AlertsWorld, String> {
        let stack = Stack::deployed();
        let function = stack.function("SoilAlertsThings");
        let config = ThingsConfig::from_lookup(&|name| function.variable(name)).unwrap();
        let (admin, thing) = (stack.admin().await, unique_thing("erase"));
        let records = Records::beside(&config.things_table).await;
        registered(&records.things, &thing).await;
        if self.end {
            begins_to_retire(&records.things, &thing).await;
        }
        let config = ThingsConfig { things_table: records.bring(&thing, self.tables).await, ..config };
        let sdk = match self.tables {
            Tables::Own => stack.admin_through(endpoint).await,
            Tables::OfTheStack => stack.role_of(function, endpoint).await,
        };
        let world = AlertsWorld {
            events: ThingEvents::new(&sdk, config.clone()),
            tables: aws_sdk_dynamodb::Client::new(&admin),
            things: records.things,
            thing,
            config,
        };
        if self.end {
            world.write_rows().await;
        }
        Ok(world)
    }

    async fn deliver(&self, world: &AlertsWorld) -> Result<(), String> {
        let odd = BatchItem { message_id: "odd".to_owned(), body: "odd".to_owned() };
        let batch = if self.end {
            vec![event("thing.retiring", &world.thing), event("thing.retired", &world.thing), odd]
        } else {
            vec![event("thing.registered", &world.thing)]
        };
        all_done(world.events.handle(batch, &invocation()).await)
    }

    async fn state(&self, world: &AlertsWorld) -> Result<Self::State, String> {
        let get = world.tables.get_item().table_name(&world.config.rules_table).consistent_read(true);
        let item = get.key("scope", world.scope()).send().await.unwrap().item;
        let thing_type = item.map(|item| item.get("thingType").and_then(|value| value.as_s().ok()).cloned().into());
        let query = world.tables.query().table_name(&world.config.states_table).consistent_read(true);
        let query = query.key_condition_expression("thing = :thing");
        let query = query.expression_attribute_values(":thing", AttributeValue::S(world.thing.to_string()));
        let states = query.send().await.unwrap().items().len();
        Ok((thing_type, states, awaited(&world.things, &world.thing).await))
    }
}

impl AlertsWorld {
    fn scope(&self) -> AttributeValue {
        AttributeValue::S(format!("thing:{}", self.thing))
    }

    async fn write_rows(&self) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = self.tables.put_item().table_name(&self.config.rules_table).item("scope", self.scope());
        put.item("thingType", text("balcony")).send().await.unwrap();
        for path in ["humidity", "battery", "#episode#1598536072677#humidity"] {
            let put = self.tables.put_item().table_name(&self.config.states_table);
            put.item("thing", text(self.thing.as_str())).item("rule", text(path)).send().await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_erasure_that_crashes_at_any_call_leaves_nothing_in_the_end() {
    survives_crashes(&Series(Tables::Own)).await;
    for story in &alerts(Tables::Own) {
        survives_crashes(story).await;
    }
}

#[tokio::test]
async fn throttling_and_failures_at_any_call_never_make_a_wrong_success() {
    survives_strain(&Series(Tables::Own)).await;
    for story in &alerts(Tables::Own) {
        survives_strain(story).await;
    }
}
