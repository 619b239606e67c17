//! AWS JSON protocols: the operation is in `X-Amz-Target`, the resource in the body.
//!
//! Actions and resource forms: Service Authorization Reference, "Actions, resources, and condition keys for" Amazon
//! DynamoDB, Amazon Kinesis Data Streams, AWS Key Management Service and Amazon SQS. Transactions: DynamoDB Developer
//! Guide, "Using IAM with DynamoDB transactions".

use serde_json::Value;

use super::request::Request;
use super::{Need, Reading, Resource, Service, need};

pub(super) fn read(service: &Service, request: &Request<'_>) -> Reading {
    let Some(target) = request.header("x-amz-target") else {
        return Reading::unknown(format!("{} without X-Amz-Target: {}", service.prefix(), request.safe_path()));
    };
    let operation = target.rsplit('.').next().unwrap_or(target);
    let Ok(body) = serde_json::from_slice::<Value>(request.body) else {
        return Reading::unknown(format!("{operation} with a body that is no JSON"));
    };
    if *service == Service::DynamoDb {
        return dynamodb(operation, &body);
    }
    let resource = match service.prefix() {
        "sqs" => queue(&body),
        "kinesis" => stream(&body),
        _kms => key(&body),
    };
    Reading::known(operation, vec![need(service, action(service, operation), resource)])
}

/// The IAM action where it is not the operation's name: Amazon SQS grants batches by the single operation.
fn action<'a>(service: &Service, operation: &'a str) -> &'a str {
    match (service, operation) {
        (Service::Sqs, "SendMessageBatch" | "DeleteMessageBatch" | "ChangeMessageVisibilityBatch") => {
            operation.strip_suffix("Batch").unwrap_or(operation)
        }
        (_, other) => other,
    }
}

fn dynamodb(operation: &str, body: &Value) -> Reading {
    let same = |resource| need(&Service::DynamoDb, operation, resource);
    match operation {
        "TransactWriteItems" | "TransactGetItems" => Reading::known(operation, transaction(body)),
        "BatchWriteItem" | "BatchGetItem" => {
            let tables = body.get("RequestItems").and_then(Value::as_object).into_iter().flat_map(|map| map.keys());
            Reading::known(operation, tables.map(|name| same(table(name, None))).collect())
        }
        "ExecuteStatement" | "ExecuteTransaction" | "BatchExecuteStatement" => {
            Reading::unknown(format!("{operation}: the permissions of PartiQL depend on the statement's text"))
        }
        // No resource form.
        "ListTables" | "DescribeLimits" | "DescribeEndpoints" => {
            Reading::known(operation, vec![same(Resource::Everything)])
        }
        _one_table => {
            let resource = text(body, "TableName").map(|name| table(name, text(body, "IndexName")));
            Reading::known(operation, vec![same(resource.unwrap_or(Resource::Unstated))])
        }
    }
}

/// Each item of a transaction needs the permission of the operation that it stands for.
fn transaction(body: &Value) -> Vec<Need> {
    let items = body.get("TransactItems").and_then(Value::as_array).into_iter().flatten();
    let parts = items.filter_map(Value::as_object).flatten();
    parts
        .filter_map(|(kind, item)| {
            let action = match kind.as_str() {
                "Put" => "PutItem",
                "Update" => "UpdateItem",
                "Delete" => "DeleteItem",
                "Get" => "GetItem",
                "ConditionCheck" => "ConditionCheckItem",
                _no_item => return None,
            };
            Some(need(&Service::DynamoDb, action, table(text(item, "TableName")?, None)))
        })
        .collect()
}

/// A query on an index needs the index, not its table.
fn table(name: &str, index: Option<&str>) -> Resource {
    let suffix = index.map(|index| format!("/index/{index}")).unwrap_or_default();
    Resource::named("dynamodb", "table/", &format!("{name}{suffix}"))
}

/// A queue's ARN ends in its name, which is the last part of its URL.
fn queue(body: &Value) -> Resource {
    let by_url = text(body, "QueueUrl").and_then(|url| url.rsplit('/').next());
    match (by_url, text(body, "QueueName"), text(body, "SourceArn")) {
        (Some(name), _, _) | (None, Some(name), _) => Resource::local("sqs", name),
        (None, None, Some(arn)) => Resource::Arn(arn.to_owned()),
        (None, None, None) => Resource::Everything,
    }
}

fn stream(body: &Value) -> Resource {
    match (text(body, "StreamARN"), text(body, "StreamName")) {
        (Some(arn), _) => Resource::Arn(arn.to_owned()),
        (None, Some(name)) => Resource::local("kinesis", format!("stream/{name}")),
        (None, None) => Resource::Unstated,
    }
}

fn key(body: &Value) -> Resource {
    match text(body, "KeyId") {
        Some(id) if !id.contains("alias/") => Resource::named("kms", "key/", id),
        Some(_) | None => Resource::Unstated,
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}
