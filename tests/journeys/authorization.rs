//! Who gets what: every route of `openapi.json` with every kind of caller, in both stages. A new route is in it by itself;
//! who may call it stands in `tests/contracts/roles.rs`, and from there in the document.

use std::sync::Arc;

use loam_domain::ThingName;
use loam_kit::{Answer, Api, Signer, Stack, figure, register, signature, unique_thing};
use loam_things::Things;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::callers::{Caller, Standing, callers};
use crate::routes::{Role, Route, Rule, routes};

/// How many routes are asked at once.
const AT_ONCE: usize = 4;

/// What an answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// The gateway's own 401.
    Unauthorized,
    /// The gateway's own 403, to whom does not sign.
    Unsigned,
    OperatorsOnly,
    NoSuchThing,
    RoleTooLow,
    /// Let in: answered, or refused for what was asked and not for who asked.
    In,
}

fn expected(rule: Rule, standing: Standing) -> Expected {
    match (rule, standing) {
        (Rule::Signed, _) => Expected::Unsigned,
        (_, Standing::Nobody) => Expected::Unauthorized,
        // An operator knows of every thing, and is nobody's owner.
        (Rule::Member(Role::Owner), Standing::Operator) => Expected::RoleTooLow,
        (_, Standing::Operator) | (Rule::SignedIn, _) => Expected::In,
        (Rule::Operator, _) => Expected::OperatorsOnly,
        (Rule::Member(_), Standing::Stranger | Standing::Former | Standing::OfEarlierEpoch) => Expected::NoSuchThing,
        (Rule::Member(needed), Standing::Member(role)) if role < needed => Expected::RoleTooLow,
        (Rule::Member(_), Standing::Member(_)) => Expected::In,
    }
}

fn is(expected: Expected, answer: &Answer, rule: Rule) -> bool {
    let (status, code) = (answer.status, answer.code());
    let gateway = |status, words: &str| answer.status == status && answer.json()["message"] == words;
    let hidden = matches!(code.as_str(), "no-such-thing" | "device_not_found");
    match expected {
        Expected::Unauthorized => gateway(401, "Unauthorized"),
        Expected::Unsigned => gateway(403, "Forbidden"),
        Expected::OperatorsOnly => (status, code.as_str()) == (403, "operators-only"),
        Expected::NoSuchThing => status == 404 && hidden,
        Expected::RoleTooLow => (status, code.as_str()) == (403, "role-too-low"),
        Expected::In => {
            let refused = matches!(status, 400 | 404 | 409 | 412 | 413 | 415 | 428) && !code.is_empty();
            // A member's routes are asked for a thing that is there, all others for one that is not.
            let there = !matches!(rule, Rule::Member(_)) || !hidden;
            (matches!(status, 200..=299) || refused) && code != "no-such-route" && there
        }
    }
}

/// A thing as just-in-time registration leaves it.
pub(crate) async fn registered(things: &Things) -> ThingName {
    let thing = unique_thing("asked");
    register(things, &thing).await;
    thing
}

struct World {
    stack: Stack,
    things: Things,
    callers: Vec<Caller>,
}

impl World {
    async fn new() -> Self {
        let stack = Stack::deployed();
        let things = Things::new(&stack.admin().await, stack.resources["ThingsTable"].clone());
        Self { callers: callers(&stack).await, things, stack }
    }

    /// What is wrong with the answer to one caller of one route.
    async fn wrong(&self, route: &Route, caller: &Caller, stage: &str) -> Option<String> {
        let thing = if route.has_thing() && matches!(route.rule, Rule::Member(_)) {
            // Of its own, because some routes end it.
            let thing = registered(&self.things).await;
            caller.stand(&self.stack, &thing).await;
            thing
        } else {
            unique_thing("nobody")
        };
        let path = format!("{stage}{}", route.path(thing.as_str()));
        let answer = caller.api.send(&route.method, &path, &[], route.body.as_ref()).await;
        let expected = expected(route.rule, caller.standing);
        let wrong =
            || format!("{} {stage} {}: {expected:?}, not {} {}", route.key(), caller.name, answer.status, answer.body);
        (!is(expected, &answer, route.rule)).then(wrong)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_answers_every_kind_of_caller_as_it_should() {
    let (world, limit) = (Arc::new(World::new().await), Arc::new(Semaphore::new(AT_ONCE)));
    let (mut tasks, mut wrong) = (JoinSet::new(), Vec::new());
    let routes = routes();
    for route in routes.clone() {
        let (world, limit) = (Arc::clone(&world), Arc::clone(&limit));
        tasks.spawn(async move {
            let _permit = limit.acquire().await.unwrap();
            let mut wrong = Vec::new();
            for caller in &world.callers {
                for stage in ["", "/Prod"] {
                    wrong.extend(world.wrong(&route, caller, stage).await);
                }
            }
            wrong
        });
    }
    while let Some(of_route) = tasks.join_next().await {
        wrong.extend(of_route.unwrap());
    }
    let (routes, callers) = (routes.len(), world.callers.len());
    let cells = routes * callers * 2;
    figure(&format!("authorization: {routes} routes x {callers} callers x 2 stages = {cells}, {} wrong", wrong.len()));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_signed_route_takes_the_signature_of_whom_may_invoke_it_and_no_other() {
    let stack = Stack::deployed();
    let api = Api::new(&stack, None);
    let mut asked = 0;
    for route in routes().iter().filter(|route| route.rule == Rule::Signed) {
        for (signer, expected) in [
            (Signer::Admin, Expected::In),
            (Signer::Impostor, Expected::Unsigned),
            (Signer::Role("CatalogApi"), Expected::Unsigned),
        ] {
            let path = route.path("nobody");
            let headers = signature(&stack, signer, api.host(), &path);
            let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let answer = api.send(&route.method, &path, &headers, None).await;
            let let_in = expected == Expected::In && !matches!(answer.status, 401 | 403);
            assert!(let_in || is(expected, &answer, route.rule), "{signer:?}: {} {}", answer.status, answer.body);
            asked += 1;
        }
    }
    figure(&format!("signed routes: {asked} signers, 0 wrong"));
}

#[tokio::test]
async fn what_is_no_route_is_the_same_404_for_everybody() {
    let stack = Stack::deployed();
    let callers = callers(&stack).await;
    let known = callers[0].api.get("/v1/no/such/route").await;
    assert_eq!((known.status, known.code().as_str()), (404, "no-such-route"));
    assert_eq!(known.header("content-type"), "application/problem+json");
    for caller in &callers {
        for (method, path) in [("GET", "/"), ("PUT", "/v1/things"), ("PATCH", "/Prod/v1/no"), ("GET", "/v1//things")] {
            let answer = caller.api.send(method, path, &[], None).await;
            assert_eq!((answer.status, &answer.body), (404, &known.body), "{method} {path} {}", caller.name);
        }
    }
}
