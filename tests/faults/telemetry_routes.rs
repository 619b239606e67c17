//! telemetry: its routes, each as one request.

use axum::Router;
use loam_domain::{ThingName, Timestamp};
use loam_kit::wiretap::Scenario;
use loam_kit::{Stack, api_event, ask, now, reading, register, rule_event, seed_membership, unique_thing};
use loam_runtime::{BatchItem, Invocation};
use loam_things::Things;
use serde_json::{Value, json};
use telemetry::point::HOUR_MILLIS;
use telemetry::{Api, ApiConfig, Config, Handler};

use crate::survives_strain;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Who {
    Operator,
    /// A viewer of the thing.
    Member,
    /// A member of nothing.
    Stranger,
}

/// One request.
#[derive(Clone, Copy)]
pub(crate) struct Story {
    name: &'static str,
    who: Who,
    /// What follows the thing in its path.
    path: &'static str,
    /// How many readings there are, beginning at an hour's start.
    readings: i64,
    /// How many milliseconds lie between two of them.
    step: i64,
}

const READ: Story = Story { name: "", who: Who::Member, path: "telemetry/latest", readings: 3, step: 1 };
const SERIES: Story = Story { path: "telemetry?path=humidity", ..READ };

/// Every route, every resolution.
pub(crate) const STORIES: [Story; 10] = [
    Story { name: "GET telemetry/latest: a member", ..READ },
    Story { name: "GET telemetry/latest: an operator", who: Who::Operator, ..READ },
    Story { name: "GET telemetry/latest: a stranger", who: Who::Stranger, ..READ },
    Story { name: "GET telemetry: a member, one page", ..SERIES },
    Story {
        name: "GET telemetry: a page of 1 of 3 with its cursor, the newest first",
        path: "telemetry?path=humidity&limit=1&order=desc",
        ..SERIES
    },
    Story { name: "GET telemetry: nothing there", path: "telemetry?sensor=air&path=t", ..SERIES },
    Story {
        name: "GET telemetry: a page of 500 points of 700",
        path: "telemetry?path=humidity&limit=500",
        readings: 700,
        ..SERIES
    },
    Story {
        name: "GET telemetry: 24 hours",
        path: "telemetry?path=humidity&resolution=hour",
        readings: 24,
        step: -HOUR_MILLIS,
        ..SERIES
    },
    Story {
        name: "GET telemetry: days of 72 hours",
        path: "telemetry?path=humidity&resolution=day",
        readings: 72,
        step: -HOUR_MILLIS,
        ..SERIES
    },
    Story { name: "GET telemetry: a stranger", who: Who::Stranger, ..SERIES },
];

/// One run's world.
pub(crate) struct World {
    router: Router,
    thing: ThingName,
}

impl Story {
    /// Stores what the thing measured, without a wiretap.
    async fn measure(&self, stack: &Stack, thing: &ThingName) {
        let function = stack.function("Telemetry");
        let config = Config::from_lookup(&|name| function.variable(name)).unwrap();
        let millis = now().as_millis();
        let hour = Timestamp::from_millis(millis - millis.rem_euclid(HOUR_MILLIS) - HOUR_MILLIS);
        let readings: Vec<_> =
            (0..self.readings).map(|at| reading("Balcony", &json!(20.5), hour.plus_millis(at * self.step))).collect();
        let body = rule_event(thing, json!(readings).to_string().as_bytes(), now()).to_string();
        let batch = vec![BatchItem { message_id: "1".to_owned(), body }];
        let invocation = Invocation { request_id: "fault".to_owned(), now: now() };
        let again = Handler::new(&stack.admin().await, config).handle(batch, &invocation).await.unwrap();
        assert!(again.is_empty());
    }
}

async fn router(stack: &Stack, endpoint: &str) -> Router {
    let function = stack.function("TelemetryApi");
    let config = ApiConfig::from_lookup(&|name| function.variable(name)).unwrap();
    telemetry::routes().with_state(Api::new(&stack.role_of(function, endpoint).await, config)).into()
}

impl World {
    /// The body of a good answer, or of the 404 that a stranger is told; the problem otherwise.
    async fn get(&self, who: Who, path: &str) -> Result<Value, String> {
        // A person has the name of the thing that they see.
        let (sub, groups): (&str, &[&str]) = match who {
            Who::Operator => ("operator", &["operators"]),
            Who::Member => (self.thing.as_str(), &[]),
            Who::Stranger => ("stranger", &[]),
        };
        let event = api_event("GET /v1/test", &format!("/v1/things/{}/{path}", self.thing), sub, groups, None);
        let answer = ask(self.router.clone(), event).await;
        let is_good = if who == Who::Stranger { answer.status == 404 } else { answer.status < 300 };
        if is_good { Ok(answer.json()) } else { Err(format!("{}: {}", answer.status, answer.body)) }
    }
}

impl Scenario for Story {
    type World = World;
    /// How many items an operator sees then: the routes write nothing.
    type State = usize;
    type Error = String;

    fn name(&self) -> &str {
        self.name
    }

    async fn world(&self, endpoint: &str) -> Result<World, String> {
        let (stack, thing) = (Stack::deployed(), unique_thing("fault"));
        let table = stack.resources.get("ThingsTable").unwrap().clone();
        register(&Things::new(&stack.admin().await, table), &thing).await;
        seed_membership(&stack, thing.as_str(), &thing, "viewer", 1).await;
        self.measure(&stack, &thing).await;
        // The key that seals cursors is made once in the life of a stack: now, if nobody did before.
        let stage = World { router: router(&stack, &stack.endpoint).await, thing };
        stage.get(Who::Operator, "telemetry?path=humidity&limit=1").await?;
        Ok(World { router: router(&stack, endpoint).await, ..stage })
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        world.get(self.who, self.path).await.map(drop)
    }

    async fn state(&self, world: &World) -> Result<usize, String> {
        let page = world.get(Who::Operator, "telemetry?path=humidity&limit=500").await?;
        Ok(page.get("items").and_then(Value::as_array).map_or(0, Vec::len))
    }
}

#[tokio::test]
async fn a_request_that_meets_throttling_at_any_call_never_claims_success() {
    // Each call that any of the stories makes is made by one of these.
    let strained =
        |story: &&Story| story.who == Who::Member && (story.path == READ.path || story.path.contains("limit=1&"));
    for story in STORIES.iter().filter(strained) {
        survives_strain(story).await;
    }
}
