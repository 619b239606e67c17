//! Errors in the shape of each protocol, and the reading of answers.
//!
//! Shapes: AWS JSON 1.0/1.1 and REST JSON (`x-amzn-errortype`, `__type`), query (`<ErrorResponse>`), Amazon S3
//! (`<Error>`), as Smithy's protocol definitions and each service's "Error responses" page give them.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderName};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::Value;

use super::call::Service;
use super::xml;

/// The namespace of DynamoDB's errors.
const DYNAMODB: &str = "com.amazonaws.dynamodb.v20120810#";

/// An answer with its whole body.
pub(super) type Answer = Response<Full<Bytes>>;

/// How a service answers when the caller is too fast.
///
/// DynamoDB and Kinesis: `ProvisionedThroughputExceededException`, 400 (their API references). SQS:
/// `RequestThrottled`, 403 (its service model). KMS: `ThrottlingException`, 400 (common errors). SNS and STS:
/// `Throttling`, 400 (common errors). S3: `SlowDown`, 503 (error responses). Lambda: `TooManyRequestsException`, 429
/// (Invoke). IoT control plane: `ThrottlingException`, 400; data plane: the same with 429 (their API references).
pub(super) fn throttled(service: &Service) -> Answer {
    let (status, code) = match service {
        Service::DynamoDb | Service::Kinesis => (400, "ProvisionedThroughputExceededException"),
        Service::Sqs => (403, "RequestThrottled"),
        Service::Iot | Service::Kms => (400, "ThrottlingException"),
        Service::Sns | Service::Sts => (400, "Throttling"),
        Service::S3 => (503, "SlowDown"),
        Service::Lambda => (429, "TooManyRequestsException"),
        Service::IotData | Service::Unknown(_) => (429, "ThrottlingException"),
    };
    refused(service, status, code)
}

/// 503.
pub(super) fn unavailable(service: &Service) -> Answer {
    let of_iot = matches!(service, Service::Iot | Service::IotData);
    let code = if of_iot { "ServiceUnavailableException" } else { "ServiceUnavailable" };
    refused(service, 503, code)
}

/// A cancelled transaction. Source: DynamoDB API reference, `TransactWriteItems`, "Errors".
pub(super) fn cancelled(reason: &str) -> Answer {
    let code = "TransactionCanceledException";
    let body = serde_json::json!({
        "__type": format!("{DYNAMODB}{code}"),
        "message": "Cancelled by the wiretap.",
        "CancellationReasons": [{"Code": reason}],
    });
    let answer = with_header(plain(400, body.to_string()), CONTENT_TYPE, "application/x-amz-json-1.0");
    with_header(answer, HeaderName::from_static("x-amzn-errortype"), code)
}

/// 500, by the code that the service has for it.
pub(super) fn failed(service: &Service) -> Answer {
    let code = match service {
        Service::DynamoDb => "InternalServerError",
        Service::Iot | Service::IotData => "InternalFailureException",
        Service::Kms => "KMSInternalException",
        Service::Lambda => "ServiceException",
        Service::S3 | Service::Sns => "InternalError",
        Service::Kinesis | Service::Sqs | Service::Sts | Service::Unknown(_) => "InternalFailure",
    };
    refused(service, 500, code)
}

