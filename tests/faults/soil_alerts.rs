//! soil-alerts: a message of a device, in both modes.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{ThingName, Timestamp};
use loam_kit::wiretap::Scenario;
use loam_kit::{
    DeadLetterQueue, Inbox, Mail, Stack, now, plain_record, reading, rule_event, seed_mail, seed_membership,
    unique_thing,
};
use loam_runtime::Invocation;
use loam_things::LifeCycle;
use loam_things::twins::{Notes, Twin};
use serde_json::{Value, json};
use soil_alerts::{AlertFailure, Config, Handler};

use crate::sync_invoke::registered;
use crate::{survives_crashes, survives_strain};

/// A story: what stands in the tables, and the message that comes.
pub(crate) struct Story {
    name: &'static str,
    mode: &'static str,
    /// The rows of the rules' table: scope (`{thing}` stands for the thing's name), attribute, value.
    rules: &'static [(&'static str, &'static str, &'static str)],
    /// The groups that the thing is in, likewise.
    groups: &'static [&'static str],
    /// Whether the thing has a member who wants mail.
    member: bool,
    /// Messages that were dealt with before, by humidity.
    before: &'static [f64],
    message: fn(Timestamp) -> Value,
}

pub(crate) const STORIES: [Story; 9] = [
    Story {
        name: "classic: a batch with a dry and a bad reading",
        mode: "classic",
        rules: &[],
        groups: &[],
        member: false,
        before: &[],
        message: |at| json!([reading("Balcony", &json!(20), at), {"name": "Balcony"}]),
    },
    Story {
        name: "smart: a dry reading opens an episode",
        mode: "smart",
        rules: &[],
        groups: &[],
        member: false,
        before: &[],
        message: |at| reading("Balcony", &json!(20), at),
    },
    Story {
        name: "smart: a dry reading of a thing whose member wants mail",
        mode: "smart",
        rules: &[],
        groups: &[],
        member: true,
        before: &[],
        message: |at| reading("Balcony", &json!(20), at),
    },
    Story {
        name: "smart: a moist reading ends it",
        mode: "smart",
        rules: &[],
        groups: &[],
        member: false,
        before: &[20.0],
        message: |at| reading("Balcony", &json!(50), at),
    },
    Story {
        name: "smart: a batch opens and ends an episode under a type's rule",
        mode: "smart",
        rules: &[
            ("thing:{thing}", "thingType", "pot-{thing}"),
            ("type:pot-{thing}", "rules", r#"[{"path":"humidity","threshold":60,"noDataSeconds":600}]"#),
        ],
        groups: &[],
        member: false,
        before: &[],
        message: |at| json!([reading("Balcony", &json!(50), at), reading("Balcony", &json!(70), at.plus_millis(1))]),
    },
    Story {
        name: "smart: a dry reading under the rule of one of two groups, and of a type",
        mode: "smart",
        rules: &[
            ("thing:{thing}", "thingType", "pot-{thing}"),
            ("group:b-{thing}", "rules", r#"[{"path":"humidity","threshold":60}]"#),
        ],
        groups: &["a-{thing}", "b-{thing}"],
        member: false,
        before: &[],
        message: |at| reading("Balcony", &json!(50), at),
    },
    Story {
        name: "smart: a dry reading of a thing in a group without rules is only remembered",
        mode: "smart",
        rules: &[],
        groups: &["a-{thing}"],
        member: false,
        before: &[20.0],
        message: |at| reading("Balcony", &json!(19), at),
    },
    Story {
        name: "smart: a message that is no JSON",
        mode: "smart",
        rules: &[],
        groups: &[],
        member: false,
        before: &[],
        message: |_| json!("humidity=20"),
    },
    Story {
        name: "smart: a moist reading is only remembered",
        mode: "smart",
        rules: &[],
        groups: &[],
        member: false,
        before: &[],
        message: |at| reading("Balcony", &json!(50), at),
    },
];

/// One run's world.
pub(crate) struct World {
    handler: Handler,
    thing: ThingName,
    event: Value,
    invocation: Invocation,
    inbox: Inbox,
    dead_letters: DeadLetterQueue,
    table: aws_sdk_dynamodb::Client,
    states: String,
}

/// What is left after a run: the distinct notices, the alarm's status, notices that still wait, episodes that are over, the
/// distinct refusals.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    notices: Vec<(String, String, Option<String>)>,
    status: Option<String>,
    waiting: usize,
    past: usize,
    refused: Vec<String>,
}

impl Scenario for Story {
    type World = World;
    type State = Left;
    type Error = AlertFailure;

    fn name(&self) -> &str {
        self.name
    }

    async fn world(&self, endpoint: &str) -> Result<World, AlertFailure> {
        let stack = Stack::deployed();
        let function = stack.function("SoilAlerts");
        let lookup =
            |name: &str| if name == "ALERT_MODE" { Some(self.mode.to_owned()) } else { function.variable(name) };
        let config = Config::from_lookup(&lookup).unwrap();
        let (thing, admin, at) = (unique_thing("fault"), stack.admin().await, now());
        let table = aws_sdk_dynamodb::Client::new(&admin);
        self.write_rules(&table, &config.alerts.rules_table, &thing).await;
        if !self.groups.is_empty() {
            let groups = self.groups.iter().map(|group| group.replace("{thing}", thing.as_str()));
            put_twin(&table, &config.alerts.twins_table, &thing, groups.collect()).await;
        }
        if self.member {
            become_member(&stack, &thing).await;
        }
        let handler = Handler::new(&stack.role_of(function, endpoint).await, &config);
        let invocation = Invocation { request_id: "fault".to_owned(), now: at };
        for (index, humidity) in (1_i64..).zip(self.before) {
            let earlier = at.plus_millis(index - 10_000);
            let payload = reading("Balcony", &json!(humidity), earlier).to_string();
            handler.handle(rule_event(&thing, payload.as_bytes(), earlier), &invocation).await?;
        }
        let message = (self.message)(at);
        let payload = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
        Ok(World {
            event: rule_event(&thing, payload.as_bytes(), at),
            inbox: Inbox::open(&admin, stack.output("AlertsTopic"), thing.as_str()).await,
            dead_letters: DeadLetterQueue::new(&admin, stack.output("SoilAlertsDeadLetters")),
            states: config.alerts.states_table.clone(),
            handler,
            thing,
            invocation,
            table,
        })
    }

    async fn deliver(&self, world: &World) -> Result<(), AlertFailure> {
        world.handler.handle(world.event.clone(), &world.invocation).await
    }

    async fn state(&self, world: &World) -> Result<Left, AlertFailure> {
        let (status, waiting) = world.stored().await;
        // The member has the thing's name.
        let to = |mail: &Mail| mail.attributes.get("members").map(|to| to.replace(world.thing.as_str(), "{thing}"));
        let notice = |mail: Mail| (to(&mail), mail.subject, mail.message);
        let notices = world.inbox.take().await.into_iter().map(notice);
        let mut notices: Vec<_> = notices.map(|(to, subject, message)| (subject, message, to)).collect();
        let kept = world.dead_letters.about(world.thing.as_str()).await;
        let code = |kept: Value| kept.get("code").and_then(Value::as_str).unwrap_or("no code").to_owned();
        let mut refused: Vec<_> = kept.into_iter().map(code).collect();
        [notices.sort(), refused.sort()].into_iter().for_each(drop);
        notices.dedup();
        refused.dedup();
        Ok(Left { notices, status, waiting, past: world.past().await, refused })
    }
}

impl Story {
    async fn write_rules(&self, table: &aws_sdk_dynamodb::Client, rules: &str, thing: &ThingName) {
        for (scope, attribute, value) in self.rules {
            let text = |text: &str| AttributeValue::S(text.replace("{thing}", thing.as_str()));
            let put = table.put_item().table_name(rules).item("scope", text(scope)).item(*attribute, text(value));
            put.send().await.unwrap();
        }
    }
}

/// Somebody with the thing's name owns it and wants mail.
pub(crate) async fn become_member(stack: &Stack, thing: &ThingName) {
    registered(stack, thing).await;
    seed_membership(stack, thing.as_str(), thing, "owner", 1).await;
    seed_mail(stack, thing.as_str(), thing).await;
}

/// The catalog's row of a thing that is in these groups.
pub(crate) async fn put_twin(
    table: &aws_sdk_dynamodb::Client,
    twins: &str,
    thing: &ThingName,
    groups: BTreeSet<String>,
) {
    let record = plain_record(LifeCycle::Active, now());
    let notes = Notes { groups, ..Notes::default() };
    let twin = Twin { thing: thing.clone(), version: 1, record, shadow: None, presence: None, notes };
    table.put_item().table_name(twins).set_item(Some(twin.item().unwrap())).send().await.unwrap();
}

impl World {
    async fn past(&self) -> usize {
        let query = self.table.query().table_name(&self.states).consistent_read(true);
        let query = query.key_condition_expression("thing = :thing AND begins_with(#rule, :past)");
        let query = query.expression_attribute_names("#rule", "rule");
        let query = query.expression_attribute_values(":thing", AttributeValue::S(self.thing.to_string()));
        let query = query.expression_attribute_values(":past", AttributeValue::S("#episode#".to_owned()));
        query.send().await.unwrap().items().len()
    }

    async fn stored(&self) -> (Option<String>, usize) {
        let get = self.table.get_item().table_name(&self.states).consistent_read(true);
        let get = get.key("thing", AttributeValue::S(self.thing.to_string()));
        let item = get.key("rule", AttributeValue::S("humidity".to_owned())).send().await.unwrap().item;
        let text = |name: &str| item.as_ref().and_then(|item| item.get(name)?.as_s().ok().cloned());
        let state: Value = text("state").map(|json| serde_json::from_str(&json).unwrap()).unwrap_or_default();
        (text("status"), state.get("outbox").and_then(Value::as_array).map_or(0, Vec::len))
    }
}

#[tokio::test]
async fn a_crash_at_any_call_changes_nothing_in_the_end() {
    for story in &STORIES {
        survives_crashes(story).await;
    }
}

#[tokio::test]
async fn throttling_and_failures_at_any_call_never_make_a_wrong_success() {
    for story in &STORIES {
        survives_strain(story).await;
    }
}
