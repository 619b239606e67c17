//! catalog: its routes, each as one request. Those that read the whole fleet do so in a table of their own.

use axum::Router;
use catalog::{Api, ApiConfig, routes};
use loam_domain::ThingName;
use loam_kit::wiretap::Scenario;
use loam_kit::{Stack, api_event, ask, seed_membership, twin_of_table, unique_thing};
use loam_things::twins::{Notes, RecordView, Twin, Twins};
use serde_json::{Value, json};

use crate::catalog::{Said, Thing, without};
use crate::{survives_crashes, survives_strain};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Who {
    Operator,
    /// A controller of all things of the world.
    Member,
    /// A member of nothing.
    Stranger,
}

/// The routes behind one endpoint.
pub(crate) struct Request {
    router: Router,
    member: String,
    stranger: String,
}

impl Request {
    /// The routes without a wiretap, to set a stage or look at it.
    pub(crate) async fn stage(stack: &Stack) -> Self {
        Self::of(stack, &stack.endpoint, None).await
    }

    /// The routes under their role (with a twins' table of their own: under the administrator's key).
    async fn of(stack: &Stack, endpoint: &str, twins: Option<&str>) -> Self {
        let function = stack.function("CatalogApi");
        let own = |name: &str| twins.filter(|_| name == "TWINS_TABLE").map(str::to_owned);
        let config = ApiConfig::from_lookup(&|name| own(name).or_else(|| function.variable(name))).unwrap();
        let sdk = match twins {
            None => stack.role_of(function, endpoint).await,
            Some(_) => stack.admin_through(endpoint).await,
        };
        let router = routes().with_state(Api::new(&sdk, config)).into();
        Self { router, member: unique_thing("user").to_string(), stranger: unique_thing("user").to_string() }
    }

    /// The body of a good answer; the problem otherwise.
    pub(crate) async fn send(&self, who: Who, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let (sub, groups): (&str, &[&str]) = match who {
            Who::Operator => ("operator", &["operators"]),
            Who::Member => (&self.member, &[]),
            Who::Stranger => (&self.stranger, &[]),
        };
        let event = api_event(&format!("{method} /v1/test"), path, sub, groups, body);
        let answer = ask(self.router.clone(), event).await;
        if answer.status < 300 || (who == Who::Stranger && answer.status == 404) {
            Ok(answer.json())
        } else {
            Err(format!("{}: {}", answer.status, answer.body))
        }
    }
}

/// One request.
#[derive(Clone, Copy)]
pub(crate) struct Story {
    name: &'static str,
    who: Who,
    method: &'static str,
    /// `{thing}` and `{group}` stand for the world's own.
    path: &'static str,
    body: Option<&'static str>,
    /// How many things the member has.
    things: usize,
    /// Whether the first of them is in the group.
    inside: bool,
    /// Whether a route that reads the fleet may have a fleet of its own.
    own_fleet: bool,
    /// Whether the catalog has not heard of the thing yet: it has no row.
    unheard: bool,
}

const READ: Story = Story {
    name: "",
    who: Who::Member,
    method: "GET",
    path: "/v1/things/{thing}",
    body: None,
    things: 1,
    inside: false,
    own_fleet: true,
    unheard: false,
};
const WRITE: Story = Story { who: Who::Operator, method: "PUT", ..READ };

