//! The REST services: AWS IoT's data plane and AWS Lambda.
//!
//! Actions and resource forms: Service Authorization Reference, "Actions, resources, and condition keys for" AWS IoT
//! and AWS Lambda; paths: AWS IoT API Reference (data plane), Lambda API Reference (Invoke).

use hyper::Method;

use super::request::Request;
use super::{Reading, Resource, Service, need};

pub(super) fn read(service: &Service, request: &Request<'_>) -> Reading {
    let segments = request.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let known = if *service == Service::Lambda { lambda(request, &path) } else { iot(request, &path) };
    known
        .unwrap_or_else(|| Reading::unknown(format!("{} {} {}", service.prefix(), request.method, request.safe_path())))
}

fn lambda(request: &Request<'_>, path: &[&str]) -> Option<Reading> {
    match (request.method, path) {
        (&Method::POST, ["2015-03-31", "functions", name, "invocations"]) => {
            let resource = Resource::named("lambda", "function:", name);
            Some(Reading::known("Invoke", vec![need(&Service::Lambda, "InvokeFunction", resource)]))
        }
        _other => None,
    }
}

fn iot(request: &Request<'_>, path: &[&str]) -> Option<Reading> {
    let plain = |operation: &str, kind: &str, name: &str| {
        let resource = Resource::local("iot", format!("{kind}/{name}"));
        Some(Reading::plain(&Service::IotData, operation, resource))
    };
    match (request.method.as_str(), path) {
        (method, ["things", thing, "shadow"]) => plain(shadow(method)?, "thing", &shadow_of(request, thing)),
        ("GET", ["api", "things", "shadow", "ListNamedShadowsForThing", thing]) => {
            plain("ListNamedShadowsForThing", "thing", thing)
        }
        ("GET", ["connections", client]) => plain("GetConnection", "client", client),
        ("DELETE", ["connections", client]) => plain("DeleteConnection", "client", client),
        ("POST", ["connections", client, "messages"]) => plain("SendDirectMessage", "client", client),
        ("POST", ["topics", topic @ ..]) => Some(publish(request, &topic.join("/"))),
        ("GET", ["retainedMessage", topic @ ..]) => plain("GetRetainedMessage", "topic", &topic.join("/")),
        _other => None,
    }
}

fn shadow(method: &str) -> Option<&'static str> {
    match method {
        "GET" => Some("GetThingShadow"),
        "POST" => Some("UpdateThingShadow"),
        "DELETE" => Some("DeleteThingShadow"),
        _other => None,
    }
}

/// A named shadow is a resource below its thing.
fn shadow_of(request: &Request<'_>, thing: &str) -> String {
    request.query("name").map_or_else(|| thing.to_owned(), |name| format!("{thing}/{name}"))
}

/// A retained message needs a second permission.
fn publish(request: &Request<'_>, topic: &str) -> Reading {
    let resource = Resource::local("iot", format!("topic/{topic}"));
    let mut needs = vec![need(&Service::IotData, "Publish", resource.clone())];
    if request.query("retain").as_deref() == Some("true") {
        needs.push(need(&Service::IotData, "RetainPublish", resource));
    }
    Reading::known("Publish", needs)
}
