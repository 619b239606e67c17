//! Batches that succeed although nothing of them was done.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use serde_json::{Value, json};

use super::answer::Answer;
use super::call::{Call, Service};

/// The answer that gives all entries of a batch back; `None` for a call that is no such batch.
///
/// DynamoDB: `UnprocessedItems` and `UnprocessedKeys` have the form of the request's `RequestItems` (API Reference,
/// BatchWriteItem and BatchGetItem). SQS and SNS: `Failed` has an entry for each (API Reference, BatchResultErrorEntry).
pub(super) fn unprocessed(call: &Call) -> Option<Answer> {
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let items = || body.get("RequestItems").cloned().unwrap_or_default();
    Some(match (&call.service, call.operation.name()) {
        (Service::DynamoDb, "BatchWriteItem") => success(&json!({ "UnprocessedItems": items() })),
        (Service::DynamoDb, "BatchGetItem") => success(&json!({ "Responses": {}, "UnprocessedKeys": items() })),
        (Service::Sqs, "SendMessageBatch" | "DeleteMessageBatch" | "ChangeMessageVisibilityBatch") => {
            let entries = body.get("Entries").and_then(Value::as_array).into_iter().flatten();
            let failed = entries.filter_map(|entry| entry.get("Id")).map(|id| {
                json!({ "Id": id, "SenderFault": false, "Code": "RequestThrottled", "Message": "Refused by the wiretap." })
            });
            success(&json!({ "Successful": [], "Failed": failed.collect::<Vec<_>>() }))
        }
        (Service::Sns, "PublishBatch") => unpublished(&call.body),
        _no_batch => return None,
    })
}

fn success(body: &Value) -> Answer {
    Response::new(Full::new(Bytes::from(body.to_string())))
}

/// SNS's answer that none of the messages was taken. Ids are those of the caller's own making: digits and letters.
fn unpublished(body: &[u8]) -> Answer {
    let entry = |name: &str| name.starts_with("PublishBatchRequestEntries.member.") && name.ends_with(".Id");
    let failed = form_urlencoded::parse(body).filter(|(name, _)| entry(name)).map(|(_, id)| {
        format!("<member><Id>{id}</Id><Code>InternalError</Code><SenderFault>false</SenderFault></member>")
    });
    let failed: String = failed.collect();
    let result = format!("<PublishBatchResult><Successful/><Failed>{failed}</Failed></PublishBatchResult>");
    let space = "http://sns.amazonaws.com/doc/2010-03-31/";
    let body = format!("<PublishBatchResponse xmlns=\"{space}\">{result}</PublishBatchResponse>");
    Response::new(Full::new(Bytes::from(body)))
}
