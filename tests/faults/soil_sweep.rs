//! soil-alerts' sweep: readings that stay away. The crash loops run on tables of their own, since a sweep looks at all
//! things of a table.

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{ThingName, Timestamp};
use loam_kit::wiretap::Scenario;
use loam_kit::{Inbox, Stack, now, reading, rule_event, twin_of_table, unique_thing};
use loam_runtime::Invocation;
use serde_json::{Value, json};
use soil_alerts::{AlertFailure, AlertsConfig, Config, Handler, Mode, Sweeper};

use crate::soil_alerts::become_member;
use crate::{survives_crashes, survives_strain};

/// Whose tables a sweep looks at.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Tables {
    /// New ones, under the administrator's key.
    Own,
    /// The stack's, under the function's role, and at a time at which nobody else sweeps: in a day.
    OfTheStack,
}

/// A thing that was told to send every minute, and has not for two.
pub(crate) struct Silence(pub(crate) Tables);

pub(crate) struct World {
    sweeper: Sweeper,
    inbox: Inbox,
    invocation: Invocation,
}

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

impl Scenario for Silence {
    type World = World;
    type State = Vec<(String, Option<String>)>;
    type Error = AlertFailure;

    fn name(&self) -> &str {
        "sweep: readings stay away"
    }

    async fn world(&self, endpoint: &str) -> Result<World, AlertFailure> {
        let stack = Stack::deployed();
        let (thing, admin) = (unique_thing("silent"), stack.admin().await);
        become_member(&stack, &thing).await;
        let function = stack.function("SoilAlertsSweep");
        let mut config = AlertsConfig::from_lookup(&|name| function.variable(name)).unwrap();
        let at = match self.0 {
            Tables::Own => {
                config.rules_table = twin_of_table(&admin, &config.rules_table).await;
                config.states_table = twin_of_table(&admin, &config.states_table).await;
                now()
            }
            Tables::OfTheStack => now().plus_millis(DAY_MILLIS),
        };
        write_rule(&aws_sdk_dynamodb::Client::new(&admin), &config.rules_table, &thing).await;
        speak_once(&admin, &config, &thing, at).await?;
        let sdk = match self.0 {
            Tables::Own => stack.admin_through(endpoint).await,
            Tables::OfTheStack => stack.role_of(function, endpoint).await,
        };
        Ok(World {
            sweeper: Sweeper::new(&sdk, &config),
            inbox: Inbox::open(&admin, stack.output("AlertsTopic"), thing.as_str()).await,
            invocation: Invocation { request_id: "sweep".to_owned(), now: at.plus_millis(120_000) },
        })
    }

    async fn deliver(&self, world: &World) -> Result<(), AlertFailure> {
        world.sweeper.handle(Value::Null, &world.invocation).await?;
        // A notice that a dead sweep left behind is sent by one that comes a good minute later.
        let later = Invocation { now: world.invocation.now.plus_millis(61_000), ..world.invocation.clone() };
        world.sweeper.handle(Value::Null, &later).await
    }

    async fn state(&self, world: &World) -> Result<Self::State, AlertFailure> {
        let mails = world.inbox.take().await;
        let mut notices: Vec<_> =
            mails.into_iter().map(|mail| (mail.subject, mail.attributes.get("kind").cloned())).collect();
        notices.sort();
        notices.dedup();
        Ok(notices)
    }
}

async fn write_rule(table: &aws_sdk_dynamodb::Client, rules: &str, thing: &ThingName) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let rule = r#"[{"path":"humidity","threshold":35,"noDataSeconds":60}]"#;
    let (own, of_type) = (format!("thing:{thing}"), format!("type:silent-{thing}"));
    let put = table.put_item().table_name(rules).item("scope", text(&own));
    put.item("thingType", text(&format!("silent-{thing}"))).send().await.unwrap();
    table.put_item().table_name(rules).item("scope", text(&of_type)).item("rules", text(rule)).send().await.unwrap();
}

async fn speak_once(
    admin: &aws_config::SdkConfig,
    config: &AlertsConfig,
    thing: &ThingName,
    at: Timestamp,
) -> Result<(), AlertFailure> {
    let queue = Stack::deployed().function("SoilAlerts").variable("DEAD_LETTERS_URL").unwrap();
    let (alerts, mode) = (config.clone(), Mode::Smart);
    let config = Config { alerts, mode, history_days: 90, dead_letters_url: queue };
    let payload = reading("Balcony", &json!(50), at).to_string();
    let invocation = Invocation { request_id: "first".to_owned(), now: at };
    Handler::new(admin, &config).handle(rule_event(thing, payload.as_bytes(), at), &invocation).await
}

#[tokio::test]
async fn a_crash_at_any_call_changes_nothing_in_the_end() {
    survives_crashes(&Silence(Tables::Own)).await;
}

#[tokio::test]
async fn throttling_and_failures_at_any_call_never_make_a_wrong_success() {
    survives_strain(&Silence(Tables::Own)).await;
}
