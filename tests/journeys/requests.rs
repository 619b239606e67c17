//! What every route says of requests that can never succeed, whoever asks: here the operator.

use loam_kit::{Answer, Api, Stack, figure, unique_thing};
use loam_things::Things;
use serde_json::{Value, json};

use crate::authorization::registered;
use crate::routes::{Route, Rule, routes};

/// The largest body that a route reads, in bytes.
const MAX_BODY: usize = 256 * 1024;

const JSON: &str = "application/json";

fn told(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code())
}

/// The routes of `/v1` with the path of a thing that exists, and the operator's API.
async fn asked() -> (Api, Vec<(Route, String)>) {
    let stack = Stack::deployed();
    let things = Things::new(&stack.admin().await, stack.resources["ThingsTable"].clone());
    let thing = registered(&things).await;
    let with_path = |route: Route| {
        let path = route.path(thing.as_str());
        (route, path)
    };
    let routes = routes().into_iter().filter(|route| route.rule != Rule::Signed).map(with_path).collect();
    (Api::operator(&stack).await, routes)
}

#[tokio::test]
async fn a_body_that_is_no_json_or_too_large_or_has_an_unknown_field_is_refused_by_every_route_that_reads_one() {
    let (api, routes) = asked().await;
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (route, path) in &routes {
        let Some(least) = &route.body else { continue };
        let mut unknown = least.clone();
        unknown["nobodyKnowsThis"] = json!(1);
        let large = json!({"nobodyKnowsThis": "x".repeat(MAX_BODY)}).to_string();
        for (kind, body, expected) in [
            ("text/plain", least.to_string(), (415, "not-json")),
            ("application/x-www-form-urlencoded", "a=1".to_owned(), (415, "not-json")),
            ("", least.to_string(), (415, "not-json")),
            (JSON, large, (413, "body-too-large")),
            (JSON, String::new(), (400, "invalid-body")),
            (JSON, "{".to_owned(), (400, "invalid-body")),
            (JSON, "[]".to_owned(), (400, "invalid-body")),
            (JSON, "null".to_owned(), (400, "invalid-body")),
            (JSON, unknown.to_string(), (400, "invalid-body")),
        ] {
            let answer = api.send_text(&route.method, path, kind, &body).await;
            if told(&answer) != (expected.0, expected.1.to_owned()) {
                let body = body.get(..60).unwrap_or(&body);
                wrong.push(format!(
                    "{} {kind} {body:?}: {expected:?}, not {} {}",
                    route.key(),
                    answer.status,
                    answer.body
                ));
            }
            count += 1;
        }
    }
    figure(&format!("requests: {count} bodies that no route takes, {} wrong", wrong.len()));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_query_parameter_that_nobody_knows_is_refused_by_name() {
    let (api, routes) = asked().await;
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (route, path) in &routes {
        let sign = if path.contains('?') { '&' } else { '?' };
        let answer = api.send(&route.method, &format!("{path}{sign}nobodyKnowsThis=1"), &[], route.body.as_ref()).await;
        let blamed = answer.json()["errors"][0]["parameter"] == "nobodyKnowsThis";
        if told(&answer) != (400, "invalid-query".to_owned()) || !blamed {
            wrong.push(format!("{}: {} {}", route.key(), answer.status, answer.body));
        }
        count += 1;
    }
    figure(&format!("requests: {count} routes with an unknown query parameter, {} wrong", wrong.len()));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn an_if_match_that_is_none_is_refused_and_a_stale_one_changes_nothing() {
    let (api, routes) = asked().await;
    for (route, path) in routes.iter().filter(|(route, _)| route.takes("If-Match")) {
        for (tag, expected) in [("7", (400, "invalid-if-match")), ("\"7", (400, "invalid-if-match"))] {
            let answer = api.send(&route.method, path, &[("if-match", tag)], route.body.as_ref()).await;
            assert_eq!(told(&answer), (expected.0, expected.1.to_owned()), "{} {tag}: {}", route.key(), answer.body);
        }
        let answer = api.send(&route.method, path, &[("if-match", "\"987654321\"")], route.body.as_ref()).await;
        // Nothing of this name, a body that is too little, or a version that is long gone: never a success.
        assert!(matches!(answer.status, 400 | 404 | 412), "{}: {} {}", route.key(), answer.status, answer.body);
    }
}

#[tokio::test]
async fn an_idempotency_key_is_checked_and_good_for_one_request() {
    let (api, routes) = asked().await;
    for (route, path) in routes.iter().filter(|(route, _)| route.takes("Idempotency-Key")) {
        let ask = async |key: &str, body: &Value| api.send("POST", path, &[("idempotency-key", key)], Some(body)).await;
        let body = route.body.clone().unwrap();
        for key in ["", &"k".repeat(256)] {
            assert_eq!(told(&ask(key, &body).await), (400, "invalid-idempotency-key".to_owned()), "{}", route.key());
        }
        let key = unique_thing("key").to_string();
        let first = ask(&key, &body).await;
        let again = ask(&key, &body).await;
        // A refusal is not kept: the same request may succeed later.
        if first.status < 300 {
            assert_eq!((first.status, &first.body), (again.status, &again.body), "{}", route.key());
        } else {
            assert_eq!(told(&first), told(&again), "{}", route.key());
        }
    }
}

#[tokio::test]
async fn head_is_a_method_of_no_route_and_has_no_body() {
    let (api, routes) = asked().await;
    for (route, path) in routes.iter().filter(|(route, _)| route.method == "GET") {
        let answer = api.send("HEAD", path, &[], None).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, ""), "{}", route.key());
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
}
