//! The HTTP routes, under the function's own role.

use axum::http::StatusCode;
use loam_domain::CertificateId;
use loam_kit::{Stack, api_event, ask, with_if_match};
use onboarding::{Api, ApiConfig, routes};
use serde_json::{Value, json};

use crate::world::World;

const OPERATORS: &[&str] = &["operators"];

/// What was answered: status, entity tag, body.
type Answer = (StatusCode, Option<String>, Value);

struct Caller {
    api: Api,
    sub: &'static str,
    groups: &'static [&'static str],
}

impl Caller {
    async fn new(sub: &'static str, groups: &'static [&'static str]) -> Self {
        let stack = Stack::deployed();
        let function = stack.function("OnboardingApi");
        let config = ApiConfig::from_lookup(&|name| function.variable(name)).unwrap();
        Self { api: Api::new(&stack.role_of(function, &stack.endpoint).await, config), sub, groups }
    }

    async fn send(&self, route: &str, path: &str, if_match: Option<&str>) -> Answer {
        let event = with_if_match(api_event(route, path, self.sub, self.groups, None), if_match);
        let answer = ask(routes().with_state(self.api.clone()).into(), event).await;
        let tag = answer.headers.get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        (StatusCode::from_u16(answer.status).unwrap(), tag, answer.json())
    }

    async fn retire(&self, thing: &str, if_match: Option<&str>) -> Answer {
        self.send("DELETE /v1/things/{thing}", &format!("/v1/things/{thing}"), if_match).await
    }

    async fn life(&self, thing: &str, query: &str) -> Answer {
        let path = format!("/v1/things/{thing}/lifecycle{query}");
        self.send("GET /v1/things/{thing}/lifecycle", &path, None).await
    }
}

#[tokio::test]
async fn an_operator_retires_the_version_that_was_seen_and_a_repeat_is_no_mistake() {
    let (world, ann) = (World::new("api").await, Caller::new("ann", OPERATORS).await);
    let (thing, version) = (world.thing.as_str(), world.record().await.version);
    let (status, _, problem) = ann.retire(thing, Some(&format!("\"{}\"", version + 1))).await;
    assert_eq!((status, &problem["code"]), (StatusCode::PRECONDITION_FAILED, &json!("stale")));
    let (status, tag, life) = ann.retire(thing, Some(&format!("\"{version}\""))).await;
    assert_eq!((status, tag), (StatusCode::ACCEPTED, Some(format!("\"{}\"", version + 1))));
    assert_eq!((&life["thing"], &life["retirement"]["by"]), (&json!(thing), &json!("ann")));
    assert_eq!(
        life["retirement"]["awaiting"],
        json!([
            "catalog",
            "commands",
            "file-transfer",
            "firmware",
            "onboarding",
            "pairing",
            "presence",
            "soil-alerts",
            "telemetry"
        ])
    );
    assert_eq!(ann.retire(thing, None).await.0, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn nobody_but_operators_may_and_an_unknown_thing_is_not_found() {
    let (world, bob) = (World::new("api").await, Caller::new("bob", &["other"]).await);
    let (thing, ann) = (world.thing.as_str(), Caller::new("ann", OPERATORS).await);
    assert_eq!(bob.retire(thing, None).await.2["code"], "operators-only");
    assert_eq!(bob.life(thing, "").await.0, StatusCode::FORBIDDEN);
    assert!(!world.record().await.is_retiring());
    for (status, _, problem) in [ann.retire("nobody", None).await, ann.life("nobody", "").await] {
        assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("no-such-thing")));
    }
    assert_eq!(ann.retire("a%2Fb", None).await.2["code"], "invalid-thing-name");
}

#[tokio::test]
async fn a_life_is_told_newest_first_in_pages_that_only_its_reader_can_turn() {
    let (world, ann) = (World::new("api").await, Caller::new("ann", OPERATORS).await);
    let thing = world.thing.as_str();
    let (status, tag, first) = ann.life(thing, "?limit=1").await;
    assert_eq!((status, tag), (StatusCode::OK, Some(format!("\"{}\"", world.record().await.version))));
    assert_eq!(
        (&first["record"]["state"], &first["history"]["items"][0]["type"]),
        (&json!("active"), &json!("thing.active"))
    );
    let certificate = CertificateId::parse(first["record"]["certificates"][0]["certificateId"].as_str().unwrap());
    assert_eq!(certificate.unwrap(), world.certificate);
    let cursor = first["history"]["cursor"].as_str().unwrap();
    let next = format!("?limit=1&cursor={cursor}");
    assert_eq!(ann.life(thing, &next).await.2["history"]["items"][0]["type"], "thing.registered");
    for (caller, query) in
        [("eve", next.clone()), ("ann", format!("?limit=2&cursor={cursor}")), ("ann", format!("{next}x"))]
    {
        let (status, _, problem) = Caller::new(caller, OPERATORS).await.life(thing, &query).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("invalid-cursor")), "{caller}");
    }
}
