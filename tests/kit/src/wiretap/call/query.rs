//! The query protocol of Amazon SNS and AWS STS: a form with `Action=...`.
//!
//! Actions: Service Authorization Reference, "Actions, resources, and condition keys for" Amazon SNS and AWS Security
//! Token Service. `PublishBatch` is granted by `sns:Publish` (SNS API Reference, PublishBatch).

use super::request::Request;
use super::{Reading, Resource, Service, need};

pub(super) fn read(service: &Service, request: &Request<'_>) -> Reading {
    let field = |name: &str| {
        form_urlencoded::parse(request.body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let Some(operation) = field("Action") else {
        return Reading::unknown(format!("{} without Action: {}", service.prefix(), request.safe_path()));
    };
    let action = match operation.as_str() {
        // "No permissions are required to perform this operation" (STS API Reference).
        "GetCallerIdentity" => return Reading::known(&operation, Vec::new()),
        "PublishBatch" => "Publish",
        other => other,
    };
    let named = ["TopicArn", "TargetArn", "RoleArn", "SubscriptionArn", "ResourceArn"].into_iter().find_map(field);
    let resource = match (named, field("Name")) {
        (Some(arn), _) => Resource::Arn(arn),
        (None, Some(name)) if *service == Service::Sns => Resource::local("sns", name),
        (None, _) => Resource::Everything,
    };
    Reading::known(&operation, vec![need(service, action, resource)])
}
