//! soil-alerts: its routes, each as one request.

use std::collections::BTreeSet;

use axum::Router;
use loam_domain::{ThingName, Timestamp};
use loam_kit::wiretap::Scenario;
use loam_kit::{Stack, api_event, ask, now, reading, rule_event, seed_membership, unique_thing};
use loam_runtime::Invocation;
use serde_json::{Value, json};
use soil_alerts::{ApiConfig, Config, Handler, api};

use crate::catalog::Thing;
use crate::soil_alerts::put_twin;
use crate::{survives_crashes, survives_strain};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Who {
    Operator,
    /// A controller of the thing.
    Member,
    /// A member of nothing.
    Stranger,
}

/// What stands there before the request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Stage {
    Nothing,
    /// The scope of the request has rules.
    Rules,
    /// The thing's humidity is in alarm, and its battery too.
    Open,
    /// The same, and it was before, three times.
    Past,
    /// The thing is in two groups.
    Grouped,
}

/// One request.
#[derive(Clone, Copy)]
pub(crate) struct Story {
    name: &'static str,
    who: Who,
    method: &'static str,
    /// `{thing}` stands for the world's own, `{episode}` for the open one.
    path: &'static str,
    body: Option<&'static str>,
    stage: Stage,
    /// Whether the environment has the key that seals cursors.
    warm: bool,
}

