//! What catalog, soil-alerts and telemetry erase when an owner's time is over.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{ThingName, Timestamp};
use loam_kit::wiretap::Scenario;
use loam_kit::{Stack, end_tenure, now, reading, register_paired, rule_event, unique_thing};
use loam_runtime::{BatchItem, Invocation};
use loam_things::Things;
use loam_things::twins::{Notes, Twins};
use serde_json::json;

use crate::erasures::Records;
use crate::soil_sweep::Tables;
use crate::{all_done, survives_crashes, survives_strain};

/// Who erases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Catalog,
    Alerts,
    Telemetry,
}

/// A story: an owner's time is over, since a moment or for long enough.
pub(crate) struct Story {
    name: &'static str,
    pub(crate) by: By,
    quiet: bool,
    tables: Tables,
}

/// The stories on records of their own, or on the stack's.
pub(crate) const fn erasures(tables: Tables) -> [Story; 6] {
    [
        Story { name: "catalog: an owner's time ended just now", by: By::Catalog, quiet: false, tables },
        Story { name: "catalog: an owner's tags and name go", by: By::Catalog, quiet: true, tables },
        Story { name: "soil-alerts: an owner's time ended just now", by: By::Alerts, quiet: false, tables },
        Story { name: "soil-alerts: an owner's rules and episodes go", by: By::Alerts, quiet: true, tables },
        Story { name: "telemetry: an owner's time ended just now", by: By::Telemetry, quiet: false, tables },
        Story { name: "telemetry: what was measured in an owner's time goes", by: By::Telemetry, quiet: true, tables },
    ]
}

enum Eraser {
    Catalog(catalog::Handler),
    Alerts(soil_alerts::ThingEvents),
    Telemetry(telemetry::Handler),
}

/// One run's world.
pub(crate) struct World {
    eraser: Eraser,
    rows: Rows,
    things: Things,
    thing: ThingName,
    at: Timestamp,
}

/// Where people's things lie.
struct Rows {
    tables: aws_sdk_dynamodb::Client,
    twins: Twins,
    twins_table: String,
    catalog: catalog::Config,
    alerts: soil_alerts::ThingsConfig,
    telemetry: telemetry::Config,
    series: telemetry::Store,
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn event(kind: &str, thing: &ThingName) -> BatchItem {
    let body = json!({"id": format!("{thing}.5"), "type": kind, "thing": thing, "at": 7, "epoch": 2, "data": {}});
    BatchItem { message_id: "0".to_owned(), body: body.to_string() }
}

impl Rows {
    async fn of(admin: &SdkConfig) -> Self {
        let stack = Stack::deployed();
        let variable = |function: &'static str| {
            let stack = stack.clone();
            move |name: &str| stack.function(function).variable(name)
        };
        let catalog = catalog::Config::from_lookup(&variable("CatalogProjector")).unwrap();
        let telemetry = telemetry::Config::from_lookup(&variable("Telemetry")).unwrap();
        Self {
            tables: aws_sdk_dynamodb::Client::new(admin),
            twins: Twins::new(admin, catalog.twins_table.clone()),
            twins_table: catalog.twins_table.clone(),
            alerts: soil_alerts::ThingsConfig::from_lookup(&variable("SoilAlertsThings")).unwrap(),
            series: telemetry::Store::new(admin, telemetry.table.clone(), telemetry.retention),
            catalog,
            telemetry,
        }
    }

    fn eraser(&self, by: By, sdk: &SdkConfig, things_table: String) -> Eraser {
        match by {
            By::Catalog => {
                Eraser::Catalog(catalog::Handler::new(sdk, catalog::Config { things_table, ..self.catalog.clone() }))
            }
            By::Alerts => {
                let config = soil_alerts::ThingsConfig { things_table, ..self.alerts.clone() };
                Eraser::Alerts(soil_alerts::ThingEvents::new(sdk, config))
            }
            By::Telemetry => {
                let config = telemetry::Config { things_table, ..self.telemetry.clone() };
                Eraser::Telemetry(telemetry::Handler::new(sdk, config))
            }
        }
    }