/// Every route; those that read the fleet come last.
pub(crate) const STORIES: [Story; 15] = [
    Story { name: "GET things: a member of 1", path: "/v1/things?limit=1", ..READ },
    Story {
        name: "GET things: a member of 250, a filter, a page of 50",
        path: "/v1/things?filter=deviceId%20!%3D%20'x'",
        things: 250,
        ..READ
    },
    Story {
        name: "GET things: a member of 3, a page of 1 with its cursor",
        path: "/v1/things?limit=1",
        things: 3,
        ..READ
    },
    Story { name: "GET things: a stranger", who: Who::Stranger, path: "/v1/things", ..READ },
    Story { name: "GET things/{thing}: a member", ..READ },
    Story { name: "GET things/{thing}: a stranger", who: Who::Stranger, ..READ },
    Story { name: "GET things/{thing}: an operator", who: Who::Operator, ..READ },
    Story { name: "PATCH things/{thing}: tags", method: "PATCH", body: Some(r#"{"tags":{"room":"kitchen"}}"#), ..READ },
    Story {
        name: "PATCH things/{thing}: tags of a thing without a row",
        method: "PATCH",
        body: Some(r#"{"tags":{"room":"kitchen"}}"#),
        unheard: true,
        ..READ
    },
    Story {
        name: "PUT groups/{group}: its description",
        path: "/v1/groups/{group}",
        body: Some(r#"{"description":"roof"}"#),
        ..WRITE
    },
    Story {
        name: "GET groups/{group}: a static one",
        method: "GET",
        path: "/v1/groups/{group}",
        inside: true,
        ..WRITE
    },
    Story { name: "PUT groups/{group}/things/{thing}", path: "/v1/groups/{group}/things/{thing}", ..WRITE },
    Story {
        name: "DELETE groups/{group}/things/{thing}",
        method: "DELETE",
        path: "/v1/groups/{group}/things/{thing}",
        inside: true,
        ..WRITE
    },
    Story { name: "DELETE groups/{group}", method: "DELETE", path: "/v1/groups/{group}", ..WRITE },
    Story {
        name: "GET things: an operator, a fleet of 200",
        method: "GET",
        path: "/v1/things?limit=10&sort=-deviceId",
        things: 200,
        ..WRITE
    },
];

impl Story {
    /// The same with few things, all in the stack's own tables and under the function's role.
    pub(crate) fn in_the_stack(&self) -> Self {
        Self { own_fleet: false, things: self.things.min(3), ..*self }
    }

    /// Whether it reads the whole fleet.
    fn scans(&self) -> bool {
        self.who == Who::Operator && self.path.starts_with("/v1/things?")
    }

    /// Whether a repeat finds the request done and says so differently.
    fn writes(&self) -> bool {
        self.method != "GET"
    }
}

/// One run's world.
pub(crate) struct World {
    request: Request,
    operator: Request,
    thing: ThingName,
    group: String,
}

/// What is left after a run: the answer of a route that only reads, the twin, the group.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    twin: Value,
    group: Value,
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
        let admin = stack.admin().await;
        let table = stack.function("CatalogApi").variable("TWINS_TABLE").unwrap();
        let own = if self.scans() && self.own_fleet { Some(twin_of_table(&admin, &table).await) } else { None };
        let request = Request::of(&stack, endpoint, own.as_deref()).await;
        let operator = Request::of(&stack, &stack.endpoint, own.as_deref()).await;
        let thing = Thing::new(&stack, "fault").await;
        if !self.unheard {
            thing.tell(&stack, &[Said::Shadow(3), Said::Presence(1)]).await;
        }
        let model = Twins::new(&admin, table.clone()).get(&thing.name).await.unwrap();
        let (rows, table) = (aws_sdk_dynamodb::Client::new(&admin), own.unwrap_or(table));
        seed_membership(&stack, &request.member, &thing.name, "controller", 1).await;
        for at in 1..self.things {
            // Names say in which segment of a scan a thing stands, and each segment's sum is rounded up.
            let fixed = ThingName::parse(&format!("fault-{at:012}")).unwrap();
            let name = if self.scans() && self.own_fleet { fixed } else { unique_thing("fault") };
            let other = young(model.as_ref().unwrap(), name);
            rows.put_item().table_name(&table).set_item(Some(other.item().unwrap())).send().await.unwrap();
            if !self.scans() {
                seed_membership(&stack, &request.member, &other.thing, "viewer", 1).await;
            }
        }
        let group = unique_thing("group").to_string();
        operator.send(Who::Operator, "PUT", &format!("/v1/groups/{group}"), Some(&json!({}))).await?;
        if self.inside {
            let place = format!("/v1/groups/{group}/things/{}", thing.name);
            operator.send(Who::Operator, "PUT", &place, None).await?;
        }
        // The key that seals cursors is made once in the life of a stack and read once in an environment's.
        let environment = if self.own_fleet { &request } else { &operator };
        let _warm = environment.send(Who::Stranger, "GET", "/v1/things?cursor=AAAA", None).await;
        Ok(World { request, operator, thing: thing.name, group })
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        let path = self.path.replace("{thing}", world.thing.as_str()).replace("{group}", &world.group);
        let body = self.body.map(|body| serde_json::from_str(body).unwrap());
        match world.request.send(self.who, self.method, &path, body.as_ref()).await {
            Ok(_) => Ok(()),
            // Deleted before, and the answer was lost.
            Err(problem) if self.method == "DELETE" && problem.contains("no-such-group") => Ok(()),
            Err(problem) => Err(problem),
        }
    }

    async fn state(&self, world: &World) -> Result<Left, String> {
        let thing = world.operator.send(Who::Operator, "GET", &format!("/v1/things/{}", world.thing), None).await?;
        let group = world.operator.send(Who::Operator, "GET", &format!("/v1/groups/{}", world.group), None).await;
        let named = |value: Value| without(value, &world.thing).to_string().replace(&world.group, "group");
        let read = |value: Value| serde_json::from_str(&named(value)).unwrap();
        Ok(Left { twin: read(thing), group: group.map(read).unwrap_or_default() })
    }
}

/// A twin like `model`, of another thing and without a row.
fn young(model: &Twin, thing: ThingName) -> Twin {
    let record = RecordView { version: 1, ..model.record.clone() };
    Twin { thing, version: 1, record, notes: Notes::default(), ..model.clone() }
}

#[tokio::test]
async fn a_request_that_is_stopped_at_any_call_and_sent_again_is_done_once() {
    for story in STORIES.iter().filter(|story| story.writes()) {
        survives_crashes(story).await;
    }
}

#[tokio::test]
async fn a_request_that_meets_throttling_at_any_call_never_claims_success() {
    for story in STORIES.iter().filter(|story| story.things == 1 && (story.writes() || story.who == Who::Member)) {
        survives_strain(story).await;
    }
}