const RULES: Option<&str> = Some(r#"{"rules":[{"path":"humidity","threshold":30,"clear":40}]}"#);

const READ: Story = Story {
    name: "",
    who: Who::Member,
    method: "GET",
    path: "/v1/things/{thing}/alerts",
    body: None,
    stage: Stage::Nothing,
    warm: true,
};
const WRITE: Story =
    Story { who: Who::Operator, method: "PUT", path: "/v1/alert-rules/group:{thing}", body: RULES, ..READ };
const REACT: Story = Story { method: "POST", stage: Stage::Open, ..READ };

pub(crate) const STORIES: [Story; 15] = [
    Story {
        name: "GET alert-rules: a page of 1 with its cursor",
        path: "/v1/alert-rules?limit=1",
        stage: Stage::Rules,
        who: Who::Operator,
        ..READ
    },
    Story {
        name: "GET alert-rules/{scope}: a thing's own, a member",
        path: "/v1/alert-rules/thing:{thing}",
        stage: Stage::Rules,
        ..READ
    },
    Story {
        name: "GET alert-rules/{scope}: a thing's own, a stranger",
        who: Who::Stranger,
        path: "/v1/alert-rules/thing:{thing}",
        stage: Stage::Rules,
        ..READ
    },
    Story {
        name: "GET alert-rules/{scope}: a type's, an operator",
        who: Who::Operator,
        path: "/v1/alert-rules/type:{thing}",
        stage: Stage::Rules,
        ..READ
    },
    Story {
        name: "PUT alert-rules/{scope}: a thing's own, a member",
        who: Who::Member,
        path: "/v1/alert-rules/thing:{thing}",
        ..WRITE
    },
    Story { name: "PUT alert-rules/{scope}: a group's", ..WRITE },
    Story {
        name: "PUT alert-rules/{scope}: a type's, over others",
        path: "/v1/alert-rules/type:{thing}",
        stage: Stage::Rules,
        ..WRITE
    },
    Story {
        name: "DELETE alert-rules/{scope}: a thing's own",
        method: "DELETE",
        path: "/v1/alert-rules/thing:{thing}",
        body: None,
        stage: Stage::Rules,
        ..WRITE
    },
    Story {
        name: "DELETE alert-rules/{scope}: a type's",
        method: "DELETE",
        path: "/v1/alert-rules/type:{thing}",
        body: None,
        stage: Stage::Rules,
        ..WRITE
    },
    Story { name: "GET things/{thing}/alerts: nothing is known", ..READ },
    Story {
        name: "GET things/{thing}/alerts: in alarm, three past episodes, a page of 2",
        path: "/v1/things/{thing}/alerts?limit=2",
        stage: Stage::Past,
        ..READ
    },
    Story {
        name: "GET things/{thing}/alerts: a thing in two groups, an operator",
        who: Who::Operator,
        stage: Stage::Grouped,
        ..READ
    },
    Story { name: "GET things/{thing}/alerts: a stranger", who: Who::Stranger, stage: Stage::Open, ..READ },
    Story { name: "POST .../acknowledge", path: "/v1/things/{thing}/alerts/{episode}/acknowledge", ..REACT },
    Story {
        name: "POST .../snooze: a thing with two paths",
        path: "/v1/things/{thing}/alerts/{episode}/snooze",
        body: Some(r#"{"seconds":3600}"#),
        ..REACT
    },
];

/// One run's world.
pub(crate) struct World {
    router: Router,
    straight: Router,
    member: String,
    thing: ThingName,
    at: Timestamp,
}

/// What is left after a run: the rules of the story's scope and what is known of the thing, without times and versions.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    rules: Value,
    alerts: Value,
}

async fn router(stack: &Stack, endpoint: &str) -> Router {
    let function = stack.function("SoilAlertsApi");
    let config = ApiConfig::from_lookup(&|name| function.variable(name)).unwrap();
    api::routes().with_state(api::Api::new(&stack.role_of(function, endpoint).await, config)).into()
}

impl World {
    /// The body of a good answer; the problem otherwise.
    async fn send(
        &self,
        router: &Router,
        who: Who,
        (method, path): (&str, &str),
        body: Option<&str>,
    ) -> Result<Value, String> {
        let (sub, groups): (&str, &[&str]) = match who {
            Who::Operator => ("operator", &["operators"]),
            Who::Member => (&self.member, &[]),
            Who::Stranger => ("stranger", &[]),
        };
        let body = body.map(|body| serde_json::from_str::<Value>(body).unwrap());
        let event = api_event(&format!("{method} /v1/test"), &self.filled(path), sub, groups, body.as_ref());
        let answer = ask(router.clone(), event).await;
        if answer.status < 300 || (who == Who::Stranger && answer.status == 404) {
            Ok(answer.json())
        } else {
            Err(format!("{}: {}", answer.status, answer.body))
        }
    }

    fn filled(&self, path: &str) -> String {
        let episode = format!("humidity:{}", self.at.as_millis());
        path.replace("{thing}", self.thing.as_str()).replace("{episode}", &episode)
    }

    /// Readings of the thing, one message each, up to `at`.
    async fn hear(&self, stack: &Stack, humidities: &[i64]) {
        let function = stack.function("SoilAlerts");
        let lookup = |name: &str| if name == "ALERT_MODE" { Some("smart".to_owned()) } else { function.variable(name) };
        let handler = Handler::new(&stack.admin().await, &Config::from_lookup(&lookup).unwrap());
        let invocation = Invocation { request_id: "stage".to_owned(), now: self.at };
        for (back, humidity) in (0..humidities.len()).rev().zip(humidities) {
            let at = self.at.plus_millis(-1000 * i64::try_from(back).unwrap());
            let mut payload = reading("Balcony", &json!(humidity), at);
            payload.as_object_mut().unwrap().insert("battery".to_owned(), json!(1));
            handler.handle(rule_event(&self.thing, payload.to_string().as_bytes(), at), &invocation).await.unwrap();
        }
    }

    async fn set(&self, stack: &Stack, story: &Story) -> Result<(), String> {
        let put = async |scope: &str, body: &str| {
            let path = format!("/v1/alert-rules/{scope}");
            self.send(&self.straight, Who::Operator, ("PUT", &path), Some(body)).await.map(drop)
        };
        let both = r#"{"rules":[{"path":"humidity","threshold":35},{"path":"battery","threshold":2}]}"#;
        match story.stage {
            Stage::Nothing => {}
            Stage::Rules => {
                for scope in ["thing:{thing}", "type:{thing}"] {
                    put(scope, r#"{"rules":[]}"#).await?;
                }
            }
            Stage::Open => {
                put("thing:{thing}", both).await?;
                self.hear(stack, &[20]).await;
            }
            Stage::Past => {
                put("thing:{thing}", both).await?;
                self.hear(stack, &[20, 50, 20, 50, 20, 50, 20]).await;
            }
            Stage::Grouped => {
                let twins = stack.function("SoilAlertsApi").variable("TWINS_TABLE").unwrap();
                let groups = ["a", "b"].map(|group| format!("{group}-{}", self.thing));
                let table = aws_sdk_dynamodb::Client::new(&stack.admin().await);
                put_twin(&table, &twins, &self.thing, BTreeSet::from(groups)).await;
            }
        }
        Ok(())
    }
}

impl Story {
    /// The same in an environment that begins.
    pub(crate) const fn cold(&self) -> Self {
        Self { warm: false, ..*self }
    }

    /// Whether it changes something.
    fn writes(&self) -> bool {
        self.method != "GET"
    }

    fn scope(&self) -> &str {
        self.path.strip_prefix("/v1/alert-rules/").unwrap_or("thing:{thing}")
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
        let thing = Thing::new(&stack, "fault").await.name;
        let (router, straight) = (router(&stack, endpoint).await, router(&stack, &stack.endpoint).await);
        let world = World { router, straight, member: unique_thing("user").to_string(), thing, at: now() };
        seed_membership(&stack, &world.member, &world.thing, "controller", 1).await;
        world.set(&stack, self).await?;
        // The key that seals cursors is made once in the life of a stack and read once in an environment's.
        let environment = if self.warm { &world.router } else { &world.straight };
        let list = ("GET", "/v1/alert-rules?cursor=AAAA");
        let _key = world.send(environment, Who::Operator, list, None).await;
        Ok(world)
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        match world.send(&world.router, self.who, (self.method, self.path), self.body).await {
            Ok(_) => Ok(()),
            // Deleted before, and the answer was lost.
            Err(problem) if self.method == "DELETE" && problem.contains("no-such-alert-rule") => Ok(()),
            Err(problem) => Err(problem),
        }
    }

    async fn state(&self, world: &World) -> Result<Left, String> {
        let ask = async |path: String| world.send(&world.straight, Who::Operator, ("GET", &path), None).await;
        let rules = ask(format!("/v1/alert-rules/{}", self.scope())).await.map(|rules| rules.get("rules").cloned());
        let alerts = ask("/v1/things/{thing}/alerts".to_owned()).await?;
        let path = |path: &Value| {
            let (by, snooze) = (path.pointer("/episode/acknowledged/by"), path.pointer("/snooze/by"));
            let named = |by: Option<&Value>| by.and_then(Value::as_str).map(|by| by == world.member);
            json!({"path": path.get("path"), "status": path.get("status"), "by": named(by), "snooze": named(snooze)})
        };
        let paths: Vec<_> = alerts.get("paths").and_then(Value::as_array).unwrap().iter().map(path).collect();
        let past = alerts.pointer("/episodes/items").and_then(Value::as_array).unwrap().len();
        Ok(Left { rules: rules.ok().flatten().unwrap_or_default(), alerts: json!({"paths": paths, "past": past}) })
    }
}

#[tokio::test]
async fn a_request_that_is_stopped_at_any_call_and_sent_again_is_done_once() {
    for story in STORIES.iter().filter(|story| story.writes()) {
        survives_crashes(story).await;
    }
}

#[tokio::test]
async fn a_request_that_meets_throttling_at_any_call_never_claims_success() {
    for story in STORIES.iter().filter(|story| story.writes() || story.who == Who::Member) {
        survives_strain(story).await;
    }
}
