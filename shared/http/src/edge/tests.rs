use axum::body::to_bytes;
use axum::routing::{get, post};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Body, Caller, Operator, Params, Segments, ThingPath};

fn router() -> Router {
    let thing = |ThingPath(thing): ThingPath, caller: Caller| async move { format!("{thing} {}", caller.sub) };
    let fleet = |Operator(caller): Operator| async move { caller.sub };
    let echo = |Segments(text): Segments<String>| async move { text };
    let stuck = || async { std::future::pending::<()>().await };
    let broken = || async { if true { panic!("row 7 of table loam-Secret") } else { "" } };
    let strict = |Params(_): Params<crate::NoParams>, Body(value): Body<Value>| async move { value.to_string() };
    Router::new()
        .route("/v1/things/{thing}", get(thing))
        .route("/v1/fleet", get(fleet))
        .route("/v1/echo/{text}", get(echo))
        .route("/v1/stuck", get(stuck))
        .route("/v1/broken", get(broken).post(strict))
        .route("/v1/strict", post(strict))
}

fn event(method: &str, path: &str, groups: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": format!("{method} {path}"), "rawPath": path, "rawQueryString": "",
        "headers": {"host": "x.execute-api.eu-west-1.amazonaws.com", "authorization": "Bearer secret"},
        "requestContext": {
            "accountId": "123456789012", "apiId": "x", "stage": "$default", "routeKey": format!("{method} {path}"),
            "requestId": "r", "time": "21/Nov/2026:00:00:00 +0000", "timeEpoch": 0,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": ""},
            "authorizer": {"jwt": {"claims": {"sub": "ann", "cognito:groups": groups}, "scopes": []}},
        },
        "isBase64Encoded": false,
    })
}

async fn asked(event: &Value, left_ms: i64) -> (u16, String) {
    let event = serde_json::from_value(event.clone()).unwrap();
    let now = Timestamp::from_millis(0);
    let call = Call { request_id: "1".to_owned(), now, deadline: now.plus_millis(left_ms) };
    let response = answer(router(), event, call).await;
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 100_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn code(body: &str) -> String {
    serde_json::from_str::<Value>(body).unwrap()["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_request_reaches_its_route_with_its_caller() {
    assert_eq!(asked(&event("GET", "/v1/things/sensor7", "[]"), 1000).await, (200, "sensor7 ann".to_owned()));
}

#[tokio::test]
async fn the_stage_prod_is_no_part_of_the_path() {
    let mut event = event("GET", "/Prod/v1/things/sensor7", "[]");
    event["requestContext"]["stage"] = json!("Prod");
    assert_eq!(asked(&event, 1000).await.0, 200);
    event["rawPath"] = json!("/v1/things/sensor7");
    assert_eq!(asked(&event, 1000).await.0, 200);
}

#[tokio::test]
async fn what_comes_by_the_default_route_reaches_nothing() {
    let mut event = event("GET", "/v1/fleet", "[operators]");
    assert_eq!(asked(&event, 1000).await.0, 200);
    event["requestContext"]["routeKey"] = json!("$default");
    let (status, body) = asked(&event, 1000).await;
    assert_eq!((status, code(&body).as_str()), (404, "no-such-route"));
}

#[tokio::test]
async fn a_browsers_preflight_request_is_a_success_and_any_other_options_request_no_route() {
    let mut event = event("OPTIONS", "/v1/fleet", "");
    event["requestContext"]["routeKey"] = json!("$default");
    assert_eq!(asked(&event, 1000).await.0, 404);
    event["headers"]["origin"] = json!("https://app.example.com");
    assert_eq!(asked(&event, 1000).await.0, 404);
    event["headers"]["access-control-request-method"] = json!("PATCH");
    assert_eq!(asked(&event, 1000).await, (204, String::new()));
    event["requestContext"]["http"]["method"] = json!("GET");
    assert_eq!(asked(&event, 1000).await.0, 404);
}

#[tokio::test]
async fn another_method_and_another_path_are_the_same_404() {
    let method = asked(&event("DELETE", "/v1/fleet", "[operators]"), 1000).await;
    assert_eq!(method, asked(&event("GET", "/v1/nothing", "[operators]"), 1000).await);
    assert_eq!((method.0, code(&method.1).as_str()), (404, "no-such-route"));
}

#[tokio::test]
async fn only_operators_pass_where_operators_are_asked_for() {
    for (groups, status) in [("[operators]", 200), ("[co-operators]", 403), ("[]", 403)] {
        assert_eq!(asked(&event("GET", "/v1/fleet", groups), 1000).await.0, status, "{groups}");
    }
}

#[tokio::test]
async fn without_a_checked_token_nobody_passes() {
    let mut event = event("GET", "/v1/fleet", "[operators]");
    event["requestContext"].as_object_mut().unwrap().remove("authorizer");
    let (status, body) = asked(&event, 1000).await;
    assert_eq!((status, code(&body).as_str()), (401, "no-caller"));
}

#[tokio::test]
async fn a_panic_tells_nothing() {
    let (status, body) = asked(&event("GET", "/v1/broken", "[]"), 1000).await;
    assert_eq!((status, code(&body).as_str()), (500, "internal"));
    assert!(!body.contains("Secret"), "{body}");
}

#[tokio::test]
async fn a_request_ends_half_a_second_before_its_deadline() {
    let before = Instant::now();
    let (status, body) = asked(&event("GET", "/v1/stuck", "[]"), 600).await;
    assert_eq!((status, code(&body).as_str()), (503, "deadline"));
    let took = before.elapsed().as_millis();
    assert!((100..600).contains(&took), "{took} ms");
}

#[tokio::test]
async fn a_deadline_that_lies_behind_is_a_deadline() {
    assert_eq!(asked(&event("GET", "/v1/stuck", "[]"), -5).await.0, 503);
}

#[tokio::test]
async fn a_question_mark_within_a_path_stays_there() {
    let (status, body) = asked(&event("GET", "/v1/echo/a?b#c d%25", "[]"), 1000).await;
    assert_eq!((status, body.as_str()), (200, "a?b#c d%"));
}

proptest! {
    #[test]
    fn no_path_query_or_body_breaks_a_route(path in "/\\PC{0,60}", query in "\\PC{0,60}", body in "\\PC{0,60}", get in any::<bool>()) {
        let mut event = event(if get { "GET" } else { "POST" }, &path, "[operators]");
        event["rawQueryString"] = json!(query);
        event["body"] = json!(body);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (status, _) = runtime.block_on(asked(&event, 1000));
        prop_assert!(status < 500, "{status}");
    }
}
