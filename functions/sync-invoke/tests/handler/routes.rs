//! Both routes, as API Gateway hands requests over: what a caller may get wrong, and what each way to end looks like.

use std::collections::HashMap;
use std::time::Instant;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use loam_http::Call;
use loam_kit::now;
use serde_json::{Value, json};
use sync_invoke::{Api, routes};

use crate::world::World;

struct Door {
    world: World,
    api: Api,
}

impl Door {
    async fn new(purpose: &str) -> Self {
        let world = World::new(purpose).await;
        let function = world.stack.function("SyncInvoke");
        let sdk = world.stack.role_of(function, &world.stack.endpoint).await;
        Self { api: Api::new(&sdk, &world.config), world }
    }

    async fn ask(&self, event: Value) -> (u16, String) {
        let event: ApiGatewayV2httpRequest = serde_json::from_value(event).unwrap();
        let now = now();
        let call = Call { request_id: uuid::Uuid::new_v4().to_string(), now, deadline: now.plus_millis(30_000) };
        let answer = loam_http::answer(routes().with_state(self.api.clone()).into(), event, call).await;
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 1_000_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn invoke(&self, query: &str) -> (u16, String) {
        self.ask(event("GET", "GET /invoke", "/invoke", query, "", &json!({}))).await
    }

    async fn post(&self, thing: &str, method: &str, body: &str) -> (u16, Value) {
        let path = format!("/v1/things/{thing}/methods/{method}");
        let operator = json!({"jwt": {"claims": {"sub": "u1", "cognito:groups": "[operators]"}, "scopes": null}});
        let (status, body) =
            self.ask(event("POST", "POST /v1/things/{thing}/methods/{method}", &path, "", body, &operator)).await;
        (status, serde_json::from_str(&body).unwrap())
    }
}

pub(crate) fn event(verb: &str, route: &str, path: &str, query: &str, body: &str, authorizer: &Value) -> Value {
    let headers = HashMap::from([("content-type", "application/json")]);
    json!({"version": "2.0", "routeKey": route, "rawPath": path, "rawQueryString": query, "headers": headers,
           "requestContext": {"accountId": "1", "apiId": "a", "routeKey": route, "stage": "$default", "requestId": "r",
                              "time": "", "timeEpoch": 0, "authorizer": authorizer,
                              "http": {"method": verb, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                                       "userAgent": "t"}},
           "body": body, "isBase64Encoded": false})
}

/// `elapsed` is another in each run.
fn without_elapsed(body: &str) -> String {
    let Some((before, rest)) = body.split_once(r#""elapsed": ""#) else { return body.to_owned() };
    let (elapsed, after) = rest.split_once('"').unwrap();
    assert!(elapsed.parse::<u64>().is_ok(), "{elapsed}");
    format!(r#"{before}"elapsed": "N"{after}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_route_answers_the_published_bytes() {
    let door = Door::new("published").await;
    let _device = door.world.answering().await;
    let thing = door.world.thing.as_str();
    let (status, body) = door.invoke(&format!("method=echo&request=%7B%22a%22%3A1%7D&target={thing}&timeout=10")).await;
    let expected = r#"{"result": "ok", "elapsed": "N", "response": "{\"a\":1}"}"#;
    assert_eq!((status, without_elapsed(&body).as_str()), (200, expected));
    let timeout = r#"{"result": "timeout", "elapsed": "N"}"#;
    let (status, body) = door.invoke(&format!("method=silent&request=r&target={thing}&timeout=1")).await;
    assert_eq!((status, without_elapsed(&body).as_str()), (500, timeout));
    let started = Instant::now();
    let (status, body) = door.invoke("method=echo&request=r&target=nobody-at-all&timeout=10").await;
    assert_eq!((status, without_elapsed(&body).as_str()), (500, timeout));
    assert!(started.elapsed().as_secs() < 5, "an absent device is told at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_parameters_get_the_published_answers_and_the_next_caller_the_right_one() {
    let door = Door::new("bad").await;
    let _device = door.world.answering().await;
    let thing = door.world.thing.as_str();
    let (status, body) = door.invoke("").await;
    assert_eq!((status, body.contains("Missing required request parameters")), (400, true));
    let long = "x".repeat(300);
    for (target, method) in [
        ("+", "m"),
        ("%23", "m"),
        ("a%2Fb", "m"),
        (long.as_str(), "m"),
        (thing, "a%2Fb"),
        (thing, "%2B"),
        (thing, long.as_str()),
    ] {
        let (status, body) = door.invoke(&format!("method={method}&request=r&target={target}&timeout=3")).await;
        assert_eq!(
            (status, body.contains(r#""result": "invalid_parameters""#)),
            (500, true),
            "{target} {method}: {body}"
        );
    }
    for timeout in ["abc", "-1", "61", "1e9"] {
        let query = format!("method=add&request=%5B1%2C2%5D&target={thing}&timeout={timeout}");
        let (status, body) = door.invoke(&query).await;
        assert_eq!((status, body.contains(r#""response": 3.0"#)), (200, true), "{timeout}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_call_is_refused_with_a_stable_code_each() {
    let door = Door::new("codes").await;
    let thing = door.world.thing.as_str();
    let code = |(status, body): (u16, Value)| (status, body["code"].as_str().unwrap_or_default().to_owned());
    let told = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(code(door.post("a+b", "m", "{}").await), told(400, "invalid-thing-name"));
    assert_eq!(code(door.post(thing, "a$b", "{}").await), told(400, "invalid-method-name"));
    assert_eq!(code(door.post(thing, &"m".repeat(300), "{}").await), told(400, "topic-too-long"));
    for body in [
        r#"{"responseTimeoutInSeconds": 0}"#,
        r#"{"responseTimeoutInSeconds": 26}"#,
        r#"{"connectTimeoutInSeconds": 26}"#,
        r#"{"unknown": 1}"#,
        "{",
        r#"{"payload": 1, "payloadBase64": "AQID"}"#,
    ] {
        assert_eq!(code(door.post(thing, "m", body).await), told(400, "invalid-body"), "{body}");
    }
    assert_eq!(code(door.post(thing, "m", r#"{"payloadBase64": "no base64!"}"#).await), told(400, "invalid-base64"));
    assert_eq!(code(door.post(thing, "m", "{}").await), told(404, "device_not_found"));
}
