//! AWS IoT's control plane: the registry, certificates, policies.
//!
//! Paths: AWS IoT API Reference. Actions and resource forms: Service Authorization Reference, "Actions, resources, and
//! condition keys for AWS IoT". For attaching a principal that names none, while the IoT Developer Guide ("How AWS IoT
//! works with IAM") names the certificate, and AWS's own managed policies certificate and thing: so both are needed.

use serde_json::Value;

use super::request::Request;
use super::{Reading, Resource, Service, need};

pub(super) fn read(request: &Request<'_>) -> Reading {
    let segments = request.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    known(request, &path).unwrap_or_else(|| Reading::unknown(format!("iot {} {}", request.method, request.safe_path())))
}

fn known(request: &Request<'_>, path: &[&str]) -> Option<Reading> {
    let method = request.method.as_str();
    let plain = |operation: &str, resource: Resource| Some(Reading::plain(&Service::Iot, operation, resource));
    match path {
        ["things", thing] => plain(of_thing(method)?, local("thing", thing)),
        ["jobs", job] if method == "PUT" => of_job("CreateJob", job, &target(request)?),
        ["things", thing, "jobs", job] if method == "GET" => of_job("DescribeJobExecution", job, thing),
        ["things", thing, "jobs", job, "cancel"] if method == "PUT" => of_job("CancelJobExecution", job, thing),
        ["things", thing, "principals"] => principal(request, method, thing),
        ["certificates", id] => plain(of_certificate(method)?, local("cert", id)),
        ["cacertificate", id] if method == "GET" => plain("DescribeCACertificate", local("cacert", id)),
        ["target-policies", _policy] => {
            let operation = match method {
                "PUT" => "AttachPolicy",
                "POST" => "DetachPolicy",
                _other => return None,
            };
            plain(operation, Resource::Arn(text(request, "target")?))
        }
        ["thing-groups", "addThingToThingGroup"] if method == "PUT" => member(request, "AddThingToThingGroup"),
        ["thing-groups", "removeThingFromThingGroup"] if method == "PUT" => {
            member(request, "RemoveThingFromThingGroup")
        }
        _other => None,
    }
}

fn of_thing(method: &str) -> Option<&'static str> {
    match method {
        "POST" => Some("CreateThing"),
        "GET" => Some("DescribeThing"),
        "PATCH" => Some("UpdateThing"),
        "DELETE" => Some("DeleteThing"),
        _other => None,
    }
}

fn of_certificate(method: &str) -> Option<&'static str> {
    match method {
        "GET" => Some("DescribeCertificate"),
        "PUT" => Some("UpdateCertificate"),
        "DELETE" => Some("DeleteCertificate"),
        _other => None,
    }
}

fn principal(request: &Request<'_>, method: &str, thing: &str) -> Option<Reading> {
    let operation = match method {
        "PUT" => "AttachThingPrincipal",
        "DELETE" => "DetachThingPrincipal",
        _other => return None,
    };
    let arn = Resource::Arn(request.header("x-amzn-principal")?.to_owned());
    let both = [arn, local("thing", thing)].map(|resource| need(&Service::Iot, operation, resource));
    Some(Reading::known(operation, both.into()))
}

fn of_job(operation: &str, job: &str, thing: &str) -> Option<Reading> {
    let both = [local("job", job), local("thing", thing)].map(|resource| need(&Service::Iot, operation, resource));
    Some(Reading::known(operation, both.into()))
}

/// The only thing that a job is for.
fn target(request: &Request<'_>) -> Option<String> {
    let body: Value = serde_json::from_slice(request.body).ok()?;
    let [target] = body.get("targets")?.as_array()?.as_slice() else { return None };
    Some(target.as_str()?.split_once(":thing/")?.1.to_owned())
}

fn member(request: &Request<'_>, operation: &str) -> Option<Reading> {
    let both = [local("thinggroup", &text(request, "thingGroupName")?), local("thing", &text(request, "thingName")?)];
    Some(Reading::known(operation, both.map(|resource| need(&Service::Iot, operation, resource)).into()))
}

fn local(kind: &str, name: &str) -> Resource {
    Resource::local("iot", format!("{kind}/{name}"))
}

fn text(request: &Request<'_>, field: &str) -> Option<String> {
    let body: Value = serde_json::from_slice(request.body).ok()?;
    body.get(field)?.as_str().map(str::to_owned)
}
