//! One test's world of the routes: a thing of its own, callers of its own.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use loam_access::Access;
use loam_domain::{Readings, ThingName, Timestamp};
use loam_kit::{Inbox, Stack, api_event, ask, now, plain_record, reading, register, unique_thing, with_if_match};
use loam_things::twins::{Notes, Twin};
use loam_things::{LifeCycle, Things};
use serde_json::{Value, json};
use soil_alerts::smart::{Alerts, NearestRules, StateStore};
use soil_alerts::{ApiConfig, Notices, api};

pub(crate) struct World {
    pub(crate) thing: ThingName,
    pub(crate) alerts: Alerts,
    pub(crate) inbox: Inbox,
    pub(crate) began: Timestamp,
    router: Router,
    pub(crate) admin: SdkConfig,
    pub(crate) stack: Stack,
}

/// What a route answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) etag: String,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who<'a> {
    Operator,
    User(&'a str),
}

impl World {
    pub(crate) async fn new(purpose: &str) -> Self {
        let stack = Stack::deployed();
        let function = stack.function("SoilAlertsApi");
        let config = ApiConfig::from_lookup(&|name| function.variable(name)).unwrap();
        let (admin, thing) = (stack.admin().await, unique_thing(purpose));
        let router = api::routes().with_state(api::Api::new(&stack.role_of(function, &stack.endpoint).await, config));
        let topic = stack.output("AlertsTopic").to_owned();
        let world = Self {
            alerts: alerts_of(&stack).await,
            inbox: Inbox::open(&admin, &topic, thing.as_str()).await,
            router: router.into(),
            began: now(),
            admin,
            stack,
            thing,
        };
        register(&Things::new(&world.admin, world.table("ThingsTable")), &world.thing).await;
        world
    }

    fn table(&self, logical: &str) -> String {
        self.stack.resources.get(logical).unwrap().clone()
    }

    /// Makes a member of the present epoch, who sees what is not older than `since`.
    pub(crate) async fn member(&self, role: &str, since: Timestamp) -> String {
        let user = unique_thing(role).to_string();
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = aws_sdk_dynamodb::Client::new(&self.admin).put_item().table_name(self.table("MembershipsTable"));
        let put = put.item("user", text(&user)).item("thing", text(self.thing.as_str())).item("role", text(role));
        let put = put.item("since", AttributeValue::N(since.as_millis().to_string()));
        put.item("epoch", AttributeValue::N("1".to_owned())).send().await.unwrap();
        user
    }

    /// Puts the thing into groups, as the catalog keeps it.
    pub(crate) async fn join(&self, groups: &[&str]) {
        let record = plain_record(LifeCycle::Registered, self.began);
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let notes = Notes { groups, ..Notes::default() };
        // Far beyond what the catalog itself counts up to here, so that it finds its own write lost.
        let twin = Twin { thing: self.thing.clone(), version: 1_000, record, shadow: None, presence: None, notes };
        self.put("TwinsTable", twin.item().unwrap()).await;
    }

    pub(crate) async fn put(&self, table: &str, item: std::collections::HashMap<String, AttributeValue>) {
        let put = aws_sdk_dynamodb::Client::new(&self.admin).put_item().table_name(self.table(table));
        put.set_item(Some(item)).send().await.unwrap();
    }

    /// A reading that is measured and arrives `second` seconds after the test began.
    pub(crate) async fn deliver(&self, second: i64, humidity: i64) {
        let at = self.began.plus_millis(1000 * second);
        let json = reading("Balcony", &json!(humidity), at).to_string();
        let mut readings = Readings::parse(json.as_bytes(), at).unwrap();
        let reading = readings.accepted.remove(0).1;
        self.alerts.apply(&self.thing, &[&reading], at, now()).await.unwrap();
    }

    pub(crate) async fn ask(&self, who: Who<'_>, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.ask_if(who, method, path, body, None).await
    }

    /// A request, with `If-Match` if told.
    pub(crate) async fn ask_if(
        &self,
        who: Who<'_>,
        method: &str,
        path: &str,
        body: Option<&Value>,
        if_match: Option<&str>,
    ) -> Answer {
        let (sub, groups): (&str, &[&str]) = match who {
            Who::Operator => ("an-operator", &["operators"]),
            Who::User(sub) => (sub, &["co-operators"]),
        };
        let event = api_event(&format!("{method} /v1/test"), path, sub, groups, body);
        let answer = ask(self.router.clone(), with_if_match(event, if_match)).await;
        let (etag, body) = (answer.header("etag").to_owned(), answer.json());
        Answer { status: answer.status, etag, body, text: answer.body }
    }

    pub(crate) async fn alerts(&self, who: Who<'_>, query: &str) -> Answer {
        self.ask(who, "GET", &format!("/v1/things/{}/alerts{query}", self.thing), None).await
    }

    /// What is known under the path `humidity`.
    pub(crate) async fn humidity(&self, who: Who<'_>) -> Value {
        let answer = self.alerts(who, "").await;
        let paths = answer.body["paths"].as_array().cloned().unwrap_or_default();
        paths.into_iter().find(|path| path["path"] == "humidity").unwrap_or_default()
    }

    /// The episode that opened `second` seconds after the test began.
    pub(crate) fn episode(&self, second: i64) -> String {
        format!("humidity:{}", self.began.plus_millis(1000 * second).as_millis())
    }

    /// `POST .../acknowledge`, or `.../snooze` for so many seconds.
    pub(crate) async fn react(&self, who: Who<'_>, episode: &str, snooze: Option<i64>) -> Answer {
        let word = if snooze.is_some() { "snooze" } else { "acknowledge" };
        let path = format!("/v1/things/{}/alerts/{episode}/{word}", self.thing);
        self.ask(who, "POST", &path, snooze.map(|seconds| json!({"seconds": seconds})).as_ref()).await
    }
}

async fn alerts_of(stack: &Stack) -> Alerts {
    let function = stack.function("SoilAlerts");
    let variable = |name: &str| function.variable(name).unwrap();
    let sdk = stack.role_of(function, &stack.endpoint).await;
    let client = aws_sdk_dynamodb::Client::new(&sdk);
    let states = StateStore::new(client.clone(), variable("ALERT_STATES_TABLE"));
    let rules = NearestRules::new(client, variable("ALERT_RULES_TABLE"), variable("TWINS_TABLE"));
    let access = Access::new(&sdk, variable("MEMBERSHIPS_TABLE"), Things::new(&sdk, variable("THINGS_TABLE")));
    Alerts::new(states, rules, Notices::new(aws_sdk_sns::Client::new(&sdk), access, variable("alert_sns")), 35.0)
}