/// An error with this status and code.
pub(super) fn refused(service: &Service, status: u16, code: &str) -> Answer {
    let message = "Refused by the wiretap.";
    match service {
        Service::DynamoDb => json(status, code, message, DYNAMODB, "application/x-amz-json-1.0"),
        Service::Sqs => {
            let answer = json(status, code, message, "com.amazonaws.sqs#", "application/x-amz-json-1.0");
            let fault = if status < 500 { "Sender" } else { "Receiver" };
            with_header(answer, HeaderName::from_static("x-amzn-query-error"), &format!("{code};{fault}"))
        }
        Service::Kinesis | Service::Kms => json(status, code, message, "", "application/x-amz-json-1.1"),
        Service::Iot | Service::IotData | Service::Lambda | Service::Unknown(_) => {
            json(status, code, message, "", "application/json")
        }
        Service::Sns | Service::Sts => query(status, code, message),
        Service::S3 => {
            let parts = error_parts(code, message);
            document(status, format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>{parts}</Error>"))
        }
    }
}

fn json(status: u16, code: &str, message: &str, namespace: &str, content_type: &str) -> Answer {
    let body = serde_json::json!({ "__type": format!("{namespace}{code}"), "message": message });
    let answer = with_header(plain(status, body.to_string()), CONTENT_TYPE, content_type);
    with_header(answer, HeaderName::from_static("x-amzn-errortype"), code)
}

fn query(status: u16, code: &str, message: &str) -> Answer {
    let fault = if status < 500 { "Sender" } else { "Receiver" };
    let parts = error_parts(code, message);
    document(status, format!("<ErrorResponse><Error><Type>{fault}</Type>{parts}</Error></ErrorResponse>"))
}

fn error_parts(code: &str, message: &str) -> String {
    format!("<Code>{}</Code><Message>{message}</Message>", xml::escaped(code))
}

fn document(status: u16, body: String) -> Answer {
    with_header(plain(status, body), CONTENT_TYPE, "application/xml")
}

/// A status that HTTP does not know becomes 500.
fn plain(status: u16, body: String) -> Answer {
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
}

/// A value that no header can carry is left out.
fn with_header(mut answer: Answer, name: HeaderName, value: &str) -> Answer {
    if let Ok(value) = value.parse() {
        answer.headers_mut().insert(name, value);
    }
    answer
}

/// The error code of an answer: in `x-amzn-errortype`, in the JSON's `__type` or `code`, or in the XML's `<Code>`;
/// without namespace. `None` for a status below 400.
pub(super) fn error_code(status: u16, headers: &HeaderMap, body: &[u8]) -> Option<String> {
    if status < 400 {
        return None;
    }
    let header = headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let json = || {
        let value: Value = serde_json::from_slice(body).ok()?;
        ["__type", "code"].into_iter().find_map(|name| value.get(name)?.as_str().map(str::to_owned))
    };
    let xml = || xml::first(&String::from_utf8_lossy(body), "Code").map(xml::text);
    header.or_else(json).or_else(xml).map(|code| bare(&code).to_owned())
}

/// `com.amazonaws.sqs#QueueDoesNotExist:http://...` is `QueueDoesNotExist`.
fn bare(code: &str) -> &str {
    let name = code.rsplit('#').next().unwrap_or(code);
    name.split(':').next().unwrap_or(name)
}

/// The capacity units that a DynamoDB answer says it consumed; `None` where it says nothing. The caller must have asked
/// for it with `ReturnConsumedCapacity`.
pub(super) fn consumed_units(service: &Service, body: &[u8]) -> Option<f64> {
    if *service != Service::DynamoDb {
        return None;
    }
    let answer: Value = serde_json::from_slice(body).ok()?;
    let consumed = answer.get("ConsumedCapacity")?;
    let units = |entry: &Value| entry.get("CapacityUnits").and_then(Value::as_f64);
    match consumed.as_array() {
        Some(tables) => Some(tables.iter().filter_map(units).sum()),
        None => units(consumed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_type_is_read_without_its_namespace_and_address() {
        let headers = HeaderMap::new();
        let body = br#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no"}"#;
        assert_eq!(error_code(400, &headers, body).as_deref(), Some("QueueDoesNotExist"));
        let mut headers = HeaderMap::new();
        headers.insert("x-amzn-errortype", "ConflictException:http://internal/coral".parse().unwrap());
        assert_eq!(error_code(409, &headers, b"{}").as_deref(), Some("ConflictException"));
    }

    #[test]
    fn an_error_in_xml_is_read_from_its_code_and_a_success_has_none() {
        let body = b"<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code></Error></ErrorResponse>";
        assert_eq!(error_code(404, &HeaderMap::new(), body).as_deref(), Some("NotFound"));
        assert_eq!(error_code(200, &HeaderMap::new(), body), None);
    }

    #[test]
    fn units_of_one_table_and_of_several_are_summed() {
        let one = br#"{"ConsumedCapacity":{"TableName":"t","CapacityUnits":0.5}}"#;
        let two = br#"{"ConsumedCapacity":[{"CapacityUnits":2.0},{"CapacityUnits":4.0}]}"#;
        assert_eq!(consumed_units(&Service::DynamoDb, one), Some(0.5));
        assert_eq!(consumed_units(&Service::DynamoDb, two), Some(6.0));
        assert_eq!(consumed_units(&Service::DynamoDb, b"{}"), None);
        assert_eq!(consumed_units(&Service::Sqs, one), None);
    }
}
