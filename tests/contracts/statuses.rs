//! What every route answers beside what it says of itself: each status with its body, ours or the gateway's own.

use serde_json::{Map, Value, json};

use crate::roles::Who;

/// The media type of the gateway's own answers.
const GATEWAY: &str = "application/json";
/// The media type of ours.
const PROBLEM: &str = "application/problem+json";

/// Whose body an answer has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Ours,
    Gateways,
    Either,
}

/// Name of the component, status, description, body.
const SHARED: [(&str, &str, &str, Body); 13] = [
    ("BadRequest", "400", "The request can never succeed as it stands.", Body::Ours),
    (
        "MissingParameter",
        "400",
        "A parameter is missing or empty: as the published sample's gateway says it.",
        Body::Gateways,
    ),
    ("Unauthorized", "401", "No token, or none that is good. The gateway's own answer.", Body::Gateways),
    ("Forbidden", "403", "The caller may know of it, but not do this.", Body::Ours),
    ("NotSigned", "403", "Not signed, or by whom may not invoke it. The gateway's own answer.", Body::Gateways),
    ("NotFound", "404", "There is no such thing, as far as the caller may know.", Body::Ours),
    ("Conflict", "409", "The request contradicts the present state.", Body::Ours),
    ("PreconditionFailed", "412", "It was changed meanwhile: If-Match names an older version.", Body::Ours),
    ("TooLarge", "413", "The body is larger than 256 KiB; above 10 MB the gateway says so itself.", Body::Either),
    ("UnsupportedMediaType", "415", "The body is no JSON by its Content-Type.", Body::Ours),
    ("TooManyRequests", "429", "More requests than the stage takes. The gateway's own answer.", Body::Gateways),
    ("InternalError", "500", "A mistake of ours, which is logged.", Body::Either),
    ("Unavailable", "503", "A service did not answer, or the time for one request ran out: try again.", Body::Either),
];

/// `components.responses`, and the schema of the gateway's answers.
pub(crate) fn responses() -> Map<String, Value> {
    let response = |(name, _, description, body): (&str, &str, &str, Body)| {
        let mut content = Map::new();
        if body != Body::Gateways {
            content.insert(PROBLEM.to_owned(), json!({"schema": {"$ref": "#/components/schemas/Problem"}}));
        }
        if body != Body::Ours {
            content.insert(GATEWAY.to_owned(), json!({"schema": {"$ref": "#/components/schemas/GatewayMessage"}}));
        }
        (name.to_owned(), json!({"description": description, "content": content}))
    };
    SHARED.into_iter().map(response).collect()
}

/// The body of what the gateway refuses or fails at itself. Source:
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html>
pub(crate) fn gateway_message() -> Value {
    let message = json!({"type": "string", "description": "In AWS's words."});
    json!({"type": "object", "description": "What the gateway says itself.", "required": ["message"],
           "properties": {"message": message}})
}

/// The operation with every status that it can answer; `default` is gone. A route that says more of one itself keeps that.
pub(crate) fn complete(key: &str, operation: &mut Map<String, Value>, who: Who) {
    let statuses: Vec<_> = SHARED.into_iter().filter(|(name, ..)| can(name, key, operation, who)).collect();
    let Some(own) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    own.remove("default");
    for (name, status, ..) in statuses {
        let says_more = own.get(status).is_some_and(|response| response.get("content").is_some());
        if !says_more {
            own.insert(status.to_owned(), json!({"$ref": format!("#/components/responses/{name}")}));
        }
    }
}

fn can(name: &str, key: &str, operation: &Map<String, Value>, who: Who) -> bool {
    let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let takes = |header: &str| parameters.clone().any(|each| each.get("name").is_some_and(|name| name == header));
    match name {
        // The published sample's bodies, which stand at the route; the gateway refuses what is not signed well.
        _ if who == Who::Signed => matches!(name, "MissingParameter" | "NotSigned" | "TooManyRequests"),
        "MissingParameter" | "NotSigned" => false,
        "Forbidden" => who != Who::SignedIn,
        "NotFound" => key.contains('{') || !key.starts_with("GET "),
        "Conflict" => !key.starts_with("GET "),
        "PreconditionFailed" => takes("If-Match"),
        "TooLarge" | "UnsupportedMediaType" => operation.contains_key("requestBody"),
        _ => true,
    }
}

#[test]
fn a_read_answers_no_409_and_a_write_with_a_body_415() {
    let mut get = json!({"responses": {"200": {}, "default": {}}}).as_object().unwrap().clone();
    complete("GET /v1/things", &mut get, Who::SignedIn);
    let statuses = |operation: &Map<String, Value>| -> Vec<String> {
        operation["responses"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(statuses(&get), ["200", "400", "401", "429", "500", "503"]);
    let body = json!({"requestBody": {}, "parameters": [{"name": "If-Match"}], "responses": {"200": {}, "409": {"content": 1}}});
    let mut put = body.as_object().unwrap().clone();
    complete("PUT /v1/groups/{group}", &mut put, Who::Operator);
    let all = ["200", "400", "401", "403", "404", "409", "412", "413", "415", "429", "500", "503"];
    assert_eq!(statuses(&put), all);
    assert_eq!(put["responses"]["409"], json!({"content": 1}));
}