    /// What people left with each of them.
    async fn fill(&self, admin: &SdkConfig, thing: &ThingName, things_table: &str, by: By) {
        let eraser = self.eraser(by, admin, things_table.to_owned());
        match by {
            By::Catalog => {
                eraser.hear(event("thing.onboarded", thing), now()).await.unwrap();
                let mut twin = self.twins.get(thing).await.unwrap().unwrap();
                let tags = json!({"floor": 3}).as_object().unwrap().clone();
                twin.notes = Notes { tags, friendly_name: Some("Basil".to_owned()), ..twin.notes };
                let put = self.tables.put_item().table_name(&self.twins_table).set_item(Some(twin.item().unwrap()));
                put.send().await.unwrap();
            }
            By::Alerts => {
                let put = self.tables.put_item().table_name(&self.alerts.rules_table);
                let put = put.item("scope", text(&format!("thing:{thing}"))).item("thingType", text("balcony"));
                put.item("rules", text("[]")).item("version", AttributeValue::N("1".to_owned())).send().await.unwrap();
                let put = self.tables.put_item().table_name(&self.alerts.states_table);
                put.item("thing", text(thing.as_str())).item("rule", text("humidity")).send().await.unwrap();
            }
            By::Telemetry => {
                let at = now();
                let body = rule_event(thing, reading("Balcony", &json!(20), at).to_string().as_bytes(), at).to_string();
                eraser.hear(BatchItem { message_id: "0".to_owned(), body }, at).await.unwrap();
            }
        }
    }

    /// What of it is left, and whether the thing's own type is.
    async fn left(&self, thing: &ThingName) -> (bool, usize, usize, bool, usize) {
        let twin = self.twins.get(thing).await.unwrap();
        let notes = twin.is_some_and(|twin| twin.notes.friendly_name.is_some() || !twin.notes.tags.is_empty());
        let get = self.tables.get_item().table_name(&self.alerts.rules_table).consistent_read(true);
        let rules = get.key("scope", text(&format!("thing:{thing}"))).send().await.unwrap().item.unwrap_or_default();
        let query = self.tables.query().table_name(&self.alerts.states_table).consistent_read(true);
        let query = query.key_condition_expression("thing = :thing");
        let states = query.expression_attribute_values(":thing", text(thing.as_str())).send().await.unwrap();
        let latest = self.series.latest(thing).await.unwrap().len();
        let has_rules = usize::from(rules.contains_key("rules") || rules.contains_key("version"));
        (notes, has_rules, states.items().len(), rules.contains_key("thingType"), latest)
    }
}

impl Eraser {
    async fn hear(&self, item: BatchItem, now: Timestamp) -> Result<(), String> {
        let (batch, invocation) = (vec![item], Invocation { request_id: "fault".to_owned(), now });
        match self {
            Self::Catalog(handler) => all_done(handler.handle(batch, &invocation).await),
            Self::Alerts(events) => all_done(events.handle(batch, &invocation).await),
            Self::Telemetry(handler) => all_done(handler.handle(batch, &invocation).await),
        }
    }
}

/// The thing was paired, and its owner's time is over since a moment; all are awaited.
async fn owner_is_gone(things: &Things, thing: &ThingName) {
    register_paired(things, thing).await;
    end_tenure(things, thing, &["catalog", "soil-alerts", "telemetry"], now()).await;
}

impl Scenario for Story {
    type World = World;
    type State = ((bool, usize, usize, bool, usize), Option<BTreeSet<String>>);
    type Error = String;

    fn name(&self) -> &str {
        self.name
    }

    async fn world(&self, endpoint: &str) -> Result<World, String> {
        let stack = Stack::deployed();
        let (admin, thing) = (stack.admin().await, unique_thing("left"));
        let rows = Rows::of(&admin).await;
        let records = Records::beside(&rows.catalog.things_table).await;
        owner_is_gone(&records.things, &thing).await;
        let things_table = records.bring(&thing, self.tables).await;
        rows.fill(&admin, &thing, &things_table, self.by).await;
        let function = match self.by {
            By::Catalog => "CatalogProjector",
            By::Alerts => "SoilAlertsThings",
            By::Telemetry => "Telemetry",
        };
        let sdk = match self.tables {
            Tables::Own => stack.admin_through(endpoint).await,
            Tables::OfTheStack => stack.role_of(stack.function(function), endpoint).await,
        };
        let eraser = rows.eraser(self.by, &sdk, things_table.clone());
        // A record's times never fall back, so that the message comes later instead.
        let at = if self.quiet { now().plus_millis(super::LATER_MILLIS) } else { now() };
        Ok(World { eraser, rows, things: Things::new(&admin, things_table), thing, at })
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        world.eraser.hear(event("thing.unpaired", &world.thing), world.at).await
    }

    async fn state(&self, world: &World) -> Result<Self::State, String> {
        let record = world.things.get(&world.thing).await.unwrap().unwrap();
        Ok((world.rows.left(&world.thing).await, record.erasure.map(|erasure| erasure.awaiting)))
    }
}

#[tokio::test]
async fn an_erasure_that_crashes_at_any_call_leaves_nothing_in_the_end() {
    for story in &erasures(Tables::Own) {
        survives_crashes(story).await;
    }
}

#[tokio::test]
async fn an_erasure_that_is_throttled_never_says_that_it_is_done() {
    for story in &erasures(Tables::Own) {
        survives_strain(story).await;
    }
}
