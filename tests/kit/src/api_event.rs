use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The event that API Gateway makes of a request (payload version 2, behind the JWT authorizer), for tests of an api crate
/// that have no gateway: `loam_http::answer(router, serde_json::from_value(event)?, call)`.
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
