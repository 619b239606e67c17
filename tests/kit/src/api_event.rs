use std::collections::BTreeMap;

use axum::Router;
use axum::body::to_bytes;
use loam_domain::Timestamp;
use loam_http::Call;
use serde_json::{Value, json};

use crate::{Answer, now};

/// The event that API Gateway makes of a request (payload version 2, behind the JWT authorizer), for tests of an api crate
/// that have no gateway: see [`ask`].
///
/// `route` is the route's key, for example `GET /v1/things/{thing}/presence`; `path` may hold a query. `groups` are the
/// caller's. A body is sent as JSON.
#[must_use]
pub fn api_event(route: &str, path: &str, sub: &str, groups: &[&str], body: Option<&Value>) -> Value {
    let (method, _) = route.split_once(' ').unwrap_or(("GET", route));
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let headers: BTreeMap<_, _> = body.map(|_| ("content-type", "application/json")).into_iter().collect();
    let mut event = json!({
        "version": "2.0", "routeKey": route, "rawPath": path, "rawQueryString": query, "headers": headers,
        "requestContext": {
            "accountId": "000000000000", "apiId": "test", "stage": "$default", "routeKey": route, "requestId": "test",
            "time": "21/Nov/2026:00:00:00 +0000", "timeEpoch": 0,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "test"},
            "authorizer": {"jwt": {"claims": {"sub": sub, "cognito:groups": format!("[{}]", groups.join(" "))}}},
        },
        "isBase64Encoded": false,
    });
    if let (Some(body), Some(fields)) = (body, event.as_object_mut()) {
        fields.insert("body".to_owned(), body.to_string().into());
    }
    event
}

/// For how long a function behind the API may work on a request, in milliseconds.
const LIMIT_MILLIS: i64 = 29_000;

/// What a router answers to such an event, in this process.
///
/// # Panics
/// When the event is none of API Gateway's, or the answer's body breaks off.
pub async fn ask(router: Router, event: Value) -> Answer {
    ask_at(router, event, "test", now()).await
}

/// The same at a time, by the run of this id: by their ids a repeat is told from its first try.
///
/// # Panics
/// As [`ask`].
pub async fn ask_at(router: Router, event: Value, request_id: &str, at: Timestamp) -> Answer {
    let call = Call { request_id: request_id.to_owned(), now: at, deadline: at.plus_millis(LIMIT_MILLIS) };
    let event = serde_json::from_value(event).expect("an event of API Gateway");
    let (head, body) = Box::pin(loam_http::answer(router, event, call)).await.into_parts();
    let body = to_bytes(body, 10_000_000).await.expect("a body");
    let body = String::from_utf8(body.to_vec()).expect("a body of text");
    Answer { status: head.status.as_u16(), headers: head.headers, body }
}

/// The event with these headers besides its own; their names in lower case, as API Gateway hands them over.
#[must_use]
pub fn with_headers(mut event: Value, headers: &[(&str, &str)]) -> Value {
    if let Some(all) = event.get_mut("headers").and_then(Value::as_object_mut) {
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
    }
    event
}

/// The event with `If-Match`, if there is one to bring.
#[must_use]
pub fn with_if_match(event: Value, etag: Option<&str>) -> Value {
    match etag {
        Some(etag) => with_headers(event, &[("if-match", etag)]),
        None => event,
    }
}
